// The engines that CMake found.
#include "adapter.h"

namespace lightning::bench {

const std::vector<Engine>& engines() {
  static const std::vector<Engine> all = {
#ifdef LIGHTNING_BENCH_WITH_LIGHTNING
      lightning_engine(),
#endif
#ifdef LIGHTNING_BENCH_WITH_ROCKSDB
      rocksdb_engine(),
#endif
#ifdef LIGHTNING_BENCH_WITH_LMDB
      lmdb_engine(),
#endif
#ifdef LIGHTNING_BENCH_WITH_LEVELDB
      leveldb_engine(),
#endif
      raw_log_engine(),   null_engine(),
  };
  return all;
}

}  // namespace lightning::bench
