// What the C API does when it is used as it should be.
#include "capi/place.h"

namespace lightning::testing_support {
namespace {

TEST_F(CApi, KeepsWhatIsPutOverAReopening) {
  OK(put("a", "1"));
  OK(put("empty", ""));
  OK(put(std::string_view("z\0z", 3), std::string_view("\0", 1)));
  OK(lightning_erase(db_, nullptr, "absent", 6, nullptr));
  OK(lightning_close(db_));
  lightning_db_free(db_);
  db_ = nullptr;
  OK(lightning_open_read_only(path_.c_str(), config_, &db_));
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get("empty"), "");
  EXPECT_EQ(get("nothing"), "-");
  EXPECT_EQ(get(std::string_view("z\0z", 3)), std::string(1, '\0'));
  FAILS(READ_ONLY_DATABASE, put("b", "2"));
  EXPECT_EQ(lightning_db_path(db_), path_);
}

TEST_F(CApi, WritesABatchAcrossKeyspacesAsOne) {
  lightning_keyspace* other = nullptr;
  OK(lightning_create_keyspace(db_, "other", 5, nullptr, &other));
  lightning_batch* batch = nullptr;
  OK(lightning_batch_create(&batch));
  OK(lightning_batch_put(batch, nullptr, "a", 1, "1", 1));
  OK(lightning_batch_put(batch, other, "a", 1, "2", 1));
  OK(lightning_batch_put(batch, other, "b", 1, "3", 1));
  OK(lightning_batch_erase(batch, other, "b", 1));
  EXPECT_EQ(lightning_batch_length(batch), 4u);
  lightning_write_options sync = LIGHTNING_WRITE_OPTIONS_INIT;
  sync.durability = LIGHTNING_DURABILITY_SYNC;
  std::uint64_t sequence = 0;
  OK(lightning_write(db_, batch, &sync, &sequence));
  EXPECT_GE(sequence, 4u);
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get("a", other), "2");
  EXPECT_EQ(get("b", other), "-");
  lightning_batch_clear(batch);
  EXPECT_EQ(lightning_batch_length(batch), 0u);
  lightning_batch_free(batch);
  lightning_keyspace_free(other);
}

std::string number(std::int64_t value) { return {reinterpret_cast<const char*>(&value), sizeof(value)}; }

