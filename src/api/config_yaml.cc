#include "api/config_yaml.h"

#ifdef LIGHTNING_WITH_YAML
#include <yaml-cpp/yaml.h>
#endif

namespace lightning::api {

#ifdef LIGHTNING_WITH_YAML

namespace {

int line_of(const YAML::Node& node) { return node.Mark().line + 1; }

Error malformed(const std::string& file_name, int line, const std::string& what) {
  return Error(ErrorCode::kConfigInvalid, file_name + ":" + std::to_string(line) + ": " + what)
      .with_advice("write one `name: value` per line; `lightning_db config --describe` lists the names");
}

// {Periodic: {interval_ms: 100}} or {Periodic: {interval: 100ms}} as "Periodic(100ms)"; empty if it is neither.
std::string sync_mode_text(const YAML::Node& node) {
  if (!node.IsMap() || node.size() != 1) return "";
  const auto mode = *node.begin();
  if (!mode.first.IsScalar() || !mode.second.IsMap() || mode.second.size() != 1) return "";
  const auto interval = *mode.second.begin();
  if (!interval.first.IsScalar() || !interval.second.IsScalar()) return "";
  const std::string& name = interval.first.Scalar();
  if (name != "interval_ms" && name != "interval") return "";
  return mode.first.Scalar() + "(" + interval.second.Scalar() + (name == "interval_ms" ? "ms)" : ")");
}

Result<std::string> value_text(const FileSetting& setting, const YAML::Node& value, const std::string& file_name) {
  if (value.IsScalar()) return value.Scalar();
  if (setting.name == "wal_sync_mode")
    if (std::string text = sync_mode_text(value); !text.empty()) return text;
  return malformed(file_name, setting.line,
                   setting.name + (value.IsNull() ? " has no value" : " must have a single value"));
}

Result<std::vector<FileSetting>> settings_of(const YAML::Node& root, const std::string& file_name) {
  std::vector<FileSetting> settings;
  if (root.IsNull()) return settings;  // an empty file changes nothing
  if (!root.IsMap()) return malformed(file_name, line_of(root), "a configuration is a list of `name: value`");
  for (const auto& pair : root) {
    FileSetting setting;
    setting.line = line_of(pair.first);
    if (!pair.first.IsScalar()) return malformed(file_name, setting.line, "the name of a setting must be a word");
    setting.name = pair.first.Scalar();
    LIGHTNING_ASSIGN(setting.value, value_text(setting, pair.second, file_name));
    settings.push_back(std::move(setting));
  }
  return settings;
}

}  // namespace

Result<std::vector<FileSetting>> parse_config_yaml(std::string_view text, const std::string& file_name) {
  try {
    return settings_of(YAML::Load(std::string(text)), file_name);
  } catch (const YAML::Exception& e) {
    return malformed(file_name, e.mark.line + 1, "not valid YAML (" + e.msg + ")");
  }
}

#else

Result<std::vector<FileSetting>> parse_config_yaml(std::string_view, const std::string& file_name) {
  return Error(ErrorCode::kNotSupported, "this build cannot read the configuration file " + file_name)
      .with_advice("build with LIGHTNING_WITH_YAML, or use environment variables and --set");
}

#endif

}  // namespace lightning::api
