// Secondary indexes.
#include "lightning/index.h"
#include "capi/handles.h"
#include "capi/lists.h"

using namespace lightning;
using namespace lightning::capi;

namespace {

Result<IndexOptions> index_options_of(const lightning_index_options* options) {
  static constexpr lightning_index_options kDefaults = LIGHTNING_INDEX_OPTIONS_INIT;
  LIGHTNING_ASSIGN(const auto known, options_of(options, kDefaults, offsetof(lightning_index_options, user_extractor)));
  IndexOptions made{.unique = known.unique, .wait = !known.background};
  if (known.leave_out) made.on_extract_failure = OnExtractFailure::kLeaveOut;
  if (known.progress != nullptr)
    made.progress = [known](const IndexProgress& progress) {
      return goes_on([&] { return known.progress(known.context, progress.records, progress.records_total); });
    };
  switch (known.extractor) {
    case LIGHTNING_EXTRACT_JSON_POINTER:
      if (known.of_key) return invalid("of_key goes with bytes or a field");
      made.extractor = JsonPointer{known.json_pointer != nullptr ? known.json_pointer : ""};
      return made;
    case LIGHTNING_EXTRACT_BYTES:
      made.extractor = ByteRange{known.offset, known.bytes, known.of_key};
      return made;
    case LIGHTNING_EXTRACT_FIELD:
      made.extractor = DelimitedField{known.field, known.delimiter, known.of_key};
      return made;
    case LIGHTNING_EXTRACT_USER:
      if (known.of_key) return invalid("of_key goes with bytes or a field");
      LIGHTNING_TRY(required(known.user_extractor, "user_extractor"));
      made.extractor = UserExtractor{known.user_extractor};
      return made;
    default:
      return invalid("lightning_extractor has no value " + std::to_string(known.extractor));
  }
}

}  // namespace

Result<std::optional<IndexValue>> lightning::capi::index_value_of(const lightning_index_value& value,
                                                                  const char* what) {
  switch (value.kind) {
    case LIGHTNING_VALUE_NONE:
      return std::optional<IndexValue>();
    case LIGHTNING_VALUE_BOOLEAN:
      return std::optional<IndexValue>(value.boolean);
    case LIGHTNING_VALUE_INTEGER:
      return std::optional<IndexValue>(value.integer);
    case LIGHTNING_VALUE_UNSIGNED:
      return std::optional<IndexValue>(value.unsigned_integer);
    case LIGHTNING_VALUE_NUMBER:
      return std::optional<IndexValue>(value.number);
    case LIGHTNING_VALUE_STRING: {
      LIGHTNING_ASSIGN(const auto text, value_of(value.string.data, value.string.size));
      return std::optional<IndexValue>(text);
    }
    default:
      return invalid(std::string(what) + " has a kind " + std::to_string(value.kind) + ", which is none");
  }
}

