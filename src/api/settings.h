// The one table of settings: name, kind, range and meaning of every field of LightningDbConfig. Files, environment,
// command line, validation and documentation are all read from it.
//
// Every value is a 64-bit number inside: bytes, a count, milliseconds, 0 or 1, or the ordinal of a choice; but for
// texts, whose number is always 0.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lightning/config.h"
#include "lightning/result.h"

namespace lightning::api {

enum class SettingKind : std::uint8_t { kSize, kCount, kDuration, kSwitch, kChoice, kText };

struct Setting {
  std::string_view name;
  SettingKind kind;
  std::uint64_t smallest, largest;            // inclusive
  std::string_view zero_name;                 // not empty: 0 is allowed, too, and is written like this
  std::span<const std::string_view> choices;  // names by ordinal
  bool percent_of_memory;                     // accepts "25%"
  std::uint64_t (*get)(const LightningDbConfig&);
  void (*set)(LightningDbConfig&, std::uint64_t);
  std::string_view description;
  std::string LightningDbConfig::* text = nullptr;  // of kText alone
};

std::span<const Setting> settings_table();
const Setting* find_setting(std::string_view name);  // null if there is none

// Reads a value as people write it: "512MiB", "25%", "100ms", "periodic", "on". `memory_bytes` is what percents are of.
// The error is kConfigInvalid and says what is allowed, but not where the text came from.
Result<std::uint64_t> parse_setting(const Setting& setting, std::string_view text, std::uint64_t memory_bytes);
std::string print_setting(const Setting& setting, std::uint64_t value);
// The same from and to a configuration, for settings of every kind.
Status assign_setting(const Setting& setting, std::string_view text, std::uint64_t memory_bytes,
                      LightningDbConfig& config);
std::string print_setting_of(const Setting& setting, const LightningDbConfig& config);
std::string print_range(const Setting& setting);
bool in_range(const Setting& setting, std::uint64_t value);

}  // namespace lightning::api
