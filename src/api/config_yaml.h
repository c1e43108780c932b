// The YAML side of configuration: from text to (name, value, line), no meaning attached.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lightning/result.h"

namespace lightning::api {

inline constexpr std::size_t kConfigFileBytesMax = 1024 * 1024;

struct FileSetting {
  std::string name, value;
  int line = 0;  // from 1
};

// A flat map of scalars, in order of appearance, duplicates included. The one nested form is that of a sync mode with
// its interval, `wal_sync_mode: {Periodic: {interval_ms: 100}}`, given back as the text "Periodic(100ms)". Errors:
// kConfigInvalid with file_name:line; kNotSupported in builds without YAML.
Result<std::vector<FileSetting>> parse_config_yaml(std::string_view text, const std::string& file_name);

}  // namespace lightning::api
