// What the engine owes after something went wrong: nothing acknowledged is lost, nothing is left behind that adds up,
// and what can go on goes on. In a simulated world, whose time is virtual and whose disk fails on demand.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/database_access.h"
#include "base/coding.h"
#include "base/fiber.h"
#include "env/simulated_world.h"
#include "lightning/database.h"

namespace lightning::engine {
namespace {

using namespace std::chrono_literals;

LightningDbConfig small_config() {
  LightningDbConfig config;
  config.cache_size = 16 << 20;
  config.memtable_bytes = 256 << 10;
  config.wal_segment_bytes = 1 << 20;
  config.compaction_threads = 2;
  config.integrity_validation_level = IntegrityLevel::kBasic;
  return config;
}

// A thousand bytes that do not compress.
std::string noise(int n) {
  env::SeededRandom random(static_cast<std::uint64_t>(n));
  std::string bytes;
  while (bytes.size() < 1000) base::append_le(bytes, random.next());
  return bytes;
}

// A store on a simulated disk; each life() is a process.
class Failures : public testing::Test {
 protected:
  void life(const std::function<void()>& body) {
    base::FiberScheduler fibers(++seed_);
    EXPECT_EQ(fibers.run([&] {
      opened_.emplace(open());
      body();
      opened_.reset();
    }),
              base::WorldEnd::kFinished)
        << fibers.report();
  }
  Database open() {
    auto opened = DatabaseAccess::open(world_.env, "/db", config_);
    if (!opened) throw std::runtime_error(opened.error().to_string());
    return std::move(*opened);
  }
  Database& db() { return *opened_; }
  void put(const std::string& key, const std::string& value) { ok(db().put(key, value)); }
  static void ok(const Status& status) { EXPECT_TRUE(status) << status.error().to_string(); }
  std::string get(const std::string& key) {
    const auto value = db().get(key);
    if (!value) return value.error().to_string();
    return value->value_or("nothing");
  }
  std::size_t table_files() {
    const auto names = world_.files.list("/db/tables");
    return names ? names->size() : 0;
  }
  std::size_t live_tables() {
    std::size_t tables = 0;
    for (const auto& keyspace : db().stats().keyspaces)
      for (const auto& level : keyspace.levels) tables += level.tables;
    return tables;
  }
  void fail_tables(int os_error) {
    world_.files.add_fault(
        {.kind = env::IoKind::kWrite, .path_part = "/tables/", .nth = 3, .sticky = true, .os_error = os_error});
  }
  // Three overlapping runs in level 0, large enough to be written in more than one piece.
  void write_runs() {
    for (int run = 0; run < 3; ++run) {
      for (int i = 0; i < 100; ++i) put("key" + std::to_string(i), noise(run * 100 + i));
      ok(db().flush());
    }
  }

