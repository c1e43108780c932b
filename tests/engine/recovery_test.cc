// Recovery says what it does, can be stopped while it has changed nothing, and looks before it begins.
#include "lightning/recovery.h"

#include <algorithm>
#include <map>
#include <vector>

#include "engine/simulated_store.h"
#include "support/must.h"

namespace lightning::engine {
namespace {

using Outcome = RecoveryStageReport::Outcome;

class RecoveryOf : public SimulatedStore {
 protected:
  RecoveryOf() {
    config_.cache_size = 16 << 20;
    config_.memtable_bytes = 256 << 10;
    config_.wal_segment_bytes = 1 << 20;
  }
  // What a process that was killed leaves: records in a table, records in the log only.
  void leave_work() {
    process([&] {
      Database db = open();
      ok(db.put("in a table", "1"));
      ok(db.flush());
      for (int i = 0; i < 100; ++i) ok(db.put("in the log " + std::to_string(i), std::string(500, 'x')));
      ok(db.sync());
      ok(db.put("behind the sync", "1"));  // its record says how much was durable
      world_.files.process_death();
    });
  }
  // Every file but the lock, and what recovery leaves for people.
  std::map<std::string, std::string> files() {
    std::map<std::string, std::string> found;
    for (const std::string directory : {"/db", "/db/wal", "/db/tables", "/db/blobs"}) {
      const auto names = world_.files.list(directory);
      if (!names) continue;
      for (const std::string& name : *names) {
        const std::string path = directory + "/" + name;
        if (name != "LOCK" && name != "RECOVERY" && !world_.files.info(path)->is_directory)
          found[path] = world_.files.content(path);
      }
    }
    return found;
  }
  // Opens, and gives the report of that.
  RecoveryReport opened(bool read_only = false) {
    RecoveryReport report;
    process([&] {
      auto db = try_open({.recovery_report = &report}, read_only);
      if (!db) return;
      EXPECT_EQ(db->recovery_report().to_string(), report.to_string());
    });
    return report;
  }
  static Outcome outcome(const RecoveryReport& report, RecoveryStage stage) {
    return report.stages[static_cast<std::size_t>(stage)].outcome;
  }
  static std::vector<std::string> notes(const RecoveryReport& report, RecoveryNote::Kind kind) {
    std::vector<std::string> found;
    for (const RecoveryNote& note : report.notes)
      if (note.kind == kind) found.push_back(note.text + " " + note.file);
    return found;
  }
  // The segment of the log that holds `text`.
  std::string segment_with(const std::string& text) {
    const auto names = must(world_.files.list("/db/wal"));
    for (const std::string& name : names)
      if (world_.files.content("/db/wal/" + name).find(text) != std::string::npos) return "/db/wal/" + name;
    throw std::runtime_error("no segment holds " + text);
  }
};

TEST_F(RecoveryOf, AStoreGoesThroughTwelveStagesInTheirOrder) {
  leave_work();
  std::vector<RecoveryStage> told;
  RecoveryReport report;
  process([&] {
    const OpenOptions options{.recovery_progress =
                                  [&](const RecoveryProgress& at) {
                                    if (told.empty() || told.back() != at.stage) told.push_back(at.stage);
                                    return true;
                                  },
                              .recovery_report = &report};
    EXPECT_OK(try_open(options));
  });
  for (std::size_t i = 0; i < kRecoveryStages; ++i) {
    const auto stage = static_cast<RecoveryStage>(i);
    EXPECT_EQ(report.stages[i].stage, stage);
    EXPECT_EQ(report.stages[i].outcome, stage == RecoveryStage::kKeyUnlock ? Outcome::kSkipped : Outcome::kDone)
        << name_of(stage);
  }
  std::vector<RecoveryStage> expected;
  for (std::size_t i = 0; i < kRecoveryStages; ++i)
    if (static_cast<RecoveryStage>(i) != RecoveryStage::kKeyUnlock) expected.push_back(static_cast<RecoveryStage>(i));
  EXPECT_EQ(told, expected);
  EXPECT_EQ(report.commits, 101u);
  EXPECT_EQ(report.last_sequence, 102u);
  EXPECT_EQ(report.stages[static_cast<std::size_t>(RecoveryStage::kTableInventory)].items, 1u);
  EXPECT_FALSE(report.error);
  EXPECT_FALSE(report.created);
}

TEST_F(RecoveryOf, ANewStoreAndAReaderSaySo) {
  EXPECT_TRUE(opened().created);
  leave_work();
  const RecoveryReport report = opened(/*read_only=*/true);
  EXPECT_TRUE(report.read_only);
  EXPECT_EQ(report.commits, 101u);
  EXPECT_EQ(outcome(report, RecoveryStage::kLockAcquisition), Outcome::kSkipped);
  EXPECT_EQ(outcome(report, RecoveryStage::kFinalization), Outcome::kSkipped);
}

TEST_F(RecoveryOf, AStoreCanBeInterruptedInEachStageAndChangesNothing) {
  leave_work();
  const auto before = files();
  for (std::size_t i = 0; i < kRecoveryStages; ++i) {
    const auto stage = static_cast<RecoveryStage>(i);
    if (stage == RecoveryStage::kKeyUnlock) continue;
    RecoveryReport report;
    process([&] {
      const auto db = try_open({.recovery_progress = [&](const RecoveryProgress& at) { return at.stage != stage; },
                                .recovery_report = &report});
      EXPECT_CODE(kRecoveryInterrupted, db);
    });
    EXPECT_EQ(outcome(report, stage), Outcome::kFailed) << name_of(stage);
    ASSERT_TRUE(report.failed_stage());
    EXPECT_EQ(report.failed_stage()->stage, stage);
    EXPECT_TRUE(files() == before) << name_of(stage);
  }
  life([&] {
    EXPECT_EQ(get("in a table"), "1");
    EXPECT_EQ(get("in the log 99"), std::string(500, 'x'));
  });
}

TEST_F(RecoveryOf, AStoreThatDoesNotOpenNamesTheStageAndCountsTheAttempts) {
  leave_work();
  const std::string segment = segment_with("in the log 50");
  const std::string whole = world_.files.content(segment);
  ASSERT_TRUE(world_.files.flip_bit(segment, whole.find("in the log 50")));
  for (std::uint32_t attempt = 0; attempt < 3; ++attempt) {
    const RecoveryReport report = opened();
    ASSERT_TRUE(report.error);
    EXPECT_EQ(report.error->code(), ErrorCode::kWalCorrupt);
    EXPECT_EQ(report.failed_stage()->stage, RecoveryStage::kWalValidation);
    EXPECT_EQ(outcome(report, RecoveryStage::kTransactionRecovery), Outcome::kNotReached);
    EXPECT_EQ(report.failed_attempts, attempt);
    if (attempt > 0) {
      ASSERT_FALSE(notes(report, RecoveryNote::Kind::kWarning).empty());
      EXPECT_NE(notes(report, RecoveryNote::Kind::kWarning).front().find("WalValidation"), std::string::npos);
    }
  }
  ASSERT_TRUE(world_.files.put_file(segment, whole));
  EXPECT_EQ(opened().failed_attempts, 3u);
  EXPECT_EQ(opened().failed_attempts, 0u);
  EXPECT_FALSE(*world_.files.exists("/db/RECOVERY"));
}

TEST_F(RecoveryOf, AStoreWithADamagedManifestEndsInManifestRecovery) {
  leave_work();
  for (const std::uint64_t slot : {0, 4096}) ASSERT_TRUE(world_.files.flip_bit("/db/SUPERBLOCK", slot + 60));
  const RecoveryReport report = opened();
  ASSERT_TRUE(report.error);
  EXPECT_EQ(report.error->code(), ErrorCode::kManifestCorrupt);
  EXPECT_EQ(report.failed_stage()->stage, RecoveryStage::kManifestRecovery);
}

TEST_F(RecoveryOf, ATornLogIsReportedAsRolledBack) {
  process([&] {
    Database db = open();
    for (int i = 0; i < 50; ++i) ok(db.put("key", std::string(3000, 'x')));
    world_.files.process_death();
  });
  // The last record's end never reached the disk.
  const std::string segment = segment_with("xxxx");
  const std::string bytes = world_.files.content(segment);
  const std::size_t end = bytes.find_last_of('x');
  ASSERT_NE(end, std::string::npos);
  ASSERT_TRUE(world_.files.overwrite(segment, end - 100, std::string(200, '\0')));
  const RecoveryReport report = opened();
  EXPECT_FALSE(report.error) << report.to_string();
  const auto rolled_back = notes(report, RecoveryNote::Kind::kRolledBack);
  ASSERT_EQ(rolled_back.size(), 1u) << report.to_string();
  EXPECT_NE(rolled_back.front().find("torn end of the log"), std::string::npos) << rolled_back.front();
  EXPECT_NE(rolled_back.front().find(segment), std::string::npos) << rolled_back.front();
  EXPECT_EQ(report.last_sequence, 49u);
}

TEST_F(RecoveryOf, ADamagedTableIsReportedAsIsolatedAndAStrayFileAsSetAside) {
  leave_work();
  const std::string table = "/db/tables/" + world_.files.list("/db/tables")->front();
  ASSERT_TRUE(world_.files.truncate_file(table, world_.files.content(table).size() - 1));
  ASSERT_TRUE(world_.files.put_file("/db/tables/000000009999.sst", "a job that died"));
  const RecoveryReport report = opened();
  EXPECT_FALSE(report.error) << report.to_string();
  const auto isolated = notes(report, RecoveryNote::Kind::kIsolated);
  ASSERT_EQ(isolated.size(), 1u) << report.to_string();
  EXPECT_NE(isolated.front().find(table), std::string::npos) << isolated.front();
  const auto set_aside = notes(report, RecoveryNote::Kind::kSetAside);
  ASSERT_EQ(set_aside.size(), 1u) << report.to_string();
  EXPECT_NE(set_aside.front().find("000000009999.sst"), std::string::npos);
}

TEST_F(RecoveryOf, AStoreDoesNotBeginWithoutTheDiskSpaceThatItNeeds) {
  config_.ballast_bytes = 0;
  leave_work();
  const auto before = files();
  std::uint64_t used = 0;
  for (const auto& [path, bytes] : before) used += bytes.size();
  world_.files.set_capacity(used + 1000);
  RecoveryReport report = opened();
  ASSERT_TRUE(report.error) << report.to_string();
  EXPECT_EQ(report.error->code(), ErrorCode::kNoSpace);
  EXPECT_EQ(report.failed_stage()->stage, RecoveryStage::kResourceCheck);
  EXPECT_NE(report.error->message().find("needs 1048576 bytes of disk space"), std::string::npos)
      << report.error->message();
  EXPECT_TRUE(files() == before);
  world_.files.set_capacity(std::uint64_t{1} << 40);
  EXPECT_FALSE(opened().error);
}

TEST_F(RecoveryOf, AnOlderCopyOfTheStoreIsRefusedWhereANewerOneIsAskedFor) {
  leave_work();
  const auto copy = files();
  const std::uint64_t known = opened().generation;
  for (const auto& [path, bytes] : files()) ASSERT_TRUE(world_.files.delete_file(path));
  for (const auto& [path, bytes] : copy) ASSERT_TRUE(world_.files.put_file(path, bytes));
  process([&] {
    const auto refused = try_open({.generation_min = known});
    EXPECT_CODE(kStaleStore, refused);
    EXPECT_NE(refused.error().message().find("generation " + std::to_string(known)), std::string::npos);
    EXPECT_OK(try_open({.generation_min = known - 1}));
  });
}

TEST_F(RecoveryOf, AStoreWithWhatIsNoJournalOpensAllTheSame) {
  leave_work();
  for (const std::string journal : {"", "attempt ", "attempt x", "attempt 99999999999999999999", "\n\n\n"}) {
    ASSERT_TRUE(world_.files.put_file("/db/RECOVERY", journal));
    EXPECT_FALSE(opened().error) << journal;
  }
  ASSERT_TRUE(world_.files.put_file("/db/RECOVERY", std::string(100'000, 'a')));
  EXPECT_FALSE(opened().error);
}

TEST_F(RecoveryOf, AClockThatWasSetBackIsAWarning) {
  leave_work();
  world_.clock.advance(std::chrono::hours(48));
  EXPECT_FALSE(opened().error);
  env::SimulatedClock earlier;  // 2026-01-01 again
  env::Env env{world_.files, earlier, world_.random};
  RecoveryReport report;
  process([&] { EXPECT_OK(DatabaseAccess::open(env, "/db", config_, false, {.recovery_report = &report})); });
  const auto warnings = notes(report, RecoveryNote::Kind::kWarning);
  ASSERT_EQ(warnings.size(), 1u) << report.to_string();
  EXPECT_NE(warnings.front().find("clock"), std::string::npos);
}

}  // namespace
}  // namespace lightning::engine
