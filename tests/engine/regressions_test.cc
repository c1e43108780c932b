// What the earlier system of this name got wrong, one test per fault.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <map>
#include <optional>

#include "api/database_access.h"
#include "base/epoch.h"
#include "base/fiber.h"
#include "base/memory_budget.h"
#include "cache/block_cache.h"
#include "env/simulated_world.h"
#include "manifest/manifest.h"
#include "sim/crash_run.h"
#include "sstable/table.h"

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
  Result<Database> open() { return DatabaseAccess::open_as_given(world_.env, "/store", config_, false, tuning_); }
  // Expects that the store does not open, and gives the error.
  Error refusal(bool read_only = false) {
    std::optional<Error> error;
    base::FiberScheduler fibers(++seed_);
    const base::WorldEnd end = fibers.run([&] {
      const auto db = DatabaseAccess::open_as_given(world_.env, "/store", config_, read_only, tuning_);
      if (!db) error = db.error();
    });
    EXPECT_EQ(end, base::WorldEnd::kFinished) << fibers.report();
    EXPECT_TRUE(error) << "opened";
    return error.value_or(Error(ErrorCode::kInternal, "opened"));
  }
  std::vector<std::string> names_in(const std::string& directory) {
    const auto names = world_.files.list(directory);
    EXPECT_TRUE(names);
    return names ? *names : std::vector<std::string>();
  }
  std::string newest_manifest() {
    std::string newest;
    for (const std::string& name : names_in("/store"))
      if (name.starts_with("MANIFEST-")) newest = std::max(newest, "/store/" + name);
    return newest;
  }

  env::SimulatedWorld world_{1};
  LightningDbConfig config_ = sim::small_config();
  engine::Tuning tuning_;
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
  const Error error = refusal();
  EXPECT_EQ(error.code(), ErrorCode::kWalCorrupt) << error.to_string();
  EXPECT_NE(error.context().file.find("/store/wal/"), std::string::npos);
  EXPECT_NE(error.context().offset, ErrorContext::kNoOffset);
  EXPECT_NE(error.to_string().find("another history"), std::string::npos) << error.to_string();
}

