// put, get, delete: one key.

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
  std::string key, value, value_file;
  bool sync = false;
};

Result<std::string> read_whole(const std::string& path) {
  LIGHTNING_ASSIGN(const auto input, open_input(path));
  std::string bytes;
  for (;;) {
    LIGHTNING_ASSIGN(const std::string_view some, input->peek());
    if (some.empty()) return bytes;
    if (bytes.size() + some.size() > kValueBytesMax)
      return Error(ErrorCode::kValueTooLarge, "the value is longer than " + human_bytes(kValueBytesMax)).at_file(path);
    bytes += some;
    input->consume(some.size());
  }
}

CommandResult put(Context& context, const PutOptions& options, bool has_value) {
  if (has_value == !options.value_file.empty()) return context.usage_error("give either a value or --value-file FILE");
  LIGHTNING_ASSIGN(const std::string key, parse_bytes(options.key));
  LIGHTNING_ASSIGN(const std::string value, has_value ? parse_bytes(options.value) : read_whole(options.value_file));
  LIGHTNING_ASSIGN(Database db, context.open_for_writing(Context::Writing::kOneOperation, true));
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace_to_write(db));
  LIGHTNING_TRY(db.put(keyspace, key, value, write_options(options.sync)));
  LIGHTNING_TRY(db.close());  // durable in every mode
  return ExitCode::kOk;
}

struct GetOptions {
  std::string key;
  bool raw = false, hex = false, base64 = false;
};

Status print_value(Context& context, const GetOptions& options, std::string_view key, std::string_view value) {
  if (context.options.json) {
    std::string line;
    append_jsonl(line, context.options.keyspace, key, value);
    return context.print(line);
  }
  if (options.hex) return context.print(to_hex(value));
  if (options.base64) return context.print(to_base64(value));
  if (options.raw) return Output::standard().write(value);
  if (Output::standard().is_terminal()) return context.print(escaped(value));
  return context.print(value);
}

CommandResult get(Context& context, const GetOptions& options) {
  LIGHTNING_ASSIGN(const std::string key, parse_bytes(options.key));
  LIGHTNING_ASSIGN(const Database db, context.open_for_reading());
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace(db));
  PinnedValue value;
  LIGHTNING_TRY(db.get(keyspace, key, value));
  if (!value.found()) return Error(ErrorCode::kKeyNotFound, "there is no key " + escaped(key));
  LIGHTNING_TRY(print_value(context, options, key, value.value()));
  return ExitCode::kOk;
}

struct DeleteOptions {
  std::string key;
  bool sync = false;
};

CommandResult erase(Context& context, const DeleteOptions& options) {
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
                             "lightning_db put --path orders logo --value-file logo.png");
  command.argument("key", options->key, "KEY", kKeyHelp);
  command.optional_argument("value", options->value, "VALUE", kKeyHelp);
  command.text("--value-file", options->value_file, "FILE", "take the value from a file, or from standard input (-)");
  command.flag("--sync", options->sync, kSyncHelp);
  command.runs([&line, options, command] { return put(line.context(), *options, command.given("value")); });
}

void add_get(CommandLine& line) {
  auto options = std::make_shared<GetOptions>();
  Command command = line.add("get", "Prints the value of a key. Exit status 12: there is no such key.",
                             "lightning_db get --path orders id:7\n"
                             "lightning_db get --path orders --raw logo > logo.png\n"
                             "lightning_db get --path orders --hex hex:00ff01");
  command.argument("key", options->key, "KEY", kKeyHelp);
  command.flag("--raw", options->raw, "the bytes alone, without a line end");
  command.flag("--hex", options->hex, "print as hexadecimal");
  command.flag("--base64", options->base64, "print as base64");
  command.exclusive({"--raw", "--hex", "--base64"});
  command.runs([&line, options] { return get(line.context(), *options); });
}

void add_delete(CommandLine& line) {
  auto options = std::make_shared<DeleteOptions>();
  Command command =
      line.add("delete", "Removes a key. A key that is absent is no error.", "lightning_db delete --path orders id:7");
  command.argument("key", options->key, "KEY", kKeyHelp);
  command.flag("--sync", options->sync, kSyncHelp);
  command.runs([&line, options] { return erase(line.context(), *options); });
}

}  // namespace

void add_point_commands(CommandLine& line) {
  add_put(line);
  add_get(line);
  add_delete(line);
}

}  // namespace lightning::cli
