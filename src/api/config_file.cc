// Layers of configuration, weakest first: each source overwrites values and their origins; rules are checked at the
// end.
#include "lightning/config_file.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "api/config_rules.h"
#include "api/config_yaml.h"
#include "api/near_miss.h"
#include "api/settings.h"
#include "env/env.h"

namespace lightning {

namespace api {
namespace {

using Variables = std::map<std::string, std::string>;

constexpr std::string_view kPrefix = "LIGHTNING_";
// Variables with the prefix that are no settings.
constexpr std::string_view kOtherVariables[] = {"LIGHTNING_DB_PATH", "LIGHTNING_CONFIG", "LIGHTNING_PRESET",
                                                "LIGHTNING_LOG"};

// Names of earlier versions: accepted, checked as a switch, without effect.
struct RetiredSetting {
  std::string_view name, why;
};
constexpr RetiredSetting kRetired[] = {{"use_improved_wal", "there is one write-ahead log now"}};

struct Preset {
  std::string_view name;
  LightningDbConfig (*make)();
};
constexpr Preset kPresets[] = {{"production", LightningDbConfig::production},
                               {"high_throughput", LightningDbConfig::high_throughput},
                               {"high_durability", LightningDbConfig::high_durability},
                               {"low_memory", LightningDbConfig::low_memory}};

Variables process_environment() {
  Variables variables;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

std::string variable_of(std::string_view name) {
  std::string variable(kPrefix);
  for (char c : name) variable += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return variable;
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const Setting& setting : settings_table()) names.emplace_back(setting.name);
  return names;
}

Error unknown(const std::string& place, const std::string& kind, const std::string& name,
              const std::vector<std::string>& candidates) {
  const std::string close = near_miss(name, candidates);
  return Error(ErrorCode::kConfigInvalid, place + ": unknown " + kind + " " + name)
      .with_advice(close.empty() ? "`lightning_db config --describe` lists the settings"
                                 : "did you mean " + close + "?");
}

// "Periodic(100ms)", "periodic:100ms" -> "Periodic" and "100ms". Any other text: itself and nothing.
std::pair<std::string, std::string> split_sync_mode(const std::string& text) {
  const std::size_t cut = text.find_first_of("(:");
  if (cut == std::string::npos) return {text, ""};
  std::string interval = text.substr(cut + 1);
  if (text[cut] == '(' && !interval.empty() && interval.back() == ')') interval.pop_back();
  return {text.substr(0, cut), interval};
}

// What is being built up: a configuration, and where each of its values came from.
class Layers {
 public:
  explicit Layers(LoadedConfig& into) : into_(into), memory_bytes_(env::machine_limits().memory_bytes) {}

  Status apply_preset(const std::string& name) {
    if (name.empty()) return {};
    LIGHTNING_ASSIGN(const LightningDbConfig preset, preset_config(name));
    const LightningDbConfig standard;
    for (const Setting& setting : settings_table())  // none of them sets a text
      if (setting.get(preset) != setting.get(standard)) put(setting, setting.get(preset), "preset " + name);
    return {};
  }

  Status apply_file(const std::vector<FileSetting>& settings, const std::string& file_name) {
    std::map<std::string, int> seen;
    for (const FileSetting& setting : settings) {
      const std::string place = file_name + ":" + std::to_string(setting.line);
      if (const auto [first, fresh] = seen.emplace(setting.name, setting.line); !fresh)
        return Error(ErrorCode::kConfigInvalid,
                     place + ": " + setting.name + " is already set in line " + std::to_string(first->second))
            .with_advice("remove one of the two lines");
      if (setting.name == "preset") continue;  // was applied below the file
      if (setting.name == "path") {
        set_path(setting.value, "file " + place);
        continue;
      }
      LIGHTNING_TRY(apply(setting.name, setting.value, "file " + place));
    }
    return {};
  }

