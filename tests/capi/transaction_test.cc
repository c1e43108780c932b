// Transactions through the C API: run by the library, listed, committed in one's own way; and conditional writes.
#include <stdexcept>
#include <vector>

#include "capi/place.h"

namespace lightning::testing_support {
namespace {

struct Attempt {
  int calls = 0;
  lightning_db* db = nullptr;
  bool disturb = false;  // writes beside the first run
};

// Adds an "x" to the key "k".
lightning_error* add_x(void* context, lightning_transaction* transaction) {
  Attempt& run = *static_cast<Attempt*>(context);
  void* value = nullptr;
  std::size_t size = 0;
  if (auto* const error = lightning_transaction_get_for_update(transaction, nullptr, "k", 1, &value, &size))
    return error;
  const std::string longer = std::string(static_cast<const char*>(value), size) + "x";
  lightning_free(value);
  if (++run.calls == 1 && run.disturb)
    if (auto* const error = lightning_put(run.db, nullptr, "k", 1, "y", 1, nullptr)) return error;
  lightning_transaction_free(transaction);  // lent: nothing happens
  return lightning_transaction_put(transaction, nullptr, "k", 1, longer.data(), longer.size());
}

TEST_F(CApi, RunsATransactionAndCommitsIt) {
  Attempt run{.db = db_};
  OK(lightning_run_transaction(db_, nullptr, nullptr, add_x, &run));
  EXPECT_EQ(get("k"), "x");
  EXPECT_EQ(run.calls, 1);
}

TEST_F(CApi, RunsATransactionAgainAfterAConflict) {
  Attempt run{.db = db_, .disturb = true};
  OK(lightning_run_transaction(db_, nullptr, nullptr, add_x, &run));
  EXPECT_EQ(get("k"), "yx");
  EXPECT_EQ(run.calls, 2);

  run = {.db = db_, .disturb = true};
  lightning_retry_options never = LIGHTNING_RETRY_OPTIONS_INIT;
  never.retries = 0;
  lightning_error* const error = lightning_run_transaction(db_, nullptr, &never, add_x, &run);
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_CONFLICT);
  EXPECT_EQ(lightning_error_outcome(error), LIGHTNING_NOT_APPLIED);
  lightning_error_free(error);
  EXPECT_EQ(get("k"), "y");
  EXPECT_EQ(run.calls, 1);
}

TEST_F(CApi, ABodyThatFailsOrThrowsRollsBack) {
  const auto failing = [](void* code, lightning_transaction* transaction) -> lightning_error* {
    if (auto* const error = lightning_transaction_put(transaction, nullptr, "k", 1, "v", 1)) return error;
    if (code == nullptr) throw std::runtime_error("a surprise");
    return lightning_error_create(*static_cast<int*>(code), "not enough on the account");
  };
  int code = LIGHTNING_ERROR_INPUT_MALFORMED;
  lightning_error* error = lightning_run_transaction(db_, nullptr, nullptr, failing, &code);
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_INPUT_MALFORMED);
  EXPECT_STREQ(lightning_error_message(error), "not enough on the account");
  EXPECT_EQ(lightning_error_category(error), LIGHTNING_CATEGORY_CALLER_FAULT);
  lightning_error_free(error);
  for (const int none : {0, -1, 7, 1 << 20, static_cast<int>(LIGHTNING_ERROR_INTERNAL) + 1}) {
    code = none;
    FAILS(INVALID_ARGUMENT, lightning_run_transaction(db_, nullptr, nullptr, failing, &code));
  }
  error = lightning_run_transaction(db_, nullptr, nullptr, failing, nullptr);
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_INTERNAL);
  EXPECT_NE(std::string(lightning_error_message(error)).find("a surprise"), std::string::npos);
  EXPECT_EQ(lightning_error_outcome(error), LIGHTNING_NOT_APPLIED);
  lightning_error_free(error);
  EXPECT_EQ(get("k"), "-");
  lightning_transaction_list* list = nullptr;
  OK(lightning_list_transactions(db_, &list));
  EXPECT_EQ(lightning_transaction_list_length(list), 0u);
  lightning_transaction_list_free(list);
}

TEST_F(CApi, ABodyMayEndItsTransaction) {
  const auto ends = [](void* commit, lightning_transaction* transaction) -> lightning_error* {
    if (auto* const error = lightning_transaction_put(transaction, nullptr, "k", 1, "v", 1)) return error;
    return commit != nullptr ? lightning_transaction_commit(transaction, nullptr)
                             : lightning_transaction_rollback(transaction);
  };
  OK(lightning_run_transaction(db_, nullptr, nullptr, ends, nullptr));
  EXPECT_EQ(get("k"), "-");
  bool commit = true;
  OK(lightning_run_transaction(db_, nullptr, nullptr, ends, &commit));
  EXPECT_EQ(get("k"), "v");
}

