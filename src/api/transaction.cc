// The public facade of transactions and conditional writes: handles over txn::Core and txn::Coordinator.
#include "lightning/transaction.h"

#include <algorithm>

#include "engine/engine.h"
#include "lightning/database.h"
#include "txn/coordinator.h"
#include "txn/core.h"

namespace lightning {

namespace {

Error never_begun() { return Error(ErrorCode::kTransactionEnded, "the transaction was never begun, or moved from"); }

// An iterator that only has an error.
class FailedCursor final : public engine::Cursor {
 public:
  explicit FailedCursor(Error error) : error_(std::move(error)) {}
  bool valid() const override { return false; }
  void seek_to_first() override {}
  void seek_to_last() override {}
  void seek(std::string_view) override {}
  void seek_for_prev(std::string_view) override {}
  void next() override {}
  void prev() override {}
  std::string_view key() const override { return {}; }
  std::string_view value() const override { return {}; }
  Status status() const override { return error_; }

 private:
  const Error error_;
};

Result<std::optional<std::string>> optional_of(Result<bool> found, std::string& value) {
  if (!found) return std::move(found).error();
  if (!*found) return std::optional<std::string>();
  return std::optional<std::string>(std::move(value));
}

}  // namespace

Transaction::Transaction() = default;
Transaction::Transaction(std::shared_ptr<txn::Core> core) : core_(std::move(core)) {}
Transaction::Transaction(Transaction&&) noexcept = default;
Transaction& Transaction::operator=(Transaction&& other) noexcept {
  if (this == &other) return *this;
  if (active() && !core_->rollback()) core_.reset();  // its time was over just now: it has ended either way
  core_ = std::move(other.core_);
  return *this;
}
Transaction::~Transaction() {
  // Even if it looks ended: somebody may still be busy ending it.
  if (core_ && !core_->rollback()) core_.reset();
}

Status Transaction::put(std::string_view key, std::string_view value) {
  if (!core_) return never_begun();
  return put(core_->engine().default_keyspace(), key, value);
}
Status Transaction::put(const Keyspace& keyspace, std::string_view key, std::string_view value) {
  if (!core_) return never_begun();
  return core_->put(keyspace, key, value, {});
}
Status Transaction::put(std::string_view key, std::string_view value, const Lifetime& lifetime) {
  if (!core_) return never_begun();
  return core_->put(core_->engine().default_keyspace(), key, value, lifetime);
}
Status Transaction::put(const Keyspace& keyspace, std::string_view key, std::string_view value,
                        const Lifetime& lifetime) {
  if (!core_) return never_begun();
  return core_->put(keyspace, key, value, lifetime);
}
Status Transaction::merge(std::string_view key, std::string_view operand) {
  if (!core_) return never_begun();
  return merge(core_->engine().default_keyspace(), key, operand);
}
Status Transaction::merge(const Keyspace& keyspace, std::string_view key, std::string_view operand) {
  if (!core_) return never_begun();
  return core_->write(keyspace, format::EntryType::kMerge, key, operand);
}
Status Transaction::erase(std::string_view key) {
  if (!core_) return never_begun();
  return erase(core_->engine().default_keyspace(), key);
}
Status Transaction::erase(const Keyspace& keyspace, std::string_view key) {
  if (!core_) return never_begun();
  return core_->write(keyspace, format::EntryType::kErase, key, {});
}
Status Transaction::erase_range(const KeyRange& range) {
  if (!core_) return never_begun();
  return core_->erase_range(core_->engine().default_keyspace(), range);
}
Status Transaction::erase_range(const Keyspace& keyspace, const KeyRange& range) {
  if (!core_) return never_begun();
  return core_->erase_range(keyspace, range);
}

Result<std::optional<std::string>> Transaction::get(std::string_view key) {
  if (!core_) return never_begun();
  return get(core_->engine().default_keyspace(), key);
}
Result<std::optional<std::string>> Transaction::get(const Keyspace& keyspace, std::string_view key) {
  std::string value;
  return optional_of(get(keyspace, key, value), value);
}
Result<bool> Transaction::get(const Keyspace& keyspace, std::string_view key, std::string& buffer) {
  if (!core_) return never_begun();
  return core_->get(keyspace, key, buffer);
}
Result<std::optional<std::string>> Transaction::get_for_update(std::string_view key) {
  if (!core_) return never_begun();
  return get_for_update(core_->engine().default_keyspace(), key);
}
Result<std::optional<std::string>> Transaction::get_for_update(const Keyspace& keyspace, std::string_view key) {
  std::string value;
  return optional_of(get_for_update(keyspace, key, value), value);
}
Result<bool> Transaction::get_for_update(const Keyspace& keyspace, std::string_view key, std::string& buffer) {
  if (!core_) return never_begun();
  return core_->get_for_update(keyspace, key, buffer);
}
Result<std::vector<std::optional<std::string>>> Transaction::multi_get(const Keyspace& keyspace,
                                                                       std::span<const std::string_view> keys) {
  if (!core_) return never_begun();
  return core_->multi_get(keyspace, keys);
}

Iterator Transaction::iterate(const IterateOptions& options) {
  if (!core_) return Iterator(std::make_unique<FailedCursor>(never_begun()));
  return iterate(core_->engine().default_keyspace(), options);
}
Iterator Transaction::iterate(const Keyspace& keyspace, const IterateOptions& options) {
  if (!core_) return Iterator(std::make_unique<FailedCursor>(never_begun()));
  auto cursor = core_->iterate(keyspace, options);
  if (!cursor) return Iterator(std::make_unique<FailedCursor>(cursor.error()));
  return Iterator(std::move(*cursor));
}

Result<Savepoint> Transaction::set_savepoint() {
  if (!core_) return never_begun();
  return core_->set_savepoint();
}
Status Transaction::rollback_to(const Savepoint& savepoint) {
  if (!core_) return never_begun();
  return core_->rollback_to(savepoint);
}

Result<Sequence> Transaction::commit() {
  if (!core_) return never_begun();
  return core_->commit(core_->durability());
}
Result<Sequence> Transaction::commit(const WriteOptions& options) {
  if (!core_) return never_begun();
  if (options.has_lifetime() && active())
    return Error(ErrorCode::kInvalidArgument, "only a put gives a record its lifetime");
  return core_->commit(options.durability);
}
Status Transaction::rollback() {
  if (!core_) return never_begun();
  return core_->rollback();
}

std::uint64_t Transaction::id() const { return core_ ? core_->id() : 0; }
TransactionState Transaction::state() const { return core_ ? core_->state() : TransactionState::kRolledBack; }
Sequence Transaction::snapshot_sequence() const { return core_ ? core_->snapshot_sequence() : 0; }
std::uint64_t Transaction::bytes() const { return core_ ? core_->bytes() : 0; }
std::uint64_t Transaction::operations() const { return core_ ? core_->operations() : 0; }

// --- Database -------------------------------------------------------------------------------------------------------

Result<ConditionalResult> Database::put_if_absent(const Keyspace& keyspace, std::string_view key,
                                                  std::string_view value, const WriteOptions& options) {
  return compare_and_set(keyspace, key, std::nullopt, value, options);
}
Result<ConditionalResult> Database::put_if_absent(std::string_view key, std::string_view value,
                                                  const WriteOptions& options) {
  return compare_and_set(engine_->default_keyspace(), key, std::nullopt, value, options);
}
Result<ConditionalResult> Database::compare_and_set(const Keyspace& keyspace, std::string_view key,
                                                    std::optional<std::string_view> expected,
                                                    std::optional<std::string_view> desired,
                                                    const WriteOptions& options) {
  return txn::Coordinator::of(*engine_).write_if(keyspace, key, expected, desired, options);
}
Result<ConditionalResult> Database::compare_and_set(std::string_view key, std::optional<std::string_view> expected,
                                                    std::optional<std::string_view> desired,
                                                    const WriteOptions& options) {
  return compare_and_set(engine_->default_keyspace(), key, expected, desired, options);
}

Result<Transaction> Database::begin() { return begin(TransactionOptions{}); }
Result<Transaction> Database::begin(const TransactionOptions& options) {
  LIGHTNING_ASSIGN(auto core, txn::Coordinator::of(*engine_).begin(engine_, options));
  return Transaction(std::move(core));
}

std::vector<TransactionInfo> Database::transactions() const {
  if (engine_->arbiter() == nullptr) return {};
  return txn::Coordinator::of(*engine_).transactions();
}
std::vector<SnapshotInfo> Database::snapshots() const { return txn::Coordinator::of(*engine_).snapshots(); }

Status Database::run_transaction(const std::function<Status(Transaction&)>& body) {
  return run_transaction(body, TransactionOptions{});
}

Status Database::run_transaction(const std::function<Status(Transaction&)>& body, const TransactionOptions& options,
                                 const RetryOptions& retries) {
  const auto once = [&]() -> Status {
    auto begun = begin(options);
    if (!begun) return std::move(begun).error();
    Transaction& txn = *begun;
    const std::shared_ptr<txn::Core> core = txn.core_;
    LIGHTNING_TRY(body(txn));
    if (core->state() == TransactionState::kActive) {
      LIGHTNING_TRY(core->commit(core->durability()));
      return {};
    }
    // The body may have ended it, which is its right; but what ended it against its will must not look like success.
    if (core->state() == TransactionState::kExpired) return core->rollback();
    if (core->end_error()) return *core->end_error();
    return {};
  };
  for (std::uint32_t failures = 0;; ++failures) {
    Status status = once();
    if (status) return status;
    const Error& error = status.error();
    if (error.category() != ErrorCategory::kRetryable || error.outcome() != WriteOutcome::kNotApplied ||
        failures == retries.retries)
      return status;
    txn::Coordinator::of(*engine_).count_retry();
    const auto first = std::chrono::nanoseconds(retries.backoff),
               longest = std::chrono::nanoseconds(retries.backoff_max);
    const auto bound = std::clamp<std::int64_t>(first.count() << std::min(failures, 20u), 0, longest.count());
    if (bound > 0)
      base::sleep_for(std::chrono::nanoseconds(engine_->env().random.next() % (static_cast<std::uint64_t>(bound) + 1)));
  }
}

}  // namespace lightning
