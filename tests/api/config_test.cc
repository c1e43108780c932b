// What LightningDbConfig::validate() and the presets promise.
#include "lightning/config.h"

#include <gtest/gtest.h>

#include "api/near_miss.h"
#include "api/settings.h"

namespace lightning {
namespace {

std::string error_of(const LightningDbConfig& config) {
  const Status status = config.validate();
  return status ? "" : status.error().to_string();
}

TEST(Config, DefaultsAndPresetsAreValid) {
  EXPECT_EQ(error_of({}), "");
  EXPECT_EQ(error_of(LightningDbConfig::production()), "");
  EXPECT_EQ(error_of(LightningDbConfig::high_throughput()), "");
  EXPECT_EQ(error_of(LightningDbConfig::high_durability()), "");
  EXPECT_EQ(error_of(LightningDbConfig::low_memory()), "");
}

TEST(Config, PresetsKeepTheirWord) {
  EXPECT_EQ(LightningDbConfig::production().wal_sync_mode, WalSyncMode::kSync);
  EXPECT_EQ(LightningDbConfig::high_throughput().cache_size, 4ull << 30);
  EXPECT_EQ(LightningDbConfig::high_throughput().wal_sync_mode, WalSyncMode::kPeriodic);
  EXPECT_EQ(LightningDbConfig::high_throughput().wal_sync_interval.count(), 100);
  EXPECT_EQ(LightningDbConfig::high_durability().wal_sync_mode, WalSyncMode::kSync);
  EXPECT_EQ(LightningDbConfig::high_durability().integrity_validation_level, IntegrityLevel::kParanoid);
  EXPECT_LE(LightningDbConfig::low_memory().cache_size, 128ull << 20);
}

TEST(Config, EverySettingRefusesWhatIsJustOutsideItsRange) {
  for (const api::Setting& setting : api::settings_table()) {
    LightningDbConfig config;
    if (setting.kind == api::SettingKind::kSwitch) continue;  // a bool holds nothing else
    setting.set(config, setting.largest + 1);
    if (setting.get(config) == setting.largest + 1) {
      EXPECT_NE(error_of(config).find(setting.name), std::string::npos) << setting.name << ": " << error_of(config);
    }
    if (setting.smallest < 2) continue;
    setting.set(config, setting.smallest - 1);
    EXPECT_NE(error_of(config).find(setting.name), std::string::npos) << setting.name << ": " << error_of(config);
  }
}

TEST(Config, RangeErrorsNameSettingValueAndRange) {
  LightningDbConfig config;
  config.cache_size = 1024;
  EXPECT_EQ(config.validate().error().code(), ErrorCode::kConfigInvalid);
  EXPECT_EQ(
      error_of(config),
      "error[LDB-1008] cache_size = 1KiB is out of range: allowed: 8MiB .. 1TiB, or auto, or a percentage of memory "
      "such as 25%");
}

TEST(Config, NegativeDurationsAreOutOfRange) {
  LightningDbConfig config;
  config.wal_sync_interval = std::chrono::milliseconds(-1);
  EXPECT_NE(error_of(config).find("wal_sync_interval"), std::string::npos);
}

TEST(Config, RulesBetweenSettingsAreChecked) {
  LightningDbConfig triggers;
  triggers.level0_stop_trigger = 10;
  EXPECT_NE(error_of(triggers).find("level0_stop_trigger = 10 is below level0_slowdown_trigger = 24"),
            std::string::npos);

  LightningDbConfig slowdown;
  slowdown.level0_slowdown_trigger = 4;
  EXPECT_NE(error_of(slowdown).find("level0_slowdown_trigger = 4 is below level0_compaction_trigger = 8"),
            std::string::npos);

  LightningDbConfig log;
  log.wal_segment_bytes = 64ull << 20;
  log.wal_bytes_max = 64ull << 20;
  EXPECT_NE(error_of(log).find("wal_bytes_max = 64MiB is less than two segments"), std::string::npos);

  LightningDbConfig memory;
  memory.cache_size = 64ull << 20;
  memory.memtable_bytes = 48ull << 20;
  EXPECT_NE(error_of(memory).find("memtable_bytes = 48MiB is more than half of cache_size = 64MiB"), std::string::npos);

  LightningDbConfig never;
  never.create_if_missing = false;
  never.error_if_exists = true;
  EXPECT_NE(error_of(never), "");
}

TEST(Settings, WhatIsPrintedIsReadBackAsTheSameValue) {
  for (const api::Setting& setting : api::settings_table())
    for (const std::uint64_t value : {setting.smallest, setting.largest, setting.get(LightningDbConfig{})}) {
      const auto read = api::parse_setting(setting, api::print_setting(setting, value), 1ull << 40);
      ASSERT_TRUE(read) << read.error().to_string();
      EXPECT_EQ(*read, value) << setting.name;
    }
}

TEST(Settings, ReadsSizesDurationsPercentsAndNames) {
  const auto read = [](std::string_view name, std::string_view text) {
    const auto value = api::parse_setting(*api::find_setting(name), text, 1ull << 30);
    return value ? *value : ~std::uint64_t{0};
  };
  EXPECT_EQ(read("cache_size", "512MiB"), 512ull << 20);
  EXPECT_EQ(read("cache_size", "1GB"), 1'000'000'000u);
  EXPECT_EQ(read("cache_size", "1.5 GiB"), 3ull << 29);
  EXPECT_EQ(read("cache_size", "67108864"), 64ull << 20);
  EXPECT_EQ(read("cache_size", "25%"), 256ull << 20);
  EXPECT_EQ(read("cache_size", "auto"), 0u);
  EXPECT_EQ(read("wal_sync_interval", "30s"), 30'000u);
  EXPECT_EQ(read("wal_sync_interval", "0.5s"), 500u);
  EXPECT_EQ(read("write_stall_timeout", "unlimited"), 0u);
  EXPECT_EQ(read("wal_sync_mode", "Periodic"), 1u);
  EXPECT_EQ(read("compression_bottom", "ZSTD"), 2u);
  EXPECT_EQ(read("compression_enabled", "Off"), 0u);
}

TEST(Settings, RefusesWhatIsNotAValueOfTheType) {
  const auto refuses = [](std::string_view name, std::string_view text) {
    return !api::parse_setting(*api::find_setting(name), text, 1ull << 30).has_value();
  };
  for (const char* text :
       {"", "MiB", "-1", "1..5GiB", "512 MiBs", "99999999999999999999", "0x10", "1e9", "101%", "0%", "64.3"})
    EXPECT_TRUE(refuses("memtable_bytes", text)) << text;
  EXPECT_TRUE(refuses("cache_size", "101%"));
  EXPECT_TRUE(refuses("memtable_bytes", "25%")) << "only cache_size is a share of memory";
  EXPECT_TRUE(refuses("wal_sync_interval", "100")) << "a duration needs its unit";
  EXPECT_TRUE(refuses("wal_sync_interval", "0.5ms"));
  EXPECT_TRUE(refuses("memtables_max", "4KiB")) << "a count has no unit";
  EXPECT_TRUE(refuses("compression_enabled", "maybe"));
  EXPECT_TRUE(refuses("wal_sync_mode", "fsync"));
}

TEST(NearMiss, FindsSlipsOfTheFingersAndNothingElse) {
  const std::vector<std::string> names{"cache_size", "memtable_bytes", "scan", "stats"};
  EXPECT_EQ(api::near_miss("cache_sise", names), "cache_size");
  EXPECT_EQ(api::near_miss("cahce-size", names), "cache_size");
  EXPECT_EQ(api::near_miss("CACHE_SIZE", names), "cache_size");
  EXPECT_EQ(api::near_miss("scna", names), "scan");
  EXPECT_EQ(api::near_miss("replication", names), "");
  EXPECT_EQ(api::near_miss("", names), "");
}

}  // namespace
}  // namespace lightning
