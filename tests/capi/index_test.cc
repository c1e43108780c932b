// Secondary indexes through the C API.
#include "capi/place.h"

namespace lightning::testing_support {
namespace {

class CIndex : public CApi {
 protected:
  lightning_error* create(std::string_view name, const lightning_index_options& options) {
    return lightning_create_index(db_, nullptr, name.data(), name.size(), &options);
  }
  lightning_error* query(std::string_view name, const lightning_index_query* query, std::string& matches,
                         std::string* continuation = nullptr, lightning_transaction* transaction = nullptr) {
    matches.clear();
    lightning_index_page* page = nullptr;
    lightning_error* const error =
        transaction != nullptr
            ? lightning_transaction_query_index(transaction, nullptr, name.data(), name.size(), query, &page)
            : lightning_query_index(db_, nullptr, name.data(), name.size(), query, &page);
    for (std::size_t i = 0; i < lightning_index_page_length(page); ++i) {
      const lightning_index_value value = lightning_index_page_value(page, i);
      if (value.kind == LIGHTNING_VALUE_STRING) matches += string_of(value.string);
      if (value.kind == LIGHTNING_VALUE_INTEGER) matches += std::to_string(value.integer);
      if (value.kind == LIGHTNING_VALUE_UNSIGNED) matches += std::to_string(value.unsigned_integer) + "u";
      if (value.kind == LIGHTNING_VALUE_NUMBER) matches += std::to_string(value.number);
      if (value.kind == LIGHTNING_VALUE_BOOLEAN) matches += value.boolean ? "true" : "false";
      matches += ":" + string_of(lightning_index_page_key(page, i));
      if (const std::string record = string_of(lightning_index_page_record(page, i)); !record.empty())
        matches += "=" + record;
      matches += " ";
    }
    if (continuation != nullptr) *continuation = string_of(lightning_index_page_continuation(page));
    lightning_index_page_free(page);
    return error;
  }
  static lightning_index_options by_field(std::uint32_t field, bool unique = false) {
    lightning_index_options options = LIGHTNING_INDEX_OPTIONS_INIT;
    options.extractor = LIGHTNING_EXTRACT_FIELD;
    options.field = field;
    options.unique = unique;
    return options;
  }
  static lightning_index_value text(std::string_view value) {
    lightning_index_value made{};
    made.kind = LIGHTNING_VALUE_STRING;
    made.string = bytes(value);
    return made;
  }
};

TEST_F(CIndex, IsMadeAskedRebuiltAndDropped) {
  OK(put("a", "1,Oslo"));
  OK(put("b", "2,Bergen"));
  std::uint64_t seen = 0;
  lightning_index_options options = by_field(1);
  options.context = &seen;
  options.progress = [](void* context, std::uint64_t records, std::uint64_t) {
    *static_cast<std::uint64_t*>(context) = records;
    return true;
  };
  OK(create("city", options));
  EXPECT_EQ(seen, 2u);
  OK(create("number", by_field(0, true)));
  OK(put("c", "3,Oslo"));
  FAILS(NOT_UNIQUE, put("d", "3,Alta"));
  FAILS(INDEX_EXISTS, create("city", by_field(1)));

  std::string matches;
  OK(query("city", nullptr, matches));
  EXPECT_EQ(matches, "Bergen:b Oslo:a Oslo:c ");
  lightning_index_query oslo = LIGHTNING_INDEX_QUERY_INIT;
  oslo.from = oslo.to = text("Oslo");
  oslo.with_records = true;
  OK(query("city", &oslo, matches));
  EXPECT_EQ(matches, "Oslo:a=1,Oslo Oslo:c=3,Oslo ");
  lightning_index_query prefix = LIGHTNING_INDEX_QUERY_INIT;
  prefix.prefix = bytes("B");
  OK(query("city", &prefix, matches));
  EXPECT_EQ(matches, "Bergen:b ");
  lightning_index_query behind = LIGHTNING_INDEX_QUERY_INIT;
  behind.from = text("Bergen");
  behind.from_exclusive = true;
  OK(query("city", &behind, matches));
  EXPECT_EQ(matches, "Oslo:a Oslo:c ");
  lightning_index_query pages = LIGHTNING_INDEX_QUERY_INIT;
  pages.limit = 2;
  pages.reverse = true;
  std::string token;
  OK(query("city", &pages, matches, &token));
  EXPECT_EQ(matches, "Oslo:c Oslo:a ");
  pages.continuation = bytes(token);
  std::string end;
  OK(query("city", &pages, matches, &end));
  EXPECT_EQ(matches, "Bergen:b ");
  EXPECT_EQ(end, "");

  lightning_transaction* transaction = nullptr;
  OK(lightning_begin(db_, nullptr, &transaction));
  OK(lightning_transaction_put(transaction, nullptr, "own", 3, "9,Alta", 6));
  OK(query("city", nullptr, matches, nullptr, transaction));
  EXPECT_EQ(matches, "Alta:own Bergen:b Oslo:a Oslo:c ");
  lightning_transaction_free(transaction);
  lightning_snapshot* snapshot = nullptr;
  OK(lightning_snapshot_create(db_, nullptr, &snapshot));
  OK(lightning_erase(db_, nullptr, "a", 1, nullptr));
  lightning_index_query then = LIGHTNING_INDEX_QUERY_INIT;
  then.snapshot = snapshot;
  OK(query("city", &then, matches));
  EXPECT_EQ(matches, "Bergen:b Oslo:a Oslo:c ");
  lightning_snapshot_free(snapshot);

  OK(lightning_rebuild_index(db_, nullptr, "city", 4, nullptr));
  OK(query("city", nullptr, matches));
  EXPECT_EQ(matches, "Bergen:b Oslo:c ");
  std::int32_t state = -1;
  std::uint64_t records = 0, total = 0;
  OK(lightning_index_get_state(db_, nullptr, "city", 4, &state, &records, &total));
  EXPECT_EQ(state, LIGHTNING_INDEX_READY);
  lightning_bytes* names = nullptr;
  std::size_t count = 0;
  OK(lightning_list_indexes(db_, nullptr, &names, &count));
  ASSERT_EQ(count, 2u);
  EXPECT_EQ(string_of(names[0]) + " " + string_of(names[1]), "city number");
  lightning_free(names);
  OK(lightning_drop_index(db_, nullptr, "city", 4));
  FAILS(INDEX_NOT_FOUND, query("city", nullptr, matches));
  FAILS(INDEX_NOT_FOUND, lightning_drop_index(db_, nullptr, "city", 4));
  FAILS(INDEX_NOT_FOUND, lightning_rebuild_index(db_, nullptr, "city", 4, nullptr));
  FAILS(INDEX_NOT_FOUND, lightning_index_get_state(db_, nullptr, "city", 4, &state, nullptr, nullptr));
  lightning_check_report* report = nullptr;
  OK(lightning_check(db_, nullptr, &report));
  EXPECT_EQ(lightning_check_report_findings(report), 0u);
  lightning_check_report_free(report);
}

#ifdef LIGHTNING_TEST_JSON
TEST_F(CIndex, KnowsNumbersAndTruthInJson) {
  lightning_index_options options = LIGHTNING_INDEX_OPTIONS_INIT;
  options.json_pointer = "/v";
  OK(create("v", options));
  OK(put("a", R"({"v":7})"));
  OK(put("b", R"({"v":true})"));
  OK(put("c", R"({"v":-0.5})"));
  OK(put("d", R"({"v":18446744073709551615})"));
  OK(put("e", R"({"v":"text"})"));
  OK(put("f", R"({})"));
  FAILS(EXTRACT_FAILED, put("g", "no json"));
  std::string matches;
  OK(query("v", nullptr, matches));
  EXPECT_EQ(matches, "true:b -0.500000:c 7:a 18446744073709551615u:d text:e ");
  lightning_index_query numbers = LIGHTNING_INDEX_QUERY_INIT;
  numbers.from.kind = LIGHTNING_VALUE_NUMBER;
  numbers.from.number = 0.5;
  OK(query("v", &numbers, matches));
  EXPECT_EQ(matches, "7:a 18446744073709551615u:d ");
}
#endif

TEST_F(CIndex, TellsAllAboutItself) {
  lightning_keyspace* other = nullptr;
  OK(lightning_create_keyspace(db_, "other", 5, nullptr, &other));
  lightning_index_options options = by_field(2, true);
  options.delimiter = ';';
  options.leave_out = true;
  OK(create("field", options));
  options = LIGHTNING_INDEX_OPTIONS_INIT;
  options.extractor = LIGHTNING_EXTRACT_BYTES;
  options.offset = 3;
  options.bytes = 5;
  options.of_key = true;
  OK(lightning_create_index(db_, other, "bytes", 5, &options));
  OK(put("a", "1;2;x"));

  lightning_index_list* list = nullptr;
  OK(lightning_describe_all_indexes(db_, &list));
  ASSERT_EQ(lightning_index_list_length(list), 2u);
  lightning_index_info info;
  OK(lightning_index_list_get(list, 0, &info, sizeof info));
  EXPECT_EQ(string_of(info.keyspace) + " " + string_of(info.name), "default field");
  EXPECT_EQ(info.extractor, LIGHTNING_EXTRACT_FIELD);
  EXPECT_EQ(info.field, 2u);
  EXPECT_EQ(info.delimiter, ';');
  EXPECT_FALSE(info.of_key);
  EXPECT_TRUE(info.unique);
  EXPECT_TRUE(info.leave_out);
  EXPECT_EQ(info.state, LIGHTNING_INDEX_READY);
  EXPECT_STREQ(info.error, "");
  EXPECT_STREQ(info.json_pointer, "");
  EXPECT_STREQ(info.user_extractor, "");
  EXPECT_GT(info.stored_bytes, 0u);
  OK(lightning_index_list_get(list, 1, &info, sizeof info));
  EXPECT_EQ(string_of(info.keyspace) + " " + string_of(info.name), "other bytes");
  EXPECT_EQ(info.extractor, LIGHTNING_EXTRACT_BYTES);
  EXPECT_EQ(info.offset, 3u);
  EXPECT_EQ(info.bytes, 5u);
  EXPECT_TRUE(info.of_key);
  EXPECT_FALSE(info.unique);
  EXPECT_FALSE(info.leave_out);
  FAILS(INVALID_ARGUMENT, lightning_index_list_get(list, 2, &info, sizeof info));
  FAILS(INVALID_ARGUMENT, lightning_index_list_get(list, 0, &info, 9));
  FAILS(INVALID_ARGUMENT, lightning_index_list_get(list, 0, nullptr, sizeof info));
  lightning_index_list_free(list);
  OK(lightning_describe_indexes(db_, other, &list));
  EXPECT_EQ(lightning_index_list_length(list), 1u);
  lightning_index_list_free(list);
  OK(lightning_describe_indexes(db_, nullptr, &list));
  OK(lightning_index_list_get(list, 0, &info, sizeof info));
  EXPECT_EQ(string_of(info.name), "field");
  lightning_index_list_free(list);
  lightning_keyspace_free(other);

  FAILS(INVALID_ARGUMENT, lightning_describe_indexes(nullptr, nullptr, &list));
  FAILS(INVALID_ARGUMENT, lightning_describe_all_indexes(db_, nullptr));
  EXPECT_EQ(lightning_index_list_length(nullptr), 0u);
  FAILS(INVALID_ARGUMENT, lightning_index_list_get(nullptr, 0, &info, sizeof info));
  lightning_index_list_free(nullptr);
}

TEST_F(CIndex, IsNotBuiltIfItsProgressThrows) {
  OK(create("i", by_field(1, true)));
  lightning_index_options options = by_field(0);
  options.progress = [](void*, std::uint64_t, std::uint64_t) -> bool { throw 7; };
  OK(put("a", "1,x"));
  FAILS(CANCELLED, create("j", options));
  lightning_index_list* list = nullptr;
  OK(lightning_describe_indexes(db_, nullptr, &list));
  EXPECT_EQ(lightning_index_list_length(list), 1u);
  lightning_index_list_free(list);
}

TEST_F(CIndex, RefusesWhatMakesNoSense) {
  FAILS(INVALID_ARGUMENT, lightning_create_index(db_, nullptr, "i", 1, nullptr));
  lightning_index_options options = by_field(1);
  FAILS(INVALID_ARGUMENT, create("", options));
  FAILS(INVALID_ARGUMENT, lightning_create_index(db_, nullptr, nullptr, 4, &options));
  FAILS(INVALID_ARGUMENT, lightning_create_index(nullptr, nullptr, "i", 1, &options));
  options.extractor = 4;
  FAILS(INVALID_ARGUMENT, create("i", options));
  options.extractor = LIGHTNING_EXTRACT_JSON_POINTER;
  options.of_key = true;
  FAILS(INVALID_ARGUMENT, create("i", options));
  options = by_field(1);
  options.struct_size = 3;
  FAILS(INVALID_ARGUMENT, create("i", options));
  OK(create("i", by_field(1)));
  std::string matches;
  lightning_index_query wrong = LIGHTNING_INDEX_QUERY_INIT;
  wrong.limit = 0;
  FAILS(INVALID_ARGUMENT, query("i", &wrong, matches));
  wrong = LIGHTNING_INDEX_QUERY_INIT;
  wrong.to.kind = 9;
  FAILS(INVALID_ARGUMENT, query("i", &wrong, matches));
  wrong = LIGHTNING_INDEX_QUERY_INIT;
  wrong.continuation = bytes("foreign");
  FAILS(INVALID_ARGUMENT, query("i", &wrong, matches));
  wrong = LIGHTNING_INDEX_QUERY_INIT;
  wrong.from = text("b");
  wrong.to = text("a");
  FAILS(INVERTED_RANGE, query("i", &wrong, matches));
  FAILS(INVALID_ARGUMENT, lightning_query_index(db_, nullptr, "i", 1, nullptr, nullptr));
  lightning_index_page* page = nullptr;
  FAILS(INVALID_ARGUMENT, lightning_transaction_query_index(nullptr, nullptr, "i", 1, nullptr, &page));
  EXPECT_EQ(lightning_index_page_length(nullptr), 0u);
  EXPECT_EQ(lightning_index_page_value(nullptr, 7).kind, LIGHTNING_VALUE_NONE);
  EXPECT_EQ(lightning_index_page_key(nullptr, 0).size, 0u);
  EXPECT_EQ(lightning_index_page_continuation(nullptr).size, 0u);
  lightning_index_page_free(nullptr);
}

}  // namespace
}  // namespace lightning::testing_support
