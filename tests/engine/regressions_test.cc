// What the earlier system of this name got wrong, one test per fault.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <map>

#include "api/database_access.h"
#include "base/fiber.h"
#include "env/simulated_world.h"
#include "sim/crash_run.h"

namespace lightning {
namespace {

using namespace std::chrono_literals;

// A simulated machine, and one store on it.
class Regressions : public testing::Test {
 protected:
  // Runs `body` on the opened store, closes it, and expects all of it to end well.
  void live(const std::function<void(Database&)>& body) {
    base::FiberScheduler fibers(++seed_);
    const base::WorldEnd end = fibers.run([&] {
      auto db = open();
      ASSERT_TRUE(db) << db.error().to_string();
      body(*db);
      const Status closed = db->close();
      EXPECT_TRUE(closed) << closed.error().to_string();
    });
    EXPECT_EQ(end, base::WorldEnd::kFinished) << fibers.report();
  }
  // Runs `body`, at the end of which the power fails: only what was synced is left.
  void live_until_power_cut(const std::function<void(Database&)>& body) {
    {
      base::FiberScheduler fibers(++seed_);
      const base::WorldEnd end = fibers.run([&] {
        auto db = open();
        ASSERT_TRUE(db) << db.error().to_string();
        body(*db);
        fibers.kill_world();
      });
      EXPECT_EQ(end, base::WorldEnd::kKilled) << fibers.report();
    }
    world_.files.crash(env::CrashMode::kDropAll);
  }
  Result<Database> open() { return DatabaseAccess::open_as_given(world_.env, "/store", config_); }

  env::SimulatedWorld world_{1};
  LightningDbConfig config_ = sim::small_config();
  std::uint64_t seed_ = 0;
};

void expect_value(Database& db, const std::string& key, const std::string& value) {
  const auto found = db.get(key);
  ASSERT_TRUE(found) << found.error().to_string();
  ASSERT_TRUE(found->has_value()) << key << " is absent";
  EXPECT_EQ(**found, value);
}

// It acknowledged first, and synced afterwards.
TEST_F(Regressions, AcknowledgesOnlyAfterFsync) {
  config_.wal_sync_mode = WalSyncMode::kSync;
  for (int round = 0; round < 10; ++round) {
    live_until_power_cut([&](Database& db) {
      for (int i = 0; i <= round; ++i)
        EXPECT_TRUE(db.put("key" + std::to_string(round * 100 + i), "value" + std::to_string(i)));
    });
    live([&](Database& db) {
      for (int i = 0; i <= round; ++i)
        expect_value(db, "key" + std::to_string(round * 100 + i), "value" + std::to_string(i));
    });
  }
}

// A failed fsync was a line in the log file, and success for the caller.
TEST_F(Regressions, AFailedFsyncIsAnErrorAndStopsAllWrites) {
  config_.wal_sync_mode = WalSyncMode::kSync;
  live_until_power_cut([&](Database& db) {
    EXPECT_TRUE(db.put("before", "1"));
    world_.files.add_fault({.kind = env::IoKind::kSync, .file_class = env::FileClass::kLog});
    const Status failed = db.put("during", "2");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), ErrorCode::kSyncFailed);
    EXPECT_EQ(failed.error().outcome(), WriteOutcome::kUnknown);
    for (const Durability durability : {Durability::kSync, Durability::kAsync}) {
      const Status refused = db.put("after", "3", {.durability = durability});
      ASSERT_FALSE(refused);
      EXPECT_TRUE(refused.error().code() == ErrorCode::kSyncFailed ||
                  refused.error().code() == ErrorCode::kReadOnlyMode)
          << refused.error().to_string();
      EXPECT_EQ(refused.error().outcome(), WriteOutcome::kNotApplied);
    }
    EXPECT_FALSE(db.sync());
    expect_value(db, "before", "1");
  });
  live([&](Database& db) {
    expect_value(db, "before", "1");
    const auto after = db.get("after");
    ASSERT_TRUE(after) << after.error().to_string();
    EXPECT_FALSE(after->has_value());
    EXPECT_TRUE(db.put("again", "4"));
  });
}

// Filters were read back empty, and made for 10,000 keys whatever the table.
TEST_F(Regressions, FilterLosesNoKeyAfterReopen) {
  constexpr int kKeys = 12'000;
  config_.memtable_bytes = 8 << 20;
  config_.table_bytes = 8 << 20;
  config_.wal_segment_bytes = 1 << 20;
  config_.wal_bytes_max = 64 << 20;
  config_.cache_size = 32 << 20;
  config_.block_bytes = 4096;
  live([&](Database& db) {
    for (int i = 0; i < kKeys; ++i) EXPECT_TRUE(db.put("key" + std::to_string(i * 7919), std::to_string(i)));
    EXPECT_TRUE(db.compact_range());
  });
  live([&](Database& db) {
    for (int i = 0; i < kKeys; ++i) expect_value(db, "key" + std::to_string(i * 7919), std::to_string(i));
    const Statistics before = db.stats();
    EXPECT_EQ(before.keyspaces.front().memtable_entries, 0u) << "the keys come from the log, not from the tables";
    for (int i = 0; i < 1000; ++i) EXPECT_FALSE(db.get("key" + std::to_string(i * 7919) + "x").value().has_value());
    const Statistics after = db.stats();
    EXPECT_GT(after.filter_negatives - before.filter_negatives, 900u) << "the filters keep nothing out";
  });
}