  Status apply_environment(const Variables& variables) {
    for (const auto& [variable, value] : variables) {
      if (!variable.starts_with(kPrefix) || std::ranges::find(kOtherVariables, variable) != std::end(kOtherVariables))
        continue;
      std::string name;
      for (const Setting& setting : settings_table())
        if (variable_of(setting.name) == variable) name = setting.name;
      for (const RetiredSetting& retired : kRetired)
        if (variable_of(retired.name) == variable) name = retired.name;
      if (name.empty()) return unknown_variable(variable);
      LIGHTNING_TRY(apply(name, value, "environment " + variable));
    }
    for (const char* variable : {"DB_PATH", "LIGHTNING_DB_PATH"})
      if (const auto found = variables.find(variable); found != variables.end() && !found->second.empty())
        set_path(found->second, std::string("environment ") + variable);
    return {};
  }

  Status apply_assignments(const std::vector<std::string>& assignments) {
    for (const std::string& assignment : assignments) {
      const std::size_t equals = assignment.find('=');
      if (equals == std::string::npos)
        return Error(ErrorCode::kConfigInvalid, "command line: \"" + assignment + "\" is not of the form name=value");
      LIGHTNING_TRY(apply(assignment.substr(0, equals), assignment.substr(equals + 1), "command line"));
    }
    return {};
  }

  void set_path(const std::string& path, const std::string& origin) {
    into_.path = path;
    into_.path_origin = origin;
  }

  Status finish() {
    const auto origin_of = [&](std::string_view name) {
      return origins_.contains(name) ? origins_.find(name)->second : "default";
    };
    LIGHTNING_TRY(check_rules(into_.config, origin_of));
    for (const Setting& setting : settings_table())
      into_.settings.push_back(
          {std::string(setting.name), print_setting_of(setting, into_.config), origin_of(setting.name)});
    return {};
  }

 private:
  Status apply(const std::string& name, const std::string& value, const std::string& origin) {
    const std::string place = origin.starts_with("file ") ? origin.substr(5) : origin;
    if (is_retired(name, origin)) return {};
    const Setting* setting = find_setting(name);
    if (setting == nullptr) return unknown(place, "setting", name, setting_names());
    if (name != "wal_sync_mode") return parse_and_put(*setting, value, place, origin);
    const auto [mode, interval] = split_sync_mode(value);
    LIGHTNING_TRY(parse_and_put(*setting, mode, place, origin));
    if (interval.empty()) return {};
    if (into_.config.wal_sync_mode != WalSyncMode::kPeriodic)
      return Error(ErrorCode::kConfigInvalid,
                   place + ": " + name + " = \"" + value + "\": only periodic takes an interval");
    return parse_and_put(*find_setting("wal_sync_interval"), interval, place, origin);
  }

  Status parse_and_put(const Setting& setting, const std::string& text, const std::string& place,
                       const std::string& origin) {
    if (Status assigned = assign_setting(setting, text, memory_bytes_, into_.config); !assigned)
      return std::move(assigned).error().while_doing(place);
    origins_.insert_or_assign(std::string(setting.name), origin);
    return {};
  }

  void put(const Setting& setting, std::uint64_t value, const std::string& origin) {
    setting.set(into_.config, value);
    origins_.insert_or_assign(std::string(setting.name), origin);
  }

  bool is_retired(const std::string& name, const std::string& origin) {
    const auto* const retired = std::ranges::find(kRetired, name, &RetiredSetting::name);
    if (retired == std::end(kRetired)) return false;
    into_.warnings.push_back(origin + ": " + name + " is deprecated and has no effect: " + std::string(retired->why));
    return true;
  }

  static Error unknown_variable(const std::string& variable) {
    std::vector<std::string> names(std::begin(kOtherVariables), std::end(kOtherVariables));
    for (const Setting& setting : settings_table()) names.push_back(variable_of(setting.name));
    return unknown("environment", "variable", variable, names);
  }

