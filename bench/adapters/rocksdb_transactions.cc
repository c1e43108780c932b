// RocksDB's two kinds of transactions: OptimisticTransactionDB, which looks for conflicts at the commit, and
// TransactionDB, which locks. Both read with GetForUpdate, and use one transaction object per thread again and again.
#include <rocksdb/utilities/optimistic_transaction_db.h>
#include <rocksdb/utilities/transaction.h>
#include <rocksdb/utilities/transaction_db.h>

#include <vector>

#include "adapters/rocksdb_session.h"

namespace lightning::bench {
namespace {

using rocks::check;

bool is_conflict(const rocksdb::Status& status) {
  return status.IsBusy() || status.IsTryAgain() || status.IsTimedOut() || status.IsAborted();
}

struct Optimistic {
  using Database = rocksdb::OptimisticTransactionDB;
  using Options = rocksdb::OptimisticTransactionOptions;
  static constexpr const char* kName = "rocksdb-o";
  static rocksdb::Status open(const StoreOptions& options, Database** db) {
    return Database::Open(rocks::tuned(options), options.path, db);
  }
  static Options options() { return {}; }
};

struct Pessimistic {
  using Database = rocksdb::TransactionDB;
  using Options = rocksdb::TransactionOptions;
  static constexpr const char* kName = "rocksdb-p";
  static rocksdb::Status open(const StoreOptions& options, Database** db) {
    return Database::Open(rocks::tuned(options), rocksdb::TransactionDBOptions(), options.path, db);
  }
  static Options options() {
    Options options;
    options.deadlock_detect = true;
    return options;
  }
};

template <class Kind>
class TransactionSession final : public rocks::RocksDbSession {
 public:
  TransactionSession(typename Kind::Database* db, bool sync) : RocksDbSession(db, sync), db_(db) {}

  bool transact(std::span<const std::string_view> keys, const Change& change) override {
    txn_.reset(db_->BeginTransaction(write_, Kind::options(), txn_.release()));
    if (before_.size() < keys.size()) before_.resize(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      before_[i].clear();
      const auto status = txn_->GetForUpdate(read_, rocks::to_slice(keys[i]), &before_[i]);
      if (!status.ok() && !status.IsNotFound()) return give_up(status, "GetForUpdate");
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto status = txn_->Put(rocks::to_slice(keys[i]), rocks::to_slice(change(i, before_[i])));
      if (!status.ok()) return give_up(status, "Put");
    }
    const auto status = txn_->Commit();
    return status.ok() || give_up(status, "Commit");
  }

 private:
  bool give_up(const rocksdb::Status& status, const char* what) {
    if (!is_conflict(status)) check(status, what);
    check(txn_->Rollback(), "Rollback");
    return false;
  }

  typename Kind::Database* db_;
  std::unique_ptr<rocksdb::Transaction> txn_;
  std::vector<std::string> before_;
};

template <class Kind>
class TransactionStore final : public Store {
 public:
  explicit TransactionStore(const StoreOptions& options) : sync_(options.sync) {
    typename Kind::Database* db = nullptr;
    check(Kind::open(options, &db), "open");
    db_.reset(db);
  }
  ~TransactionStore() override { check(db_->Close(), "close"); }

  std::unique_ptr<Session> session() override { return std::make_unique<TransactionSession<Kind>>(db_.get(), sync_); }
  void flush() override { check(db_->Flush(rocksdb::FlushOptions()), "flush"); }

 private:
  std::unique_ptr<typename Kind::Database> db_;
  bool sync_;
};

template <class Kind>
Engine engine() {
  return {Kind::kName, rocks::version(), Serves::kTransactions,
          [](const StoreOptions& options) -> std::unique_ptr<Store> {
            return std::make_unique<TransactionStore<Kind>>(options);
          },
          "rocksdb"};
}

}  // namespace

Engine rocksdb_optimistic_engine() { return engine<Optimistic>(); }
Engine rocksdb_pessimistic_engine() { return engine<Pessimistic>(); }

}  // namespace lightning::bench
