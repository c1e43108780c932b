// Merge operators and extractors of a program in C, and the options that it opens with.
#include <atomic>
#include <stdexcept>

#include "capi/place.h"

namespace lightning::testing_support {
namespace {

// Joins operands with a comma. An operand is not empty, and "poison" makes a merge fail.
struct Joiner {
  std::atomic<int> merges{0}, combines{0}, destroyed{0};

  static Joiner& of(void* context) { return *static_cast<Joiner*>(context); }
  static void destroy(void* context) { ++of(context).destroyed; }
  static lightning_error* check(void*, const void*, std::size_t size) {
    return size > 0 ? nullptr : lightning_error_create(LIGHTNING_ERROR_INVALID_ARGUMENT, "nothing to join");
  }
  static lightning_error* merge(void* context, const void*, std::size_t, const lightning_bytes* base,
                                const lightning_bytes* operands, std::size_t count, lightning_buffer* value) {
    ++of(context).merges;
    if (base != nullptr)
      if (lightning_error* const error = lightning_buffer_append(value, base->data, base->size)) return error;
    for (std::size_t i = 0; i < count; ++i) {
      if (string_of(operands[i]) == "poison")
        return lightning_error_create(LIGHTNING_ERROR_INPUT_MALFORMED, "this one is poison");
      if (base != nullptr || i > 0)
        if (lightning_error* const error = lightning_buffer_append(value, ",", 1)) return error;
      if (lightning_error* const error = lightning_buffer_append(value, operands[i].data, operands[i].size))
        return error;
    }
    return nullptr;
  }
  static bool combine(void* context, const void*, std::size_t, lightning_bytes older, lightning_bytes newer,
                      lightning_buffer* combined) {
    if (string_of(older) == "poison" || string_of(newer) == "poison") return false;
    ++of(context).combines;
    const std::string both = string_of(older) + "," + string_of(newer);
    return lightning_buffer_append(combined, both.data(), both.size()) == nullptr;
  }
  lightning_merge_operator functions() {
    lightning_merge_operator made = LIGHTNING_MERGE_OPERATOR_INIT;
    made.name = "join";
    made.context = this;
    made.destroy = destroy;
    made.check = check;
    made.merge = merge;
    made.combine = combine;
    return made;
  }
};

// What the key or value begins with says what is found: "n" nothing, "k" the key, "t" a text that is made, "i" a
// number,
// "?" no kind of value, "!" an error, "throw" what C++ may do.
struct Finder {
  std::atomic<int> destroyed{0};