namespace {

lightning_index_value value_for_c(const IndexValue& value) {
  lightning_index_value made{};
  const auto set = [&made](const auto& any) {
    using Any = std::decay_t<decltype(any)>;
    if constexpr (std::is_same_v<Any, bool>) {
      made.kind = LIGHTNING_VALUE_BOOLEAN;
      made.boolean = any;
    } else if constexpr (std::is_same_v<Any, std::int64_t>) {
      made.kind = LIGHTNING_VALUE_INTEGER;
      made.integer = any;
    } else if constexpr (std::is_same_v<Any, std::uint64_t>) {
      made.kind = LIGHTNING_VALUE_UNSIGNED;
      made.unsigned_integer = any;
    } else if constexpr (std::is_same_v<Any, double>) {
      made.kind = LIGHTNING_VALUE_NUMBER;
      made.number = any;
    } else {
      made.kind = LIGHTNING_VALUE_STRING;
      made.string = {any.data(), any.size()};
    }
  };
  std::visit(set, value.any());
  return made;
}

Result<IndexQuery> query_of(const std::shared_ptr<OpenDatabase>& home, const lightning_index_query* query) {
  static constexpr lightning_index_query kDefaults = LIGHTNING_INDEX_QUERY_INIT;
  LIGHTNING_ASSIGN(const auto known, options_of(query, kDefaults, sizeof(kDefaults)));
  IndexQuery made{.reverse = known.reverse, .limit = known.limit, .with_records = known.with_records};
  LIGHTNING_ASSIGN(const auto from, index_value_of(known.from, "from"));
  if (from) made.from = IndexQuery::Bound{*from, !known.from_exclusive};
  LIGHTNING_ASSIGN(const auto to, index_value_of(known.to, "to"));
  if (to) made.to = IndexQuery::Bound{*to, !known.to_exclusive};
  LIGHTNING_ASSIGN(const auto prefix, bytes_of(known.prefix.data, known.prefix.size, "prefix"));
  if (known.prefix.data != nullptr) made.prefix = prefix;
  LIGHTNING_ASSIGN(const auto token, bytes_of(known.continuation.data, known.continuation.size, "continuation"));
  made.continuation = token;
  if (known.snapshot != nullptr) {
    if (known.snapshot->live.home() != home) return invalid("the snapshot is of another opening of a database");
    made.snapshot = &known.snapshot->snapshot;
  }
  return made;
}

lightning_bytes bytes_for_c(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

lightning_index_info info_for_c(const IndexInfo& index) {
  lightning_index_info made{};
  made.keyspace = bytes_for_c(index.keyspace);
  made.name = bytes_for_c(index.name);
  made.json_pointer = made.user_extractor = "";
  made.unique = index.unique;
  made.leave_out = index.on_extract_failure == OnExtractFailure::kLeaveOut;
  made.state = static_cast<std::int32_t>(index.state);
  made.records = index.progress.records;
  made.records_total = index.progress.records_total;
  made.error = index.error.c_str();
  made.stored_bytes = index.bytes;
  const auto set = [&made](const auto& extractor) {
    using Kind = std::decay_t<decltype(extractor)>;
    if constexpr (std::is_same_v<Kind, JsonPointer>) {
      made.extractor = LIGHTNING_EXTRACT_JSON_POINTER;
      made.json_pointer = extractor.pointer.c_str();
    } else if constexpr (std::is_same_v<Kind, ByteRange>) {
      made.extractor = LIGHTNING_EXTRACT_BYTES;
      made.offset = extractor.offset;
      made.bytes = extractor.bytes;
      made.of_key = extractor.of_key;
    } else if constexpr (std::is_same_v<Kind, DelimitedField>) {
      made.extractor = LIGHTNING_EXTRACT_FIELD;
      made.field = extractor.field;
      made.delimiter = extractor.delimiter;
      made.of_key = extractor.of_key;
    } else {
      made.extractor = LIGHTNING_EXTRACT_USER;
      made.user_extractor = extractor.name.c_str();
    }
  };
  std::visit(set, index.extractor);
  return made;
}

const IndexMatch* match_of(const lightning_index_page* page, std::size_t index) {
  return page != nullptr && index < page->page.matches.size() ? &page->page.matches[index] : nullptr;
}

// Runs `body` with the database, the keyspace and the index's name.
template <class Body>
lightning_error* with_index(lightning_db* db, const lightning_keyspace* keyspace, const void* name, size_t name_size,
                            Body&& body) {
  return guarded([&]() -> Status {
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto text, bytes_of(name, name_size, "the name"));
    return body(home, *in, text);
  });
}

}  // namespace

lightning_error* lightning_create_index(lightning_db* db, const lightning_keyspace* keyspace, const void* name,
                                        size_t name_size, const lightning_index_options* options) {
  return with_index(db, keyspace, name, name_size, [&](const auto& home, const Keyspace& in, auto text) -> Status {
    LIGHTNING_TRY(required(options, "options"));
    LIGHTNING_ASSIGN(const IndexOptions known, index_options_of(options));
    return home->database.create_index(in, text, known);
  });
}

lightning_error* lightning_drop_index(lightning_db* db, const lightning_keyspace* keyspace, const void* name,
                                      size_t name_size) {
  return with_index(db, keyspace, name, name_size, [&](const auto& home, const Keyspace& in, auto text) -> Status {
    return home->database.drop_index(in, text);
  });
}

lightning_error* lightning_rebuild_index(lightning_db* db, const lightning_keyspace* keyspace, const void* name,
                                         size_t name_size, const lightning_index_options* options) {
  return with_index(db, keyspace, name, name_size, [&](const auto& home, const Keyspace& in, auto text) -> Status {
    LIGHTNING_ASSIGN(const IndexOptions known, index_options_of(options));
    return home->database.rebuild_index(in, text, known);
  });
}

