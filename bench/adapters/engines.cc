// The engines that CMake found.
#include "adapter.h"

namespace lightning::bench {

const std::vector<Engine>& engines() {
  static const std::vector<Engine> all = {
#ifdef LIGHTNING_BENCH_WITH_LIGHTNING
      lightning_engine(),
      lightning_pessimistic_engine(),
      lightning_indexed_engine(),
      lightning_expiring_engine(),
      lightning_counted_engine(),
#endif
#ifdef LIGHTNING_BENCH_WITH_ROCKSDB
      rocksdb_engine(),
      rocksdb_optimistic_engine(),
      rocksdb_pessimistic_engine(),
#endif
#ifdef LIGHTNING_BENCH_WITH_LMDB
      lmdb_engine(),
#endif
#ifdef LIGHTNING_BENCH_WITH_LEVELDB
      leveldb_engine(),
#endif
      raw_log_engine(),
      null_engine(),
  };
  return all;
}

bool Session::transact(std::span<const std::string_view>, const Change&) { fail("this engine has no transactions"); }

}  // namespace lightning::bench
