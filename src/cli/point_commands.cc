// put, get, delete, merge, ttl: one key.

#include <array>
#include <charconv>

#include "base/coding.h"
#include "cli/bytes_text.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/records.h"

namespace lightning::cli {

namespace {

constexpr const char* kKeyHelp = "text, hex:... or base64:... (text:... for text that begins like these)";
constexpr const char* kSyncHelp = "wait for the disk whatever the sync mode is";

WriteOptions write_options(bool sync) { return {.durability = sync ? Durability::kSync : Durability::kDefault}; }

struct PutOptions {
  std::string key, value, value_file, ttl;
  bool sync = false;
};

// Piece by piece: a file of any size that a value may have needs little memory.
Status put_file(Database& db, const Keyspace& keyspace, std::string_view key, Input& input,
                const WriteOptions& options) {
  LIGHTNING_ASSIGN(ValueWriter writer, db.put_stream(keyspace, key));
  for (;;) {
    LIGHTNING_ASSIGN(const std::string_view some, input.peek());
    if (some.empty()) return writer.commit(options);
    if (Status taken = writer.append(some); !taken) {
      const bool too_long = taken.error().code() == ErrorCode::kValueTooLarge;
      return too_long ? std::move(taken).error().at_file(input.name()) : std::move(taken).error();
    }
    input.consume(some.size());
  }
}

CommandResult put(Context& context, const PutOptions& options, bool has_value) {
  if (has_value == !options.value_file.empty()) return context.usage_error("give either a value or --value-file FILE");
  LIGHTNING_ASSIGN(const std::string key, parse_bytes(options.key));
  std::string value;
  std::unique_ptr<Input> input;
  if (has_value) {
    LIGHTNING_ASSIGN(value, parse_bytes(options.value));
  } else {
    LIGHTNING_ASSIGN(input, open_input(options.value_file));
    LIGHTNING_TRY(input->peek());  // what cannot be read is said before a database is made for it
  }
  WriteOptions writing = write_options(options.sync);
  if (!options.ttl.empty()) {
    LIGHTNING_ASSIGN(writing.ttl, parse_duration(options.ttl));
  }
  LIGHTNING_ASSIGN(Database db, context.open_for_writing(Context::Writing::kOneOperation, true));
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace_to_write(db));
  LIGHTNING_TRY(input ? put_file(db, keyspace, key, *input, writing) : db.put(keyspace, key, value, writing));
  LIGHTNING_TRY(db.close());  // durable in every mode
  return ExitCode::kOk;
}

struct GetOptions {
  std::string key, output;
  bool raw = false, hex = false, base64 = false, number = false;
};

Status print_value(Context& context, const GetOptions& options, std::string_view key, std::string_view value) {
  if (context.options.json) {
    std::string line;
    append_jsonl(line, context.options.keyspace, key, value);
    return context.print(line);
  }
  if (options.number) {
    if (value.size() != sizeof(std::int64_t))
      return Error(ErrorCode::kInvalidArgument,
                   "the value has " + std::to_string(value.size()) + " bytes, a 64-bit integer has 8");
    return context.print(std::to_string(static_cast<std::int64_t>(base::load_le<std::uint64_t>(value.data()))));
  }
  if (options.hex) return context.print(to_hex(value));
  if (options.base64) return context.print(to_base64(value));
  if (Output::standard().is_terminal()) return context.print(escaped(value));
  return context.print(value);
}

// The bytes alone, piece by piece.
Status copy_value(const Database& db, const Keyspace& keyspace, std::string_view key, const std::string& path) {
  LIGHTNING_ASSIGN(std::optional<ValueReader> reader, db.get_stream(keyspace, key));
  if (!reader) return Error(ErrorCode::kKeyNotFound, "there is no key " + escaped(key));
  std::unique_ptr<Output> file;
  if (!path.empty()) {
    LIGHTNING_ASSIGN(file, Output::create(path));
  }
  Output& output = file ? *file : Output::standard();
  std::array<char, 64 << 10> piece{};
  for (std::uint64_t at = 0; at < reader->size();) {
    const std::span<char> into(piece.data(), std::min<std::uint64_t>(piece.size(), reader->size() - at));
    LIGHTNING_TRY(reader->read(at, into));
    LIGHTNING_TRY(output.write({into.data(), into.size()}));
    at += into.size();
  }
  return file ? file->commit() : Status();
}

CommandResult get(Context& context, const GetOptions& options) {
  LIGHTNING_ASSIGN(const std::string key, parse_bytes(options.key));
  LIGHTNING_ASSIGN(const Database db, context.open_for_reading());
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace(db));
  if (!options.output.empty() || (options.raw && !context.options.json)) {
    LIGHTNING_TRY(copy_value(db, keyspace, key, options.output == "-" ? std::string() : options.output));
    return ExitCode::kOk;
  }
  PinnedValue value;
  LIGHTNING_TRY(db.get(keyspace, key, value));
  if (!value.found()) return Error(ErrorCode::kKeyNotFound, "there is no key " + escaped(key));
  LIGHTNING_TRY(print_value(context, options, key, value.value()));
  return ExitCode::kOk;
}

