// keyspace: what keyspaces there are, with what options.
#include "api/settings.h"
#include "cli/bytes_text.h"
#include "cli/commands.h"

namespace lightning::cli {

namespace {

struct KeyspaceChoice {
  std::string action, name, default_ttl, blob_threshold;
  KeyspaceOptions options;
};

std::string json_of(const Keyspace& keyspace) {
  const KeyspaceOptions& options = keyspace.options();
  std::string line = "{";
  append_json_bytes(line, "name", keyspace.name());
  if (!options.merge_operator.empty()) append_json_bytes(line, "merge_operator", options.merge_operator);
  if (options.default_ttl.count() > 0) line += ",\"default_ttl_ms\":" + std::to_string(options.default_ttl.count());
  if (options.counted) line += ",\"counted\":true";
  if (options.blob_threshold) line += ",\"blob_threshold\":" + std::to_string(*options.blob_threshold);
  return line + "}";
}

std::string text_of(const Keyspace& keyspace) {
  const KeyspaceOptions& options = keyspace.options();
  std::string line = escaped(keyspace.name());
  if (!options.merge_operator.empty()) line += "  merge-operator=" + escaped(options.merge_operator);
  if (options.default_ttl.count() > 0) line += "  default-ttl=" + std::to_string(options.default_ttl.count()) + "ms";
  if (options.counted) line += "  counted";
  if (options.blob_threshold)
    line += "  blob-threshold=" + (*options.blob_threshold == 0 ? "never" : std::to_string(*options.blob_threshold));
  return line;
}

CommandResult list(Context& context) {
  LIGHTNING_ASSIGN(const Database db, context.open_for_reading());
  for (const std::string& name : db.keyspaces()) {
    LIGHTNING_ASSIGN(const Keyspace keyspace, db.keyspace(name));
    LIGHTNING_TRY(context.print(context.options.json ? json_of(keyspace) : text_of(keyspace)));
  }
  return ExitCode::kOk;
}

CommandResult create(Context& context, KeyspaceChoice choice) {
  if (!choice.default_ttl.empty()) {
    LIGHTNING_ASSIGN(choice.options.default_ttl, parse_duration(choice.default_ttl));
  }
  if (!choice.blob_threshold.empty()) {
    const api::Setting& setting = *api::find_setting("blob_threshold");
    LIGHTNING_ASSIGN(choice.options.blob_threshold, api::parse_setting(setting, choice.blob_threshold, 0));
  }
  LIGHTNING_ASSIGN(Database db, context.open_for_writing(Context::Writing::kOneOperation, true));
  LIGHTNING_TRY(db.create_keyspace(choice.name, choice.options));
  LIGHTNING_TRY(db.close());
  return ExitCode::kOk;
}

CommandResult drop(Context& context, const std::string& name) {
  LIGHTNING_ASSIGN(Database db, context.open_for_writing(Context::Writing::kOneOperation, false));
  LIGHTNING_TRY(db.drop_keyspace(name));
  LIGHTNING_TRY(db.close());
  return ExitCode::kOk;
}

CommandResult run(Context& context, const KeyspaceChoice& choice, bool named) {
  if (choice.action == "list") {
    if (named) return context.usage_error("keyspace list takes no name");
    return list(context);
  }
  if (choice.action != "create" && choice.action != "drop")
    return context.usage_error("unknown action " + choice.action + "; there are create, list and drop");
  if (!named) return context.usage_error("the name of the keyspace to " + choice.action + " is missing");
  return choice.action == "create" ? create(context, choice) : drop(context, choice.name);
}

}  // namespace

void add_keyspace_command(CommandLine& line) {
  auto choice = std::make_shared<KeyspaceChoice>();
  Command command = line.add("keyspace", "Creates, lists and drops keyspaces. What is dropped is gone for good.",
                             "lightning_db keyspace create hits --path site --merge-operator add\n"
                             "lightning_db keyspace create sessions --path site --default-ttl 30m\n"
                             "lightning_db keyspace list --path site --json");
  command.argument("action", choice->action, "create|list|drop", "what to do");
  command.optional_argument("name", choice->name, "NAME", "the keyspace");
  command.text("--merge-operator", choice->options.merge_operator, "NAME",
               "create: how merge changes a value: add, append, min or max");
  command.text("--default-ttl", choice->default_ttl, "DURATION",
               "create: how long records live that are put without a time: 30s, 15m, 12h, 7d");
  command.flag("--counted", choice->options.counted, "create: keep an exact count of the records");
  command.text("--blob-threshold", choice->blob_threshold, "SIZE",
               "create: size from which on values lie in blob files: 64KiB, 1MB, never");
  command.runs([&line, choice, command] { return run(line.context(), *choice, command.given("name")); });
}

}  // namespace lightning::cli
