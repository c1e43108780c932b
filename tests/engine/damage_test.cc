// Damage of one table stops what would read it, and nothing else.
#include <gtest/gtest.h>

#include <algorithm>
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

constexpr int kKeys = 1000;

std::string key(int i) { return "key" + std::to_string(1000 + i); }

class Damage : public testing::Test {
 protected:
  Damage() {
    config_.cache_size = 8 << 20;
    config_.memtable_bytes = 256 << 10;
    config_.table_bytes = 256 << 10;
    config_.wal_segment_bytes = 1 << 20;
    config_.compaction_threads = 2;
    config_.compression_enabled = false;
    config_.level0_compaction_trigger = 3;
    config_.level0_slowdown_trigger = 6;
    config_.level0_stop_trigger = 9;
    config_.write_stall_timeout = 5s;
  }
  void life(const std::function<void()>& body) {
    base::FiberScheduler fibers(++seed_);
    EXPECT_EQ(fibers.run([&] {
      auto opened = DatabaseAccess::open(world_.env, "/db", config_);
      ASSERT_TRUE(opened) << opened.error().to_string();
      opened_.emplace(std::move(*opened));
      body();
      opened_.reset();
    }),
              base::WorldEnd::kFinished)
        << fibers.report();
  }
  Database& db() { return *opened_; }
  static void ok(const Status& status) { EXPECT_TRUE(status) << status.error().to_string(); }
  // A thousand bytes that do not compress, and tell key and round.
  static std::string value(int i, int round) {
    env::SeededRandom random(static_cast<std::uint64_t>(round * kKeys + i));
    std::string bytes = key(i) + "/" + std::to_string(round) + "/";
    while (bytes.size() < 1000) base::append_le(bytes, random.next());
    return bytes;
  }
  void write_round(int round) {
    for (int i = 0; i < kKeys; ++i) ok(db().put(key(i), value(i, round)));
  }
  // All keys in one level, in several tables.
  void fill() {
    life([&] {
      write_round(0);
      ok(db().compact_range());
      ok(db().close());
    });
  }
  // The file in which key(i) lies: that of the table found by looking for its bytes.
  std::string file_with(int i, int round, std::uint64_t& offset) {
    const std::string bytes = value(i, round);
    const auto names = world_.files.list("/db/tables");
    for (const std::string& name : names.value()) {
      const std::string path = "/db/tables/" + name;
      const std::string content = *world_.files.read_file(path, 1 << 30);
      const std::size_t at = content.find(bytes);
      if (at == std::string::npos) continue;
      offset = at;
      return path;
    }
    ADD_FAILURE() << "no table holds " << key(i);
    return {};
  }
  std::string damage(int i, int round) {
    std::uint64_t offset = 0;
    std::string path = file_with(i, round, offset);
    EXPECT_TRUE(world_.files.flip_bit(path, offset + 500));
    return path;
  }
  std::size_t level0_tables() {
    const Statistics stats = db().stats();
    const auto& first = stats.keyspaces.front().levels.front();
    return first.level == 0 ? first.tables : 0;
  }
  template <typename T>
  void expect_damaged(const Result<T>& result, const std::string& file) {
    ASSERT_FALSE(result);
    expect_damaged(Status(result.error()), file);
  }
  void expect_damaged(const Status& status, const std::string& file) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), damage_) << status.error().to_string();
    EXPECT_EQ(status.error().context().file, file);
    EXPECT_EQ(status.error().context().offset == ErrorContext::kNoOffset, damage_ == ErrorCode::kTableMissing);
    EXPECT_NE(status.error().context().key_range, "");
    EXPECT_NE(status.error().advice(), "");
  }
  // Reads of everything: the newest round, but an error where the key may lie in the damaged block.
  void expect_newest(int round, int damaged) {
    for (int i = 0; i < kKeys; ++i) {
      const auto got = db().get(key(i));
      if (got) {
        ASSERT_TRUE(*got);
        EXPECT_EQ(**got, value(i, round));
      } else {
        EXPECT_NEAR(i, damaged, 16) << got.error().to_string();
      }
    }
  }

  // Of a table that opened as one that can't be read: the rest goes on.
  void expect_halts_alone(const std::string& file) {
    const Statistics stats = db().stats();
    SCOPED_TRACE(stats.damaged_tables[0].error);
    EXPECT_EQ(stats.damaged_tables[0].file, file);
    const std::string smallest = stats.damaged_tables[0].smallest_key, largest = stats.damaged_tables[0].largest_key;
    ASSERT_LE(smallest, key(500));
    ASSERT_GE(largest, key(500));
    for (int i = 0; i < kKeys; i += 7) {
      const auto got = db().get(key(i));
      if (smallest <= key(i) && key(i) <= largest) {
        expect_damaged(got, file);
      } else {
        ASSERT_TRUE(got) << got.error().to_string();
        EXPECT_EQ(**got, value(i, 0));
      }
    }
    Iterator it = db().iterate({.upper_bound = smallest});
    std::uint64_t seen = 0;
    for (it.seek_to_first(); it.valid(); it.next()) ++seen;
    ok(it.status());
    it = db().iterate();
    for (it.seek_to_last(); it.valid(); it.prev()) ++seen;
    expect_damaged(it.status(), file);
    EXPECT_GT(seen, 0u);
    EXPECT_EQ(db().check()->findings.size(), 1u);
    EXPECT_EQ(db().check({.full = false})->findings.size(), 1u);
    // Writes go on, hide what can't be read, and sink as far as they may.
    ok(db().put(key(500), "new"));
    ok(db().flush());
    expect_damaged(db().compact_range(), file);
    EXPECT_EQ(**db().get(key(500)), "new");
    EXPECT_EQ(db().stats().background_error, "");
    ok(db().put(key(500), value(500, 0)));
  }

  ErrorCode damage_ = ErrorCode::kTableCorrupt;  // what expect_damaged() expects
  LightningDbConfig config_;
  env::SimulatedWorld world_{1};
  std::optional<Database> opened_;
  std::uint64_t seed_ = 0;
};