struct MergeOptions {
  std::string key, operand;
  bool sync = false;
};

// What add, min and max take is written as a number; for other operators, as bytes.
Result<std::string> parse_operand(const Keyspace& keyspace, const std::string& text) {
  const std::string& name = keyspace.options().merge_operator;
  const bool prefixed = text.starts_with("hex:") || text.starts_with("base64:") || text.starts_with("text:");
  if (prefixed || (name != "add" && name != "min" && name != "max")) return parse_bytes(text);
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + (text.starts_with('+') ? 1 : 0), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end)
    return Error(ErrorCode::kInvalidArgument, "'" + escaped(text) + "' is not a 64-bit integer, which '" + name +
                                                  "', the merge operator of this keyspace, takes");
  std::string bytes;
  base::append_le(bytes, static_cast<std::uint64_t>(number));
  return bytes;
}

CommandResult merge(Context& context, const MergeOptions& options) {
  LIGHTNING_ASSIGN(const std::string key, parse_bytes(options.key));
  LIGHTNING_ASSIGN(Database db, context.open_for_writing(Context::Writing::kOneOperation, false));
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace(db));
  LIGHTNING_ASSIGN(const std::string operand, parse_operand(keyspace, options.operand));
  LIGHTNING_TRY(db.merge(keyspace, key, operand, write_options(options.sync)));
  LIGHTNING_TRY(db.close());
  return ExitCode::kOk;
}

CommandResult ttl(Context& context, const std::string& key_text) {
  LIGHTNING_ASSIGN(const std::string key, parse_bytes(key_text));
  LIGHTNING_ASSIGN(const Database db, context.open_for_reading());
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace(db));
  LIGHTNING_ASSIGN(const TimeToLive ttl, db.ttl(keyspace, key));
  if (!ttl.found) return Error(ErrorCode::kKeyNotFound, "there is no key " + escaped(key));
  const auto ms = [](const auto& time) { return time ? std::to_string(time->count()) : std::string("null"); };
  if (context.options.json) {
    LIGHTNING_TRY(
        context.print("{\"expires_at\":" + ms(ttl.expires_at) + ",\"remaining_ms\":" + ms(ttl.remaining) + "}"));
  } else {
    LIGHTNING_TRY(context.print(ttl.remaining ? ms(ttl.remaining) + "ms" : "never"));
  }
  return ExitCode::kOk;
}

struct DeleteOptions {
  std::string key;
  RangeOptions range;
  bool all = false, sync = false;
};

CommandResult erase_range(Context& context, const DeleteOptions& options) {
  LIGHTNING_ASSIGN(const KeyRange range, key_range(options.range));
  LIGHTNING_ASSIGN(Database db, context.open_for_writing(Context::Writing::kOneOperation, false));
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace(db));
  LIGHTNING_TRY(db.erase_range(keyspace, range, write_options(options.sync)));
  LIGHTNING_TRY(db.close());
  return ExitCode::kOk;
}

CommandResult erase(Context& context, const DeleteOptions& options, bool has_key) {
  const RangeOptions& range = options.range;
  const bool bounded = !range.prefix.empty() || !range.start.empty() || !range.end.empty();
  if (has_key + bounded + options.all != 1)
    return context.usage_error("give either a key, or --prefix, --start and --end, or --all");
  if (!has_key) return erase_range(context, options);
  LIGHTNING_ASSIGN(const std::string key, parse_bytes(options.key));
  LIGHTNING_ASSIGN(Database db, context.open_for_writing(Context::Writing::kOneOperation, false));
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace(db));
  LIGHTNING_TRY(db.erase(keyspace, key, write_options(options.sync)));
  LIGHTNING_TRY(db.close());
  return ExitCode::kOk;
}