// The whole log tail was read into memory, whatever the configuration granted.
TEST_F(Regressions, AReadOnlyOpenKeepsToItsBudgetOrSaysWhatItNeeds) {
  config_.memtable_bytes = 64 << 20;
  config_.cache_size = 64 << 20;
  config_.wal_segment_bytes = 1 << 20;
  config_.wal_bytes_max = 64 << 20;
  live([&](Database& db) {
    for (int i = 0; i < 2000; ++i) EXPECT_TRUE(db.put("key" + std::to_string(i), std::string(10'000, 'v')));
  });
  config_.cache_size = 8 << 20;
  const Error error = refusal(/*read_only=*/true);
  EXPECT_EQ(error.code(), ErrorCode::kInsufficientResources) << error.to_string();
  const std::string text = error.to_string();
  EXPECT_NE(text.find(std::to_string(8 << 20)), std::string::npos) << "says what is there: " << text;
  const std::size_t at = text.find("must be about ");
  ASSERT_NE(at, std::string::npos) << text;
  config_.cache_size = std::stoull(text.substr(at + 14));
  EXPECT_GT(config_.cache_size, 20u << 20);
  EXPECT_LT(config_.cache_size, 45u << 20);
  base::FiberScheduler fibers(++seed_);
  EXPECT_EQ(fibers.run([&] {
    auto db = DatabaseAccess::open_as_given(world_.env, "/store", config_, true);
    ASSERT_TRUE(db) << "what the error said was not enough: " << db.error().to_string();
    expect_value(*db, "key1999", std::string(10'000, 'v'));
  }),
            base::WorldEnd::kFinished);
  config_.cache_size = 8 << 20;
  live([](Database& db) { expect_value(db, "key7", std::string(10'000, 'v')); });  // for writing it always opens
}

// Damage to the last record of the manifest passed for an edit that a power cut had torn.
TEST_F(Regressions, DamageToTheLastManifestRecordIsNoTornTail) {
  config_.memtable_bytes = 1 << 20;
  live_until_power_cut([&](Database& db) {
    EXPECT_TRUE(db.put("a", "1"));
    EXPECT_TRUE(db.flush());  // the last edit
    for (int i = 0; i < 8; ++i) EXPECT_TRUE(db.put("b" + std::to_string(i), std::string(20'000, 'v')));  // segments
    EXPECT_TRUE(db.sync());
  });
  const std::string path = newest_manifest(), whole = world_.files.content(path);
  std::string damaged = whole;
  damaged[damaged.size() - 5] ^= 1;
  for (const std::string& bytes : {damaged, whole.substr(0, whole.size() - 5), whole.substr(0, whole.size() - 150)}) {
    world_.files.put_file(path, bytes);
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::kManifestCorrupt) << error.to_string();
    EXPECT_EQ(error.context().file, path);
    EXPECT_NE(error.context().offset, ErrorContext::kNoOffset);
  }
  world_.files.put_file(path, whole);
  live([](Database& db) { expect_value(db, "a", "1"); });
}

// The length of the log was looked at once in 256 operations, however large; and a keyspace with one old write kept all
// of it.
TEST_F(Regressions, AnIdleKeyspaceDoesNotKeepTheLog) {
  live([&](Database& db) {
    const auto idle = db.create_keyspace("idle");
    ASSERT_TRUE(idle);
    for (int i = 0; i < 150; ++i) {
      const Keyspace keyspace = i % 50 == 0 ? *idle : db.default_keyspace();
      EXPECT_TRUE(db.put(keyspace, "small", "value"));
      EXPECT_TRUE(db.put("key" + std::to_string(i), std::string(30'000, 'v')));
      EXPECT_TRUE(db.wait_for_background_work());
      const auto segments = world_.files.list("/store/wal");
      ASSERT_TRUE(segments);
      ASSERT_LE(segments->size() * config_.wal_segment_bytes, 2 * config_.wal_bytes_max) << "after " << i << " writes";
    }
  });
}

// What dropped keyspaces had written stayed in the log, since no flush would ever speak of it.
TEST_F(Regressions, DroppedKeyspacesLeaveNeitherLogNorManifestBehind) {
  tuning_.manifest_roll.bytes_min = 16 << 10;
  live([&](Database& db) {
    for (int i = 0; i < 300; ++i) {
      const std::string name = "keyspace" + std::to_string(i);
      const auto keyspace = db.create_keyspace(name);
      ASSERT_TRUE(keyspace) << keyspace.error().to_string();
      EXPECT_TRUE(db.put(*keyspace, "key", std::string(10'000, 'v')));
      EXPECT_TRUE(db.drop_keyspace(name));
      EXPECT_TRUE(db.wait_for_background_work());
      const auto segments = world_.files.list("/store/wal");
      ASSERT_TRUE(segments);
      ASSERT_LE(segments->size() * config_.wal_segment_bytes, 2 * config_.wal_bytes_max) << "after " << i << " drops";
      ASSERT_LE(world_.files.content(newest_manifest()).size(), 20u << 10) << "after " << i << " drops";
    }
    EXPECT_TRUE(db.put("key", "value"));
  });
  live([](Database& db) {
    expect_value(db, "key", "value");
    EXPECT_EQ(db.keyspaces().size(), 1u);
  });
}

// A table of keyspaces was as long as the highest number ever given.
TEST_F(Regressions, AKeyspaceOfAHighNumberCostsNoMoreThanOneOfALow) {
  live([](Database&) {});
  auto superblock = manifest::read_superblock(world_.env, "/store");
  ASSERT_TRUE(superblock);
  manifest::LoadReport report;
  auto state = manifest::load(world_.env, "/store", *superblock, report);
  ASSERT_TRUE(state);
  state->next_keyspace = format::kNoKeyspace - 3;
  ASSERT_TRUE(manifest::Manifest::create(world_.env, "/store", *superblock, *state));
  live([&](Database& db) {
    for (const char* name : {"a", "b", "c"}) {
      const auto keyspace = db.create_keyspace(name);
      ASSERT_TRUE(keyspace) << keyspace.error().to_string();
      EXPECT_TRUE(db.write(WriteBatch().put(*keyspace, "key", name).put("key", name)));
    }
    const auto one_more = db.create_keyspace("d");
    ASSERT_FALSE(one_more);
    EXPECT_EQ(one_more.error().code(), ErrorCode::kInvalidArgument);
  });
  live([&](Database& db) {
    for (const std::string name : {"a", "b", "c"}) EXPECT_EQ(db.get(*db.keyspace(name), "key").value(), name);
    expect_value(db, "key", "c");
  });
}

// It meant the default keyspace.
TEST_F(Regressions, AnEmptyHandleInABatchIsAnError) {
  live([&](Database& db) {
    for (const WriteBatch& batch :
         {WriteBatch().put("good", "x").put(Keyspace(), "key", "x"), WriteBatch().erase(Keyspace(), "key")}) {
      const auto written = db.write(batch);
      ASSERT_FALSE(written);
      EXPECT_EQ(written.error().code(), ErrorCode::kInvalidArgument) << written.error().to_string();
      EXPECT_EQ(written.error().outcome(), WriteOutcome::kNotApplied);
    }
    EXPECT_FALSE(db.get("good").value().has_value());
    EXPECT_FALSE(db.get("key").value().has_value());
  });
}

// Entries newer than an iterator's snapshot were passed over without a look at its bound: to the end of the store, and
// into whatever damage lies there.
TEST_F(Regressions, ABoundedIteratorLooksAtNothingBehindItsBound) {
  config_.level0_compaction_trigger = 64;
  config_.level0_slowdown_trigger = config_.level0_stop_trigger = 100;
  config_.compression_enabled = false;
  live([&](Database& db) {
    EXPECT_TRUE(db.put("a", "1"));
    const Snapshot snapshot = db.snapshot();
    EXPECT_TRUE(db.put("b", "2"));
    for (int i = 0; i < 100; ++i)
      EXPECT_TRUE(db.put("x" + std::to_string(1000 + i), "value" + std::to_string(1000 + i) + std::string(100, 'v')));
    EXPECT_TRUE(db.flush());
    for (const std::string& name : names_in("/store/tables")) {
      const std::string path = "/store/tables/" + name;
      const std::size_t at = world_.files.content(path).find("value1050");
      ASSERT_NE(at, std::string::npos);
      ASSERT_TRUE(world_.files.flip_bit(path, at));
    }
    Iterator it = db.iterate({.snapshot = &snapshot, .upper_bound = "b"});
    it.seek("a");
    ASSERT_TRUE(it.valid());
    EXPECT_EQ(it.key(), "a");
    it.next();
    EXPECT_FALSE(it.valid());
    const Status status = it.status();
    EXPECT_TRUE(status) << status.error().to_string();
  });
}

// Nobody could tell when a table had been written.
TEST_F(Regressions, TablesSayWhenTheyWereMade) {
  live([&](Database& db) {
    const std::uint64_t before = world_.clock.wall_ns();
    EXPECT_TRUE(db.put("a", "1"));
    EXPECT_TRUE(db.flush());
    const auto names = world_.files.list("/store/tables");
    ASSERT_TRUE(names);
    ASSERT_EQ(names->size(), 1u);
    auto superblock = manifest::read_superblock(world_.env, "/store");
    ASSERT_TRUE(superblock);
    manifest::LoadReport report;
    const auto state = manifest::load(world_.env, "/store", *superblock, report);
    ASSERT_TRUE(state);
    base::MemoryBudget budget(1 << 20);
    base::EpochDomain epochs;
    cache::BlockCache cache(budget, epochs);
    const auto table = sstable::Table::open(world_.env, "/store/tables/" + names->front(), superblock->store_id,
                                            state->keyspaces.at(0).levels[0].at(0), cache, budget);
    ASSERT_TRUE(table) << table.error().to_string();
    const std::uint64_t made = (*table)->properties().created_ns;
    EXPECT_GE(made, before);
    EXPECT_LE(made, world_.clock.wall_ns());
  });
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
