// Lightning DB through its public API, with its default integrity level; and with a secondary index, with records that
// expire, and with an exact count, to see what these cost.
#include "lightning/database.h"

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "adapter.h"
#include "data.h"

namespace lightning::bench {
namespace {

template <class T>
T unwrap(Result<T> result, const char* what) {
  if (!result) fail(std::string("lightning: ") + what + ": " + result.error().to_string());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class LightningSession final : public Session {
 public:
  LightningSession(Database& db, bool sync, Concurrency concurrency) : db_(db), keyspace_(db.default_keyspace()) {
    if (sync) write_.durability = transaction_.durability = Durability::kSync;
    transaction_.concurrency = concurrency;
  }

  void put(std::string_view key, std::string_view value) override {
    unwrap(db_.put(keyspace_, key, value, write_), "put");
  }
  void batch_put(std::string_view key, std::string_view value) override { batch_.put(key, value); }
  void batch_commit() override {
    unwrap(db_.write(batch_, write_), "write");
    batch_.clear();
  }
  bool get(std::string_view key, std::string_view& value) override {
    unwrap(db_.get(keyspace_, key, pinned_), "get");
    value = pinned_.value();
    return pinned_.found();
  }
  void multi_get(std::span<const std::string_view> keys, std::span<std::string_view> values) override {
    const std::size_t n = keys.size();
    if (n > kMultiMax) fail("lightning: too many keys for one multi_get");
    unwrap(db_.multi_get(keyspace_, keys, std::span(many_).first(n)), "multi_get");
    for (std::size_t i = 0; i < n; ++i) values[i] = many_[i].found() ? many_[i].value() : std::string_view{};
  }
  bool transact(std::span<const std::string_view> keys, const Change& change) override {
    const auto refused = [](const Error& error, const char* what) {
      if (error.category() != ErrorCategory::kRetryable) fail(std::string("lightning: ") + what + error.to_string());
      return false;
    };
    Transaction txn = unwrap(db_.begin(transaction_), "begin");
    if (before_.size() < keys.size()) before_.resize(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto found = txn.get_for_update(keyspace_, keys[i], before_[i]);
      if (!found) return refused(found.error(), "get_for_update: ");
      if (!*found) before_[i].clear();
    }
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (const auto put = txn.put(keyspace_, keys[i], change(i, before_[i])); !put)
        return refused(put.error(), "put: ");
    const auto committed = txn.commit();
    return committed ? true : refused(committed.error(), "commit: ");
  }
  ScanSum scan(std::string_view from, std::uint64_t limit, Direction direction) override {
    Iterator it = db_.iterate(keyspace_);
    ScanSum sum;
    const bool forward = direction == Direction::kForward;
    if (!forward) {
      it.seek_to_last();
    } else if (from.empty()) {
      it.seek_to_first();
    } else {
      it.seek(from);
    }
    while (it.valid() && sum.entries < limit) {
      sum.touched += touch(it.key()) + touch(it.value());
      if (++sum.entries == limit) break;
      forward ? it.next() : it.prev();
    }
    unwrap(it.status(), "scan");
    return sum;
  }

 private:
  static constexpr std::size_t kMultiMax = 64;
  Database& db_;
  Keyspace keyspace_;
  WriteOptions write_;
  TransactionOptions transaction_;
  std::vector<std::string> before_;
  WriteBatch batch_;
  PinnedValue pinned_;
  std::array<PinnedValue, kMultiMax> many_;
};

enum class Keyspaces : std::uint8_t { kPlain, kIndexed, kExpiring, kCounted };

class LightningStore final : public Store {
 public:
  LightningStore(const StoreOptions& options, Concurrency concurrency, Keyspaces keyspaces)
      : db_(unwrap(Database::open(options.path, config_for(options), options_for(keyspaces)), "open")),
        sync_(options.sync),
        concurrency_(concurrency) {
    // Of bytes that another version of a record changes: each put writes an entry, and each overwrite two.
    if (keyspaces == Keyspaces::kIndexed && db_.list_indexes().empty())
      unwrap(db_.create_index(db_.default_keyspace(), "bytes", {.extractor = ByteRange{.offset = 8, .bytes = 8}}),
             "create_index");
  }
  ~LightningStore() override { unwrap(db_.close(), "close"); }

  std::unique_ptr<Session> session() override { return std::make_unique<LightningSession>(db_, sync_, concurrency_); }
  void flush() override { unwrap(db_.flush(), "flush"); }

 private:
  static LightningDbConfig config_for(const StoreOptions& options) {
    LightningDbConfig config;
    config.cache_size = options.memory_bytes;
    config.memtable_bytes = 64 << 20;
    config.memtables_max = 4;
    config.wal_sync_mode = WalSyncMode::kAsync;
    config.ballast_bytes = 0;          // the peers hold none
    config.enable_statistics = false;  // the peers' latency histograms are off as well
    return config;
  }
  static OpenOptions options_for(Keyspaces keyspaces) {
    OpenOptions options;
    if (keyspaces == Keyspaces::kExpiring) options.default_keyspace.default_ttl = std::chrono::hours(24);
    options.default_keyspace.counted = keyspaces == Keyspaces::kCounted;
    return options;
  }

  Database db_;
  bool sync_;
  Concurrency concurrency_;
};

template <Concurrency kConcurrency, Keyspaces kKeyspaces = Keyspaces::kPlain>
std::unique_ptr<Store> open(const StoreOptions& options) {
  return std::make_unique<LightningStore>(options, kConcurrency, kKeyspaces);
}

}  // namespace

Engine lightning_engine() {
  return {"lightning", LIGHTNING_BENCH_VERSION, Serves::kEverything, open<Concurrency::kOptimistic>, "lightning"};
}

Engine lightning_pessimistic_engine() {
  return {"lightning-p", LIGHTNING_BENCH_VERSION, Serves::kTransactions, open<Concurrency::kPessimistic>, "lightning"};
}

Engine lightning_indexed_engine() {
  return {"lightning-i", LIGHTNING_BENCH_VERSION, Serves::kPuts, open<Concurrency::kOptimistic, Keyspaces::kIndexed>,
          "lightning"};
}

Engine lightning_expiring_engine() {
  return {"lightning-t", LIGHTNING_BENCH_VERSION, Serves::kAllButTransactions,
          open<Concurrency::kOptimistic, Keyspaces::kExpiring>, "lightning"};
}

Engine lightning_counted_engine() {
  return {"lightning-c", LIGHTNING_BENCH_VERSION, Serves::kAllButTransactions,
          open<Concurrency::kOptimistic, Keyspaces::kCounted>, "lightning"};
}

}  // namespace lightning::bench
