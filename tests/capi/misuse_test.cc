// What the C API answers to those who use it wrongly: an error, never a crash.
#include <limits>
#include <thread>
#include <vector>

#include "capi/place.h"

namespace lightning::testing_support {
namespace {

constexpr std::size_t kEndless = std::numeric_limits<std::size_t>::max();

TEST_F(CApi, RefusesNullHandlesAndNullResults) {
  void* value = nullptr;
  std::size_t size = 0;
  std::uint64_t number = 0;
  bool flag = false;
  lightning_bytes* names = nullptr;
  lightning_keyspace* keyspace = nullptr;
  lightning_iterator* iterator = nullptr;
  lightning_savepoint savepoint;
  lightning_values* values = nullptr;
  lightning_config* config = nullptr;
  char* text = nullptr;

  lightning_db* opened = nullptr;
  FAILS(INVALID_ARGUMENT, lightning_open(nullptr, nullptr, &opened));
  lightning_db* const none = nullptr;
  FAILS(INVALID_ARGUMENT, lightning_open("x", nullptr, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_close(none));
  FAILS(INVALID_ARGUMENT, lightning_put(none, nullptr, "k", 1, "v", 1, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_erase(none, nullptr, "k", 1, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_put_if_absent(none, nullptr, "k", 1, "v", 1, nullptr, &flag));
  FAILS(INVALID_ARGUMENT, lightning_sync(none));
  FAILS(INVALID_ARGUMENT, lightning_flush(none));
  FAILS(INVALID_ARGUMENT, lightning_write(none, nullptr, nullptr, &number));
  FAILS(INVALID_ARGUMENT, lightning_get(none, nullptr, "k", 1, nullptr, &value, &size));
  FAILS(INVALID_ARGUMENT, lightning_multi_get(none, nullptr, nullptr, 0, nullptr, &values));
  FAILS(INVALID_ARGUMENT, lightning_list_keyspaces(none, &names, &size));
  FAILS(INVALID_ARGUMENT, lightning_create_keyspace(none, "k", 1, nullptr, &keyspace));
  FAILS(INVALID_ARGUMENT, lightning_iterate(none, nullptr, nullptr, &iterator));
  FAILS(INVALID_ARGUMENT, lightning_snapshot_create(none, nullptr, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_begin(none, nullptr, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_check(none, nullptr, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_read_statistics(none, nullptr, 0));
  FAILS(INVALID_ARGUMENT, lightning_count(none, nullptr, &number, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_db_config(none, &config));

  FAILS(INVALID_ARGUMENT, lightning_transaction_put(nullptr, nullptr, "k", 1, "v", 1));
  FAILS(INVALID_ARGUMENT, lightning_transaction_get(nullptr, nullptr, "k", 1, &value, &size));
  FAILS(INVALID_ARGUMENT, lightning_transaction_multi_get(nullptr, nullptr, nullptr, 0, &values));
  FAILS(INVALID_ARGUMENT, lightning_transaction_iterate(nullptr, nullptr, nullptr, &iterator));
  FAILS(INVALID_ARGUMENT, lightning_transaction_set_savepoint(nullptr, &savepoint));
  FAILS(INVALID_ARGUMENT, lightning_transaction_rollback_to(nullptr, &savepoint));
  FAILS(INVALID_ARGUMENT, lightning_transaction_commit(nullptr, &number));
  FAILS(INVALID_ARGUMENT, lightning_transaction_rollback(nullptr));
  EXPECT_EQ(lightning_transaction_get_state(nullptr), LIGHTNING_TRANSACTION_ROLLED_BACK);

  FAILS(INVALID_ARGUMENT, lightning_batch_create(nullptr));
  FAILS(INVALID_ARGUMENT, lightning_batch_put(nullptr, nullptr, "k", 1, "v", 1));
  FAILS(INVALID_ARGUMENT, lightning_batch_erase(nullptr, nullptr, "k", 1));
  EXPECT_EQ(lightning_batch_length(nullptr), 0u);
  lightning_batch_clear(nullptr);

  FAILS(INVALID_ARGUMENT, lightning_config_create(nullptr));
  FAILS(INVALID_ARGUMENT, lightning_config_set(nullptr, "cache_size", "1GiB"));
  FAILS(INVALID_ARGUMENT, lightning_config_get(nullptr, "cache_size", &text));
  FAILS(INVALID_ARGUMENT, lightning_config_from_yaml(nullptr, 3, &config));
  FAILS(INVALID_ARGUMENT, lightning_config_from_file("", &config));
  EXPECT_STREQ(lightning_config_path(nullptr), "");

  FAILS(INVALID_ARGUMENT, lightning_iterator_status(nullptr));
  lightning_iterator_seek_to_first(nullptr);
  lightning_iterator_next(nullptr);
  EXPECT_FALSE(lightning_iterator_valid(nullptr));
  EXPECT_EQ(lightning_iterator_key(nullptr).data, nullptr);
  EXPECT_FALSE(lightning_values_get(nullptr, 0, nullptr));
  EXPECT_EQ(lightning_check_report_finding(nullptr, 0), nullptr);
  EXPECT_EQ(lightning_check_report_tables(nullptr) + lightning_check_report_entries(nullptr), 0u);
  EXPECT_EQ(lightning_check_report_blob_files(nullptr) + lightning_check_report_blob_records(nullptr), 0u);
  EXPECT_EQ(lightning_check_report_not_compared(nullptr), 0u);
  EXPECT_STREQ(lightning_check_report_not_compared_text(nullptr, 0), "");

  lightning_db_free(nullptr);
  lightning_keyspace_free(nullptr);
  lightning_snapshot_free(nullptr);
  lightning_values_free(nullptr);
  lightning_batch_free(nullptr);
  lightning_iterator_free(nullptr);
  lightning_transaction_free(nullptr);
  lightning_check_report_free(nullptr);
  lightning_config_free(nullptr);
  lightning_free(nullptr);
}

TEST_F(CApi, RefusesWrongLengths) {
  void* value = nullptr;
  std::size_t size = 0;
  FAILS(INVALID_ARGUMENT, lightning_put(db_, nullptr, nullptr, 3, "v", 1, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_put(db_, nullptr, "k", 1, nullptr, 3, nullptr));
  FAILS(KEY_EMPTY, lightning_put(db_, nullptr, nullptr, 0, "v", 1, nullptr));
  FAILS(KEY_TOO_LARGE, lightning_put(db_, nullptr, "k", kEndless, "v", 1, nullptr));
  FAILS(VALUE_TOO_LARGE, lightning_put(db_, nullptr, "k", 1, "v", kEndless, nullptr));
  FAILS(KEY_TOO_LARGE, lightning_get(db_, nullptr, "k", kEndless, nullptr, &value, &size));
  FAILS(INVALID_ARGUMENT, lightning_get(db_, nullptr, "k", 1, nullptr, nullptr, &size));
  FAILS(INVALID_ARGUMENT, lightning_get(db_, nullptr, "k", 1, nullptr, &value, nullptr));
  OK(lightning_put(db_, nullptr, "k", 1, nullptr, 0, nullptr));
  EXPECT_EQ(get("k"), "");

  lightning_batch* batch = nullptr;
  OK(lightning_batch_create(&batch));
  FAILS(KEY_TOO_LARGE, lightning_batch_put(batch, nullptr, "k", kEndless, "v", 1));
  FAILS(VALUE_TOO_LARGE, lightning_batch_put(batch, nullptr, "k", 1, "v", kEndless));
  FAILS(KEY_TOO_LARGE, lightning_batch_erase(batch, nullptr, "k", kEndless));
  EXPECT_EQ(lightning_batch_length(batch), 0u);
  lightning_batch_free(batch);

  const lightning_bytes keys[] = {bytes("k"), {"k", kEndless}};
  lightning_values* values = nullptr;
  FAILS(KEY_TOO_LARGE, lightning_multi_get(db_, nullptr, keys, 2, nullptr, &values));
  FAILS(INVALID_ARGUMENT, lightning_multi_get(db_, nullptr, nullptr, 2, nullptr, &values));
  EXPECT_EQ(values, nullptr);
  OK(lightning_multi_get(db_, nullptr, nullptr, 0, nullptr, &values));
  lightning_values_free(values);

  lightning_transaction* transaction = nullptr;
  OK(lightning_begin(db_, nullptr, &transaction));
  FAILS(KEY_TOO_LARGE, lightning_transaction_put(transaction, nullptr, "k", kEndless, "v", 1));
  FAILS(INVALID_ARGUMENT, lightning_transaction_put(transaction, nullptr, "k", 1, nullptr, 2));
  lightning_savepoint never_set = {{77, 99}};
  FAILS(INVALID_ARGUMENT, lightning_transaction_rollback_to(transaction, &never_set));
  lightning_transaction_free(transaction);
}

TEST_F(CApi, AMoveThatFailsInvalidatesTheIteratorUntilTheNextOne) {
  OK(put("k", "v"));
  lightning_iterator* it = nullptr;
  OK(lightning_iterate(db_, nullptr, nullptr, &it));
  lightning_iterator_next(it);  // stands nowhere: stays there
  EXPECT_FALSE(lightning_iterator_valid(it));
  lightning_iterator_seek_to_first(it);
  EXPECT_TRUE(lightning_iterator_valid(it));
  lightning_iterator_seek(it, nullptr, 5);
  EXPECT_FALSE(lightning_iterator_valid(it));
  EXPECT_EQ(lightning_iterator_key(it).data, nullptr);
  FAILS(INVALID_ARGUMENT, lightning_iterator_status(it));
  lightning_iterator_seek(it, nullptr, 0);
  EXPECT_EQ(string_of(lightning_iterator_key(it)), "k");
  lightning_iterator_next(it);
  lightning_iterator_prev(it);
  EXPECT_FALSE(lightning_iterator_valid(it));
  EXPECT_EQ(text_of(lightning_iterator_status(it)), "");
  lightning_iterator_free(it);
}

TEST_F(CApi, RefusesOptionsThatItDoesNotKnow) {
  lightning_write_options options = LIGHTNING_WRITE_OPTIONS_INIT;
  options.durability = 3;
  FAILS(INVALID_ARGUMENT, lightning_put(db_, nullptr, "k", 1, "v", 1, &options));
  options.durability = -1;
  FAILS(INVALID_ARGUMENT, lightning_put(db_, nullptr, "k", 1, "v", 1, &options));
  options = {};  // nobody set the size
  FAILS(INVALID_ARGUMENT, lightning_put(db_, nullptr, "k", 1, "v", 1, &options));
  options.struct_size = kEndless;
  FAILS(INVALID_ARGUMENT, lightning_put(db_, nullptr, "k", 1, "v", 1, &options));

  lightning_statistics statistics;
  FAILS(INVALID_ARGUMENT, lightning_read_statistics(db_, &statistics, 3));
  FAILS(INVALID_ARGUMENT, lightning_read_statistics(db_, &statistics, kEndless));
  lightning_transaction_options begin = LIGHTNING_TRANSACTION_OPTIONS_INIT;
  begin.isolation = 9;
  lightning_transaction* transaction = nullptr;
  FAILS(INVALID_ARGUMENT, lightning_begin(db_, &begin, &transaction));
  FAILS(INVALID_ARGUMENT, lightning_compact_range(db_, nullptr, nullptr, nullptr, 7));
  EXPECT_EQ(get("k"), "-");
}

// A program built against a later version, with one more field in the struct.
struct LaterWriteOptions {
  lightning_write_options known;
  std::uint64_t later = 0;
};

TEST_F(CApi, ServesProgramsOfTheFirstVersionOfItsStructs) {
  lightning_write_options options = LIGHTNING_WRITE_OPTIONS_INIT;
  options.struct_size = offsetof(lightning_write_options, ttl_ms);
  options.ttl_ms = -1;  // beyond what such a program knows
  OK(lightning_put(db_, nullptr, "k", 1, "v", 1, &options));
  EXPECT_EQ(get("k"), "v");
  lightning_statistics statistics = {};
  statistics.merges = 77;
  OK(lightning_read_statistics(db_, &statistics, offsetof(lightning_statistics, merges)));
  EXPECT_EQ(statistics.puts, 1u);
  EXPECT_EQ(statistics.merges, 77u);
}

TEST_F(CApi, TakesOptionsOfALaterVersionIfTheirNewFieldsAskForNothing) {
  LaterWriteOptions options{LIGHTNING_WRITE_OPTIONS_INIT};
  options.known.struct_size = sizeof(options);
  OK(lightning_put(db_, nullptr, "k", 1, "v", 1, &options.known));
  options.later = 1;
  FAILS(INVALID_ARGUMENT, lightning_put(db_, nullptr, "k", 1, "w", 1, &options.known));
  EXPECT_EQ(get("k"), "v");
}

TEST_F(CApi, RefusesHandlesOfAnotherDatabase) {
  lightning_db* other = nullptr;
  const std::string path = path_ + "other";
  std::filesystem::remove_all(path);
  OK(lightning_open(path.c_str(), config_, &other));
  lightning_keyspace *here = nullptr, *there = nullptr;
  OK(lightning_create_keyspace(db_, "k", 1, nullptr, &here));
  OK(lightning_create_keyspace(other, "k", 1, nullptr, &there));
  FAILS(INVALID_ARGUMENT, lightning_put(db_, there, "k", 1, "v", 1, nullptr));
  lightning_batch* batch = nullptr;
  OK(lightning_batch_create(&batch));
  OK(lightning_batch_put(batch, there, "k", 1, "v", 1));
  FAILS(INVALID_ARGUMENT, lightning_batch_put(batch, here, "k", 1, "v", 1));
  FAILS(INVALID_ARGUMENT, lightning_write(db_, batch, nullptr, nullptr));
  OK(lightning_write(other, batch, nullptr, nullptr));
  lightning_snapshot* snapshot = nullptr;
  OK(lightning_snapshot_create(other, nullptr, &snapshot));
  lightning_read_options read = LIGHTNING_READ_OPTIONS_INIT;
  read.snapshot = snapshot;
  void* value = nullptr;
  std::size_t size = 0;
  FAILS(INVALID_ARGUMENT, lightning_get(db_, nullptr, "k", 1, &read, &value, &size));
  lightning_iterate_options iterate = LIGHTNING_ITERATE_OPTIONS_INIT;
  iterate.snapshot = snapshot;
  lightning_iterator* it = nullptr;
  FAILS(INVALID_ARGUMENT, lightning_iterate(db_, nullptr, &iterate, &it));
  lightning_db_free(other);  // before what belongs to it
  FAILS(INVALID_ARGUMENT, lightning_write(db_, batch, nullptr, nullptr));
  lightning_snapshot_free(snapshot);
  lightning_keyspace_free(there);
  lightning_keyspace_free(here);
  FAILS(INVALID_ARGUMENT, lightning_write(db_, batch, nullptr, nullptr));
  lightning_batch_free(batch);
  std::filesystem::remove_all(path);
}

TEST_F(CApi, AnswersClosedAfterClose) {
  lightning_keyspace* keyspace = nullptr;
  OK(lightning_create_keyspace(db_, "k", 1, nullptr, &keyspace));
  OK(lightning_close(db_));
  OK(lightning_close(db_));
  void* value = nullptr;
  std::size_t size = 0;
  std::uint64_t number = 0;
  lightning_statistics statistics;
  lightning_snapshot* snapshot = nullptr;
  lightning_iterator* it = nullptr;
  lightning_transaction* transaction = nullptr;
  lightning_check_report* report = nullptr;
  lightning_bytes* names = nullptr;
  FAILS(CLOSED, put("k", "v"));
  FAILS(CLOSED, lightning_put(db_, keyspace, "k", 1, "v", 1, nullptr));
  FAILS(CLOSED, lightning_get(db_, keyspace, "k", 1, nullptr, &value, &size));
  FAILS(CLOSED, lightning_snapshot_create(db_, nullptr, &snapshot));
  FAILS(CLOSED, lightning_iterate(db_, nullptr, nullptr, &it));
  FAILS(CLOSED, lightning_begin(db_, nullptr, &transaction));
  FAILS(CLOSED, lightning_check(db_, nullptr, &report));
  FAILS(CLOSED, lightning_count(db_, nullptr, &number, nullptr));
  FAILS(CLOSED, lightning_list_keyspaces(db_, &names, &size));
  FAILS(CLOSED, lightning_read_statistics(db_, &statistics, sizeof statistics));
  FAILS(CLOSED, lightning_flush(db_));
  EXPECT_EQ(lightning_db_path(db_), path_);
  lightning_keyspace_free(keyspace);
}

TEST_F(CApi, DoesNotCloseUnderLiveHandles) {
  OK(put("k", "v"));
  lightning_iterator* it = nullptr;
  OK(lightning_iterate(db_, nullptr, nullptr, &it));
  FAILS(BUSY, lightning_close(db_));
  EXPECT_EQ(walk(it), "k=v ");
  lightning_iterator_free(it);
  OK(lightning_close(db_));
}

TEST_F(CApi, TakesHandlesInAnyOrderOfFreeing) {
  OK(put("k", "v"));
  lightning_iterator* it = nullptr;
  lightning_transaction* transaction = nullptr;
  lightning_snapshot* snapshot = nullptr;
  OK(lightning_snapshot_create(db_, nullptr, &snapshot));
  OK(lightning_begin(db_, nullptr, &transaction));
  OK(lightning_transaction_put(transaction, nullptr, "k", 1, "w", 1));
  OK(lightning_transaction_iterate(transaction, nullptr, nullptr, &it));
  lightning_db_free(db_);
  db_ = nullptr;
  EXPECT_EQ(walk(it), "k=w ");
  lightning_transaction_free(transaction);
  lightning_iterator_seek_to_first(it);
  FAILS(TRANSACTION_ENDED, lightning_iterator_status(it));
  lightning_snapshot_free(snapshot);
  FAILS(LOCK_HELD, lightning_open(path_.c_str(), config_, &db_));  // the iterator still has it open
  lightning_iterator_free(it);
  OK(lightning_open(path_.c_str(), config_, &db_));
  EXPECT_EQ(get("k"), "v");
}

TEST_F(CApi, OneHandleServesManyThreads) {
  lightning_keyspace* keyspace = nullptr;
  OK(lightning_create_keyspace(db_, "shared", 6, nullptr, &keyspace));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const std::string key = std::to_string(t) + ":" + std::to_string(i);
        EXPECT_EQ(text_of(lightning_put(db_, keyspace, key.data(), key.size(), "v", 1, nullptr)), "");
        EXPECT_EQ(get(key, keyspace), "v");
        lightning_snapshot* snapshot = nullptr;
        EXPECT_EQ(text_of(lightning_snapshot_create(db_, nullptr, &snapshot)), "");
        lightning_snapshot_free(snapshot);
      }
    });
  for (std::thread& thread : threads) thread.join();
  lightning_iterator* it = nullptr;
  OK(lightning_iterate(db_, keyspace, nullptr, &it));
  int records = 0;
  for (lightning_iterator_seek_to_first(it); lightning_iterator_valid(it); lightning_iterator_next(it)) ++records;
  EXPECT_EQ(records, 800);
  lightning_iterator_free(it);
  lightning_keyspace_free(keyspace);
  OK(lightning_close(db_));
}

TEST_F(CApi, OpeningSaysWhatIsWrong) {
  lightning_db* db = nullptr;
  lightning_error* const error = lightning_open_read_only((path_ + "nowhere").c_str(), nullptr, &db);
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_DATABASE_NOT_FOUND);
  EXPECT_NE(std::string(lightning_error_text(error)).find("nowhere"), std::string::npos);
  EXPECT_EQ(db, nullptr);
  lightning_error_free(error);
}

}  // namespace
}  // namespace lightning::testing_support
