#!/bin/sh
# Builds RocksDB from Debian's own source package as its authors release it: optimized and without assertions.
#
#   bench/build_rocksdb.sh PREFIX        then: PKG_CONFIG_PATH=PREFIX/lib/pkgconfig cmake ... -DLIGHTNING_BUILD_BENCH=ON
#
# Why: Debian's binary package (7.8.3-2) is compiled without NDEBUG. It checks some six thousand assertions and calls
# its test hooks ("sync points") while it runs; a comparison with it would flatter everybody else.
# Same version and same baseline instruction set as the package. Takes about half an hour of processor time.
set -eu
prefix=${1:?usage: bench/build_rocksdb.sh PREFIX}
jobs=${JOBS:-$(nproc)}
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
work=$prefix/source
mkdir -p "$work/lists/partial"
cd "$work"
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $release main" > src.list
apt() {
  apt-get -o Dir::Etc::sourcelist="$work/src.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/lists" "$@"
}
if [ ! -d rocksdb ]; then
  apt -q update
  apt -q source --download-only rocksdb   # checks the signed hash of what it fetches
  mkdir rocksdb.new
  tar -xf rocksdb_*.orig.tar.* -C rocksdb.new --strip-components=1
  mv rocksdb.new rocksdb
fi
cmake -S rocksdb -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
  -DPORTABLE=1 -DFAIL_ON_WARNINGS=OFF -DWITH_GFLAGS=OFF -DWITH_LZ4=ON -DWITH_SNAPPY=ON -DWITH_ZSTD=ON -DWITH_ZLIB=OFF \
  -DWITH_TESTS=OFF -DWITH_TOOLS=OFF -DWITH_CORE_TOOLS=OFF -DWITH_BENCHMARK_TOOLS=OFF -DROCKSDB_BUILD_SHARED=ON
cmake --build build --target rocksdb-shared -j "$jobs"
# Only the library and its headers; the static one is not built.
mkdir -p "$prefix/lib/pkgconfig" "$prefix/include"
cp -a build/librocksdb.so* "$prefix/lib/"
cp -a rocksdb/include/rocksdb "$prefix/include/"
version=$(ls "$prefix"/lib/librocksdb.so.*.*.* | sed 's/.*librocksdb.so.//')
cat > "$prefix/lib/pkgconfig/rocksdb.pc" <<EOF
prefix=$prefix
Name: rocksdb
Description: RocksDB, release build
Version: $version
Libs: -L\${prefix}/lib -Wl,-rpath,\${prefix}/lib -lrocksdb
Cflags: -isystem \${prefix}/include
EOF
echo "RocksDB $version is in $prefix"