TEST_F(CApi, AnIteratorOfALentTransactionOutlivesIt) {
  lightning_iterator* it = nullptr;
  const auto iterates = [](void* context, lightning_transaction* transaction) {
    return lightning_transaction_iterate(transaction, nullptr, nullptr, static_cast<lightning_iterator**>(context));
  };
  OK(lightning_run_transaction(db_, nullptr, nullptr, iterates, static_cast<void*>(&it)));
  lightning_iterator_seek_to_first(it);
  FAILS(TRANSACTION_ENDED, lightning_iterator_status(it));
  FAILS(BUSY, lightning_close(db_));
  lightning_iterator_free(it);
}

TEST_F(CApi, RefusesToRunWhatMakesNoSense) {
  Attempt run{.db = db_};
  FAILS(INVALID_ARGUMENT, lightning_run_transaction(nullptr, nullptr, nullptr, add_x, &run));
  FAILS(INVALID_ARGUMENT, lightning_run_transaction(db_, nullptr, nullptr, nullptr, &run));
  lightning_transaction_options options = LIGHTNING_TRANSACTION_OPTIONS_INIT;
  options.isolation = 9;
  FAILS(INVALID_ARGUMENT, lightning_run_transaction(db_, &options, nullptr, add_x, &run));
  lightning_retry_options retries = LIGHTNING_RETRY_OPTIONS_INIT;
  retries.backoff_us = -1;
  FAILS(INVALID_ARGUMENT, lightning_run_transaction(db_, nullptr, &retries, add_x, &run));
  retries = LIGHTNING_RETRY_OPTIONS_INIT;
  retries.backoff_max_us = -1;
  FAILS(INVALID_ARGUMENT, lightning_run_transaction(db_, nullptr, &retries, add_x, &run));
  retries = LIGHTNING_RETRY_OPTIONS_INIT;
  retries.struct_size = 1;
  FAILS(INVALID_ARGUMENT, lightning_run_transaction(db_, nullptr, &retries, add_x, &run));
  EXPECT_EQ(run.calls, 0);
  retries = LIGHTNING_RETRY_OPTIONS_INIT;
  retries.backoff_us = INT64_MAX;
  retries.backoff_max_us = 1;
  run.disturb = true;
  OK(lightning_run_transaction(db_, nullptr, &retries, add_x, &run));
  OK(lightning_close(db_));
  FAILS(CLOSED, lightning_run_transaction(db_, nullptr, nullptr, add_x, &run));
}

