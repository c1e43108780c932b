// What is wrong in a value, an operand or a moment rather than in a pointer: a typed error, and nothing half-applied.
#include "capi/place.h"

namespace lightning::testing_support {
namespace {

std::string number(std::int64_t value) { return {reinterpret_cast<const char*>(&value), sizeof(value)}; }

class CBadInput : public CApi {
 protected:
  lightning_transaction* begin(const lightning_transaction_options* options = nullptr) {
    lightning_transaction* transaction = nullptr;
    EXPECT_EQ(text_of(lightning_begin(db_, options, &transaction)), "");
    return transaction;
  }
  lightning_keyspace* keyspace(const char* name, const char* merge_operator) {
    lightning_keyspace_options options = LIGHTNING_KEYSPACE_OPTIONS_INIT;
    options.merge_operator = merge_operator;
    lightning_keyspace* made = nullptr;
    EXPECT_EQ(text_of(lightning_create_keyspace(db_, name, std::string_view(name).size(), &options, &made)), "");
    return made;
  }
  // An index of the field behind the first comma.
  lightning_error* index(const char* name, bool unique, bool leave_out = false) {
    lightning_index_options options = LIGHTNING_INDEX_OPTIONS_INIT;
    options.extractor = LIGHTNING_EXTRACT_FIELD;
    options.field = 1;
    options.unique = unique;
    options.leave_out = leave_out;
    return lightning_create_index(db_, nullptr, name, 1, &options);
  }
  std::size_t entries(const char* name) {
    lightning_index_page* page = nullptr;
    EXPECT_EQ(text_of(lightning_query_index(db_, nullptr, name, 1, nullptr, &page)), "");
    const std::size_t found = lightning_index_page_length(page);
    lightning_index_page_free(page);
    return found;
  }
};

TEST_F(CBadInput, AReadOnlyTransactionRefusesEveryWriteAndReadsOn) {
  OK(put("k", "v"));
  lightning_keyspace* const sums = keyspace("sums", "add");
  lightning_transaction_options options = LIGHTNING_TRANSACTION_OPTIONS_INIT;
  options.read_only = true;
  lightning_transaction* const transaction = begin(&options);
  const std::string one = number(1);
  void* value = nullptr;
  std::size_t size = 0;
  FAILS(READ_ONLY_TRANSACTION, lightning_transaction_put(transaction, nullptr, "k", 1, "w", 1));
  FAILS(READ_ONLY_TRANSACTION, lightning_transaction_put_expiring(transaction, nullptr, "k", 1, "w", 1, 1000, 0));
  FAILS(READ_ONLY_TRANSACTION, lightning_transaction_merge(transaction, sums, "k", 1, one.data(), one.size()));
  FAILS(READ_ONLY_TRANSACTION, lightning_transaction_erase(transaction, nullptr, "k", 1));
  FAILS(READ_ONLY_TRANSACTION, lightning_transaction_erase_range(transaction, nullptr, nullptr, nullptr));
  FAILS(READ_ONLY_TRANSACTION, lightning_transaction_get_for_update(transaction, nullptr, "k", 1, &value, &size));
  OK(lightning_transaction_get(transaction, nullptr, "k", 1, &value, &size));
  EXPECT_EQ(std::string(static_cast<const char*>(value), size), "v");
  lightning_free(value);
  EXPECT_EQ(lightning_transaction_operations(transaction), 0u);
  OK(lightning_transaction_commit(transaction, nullptr));
  lightning_transaction_free(transaction);
  EXPECT_EQ(get("k"), "v");
  EXPECT_EQ(get("k", sums), "-");
  lightning_keyspace_free(sums);
}

TEST_F(CBadInput, ASavepointOfAnotherTransactionUndoesNothing) {
  lightning_transaction *const first = begin(), *const second = begin();
  lightning_savepoint of_first, of_second;
  OK(lightning_transaction_set_savepoint(first, &of_first));
  OK(lightning_transaction_set_savepoint(second, &of_second));
  OK(lightning_transaction_put(first, nullptr, "a", 1, "1", 1));
  FAILS(INVALID_ARGUMENT, lightning_transaction_rollback_to(first, &of_second));
  EXPECT_EQ(lightning_transaction_operations(first), 1u);
  lightning_savepoint later;
  OK(lightning_transaction_set_savepoint(first, &later));
  OK(lightning_transaction_put(first, nullptr, "b", 1, "1", 1));
  OK(lightning_transaction_rollback_to(first, &of_first));
  FAILS(INVALID_ARGUMENT, lightning_transaction_rollback_to(first, &later));  // it was undone itself
  OK(lightning_transaction_put(first, nullptr, "c", 1, "1", 1));
  OK(lightning_transaction_commit(first, nullptr));
  FAILS(TRANSACTION_ENDED, lightning_transaction_rollback_to(first, &of_first));
  FAILS(TRANSACTION_ENDED, lightning_transaction_set_savepoint(first, &of_first));
  lightning_transaction_free(first);
  lightning_transaction_free(second);
  EXPECT_EQ(get("a") + get("b") + get("c"), "--1");
}

TEST_F(CBadInput, AnOperandOfTheWrongSizeIsRefusedWhereverItComesFrom) {
  lightning_keyspace* const sums = keyspace("sums", "add");
  const std::string five = number(5);
  OK(lightning_merge(db_, sums, "k", 1, five.data(), five.size(), nullptr));
  FAILS(INVALID_ARGUMENT, lightning_merge(db_, sums, "k", 1, "five", 4, nullptr));
  lightning_batch* batch = nullptr;
  OK(lightning_batch_create(&batch));
  OK(lightning_batch_put(batch, nullptr, "beside", 6, "v", 1));
  OK(lightning_batch_merge(batch, sums, "k", 1, five.data(), five.size()));
  OK(lightning_batch_merge(batch, sums, "k", 1, "five", 4));
  lightning_error* const error = lightning_write(db_, batch, nullptr, nullptr);
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(lightning_error_outcome(error), LIGHTNING_NOT_APPLIED);
  lightning_error_free(error);
  lightning_batch_free(batch);
  EXPECT_EQ(get("beside"), "-");
  EXPECT_EQ(get("k", sums), five);

  lightning_transaction* const transaction = begin();
  OK(lightning_transaction_merge(transaction, sums, "k", 1, five.data(), five.size()));
  FAILS(INVALID_ARGUMENT, lightning_transaction_merge(transaction, sums, "k", 1, "five", 4));
  FAILS(INVALID_ARGUMENT, lightning_transaction_merge(transaction, sums, "k", 1, nullptr, 0));
  FAILS(INVALID_ARGUMENT, lightning_transaction_merge(transaction, nullptr, "k", 1, five.data(), five.size()));
  OK(lightning_transaction_commit(transaction, nullptr));
  FAILS(TRANSACTION_ENDED, lightning_transaction_merge(transaction, sums, "k", 1, five.data(), five.size()));
  lightning_transaction_free(transaction);
  EXPECT_EQ(get("k", sums), number(10)) << "what was right of it";
  lightning_keyspace_free(sums);
}

TEST_F(CBadInput, ALifetimeThatIsNegativeOrOverflowsIsRefusedWhereverItComesFrom) {
  constexpr std::int64_t kMost = INT64_MAX, kLeast = INT64_MIN;
  OK(put("k", "v"));
  const std::pair<std::int64_t, std::int64_t> lifetimes[] = {{kMost, 0}, {kMost / 2, 0}, {-1, 0},  {kLeast, 0},
                                                             {0, -1},    {0, kLeast},    {1000, 1}};
  for (const auto& [ttl, expires_at] : lifetimes) {
    SCOPED_TRACE(std::to_string(ttl) + " " + std::to_string(expires_at));
    lightning_write_options options = LIGHTNING_WRITE_OPTIONS_INIT;
    options.ttl_ms = ttl;
    options.expires_at_ms = expires_at;
    FAILS(INVALID_ARGUMENT, lightning_put(db_, nullptr, "k", 1, "w", 1, &options));
    bool applied = true;
    FAILS(INVALID_ARGUMENT, lightning_put_if_absent(db_, nullptr, "new", 3, "w", 1, &options, &applied));
    EXPECT_FALSE(applied);

    lightning_batch* batch = nullptr;
    OK(lightning_batch_create(&batch));
    OK(lightning_batch_put(batch, nullptr, "beside", 6, "w", 1));
    FAILS(INVALID_ARGUMENT, lightning_write(db_, batch, &options, nullptr));
    OK(lightning_batch_put_expiring(batch, nullptr, "k", 1, "w", 1, ttl, expires_at));
    FAILS(INVALID_ARGUMENT, lightning_write(db_, batch, nullptr, nullptr));
    lightning_batch_free(batch);
    EXPECT_EQ(get("beside"), "-");

    lightning_transaction* const transaction = begin();
    OK(lightning_transaction_put(transaction, nullptr, "other", 5, "w", 1));
    FAILS(INVALID_ARGUMENT, lightning_transaction_put_expiring(transaction, nullptr, "k", 1, "w", 1, ttl, expires_at));
    EXPECT_EQ(lightning_transaction_operations(transaction), 1u);
    lightning_transaction_free(transaction);

    lightning_value_writer* writer = nullptr;
    OK(lightning_put_stream(db_, nullptr, "k", 1, &writer));
    OK(lightning_value_writer_append(writer, "w", 1));
    FAILS(INVALID_ARGUMENT, lightning_value_writer_commit(writer, &options));
    lightning_value_writer_free(writer);
  }
  lightning_keyspace_options options = LIGHTNING_KEYSPACE_OPTIONS_INIT;
  lightning_keyspace* made = nullptr;
  for (const std::int64_t ttl : {kMost, std::int64_t{-1}}) {
    options.default_ttl_ms = ttl;
    FAILS(INVALID_ARGUMENT, lightning_create_keyspace(db_, "short", 5, &options, &made));
  }
  EXPECT_EQ(get("k") + get("new") + get("other"), "v--");
}

TEST_F(CBadInput, AnIndexIsDroppedBesideATransactionThatUsesIt) {
  OK(index("i", true));
  OK(index("l", false));
  OK(put("a", "1,x"));
  OK(put("b", "2,y"));
  lightning_transaction_options options = LIGHTNING_TRANSACTION_OPTIONS_INIT;
  options.isolation = LIGHTNING_SERIALIZABLE;
  lightning_transaction* const transaction = begin(&options);
  lightning_index_page* page = nullptr;
  OK(lightning_transaction_query_index(transaction, nullptr, "i", 1, nullptr, &page));
  EXPECT_EQ(lightning_index_page_length(page), 2u);
  OK(lightning_transaction_put(transaction, nullptr, "c", 1, "3,x", 3));  // not unique while there is the index
  OK(lightning_drop_index(db_, nullptr, "i", 1));
  EXPECT_EQ(string_of(lightning_index_page_key(page, 1)), "b") << "what was found stays";
  lightning_index_page_free(page);
  FAILS(INDEX_NOT_FOUND, lightning_transaction_query_index(transaction, nullptr, "i", 1, nullptr, &page));
  EXPECT_EQ(page, nullptr);
  FAILS(INDEX_NOT_FOUND, lightning_transaction_query_index(transaction, nullptr, "never", 5, nullptr, &page));
  OK(lightning_transaction_query_index(transaction, nullptr, "l", 1, nullptr, &page));
  EXPECT_EQ(lightning_index_page_length(page), 3u) << "the transaction goes on";
  lightning_index_page_free(page);
  OK(lightning_transaction_commit(transaction, nullptr));
  lightning_transaction_free(transaction);
  EXPECT_EQ(entries("l"), 3u);
  EXPECT_EQ(get("c"), "3,x");
}

TEST_F(CBadInput, ARecordThatCannotBeIndexedIsRefusedOrLeftOut) {
  const std::string long_field = "1," + std::string(20'000, 'x');  // longer than an entry may be
  OK(index("r", false));
  FAILS(EXTRACT_FAILED, put("k", long_field));
  EXPECT_EQ(get("k"), "-");
  OK(lightning_drop_index(db_, nullptr, "r", 1));
  OK(index("l", false, true));
  OK(put("k", long_field));
  OK(put("j", "1,x"));
  EXPECT_EQ(get("k"), long_field);
  EXPECT_EQ(entries("l"), 1u);
  OK(put("k", "1,y"));
  EXPECT_EQ(entries("l"), 2u) << "in it as soon as it can be";
  OK(put("k", long_field));
  EXPECT_EQ(entries("l"), 1u);
}

TEST_F(CBadInput, ABatchKnowsItsSize) {
  lightning_batch* batch = nullptr;
  OK(lightning_batch_create(&batch));
  const std::size_t empty = lightning_batch_bytes(batch);
  OK(lightning_batch_reserve(batch, 1 << 20));
  EXPECT_EQ(lightning_batch_bytes(batch), empty);
  OK(lightning_batch_put(batch, nullptr, "key", 3, std::string(1000, 'v').data(), 1000));
  EXPECT_GE(lightning_batch_bytes(batch), empty + 1003);
  EXPECT_LT(lightning_batch_bytes(batch), empty + 1100);
  FAILS(BATCH_TOO_LARGE, lightning_batch_reserve(batch, ~std::size_t{0}));
  FAILS(INVALID_ARGUMENT, lightning_batch_reserve(nullptr, 1));
  EXPECT_EQ(lightning_batch_bytes(nullptr), 0u);
  lightning_batch_free(batch);

  lightning_value_writer* writer = nullptr;
  OK(lightning_put_stream(db_, nullptr, "k", 1, &writer));
  OK(lightning_value_writer_append(writer, "abc", 3));
  OK(lightning_value_writer_append(writer, "de", 2));
  EXPECT_EQ(lightning_value_writer_size(writer), 5u);
  EXPECT_EQ(lightning_value_writer_size(nullptr), 0u);
  lightning_value_writer_free(writer);
}

}  // namespace
}  // namespace lightning::testing_support
