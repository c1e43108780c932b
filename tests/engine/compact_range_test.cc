// What compact_range reclaims where everything lies in one level already.
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

constexpr int kKeys = 300;

class CompactRange : public testing::Test {
 protected:
  CompactRange() {
    config_.cache_size = 8 << 20;
    config_.memtable_bytes = 256 << 10;
    config_.table_bytes = 256 << 10;
    config_.wal_segment_bytes = 1 << 20;
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
  static std::string key(int i) { return "key" + std::to_string(1000 + i); }
  static std::string value(int round) { return std::to_string(round) + std::string(1000, 'v'); }
  void write_round(int round) {
    for (int i = 0; i < kKeys; ++i) ok(db().put(key(i), value(round)));
  }
  std::uint64_t entries() {
    std::uint64_t count = 0;
    const Statistics stats = db().stats();
    for (const auto& level : stats.keyspaces.front().levels) count += level.entries;
    return count;
  }
  std::uint64_t compactions() { return db().stats().compactions; }

  LightningDbConfig config_;
  env::SimulatedWorld world_{1};
  std::optional<Database> opened_;
  std::uint64_t seed_ = 0;
};

// What lay in one level without tombstones was left alone: old versions stayed until some later merge.
TEST_F(CompactRange, ReclaimsVersionsThatASnapshotHeldBack) {
  life([&] {
    write_round(1);
    {
      const Snapshot snapshot = db().snapshot();
      write_round(2);
      ok(db().compact_range());
      EXPECT_EQ(entries(), 2u * kKeys);
      EXPECT_EQ(*db().get(key(7), {.snapshot = &snapshot}), value(1));
      const std::uint64_t before = compactions();
      ok(db().compact_range());
      EXPECT_EQ(compactions(), before) << "while the snapshot lives, nothing is gained";
      EXPECT_EQ(*db().get(key(7), {.snapshot = &snapshot}), value(1));
    }
    ok(db().compact_range());
    EXPECT_EQ(entries(), kKeys + 0u);
    EXPECT_EQ(*db().get(key(7)), value(2));
    const std::uint64_t before = compactions();
    ok(db().compact_range());
    EXPECT_EQ(compactions(), before) << "there is nothing left to reclaim";
  });
}

TEST_F(CompactRange, ReclaimsTombstonesThatASnapshotHeldBack) {
  life([&] {
    write_round(1);
    {
      const Snapshot snapshot = db().snapshot();
      for (int i = 0; i < kKeys; ++i) ok(db().erase(key(i)));
      ok(db().compact_range());
      EXPECT_EQ(entries(), 2u * kKeys);
    }
    ok(db().compact_range());
    EXPECT_EQ(entries(), 0u);
  });
}

TEST_F(CompactRange, LeavesTheRestOfTheStoreAlone) {
  life([&] {
    write_round(1);
    {
      const Snapshot snapshot = db().snapshot();
      write_round(2);
      ok(db().compact_range());
    }
    ok(db().compact_range({.start = "x"}));
    EXPECT_EQ(entries(), 2u * kKeys);
    ok(db().compact_range({}, {.bottom = BottomLevel::kLeave}));
    EXPECT_EQ(entries(), 2u * kKeys);
    ok(db().compact_range({.start = key(0), .end = key(1)}));
    EXPECT_LT(entries(), 2u * kKeys);
    EXPECT_GT(entries(), kKeys + 0u) << "only the tables of the range";
  });
}

TEST_F(CompactRange, RewritesAllAsTheSettingsNowSayIfAsked) {
  std::uint64_t before = 0;
  life([&] {
    write_round(1);
    ok(db().compact_range());
    before = db().stats().keyspaces.front().levels.back().bytes;
    config_.compression_enabled = true;
  });
  life([&] {
    ok(db().compact_range());
    EXPECT_EQ(compactions(), 0u);
    ok(db().compact_range({}, {.bottom = BottomLevel::kRewrite}));
    EXPECT_LT(db().stats().keyspaces.front().levels.back().bytes, before / 2);
    EXPECT_EQ(entries(), kKeys + 0u);
    EXPECT_EQ(*db().get(key(7)), value(1));
  });
}

}  // namespace
}  // namespace lightning::engine
