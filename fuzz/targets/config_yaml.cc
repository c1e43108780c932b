// lightning/config_file.h: configuration files, and values as people write them.
#include "api/config_yaml.h"
#include "api/settings.h"
#include "fuzz/support/target.h"
#include "lightning/config_file.h"

namespace lightning::api {

namespace {

ConfigSources no_other_sources() {
  ConfigSources sources;
  sources.environment.emplace();
  return sources;
}

// Any value, of every setting.
void fuzz_values(std::string_view text) {
  constexpr std::uint64_t kMemoryBytes = 16ull << 30;
  for (const Setting& setting : settings_table()) {
    const auto value = parse_setting(setting, text, kMemoryBytes);
    if (!value || !in_range(setting, *value)) continue;
    const auto again = parse_setting(setting, print_setting(setting, *value), kMemoryBytes);
    FUZZ_EXPECT(again && *again == *value);
  }
}

}  // namespace

LIGHTNING_FUZZ_TARGET(config_yaml) {
  fuzz_values(input.substr(0, 64));
  if (input.size() > kConfigFileBytesMax) return false;
  const auto settings = parse_config_yaml(input, "fuzz.yaml");
  if (settings)
    for (const FileSetting& setting : *settings) FUZZ_EXPECT(setting.line >= 1);
  const auto loaded = load_config_text(no_other_sources(), input, "fuzz.yaml");
  if (!loaded) {
    FUZZ_EXPECT(!loaded.error().to_string().empty());
    return false;
  }
  FUZZ_EXPECT(settings && loaded->config.validate());
  // What is shown can be read, and is the same configuration.
  std::string shown;
  for (const SettingValue& value : loaded->settings) shown += value.name + ": \"" + value.value + "\"\n";
  const auto again = load_config_text(no_other_sources(), shown, "shown.yaml");
  FUZZ_EXPECT(again);
  for (std::size_t i = 0; i < loaded->settings.size(); ++i)
    FUZZ_EXPECT(again->settings[i].value == loaded->settings[i].value);
  return true;
}

}  // namespace lightning::api
