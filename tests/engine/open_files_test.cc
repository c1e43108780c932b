// More tables than the process may have files open.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "api/database_access.h"
#include "env/env.h"
#include "lightning/database.h"

namespace lightning::engine {
namespace {

constexpr int kKeys = 4000;

std::string key(int i) { return "key" + std::to_string(10'000 + i); }
std::string value(int i, int round) {
  std::string text = std::to_string(i) + "/" + std::to_string(round) + "/";
  for (unsigned x = static_cast<unsigned>(i * 31 + round); text.size() < 600; x = x * 1664525 + 1013904223)
    text += std::to_string(x);
  return text;
}

LightningDbConfig many_small_tables() {
  LightningDbConfig config;
  config.cache_size = 8 << 20;
  config.memtable_bytes = 256 << 10;
  config.table_bytes = 8 << 10;
  config.block_bytes = 1 << 10;
  config.wal_segment_bytes = 1 << 20;
  config.compaction_threads = 2;
  config.integrity_validation_level = IntegrityLevel::kBasic;
  config.wal_sync_mode = WalSyncMode::kAsync;
  return config;
}

Database open(const std::string& path, const LightningDbConfig& config, bool read_only = false) {
  auto opened = DatabaseAccess::open_as_given(env::Env::real(), path, config, read_only);
  if (!opened) throw std::runtime_error(opened.error().to_string());
  return std::move(*opened);
}

void ok(const Status& status) { EXPECT_TRUE(status) << status.error().to_string(); }

std::uint64_t tables(const Database& db) {
  std::uint64_t count = 0;
  const Statistics stats = db.stats();
  for (const auto& level : stats.keyspaces.front().levels) count += level.tables;
  return count;
}

void expect_all(const Database& db, int round) {
  std::vector<std::thread> readers;
  for (int t = 0; t < 4; ++t)
    readers.emplace_back([&db, t, round] {
      for (int i = t; i < kKeys; i += 4) {
        const int at = static_cast<int>(static_cast<unsigned>(i) * 2654435761u % kKeys);  // everywhere
        const auto got = db.get(key(at), {.fill_cache = false});
        ASSERT_TRUE(got) << got.error().to_string();
        EXPECT_EQ(*got, value(at, round));
      }
    });
  for (std::thread& reader : readers) reader.join();
  std::vector<std::string> names;
  std::vector<std::string_view> keys;
  for (int i = 0; i < kKeys; i += 40) names.push_back(key(i));
  for (const std::string& name : names) keys.push_back(name);
  std::vector<PinnedValue> values(keys.size());
  ok(db.multi_get(db.default_keyspace(), keys, values));
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i].value(), value(static_cast<int>(i) * 40, round));
  Iterator it = db.iterate();
  int seen = 0;
  for (it.seek_to_first(); it.valid(); it.next(), ++seen) EXPECT_EQ(it.value(), value(seen, round));
  ok(it.status());
  EXPECT_EQ(seen, kKeys);
}

// A directory of its own, and few file handles. Only root can raise the hard limit afterwards; CTest runs each test in
// a process of its own.
class OpenFilesMax : public testing::Test {
 protected:
  OpenFilesMax() {
    std::string name = std::filesystem::temp_directory_path() / "lightning-files-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    ::getrlimit(RLIMIT_NOFILE, &before_);
  }
  ~OpenFilesMax() override {
    ::setrlimit(RLIMIT_NOFILE, &before_);
    std::filesystem::remove_all(directory_);
  }
  static void limit_files(rlim_t soft, rlim_t hard) {
    const rlimit limits{soft, hard};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limits), 0);
  }
  std::string path() const { return directory_ + "/db"; }

 private:
  std::string directory_;
  rlimit before_{};
};

TEST_F(OpenFilesMax, OpeningRaisesTheSoftLimitToTheHardOne) {
  limit_files(100, 500);
  const Database db = open(path(), many_small_tables());
  EXPECT_EQ(env::machine_limits().open_files_max, 500u);
  EXPECT_EQ(db.config().open_files_max, 250u);
}

// Every table was kept open: beyond the limit, opening and flushing failed with kInsufficientResources.
TEST_F(OpenFilesMax, AStoreWithMoreTablesThanFileHandlesLoadsReadsCompactsAndOpensAgain) {
  limit_files(64, 64);
  const LightningDbConfig config = many_small_tables();
  for (int round = 0; round < 2; ++round) {
    Database db = open(path(), config);
    EXPECT_EQ(db.config().open_files_max, 32u);
    for (int i = 0; i < kKeys; ++i) ok(db.put(key(i), value(i, round)));
    ok(db.compact_range());
    EXPECT_GT(tables(db), 250u);
    expect_all(db, round);
    const Statistics stats = db.stats();
    EXPECT_LE(stats.table_files_open, 32u);
    EXPECT_GT(stats.table_files_opened, tables(db));
    const auto report = db.check();
    ASSERT_TRUE(report) << report.error().to_string();
    EXPECT_TRUE(report->findings.empty());
    ok(db.close());
  }
  expect_all(open(path(), config), 1);
  expect_all(open(path(), config, /*read_only=*/true), 1);
}

// With handles for all of them a reader goes on with what the writer has removed; with few it is told, and opens anew.
TEST_F(OpenFilesMax, AReaderBesideAWriterThatCollectsBlobFilesReadsOnOrIsToldThatOneIsGone) {
  constexpr int kRecords = 60;
  LightningDbConfig config = many_small_tables();
  config.table_bytes = 1 << 20;
  config.blob_threshold = 256;
  Database writer = open(path(), config);
  const auto write_all = [&](int round) {
    for (int i = 0; i < kRecords; ++i) {
      ok(writer.put(key(i), value(i, round)));
      if (i % 3 == 0) ok(writer.flush());
    }
    ok(writer.compact_range());
    ok(writer.wait_for_background_work());
  };
  write_all(0);
  EXPECT_GT(writer.stats().blobs.files, 15u);
  const Database all = open(path(), config, /*read_only=*/true);
  config.open_files_max = 2;
  const Database few = open(path(), config, /*read_only=*/true);
  write_all(1);
  int gone = 0;
  for (int i = 0; i < kRecords; ++i) {
    const auto kept = all.get(key(i));
    ASSERT_TRUE(kept) << kept.error().to_string();
    EXPECT_EQ(*kept, value(i, 0));
    const auto found = few.get(key(i));
    if (found) {
      EXPECT_EQ(*found, value(i, 0));
      continue;
    }
    ++gone;
    const ErrorCode code = found.error().code();
    EXPECT_TRUE(code == ErrorCode::kBlobMissing || code == ErrorCode::kTableMissing) << found.error().to_string();
    EXPECT_FALSE(found.error().context().file.empty());
  }
  EXPECT_GT(gone, 0);
  const Database anew = open(path(), config, /*read_only=*/true);
  for (int i = 0; i < kRecords; ++i) {
    const auto found = anew.get(key(i));
    ASSERT_TRUE(found) << found.error().to_string();
    EXPECT_EQ(*found, value(i, 1));
  }
}

}  // namespace
}  // namespace lightning::engine
