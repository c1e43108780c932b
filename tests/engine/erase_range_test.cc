// Erased ranges: what they hide, from whom, what they cost, and when they and what they hide are gone.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

#include "api/database_access.h"
#include "base/fiber.h"
#include "env/simulated_world.h"
#include "lightning/database.h"

namespace lightning::engine {
namespace {

class EraseRange : public testing::Test {
 protected:
  EraseRange() {
    config_.cache_size = 8 << 20;
    config_.memtable_bytes = 1 << 20;
    config_.table_bytes = 256 << 10;
    config_.wal_segment_bytes = 4 << 20;
    config_.block_bytes = 1 << 10;
    config_.compression_enabled = false;
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
  static std::string key(int i) { return "key" + std::to_string(10'000 + i); }
  static KeyRange range(int from, int to) { return {.start = key(from), .end = key(to)}; }
  void put_all(int from, int to, std::size_t bytes = 100) {
    for (int i = from; i < to; ++i) ok(db().put(key(i), std::string(bytes, 'v')));
  }
  void put_into_tables(int from, int to) {
    put_all(from, to);
    ok(db().flush());
    put_all(from, to);
    settle();
  }
  // All into one level.
  void settle() {
    ok(db().flush());
    ok(db().compact_range());
    ok(db().wait_for_background_work());
  }
  // Keys that a cursor shows, the same in both directions, and by look-ups.
  std::string shown(const Snapshot* snapshot = nullptr) {
    std::string forward, backward;
    Iterator it = db().iterate({.snapshot = snapshot});
    for (it.seek_to_first(); it.valid(); it.next()) {
      forward += std::string(it.key()) + " ";
      const auto found = db().get(it.key(), {.snapshot = snapshot});
      EXPECT_TRUE(found && *found) << it.key();
    }
    for (it.seek_to_last(); it.valid(); it.prev()) backward.insert(0, std::string(it.key()) + " ");
    ok(it.status());
    EXPECT_EQ(forward, backward);
    return forward;
  }
  int count(const Snapshot* snapshot = nullptr) {
    int keys = 0;
    Iterator it = db().iterate({.snapshot = snapshot});
    for (it.seek_to_first(); it.valid(); it.next()) ++keys;
    ok(it.status());
    return keys;
  }
  LevelStatistics all_levels() {
    LevelStatistics sum;
    const Statistics stats = db().stats();
    for (const auto& level : stats.keyspaces.front().levels) {
      sum.tables += level.tables;
      sum.entries += level.entries;
      sum.tombstones += level.tombstones;
      sum.range_tombstones += level.range_tombstones;
      sum.tombstone_run = std::max(sum.tombstone_run, level.tombstone_run);
    }
    return sum;
  }

  LightningDbConfig config_;
  env::SimulatedWorld world_{1};
  std::optional<Database> opened_;
  std::uint64_t seed_ = 0;
};

TEST_F(EraseRange, ErasesItsKeysAndNoOthersWhereverTheyLie) {
  life([&] {
    for (const int flushes : {0, 1, 2, 3}) {
      SCOPED_TRACE(flushes);
      ok(db().erase_range({}));
      EXPECT_EQ(shown(), "");
      for (const char* key : {"a", "b", "c", "d", "e"}) ok(db().put(key, "1"));
      if (flushes == 3) settle();
      if (flushes > 0) ok(db().flush());
      ok(db().erase_range({.start = "b", .end = "d"}));
      if (flushes > 1) ok(db().flush());
      EXPECT_EQ(shown(), "a d e ");
      for (const char* key : {"b", "c"}) EXPECT_EQ(*db().get(key), std::nullopt);
      const std::string_view keys[] = {"a", "b", "c", "d"};
      PinnedValue values[4];
      ok(db().multi_get(db().default_keyspace(), keys, values));
      EXPECT_TRUE(values[0].found() && !values[1].found() && !values[2].found() && values[3].found());
      ok(db().put("c", "2"));
      EXPECT_EQ(shown(), "a c d e ") << "what is written later is there";
      ok(db().erase_range({.start = std::nullopt, .end = "b"}));
      ok(db().erase_range({.start = "e", .end = std::nullopt}));
      EXPECT_EQ(shown(), "c d ");
      ok(db().erase_range(KeyRange::of_prefix("c")));
      EXPECT_EQ(shown(), "d ");
    }
  });
}

TEST_F(EraseRange, OfABatchComesBetweenWhatIsBeforeAndAfterIt) {
  life([&] {
    ok(db().put("a", "0"));
    const auto last =
        db().write(WriteBatch().put("b", "1").erase_range({.start = "a", .end = "d"}).put("c", "1").erase("z"));
    ASSERT_TRUE(last);
    EXPECT_EQ(shown(), "c ");
    EXPECT_EQ(*last, 5u) << "a range takes one sequence";
    const Statistics stats = db().stats();
    EXPECT_EQ(stats.range_erases, 1u);
    EXPECT_EQ(stats.erases, 1u);
    EXPECT_EQ(stats.puts, 3u);
  });
}

TEST_F(EraseRange, OfABatchMayBeManyAndNestedInOneAnother) {
  life([&] {
    put_all(0, 100);
    WriteBatch batch;
    for (int i = 1; i <= 20'000; ++i)
      batch.erase_range({.start = key(20), .end = key(80) + std::to_string(100'000 + i)});
    batch.put(key(30), "1");
    ASSERT_TRUE(db().write(batch));
    EXPECT_EQ(count(), 40);
  });
  life([&] {
    EXPECT_EQ(count(), 40);
    settle();
    EXPECT_EQ(count(), 40);
  });
}

TEST_F(EraseRange, IsWhatOperandsBehindItBeginFrom) {
  life([&] {
    const Keyspace sums = *db().create_keyspace("sums", {.merge_operator = "append"});
    const auto held = [&] { return db().get(sums, "k")->value_or("-"); };
    for (const bool flushed : {false, true}) {
      for (const char* operand : {"a", "b", "c"}) ok(db().merge(sums, "k", operand));
      const Snapshot before = db().snapshot();
      ok(db().erase_range(sums, {}));
      EXPECT_EQ(held(), "-");
      if (flushed) ok(db().flush());
      ok(db().merge(sums, "k", "d"));
      ok(db().merge(sums, "k", "e"));
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(held(), "de");
        Iterator it = db().iterate(sums);
        it.seek_to_last();
        ASSERT_TRUE(it.valid());
        EXPECT_EQ(it.value(), "de");
        EXPECT_EQ(db().get(sums, "k", {.snapshot = &before})->value_or("-"), "abc");
        i == 0 ? ok(db().flush()) : ok(db().compact_range(sums, {}));
      }
      ok(db().erase(sums, "k"));
    }
  });
}

TEST_F(EraseRange, ThatHoldsNoKeyIsFineAndOneThatIsInvertedIsRefused) {
  life([&] {
    ok(db().put("a", "1"));
    ok(db().erase_range({.start = "a", .end = "a"}));
    ok(db().erase_range({.start = std::nullopt, .end = ""}));
    ok(db().erase_range({.start = "", .end = "a"}));
    EXPECT_EQ(shown(), "a ");
    const Status refused = db().erase_range({.start = "b", .end = "a"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvertedRange);
    EXPECT_EQ(refused.error().outcome(), WriteOutcome::kNotApplied);
  });
}

TEST_F(EraseRange, IsThereAfterReopeningFromTheLogAndFromTables) {
  life([&] {
    put_all(0, 50);
    ok(db().erase_range(range(10, 40)));
    ok(db().put(key(20), "new"));
  });
  for (int i = 0; i < 3; ++i)
    life([&] {
      EXPECT_EQ(count(), 21);
      EXPECT_EQ(*db().get(key(20)), "new");
      EXPECT_EQ(*db().get(key(30)), std::nullopt);
      i == 0 ? ok(db().flush()) : ok(db().compact_range());
      EXPECT_EQ(count(), 21);
    });
}

TEST_F(EraseRange, HidesNothingFromThoseWhoReadBefore) {
  life([&] {
    put_all(0, 50);
    settle();
    const Snapshot before = db().snapshot();
    Iterator old = db().iterate();
    ok(db().erase_range(range(10, 40)));
    ok(db().put(key(20), "new"));
    const Snapshot between = db().snapshot();
    ok(db().erase_range(range(0, 30)));
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ(count(&before), 50);
      EXPECT_EQ(count(&between), 21);
      EXPECT_EQ(count(), 10);
      EXPECT_EQ(*db().get(key(20), {.snapshot = &before}), std::string(100, 'v'));
      EXPECT_EQ(*db().get(key(20), {.snapshot = &between}), "new");
      EXPECT_EQ(*db().get(key(20)), std::nullopt);
      settle();
    }
    int keys = 0;
    for (old.seek_to_last(); old.valid(); old.prev()) ++keys;
    EXPECT_EQ(keys, 50);
  });
}

// The point of it: neither tables nor blocks that lie in the range are read on the way through it.
TEST_F(EraseRange, IsPassedWithoutReadingWhatLiesInIt) {
  life([&] {
    put_into_tables(0, 5000);
    ASSERT_GT(all_levels().tables, 2u);
  });
  life([&] {
    const Snapshot holds = db().snapshot();
    ok(db().erase_range(range(5, 4990)));
    const auto pass = [&](bool forward) {
      const Statistics before = db().stats();
      Iterator it = db().iterate();
      int keys = 0;
      if (forward) {
        for (it.seek_to_first(); it.valid(); it.next()) ++keys;
      } else {
        for (it.seek_to_last(); it.valid(); it.prev()) ++keys;
      }
      it.seek(key(2500));
      EXPECT_EQ(it.key(), key(4990));
      it.seek_for_prev(key(2500));
      EXPECT_EQ(it.key(), key(4));
      EXPECT_EQ(keys, 15);
      it = Iterator();
      const Statistics after = db().stats();
      EXPECT_LE(after.cache_misses - before.cache_misses, 8u) << "blocks at both ends of the range";
      EXPECT_LE(after.tombstones_passed - before.tombstones_passed, 8u);
    };
    for (const bool flushed : {false, true}) {
      if (flushed) ok(db().flush());
      pass(true);
      pass(false);
    }
    const Statistics before = db().stats();
    for (int i = 100; i < 4000; i += 100) EXPECT_EQ(*db().get(key(i)), std::nullopt);
    EXPECT_LE(db().stats().cache_misses - before.cache_misses, 8u) << "nor by look-ups";
    EXPECT_EQ(count(&holds), 5000);
  });
}

// Look-ups skip tables by their filters, which know nothing of ranges.
TEST_F(EraseRange, HidesKeysThatTheFilterOfItsTableHasNeverSeen) {
  life([&] {
    put_all(0, 100);
    settle();
    const Snapshot holds = db().snapshot();  // or what is hidden would go
    ok(db().erase_range(range(10, 40)));
    put_all(90, 100);  // so that the table has a filter
    for (const char* where : {"in memory", "in level 0", "below"}) {
      SCOPED_TRACE(where);
      for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(db().get(key(i))->has_value(), i < 10 || i >= 40) << i;
        EXPECT_TRUE(db().get(key(i), {.snapshot = &holds})->has_value()) << i;
      }
      const std::string hidden = key(20);
      const std::string_view text = hidden;
      PinnedValue value;
      ok(db().multi_get(db().default_keyspace(), std::span(&text, 1), std::span(&value, 1)));
      EXPECT_FALSE(value.found());
      EXPECT_EQ(count(), 70);
      std::string_view(where) == "in memory" ? ok(db().flush()) : ok(db().compact_range());
    }
  });
}

TEST_F(EraseRange, TablesThatLieInItGoUnreadAndUnwritten) {
  life([&] {
    put_into_tables(0, 5000);
    const std::uint64_t tables = all_levels().tables;
    ASSERT_GT(tables, 2u);
    const Statistics before = db().stats();
    {
      const Snapshot holds = db().snapshot();
      ok(db().erase_range({}));
      ok(db().flush());
      ok(db().wait_for_background_work());
      EXPECT_EQ(count(&holds), 5000);
      EXPECT_EQ(db().stats().tables_erased, 0u) << "somebody reads them";
    }
    ok(db().put("later", "1"));
    ok(db().flush());
    ok(db().wait_for_background_work());
    const Statistics after = db().stats();
    EXPECT_EQ(after.tables_erased, tables);
    EXPECT_LT(after.compaction_bytes_read - before.compaction_bytes_read, 20'000u);
    EXPECT_EQ(shown(), "later ");
    settle();
    EXPECT_EQ(all_levels().entries, 1u);
    EXPECT_EQ(all_levels().range_tombstones, 0u) << "with nothing below, the range has gone, too";
  });
  EXPECT_LE(world_.files.list("/db/tables")->size(), 2u);
}

TEST_F(EraseRange, IsTakenIntoAccountByTheEstimateOfRecords) {
  life([&] {
    const auto estimate = [&] { return db().count(db().default_keyspace())->records; };
    ok(db().erase_range(range(0, 5000)));
    EXPECT_EQ(estimate(), 0u) << "a range is no record";
    ok(db().flush());
    EXPECT_EQ(estimate(), 0u);
    EXPECT_TRUE(db().approximate_size(db().default_keyspace(), {}));
    put_all(0, 2000);
    EXPECT_EQ(estimate(), 2000u);
    settle();
    const Snapshot holds = db().snapshot();
    ok(db().erase_range(range(500, 2000)));
    for (const bool flushed : {false, true}) {
      if (flushed) ok(db().flush());
      EXPECT_NEAR(static_cast<double>(estimate()), 500, 60);
    }
    put_all(2000, 3000);
    ok(db().erase_range(range(2200, 4000)));
    EXPECT_NEAR(static_cast<double>(estimate()), 700, 60);
    ok(db().erase_range({}));
    EXPECT_EQ(estimate(), 0u);
    ok(db().flush());
    EXPECT_EQ(estimate(), 0u);
  });
}

TEST_F(EraseRange, LeavesNothingBehindOnceItIsCompacted) {
  life([&] {
    put_all(0, 1000);
    settle();
    for (int i = 0; i < 50; ++i) ok(db().erase_range(range(i * 10, i * 10 + 15)));
    EXPECT_EQ(count(), 495);
    settle();
    EXPECT_EQ(count(), 495);
    const LevelStatistics levels = all_levels();
    EXPECT_EQ(levels.entries, 495u);
    EXPECT_EQ(levels.range_tombstones, 0u);
    const auto report = db().check();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->findings.empty());
  });
}

// Tombstones of single keys that lie side by side are what slows seeks down in a log-structured store.
TEST_F(EraseRange, NoMoreTombstonesThanTheBoundLieInTheWayOfASeek) {
  config_.tombstones_per_seek_max = 100;
  const auto passed_by_a_seek = [&] {
    const std::uint64_t before = db().stats().tombstones_passed;
    {
      Iterator it = db().iterate();
      it.seek(key(0));
      EXPECT_EQ(it.key(), key(2000));
    }
    return db().stats().tombstones_passed - before;
  };
  life([&] {
    put_all(0, 2100);
    settle();
    for (int i = 0; i < 2000; ++i) ok(db().erase(key(i)));
    ok(db().flush());
    ok(db().wait_for_background_work());
    EXPECT_LE(passed_by_a_seek(), 100u);
    EXPECT_LE(all_levels().tombstone_run, 100u);
  });
}

// Nothing else may ever fill the memtable in which they lie: who meets them brings it down, without having to wait.
TEST_F(EraseRange, WhatIsErasedInMemoryIsInTheWayOfAFewMovesOnly) {
  config_.tombstones_per_seek_max = 100;
  const auto forward = [&] {
    Iterator it = db().iterate();
    it.seek(key(0));
    EXPECT_EQ(it.key(), key(2000));
    return it.tombstones_passed();
  };
  const auto backward = [&] {
    Iterator it = db().iterate();
    it.seek_for_prev(key(1999));
    EXPECT_FALSE(it.valid());
    return it.tombstones_passed();
  };
  const auto erase_all = [&] {
    for (int i = 0; i < 2000; ++i) ok(db().erase(key(i)));
  };
  life([&] {
    put_all(0, 2100);
    settle();
    const std::uint64_t flushes = db().stats().flushes;
    erase_all();
    EXPECT_EQ(forward(), 2000u) << "they are met, and counted, once";
    ok(db().wait_for_background_work());
    EXPECT_LE(forward(), 100u);
    EXPECT_EQ(db().stats().flushes, flushes + 1);

    put_all(0, 2000);
    erase_all();
    EXPECT_EQ(backward(), 2000u);
    ok(db().wait_for_background_work());
    EXPECT_LE(backward(), 100u);

    put_all(0, 2000);  // hidden by a range, in the same memtable, as long as that is open
    ok(db().erase_range(range(0, 2000)));
    EXPECT_EQ(forward(), 2000u);
    ok(db().wait_for_background_work());
    EXPECT_LE(forward(), 100u);
  });
}

TEST_F(EraseRange, WhatAFlushWouldNotTakeOutOfTheWayCausesNone) {
  config_.tombstones_per_seek_max = 100;
  life([&] {
    put_all(0, 2100);
    settle();
    const Snapshot before = db().snapshot();  // needs all of them
    for (int i = 0; i < 2000; ++i) ok(db().erase(key(i)));
    ok(db().flush());
    ok(db().wait_for_background_work());
    ok(db().put("other", "in memory"));
    for (int i = 0; i < 90; ++i) ok(db().erase(key(2000 + i)));  // fewer than the bound
    const std::uint64_t flushes = db().stats().flushes;
    for (int i = 0; i < 50; ++i) {
      Iterator it = db().iterate();
      it.seek(key(0));
      EXPECT_EQ(it.key(), key(2090));
      EXPECT_GE(it.tombstones_passed(), 2000u);
    }
    ok(db().wait_for_background_work());
    EXPECT_EQ(db().stats().flushes, flushes);
  });
}

}  // namespace
}  // namespace lightning::engine
