// archive_command, on the operating system's own files and processes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "archive/destination.h"
#include "env/env.h"
#include "lightning/archive.h"
#include "lightning/database.h"
#include "support/expect.h"

namespace lightning::archive {
namespace {

class WithACommand : public testing::Test {
 protected:
  WithACommand() {
    std::filesystem::create_directories(place_ / "kept");
    config_.wal_segment_bytes = 1 << 20;
    config_.cache_size = 16 << 20;
    config_.archive_timeout = std::chrono::milliseconds(20);
    config_.archive_command = "test ! -e '" + at("broken") + "' && cp '%p' '" + at("kept") + "/%f'";
  }
  ~WithACommand() override { std::filesystem::remove_all(place_); }
  std::string at(const std::string& name) const { return (place_ / name).string(); }
  void live(const std::function<void(Database&)>& body) {
    auto db = Database::open(at("db"), config_);
    ASSERT_OK(db);
    body(*db);
    EXPECT_OK(db->close());
  }
  template <class Condition>
  static bool comes_true(const Condition& condition) {
    for (int i = 0; i < 3000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return condition();
  }
  std::string recovered(const std::string& key) {
    const std::string path = at("out" + std::to_string(++outs_));
    RecoverOptions options;
    options.config.cache_size = 16 << 20;
    const auto plan = recover(at("backups"), at("kept"), path, options);
    if (!plan) return plan.error().to_string();
    auto db = Database::open_read_only(path, options.config);
    if (!db) return db.error().to_string();
    const auto value = db->get(key);
    return value && *value ? **value : "-";
  }

  const std::filesystem::path place_ =
      std::filesystem::path(testing::TempDir()) /
      ("archive_command." + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
  LightningDbConfig config_;
  int outs_ = 0;
};

TEST_F(WithACommand, TakesEachFileAndIsAskedAgainUntilItDoes) {
  live([&](Database& db) {
    ASSERT_OK(db.create_backup(at("backups")));
    EXPECT_OK(db.put("first", "1"));
    EXPECT_TRUE(comes_true([&] { return db.stats().archive.last_sequence == 1; })) << db.stats().archive.error;
    EXPECT_EQ(db.stats().archive.failures, 0u);

    std::ofstream(at("broken")) << "x";
    EXPECT_OK(db.put("second", "2"));
    EXPECT_TRUE(comes_true([&] { return db.stats().archive.failures > 0; }));
    const std::string error = db.stats().archive.error;
    EXPECT_NE(error.find("ended with 1"), std::string::npos) << error;
    EXPECT_EQ(db.stats().archive.last_sequence, 1u);
    std::filesystem::remove(at("broken"));
    EXPECT_TRUE(comes_true([&] { return db.stats().archive.last_sequence == 2; })) << db.stats().archive.error;
    EXPECT_EQ(db.stats().archive.error, "");
  });
  EXPECT_EQ(recovered("second"), "2");
}

TEST_F(WithACommand, GoesOnInTheNextLifeWithWhatTheLastOneCouldNotGiveIt) {
  live([&](Database& db) {
    ASSERT_OK(db.create_backup(at("backups")));
    std::ofstream(at("broken")) << "x";
    EXPECT_OK(db.put("kept", "yes"));
    auto stream = db.put_stream("streamed");
    ASSERT_OK(stream);
    for (int i = 0; i < 12; ++i) EXPECT_OK(stream->append(std::string(100'000, 's')));
    EXPECT_OK(stream->commit());
    EXPECT_OK(db.flush());
  });
  EXPECT_TRUE(std::filesystem::is_empty(at("kept")));
  std::filesystem::remove(at("broken"));
  live([](Database&) {});  // closing archives what there is
  EXPECT_EQ(recovered("kept"), "yes");
  EXPECT_EQ(recovered("streamed").size(), 1'200'000u);
  EXPECT_TRUE(std::filesystem::is_empty(at("db/archive")));
}

TEST_F(WithACommand, ThatHangsIsKilled) {
  config_.archive_command = "sleep 100 # %p %f";
  config_.archive_command_timeout = std::chrono::milliseconds(50);
  live([&](Database& db) {
    EXPECT_OK(db.put("a", "1"));
    EXPECT_TRUE(comes_true([&] { return db.stats().archive.failures > 0; }));
    EXPECT_NE(db.stats().archive.error.find("took longer than 50 ms"), std::string::npos) << db.stats().archive.error;
  });
}

TEST(CommandFor, ReplacesPathNameAndPercentSign) {
  EXPECT_EQ(command_for("cp %p /x/%f", "/db/archive/1.history", "1.history"), "cp /db/archive/1.history /x/1.history");
  EXPECT_EQ(command_for("date +%%s; %q %", "p", "f"), "date +%s; %q %");
}

TEST(RunCommand, SaysHowItEnded) {
  using std::chrono::milliseconds;
  EXPECT_OK(env::run_command("exit 0", milliseconds(5000)));
  const auto message = [](const Status& status) { return status ? std::string() : status.error().message(); };
  EXPECT_NE(message(env::run_command("exit 7", milliseconds(5000))).find("ended with 7"), std::string::npos);
  EXPECT_NE(message(env::run_command("kill -TERM $$", milliseconds(5000))).find("signal 15"), std::string::npos);
  EXPECT_NE(message(env::run_command("sleep 60 & wait", milliseconds(30))).find("was killed"), std::string::npos);
}

}  // namespace
}  // namespace lightning::archive