  LightningDbConfig config_ = small_config();
  env::SimulatedWorld world_{1};
  std::optional<Database> opened_;
  std::uint64_t seed_ = 0;
};

// The memtable that follows a replay was said to begin above every sequence: another keyspace's flush let go of its
// log.
TEST_F(Failures, AFlushOfOneKeyspaceKeepsTheLogOfAnotherThatWasReplayed) {
  life([&] {
    put("old", "1");
    ok(db().put(*db().create_keyspace("other"), "old", "1"));
  });
  life([&] {
    put("paid", "1");
    const Keyspace other = *db().keyspace("other");
    for (int i = 0; i < 400; ++i) ok(db().put(other, "key" + std::to_string(i), std::string(1000, 'x')));
    ok(db().wait_for_background_work());
    EXPECT_GT(db().stats().flushes, 0u);
  });
  life([&] {
    EXPECT_EQ(get("paid"), "1");
    EXPECT_EQ(get("old"), "1");
  });
}

TEST_F(Failures, WritersGoOnOnceACompactionThatFoundTheDiskFullFindsSpace) {
  life([&] {
    write_runs();
    fail_tables(28);
    const Status compacted = db().compact_range();
    ASSERT_FALSE(compacted);
    EXPECT_EQ(compacted.error().code(), ErrorCode::kNoSpace);
    const Status refused = db().put("k", "v");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().outcome(), WriteOutcome::kNotApplied);
    world_.files.clear_faults();
    Status written;
    for (int i = 0; i < 100; ++i) {
      base::sleep_for(100ms);
      written = db().put("k", "v");
      if (written) break;
    }
    ok(written);
    ok(db().compact_range());
    EXPECT_EQ(get("key7"), noise(207));
  });
}

TEST_F(Failures, WritersGoOnOnceAFlushThatFoundTheDiskFullFindsSpace) {
  life([&] {
    for (int i = 0; i < 100; ++i) put("key" + std::to_string(i), noise(i));
    fail_tables(28);
    EXPECT_FALSE(db().flush());
    world_.files.clear_faults();
    for (int i = 0; i < 100 && !db().put("k", "v"); ++i) base::sleep_for(100ms);
    ok(db().flush());
    EXPECT_EQ(live_tables(), table_files());
    EXPECT_EQ(get("key7"), noise(7));
  });
}

TEST_F(Failures, ATableThatDoesNotReadBackAsItWasWrittenIsWrittenAgain) {
  config_.integrity_validation_level = IntegrityLevel::kParanoid;  // reads back all of it
  life([&] {
    const env::Fault wrong{
        .kind = env::IoKind::kWrite, .path_part = "/tables/", .effect = env::FaultEffect::kStoreWrong};
    put("key", "1");
    world_.files.add_fault(wrong);
    ok(db().flush());
    write_runs();
    world_.files.add_fault(wrong);
    ok(db().compact_range(KeyRange{}));
    EXPECT_EQ(db().stats().tables_rewritten, 2u);
    EXPECT_TRUE(db().stats().damaged_tables.empty());
    EXPECT_EQ(get("key"), "1");
    EXPECT_EQ(get("key7"), noise(207));
    EXPECT_EQ(table_files(), live_tables());
    put("key", "2");
  });
  life([&] { EXPECT_EQ(get("key"), "2"); });
}

TEST_F(Failures, ADiskOnWhichNoTableReadsBackStopsWritesAndLosesNone) {
  config_.integrity_validation_level = IntegrityLevel::kParanoid;
  life([&] {
    world_.files.add_fault({.kind = env::IoKind::kWrite,
                            .path_part = "/tables/",
                            .sticky = true,
                            .effect = env::FaultEffect::kStoreWrong});
    put("key", "1");
    const Status flushed = db().flush();
    ASSERT_FALSE(flushed);
    EXPECT_EQ(flushed.error().code(), ErrorCode::kTableCorrupt) << flushed.error().to_string();
    EXPECT_EQ(get("key"), "1");
    EXPECT_FALSE(db().put("key", "2"));
    world_.files.clear_faults();
  });
  life([&] { EXPECT_EQ(get("key"), "1"); });
}

TEST_F(Failures, AMergeThatFailsLeavesNoFiles) {
  life([&] {
    write_runs();
    const std::size_t before = table_files();
    fail_tables(28);
    EXPECT_FALSE(db().compact_range());
    EXPECT_EQ(table_files(), before);
  });
}

TEST_F(Failures, TheInputsOfACompactionAreGoneWhenItIsWaitedFor) {
  life([&] {
    write_runs();
    ok(db().compact_range());
    EXPECT_EQ(live_tables(), table_files());
    config_.level0_compaction_trigger = 2;
  });
  life([&] {
    write_runs();
    ok(db().wait_for_background_work());
    EXPECT_GT(db().stats().compactions, 0u);
    EXPECT_EQ(live_tables(), table_files());
  });
}

// A write that the log refuses gives its place in the memtable back: reservations would add up, region by region.
TEST_F(Failures, WritesThatTheLogRefusesKeepNoMemory) {
  config_.cache_size = 64 << 20;
  config_.memtable_bytes = 32 << 20;  // no flush in between
  life([&] {
    world_.files.add_fault(
        {.kind = env::IoKind::kCreate, .file_class = env::FileClass::kLog, .sticky = true, .os_error = 28});
    const std::string value(100'000, 'v');
    std::uint64_t refused = 0;
    for (int i = 0; i < 1000 && refused == 0; ++i) refused += db().put("k", value) ? 0 : 1;
    ASSERT_EQ(refused, 1u);
    const std::uint64_t before = db().stats().memory.memtables;
    WriteBatch batch;
    batch.put("a", value).put("b", value);
    for (int i = 0; i < 200; ++i) {
      EXPECT_FALSE(db().put("k", value));
      EXPECT_FALSE(db().write(batch));
    }
    EXPECT_LT(db().stats().memory.memtables, before + (4 << 20));
  });
}

TEST_F(Failures, AFailedOpenLeavesNoTables) {
  life([&] {
    for (int i = 0; i < 1500; ++i) put("key" + std::to_string(i), std::string(1000, 'x'));
    ok(db().wait_for_background_work());
    for (int i = 0; i < 200; ++i) put("late" + std::to_string(i), std::string(1000, 'x'));
  });
  const std::size_t before = table_files();
  world_.files.add_fault({.kind = env::IoKind::kSyncDirectory, .path_part = "/tables", .sticky = true});
  for (int i = 0; i < 3; ++i) {
    base::FiberScheduler fibers(7);
    fibers.run([&] { EXPECT_FALSE(DatabaseAccess::open(world_.env, "/db", config_)); });
  }
  EXPECT_EQ(table_files(), before);
  world_.files.clear_faults();
  life([&] { EXPECT_EQ(get("late199"), std::string(1000, 'x')); });
}

TEST_F(Failures, AStoreWhoseFirstSuperblockWasTornIsMadeAnew) {
  ASSERT_TRUE(world_.files.create_directories("/db"));
  std::string torn(8192, '\0');
  torn.replace(4096, 512, std::string(512, 'x'));
  ASSERT_TRUE(world_.files.put_file("/db/SUPERBLOCK", torn));
  life([&] { put("k", "v"); });
  life([&] { EXPECT_EQ(get("k"), "v"); });
}

TEST_F(Failures, AStoreThatHoldsDataAndLostItsSuperblockIsRefused) {
  life([&] { put("k", "v"); });
  for (std::uint64_t at = 4096; at < 8192; at += 512)
    ASSERT_TRUE(world_.files.overwrite("/db/SUPERBLOCK", at, "damage"));
  ASSERT_TRUE(world_.files.truncate_file("/db/SUPERBLOCK", 8192));
  for (const bool read_only : {false, true}) {
    const auto opened = DatabaseAccess::open(world_.env, "/db", config_, read_only);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), ErrorCode::kManifestCorrupt) << opened.error().to_string();
  }
}

