#include "cli/context.h"

#include "cli/bytes_text.h"

namespace lightning::cli {

namespace {

constexpr std::uint64_t kSmallSegmentBytes = 1 << 20;

}  // namespace

Result<LoadedConfig> Context::load() {
  LIGHTNING_ASSIGN(LoadedConfig loaded, load_config(options.config));
  if (!warned_)
    for (const std::string& warning : loaded.warnings) say("warning: " + warning);
  warned_ = true;
  return loaded;
}

Result<LoadedConfig> Context::load_with_path() {
  LIGHTNING_ASSIGN(LoadedConfig loaded, load());
  if (loaded.path.empty())
    return usage_error("no database directory is named: give --path DIR, or set LIGHTNING_DB_PATH");
  return loaded;
}

Result<std::string> Context::database_path() {
  LIGHTNING_ASSIGN(LoadedConfig loaded, load_with_path());
  return std::move(loaded.path);
}

Result<Database> Context::open_for_reading(const OpenOptions& open_options) {
  LIGHTNING_ASSIGN(const LoadedConfig loaded, load_with_path());
  return Database::open_read_only(loaded.path, loaded.config, open_options);
}

Result<Database> Context::open_to_look() {
  LIGHTNING_ASSIGN(LoadedConfig loaded, load_with_path());
  loaded.config.fail_on_corruption = false;
  loaded.config.corruption_action = CorruptionAction::kIsolate;
  return Database::open_read_only(loaded.path, loaded.config);
}

Result<Database> Context::open_for_writing(Writing writing, bool create_if_missing, const OpenOptions& open_options) {
  LIGHTNING_ASSIGN(LoadedConfig loaded, load_with_path());
  loaded.config.create_if_missing &= create_if_missing;
  if (writing == Writing::kOneOperation && loaded.config.wal_segment_bytes == 0)
    loaded.config.wal_segment_bytes = kSmallSegmentBytes;
  return Database::open(loaded.path, loaded.config, open_options);
}

Result<Keyspace> Context::keyspace(const Database& db) const {
  if (options.keyspace.empty()) return db.default_keyspace();
  return db.keyspace(options.keyspace);
}

Result<Keyspace> Context::keyspace_to_write(Database& db) const {
  if (options.keyspace.empty()) return db.default_keyspace();
  return db.get_or_create_keyspace(options.keyspace);
}

Error Context::usage_error(std::string message) {
  usage_failed_ = true;
  return Error(ErrorCode::kInvalidArgument, std::move(message)).with_advice("see lightning_db COMMAND --help");
}

ExitCode Context::exit_code_of_error(const Error& error) const {
  return usage_failed_ ? ExitCode::kUsage : exit_code_of(error.code());
}

void Context::report(const Error& error) const {
  if (!options.json) {
    const std::string text = error.to_string();
    const std::size_t head = text.find(']');
    const bool colored = use_color() && head != std::string::npos;
    say(colored ? "\x1b[1;31m" + text.substr(0, head + 1) + "\x1b[0m" + text.substr(head + 1) : text);
    return;
  }
  const ErrorContext& where = error.context();
  std::string json = "{\"error\":{\"code\":\"LDB-" + std::to_string(static_cast<unsigned>(error.code())) + "\"";
  append_json_bytes(json, "name", name_of(error.code()));
  append_json_bytes(json, "category", name_of(error.category()));
  append_json_bytes(json, "message", error.message());
  append_json_bytes(json, "advice", error.advice());
  if (!where.file.empty()) append_json_bytes(json, "file", where.file);
  if (where.offset != ErrorContext::kNoOffset) json += ",\"offset\":" + std::to_string(where.offset);
  if (!where.key_range.empty()) append_json_bytes(json, "keys", where.key_range);
  if (where.os_error != 0) json += ",\"os_error\":" + std::to_string(where.os_error);
  json += ",\"exit_code\":" + std::to_string(static_cast<unsigned>(exit_code_of_error(error)));
  say(json + "}}");
}

Status Context::print(std::string_view line) const {
  LIGHTNING_TRY(Output::standard().write(line));
  return Output::standard().write("\n");
}

}  // namespace lightning::cli
