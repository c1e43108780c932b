// Configuration from outside the program: command line, environment, YAML file, preset.
//
//   LIGHTNING_ASSIGN(auto loaded, load_config({.file = "prod.yaml"}));
//   LIGHTNING_ASSIGN(auto db, Database::open(loaded.path, loaded.config));
//
// The strongest source that names a setting wins: command line, then environment, file, preset, default.
// Where each value came from is kept, for people to see (`lightning_db config`).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lightning/config.h"
#include "lightning/result.h"

namespace lightning {

// What the documentation of a setting says. One per field of LightningDbConfig, in its order.
struct SettingDescription {
  std::string name;           // as in a file; in the environment LIGHTNING_<NAME IN UPPER CASE>
  std::string type;           // "size", "count", "duration", "switch" or "choice"
  std::string unit;           // "bytes", "milliseconds" or empty
  std::string default_value;  // as it would be written in a file
  std::string range;          // "8MiB .. 1TiB, or auto"
  std::string description;    // one sentence
};
std::vector<SettingDescription> describe_settings();
std::vector<std::string> preset_names();

// A preset by name ("production", "high-throughput" or "high_throughput"). kConfigInvalid lists the names there are.
Result<LightningDbConfig> preset_config(std::string_view name);

struct ConfigSources {
  std::vector<std::string> assignments;  // "cache_size=1GiB", from the command line; of two for one name the last wins
  std::string path;                      // database directory, from the command line; empty: not given
  std::string preset;                    // empty: LIGHTNING_PRESET, else `preset` in the file, else none
  std::string file;                      // empty: LIGHTNING_CONFIG, else none
  // Variables to look at; none: those of this process. Settings are LIGHTNING_<NAME>; the path is LIGHTNING_DB_PATH, or
  // DB_PATH; LIGHTNING_LOG is left to others. Every other variable that begins with LIGHTNING_ is an error.
  std::optional<std::map<std::string, std::string>> environment;
};

struct SettingValue {
  std::string name;
  std::string value;   // as it would be written in a file
  std::string origin;  // "command line", "environment LIGHTNING_CACHE_SIZE", "file prod.yaml:12", "preset production",
                       // "default"
};

struct LoadedConfig {
  LightningDbConfig config;
  std::string path, path_origin;       // both empty: no source names a directory
  std::vector<SettingValue> settings;  // every setting, in the order of LightningDbConfig
  std::vector<std::string> warnings;   // deprecated names that were accepted
};

// Reads all sources, checks every value, its range and the rules between settings.
// Errors: kConfigInvalid (names the place, the setting, the value, what is allowed, and a near miss); kNotSupported (a
// file is named and this build lacks LIGHTNING_WITH_YAML); kStorageUnavailable, kPermissionDenied, kIo (reading the
// file). Threads: any, as long as nobody changes the environment meanwhile.
Result<LoadedConfig> load_config(const ConfigSources& sources);

// As load_config with sources.file, for text that is already in memory; `file_name` is what errors and origins say.
Result<LoadedConfig> load_config_text(const ConfigSources& sources, std::string_view yaml,
                                      const std::string& file_name);

// The values of `config`, all with the origin given.
std::vector<SettingValue> list_settings(const LightningDbConfig& config, const std::string& origin);

}  // namespace lightning