TEST_F(CApi, ListsTransactionsWithTheirOwners) {
  lightning_transaction_options options = LIGHTNING_TRANSACTION_OPTIONS_INIT;
  options.isolation = LIGHTNING_SERIALIZABLE;
  options.concurrency = LIGHTNING_PESSIMISTIC;
  options.owner = "teller";
  lightning_transaction *teller = nullptr, *reader = nullptr;
  OK(lightning_begin(db_, &options, &teller));
  options = LIGHTNING_TRANSACTION_OPTIONS_INIT;
  options.isolation = LIGHTNING_READ_COMMITTED;
  options.read_only = true;
  OK(lightning_begin(db_, &options, &reader));
  EXPECT_EQ(lightning_transaction_operations(teller), 0u);
  const std::uint64_t bytes_before = lightning_transaction_bytes(teller);
  OK(lightning_transaction_put(teller, nullptr, "a", 1, "1", 1));
  OK(lightning_transaction_put(teller, nullptr, "b", 1, "2", 1));
  EXPECT_EQ(lightning_transaction_operations(teller), 2u);
  EXPECT_GT(lightning_transaction_bytes(teller), bytes_before);
  EXPECT_EQ(lightning_transaction_snapshot_sequence(teller), 0u) << "nothing was written yet";
  OK(put("c", "3"));
  OK(put("d", "4"));

  lightning_transaction_list* list = nullptr;
  OK(lightning_list_transactions(db_, &list));
  ASSERT_EQ(lightning_transaction_list_length(list), 2u);
  lightning_transaction_info info;
  OK(lightning_transaction_list_get(list, 0, &info, sizeof info));
  EXPECT_EQ(info.id, lightning_transaction_id(teller));
  EXPECT_STREQ(info.owner, "teller");
  EXPECT_EQ(info.isolation, LIGHTNING_SERIALIZABLE);
  EXPECT_EQ(info.concurrency, LIGHTNING_PESSIMISTIC);
  EXPECT_FALSE(info.read_only);
  EXPECT_GE(info.age_ms, 0);
  EXPECT_GE(info.idle_ms, 0);
  EXPECT_EQ(info.bytes, lightning_transaction_bytes(teller));
  EXPECT_EQ(info.locks, 2u);
  EXPECT_STREQ(info.waits_for, "");
  EXPECT_EQ(info.snapshot, lightning_transaction_snapshot_sequence(teller));
  lightning_transaction_info second = {};
  OK(lightning_transaction_list_get(list, 1, &second, sizeof second));
  EXPECT_EQ(second.id, lightning_transaction_id(reader));
  EXPECT_STREQ(second.owner, "");
  EXPECT_TRUE(second.read_only);
  EXPECT_EQ(second.isolation, LIGHTNING_READ_COMMITTED);

  OK(lightning_transaction_commit(teller, nullptr));
  lightning_transaction_free(teller);
  lightning_transaction_free(reader);
  EXPECT_STREQ(info.owner, "teller") << "of the list, not of the transaction";
  FAILS(INVALID_ARGUMENT, lightning_transaction_list_get(list, 2, &info, sizeof info));
  FAILS(INVALID_ARGUMENT, lightning_transaction_list_get(list, 0, nullptr, sizeof info));
  FAILS(INVALID_ARGUMENT, lightning_transaction_list_get(list, 0, &info, 8));
  FAILS(INVALID_ARGUMENT, lightning_transaction_list_get(list, 0, &info, ~std::size_t{0}));
  FAILS(INVALID_ARGUMENT, lightning_transaction_list_get(nullptr, 0, &info, sizeof info));
  FAILS(INVALID_ARGUMENT, lightning_list_transactions(db_, nullptr));
  lightning_transaction_list_free(list);
  FAILS(INVALID_ARGUMENT, lightning_list_transactions(nullptr, &list));
  EXPECT_EQ(list, nullptr);
  EXPECT_EQ(lightning_transaction_list_length(nullptr), 0u);
  lightning_transaction_list_free(nullptr);
  EXPECT_EQ(lightning_transaction_bytes(nullptr), 0u);
  EXPECT_EQ(lightning_transaction_operations(nullptr), 0u);
  EXPECT_EQ(lightning_transaction_snapshot_sequence(nullptr), 0u);
}