TEST_F(CApi, WritesAndReadsValuesInPieces) {
  const std::string piece(700'000, 'p');
  lightning_value_writer* writer = nullptr;
  OK(lightning_put_stream(db_, nullptr, "film", 4, &writer));
  for (int i = 0; i < 5; ++i) OK(lightning_value_writer_append(writer, piece.data(), piece.size()));
  OK(lightning_value_writer_append(writer, "end", 3));
  EXPECT_EQ(get("film"), "-");
  FAILS(BUSY, lightning_close(db_));
  OK(lightning_value_writer_commit(writer, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_value_writer_commit(writer, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_value_writer_append(writer, "x", 1));
  lightning_value_writer_free(writer);

  lightning_value_reader* reader = nullptr;
  OK(lightning_get_stream(db_, nullptr, "film", 4, nullptr, &reader));
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(lightning_value_reader_size(reader), 5 * piece.size() + 3);
  char into[5];
  OK(lightning_value_reader_read(reader, 5 * piece.size() - 2, into, 5));
  EXPECT_EQ(std::string(into, 5), "ppend");
  FAILS(INVALID_ARGUMENT, lightning_value_reader_read(reader, 5 * piece.size(), into, 5));
  FAILS(INVALID_ARGUMENT, lightning_value_reader_read(reader, 0, nullptr, 5));
  FAILS(BUSY, lightning_close(db_));
  lightning_value_reader_free(reader);

  lightning_statistics statistics;
  OK(lightning_read_statistics(db_, &statistics, sizeof(statistics)));
  EXPECT_EQ(statistics.blob_files, 1u);
  EXPECT_GT(statistics.blob_bytes, 0u);
  EXPECT_EQ(statistics.blob_garbage_bytes, 0u);
  EXPECT_EQ(statistics.damaged_blob_files, 0u);
  lightning_check_report* report = nullptr;
  OK(lightning_check(db_, nullptr, &report));
  EXPECT_EQ(lightning_check_report_blob_files(report), 1u);
  EXPECT_EQ(lightning_check_report_blob_records(report), 1u);
  lightning_check_report_free(report);

  OK(lightning_put_stream(db_, nullptr, "film", 4, &writer));
  OK(lightning_value_writer_append(writer, piece.data(), piece.size()));
  lightning_value_writer_free(writer);
  EXPECT_EQ(get("film").size(), 5 * piece.size() + 3) << "nothing was committed";
  OK(lightning_get_stream(db_, nullptr, "none", 4, nullptr, &reader));
  EXPECT_EQ(reader, nullptr);
  FAILS(INVALID_ARGUMENT, lightning_put_stream(db_, nullptr, "k", 1, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_value_writer_append(nullptr, "x", 1));
  lightning_value_writer_free(nullptr);
  lightning_value_reader_free(nullptr);
}

TEST_F(CApi, MergesAloneInBatchesAndInTransactions) {
  lightning_keyspace_options options = LIGHTNING_KEYSPACE_OPTIONS_INIT;
  options.merge_operator = "add";
  lightning_keyspace* hits = nullptr;
  OK(lightning_create_keyspace(db_, "hits", 4, &options, &hits));
  const std::string five = number(5);
  OK(lightning_merge(db_, hits, "k", 1, five.data(), five.size(), nullptr));
  lightning_batch* batch = nullptr;
  OK(lightning_batch_create(&batch));
  OK(lightning_batch_merge(batch, hits, "k", 1, five.data(), five.size()));
  OK(lightning_batch_merge(batch, hits, "k", 1, five.data(), five.size()));
  OK(lightning_write(db_, batch, nullptr, nullptr));
  lightning_batch_free(batch);
  lightning_transaction* transaction = nullptr;
  OK(lightning_begin(db_, nullptr, &transaction));
  OK(lightning_transaction_merge(transaction, hits, "k", 1, five.data(), five.size()));
  OK(lightning_transaction_commit(transaction, nullptr));
  lightning_transaction_free(transaction);
  EXPECT_EQ(get("k", hits), number(20));
  FAILS(INVALID_ARGUMENT, lightning_merge(db_, hits, "k", 1, "five", 4, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_merge(db_, nullptr, "k", 1, five.data(), five.size(), nullptr));
  EXPECT_EQ(get("k", hits), number(20));
  lightning_statistics statistics;
  OK(lightning_read_statistics(db_, &statistics, sizeof(statistics)));
  EXPECT_EQ(statistics.merges, 4u);
  lightning_keyspace_free(hits);
}

TEST_F(CApi, GivesRecordsALifetime) {
  constexpr std::int64_t kFar = 253'402'300'799'999;
  lightning_write_options options = LIGHTNING_WRITE_OPTIONS_INIT;
  options.expires_at_ms = kFar;
  OK(lightning_put(db_, nullptr, "far", 3, "1", 1, &options));
  options.expires_at_ms = 1000;
  OK(lightning_put(db_, nullptr, "gone", 4, "1", 1, &options));
  options.ttl_ms = 1000;
  FAILS(INVALID_ARGUMENT, lightning_put(db_, nullptr, "k", 1, "1", 1, &options));
  options.expires_at_ms = 0;
  FAILS(INVALID_ARGUMENT, lightning_erase(db_, nullptr, "far", 3, &options));
  options.ttl_ms = -1;
  FAILS(INVALID_ARGUMENT, lightning_put(db_, nullptr, "k", 1, "1", 1, &options));
  lightning_batch* batch = nullptr;
  OK(lightning_batch_create(&batch));
  OK(lightning_batch_put_expiring(batch, nullptr, "batch", 5, "1", 1, 0, kFar));
  OK(lightning_batch_put(batch, nullptr, "ever", 4, "1", 1));
  OK(lightning_write(db_, batch, nullptr, nullptr));
  lightning_batch_free(batch);
  lightning_transaction* transaction = nullptr;
  OK(lightning_begin(db_, nullptr, &transaction));
  OK(lightning_transaction_put_expiring(transaction, nullptr, "hour", 4, "1", 1, 3'600'000, 0));
  OK(lightning_transaction_commit(transaction, nullptr));
  lightning_transaction_free(transaction);

  const auto expires_at = [&](std::string_view key) {
    std::int64_t moment = -1;
    EXPECT_EQ(text_of(lightning_expires_at(db_, nullptr, key.data(), key.size(), nullptr, &moment)), "");
    return moment;
  };
  EXPECT_EQ(expires_at("far"), kFar);
  EXPECT_EQ(expires_at("batch"), kFar);
  EXPECT_EQ(expires_at("ever"), LIGHTNING_NEVER_EXPIRES);
  EXPECT_EQ(expires_at("gone"), 0);
  EXPECT_GT(expires_at("hour"), 3'600'000);
  EXPECT_LT(expires_at("hour"), kFar);
  EXPECT_EQ(get("far"), "1");
  EXPECT_EQ(get("gone"), "-");
  lightning_iterator* iterator = nullptr;
  OK(lightning_iterate(db_, nullptr, nullptr, &iterator));
  EXPECT_EQ(lightning_iterator_expires_at(iterator), 0);
  lightning_iterator_seek(iterator, "ever", 4);
  EXPECT_EQ(lightning_iterator_expires_at(iterator), LIGHTNING_NEVER_EXPIRES);
  lightning_iterator_next(iterator);
  EXPECT_EQ(lightning_iterator_expires_at(iterator), kFar);
  lightning_iterator_free(iterator);

  OK(lightning_flush(db_));
  lightning_statistics statistics;
  OK(lightning_read_statistics(db_, &statistics, sizeof(statistics)));
  EXPECT_GT(statistics.expiring_bytes, 0u);
}

TEST_F(CApi, ListsAndDropsKeyspacesAndTellsTheirOptions) {
  lightning_keyspace_options options = LIGHTNING_KEYSPACE_OPTIONS_INIT;
  options.merge_operator = "add";
  options.counted = true;
  lightning_keyspace* hits = nullptr;
  OK(lightning_create_keyspace(db_, "hits", 4, &options, &hits));
  lightning_keyspace_options read = LIGHTNING_KEYSPACE_OPTIONS_INIT;
  OK(lightning_keyspace_read_options(hits, &read));
  EXPECT_STREQ(read.merge_operator, "add");
  EXPECT_TRUE(read.counted);
  EXPECT_EQ(string_of(lightning_keyspace_name(hits)), "hits");
  EXPECT_EQ(string_of(lightning_keyspace_name(nullptr)), "default");

  lightning_bytes* names = nullptr;
  std::size_t count = 0;
  OK(lightning_list_keyspaces(db_, &names, &count));
  ASSERT_EQ(count, 2u);
  EXPECT_EQ(string_of(names[0]) + "," + string_of(names[1]), "default,hits");
  lightning_free(names);

  OK(lightning_put(db_, hits, "k", 1, "12345678", 8, nullptr));
  std::uint64_t records = 0;
  bool exact = false;
  OK(lightning_count(db_, hits, &records, &exact));
  EXPECT_EQ(records, 1u);
  EXPECT_TRUE(exact);
  lightning_keyspace* again = nullptr;
  FAILS(KEYSPACE_EXISTS, lightning_create_keyspace(db_, "hits", 4, nullptr, &again));
  EXPECT_EQ(again, nullptr);
  FAILS(CONFIG_INVALID, lightning_get_or_create_keyspace(db_, "hits", 4, nullptr, &again));
  OK(lightning_get_keyspace(db_, "hits", 4, &again));
  lightning_keyspace_free(again);
  OK(lightning_drop_keyspace(db_, "hits", 4));
  FAILS(KEYSPACE_NOT_FOUND, lightning_put(db_, hits, "k", 1, "v", 1, nullptr));
  lightning_keyspace_free(hits);
}

TEST_F(CApi, ReadsManyKeysOfOneMoment) {
  OK(put("a", "1"));
  OK(put("c", ""));
  const lightning_bytes keys[] = {bytes("a"), bytes("b"), bytes("c")};
  lightning_values* values = nullptr;
  OK(lightning_multi_get(db_, nullptr, keys, 3, nullptr, &values));
  OK(put("a", "new"));
  lightning_bytes value;
  EXPECT_EQ(lightning_values_count(values), 3u);
  EXPECT_TRUE(lightning_values_get(values, 0, &value));
  EXPECT_EQ(string_of(value), "1");
  EXPECT_FALSE(lightning_values_get(values, 1, &value));
  EXPECT_TRUE(lightning_values_get(values, 2, &value));
  EXPECT_EQ(value.size, 0u);
  EXPECT_NE(value.data, nullptr);
  EXPECT_FALSE(lightning_values_get(values, 3, &value));
  lightning_values_free(values);
}

TEST_F(CApi, ErasesRangesAloneInBatchesAndInTransactions) {
  const auto all = [&] {
    lightning_iterator* it = nullptr;
    EXPECT_EQ(lightning_iterate(db_, nullptr, nullptr, &it), nullptr);
    std::string seen = walk(it);
    lightning_iterator_free(it);
    return seen;
  };
  for (const char* key : {"a", "b", "c", "d", "e", "f", "g"}) OK(put(key, "1"));
  const lightning_bytes b = bytes("b"), c = bytes("c"), d = bytes("d"), f = bytes("f");
  OK(lightning_erase_range(db_, nullptr, &b, &c, nullptr));
  EXPECT_EQ(all(), "a=1 c=1 d=1 e=1 f=1 g=1 ");
  FAILS(INVERTED_RANGE, lightning_erase_range(db_, nullptr, &c, &b, nullptr));
  lightning_batch* batch = nullptr;
  OK(lightning_batch_create(&batch));
  OK(lightning_batch_erase_range(batch, nullptr, nullptr, &b));
  OK(lightning_batch_put(batch, nullptr, "b", 1, "2", 1));
  EXPECT_EQ(lightning_batch_length(batch), 2u);
  OK(lightning_write(db_, batch, nullptr, nullptr));
  lightning_batch_free(batch);
  EXPECT_EQ(all(), "b=2 c=1 d=1 e=1 f=1 g=1 ");
  lightning_transaction* transaction = nullptr;
  OK(lightning_begin(db_, nullptr, &transaction));
  OK(lightning_transaction_erase_range(transaction, nullptr, &d, &f));
  OK(lightning_transaction_commit(transaction, nullptr));
  lightning_transaction_free(transaction);
  EXPECT_EQ(all(), "b=2 c=1 f=1 g=1 ");
  OK(lightning_erase_range(db_, nullptr, nullptr, nullptr, nullptr));
  EXPECT_EQ(all(), "");

  OK(put("a", "1"));
  OK(lightning_erase(db_, nullptr, "a", 1, nullptr));
  lightning_iterator* it = nullptr;
  OK(lightning_iterate(db_, nullptr, nullptr, &it));
  lightning_iterator_seek_to_first(it);
  const std::uint64_t passed = lightning_iterator_tombstones_passed(it);
  EXPECT_GE(passed, 1u);
  EXPECT_EQ(lightning_iterator_tombstones_passed(nullptr), 0u);
  lightning_iterator_free(it);
  lightning_statistics statistics;
  OK(lightning_read_statistics(db_, &statistics, sizeof(statistics)));
  EXPECT_GE(statistics.tombstones_passed, passed);
  EXPECT_EQ(statistics.range_erases, 4u);
  EXPECT_EQ(statistics.tables_erased, 0u);
}

TEST_F(CApi, ErasesRangesOfACountedKeyspaceKeyByKey) {
  lightning_keyspace_options options = LIGHTNING_KEYSPACE_OPTIONS_INIT;
  options.counted = true;
  lightning_keyspace* hits = nullptr;
  OK(lightning_create_keyspace(db_, "hits", 4, &options, &hits));
  for (const char* key : {"a", "b", "c", "d"}) OK(lightning_put(db_, hits, key, 1, "1", 1, nullptr));
  const auto records = [&] {
    std::uint64_t count = 0;
    bool exact = false;
    EXPECT_EQ(lightning_count(db_, hits, &count, &exact), nullptr);
    EXPECT_TRUE(exact);
    return count;
  };
  const lightning_bytes b = bytes("b"), c = bytes("c");
  OK(lightning_erase_range(db_, hits, &b, &c, nullptr));
  EXPECT_EQ(records(), 3u);
  lightning_batch* batch = nullptr;
  OK(lightning_batch_create(&batch));
  OK(lightning_batch_erase_range(batch, hits, nullptr, nullptr));
  FAILS(NOT_SUPPORTED, lightning_write(db_, batch, nullptr, nullptr));
  lightning_batch_free(batch);
  EXPECT_EQ(records(), 3u);
  lightning_transaction* transaction = nullptr;
  OK(lightning_begin(db_, nullptr, &transaction));
  OK(lightning_transaction_erase_range(transaction, hits, &c, nullptr));
  OK(lightning_transaction_commit(transaction, nullptr));
  lightning_transaction_free(transaction);
  EXPECT_EQ(records(), 1u);
  lightning_keyspace_free(hits);
}

TEST_F(CApi, SnapshotsAndIteratorsSeeOneMoment) {
  for (const char* key : {"a", "b", "c", "d"}) OK(put(key, "old"));
  lightning_snapshot* snapshot = nullptr;
  OK(lightning_snapshot_create(db_, "a test", &snapshot));
  EXPECT_GE(lightning_snapshot_sequence(snapshot), 4u);
  OK(put("b", "new"));
  OK(lightning_flush(db_));
  lightning_read_options read = LIGHTNING_READ_OPTIONS_INIT;
  read.snapshot = snapshot;
  EXPECT_EQ(get("b", nullptr, &read), "old");
  EXPECT_EQ(get("b"), "new");

  lightning_iterate_options options = LIGHTNING_ITERATE_OPTIONS_INIT;
  options.snapshot = snapshot;
  options.lower_bound = bytes("b");
  options.upper_bound = bytes("d");
  lightning_iterator* it = nullptr;
  OK(lightning_iterate(db_, nullptr, &options, &it));
  EXPECT_FALSE(lightning_iterator_valid(it));
  EXPECT_EQ(walk(it), "b=old c=old ");
  EXPECT_EQ(walk(it, false), "c=old b=old ");
  lightning_iterator_seek(it, "bb", 2);
  EXPECT_EQ(string_of(lightning_iterator_key(it)), "c");
  lightning_iterator_seek_for_prev(it, "bb", 2);
  EXPECT_EQ(string_of(lightning_iterator_key(it)), "b");
  lightning_iterator_free(it);
  lightning_snapshot_free(snapshot);

  options = LIGHTNING_ITERATE_OPTIONS_INIT;
  options.prefix = bytes("b");
  OK(lightning_iterate(db_, nullptr, &options, &it));
  EXPECT_EQ(walk(it), "b=new ");
  lightning_iterator_free(it);
}

TEST_F(CApi, WritesOnConditions) {
  bool applied = false;
  OK(lightning_put_if_absent(db_, nullptr, "k", 1, "1", 1, nullptr, &applied));
  EXPECT_TRUE(applied);
  OK(lightning_put_if_absent(db_, nullptr, "k", 1, "2", 1, nullptr, &applied));
  EXPECT_FALSE(applied);
  const lightning_bytes one = bytes("1"), two = bytes("2");
  OK(lightning_compare_and_set(db_, nullptr, "k", 1, &two, &one, nullptr, &applied));
  EXPECT_FALSE(applied);
  OK(lightning_compare_and_set(db_, nullptr, "k", 1, &one, &two, nullptr, &applied));
  EXPECT_TRUE(applied);
  EXPECT_EQ(get("k"), "2");
  OK(lightning_compare_and_set(db_, nullptr, "k", 1, &two, nullptr, nullptr, &applied));
  EXPECT_EQ(get("k"), "-");
}

TEST_F(CApi, TransactionsCommitRollBackAndReturnToSavepoints) {
  lightning_transaction_options options = LIGHTNING_TRANSACTION_OPTIONS_INIT;
  options.isolation = LIGHTNING_SERIALIZABLE;
  options.concurrency = LIGHTNING_PESSIMISTIC;
  options.owner = "teller";
  options.lock_timeout_ms = 0;
  lightning_transaction* transaction = nullptr;
  OK(lightning_begin(db_, &options, &transaction));
  EXPECT_GT(lightning_transaction_id(transaction), 0u);
  OK(lightning_transaction_put(transaction, nullptr, "a", 1, "1", 1));
  lightning_savepoint savepoint;
  OK(lightning_transaction_set_savepoint(transaction, &savepoint));
  OK(lightning_transaction_put(transaction, nullptr, "b", 1, "2", 1));
  const lightning_bytes keys[] = {bytes("b"), bytes("c")};
  lightning_values* values = nullptr;
  OK(lightning_transaction_multi_get(transaction, nullptr, keys, 2, &values));
  lightning_bytes held;
  EXPECT_EQ(lightning_values_count(values), 2u);
  EXPECT_TRUE(lightning_values_get(values, 0, &held));
  EXPECT_EQ(string_of(held), "2");
  EXPECT_FALSE(lightning_values_get(values, 1, &held));
  EXPECT_FALSE(lightning_values_get(values, 2, &held));
  lightning_values_free(values);
  lightning_iterator* it = nullptr;
  OK(lightning_transaction_iterate(transaction, nullptr, nullptr, &it));
  EXPECT_EQ(walk(it), "a=1 b=2 ");
  lightning_iterator_free(it);
  OK(lightning_transaction_rollback_to(transaction, &savepoint));
  void* value = nullptr;
  std::size_t size = 0;
  OK(lightning_transaction_get(transaction, nullptr, "b", 1, &value, &size));
  EXPECT_EQ(value, nullptr);
  OK(lightning_transaction_get_for_update(transaction, nullptr, "a", 1, &value, &size));
  EXPECT_EQ(std::string(static_cast<char*>(value), size), "1");
  lightning_free(value);

  lightning_transaction* other = nullptr;  // waits for nothing, and finds the key locked
  OK(lightning_begin(db_, &options, &other));
  FAILS(LOCK_TIMEOUT, lightning_transaction_put(other, nullptr, "a", 1, "x", 1));
  OK(lightning_transaction_rollback(other));
  EXPECT_EQ(lightning_transaction_get_state(other), LIGHTNING_TRANSACTION_ROLLED_BACK);
  lightning_transaction_free(other);

  EXPECT_EQ(get("a"), "-");
  std::uint64_t sequence = 0;
  OK(lightning_transaction_commit(transaction, &sequence));
  EXPECT_GT(sequence, 0u);
  EXPECT_EQ(lightning_transaction_get_state(transaction), LIGHTNING_TRANSACTION_COMMITTED);
  FAILS(TRANSACTION_ENDED, lightning_transaction_erase(transaction, nullptr, "a", 1));
  FAILS(TRANSACTION_ENDED, lightning_transaction_commit(transaction, nullptr));
  lightning_transaction_free(transaction);
  EXPECT_EQ(get("a"), "1");
}

TEST_F(CApi, OfTwoOptimisticTransactionsTheSecondMeetsAConflict) {
  lightning_transaction *first = nullptr, *second = nullptr;
  OK(lightning_begin(db_, nullptr, &first));
  OK(lightning_begin(db_, nullptr, &second));
  OK(lightning_transaction_put(first, nullptr, "k", 1, "1", 1));
  OK(lightning_transaction_put(second, nullptr, "k", 1, "2", 1));
  OK(lightning_transaction_commit(first, nullptr));
  lightning_error* const error = lightning_transaction_commit(second, nullptr);
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_CONFLICT);
  EXPECT_EQ(lightning_error_category(error), LIGHTNING_CATEGORY_RETRYABLE);
  EXPECT_EQ(lightning_error_outcome(error), LIGHTNING_NOT_APPLIED);
  lightning_error_free(error);
  lightning_transaction_free(first);
  lightning_transaction_free(second);
  EXPECT_EQ(get("k"), "1");
}

TEST_F(CApi, FlushesCompactsChecksAndCounts) {
  for (int i = 0; i < 100; ++i) OK(put("key" + std::to_string(i), std::string(1000, 'v')));
  OK(lightning_flush(db_));
  OK(lightning_compact_range(db_, nullptr, nullptr, nullptr, LIGHTNING_BOTTOM_REWRITE));
  OK(lightning_wait_for_background_work(db_));
  OK(lightning_sync(db_));
  std::uint64_t stored = 0;
  OK(lightning_approximate_size(db_, nullptr, nullptr, nullptr, &stored));
  EXPECT_GT(stored, 0u);

  std::uint64_t calls = 0;
  lightning_check_options options = LIGHTNING_CHECK_OPTIONS_INIT;
  options.context = &calls;
  options.progress = [](void* context, std::uint64_t, std::uint64_t) {
    return ++*static_cast<std::uint64_t*>(context) > 0;
  };
  lightning_check_report* report = nullptr;
  OK(lightning_check(db_, &options, &report));
  EXPECT_EQ(lightning_check_report_findings(report), 0u);
  EXPECT_EQ(lightning_check_report_finding(report, 0), nullptr);
  EXPECT_GT(lightning_check_report_blocks(report), 0u);
  EXPECT_GT(lightning_check_report_bytes(report), 0u);
  EXPECT_EQ(lightning_check_report_tables(report), 1u);
  EXPECT_EQ(lightning_check_report_entries(report), 100u);
  EXPECT_EQ(lightning_check_report_blob_files(report), 0u);
  EXPECT_EQ(lightning_check_report_blob_records(report), 0u);
  EXPECT_EQ(lightning_check_report_not_compared(report), 0u);
  EXPECT_GT(calls, 0u);
  lightning_check_report_free(report);
  options.progress = [](void*, std::uint64_t, std::uint64_t) { return false; };
  FAILS(CANCELLED, lightning_check(db_, &options, &report));
  options.progress = [](void*, std::uint64_t, std::uint64_t) -> bool { throw 7; };
  FAILS(CANCELLED, lightning_check(db_, &options, &report));
  EXPECT_EQ(report, nullptr);

  lightning_statistics statistics;
  OK(lightning_read_statistics(db_, &statistics, sizeof statistics));
  EXPECT_EQ(statistics.puts, 100u);
  EXPECT_GE(statistics.flushes, 1u);
  EXPECT_GT(statistics.bytes_on_disk, 0u);
  EXPECT_EQ(statistics.last_sequence, 100u);
}

TEST_F(CApi, ConfiguresByNameAndByYaml) {
  lightning_config* config = nullptr;
  const std::string yaml = "cache_size: 300MiB\nwal_sync_mode: sync\n";
  OK(lightning_config_from_yaml(yaml.data(), yaml.size(), &config));
  OK(lightning_config_set(config, "block_bytes", "32KiB"));
  char* value = nullptr;
  OK(lightning_config_get(config, "cache_size", &value));
  EXPECT_STREQ(value, "300MiB");
  lightning_free(value);
  OK(lightning_config_get(config, "block_bytes", &value));
  EXPECT_STREQ(value, "32KiB");
  lightning_free(value);
  EXPECT_STREQ(lightning_config_path(config), "");

  lightning_error* error = lightning_config_set(config, "cahce_size", "1GiB");
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_CONFIG_INVALID);
  EXPECT_NE(std::string(lightning_error_advice(error)).find("cache_size"), std::string::npos);
  lightning_error_free(error);
  FAILS(CONFIG_INVALID, lightning_config_set(config, "block_bytes", "1"));
  FAILS(CONFIG_INVALID, lightning_config_set(config, "block_bytes", "many"));
  OK(lightning_config_set(config, "memtable_bytes", "1GiB"));  // too much for this cache_size: seen when opening
  lightning_db* db = nullptr;
  FAILS(CONFIG_INVALID, lightning_open((path_ + "x").c_str(), config, &db));
  EXPECT_EQ(db, nullptr);
  lightning_config_free(config);

  FAILS(CONFIG_INVALID, lightning_config_preset("fast", &config));
  FAILS(CONFIG_INVALID, lightning_config_from_yaml("x: 1", 4, &config));
  OK(lightning_db_config(db_, &config));
  OK(lightning_config_get(config, "cache_size", &value));
  EXPECT_STRNE(value, "auto");
  lightning_free(value);
  lightning_config_free(config);
}

TEST_F(CApi, GivesStatisticsAsJson) {
  OK(put("k", "v"));
  char* text = nullptr;
  OK(lightning_statistics_json(db_, &text));
  const std::string json = text;
  lightning_free(text);
  EXPECT_EQ(json.substr(0, 9), "{\"gets\":0");
  for (const char* part : {"\"puts\":1,", "\"transactions\":{\"begun\":0,", "\"keyspaces\":[{\"name\":\"default\",",
                           "\"put_latency\":{\"count\":", "\"damaged_tables\":[]", "\"loss_window\":{\"bytes\":"})
    EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
  FAILS(INVALID_ARGUMENT, lightning_statistics_json(db_, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_statistics_json(nullptr, &text));
  EXPECT_EQ(text, nullptr);
  EXPECT_EQ(json.back(), '}');
}

TEST_F(CApi, LooksIntoFiles) {
  OK(put("key", "v"));
  OK(lightning_flush(db_));
  std::string table;
  for (const auto& file : std::filesystem::recursive_directory_iterator(path_))
    if (file.path().extension() == ".sst") table = file.path();
  std::string facts;
  const auto collect = [](void* all, const char* fact) {
    static_cast<std::string*>(all)->append(fact).append("\n");
    return true;
  };
  OK(lightning_inspect_file(LIGHTNING_FILE_TABLE, table.c_str(), true, collect, &facts));
  EXPECT_EQ(facts.substr(0, 9), "{\"fact\":\"");
  EXPECT_NE(facts.find("\"key\":\"key\""), std::string::npos) << facts;
  int calls = 0;
  const auto once = [](void* count, const char*) { return ++*static_cast<int*>(count) < 1; };
  OK(lightning_inspect_file(LIGHTNING_FILE_TABLE, table.c_str(), true, once, &calls));
  EXPECT_EQ(calls, 1);
  const auto throws = [](void*, const char*) -> bool { throw 7; };
  OK(lightning_inspect_file(LIGHTNING_FILE_TABLE, table.c_str(), true, throws, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_inspect_file(4, table.c_str(), true, collect, &facts));
  FAILS(INVALID_ARGUMENT, lightning_inspect_file(LIGHTNING_FILE_TABLE, nullptr, true, collect, &facts));
  FAILS(INVALID_ARGUMENT, lightning_inspect_file(LIGHTNING_FILE_TABLE, table.c_str(), true, nullptr, nullptr));
}

TEST_F(CApi, TellsWhereAPrefixEnds) {
  void* end = nullptr;
  std::size_t size = 0;
  OK(lightning_prefix_end("a\xff", 2, &end, &size));
  ASSERT_NE(end, nullptr);
  for (const char* key : {"a", "a\xff", "a\xff\xff", "b"}) OK(put(key, "v"));
  const lightning_bytes start = bytes("a\xff"), behind = {end, size};
  OK(lightning_erase_range(db_, nullptr, &start, &behind, nullptr));
  lightning_free(end);
  EXPECT_EQ(get("a") + get("a\xff") + get("a\xff\xff") + get("b"), "v--v");
  OK(lightning_prefix_end("\xff", 1, &end, &size));
  EXPECT_EQ(end, nullptr);
  OK(lightning_prefix_end(nullptr, 0, &end, &size));
  EXPECT_EQ(end, nullptr);
  FAILS(INVALID_ARGUMENT, lightning_prefix_end(nullptr, 1, &end, &size));
  FAILS(INVALID_ARGUMENT, lightning_prefix_end("a", 1, nullptr, &size));
}

TEST_F(CApi, APoolBoundsWhoWorks) {
  lightning_pool_options options = LIGHTNING_POOL_OPTIONS_INIT;
  options.sessions = 1;
  options.acquire_timeout_ms = 0;
  lightning_pool* pool = nullptr;
  OK(lightning_pool_create(db_, &options, &pool));
  lightning_session *first = nullptr, *second = nullptr;
  OK(lightning_pool_acquire(pool, -1, &first));
  FAILS(BUSY, lightning_pool_acquire(pool, -1, &second));
  EXPECT_EQ(second, nullptr);
  lightning_pool_statistics statistics;
  OK(lightning_pool_read_statistics(pool, &statistics, sizeof statistics));
  EXPECT_EQ(statistics.sessions_max, 1u);
  EXPECT_EQ(statistics.in_use, 1u);
  lightning_session_free(first);
  OK(lightning_pool_acquire(pool, 1000, &second));
  lightning_pool_free(pool);
  lightning_session_free(second);

  options.sessions = 0;
  FAILS(INVALID_ARGUMENT, lightning_pool_create(db_, &options, &pool));
  FAILS(INVALID_ARGUMENT, lightning_pool_create(nullptr, nullptr, &pool));
  FAILS(INVALID_ARGUMENT, lightning_pool_acquire(nullptr, 0, &first));
  lightning_session_free(nullptr);
  lightning_pool_free(nullptr);
}

TEST_F(CApi, SaysWhichVersionItIs) {
  EXPECT_EQ(lightning_c_abi_version(), std::uint32_t{LIGHTNING_C_ABI_VERSION});
  EXPECT_EQ(std::string(lightning_version()).substr(0, 2), "1.");
}

}  // namespace
}  // namespace lightning::testing_support
