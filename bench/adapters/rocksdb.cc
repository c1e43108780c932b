// RocksDB, tuned for this machine and for data that fits its cache.
#include <dlfcn.h>
#include <rocksdb/version.h>

#include "adapters/rocksdb_session.h"

namespace lightning::bench {
namespace {

class RocksDbStore final : public Store {
 public:
  explicit RocksDbStore(const StoreOptions& options) : sync_(options.sync) {
    rocksdb::DB* db = nullptr;
    rocks::check(rocksdb::DB::Open(rocks::tuned(options), options.path, &db), "open");
    db_.reset(db);
  }
  ~RocksDbStore() override { rocks::check(db_->Close(), "close"); }

  std::unique_ptr<Session> session() override { return std::make_unique<rocks::RocksDbSession>(db_.get(), sync_); }
  void flush() override { rocks::check(db_->Flush(rocksdb::FlushOptions()), "flush"); }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  bool sync_;
};

bool checks_assertions() { return ::dlsym(RTLD_DEFAULT, "_ZN7rocksdb9SyncPoint11GetInstanceEv") != nullptr; }

}  // namespace

std::string rocks::version() {
  return rocksdb::GetRocksVersionAsString() + (checks_assertions() ? " with assertions" : "");
}

Engine rocksdb_engine() {
  return {"rocksdb", rocks::version(), Serves::kAllButTransactions,
          [](const StoreOptions& options) -> std::unique_ptr<Store> { return std::make_unique<RocksDbStore>(options); },
          "rocksdb"};
}

}  // namespace lightning::bench
