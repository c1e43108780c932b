// Configuration from a file, the environment and the command line: precedence, origins, errors that name their place.
#include "lightning/config_file.h"

#include <gtest/gtest.h>

namespace lightning {
namespace {

using Variables = std::map<std::string, std::string>;

ConfigSources sources(Variables environment = {}) {
  ConfigSources all;
  all.environment = std::move(environment);
  return all;
}

Result<LoadedConfig> load(std::string_view yaml, Variables environment = {}) {
  return load_config_text(sources(std::move(environment)), yaml, "prod.yaml");
}

std::string origin(const LoadedConfig& loaded, std::string_view name) {
  for (const SettingValue& setting : loaded.settings)
    if (setting.name == name) return setting.origin;
  return "no such setting";
}

void expect_error(const Result<LoadedConfig>& loaded, std::initializer_list<std::string_view> parts) {
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code(), ErrorCode::kConfigInvalid);
  for (std::string_view part : parts)
    EXPECT_NE(loaded.error().to_string().find(part), std::string::npos)
        << "missing \"" << part << "\" in: " << loaded.error().to_string();
}

TEST(ConfigFile, EverySourceOverridesTheWeakerOnesAndKeepsItsName) {
  ConfigSources all =
      sources({{"LIGHTNING_CACHE_SIZE", "2GiB"}, {"LIGHTNING_MEMTABLES_MAX", "6"}, {"LIGHTNING_BLOCK_BYTES", "8KiB"}});
  all.assignments = {"cache_size=3GiB"};
  all.preset = "high-throughput";
  const auto loaded =
      load_config_text(all, "# tuned\ncache_size: 1GiB\nmemtables_max: 5\nfilter_bits_per_key: 12\n", "prod.yaml");
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  EXPECT_EQ(loaded->config.cache_size, 3ull << 30);
  EXPECT_EQ(origin(*loaded, "cache_size"), "command line");
  EXPECT_EQ(loaded->config.memtables_max, 6u);
  EXPECT_EQ(origin(*loaded, "memtables_max"), "environment LIGHTNING_MEMTABLES_MAX");
  EXPECT_EQ(loaded->config.filter_bits_per_key, 12u);
  EXPECT_EQ(origin(*loaded, "filter_bits_per_key"), "file prod.yaml:4");
  EXPECT_EQ(loaded->config.wal_sync_mode, WalSyncMode::kPeriodic);
  EXPECT_EQ(origin(*loaded, "wal_sync_mode"), "preset high-throughput");
  EXPECT_EQ(origin(*loaded, "table_bytes"), "default");
  EXPECT_EQ(loaded->settings.size(), describe_settings().size());
}

TEST(ConfigFile, TextsAreTakenAsTheyStand) {
  const auto loaded = load("archive_command: \"cp %p '/Archive/%f' # all\"\narchive_directory: none\n");
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  EXPECT_EQ(loaded->config.archive_command, "cp %p '/Archive/%f' # all");
  EXPECT_EQ(loaded->config.archive_directory, "");
  for (const SettingValue& setting : loaded->settings) {
    if (setting.name == "archive_command") {
      EXPECT_EQ(setting.value, "cp %p '/Archive/%f' # all");
    }
    if (setting.name == "archive_directory") {
      EXPECT_EQ(setting.value, "none");
    }
  }
  EXPECT_EQ(load("", {{"LIGHTNING_ARCHIVE_DIRECTORY", " /Kept "}})->config.archive_directory, "/Kept");
  expect_error(load("archive_command: \"a\\nb\"\n"), {"prod.yaml:1", "archive_command", "one line of text"});
  expect_error(load("archive_command: a\narchive_directory: b\n"), {"are both given"});
}

TEST(ConfigFile, PresetComesFromFlagThenEnvironmentThenFile) {
  const std::string_view file = "preset: low_memory\n";
  EXPECT_EQ(load(file)->config.cache_size, LightningDbConfig::low_memory().cache_size);
  EXPECT_EQ(load(file, {{"LIGHTNING_PRESET", "high_throughput"}})->config.cache_size, 4ull << 30);
  ConfigSources all = sources({{"LIGHTNING_PRESET", "high_throughput"}});
  all.preset = "production";
  EXPECT_EQ(load_config_text(all, file, "f")->config.cache_size, 0u);
  expect_error(load("preset: prodution\n"), {"unknown preset prodution", "production, high_throughput"});
}

TEST(ConfigFile, PathComesFromFlagThenEnvironmentThenFile) {
  EXPECT_EQ(load("path: /from/file\n")->path, "/from/file");
  EXPECT_EQ(load("path: /from/file\n")->path_origin, "file prod.yaml:1");
  EXPECT_EQ(load("path: /from/file\n", {{"DB_PATH", "/short"}})->path, "/short");
  EXPECT_EQ(load("path: /from/file\n", {{"DB_PATH", "/short"}, {"LIGHTNING_DB_PATH", "/long"}})->path, "/long");
  ConfigSources all = sources({{"LIGHTNING_DB_PATH", "/long"}});
  all.path = "/flag";
  EXPECT_EQ(load_config_text(all, "", "f")->path, "/flag");
  EXPECT_EQ(load("")->path, "");
}

TEST(ConfigFile, SyncModeMayCarryItsInterval) {
  for (const char* yaml :
       {"wal_sync_mode: Periodic(250ms)\n", "wal_sync_mode: periodic:250ms\n",
        "wal_sync_mode: {Periodic: {interval_ms: 250}}\n", "wal_sync_mode:\n  Periodic:\n    interval: 250ms\n",
        "wal_sync_mode: periodic\nwal_sync_interval: 250ms\n"}) {
    const auto loaded = load(yaml);
    ASSERT_TRUE(loaded) << yaml << loaded.error().to_string();
    EXPECT_EQ(loaded->config.wal_sync_mode, WalSyncMode::kPeriodic);
    EXPECT_EQ(loaded->config.wal_sync_interval.count(), 250) << yaml;
  }
  EXPECT_EQ(load("wal_sync_mode: Sync\n")->config.wal_sync_mode, WalSyncMode::kSync);
  expect_error(load("wal_sync_mode: Sync(100ms)\n"), {"prod.yaml:1", "only periodic takes an interval"});
}

TEST(ConfigFile, UnknownKeyNamesLineAndNearMiss) {
  expect_error(load("cache_size: 1GiB\n\ncach_size: 2GiB\n"),
               {"prod.yaml:3", "unknown setting cach_size", "did you mean cache_size?"});
  expect_error(load("sharding: on\n"), {"prod.yaml:1", "unknown setting sharding", "config --describe"});
}

TEST(ConfigFile, WrongTypeAndRangeNameLineValueAndWhatIsAllowed) {
  expect_error(load("\ncache_size: lots\n"), {"prod.yaml:2", "cache_size = \"lots\"", "8MiB .. 1TiB"});
  expect_error(load("block_bytes: 4MiB\n"), {"prod.yaml:1", "block_bytes = \"4MiB\" is out of range", "1KiB .. 1MiB"});
  expect_error(load("wal_sync_mode: fsync\n"), {"prod.yaml:1", "sync, periodic, async"});
  expect_error(load("cache_size: [1, 2]\n"), {"prod.yaml:1", "cache_size must have a single value"});
  expect_error(load("cache_size:\n"), {"prod.yaml:1", "cache_size has no value"});
}

TEST(ConfigFile, DuplicateKeyNamesBothLines) {
  expect_error(load("cache_size: 1GiB\ntable_bytes: 1MiB\ncache_size: 2GiB\n"),
               {"prod.yaml:3", "already set in line 1"});
}

TEST(ConfigFile, BrokenYamlNamesTheLine) {
  expect_error(load("cache_size: 1GiB\nblock_bytes: {\n"), {"prod.yaml:"});
  expect_error(load("- cache_size\n- 2\n"), {"prod.yaml:1", "name: value"});
  expect_error(load("just words\n"), {"prod.yaml:1"});
  expect_error(load("? [a, b]\n: 1\n"), {"prod.yaml:1"});
  expect_error(load(std::string(100'000, '[')), {"prod.yaml:"});
}

TEST(ConfigFile, RulesBetweenSettingsNameBothOrigins) {
  expect_error(load("level0_stop_trigger: 4\n"),
               {"level0_stop_trigger = 4 (file prod.yaml:1)", "level0_slowdown_trigger = 24 (default)"});
}

TEST(ConfigFile, RetiredNamesAreAcceptedWithAWarning) {
  const auto loaded = load("use_improved_wal: true\n");
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  ASSERT_EQ(loaded->warnings.size(), 1u);
  EXPECT_EQ(loaded->warnings[0],
            "file prod.yaml:1: use_improved_wal is deprecated and has no effect: there is one write-ahead log now");
  EXPECT_EQ(load("", {{"LIGHTNING_USE_IMPROVED_WAL", "true"}})->warnings.size(), 1u);
}

TEST(ConfigFile, EmptyFileChangesNothing) {
  EXPECT_TRUE(load("").has_value());
  EXPECT_TRUE(load("# only a comment\n").has_value());
}

TEST(ConfigEnvironment, UnknownVariableIsAnErrorThatNamesIt) {
  expect_error(load("", {{"LIGHTNING_CACHE_SISE", "1GiB"}}),
               {"LIGHTNING_CACHE_SISE", "did you mean LIGHTNING_CACHE_SIZE?"});
  EXPECT_TRUE(load("", {{"LIGHTNING_LOG", "info"}, {"HOME", "/root"}, {"lightning_cache_size", "x"}}).has_value());
}

TEST(ConfigEnvironment, BadValueNamesTheVariable) {
  expect_error(load("", {{"LIGHTNING_CACHE_SIZE", "1KiB"}}),
               {"environment LIGHTNING_CACHE_SIZE", "\"1KiB\" is out of range"});
}

TEST(ConfigAssignments, AreCheckedLikeEverythingElse) {
  const auto with = [](std::string assignment) {
    ConfigSources all = sources();
    all.assignments = {std::move(assignment)};
    return load_config(all);
  };
  EXPECT_EQ(with("cache_size=64MiB")->config.cache_size, 64ull << 20);
  expect_error(with("cache_size"), {"command line", "name=value"});
  expect_error(with("cache_sise=64MiB"), {"command line", "unknown setting cache_sise", "did you mean cache_size?"});
  expect_error(with("cache_size=64"), {"command line", "out of range"});
}

TEST(ConfigFile, MissingFileNamesIt) {
  ConfigSources all = sources();
  all.file = "/nonexistent/lightning.yaml";
  const auto loaded = load_config(all);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_NE(loaded.error().to_string().find("/nonexistent/lightning.yaml"), std::string::npos);
  EXPECT_EQ(load_config(sources({{"LIGHTNING_CONFIG", "/nonexistent/lightning.yaml"}})).error().to_string(),
            loaded.error().to_string());
}

}  // namespace
}  // namespace lightning
