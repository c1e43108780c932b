// What all adapters of RocksDB share: how it is tuned, and the calls that are no transactions'. docs/benchmarks.md
// gives the reason of each setting.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <array>
#include <string>

#include "adapter.h"
#include "adapters/leveldb_like.h"
#include "data.h"

namespace lightning::bench::rocks {

inline void check(const rocksdb::Status& status, const char* what) {
  if (!status.ok()) fail(std::string("rocksdb: ") + what + ": " + status.ToString());
}

inline rocksdb::Slice to_slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view to_view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

inline rocksdb::Options tuned(const StoreOptions& options) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.memory_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  table.whole_key_filtering = true;
  table.format_version = 5;
  table.block_size = 4096;
  table.index_type = rocksdb::BlockBasedTableOptions::kBinarySearch;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.data_block_hash_table_util_ratio = 0.75;
  table.cache_index_and_filter_blocks = false;  // held by the open tables: no look-up in the cache to reach them
  table.pin_l0_filter_and_index_blocks_in_cache = true;

  rocksdb::Options o;
  o.create_if_missing = true;
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  o.IncreaseParallelism(static_cast<int>(std::max(2u, options.cores)));
  o.max_background_jobs = static_cast<int>(std::max(2u, options.cores));
  o.max_subcompactions = std::max(1u, options.cores);
  o.write_buffer_size = 64 << 20;
  o.max_write_buffer_number = 4;
  o.min_write_buffer_number_to_merge = 1;
  o.level0_file_num_compaction_trigger = 4;
  o.level0_slowdown_writes_trigger = 20;
  o.level0_stop_writes_trigger = 36;
  o.max_bytes_for_level_base = 256 << 20;
  o.target_file_size_base = 64 << 20;
  o.level_compaction_dynamic_level_bytes = true;
  o.compression = rocksdb::kLZ4Compression;
  o.bottommost_compression = rocksdb::kLZ4Compression;
  o.max_open_files = -1;
  o.allow_concurrent_memtable_write = true;
  o.enable_write_thread_adaptive_yield = true;
  o.enable_pipelined_write = true;
  o.bytes_per_sync = 1 << 20;
  o.wal_bytes_per_sync = options.sync ? 0 : 1 << 20;
  o.recycle_log_file_num = 4;
  o.stats_dump_period_sec = 0;
  o.stats_persist_period_sec = 0;
  return o;
}

class RocksDbSession : public Session {
 public:
  RocksDbSession(rocksdb::DB* db, bool sync) : db_(db), family_(db->DefaultColumnFamily()) { write_.sync = sync; }

  void put(std::string_view key, std::string_view value) override {
    check(db_->Put(write_, family_, to_slice(key), to_slice(value)), "put");
  }
  void batch_put(std::string_view key, std::string_view value) override {
    check(batch_.Put(family_, to_slice(key), to_slice(value)), "batch");
  }
  void batch_commit() override {
    check(db_->Write(write_, &batch_), "write");
    batch_.Clear();
  }
  bool get(std::string_view key, std::string_view& value) override {
    pinned_.Reset();
    const rocksdb::Status status = db_->Get(read_, family_, to_slice(key), &pinned_);
    if (status.IsNotFound()) return false;
    check(status, "get");
    value = to_view(pinned_);
    return true;
  }
  void multi_get(std::span<const std::string_view> keys, std::span<std::string_view> values) override {
    const std::size_t n = keys.size();
    if (n > kMultiMax) fail("rocksdb: too many keys for one multi_get");
    std::array<rocksdb::Slice, kMultiMax> slices;
    std::array<rocksdb::Status, kMultiMax> statuses;
    for (std::size_t i = 0; i < n; ++i) {
      slices[i] = to_slice(keys[i]);
      many_[i].Reset();
    }
    db_->MultiGet(read_, family_, n, slices.data(), many_.data(), statuses.data());
    for (std::size_t i = 0; i < n; ++i) {
      if (statuses[i].ok()) {
        values[i] = to_view(many_[i]);
      } else {
        if (!statuses[i].IsNotFound()) check(statuses[i], "multi_get");
        values[i] = {};
      }
    }
  }
  ScanSum scan(std::string_view from, std::uint64_t limit, Direction direction) override {
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(read_, family_));
    const ScanSum sum = scan_with<rocksdb::Slice>(*it, from, limit, direction);
    check(it->status(), "scan");
    return sum;
  }

 protected:
  rocksdb::WriteOptions write_;
  rocksdb::ReadOptions read_;

 private:
  static constexpr std::size_t kMultiMax = 64;
  rocksdb::DB* db_;
  rocksdb::ColumnFamilyHandle* family_;
  rocksdb::WriteBatch batch_;
  rocksdb::PinnableSlice pinned_;
  std::array<rocksdb::PinnableSlice, kMultiMax> many_;
};

// RocksDB's test hooks exist only in a library that was compiled without NDEBUG, and so checks its assertions.
std::string version();

}  // namespace lightning::bench::rocks
