// LightningDbConfig: presets, and the rules that a configuration has to keep.
#include "lightning/config.h"

#include "api/config_rules.h"
#include "api/settings.h"

namespace lightning {

namespace api {

namespace {

Error rule_broken(const std::string& what, std::string_view advice) {
  return Error(ErrorCode::kConfigInvalid, what).with_advice(advice);
}

}  // namespace

Status check_rules(const LightningDbConfig& config, const OriginOf& origin_of) {
  const auto show = [&](std::string_view name) {
    const Setting& setting = *find_setting(name);
    const std::string origin = origin_of ? origin_of(name) : "";
    return std::string(name) + " = " + print_setting_of(setting, config) + (origin.empty() ? "" : " (" + origin + ")");
  };
  for (const Setting& setting : settings_table())
    if (!in_range(setting, setting.get(config)))
      return rule_broken(show(setting.name) + " is out of range", "allowed: " + print_range(setting));

  if (config.level0_slowdown_trigger < config.level0_compaction_trigger)
    return rule_broken(show("level0_slowdown_trigger") + " is below " + show("level0_compaction_trigger"),
                       "writers must not be slowed before a compaction has begun");
  if (config.level0_stop_trigger < config.level0_slowdown_trigger)
    return rule_broken(show("level0_stop_trigger") + " is below " + show("level0_slowdown_trigger"),
                       "writers are slowed first, then stopped");
  if (config.wal_bytes_max != 0 && config.wal_bytes_max < 2 * config.wal_segment_bytes)
    return rule_broken(show("wal_bytes_max") + " is less than two segments of " + show("wal_segment_bytes"),
                       "raise wal_bytes_max, or lower wal_segment_bytes");
  if (config.cache_size != 0 && config.memtable_bytes > config.cache_size / 2)
    return rule_broken(show("memtable_bytes") + " is more than half of " + show("cache_size"),
                       "memtables are part of cache_size: raise it, or lower memtable_bytes");
  if (!config.archive_directory.empty() && !config.archive_command.empty())
    return rule_broken(show("archive_directory") + " and " + show("archive_command") + " are both given",
                       "an archive has one destination: remove one of them");
  for (const Setting& setting : settings_table())
    if (setting.text != nullptr && !parse_setting(setting, config.*setting.text, 0))
      return rule_broken(std::string(setting.name) + " is not one line of text", "allowed: " + print_range(setting));
  if (config.error_if_exists && !config.create_if_missing)
    return rule_broken(
        "no database can be opened with " + show("error_if_exists") + " and " + show("create_if_missing"),
        "change one of them");
#ifndef LIGHTNING_WITH_ZSTD
  if (config.compression_enabled &&
      (config.compression_upper == Compression::kZstd || config.compression_bottom == Compression::kZstd))
    return Error(ErrorCode::kNotSupported, "this build cannot compress with zstd")
        .with_advice("choose lz4 or none, or build with LIGHTNING_WITH_ZSTD");
#endif
  return {};
}

}  // namespace api

Status LightningDbConfig::validate() const { return api::check_rules(*this, nullptr); }

LightningDbConfig LightningDbConfig::production() {
  LightningDbConfig config;
  config.wal_sync_mode = WalSyncMode::kSync;
  return config;
}

LightningDbConfig LightningDbConfig::high_throughput() {
  LightningDbConfig config;
  config.cache_size = 4ull << 30;
  config.wal_sync_mode = WalSyncMode::kPeriodic;
  config.wal_sync_interval = std::chrono::milliseconds(100);
  config.memtable_bytes = 64ull << 20;
  config.memtables_max = 8;
  return config;
}

LightningDbConfig LightningDbConfig::high_durability() {
  LightningDbConfig config;
  config.wal_sync_mode = WalSyncMode::kSync;
  config.integrity_validation_level = IntegrityLevel::kParanoid;
  return config;
}

LightningDbConfig LightningDbConfig::low_memory() {
  LightningDbConfig config;
  config.cache_size = 64ull << 20;
  config.memtable_bytes = 4ull << 20;
  config.memtables_max = 2;
  config.wal_segment_bytes = 4ull << 20;
  config.table_bytes = 16ull << 20;
  config.compaction_threads = 1;
  return config;
}

}  // namespace lightning