void add_put(CommandLine& line) {
  auto options = std::make_shared<PutOptions>();
  Command command = line.add("put", "Sets the value of a key; makes database and keyspace if they are new.",
                             "lightning_db put --path orders id:7 paid\n"
                             "lightning_db put --path orders hex:00ff01 base64:AP8B\n"
                             "lightning_db put --path orders logo --value-file logo.png\n"
                             "lightning_db put --path orders session:9 token --ttl 30m");
  command.argument("key", options->key, "KEY", kKeyHelp);
  command.optional_argument("value", options->value, "VALUE", kKeyHelp);
  command.text("--value-file", options->value_file, "FILE", "take the value from a file, or from standard input (-)");
  command.text("--ttl", options->ttl, "DURATION", "time to live: 250ms, 30s, 15m, 12h, 7d; then the key is gone");
  command.flag("--sync", options->sync, kSyncHelp);
  command.runs([&line, options, command] { return put(line.context(), *options, command.given("value")); });
}

void add_get(CommandLine& line) {
  auto options = std::make_shared<GetOptions>();
  Command command = line.add("get", "Prints the value of a key. Exit status 12: there is no such key.",
                             "lightning_db get --path orders id:7\n"
                             "lightning_db get --path orders --output logo.png logo\n"
                             "lightning_db get --path orders --hex hex:00ff01");
  command.argument("key", options->key, "KEY", kKeyHelp);
  command.text("--output", options->output, "FILE", "write the bytes to a file, or to standard output (-)");
  command.flag("--raw", options->raw, "the bytes alone, without a line end");
  command.flag("--number", options->number, "print 8 bytes as a signed integer, as add, min and max keep them");
  command.flag("--hex", options->hex, "print as hexadecimal");
  command.flag("--base64", options->base64, "print as base64");
  command.exclusive({"--output", "--raw", "--hex", "--base64", "--number"});
  command.runs([&line, options] { return get(line.context(), *options); });
}

void add_delete(CommandLine& line) {
  auto options = std::make_shared<DeleteOptions>();
  Command command = line.add("delete", "Removes a key, or all keys of a range at once. What is absent is no error.",
                             "lightning_db delete --path orders id:7\n"
                             "lightning_db delete --path orders --prefix pending:\n"
                             "lightning_db delete --path orders --start 2024-01 --end 2025-01");
  command.optional_argument("key", options->key, "KEY", kKeyHelp);
  add_range_options(command, options->range);
  command.flag("--all", options->all, "every key of the keyspace");
  command.flag("--sync", options->sync, kSyncHelp);
  command.runs([&line, options, command] { return erase(line.context(), *options, command.given("key")); });
}

void add_merge(CommandLine& line) {
  auto options = std::make_shared<MergeOptions>();
  Command command = line.add("merge", "Changes a value by the keyspace's merge operator, without reading it.",
                             "lightning_db keyspace create hits --path site --merge-operator add\n"
                             "lightning_db merge --path site --keyspace hits front-page 1\n"
                             "lightning_db get --path site --keyspace hits --number front-page");
  command.argument("key", options->key, "KEY", kKeyHelp);
  command.argument("operand", options->operand, "OPERAND", "an integer for add, min and max; else bytes, as a value");
  command.flag("--sync", options->sync, kSyncHelp);
  command.runs([&line, options] { return merge(line.context(), *options); });
}

void add_ttl(CommandLine& line) {
  auto key = std::make_shared<std::string>();
  Command command = line.add("ttl", "Prints how long a key still lives. Exit status 12: there is no such key.",
                             "lightning_db ttl --path orders session:9\n"
                             "lightning_db ttl --path orders --json session:9");
  command.argument("key", *key, "KEY", kKeyHelp);
  command.runs([&line, key] { return ttl(line.context(), *key); });
}

}  // namespace

void add_point_commands(CommandLine& line) {
  add_put(line);
  add_get(line);
  add_delete(line);
  add_merge(line);
  add_ttl(line);
}

}  // namespace lightning::cli