// Compaction wrote its output beside the database, and left the tables of the level as they were.
TEST_F(Regressions, CompactionReplacesTheTablesOfALevel) {
  config_.level0_compaction_trigger = 64;  // nothing happens by itself
  config_.level0_slowdown_trigger = 100;
  config_.level0_stop_trigger = 100;
  live([&](Database& db) {
    for (int round = 0; round < 6; ++round) {
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(db.put("key" + std::to_string(i), "round" + std::to_string(round)));
      EXPECT_TRUE(db.flush());
    }
    const auto before = db.stats().keyspaces.front().levels;
    ASSERT_EQ(before.size(), 1u);
    EXPECT_EQ(before[0].level, 0u);
    EXPECT_EQ(before[0].tables, 6u);
    EXPECT_TRUE(db.compact_range());
    EXPECT_TRUE(db.wait_for_background_work());
    const auto after = db.stats().keyspaces.front().levels;
    ASSERT_EQ(after.size(), 1u);
    EXPECT_GT(after[0].level, 0u);
    EXPECT_EQ(after[0].entries, 100u) << "overwritten versions are still there";
    for (int i = 0; i < 100; ++i) expect_value(db, "key" + std::to_string(i), "round5");
    const auto files = world_.files.list("/store/tables");
    ASSERT_TRUE(files);
    EXPECT_EQ(files->size(), after[0].tables) << "the inputs are still on the disk";
  });
}

// In one mode, with compression off, batches were logged and never applied.
TEST_F(Regressions, BatchIsReadableInEverySyncModeWithCompressionOff) {
  config_.compression_enabled = false;
  for (const WalSyncMode mode : {WalSyncMode::kSync, WalSyncMode::kPeriodic, WalSyncMode::kAsync}) {
    config_.wal_sync_mode = mode;
    const std::string value = "mode" + std::to_string(static_cast<int>(mode));
    live([&](Database& db) {
      WriteBatch batch;
      batch.put("a", value).put("b", value).erase("c");
      ASSERT_TRUE(db.write(batch));
      expect_value(db, "a", value);
      expect_value(db, "b", value);
    });
    live([&](Database& db) {
      expect_value(db, "a", value);
      expect_value(db, "b", value);
    });
  }
}

// Recovery passed over a record that did not verify, and went on with the next.
TEST_F(Regressions, RecoveryNeverSkipsACorruptRecord) {
  config_.wal_sync_mode = WalSyncMode::kSync;
  live_until_power_cut([&](Database& db) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(db.put("key" + std::to_string(i), std::string(100, 'v')));
  });
  const auto segments = world_.files.list("/store/wal");
  ASSERT_TRUE(segments);
  int damaged = 0;
  for (const std::string& name : *segments) {
    const std::string path = "/store/wal/" + name;
    const std::string content = world_.files.content(path);
    const std::size_t at = content.find("key9");
    if (at == std::string::npos) continue;
    ASSERT_TRUE(world_.files.flip_bit(path, at + 20));
    ++damaged;
  }
  ASSERT_EQ(damaged, 1);
  base::FiberScheduler fibers(++seed_);
  EXPECT_EQ(fibers.run([&] {
    const auto db = open();
    ASSERT_FALSE(db) << "opened, although a record in the middle is damaged";
    EXPECT_EQ(db.error().code(), ErrorCode::kWalCorrupt) << db.error().to_string();
    EXPECT_NE(db.error().context().file.find("/store/wal/"), std::string::npos);
    EXPECT_NE(db.error().context().offset, ErrorContext::kNoOffset);
  }),
            base::WorldEnd::kFinished);
}