  LoadedConfig& into_;
  std::uint64_t memory_bytes_;
  std::map<std::string, std::string, std::less<>> origins_;
};

std::string value_of(const Variables& variables, const char* name) {
  const auto found = variables.find(name);
  return found == variables.end() ? "" : found->second;
}

Result<LoadedConfig> load_layers(const ConfigSources& sources, const Variables& variables,
                                 const std::vector<FileSetting>& file, const std::string& file_name) {
  std::string preset = sources.preset.empty() ? value_of(variables, "LIGHTNING_PRESET") : sources.preset;
  for (const FileSetting& setting : file)
    if (preset.empty() && setting.name == "preset") preset = setting.value;

  LoadedConfig loaded;
  Layers layers(loaded);
  LIGHTNING_TRY(layers.apply_preset(preset));
  LIGHTNING_TRY(layers.apply_file(file, file_name));
  LIGHTNING_TRY(layers.apply_environment(variables));
  LIGHTNING_TRY(layers.apply_assignments(sources.assignments));
  if (!sources.path.empty()) layers.set_path(sources.path, "command line");
  LIGHTNING_TRY(layers.finish());
  return loaded;
}

}  // namespace
}  // namespace api

std::vector<SettingDescription> describe_settings() {
  static constexpr std::string_view kTypes[] = {"size", "count", "duration", "switch", "choice", "text"};
  static constexpr std::string_view kUnits[] = {"bytes", "", "milliseconds", "", "", ""};
  const LightningDbConfig standard;
  std::vector<SettingDescription> all;
  for (const api::Setting& setting : api::settings_table()) {
    const auto kind = static_cast<std::size_t>(setting.kind);
    all.push_back({std::string(setting.name), std::string(kTypes[kind]), std::string(kUnits[kind]),
                   api::print_setting_of(setting, standard), api::print_range(setting),
                   std::string(setting.description)});
  }
  return all;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const api::Preset& preset : api::kPresets) names.emplace_back(preset.name);
  return names;
}

Result<LightningDbConfig> preset_config(std::string_view name) {
  std::string wanted(name);
  std::ranges::replace(wanted, '-', '_');
  for (const api::Preset& preset : api::kPresets)
    if (preset.name == wanted) return preset.make();
  if (wanted == "default") return LightningDbConfig{};
  std::string names;
  for (const std::string& known : preset_names()) names += (names.empty() ? "" : ", ") + known;
  return Error(ErrorCode::kConfigInvalid, "unknown preset " + std::string(name))
      .with_advice("there are: " + names + ", default");
}

Result<LoadedConfig> load_config_text(const ConfigSources& sources, std::string_view yaml,
                                      const std::string& file_name) {
  LIGHTNING_ASSIGN(const auto settings, api::parse_config_yaml(yaml, file_name));
  return api::load_layers(sources, sources.environment ? *sources.environment : api::process_environment(), settings,
                          file_name);
}

Result<LoadedConfig> load_config(const ConfigSources& sources) {
  const api::Variables variables = sources.environment ? *sources.environment : api::process_environment();
  const std::string file = sources.file.empty() ? api::value_of(variables, "LIGHTNING_CONFIG") : sources.file;
  if (file.empty()) return api::load_layers(sources, variables, {}, "");
  auto text = env::Env::real().files.read_file(file, api::kConfigFileBytesMax);
  if (!text) return std::move(text).error().while_doing("reading the configuration");
  LIGHTNING_ASSIGN(const auto settings, api::parse_config_yaml(*text, file));
  return api::load_layers(sources, variables, settings, file);
}

std::vector<SettingValue> list_settings(const LightningDbConfig& config, const std::string& origin) {
  std::vector<SettingValue> values;
  for (const api::Setting& setting : api::settings_table())
    values.push_back({std::string(setting.name), api::print_setting_of(setting, config), origin});
  return values;
}

}  // namespace lightning