  static lightning_error* extract(void*, const void* key, std::size_t key_size, const void* value, std::size_t size,
                                  lightning_index_value* found, lightning_buffer* text) {
    const std::string_view held(static_cast<const char*>(value), size);
    EXPECT_EQ(found->kind, LIGHTNING_VALUE_NONE);
    if (held == "throw") throw std::runtime_error("no C at all");
    if (held.starts_with("!")) return lightning_error_create(LIGHTNING_ERROR_INPUT_MALFORMED, "cannot be found");
    if (held.starts_with("n")) return nullptr;
    found->kind = LIGHTNING_VALUE_STRING;
    if (held.starts_with("k")) found->string = {key, key_size};
    if (held.starts_with("t")) return lightning_buffer_append(text, "made", 4);
    if (held.starts_with("i")) {
      found->kind = LIGHTNING_VALUE_INTEGER;
      found->integer = static_cast<std::int64_t>(size);
    }
    if (held.starts_with("?")) found->kind = 77;
    return nullptr;
  }
  lightning_user_extractor functions() {
    lightning_user_extractor made = LIGHTNING_USER_EXTRACTOR_INIT;
    made.name = "finder";
    made.context = this;
    made.destroy = [](void* context) { ++static_cast<Finder*>(context)->destroyed; };
    made.extract = extract;
    return made;
  }
};

class CUserCode : public CApi {
 protected:
  void SetUp() override {
    CApi::SetUp();
    if (HasFatalFailure()) return;
    lightning_db_free(db_);
    db_ = nullptr;
    std::filesystem::remove_all(path_);
    OK(lightning_open_options_create(&options_));
    const lightning_merge_operator join = joiner_.functions();
    OK(lightning_open_options_add_merge_operator(options_, &join));
    const lightning_user_extractor finder = finder_.functions();
    OK(lightning_open_options_add_extractor(options_, &finder));
    lightning_keyspace_options keyspace = LIGHTNING_KEYSPACE_OPTIONS_INIT;
    keyspace.merge_operator = "join";
    OK(lightning_open_options_set_default_keyspace(options_, &keyspace));
    OK(lightning_open_with(path_.c_str(), config_, options_, &db_));
  }
  void TearDown() override {
    lightning_open_options_free(options_);
    CApi::TearDown();
  }
  void reopen(const lightning_open_options* options) {
    OK(lightning_close(db_));
    lightning_db_free(db_);
    db_ = nullptr;
    OK(lightning_open_with(path_.c_str(), config_, options, &db_));
  }
  lightning_error* merge(std::string_view operand) {
    return lightning_merge(db_, nullptr, "k", 1, operand.data(), operand.size(), nullptr);
  }
  lightning_error* create_index(const char* name, bool leave_out) {
    lightning_index_options index = LIGHTNING_INDEX_OPTIONS_INIT;
    index.extractor = LIGHTNING_EXTRACT_USER;
    index.user_extractor = "finder";
    index.leave_out = leave_out;
    return lightning_create_index(db_, nullptr, name, 1, &index);
  }
  // The keys of an index's entries with what was found.
  std::string entries(const char* name) {
    lightning_index_page* page = nullptr;
    EXPECT_EQ(text_of(lightning_query_index(db_, nullptr, name, 1, nullptr, &page)), "");
    std::string all;
    for (std::size_t i = 0; i < lightning_index_page_length(page); ++i) {
      const lightning_index_value value = lightning_index_page_value(page, i);
      all += value.kind == LIGHTNING_VALUE_INTEGER ? std::to_string(value.integer) : string_of(value.string);
      all += ":" + string_of(lightning_index_page_key(page, i)) + " ";
    }
    lightning_index_page_free(page);
    return all;
  }