// Each segment was checked by itself: one of a copy of the store that had gone its own way was as good.
TEST_F(Regressions, ALogOfAnotherHistoryIsRefused) {
  config_.wal_sync_mode = WalSyncMode::kSync;
  const auto files_of_store = [&] {
    std::map<std::string, std::string> files;
    for (const char* directory : {"/store", "/store/wal", "/store/tables"}) {
      const auto names = world_.files.list(directory);
      EXPECT_TRUE(names);
      for (const std::string& name : *names) {
        const std::string path = std::string(directory) + "/" + name;
        if (const auto info = world_.files.info(path); info && !info->is_directory)
          files[path] = world_.files.content(path);
      }
    }
    return files;
  };
  const auto put_back = [&](const std::map<std::string, std::string>& files) {
    for (const auto& [path, bytes] : files_of_store()) {
      if (files.contains(path)) continue;
      EXPECT_TRUE(world_.files.remove(path));
    }
    for (const auto& [path, bytes] : files) world_.files.put_file(path, bytes);
  };
  const auto go_on = [&](const std::string& value) {
    live_until_power_cut([&](Database& db) {
      for (int i = 0; i < 5; ++i) EXPECT_TRUE(db.put("before" + std::to_string(i), value));
      EXPECT_TRUE(db.flush());
      for (int i = 0; i < 5; ++i) EXPECT_TRUE(db.put("after" + std::to_string(i), value));
    });
    return files_of_store();
  };
  live([&](Database& db) { EXPECT_TRUE(db.put("common", "x")); });
  const auto common = files_of_store();
  const auto here = go_on("here");
  put_back(common);
  const auto elsewhere = go_on("elsewhere");

  put_back(here);
  live([&](Database& db) { expect_value(db, "after4", "here"); });
  auto mixed = here;
  int exchanged = 0;
  for (const auto& [path, bytes] : elsewhere)
    if (path.starts_with("/store/wal/") && here.contains(path)) mixed[path] = bytes, ++exchanged;
  ASSERT_GT(exchanged, 0);
  put_back(mixed);
  base::FiberScheduler fibers(++seed_);
  EXPECT_EQ(fibers.run([&] {
    const auto db = open();
    ASSERT_FALSE(db) << "opened with the log of another history";
    EXPECT_EQ(db.error().code(), ErrorCode::kWalCorrupt) << db.error().to_string();
    EXPECT_NE(db.error().context().file.find("/store/wal/"), std::string::npos);
    EXPECT_NE(db.error().context().offset, ErrorContext::kNoOffset);
    EXPECT_NE(db.error().to_string().find("another history"), std::string::npos) << db.error().to_string();
  }),
            base::WorldEnd::kFinished);
}

// Nothing ever synced in Periodic mode.
TEST_F(Regressions, PeriodicModeSyncsWithinItsInterval) {
  config_.wal_sync_mode = WalSyncMode::kPeriodic;
  config_.wal_sync_interval = 100ms;
  for (int round = 0; round < 20; ++round) {
    live_until_power_cut([&](Database& db) {
      EXPECT_TRUE(db.put("key" + std::to_string(round), "value"));
      base::sleep_for(100ms);  // of virtual time
    });
    live([&](Database& db) { expect_value(db, "key" + std::to_string(round), "value"); });
  }
}

// Some paths checked sizes, others did not.
TEST_F(Regressions, SizeLimitsAreCheckedOnEveryPath) {
  live([&](Database& db) {
    const auto expect_refused = [&](const Status& status, ErrorCode code, const char* what) {
      ASSERT_FALSE(status) << what;
      EXPECT_EQ(status.error().code(), code) << what;
      EXPECT_EQ(status.error().outcome(), WriteOutcome::kNotApplied) << what;
    };
    const auto write = [&](const WriteBatch& batch) {
      const auto written = db.write(batch);
      return written ? Status() : Status(written.error());
    };
    auto other = db.create_keyspace("other");
    ASSERT_TRUE(other) << other.error().to_string();
    const std::string longest(kKeyBytesMax, 'k'), too_long(kKeyBytesMax + 1, 'k');
    for (const Keyspace& keyspace : {db.default_keyspace(), *other}) {
      expect_refused(db.put(keyspace, "", "x"), ErrorCode::kKeyEmpty, "put");
      expect_refused(db.put(keyspace, too_long, "x"), ErrorCode::kKeyTooLarge, "put");
      expect_refused(db.erase(keyspace, ""), ErrorCode::kKeyEmpty, "erase");
      expect_refused(db.erase(keyspace, too_long), ErrorCode::kKeyTooLarge, "erase");
      expect_refused(write(WriteBatch().put(keyspace, "good", "x").put(keyspace, "", "x")), ErrorCode::kKeyEmpty,
                     "batch");
      expect_refused(write(WriteBatch().put(keyspace, "good", "x").put(keyspace, too_long, "x")),
                     ErrorCode::kKeyTooLarge, "batch");
      expect_refused(write(WriteBatch().put(keyspace, "good", "x").erase(keyspace, "")), ErrorCode::kKeyEmpty, "batch");
      EXPECT_FALSE(db.get(keyspace, "good").value().has_value()) << "half of a refused batch was applied";
      EXPECT_TRUE(db.put(keyspace, longest, "x"));
      EXPECT_EQ(db.get(keyspace, longest).value(), "x");
    }
    // Never touched, so it costs no memory.
    constexpr std::size_t kTooMuch = kValueBytesMax + 1;
    void* const bytes = ::mmap(nullptr, kTooMuch, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(bytes, MAP_FAILED);
    expect_refused(db.put("key", {static_cast<const char*>(bytes), kTooMuch}), ErrorCode::kValueTooLarge, "put");
    ::munmap(bytes, kTooMuch);
  });
}

}  // namespace
}  // namespace lightning
