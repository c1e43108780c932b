// index: secondary indexes: making, listing, asking, rebuilding and dropping them.
#include "lightning/index.h"

#include <charconv>

#include "cli/bytes_text.h"
#include "cli/commands.h"
#include "cli/progress.h"

namespace lightning::cli {

namespace {

struct IndexCommand {
  std::string action, name;
  // create
  std::string json_pointer, bytes, delimiter = ",";
  std::uint64_t field = 0;
  bool of_key = false, unique = false, leave_out = false;
  // query
  std::string equals, prefix, from, to, after;
  std::uint64_t limit = 100;
  bool reverse = false, values = false;
};

// "4+8" or "4": from byte 4 on, 8 or all.
Result<ByteRange> byte_range(Context& context, const std::string& text) {
  ByteRange range{.bytes = ~std::uint32_t{0}};
  const char* end = text.data() + text.size();
  auto parsed = std::from_chars(text.data(), end, range.offset);
  if (parsed.ec == std::errc{} && parsed.ptr != end && *parsed.ptr == '+')
    parsed = std::from_chars(parsed.ptr + 1, end, range.bytes);
  if (parsed.ec != std::errc{} || parsed.ptr != end || range.bytes == 0)
    return context.usage_error("--bytes takes an offset, or an offset and a number of bytes such as 4+8, not " + text);
  return range;
}

Result<Extractor> extractor(Context& context, const IndexCommand& asked, const Command& command) {
  const int kinds = (command.given("--json-pointer") ? 1 : 0) + (command.given("--bytes") ? 1 : 0) +
                    (command.given("--field") ? 1 : 0);
  if (kinds != 1) return context.usage_error("index create takes one of --json-pointer, --bytes and --field");
  if (command.given("--json-pointer")) {
    if (asked.of_key) return context.usage_error("--of-key goes with --bytes or --field");
    return Extractor(JsonPointer{asked.json_pointer});
  }
  if (command.given("--bytes")) {
    LIGHTNING_ASSIGN(ByteRange range, byte_range(context, asked.bytes));
    range.of_key = asked.of_key;
    return Extractor(range);
  }
  LIGHTNING_ASSIGN(const std::string delimiter, parse_bytes(asked.delimiter));
  if (delimiter.size() != 1) return context.usage_error("--delimiter takes one byte");
  return Extractor(DelimitedField{static_cast<std::uint32_t>(asked.field), delimiter[0], asked.of_key});
}

// Numbers and booleans are what they look like where an index holds such; "text:7" is a string anywhere.
Result<IndexValue> value_of(const std::string& text, bool typed) {
  if (typed) {
    if (text == "true" || text == "false") return IndexValue(text == "true");
    const char* end = text.data() + text.size();
    const auto whole = [&](const std::from_chars_result& parsed) {
      return parsed.ec == std::errc{} && parsed.ptr == end;
    };
    std::int64_t integer = 0;
    if (whole(std::from_chars(text.data(), end, integer))) return IndexValue(integer);
    std::uint64_t large = 0;
    if (whole(std::from_chars(text.data(), end, large))) return IndexValue(large);
    double number = 0;
    if (!text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')) &&
        whole(std::from_chars(text.data(), end, number)))
      return IndexValue(number);
  }
  LIGHTNING_ASSIGN(std::string bytes, parse_bytes(text));
  return IndexValue(std::move(bytes));
}

std::string text_of(const IndexValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.any())) return escaped(*text);
  const auto print = [](const auto& any) -> std::string {
    using Any = std::decay_t<decltype(any)>;
    if constexpr (std::is_same_v<Any, std::string>) {
      return any;
    } else if constexpr (std::is_same_v<Any, bool>) {
      return any ? "true" : "false";
    } else {
      char buffer[32];
      return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, any).ptr);
    }
  };
  return std::visit(print, value.any());
}

void append_value(JsonText& json, const IndexValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.any())) {
    json.field("value", std::string_view(*text));
  } else {
    json.literal("value", text_of(value));
  }
}

std::string describe(const Extractor& extractor) {
  if (const auto* pointer = std::get_if<JsonPointer>(&extractor)) return "json " + pointer->pointer;
  if (const auto* range = std::get_if<ByteRange>(&extractor))
    return std::string(range->of_key ? "key" : "value") + " bytes " + std::to_string(range->offset) +
           (range->bytes == ~std::uint32_t{0} ? "" : "+" + std::to_string(range->bytes));
  if (const auto* field = std::get_if<DelimitedField>(&extractor))
    return std::string(field->of_key ? "key" : "value") + " field " + std::to_string(field->field) + " by " +
           escaped(std::string(1, field->delimiter));
  return "extractor " + std::get_if<UserExtractor>(&extractor)->name;
}