// The background error was set for good: no write was taken until the store was opened again, and then the next
// compaction met the damage once more.
TEST_F(Damage, ACompactionThatMeetsItStopsNoWrites) {
  fill();
  damage(500, 0);
  life([&] {
    for (int round = 1; round <= 8; ++round) write_round(round);
    ok(db().flush());
    ok(db().wait_for_background_work());
    EXPECT_EQ(db().stats().background_error, "");
    expect_newest(8, -100);  // what was written since hides the damage
    EXPECT_LE(level0_tables(), 6u);
    EXPECT_GT(db().stats().compactions, 0u);
  });
}

TEST_F(Damage, OnlyReadsThatTouchItFail) {
  fill();
  const std::string file = damage(500, 0);
  life([&] {
    const auto got = db().get(key(500));
    ASSERT_FALSE(got);
    expect_damaged(got.error(), file);
    expect_newest(0, 500);
    Iterator it = db().iterate({.upper_bound = key(400)});
    int seen = 0;
    for (it.seek_to_first(); it.valid(); it.next()) ++seen;
    ok(it.status());
    EXPECT_EQ(seen, 400);
    it = db().iterate();
    for (it.seek_to_first(); it.valid(); it.next()) {}
    expect_damaged(it.status(), file);
  });
}

TEST_F(Damage, IsReportedByStatisticsUntilACheckFindsTheTableWhole) {
  fill();
  std::uint64_t offset = 0;
  const std::string file = file_with(500, 0, offset);
  ASSERT_TRUE(world_.files.flip_bit(file, offset + 500));
  life([&] {
    EXPECT_TRUE(db().stats().damaged_tables.empty()) << "nobody has met it yet";
    EXPECT_FALSE(db().get(key(500)));
    const auto stats = db().stats();
    ASSERT_EQ(stats.damaged_tables.size(), 1u);
    EXPECT_EQ(stats.damaged_tables[0].file, file);
    EXPECT_EQ(stats.damaged_tables[0].keyspace, "default");
    EXPECT_GT(stats.damaged_tables[0].level, 0u);
    EXPECT_LE(stats.damaged_tables[0].smallest_key, key(500));
    EXPECT_GE(stats.damaged_tables[0].largest_key, key(500));
    EXPECT_NE(stats.damaged_tables[0].error.find(file), std::string::npos);
    ASSERT_TRUE(world_.files.flip_bit(file, offset + 500));  // as if restored
    EXPECT_TRUE(db().check()->findings.empty());
    EXPECT_TRUE(db().stats().damaged_tables.empty());
    ok(db().compact_range());
  });
}

