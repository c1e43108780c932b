// The engine on the real file system: what a caller does first.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "lightning/database.h"

namespace lightning {
namespace {

// A directory of its own for each test, gone with it.
class RealDatabase : public ::testing::Test {
 protected:
  RealDatabase() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::temp_directory_path() /
            ("lightning-" + std::string(test->name()) + "-" + std::to_string(::getpid()));
    std::filesystem::remove_all(path_);
    config_.cache_size = 64 << 20;
    config_.memtable_bytes = 1 << 20;
    config_.wal_segment_bytes = 4 << 20;
  }
  ~RealDatabase() override { std::filesystem::remove_all(path_); }

  Database open() {
    auto db = Database::open(path_, config_);
    EXPECT_TRUE(db) << db.error().to_string();
    return std::move(*db);
  }
  static int count_forward(const Database& db) {
    int entries = 0;
    auto it = db.iterate();
    for (it.seek_to_first(); it.valid(); it.next()) ++entries;
    EXPECT_TRUE(it.status());
    return entries;
  }
  static int count_backward(const Database& db) {
    int entries = 0;
    auto it = db.iterate();
    for (it.seek_to_last(); it.valid(); it.prev()) ++entries;
    EXPECT_TRUE(it.status());
    return entries;
  }

  std::filesystem::path path_;
  LightningDbConfig config_;
};

TEST_F(RealDatabase, GivesBackWhatWasWrittenThroughFlushesCompactionsAndReopening) {
  constexpr int kKeys = 100'000;
  {
    Database db = open();
    for (int i = 0; i < kKeys; ++i)
      ASSERT_TRUE(db.put("key" + std::to_string(i * 7919 % kKeys), "value" + std::to_string(i)));
    ASSERT_TRUE(db.flush());
    ASSERT_TRUE(db.compact_range());
    EXPECT_EQ(count_forward(db), kKeys);
    EXPECT_EQ(count_backward(db), kKeys);
    for (int i = 0; i < kKeys; i += 997) {
      const auto value = db.get("key" + std::to_string(i * 7919 % kKeys));
      ASSERT_TRUE(value && *value);
      EXPECT_EQ(**value, "value" + std::to_string(i));
    }
    const auto report = db.check();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->findings.empty());
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(db.put("late" + std::to_string(i), "x"));
    ASSERT_TRUE(db.close());
  }
  const Database db = open();
  EXPECT_EQ(count_forward(db), kKeys + 1000);
}

TEST_F(RealDatabase, IsReadBesideItsWriterAndNamesTheWriterToASecondOne) {
  Database db = open();
  ASSERT_TRUE(db.put("key", "value"));
  const auto reader = Database::open_read_only(path_, config_);
  ASSERT_TRUE(reader) << reader.error().to_string();
  const auto value = reader->get("key");
  ASSERT_TRUE(value && *value);
  EXPECT_EQ(**value, "value");
  const auto second = Database::open(path_, config_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kLockHeld);
  EXPECT_NE(second.error().message().find("pid " + std::to_string(::getpid())), std::string::npos);
}

}  // namespace
}  // namespace lightning