const char* name_of(IndexState state) {
  return state == IndexState::kReady ? "ready" : state == IndexState::kFailed ? "failed" : "building";
}

IndexOptions with_progress(Progress& progress) {
  return {.progress = [&progress](const IndexProgress& now) {
    progress.report(now.records, 0, 0);
    return true;
  }};
}

CommandResult create(Context& context, const IndexCommand& asked, const Command& command) {
  LIGHTNING_ASSIGN(const Extractor what, extractor(context, asked, command));
  LIGHTNING_ASSIGN(Database db, context.open_for_writing(Context::Writing::kManyOperations, false));
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace(db));
  Progress progress(ProgressMode::kAuto, context.options.json, "indexed");
  IndexOptions options = with_progress(progress);
  options.extractor = what;
  options.unique = asked.unique;
  if (asked.leave_out) options.on_extract_failure = OnExtractFailure::kLeaveOut;
  LIGHTNING_TRY(db.create_index(keyspace, asked.name, options));
  progress.clear();
  LIGHTNING_TRY(db.close());
  return ExitCode::kOk;
}

CommandResult rebuild(Context& context, const IndexCommand& asked) {
  LIGHTNING_ASSIGN(Database db, context.open_for_writing(Context::Writing::kManyOperations, false));
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace(db));
  Progress progress(ProgressMode::kAuto, context.options.json, "indexed");
  LIGHTNING_TRY(db.rebuild_index(keyspace, asked.name, with_progress(progress)));
  progress.clear();
  LIGHTNING_TRY(db.close());
  return ExitCode::kOk;
}

CommandResult drop(Context& context, const IndexCommand& asked) {
  LIGHTNING_ASSIGN(Database db, context.open_for_writing(Context::Writing::kOneOperation, false));
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace(db));
  LIGHTNING_TRY(db.drop_index(keyspace, asked.name));
  LIGHTNING_TRY(db.close());
  return ExitCode::kOk;
}

CommandResult list_indexes(Context& context) {
  LIGHTNING_ASSIGN(const Database db, context.open_for_reading());
  for (const IndexInfo& info : db.list_indexes()) {
    if (!context.options.keyspace.empty() && info.keyspace != context.options.keyspace) continue;
    if (context.options.json) {
      JsonText json;
      json.begin_object()
          .field("keyspace", info.keyspace)
          .field("index", info.name)
          .field("state", name_of(info.state));
      json.field("extractor", describe(info.extractor)).field("unique", info.unique);
      json.field("leaves_out", info.on_extract_failure == OnExtractFailure::kLeaveOut).field("bytes", info.bytes);
      if (!info.error.empty()) json.field("error", info.error);
      LIGHTNING_TRY(context.print(json.end_object().text()));
      continue;
    }
    LIGHTNING_TRY(context.print(escaped(info.keyspace) + "\t" + escaped(info.name) + "\t" + name_of(info.state) +
                                (info.unique ? ", unique\t" : "\t") + escaped(describe(info.extractor)) + "\t" +
                                human_bytes(static_cast<double>(info.bytes)) +
                                (info.error.empty() ? "" : "\t" + escaped(info.error))));
  }
  return ExitCode::kOk;
}

Result<IndexQuery> query_of(Context& context, const IndexCommand& asked, const Command& command, bool typed) {
  IndexQuery query;
  const bool bounds = command.given("--from") || command.given("--to");
  if ((command.given("--equals") ? 1 : 0) + (command.given("--prefix") ? 1 : 0) + (bounds ? 1 : 0) > 1)
    return context.usage_error("index query takes --equals, or --prefix, or --from and --to");
  if (command.given("--equals")) {
    LIGHTNING_ASSIGN(const IndexValue value, value_of(asked.equals, typed));
    query = IndexQuery::equal(value);
  }
  if (command.given("--prefix")) {
    LIGHTNING_ASSIGN(query.prefix, parse_bytes(asked.prefix));
  }
  if (command.given("--from")) {
    LIGHTNING_ASSIGN(const IndexValue value, value_of(asked.from, typed));
    query.from = IndexQuery::Bound{value};
  }
  if (command.given("--to")) {
    LIGHTNING_ASSIGN(const IndexValue value, value_of(asked.to, typed));
    query.to = IndexQuery::Bound{value};
  }
  if (command.given("--after")) {
    LIGHTNING_ASSIGN(query.continuation, from_hex(asked.after));
  }
  query.limit = static_cast<std::uint32_t>(asked.limit);
  query.reverse = asked.reverse;
  query.with_records = asked.values;
  return query;
}

