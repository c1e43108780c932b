// LevelDB with a Bloom filter, a cache for all data, a large write buffer and large tables. Snappy is its compressor.
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include <string>

#include "adapter.h"
#include "adapters/leveldb_like.h"
#include "data.h"

namespace lightning::bench {
namespace {

void check(const leveldb::Status& status, const char* what) {
  if (!status.ok()) fail(std::string("leveldb: ") + what + ": " + status.ToString());
}

leveldb::Slice to_slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

class LevelDbSession final : public Session {
 public:
  LevelDbSession(leveldb::DB* db, bool sync) : db_(db) { write_.sync = sync; }

  void put(std::string_view key, std::string_view value) override {
    check(db_->Put(write_, to_slice(key), to_slice(value)), "put");
  }
  void batch_put(std::string_view key, std::string_view value) override { batch_.Put(to_slice(key), to_slice(value)); }
  void batch_commit() override {
    check(db_->Write(write_, &batch_), "write");
    batch_.Clear();
  }
  bool get(std::string_view key, std::string_view& value) override {
    if (!lookup(key, buffer_)) return false;
    value = buffer_;
    return true;
  }
  // LevelDB has no call for this.
  void multi_get(std::span<const std::string_view> keys, std::span<std::string_view> values) override {
    buffers_.resize(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      values[i] = lookup(keys[i], buffers_[i]) ? std::string_view(buffers_[i]) : std::string_view{};
    }
  }
  ScanSum scan(std::string_view from, std::uint64_t limit, Direction direction) override {
    const std::unique_ptr<leveldb::Iterator> it(db_->NewIterator(read_));
    const ScanSum sum = scan_with<leveldb::Slice>(*it, from, limit, direction);
    check(it->status(), "scan");
    return sum;
  }

 private:
  bool lookup(std::string_view key, std::string& value) {
    const leveldb::Status status = db_->Get(read_, to_slice(key), &value);
    if (status.IsNotFound()) return false;
    check(status, "get");
    return true;
  }

  leveldb::DB* db_;
  leveldb::WriteOptions write_;
  leveldb::ReadOptions read_;
  leveldb::WriteBatch batch_;
  std::string buffer_;
  std::vector<std::string> buffers_;
};

class LevelDbStore final : public Store {
 public:
  explicit LevelDbStore(const StoreOptions& options)
      : path_(options.path),
        cache_(leveldb::NewLRUCache(options.memory_bytes)),
        filter_(leveldb::NewBloomFilterPolicy(10)),
        sync_(options.sync) {
    open();
  }

  std::unique_ptr<Session> session() override { return std::make_unique<LevelDbSession>(db_.get(), sync_); }
  // LevelDB has no call for this, but writes its memtable to a table when it opens.
  void flush() override {
    db_.reset();
    open();
  }

 private:
  void open() {
    leveldb::Options o;
    o.create_if_missing = true;
    o.block_cache = cache_.get();
    o.filter_policy = filter_.get();
    o.write_buffer_size = 64 << 20;
    o.max_file_size = 32 << 20;
    o.max_open_files = 100'000;  // all of them
    o.compression = leveldb::kSnappyCompression;
    leveldb::DB* db = nullptr;
    check(leveldb::DB::Open(o, path_, &db), "open");
    db_.reset(db);
  }

  std::string path_;
  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  bool sync_;
  std::unique_ptr<leveldb::DB> db_;  // closed before the cache goes
};

}  // namespace

Engine leveldb_engine() {
  return {"leveldb", std::to_string(leveldb::kMajorVersion) + "." + std::to_string(leveldb::kMinorVersion),
          Serves::kAllButTransactions, [](const StoreOptions& options) -> std::unique_ptr<Store> {
            return std::make_unique<LevelDbStore>(options);
          }};
}

}  // namespace lightning::bench