TEST_F(Damage, IsFoundByACheckBeforeACompactionMeetsIt) {
  fill();
  const std::string file = damage(500, 0);
  life([&] {
    EXPECT_EQ(db().check()->findings.size(), 1u);
    ASSERT_EQ(db().stats().damaged_tables.size(), 1u);
    EXPECT_EQ(db().stats().damaged_tables[0].file, file);
  });
}

TEST_F(Damage, CompactRangeDoesTheRestAndThenNamesIt) {
  fill();
  std::string file;
  life([&] { file = damage(500, 0); });
  life([&] {
    write_round(1);
    expect_damaged(db().compact_range(), file);
    ok(db().put("more", "1"));
    const auto stats = db().stats();
    EXPECT_EQ(stats.background_error, "");
    // All but what the damaged table spans lies below level 0.
    for (const auto& level : stats.keyspaces.front().levels) {
      if (level.level == 0) {
        EXPECT_LT(level.entries, 600u);
      }
    }
    ok(db().compact_range({.start = "more"}));
  });
}

TEST_F(Damage, OfATableInLevelZeroNeitherBlocksFlushesNorLetsTheLevelGrow) {
  config_.level0_compaction_trigger = 4;
  std::string file;
  life([&] {
    ok(db().put(key(0), value(0, 0)));
    ok(db().put(key(500), value(500, 0)));
    ok(db().put(key(kKeys - 1), value(kKeys - 1, 0)));
    ok(db().flush());
  });
  file = damage(500, 0);
  life([&] {
    for (int round = 1; round <= 20; ++round) write_round(round);
    ok(db().flush());
    ok(db().wait_for_background_work());
    const auto stats = db().stats();
    ASSERT_EQ(stats.damaged_tables.size(), 1u);
    EXPECT_EQ(stats.damaged_tables[0].level, 0u);
    EXPECT_LE(level0_tables(), 6u);
    EXPECT_EQ(stats.stalls.level0_stop_count, 0u);
    expect_newest(20, -100);
  });
  life([&] { expect_newest(20, -100); });
}

// A tombstone above damage hides what the damaged table holds: it must not be dropped while that is there.
TEST_F(Damage, TombstonesAboveItStay) {
  fill();
  std::uint64_t offset = 0;
  const std::string file = file_with(500, 0, offset);
  ASSERT_TRUE(world_.files.flip_bit(file, offset + 500));
  life([&] {
    for (int i = 0; i < kKeys; ++i) ok(db().erase(key(i)));
    EXPECT_FALSE(db().compact_range());
    for (int i = 0; i < kKeys; ++i) EXPECT_EQ(*db().get(key(i)), std::nullopt);
  });
  ASSERT_TRUE(world_.files.flip_bit(file, offset + 500));
  life([&] {
    for (int i = 0; i < kKeys; ++i) EXPECT_EQ(*db().get(key(i)), std::nullopt);
    ok(db().compact_range());
    std::uint64_t entries = 0;
    const Statistics stats = db().stats();
    for (const auto& level : stats.keyspaces.front().levels) entries += level.entries;
    EXPECT_EQ(entries, 0u);
  });
}

