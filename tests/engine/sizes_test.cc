// How much of what is stored belongs to a range: told from indexes and properties of tables, without reading data.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "api/database_access.h"
#include "base/coding.h"
#include "base/fiber.h"
#include "env/simulated_world.h"
#include "support/expect.h"
#include "support/must.h"

namespace lightning::engine {
namespace {

constexpr std::size_t kValueBytes = 1000, kLargeBytes = 20'000;

class Sizes : public testing::Test {
 protected:
  Sizes() {
    config_.cache_size = 16 << 20;
    config_.memtable_bytes = 1 << 20;
    config_.table_bytes = 256 << 10;
    config_.block_bytes = 4 << 10;
    config_.blob_threshold = 8 << 10;
  }
  void life(const std::function<void(Database&)>& body) {
    base::FiberScheduler fibers(++seed_);
    EXPECT_EQ(fibers.run([&] {
      Database db = must(DatabaseAccess::open(world_.env, "/db", config_));
      body(db);
    }),
              base::WorldEnd::kFinished)
        << fibers.report();
  }
  std::string value(std::size_t bytes) {  // does not shrink
    std::string text;
    while (text.size() < bytes) base::append_le(text, random_.next());
    text.resize(bytes);
    return text;
  }
  void put(Database& db, const std::string& prefix, int count, std::size_t bytes) {
    for (int i = 0; i < count; ++i) EXPECT_OK(db.put(prefix + std::to_string(100'000 + i), value(bytes)));
  }
  static std::uint64_t of(const Database& db, std::string_view prefix) {
    return must(db.approximate_size(db.default_keyspace(), KeyRange::of_prefix(prefix)));
  }
  static void expect_about(std::uint64_t size, double bytes, const char* what) {
    EXPECT_GT(static_cast<double>(size), 0.8 * bytes) << what;
    EXPECT_LT(static_cast<double>(size), 1.25 * bytes) << what;
  }

  LightningDbConfig config_;
  env::SimulatedWorld world_{1};
  env::SeededRandom random_{7};
  std::uint64_t seed_ = 0;
};

TEST_F(Sizes, OfPrefixesAreThoseOfWhatTheyHold) {
  life([&](Database& db) {
    put(db, "a:", 300, kValueBytes);
    put(db, "b:", 1500, kValueBytes);
    put(db, "c:", 20, kValueBytes);
    EXPECT_OK(db.flush());
    EXPECT_OK(db.compact_range());
    const Statistics before = db.stats();
    expect_about(of(db, "a:"), 300 * kValueBytes, "a");
    expect_about(of(db, "b:"), 1500 * kValueBytes, "b");
    expect_about(of(db, "b:10000"), 10 * kValueBytes, "a few blocks of b");
    expect_about(of(db, "c:"), 20 * kValueBytes, "c");
    EXPECT_LT(of(db, "none:"), 2 * config_.block_bytes);
    EXPECT_EQ(of(db, "zzz"), 0u);
    expect_about(must(db.approximate_size(db.default_keyspace(), {})), 1820 * kValueBytes, "all");
    EXPECT_EQ(db.stats().cache_misses, before.cache_misses) << "no block of data is read";
  });
  life([&](Database& db) { expect_about(of(db, "b:"), 1500 * kValueBytes, "after opening again"); });
}

// Whichever part of a table refers to them: its share of its table.
TEST_F(Sizes, IncludeLargeValues) {
  life([&](Database& db) {
    put(db, "film:a", 50, kLargeBytes);
    put(db, "film:b", 100, kLargeBytes);
    EXPECT_OK(db.flush());
    EXPECT_OK(db.compact_range());
    expect_about(of(db, "film:"), 150 * kLargeBytes, "all");
  });
}

TEST_F(Sizes, KnowWhatIsStillInMemoryAndWhatIsGone) {
  life([&](Database& db) {
    put(db, "a:", 200, kValueBytes);
    expect_about(of(db, "a:"), 200 * kValueBytes, "in memory");
    EXPECT_OK(db.flush());
    EXPECT_OK(db.erase_range(KeyRange::of_prefix("a:")));
    EXPECT_OK(db.compact_range());
    EXPECT_EQ(of(db, "a:"), 0u);
    EXPECT_CODE(kInvertedRange, db.approximate_size(db.default_keyspace(), {.start = "b", .end = "a"}));
  });
}

}  // namespace
}  // namespace lightning::engine