  Joiner joiner_;  // outlives the database
  Finder finder_;
  lightning_open_options* options_ = nullptr;
};

TEST_F(CUserCode, MergesReadsFlushesAndReopens) {
  for (const char* operand : {"a", "b", "c"}) OK(merge(operand));
  EXPECT_EQ(get("k"), "a,b,c");
  OK(lightning_flush(db_));
  for (int i = 0; i < 30; ++i) OK(merge("d"));
  OK(lightning_flush(db_));
  OK(lightning_compact_range(db_, nullptr, nullptr, nullptr, LIGHTNING_BOTTOM_REWRITE));
  std::string expected = "a,b,c";
  for (int i = 0; i < 30; ++i) expected += ",d";
  EXPECT_EQ(get("k"), expected);
  reopen(options_);
  EXPECT_EQ(get("k"), expected);
  EXPECT_GT(joiner_.merges, 0);
  EXPECT_GT(joiner_.combines, 0);
}

TEST_F(CUserCode, AnOperandThatIsNoneIsRefusedBeforeItIsWritten) {
  lightning_error* const error = merge("");
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(std::string(lightning_error_message(error)).find("nothing to join"), std::string::npos);
  EXPECT_EQ(lightning_error_outcome(error), LIGHTNING_NOT_APPLIED);
  lightning_error_free(error);
  EXPECT_EQ(get("k"), "-");
}

TEST_F(CUserCode, AMergeThatFailsFailsTheReadAndKeepsTheRecord) {
  OK(put("k", "v"));
  OK(merge("poison"));
  void* value = nullptr;
  std::size_t size = 0;
  lightning_error* const error = lightning_get(db_, nullptr, "k", 1, nullptr, &value, &size);
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_MERGE_FAILED);
  EXPECT_NE(std::string(lightning_error_message(error)).find("this one is poison"), std::string::npos);
  EXPECT_EQ(value, nullptr);
  lightning_error_free(error);
  OK(lightning_flush(db_));
  FAILS(MERGE_FAILED, lightning_get(db_, nullptr, "k", 1, nullptr, &value, &size));
  OK(put("k", "new"));
  OK(merge("a"));
  EXPECT_EQ(get("k"), "new,a");
}

TEST_F(CUserCode, WithoutItsOperatorAKeyspaceIsOpenedButNotMerged) {
  OK(merge("a"));
  OK(put("other", "v"));
  reopen(nullptr);
  void* value = nullptr;
  std::size_t size = 0;
  FAILS(MERGE_OPERATOR_MISSING, merge("b"));
  FAILS(MERGE_OPERATOR_MISSING, lightning_get(db_, nullptr, "k", 1, nullptr, &value, &size));
  EXPECT_EQ(get("other"), "v");
  OK(lightning_close(db_));
  lightning_db_free(db_);
  db_ = nullptr;
  OK(lightning_open_read_only_with(path_.c_str(), config_, options_, &db_));
  EXPECT_EQ(get("k"), "a");
}

TEST_F(CUserCode, TheDefaultKeyspaceKeepsTheOptionsItWasMadeWith) {
  lightning_open_options* counted = nullptr;
  OK(lightning_open_options_create(&counted));
  lightning_keyspace_options keyspace = LIGHTNING_KEYSPACE_OPTIONS_INIT;
  keyspace.counted = true;
  OK(lightning_open_options_set_default_keyspace(counted, &keyspace));
  std::uint64_t records = 0;
  bool exact = true;
  reopen(counted);
  OK(lightning_count(db_, nullptr, &records, &exact));
  EXPECT_FALSE(exact) << "it was there already";
  lightning_db* fresh = nullptr;
  const std::string path = path_ + "fresh";
  std::filesystem::remove_all(path);
  OK(lightning_open_with(path.c_str(), config_, counted, &fresh));
  OK(lightning_count(fresh, nullptr, &records, &exact));
  EXPECT_TRUE(exact);
  lightning_db_free(fresh);
  lightning_open_options_free(counted);
  std::filesystem::remove_all(path);
}

TEST_F(CUserCode, GivesContextsBackOnceWhenNobodyIsLeft) {
  lightning_iterator* it = nullptr;
  OK(lightning_iterate(db_, nullptr, nullptr, &it));
  lightning_open_options_free(options_);
  options_ = nullptr;
  lightning_db_free(db_);
  db_ = nullptr;
  EXPECT_EQ(joiner_.destroyed, 0) << "the iterator may still merge";
  EXPECT_EQ(finder_.destroyed, 0);
  lightning_iterator_free(it);
  EXPECT_EQ(joiner_.destroyed, 1);
  EXPECT_EQ(finder_.destroyed, 1);
}

TEST_F(CUserCode, ADestroyThatThrowsIsNotHeard) {
  lightning_open_options* options = nullptr;
  OK(lightning_open_options_create(&options));
  lightning_merge_operator join = joiner_.functions();
  join.destroy = [](void*) { throw std::runtime_error("never mind"); };
  OK(lightning_open_options_add_merge_operator(options, &join));
  lightning_open_options_free(options);
}

TEST_F(CUserCode, IndexesWhatTheExtractorFinds) {
  OK(put("early", "i23"));
  OK(create_index("i", false));
  OK(put("a", "nothing"));
  OK(put("b", "key"));
  OK(put("c", "text"));
  OK(put("d", "s"));  // a string of no bytes
  EXPECT_EQ(entries("i"), "3:early :d b:b made:c ");
  reopen(options_);
  OK(put("c", "key"));
  EXPECT_EQ(entries("i"), "3:early :d b:b c:c ");
}

TEST_F(CUserCode, AnExtractorThatFailsRejectsTheRecordOrLeavesItOut) {
  OK(create_index("r", false));
  for (const char* value : {"!", "?", "throw"}) FAILS(EXTRACT_FAILED, put("a", value));
  lightning_error* const error = put("a", "!");
  EXPECT_NE(std::string(lightning_error_message(error)).find("cannot be found"), std::string::npos);
  EXPECT_EQ(lightning_error_outcome(error), LIGHTNING_NOT_APPLIED);
  lightning_error_free(error);
  EXPECT_EQ(get("a"), "-");
  lightning_transaction* transaction = nullptr;
  OK(lightning_begin(db_, nullptr, &transaction));
  OK(lightning_transaction_put(transaction, nullptr, "b", 1, "key", 3));
  OK(lightning_transaction_put(transaction, nullptr, "a", 1, "!", 1));
  FAILS(EXTRACT_FAILED, lightning_transaction_commit(transaction, nullptr));
  lightning_transaction_free(transaction);
  EXPECT_EQ(get("b"), "-") << "all or nothing";
  OK(lightning_drop_index(db_, nullptr, "r", 1));

  OK(create_index("l", true));
  for (const char* value : {"!", "?", "throw"}) OK(put(value, value));
  OK(put("b", "key"));
  EXPECT_EQ(entries("l"), "b:b ");
  EXPECT_EQ(get("throw"), "throw");
  lightning_check_report* report = nullptr;
  OK(lightning_check(db_, nullptr, &report));
  EXPECT_EQ(lightning_check_report_findings(report), 0u);
  EXPECT_EQ(lightning_check_report_not_compared(report), 0u);
  EXPECT_STREQ(lightning_check_report_not_compared_text(report, 0), "");
  lightning_check_report_free(report);
}

TEST_F(CUserCode, WithoutItsExtractorAnIndexIsAskedButNotKept) {
  OK(create_index("i", false));
  OK(put("b", "key"));
  reopen(nullptr);
  EXPECT_EQ(entries("i"), "b:b ");
  FAILS(EXTRACTOR_MISSING, put("c", "key"));
  FAILS(EXTRACTOR_MISSING, create_index("j", false));
  lightning_check_report* report = nullptr;
  OK(lightning_check(db_, nullptr, &report));
  EXPECT_EQ(lightning_check_report_findings(report), 0u);
  ASSERT_EQ(lightning_check_report_not_compared(report), 1u);
  EXPECT_NE(std::string(lightning_check_report_not_compared_text(report, 0)).find("finder"), std::string::npos);
  EXPECT_STREQ(lightning_check_report_not_compared_text(report, 1), "");
  lightning_check_report_free(report);
}

TEST_F(CUserCode, AnIndexThatCannotBeRebuiltSaysWhy) {
  OK(create_index("i", false));
  OK(put("b", "key"));
  lightning_open_options* others = nullptr;
  OK(lightning_open_options_create(&others));
  lightning_user_extractor finder = LIGHTNING_USER_EXTRACTOR_INIT;
  finder.name = "finder";
  finder.extract = [](void*, const void*, std::size_t, const void*, std::size_t, lightning_index_value*,
                      lightning_buffer*) { return lightning_error_create(LIGHTNING_ERROR_CORRUPTION, "not today"); };
  OK(lightning_open_options_add_extractor(others, &finder));
  reopen(others);
  lightning_open_options_free(others);
  FAILS(EXTRACT_FAILED, lightning_rebuild_index(db_, nullptr, "i", 1, nullptr));
  lightning_index_list* list = nullptr;
  OK(lightning_describe_indexes(db_, nullptr, &list));
  lightning_index_info info;
  OK(lightning_index_list_get(list, 0, &info, sizeof info));
  EXPECT_EQ(info.extractor, LIGHTNING_EXTRACT_USER);
  EXPECT_STREQ(info.user_extractor, "finder");
  EXPECT_EQ(info.state, LIGHTNING_INDEX_FAILED);
  EXPECT_NE(std::string(info.error).find("not today"), std::string::npos) << info.error;
  lightning_index_list_free(list);
}

TEST_F(CUserCode, OptionsThatMakeNoSenseAreRefusedAndTakeNothing) {
  lightning_open_options* options = nullptr;
  FAILS(INVALID_ARGUMENT, lightning_open_options_create(nullptr));
  OK(lightning_open_options_create(&options));
  const lightning_merge_operator join = joiner_.functions();
  const lightning_user_extractor finder = finder_.functions();
  FAILS(INVALID_ARGUMENT, lightning_open_options_add_merge_operator(nullptr, &join));
  FAILS(INVALID_ARGUMENT, lightning_open_options_add_merge_operator(options, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_open_options_add_extractor(nullptr, &finder));
  FAILS(INVALID_ARGUMENT, lightning_open_options_add_extractor(options, nullptr));
  FAILS(INVALID_ARGUMENT, lightning_open_options_set_default_keyspace(nullptr, nullptr));
  lightning_merge_operator wrong = join;
  wrong.name = nullptr;
  FAILS(INVALID_ARGUMENT, lightning_open_options_add_merge_operator(options, &wrong));
  wrong.name = "";
  FAILS(INVALID_ARGUMENT, lightning_open_options_add_merge_operator(options, &wrong));
  wrong = join;
  wrong.merge = nullptr;
  FAILS(INVALID_ARGUMENT, lightning_open_options_add_merge_operator(options, &wrong));
  wrong = join;
  wrong.struct_size = 8;
  FAILS(INVALID_ARGUMENT, lightning_open_options_add_merge_operator(options, &wrong));
  lightning_user_extractor none = finder;
  none.extract = nullptr;
  FAILS(INVALID_ARGUMENT, lightning_open_options_add_extractor(options, &none));
  none = finder;
  none.name = nullptr;
  FAILS(INVALID_ARGUMENT, lightning_open_options_add_extractor(options, &none));
  lightning_keyspace_options keyspace = LIGHTNING_KEYSPACE_OPTIONS_INIT;
  keyspace.blob_threshold = -2;
  FAILS(INVALID_ARGUMENT, lightning_open_options_set_default_keyspace(options, &keyspace));
  FAILS(INVALID_ARGUMENT, lightning_buffer_append(nullptr, "x", 1));

  OK(lightning_open_options_add_extractor(options, &finder));
  FAILS(INVALID_ARGUMENT, lightning_open_options_add_extractor(options, &finder));  // of the same name
  lightning_merge_operator add = join;
  add.name = "add";  // one of the built-in ones
  OK(lightning_open_options_add_merge_operator(options, &add));
  lightning_db* db = nullptr;
  FAILS(INVALID_ARGUMENT, lightning_open_with((path_ + "x").c_str(), config_, options, &db));
  EXPECT_EQ(db, nullptr);
  EXPECT_EQ(finder_.destroyed, 0);
  EXPECT_EQ(joiner_.destroyed, 0);
  lightning_open_options_free(options);
  lightning_open_options_free(nullptr);
  EXPECT_EQ(finder_.destroyed, 1) << "of the one that was taken";
  EXPECT_EQ(joiner_.destroyed, 1);
  std::filesystem::remove_all(path_ + "x");

  lightning_index_options index = LIGHTNING_INDEX_OPTIONS_INIT;
  index.extractor = LIGHTNING_EXTRACT_USER;
  FAILS(INVALID_ARGUMENT, lightning_create_index(db_, nullptr, "i", 1, &index));
  index.user_extractor = "finder";
  index.of_key = true;
  FAILS(INVALID_ARGUMENT, lightning_create_index(db_, nullptr, "i", 1, &index));
  index.of_key = false;
  index.user_extractor = "nobody";
  FAILS(EXTRACTOR_MISSING, lightning_create_index(db_, nullptr, "i", 1, &index));
}

TEST_F(CUserCode, WhatABufferHoldsIsBounded) {
  lightning_merge_operator greedy = joiner_.functions();
  greedy.name = "greedy";
  greedy.combine = nullptr;
  greedy.merge = [](void*, const void*, std::size_t, const lightning_bytes*, const lightning_bytes*, std::size_t,
                    lightning_buffer* value) -> lightning_error* {
    EXPECT_EQ(code_of(lightning_buffer_append(value, nullptr, 3)), LIGHTNING_ERROR_INVALID_ARGUMENT);
    return lightning_buffer_append(value, "x", ~std::size_t{0});
  };
  OK(lightning_open_options_add_merge_operator(options_, &greedy));
  reopen(options_);
  lightning_keyspace_options keyspace = LIGHTNING_KEYSPACE_OPTIONS_INIT;
  keyspace.merge_operator = "greedy";
  lightning_keyspace* in = nullptr;
  OK(lightning_create_keyspace(db_, "g", 1, &keyspace, &in));
  OK(lightning_merge(db_, in, "k", 1, "a", 1, nullptr));
  void* value = nullptr;
  std::size_t size = 0;
  FAILS(MERGE_FAILED, lightning_get(db_, in, "k", 1, nullptr, &value, &size));
  lightning_keyspace_free(in);
}

}  // namespace
}  // namespace lightning::testing_support