// One line for each match. Where the next page begins is said behind them: as a line of its own, or on standard error.
CommandResult query(Context& context, const IndexCommand& asked, const Command& command) {
  LIGHTNING_ASSIGN(const Database db, context.open_for_reading());
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace(db));
  bool typed = true;
  for (const IndexInfo& info : db.list_indexes(keyspace))
    if (info.name == asked.name)
      typed =
          std::holds_alternative<JsonPointer>(info.extractor) || std::holds_alternative<UserExtractor>(info.extractor);
  LIGHTNING_ASSIGN(const IndexQuery how, query_of(context, asked, command, typed));
  LIGHTNING_ASSIGN(const IndexPage page, db.query_index(keyspace, asked.name, how));
  for (const IndexMatch& match : page.matches) {
    if (context.options.json) {
      JsonText json;
      json.begin_object();
      append_value(json, match.value);
      json.field("key", match.key);
      if (how.with_records) json.field("record", match.record);
      LIGHTNING_TRY(context.print(json.end_object().text()));
    } else {
      LIGHTNING_TRY(context.print(text_of(match.value) + "\t" + escaped(match.key) +
                                  (how.with_records ? "\t" + escaped(match.record) : "")));
    }
  }
  if (page.continuation.empty()) return ExitCode::kOk;
  if (context.options.json) {
    JsonText json;
    json.begin_object().field("after", to_hex(page.continuation)).end_object();
    LIGHTNING_TRY(context.print(json.text()));
  } else {
    say("there is more: --after " + to_hex(page.continuation));
  }
  return ExitCode::kOk;
}

CommandResult run(Context& context, const IndexCommand& asked, const Command& command) {
  if (asked.action == "list") return list_indexes(context);
  if (asked.name.empty()) return context.usage_error("index " + asked.action + " takes the name of an index");
  if (asked.action == "create") return create(context, asked, command);
  if (asked.action == "query") return query(context, asked, command);
  if (asked.action == "rebuild") return rebuild(context, asked);
  if (asked.action == "drop") return drop(context, asked);
  return context.usage_error("there is no index " + asked.action + "; choose create, list, query, rebuild or drop");
}

}  // namespace

void add_index_command(CommandLine& line) {
  auto asked = std::make_shared<IndexCommand>();
  Command command = line.add("index", "Makes and asks indexes: create, list, query, rebuild, drop.",
                             "lightning_db index create by_city --path people --json-pointer /address/city\n"
                             "lightning_db index query by_city --path people --equals Oslo\n"
                             "lightning_db index query by_age --path people --from 18 --to 30 --values --json\n"
                             "lightning_db index list --path people");
  command.argument("action", asked->action, "create|list|query|rebuild|drop", "what to do");
  command.optional_argument("name", asked->name, "NAME", "the index");
  command.text("--json-pointer", asked->json_pointer, "POINTER",
               "create: a part of a JSON value, such as /address/city", "Create");
  command.text("--bytes", asked->bytes, "OFFSET[+COUNT]", "create: bytes of the value", "Create");
  command.number("--field", asked->field, "N", "create: the Nth field of the value, from 0", 0, ~std::uint32_t{0},
                 "Create");
  command.text("--delimiter", asked->delimiter, "BYTE", "create: what separates fields, if not a comma", "Create");
  command.flag("--of-key", asked->of_key, "create: bytes or field of the key instead", "Create");
  command.flag("--unique", asked->unique, "create: no two records with the same value", "Create");
  command.flag("--leave-out", asked->leave_out, "create: records that cannot be indexed are left out, not refused",
               "Create");
  command.text("--equals", asked->equals, "VALUE", "query: this value (text:7 for a string that looks like a number)",
               "Query");
  command.text("--prefix", asked->prefix, "VALUE", "query: strings that begin with this", "Query");
  command.text("--from", asked->from, "VALUE", "query: smallest value, inclusive", "Query");
  command.text("--to", asked->to, "VALUE", "query: largest value, inclusive", "Query");
  command.number("--limit", asked->limit, "N", "query: at most this many", 1, 100'000, "Query");
  command.text("--after", asked->after, "TOKEN", "query: go on behind an earlier page", "Query");
  command.flag("--reverse", asked->reverse, "query: from the largest value down", "Query");
  command.flag("--values", asked->values, "query: the records' values, too", "Query");
  command.runs([&line, asked, command] { return run(line.context(), *asked, command); });
}

}  // namespace lightning::cli
