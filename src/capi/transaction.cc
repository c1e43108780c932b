// Transactions.
#include <bit>

#include "capi/handles.h"

using namespace lightning;
using namespace lightning::capi;

namespace {

static_assert(sizeof(Savepoint) == sizeof(lightning_savepoint) && std::is_trivially_copyable_v<Savepoint>);

std::optional<std::chrono::milliseconds> timeout_of(int64_t milliseconds) {
  if (milliseconds < 0) return {};
  // Longer than anybody waits, and nothing that is added to it overflows.
  return std::chrono::milliseconds(
      std::min<int64_t>(milliseconds, std::chrono::milliseconds(std::chrono::years(1)).count()));
}

Result<TransactionOptions> transaction_options_of(const lightning_transaction_options* options) {
  static constexpr lightning_transaction_options kDefaults = LIGHTNING_TRANSACTION_OPTIONS_INIT;
  LIGHTNING_ASSIGN(const auto known, options_of(options, kDefaults, sizeof(kDefaults)));
  TransactionOptions made;
  LIGHTNING_ASSIGN(made.isolation, choice_of(known.isolation, Isolation::kSerializable, "isolation"));
  LIGHTNING_ASSIGN(made.concurrency, choice_of(known.concurrency, Concurrency::kPessimistic, "concurrency"));
  LIGHTNING_ASSIGN(made.durability, choice_of(known.durability, Durability::kSync, "durability"));
  made.read_only = known.read_only;
  if (known.owner != nullptr) made.owner = known.owner;
  made.lock_timeout = timeout_of(known.lock_timeout_ms);
  made.idle_timeout = timeout_of(known.idle_timeout_ms);
  made.total_timeout = timeout_of(known.total_timeout_ms);
  return made;
}

std::chrono::microseconds pause_of(int64_t microseconds) {
  static constexpr std::chrono::microseconds kLongest = std::chrono::hours(1);  // doubled often it still is a number
  return std::min(std::chrono::microseconds(microseconds), kLongest);
}

Result<RetryOptions> retry_options_of(const lightning_retry_options* options) {
  static constexpr lightning_retry_options kDefaults = LIGHTNING_RETRY_OPTIONS_INIT;
  LIGHTNING_ASSIGN(const auto known, options_of(options, kDefaults, sizeof(kDefaults)));
  if (known.backoff_us < 0 || known.backoff_max_us < 0) return invalid("a pause between two tries is below 0");
  return RetryOptions{
      .retries = known.retries, .backoff = pause_of(known.backoff_us), .backoff_max = pause_of(known.backoff_max_us)};
}

// The two reads differ in one call.
template <class Get>
lightning_error* read(lightning_transaction* transaction, const lightning_keyspace* keyspace, const void* key,
                      size_t key_size, void** value, size_t* value_size, Get&& get) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(value, "value"));
    LIGHTNING_TRY(cleared(value_size, "value_size"));
    LIGHTNING_TRY(required(transaction, "the transaction"));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(transaction->live.home(), keyspace));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    std::string found;
    LIGHTNING_ASSIGN(const bool present, get(transaction->transaction, *in, key_bytes, found));
    if (present) hand_over(found, *value, *value_size);
    return {};
  });
}

}  // namespace

lightning_error* lightning_begin(lightning_db* db, const lightning_transaction_options* options,
                                 lightning_transaction** transaction) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(transaction, "transaction"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const auto known, transaction_options_of(options));
    LIGHTNING_ASSIGN(auto begun, home->database.begin(known));
    *transaction = new lightning_transaction{.live = LiveHandle(home), .transaction = std::move(begun)};
    return {};
  });
}

lightning_error* lightning_transaction_put(lightning_transaction* transaction, const lightning_keyspace* keyspace,
                                           const void* key, size_t key_size, const void* value, size_t value_size) {
  return lightning_transaction_put_expiring(transaction, keyspace, key, key_size, value, value_size, 0, 0);
}

lightning_error* lightning_transaction_put_expiring(lightning_transaction* transaction,
                                                    const lightning_keyspace* keyspace, const void* key,
                                                    size_t key_size, const void* value, size_t value_size,
                                                    int64_t ttl_ms, int64_t expires_at_ms) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(transaction, "the transaction"));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(transaction->live.home(), keyspace));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(const auto value_bytes, value_of(value, value_size));
    return transaction->transaction.put(*in, key_bytes, value_bytes, lifetime_of(ttl_ms, expires_at_ms));
  });
}

lightning_error* lightning_transaction_merge(lightning_transaction* transaction, const lightning_keyspace* keyspace,
                                             const void* key, size_t key_size, const void* operand,
                                             size_t operand_size) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(transaction, "the transaction"));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(transaction->live.home(), keyspace));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(const auto operand_bytes, value_of(operand, operand_size));
    return transaction->transaction.merge(*in, key_bytes, operand_bytes);
  });
}

lightning_error* lightning_transaction_erase(lightning_transaction* transaction, const lightning_keyspace* keyspace,
                                             const void* key, size_t key_size) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(transaction, "the transaction"));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(transaction->live.home(), keyspace));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    return transaction->transaction.erase(*in, key_bytes);
  });
}

lightning_error* lightning_transaction_erase_range(lightning_transaction* transaction,
                                                   const lightning_keyspace* keyspace, const lightning_bytes* start,
                                                   const lightning_bytes* end) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(transaction, "the transaction"));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(transaction->live.home(), keyspace));
    LIGHTNING_ASSIGN(const auto range, range_of(start, end));
    return transaction->transaction.erase_range(*in, range);
  });
}