TEST_F(CApi, ListsSnapshotsWithWhatTheyPin) {
  OK(put("k", "1"));
  lightning_snapshot* snapshot = nullptr;
  OK(lightning_snapshot_create(db_, "a report", &snapshot));
  lightning_transaction* transaction = nullptr;
  OK(put("k", "2"));
  lightning_transaction_options options = LIGHTNING_TRANSACTION_OPTIONS_INIT;
  options.owner = "teller";
  OK(lightning_begin(db_, &options, &transaction));
  OK(put("k", "3"));

  lightning_snapshot_list* list = nullptr;
  OK(lightning_list_snapshots(db_, &list));
  ASSERT_EQ(lightning_snapshot_list_length(list), 2u);
  lightning_snapshot_info info;
  OK(lightning_snapshot_list_get(list, 0, &info, sizeof info));
  EXPECT_EQ(info.sequence, lightning_snapshot_sequence(snapshot));
  EXPECT_STREQ(info.owner, "a report");
  EXPECT_EQ(info.transaction, 0u);
  EXPECT_EQ(info.writes_since, 2u);
  EXPECT_GT(info.pinned_bytes, 0u);
  EXPECT_GE(info.age_ms, 0);
  OK(lightning_snapshot_list_get(list, 1, &info, sizeof info));
  EXPECT_EQ(info.sequence, lightning_transaction_snapshot_sequence(transaction));
  EXPECT_EQ(info.transaction, lightning_transaction_id(transaction));
  EXPECT_EQ(info.writes_since, 1u);
  FAILS(INVALID_ARGUMENT, lightning_snapshot_list_get(list, 2, &info, sizeof info));
  FAILS(INVALID_ARGUMENT, lightning_snapshot_list_get(list, 0, &info, 3));
  FAILS(INVALID_ARGUMENT, lightning_snapshot_list_get(nullptr, 0, &info, sizeof info));
  lightning_snapshot_list_free(list);
  lightning_snapshot_free(snapshot);
  lightning_transaction_free(transaction);
  OK(lightning_list_snapshots(db_, &list));
  EXPECT_EQ(lightning_snapshot_list_length(list), 0u);
  lightning_snapshot_list_free(list);
  FAILS(INVALID_ARGUMENT, lightning_list_snapshots(db_, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_list_snapshots(nullptr, &list));
  EXPECT_EQ(lightning_snapshot_list_length(nullptr), 0u);
  lightning_snapshot_list_free(nullptr);
}

TEST_F(CApi, CommitsAsDurablyAsIsAsked) {
  const auto syncs = [&] {
    lightning_statistics statistics;
    EXPECT_EQ(text_of(lightning_read_statistics(db_, &statistics, sizeof statistics)), "");
    return statistics.wal_syncs;
  };
  const auto commit = [&](int durability, std::uint64_t* sequence) {
    lightning_transaction* transaction = nullptr;
    EXPECT_EQ(text_of(lightning_begin(db_, nullptr, &transaction)), "");
    EXPECT_EQ(text_of(lightning_transaction_put(transaction, nullptr, "k", 1, "v", 1)), "");
    lightning_write_options options = LIGHTNING_WRITE_OPTIONS_INIT;
    options.durability = durability;
    lightning_error* const error = lightning_transaction_commit_with(transaction, &options, sequence);
    lightning_transaction_free(transaction);
    return error;
  };
  std::uint64_t sequence = 0;
  const std::uint64_t before = syncs();
  OK(commit(LIGHTNING_DURABILITY_SYNC, &sequence));
  EXPECT_GT(syncs(), before);
  EXPECT_EQ(sequence, 1u);
  FAILS(INVALID_ARGUMENT, commit(3, &sequence));
  EXPECT_EQ(sequence, 0u);
  OK(commit(LIGHTNING_DURABILITY_ASYNC, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_transaction_commit_with(nullptr, nullptr, nullptr));

  lightning_transaction* transaction = nullptr;
  OK(lightning_begin(db_, nullptr, &transaction));
  OK(lightning_transaction_put(transaction, nullptr, "k", 1, "w", 1));
  lightning_write_options options = LIGHTNING_WRITE_OPTIONS_INIT;
  options.ttl_ms = 1000;
  FAILS(INVALID_ARGUMENT, lightning_transaction_commit_with(transaction, &options, nullptr));
  lightning_transaction_free(transaction);
  EXPECT_EQ(get("k"), "v");
  OK(lightning_begin(db_, nullptr, &transaction));
  OK(lightning_transaction_put(transaction, nullptr, "k", 1, "w", 1));
  OK(lightning_transaction_commit_with(transaction, nullptr, &sequence));
  FAILS(TRANSACTION_ENDED, lightning_transaction_commit_with(transaction, nullptr, &sequence));
  lightning_transaction_free(transaction);
  EXPECT_EQ(get("k"), "w");
}

TEST_F(CApi, AConditionalWriteTellsWhatItFoundAndWhereItStands) {
  const lightning_bytes one = bytes("1"), two = bytes("2");
  bool applied = false;
  void* current = nullptr;
  std::size_t size = 77;
  std::uint64_t sequence = 77;
  const auto exchange = [&](const lightning_bytes* expected, const lightning_bytes* desired) {
    return lightning_compare_and_exchange(db_, nullptr, "k", 1, expected, desired, nullptr, &applied, &current, &size,
                                          &sequence);
  };
  OK(exchange(&one, &two));
  EXPECT_FALSE(applied);
  EXPECT_EQ(current, nullptr) << "absent";
  EXPECT_EQ(size, 0u);
  EXPECT_EQ(sequence, 0u);
  OK(exchange(nullptr, &one));
  EXPECT_TRUE(applied);
  EXPECT_EQ(current, nullptr);
  EXPECT_EQ(sequence, 1u);
  OK(exchange(nullptr, &two));
  EXPECT_FALSE(applied);
  ASSERT_NE(current, nullptr);
  EXPECT_EQ(std::string(static_cast<const char*>(current), size), "1");
  lightning_free(current);
  OK(put("k", ""));
  OK(exchange(&one, &two));
  EXPECT_NE(current, nullptr) << "a value of no bytes is not absent";
  EXPECT_EQ(size, 0u);
  lightning_free(current);
  OK(lightning_compare_and_exchange(db_, nullptr, "k", 1, &one, &two, nullptr, &applied, nullptr, nullptr, nullptr));
  EXPECT_FALSE(applied);
  FAILS(INVALID_ARGUMENT, lightning_compare_and_exchange(db_, nullptr, "k", 1, &one, &two, nullptr, &applied, &current,
                                                         nullptr, nullptr));
  FAILS(INVALID_ARGUMENT,
        lightning_compare_and_exchange(db_, nullptr, "k", 1, &one, &two, nullptr, nullptr, &current, &size, nullptr));
  FAILS(KEY_EMPTY, lightning_compare_and_exchange(db_, nullptr, nullptr, 0, &one, &two, nullptr, &applied, nullptr,
                                                  nullptr, nullptr));
}

}  // namespace
}  // namespace lightning::testing_support
