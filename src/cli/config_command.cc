// config: the effective settings and where each came from; what settings there are.

#include "cli/bytes_text.h"
#include "cli/commands.h"

namespace lightning::cli {

namespace {

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

// As a configuration file has it: quoted, where it could be taken for something else.
std::string in_yaml(const std::string& value) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";
  if (!value.empty() && value.front() != '-' && value.find_first_not_of(kPlain) == std::string::npos) return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// A valid configuration file, with origins as comments.
Status print_text(const LoadedConfig& loaded) {
  std::string text;
  if (!loaded.path.empty()) text += padded("path: " + loaded.path, 44) + "  # " + loaded.path_origin + "\n";
  for (const SettingValue& setting : loaded.settings)
    text += padded(setting.name + ": " + in_yaml(setting.value), 44) + "  # " + setting.origin + "\n";
  return Output::standard().write(text);
}

Status print_json(Context& context, const LoadedConfig& loaded) {
  JsonText json;
  json.begin_object();
  json.begin_object("path").field("value", loaded.path).field("origin", loaded.path_origin).end_object();
  json.begin_object("settings");
  for (const SettingValue& setting : loaded.settings)
    json.begin_object(setting.name).field("value", setting.value).field("origin", setting.origin).end_object();
  json.end_object().begin_array("warnings");
  for (const std::string& warning : loaded.warnings) json.begin_object().field("message", warning).end_object();
  json.end_array().end_object();
  return context.print(json.text());
}

Status describe_text() {
  std::string text;
  for (const SettingDescription& setting : describe_settings()) {
    text += setting.name + "  (" + setting.type + ")\n";
    text += "    " + setting.description + "\n";
    text += "    default " + setting.default_value + "; allowed " + setting.range + "\n";
  }
  return Output::standard().write(text);
}

Status describe_json(Context& context) {
  JsonText json;
  json.begin_array();
  for (const SettingDescription& setting : describe_settings()) {
    json.begin_object().field("name", setting.name).field("type", setting.type).field("unit", setting.unit);
    json.field("default", setting.default_value).field("range", setting.range);
    json.field("description", setting.description).end_object();
  }
  json.end_array();
  return context.print(json.text());
}

CommandResult show(Context& context, bool describe) {
  if (describe) {
    LIGHTNING_TRY(context.options.json ? describe_json(context) : describe_text());
    return ExitCode::kOk;
  }
  LIGHTNING_ASSIGN(const LoadedConfig loaded, context.load());
  LIGHTNING_TRY(context.options.json ? print_json(context, loaded) : print_text(loaded));
  return ExitCode::kOk;
}

}  // namespace

void add_config_command(CommandLine& line) {
  auto describe = std::make_shared<bool>(false);
  Command command = line.add("config", "Shows the effective settings and where each came from.",
                             "lightning_db config --config prod.yaml\n"
                             "LIGHTNING_CACHE_SIZE=25% lightning_db config --preset production\n"
                             "lightning_db config --describe");
  command.flag("--describe", *describe, "list all settings with type, default, range and meaning");
  command.runs([&line, describe] { return show(line.context(), *describe); });
}

}  // namespace lightning::cli