lightning_error* lightning_transaction_get(lightning_transaction* transaction, const lightning_keyspace* keyspace,
                                           const void* key, size_t key_size, void** value, size_t* value_size) {
  return read(
      transaction, keyspace, key, key_size, value, value_size,
      [](Transaction& from, const Keyspace& in, std::string_view k, std::string& v) { return from.get(in, k, v); });
}

lightning_error* lightning_transaction_get_for_update(lightning_transaction* transaction,
                                                      const lightning_keyspace* keyspace, const void* key,
                                                      size_t key_size, void** value, size_t* value_size) {
  return read(transaction, keyspace, key, key_size, value, value_size,
              [](Transaction& from, const Keyspace& in, std::string_view k, std::string& v) {
                return from.get_for_update(in, k, v);
              });
}

lightning_error* lightning_transaction_multi_get(lightning_transaction* transaction, const lightning_keyspace* keyspace,
                                                 const lightning_bytes* keys, size_t count, lightning_values** values) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(values, "values"));
    LIGHTNING_TRY(required(transaction, "the transaction"));
    const auto& home = transaction->live.home();
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto views, keys_of(keys, count));
    LIGHTNING_ASSIGN(auto found, transaction->transaction.multi_get(*in, views));
    auto made = std::make_unique<lightning_values>(LiveHandle(home), std::vector<PinnedValue>(), std::move(found));
    *values = made.release();
    return {};
  });
}

lightning_error* lightning_transaction_iterate(lightning_transaction* transaction, const lightning_keyspace* keyspace,
                                               const lightning_iterate_options* options,
                                               lightning_iterator** iterator) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(iterator, "iterator"));
    LIGHTNING_TRY(required(transaction, "the transaction"));
    const auto& home = transaction->live.home();
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto known, iterate_options_of(home, options));
    auto made = std::make_unique<lightning_iterator>(LiveHandle(home), transaction->transaction.iterate(*in, known));
    LIGHTNING_TRY(made->iterator.status());
    *iterator = made.release();
    return {};
  });
}

lightning_error* lightning_transaction_set_savepoint(lightning_transaction* transaction,
                                                     lightning_savepoint* savepoint) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(savepoint, "savepoint"));
    LIGHTNING_TRY(required(transaction, "the transaction"));
    LIGHTNING_ASSIGN(const Savepoint set, transaction->transaction.set_savepoint());
    *savepoint = std::bit_cast<lightning_savepoint>(set);
    return {};
  });
}

lightning_error* lightning_transaction_rollback_to(lightning_transaction* transaction,
                                                   const lightning_savepoint* savepoint) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(transaction, "the transaction"));
    LIGHTNING_TRY(required(savepoint, "savepoint"));
    return transaction->transaction.rollback_to(std::bit_cast<Savepoint>(*savepoint));
  });
}

lightning_error* lightning_transaction_commit(lightning_transaction* transaction, uint64_t* sequence) {
  return guarded([&]() -> Status {
    if (sequence != nullptr) *sequence = 0;
    LIGHTNING_TRY(required(transaction, "the transaction"));
    LIGHTNING_ASSIGN(const Sequence committed, transaction->transaction.commit());
    if (sequence != nullptr) *sequence = committed;
    return {};
  });
}

lightning_error* lightning_transaction_commit_with(lightning_transaction* transaction,
                                                   const lightning_write_options* options, uint64_t* sequence) {
  return guarded([&]() -> Status {
    if (sequence != nullptr) *sequence = 0;
    LIGHTNING_TRY(required(transaction, "the transaction"));
    LIGHTNING_ASSIGN(const auto known, write_options_of(options));
    LIGHTNING_ASSIGN(const Sequence committed, transaction->transaction.commit(known));
    if (sequence != nullptr) *sequence = committed;
    return {};
  });
}

lightning_error* lightning_run_transaction(lightning_db* db, const lightning_transaction_options* options,
                                           const lightning_retry_options* retries, lightning_transaction_body body,
                                           void* context) {
  return guarded([&]() -> Status {
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    if (body == nullptr) return invalid("the body is null");
    LIGHTNING_ASSIGN(const auto known, transaction_options_of(options));
    LIGHTNING_ASSIGN(const auto again, retry_options_of(retries));
    const auto run = [&](Transaction& transaction) {
      lightning_transaction lent{.live = LiveHandle(home), .transaction = std::move(transaction), .lent = true};
      const Status done = called("the body of the transaction", [&] { return body(context, &lent); });
      transaction = std::move(lent.transaction);
      return done;
    };
    return home->database.run_transaction(run, known, again);
  });
}

lightning_error* lightning_transaction_rollback(lightning_transaction* transaction) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(transaction, "the transaction"));
    return transaction->transaction.rollback();
  });
}

int32_t lightning_transaction_get_state(const lightning_transaction* transaction) {
  if (transaction == nullptr) return LIGHTNING_TRANSACTION_ROLLED_BACK;
  return static_cast<int32_t>(transaction->transaction.state());
}
uint64_t lightning_transaction_id(const lightning_transaction* transaction) {
  return transaction ? transaction->transaction.id() : 0;
}
uint64_t lightning_transaction_snapshot_sequence(const lightning_transaction* transaction) {
  return transaction ? transaction->transaction.snapshot_sequence() : 0;
}
uint64_t lightning_transaction_bytes(const lightning_transaction* transaction) {
  return transaction ? transaction->transaction.bytes() : 0;
}
uint64_t lightning_transaction_operations(const lightning_transaction* transaction) {
  return transaction ? transaction->transaction.operations() : 0;
}
void lightning_transaction_free(lightning_transaction* transaction) {
  if (transaction != nullptr && !transaction->lent) delete transaction;
}