// The store did not open: one rotten byte in a footer kept everything else from being read.
TEST_F(Damage, OfFooterIndexOrFilterHaltsTheTableAloneWhenTheStoreOpens) {
  fill();
  std::uint64_t offset = 0;
  const std::string file = file_with(500, 0, offset);
  const std::uint64_t bytes = world_.files.info(file)->bytes;
  int refused = 0;
  // Trailer, footer, properties, index, filter: they lie behind the data, in some order and in some size.
  for (const std::uint64_t from_end : {1, 9, 40, 100, 200, 300, 400, 700, 1000, 1500}) {
    const std::uint64_t at = bytes - from_end;
    ASSERT_TRUE(world_.files.flip_bit(file, at));
    life([&] {
      if (db().stats().damaged_tables.empty()) return;  // padding, or a data block
      ++refused;
      expect_halts_alone(file);
      ok(db().close());
    });
    ASSERT_TRUE(world_.files.flip_bit(file, at));  // restored
    life([&] {
      EXPECT_TRUE(db().stats().damaged_tables.empty());
      expect_newest(0, -100);
    });
  }
  EXPECT_GE(refused, 8);
}

// What a range hides lies in other tables, which can be read: the range that can't be must not be forgotten.
TEST_F(Damage, OfAnErasedRangeBringsNothingBack) {
  fill();
  std::string newest;
  life([&] {
    const Snapshot holds = db().snapshot();  // or the tables that it hides would go at once
    ok(db().erase_range({.start = key(500), .end = std::nullopt}));
    ok(db().flush());
    const auto names = world_.files.list("/db/tables");
    newest = "/db/tables/" + *std::max_element(names->begin(), names->end());
    ok(db().close());
  });
  const std::uint64_t bytes = world_.files.info(newest)->bytes;
  for (const std::uint64_t at :
       {bytes - 100, bytes - 470, std::uint64_t{130}}) {  // footer, properties, and before them
    ASSERT_TRUE(world_.files.flip_bit(newest, at));
    life([&] {
      ASSERT_EQ(db().stats().damaged_tables.size(), 1u) << at;
      EXPECT_EQ(**db().get(key(499)), value(499, 0));
      for (const std::string& hidden : {key(500), key(999), std::string("z")}) expect_damaged(db().get(hidden), newest);
      Iterator it = db().iterate();
      for (it.seek(key(500)); it.valid(); it.next()) ADD_FAILURE() << it.key();
      expect_damaged(it.status(), newest);
      expect_damaged(db().compact_range(), newest);
      ok(db().close());
    });
    ASSERT_TRUE(world_.files.flip_bit(newest, at));
  }
  life([&] {
    EXPECT_TRUE(db().stats().damaged_tables.empty());
    for (int i = 0; i < kKeys; ++i) {
      EXPECT_EQ(db().get(key(i))->has_value(), i < 500);
    }
  });
}

TEST_F(Damage, ATableThatIsNotThereHaltsItselfAloneWhenTheStoreOpens) {
  fill();
  std::uint64_t offset = 0;
  const std::string file = file_with(500, 0, offset), bytes = world_.files.content(file);
  life([&] {
    ok(db().close());
    ok(world_.files.remove(file));
  });
  life([&] {
    ASSERT_EQ(db().stats().damaged_tables.size(), 1u);
    damage_ = ErrorCode::kTableMissing;
    expect_halts_alone(file);
    ok(db().close());
  });
  world_.files.put_file(file, bytes);
  life([&] {
    EXPECT_TRUE(db().stats().damaged_tables.empty());
    expect_newest(0, -100);
  });
}

TEST_F(Damage, AMissingTableHaltsItsRangeAlone) {
  fill();
  std::uint64_t offset = 0;
  const std::string file = file_with(500, 0, offset);
  life([&] {
    ASSERT_TRUE(world_.files.truncate_file(file, 100));
    write_round(1);
    EXPECT_FALSE(db().compact_range());
    ok(db().put("more", "1"));
    expect_newest(1, -100);
  });
}

}  // namespace
}  // namespace lightning::engine