TEST_F(Failures, TheHandleOfADroppedKeyspaceMayOutliveTheDatabase) {
  Keyspace handle;
  life([&] {
    handle = *db().create_keyspace("gone");
    ok(db().put(handle, "k", "v"));
    ok(db().flush());
    ok(db().put(handle, "k", "w"));
    ok(db().drop_keyspace("gone"));
    EXPECT_EQ(db().get(handle, "k").error().code(), ErrorCode::kKeyspaceNotFound);
  });
  EXPECT_EQ(handle.name(), "gone");
}

TEST_F(Failures, AKeyspaceIsNotUnknownButClosedAfterClose) {
  life([&] {
    ok(db().close());
    EXPECT_EQ(db().keyspace("default").error().code(), ErrorCode::kClosed);
    EXPECT_EQ(db().get_or_create_keyspace("new").error().code(), ErrorCode::kClosed);
  });
}

TEST_F(Failures, AKeyspaceWhoseDropFailedTakesNoWritesUntilThatIsSettled) {
  life([&] {
    const Keyspace kept = *db().create_keyspace("kept");
    world_.files.add_fault({.kind = env::IoKind::kSync, .file_class = env::FileClass::kManifest, .os_error = 28});
    EXPECT_FALSE(db().drop_keyspace("kept"));
    EXPECT_FALSE(db().put(kept, "k", "v"));
  });
}

TEST_F(Failures, MultiGetOfNoKeysAnswersNothing) {
  life([&] {
    for (int i = 0; i < 64; ++i) ok(db().multi_get(db().default_keyspace(), {}, {}));  // one in 32 is timed
  });
}

}  // namespace
}  // namespace lightning::engine