lightning_error* lightning_index_get_state(lightning_db* db, const lightning_keyspace* keyspace, const void* name,
                                           size_t name_size, int32_t* state, uint64_t* records,
                                           uint64_t* records_total) {
  return with_index(db, keyspace, name, name_size, [&](const auto& home, const Keyspace& in, auto text) -> Status {
    LIGHTNING_TRY(cleared(state, "state"));
    for (const IndexInfo& info : home->database.list_indexes(in)) {
      if (info.name != text) continue;
      *state = static_cast<std::int32_t>(info.state);
      if (records != nullptr) *records = info.progress.records;
      if (records_total != nullptr) *records_total = info.progress.records_total;
      return {};
    }
    return Error(ErrorCode::kIndexNotFound, "keyspace '" + in.name() + "' has no index '" + std::string(text) + "'");
  });
}

lightning_error* lightning_list_indexes(lightning_db* db, const lightning_keyspace* keyspace, lightning_bytes** names,
                                        size_t* count) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(names, "names"));
    LIGHTNING_TRY(cleared(count, "count"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    std::vector<std::string> all;
    for (IndexInfo& info : home->database.list_indexes(*in)) all.push_back(std::move(info.name));
    *names = list_of(all);
    *count = all.size();
    return {};
  });
}

lightning_error* lightning_describe_indexes(lightning_db* db, const lightning_keyspace* keyspace,
                                            lightning_index_list** list) {
  return list_entries(db, list, [&](const auto& home) -> Result<std::vector<IndexInfo>> {
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    return home->database.list_indexes(*in);
  });
}
lightning_error* lightning_describe_all_indexes(lightning_db* db, lightning_index_list** list) {
  return list_entries(db, list,
                      [](const auto& home) -> Result<std::vector<IndexInfo>> { return home->database.list_indexes(); });
}
size_t lightning_index_list_length(const lightning_index_list* list) { return length_of(list); }
lightning_error* lightning_index_list_get(const lightning_index_list* list, size_t index, lightning_index_info* info,
                                          size_t size) {
  return entry_of(list, index, info, size, info_for_c);
}
void lightning_index_list_free(lightning_index_list* list) { delete list; }

lightning_error* lightning_query_index(lightning_db* db, const lightning_keyspace* keyspace, const void* name,
                                       size_t name_size, const lightning_index_query* query,
                                       lightning_index_page** page) {
  return with_index(db, keyspace, name, name_size, [&](const auto& home, const Keyspace& in, auto text) -> Status {
    LIGHTNING_TRY(cleared(page, "page"));
    LIGHTNING_ASSIGN(const IndexQuery known, query_of(home, query));
    LIGHTNING_ASSIGN(auto found, home->database.query_index(in, text, known));
    *page = new lightning_index_page{std::move(found)};
    return {};
  });
}

lightning_error* lightning_transaction_query_index(lightning_transaction* transaction,
                                                   const lightning_keyspace* keyspace, const void* name,
                                                   size_t name_size, const lightning_index_query* query,
                                                   lightning_index_page** page) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(page, "page"));
    LIGHTNING_TRY(required(transaction, "the transaction"));
    const auto& home = transaction->live.home();
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto text, bytes_of(name, name_size, "the name"));
    LIGHTNING_ASSIGN(const IndexQuery known, query_of(home, query));
    LIGHTNING_ASSIGN(auto found, transaction->transaction.query_index(*in, text, known));
    *page = new lightning_index_page{std::move(found)};
    return {};
  });
}

size_t lightning_index_page_length(const lightning_index_page* page) { return page ? page->page.matches.size() : 0; }
lightning_index_value lightning_index_page_value(const lightning_index_page* page, size_t index) {
  const IndexMatch* const match = match_of(page, index);
  return match ? value_for_c(match->value) : lightning_index_value{};
}
lightning_bytes lightning_index_page_key(const lightning_index_page* page, size_t index) {
  const IndexMatch* const match = match_of(page, index);
  return match ? bytes_for_c(match->key) : lightning_bytes{};
}
lightning_bytes lightning_index_page_record(const lightning_index_page* page, size_t index) {
  const IndexMatch* const match = match_of(page, index);
  return match ? bytes_for_c(match->record) : lightning_bytes{};
}
lightning_bytes lightning_index_page_continuation(const lightning_index_page* page) {
  return page ? bytes_for_c(page->page.continuation) : lightning_bytes{};
}
void lightning_index_page_free(lightning_index_page* page) { delete page; }
