// Large values lie in files of their own, come back whole, and their garbage goes.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "api/database_access.h"
#include "base/coding.h"
#include "base/fiber.h"
#include "env/simulated_world.h"
#include "support/expect.h"
#include "support/must.h"

namespace lightning::engine {
namespace {

constexpr std::uint64_t kKiB = 1024;

class Blobs : public testing::Test {
 protected:
  Blobs() {
    config_.cache_size = 8 << 20;
    config_.memtable_bytes = 256 << 10;
    config_.table_bytes = 256 << 10;
    config_.wal_segment_bytes = 1 << 20;
    config_.compaction_threads = 2;
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
  static std::string key(int i) { return "key" + std::to_string(10000 + i); }
  // So many bytes that do not compress, and tell key and round.
  static std::string value(int i, int round, std::size_t bytes) {
    env::SeededRandom random(static_cast<std::uint64_t>(round) << 32 | static_cast<std::uint64_t>(i));
    std::string text = key(i) + "/" + std::to_string(round) + "/";
    while (text.size() < bytes) base::append_le(text, random.next());
    text.resize(bytes);
    return text;
  }
  void put(int i, int round, std::size_t bytes) {
    std::string v = value(i, round, bytes);
    EXPECT_OK(db().put(key(i), v));
    truth_[key(i)] = std::move(v);
  }
  void expect_truth() {
    for (const auto& [k, v] : truth_) {
      const auto got = db().get(k);
      ASSERT_TRUE(got.has_value()) << got.error().to_string();
      ASSERT_TRUE(got->has_value()) << k;
      ASSERT_TRUE(**got == v) << k;
      PinnedValue pinned;
      ASSERT_TRUE(db().get(db().default_keyspace(), k, pinned).has_value());
      ASSERT_TRUE(pinned.value() == v) << k;
    }
    std::vector<std::string_view> keys;
    for (const auto& [k, v] : truth_) keys.push_back(k);
    std::vector<PinnedValue> values(keys.size());
    EXPECT_OK(db().multi_get(db().default_keyspace(), keys, values));
    for (std::size_t i = 0; i < keys.size(); ++i)
      ASSERT_TRUE(values[i].value() == truth_[std::string(keys[i])]) << keys[i];
  }
  std::uint64_t bytes_in(const std::string& directory) {
    std::uint64_t bytes = 0;
    for (const std::string& name : must(world_.files.list(directory)))
      bytes += must(world_.files.info(directory + "/" + name)).bytes;
    return bytes;
  }
  std::size_t files_in(const std::string& directory) { return must(world_.files.list(directory)).size(); }

  env::SimulatedWorld world_{1};
  LightningDbConfig config_;
  std::optional<Database> opened_;
  std::map<std::string, std::string> truth_;
  std::uint64_t seed_ = 0;
};

TEST_F(Blobs, LieInFilesOfTheirOwnAndComeBackWhole) {
  life([&] {
    for (int i = 0; i < 40; ++i) put(i, 0, i % 2 == 0 ? 100 : 5000);
    put(100, 0, 300 * kKiB);
    put(101, 0, 3 * kKiB * kKiB);
    expect_truth();
    EXPECT_OK(db().flush());
    EXPECT_GT(bytes_in("/db/blobs"), 20 * 5000 + 3300 * kKiB);
    EXPECT_LT(bytes_in("/db/tables"), 60 * kKiB);
    expect_truth();
    expect_truth();  // from the cache
    EXPECT_OK(db().compact_range());
    EXPECT_LT(bytes_in("/db/tables"), 20 * kKiB);
    expect_truth();
    EXPECT_TRUE(must(db().check()).findings.empty());
    EXPECT_OK(db().close());
  });
  life([&] {
    expect_truth();
    EXPECT_TRUE(must(db().check()).findings.empty());
  });
}

TEST_F(Blobs, TheThresholdIsTheKeyspacesOwnWhereItHasOne) {
  life([&] {
    const Keyspace inline_values = must(db().create_keyspace("inline", {.blob_threshold = 0}));
    Keyspace large = must(db().create_keyspace("large", {.blob_threshold = 300}));
    EXPECT_OK(db().put(inline_values, "k", std::string(100'000, 'i')));
    EXPECT_OK(db().flush());
    EXPECT_EQ(files_in("/db/blobs"), 0u);
    EXPECT_OK(db().put(large, "k", std::string(299, 's')));
    EXPECT_OK(db().flush());
    EXPECT_EQ(files_in("/db/blobs"), 0u);
    EXPECT_OK(db().put(large, "k", std::string(300, 'l')));
    EXPECT_OK(db().flush());
    EXPECT_EQ(files_in("/db/blobs"), 1u);
    EXPECT_EQ(must(db().get(large, "k")), std::string(300, 'l'));
    EXPECT_EQ(must(db().get(inline_values, "k")), std::string(100'000, 'i'));
    large = {};  // a handle keeps what it names
    EXPECT_OK(db().drop_keyspace("large"));
    EXPECT_EQ(files_in("/db/blobs"), 0u);
  });
}

TEST_F(Blobs, WhatOverwritesLeaveBehindStaysWithinTheBound) {
  constexpr int kKeys = 200;
  constexpr std::size_t kBytes = 10 * kKiB;
  life([&] {
    for (int round = 0; round < 20; ++round) {
      env::SeededRandom random(static_cast<std::uint64_t>(round));
      for (int n = 0; n < kKeys; ++n) put(static_cast<int>(random.next() % kKeys), round, kBytes);
      EXPECT_OK(db().wait_for_background_work());
      const double live = static_cast<double>(truth_.size() * kBytes);
      EXPECT_LE(static_cast<double>(bytes_in("/db/blobs")), 1.02 * (1.5 * live + 2 * 256 * kKiB)) << round;
    }
    expect_truth();
    EXPECT_TRUE(must(db().check()).findings.empty());
    EXPECT_OK(db().close());
  });
  life([&] {
    expect_truth();
    // Erasing everything gives everything back.
    for (const auto& [k, v] : truth_) EXPECT_OK(db().erase(k));
    EXPECT_OK(db().compact_range());
    EXPECT_EQ(files_in("/db/blobs"), 0u);
  });
}

TEST_F(Blobs, WhatErasedRangesHideStaysWithinTheBound) {
  config_.max_space_amplification = 105;
  life([&] {
    for (int i = 0; i < 400; ++i) put(i, 0, 10 * kKiB);
    EXPECT_OK(db().compact_range());
    EXPECT_GT(bytes_in("/db/blobs"), 4000 * kKiB);
    // Part of each table, so that none of them goes as a whole.
    EXPECT_OK(db().erase_range({.start = key(20), .end = key(320)}));
    truth_.erase(truth_.lower_bound(key(20)), truth_.lower_bound(key(320)));
    EXPECT_OK(db().flush());
    EXPECT_OK(db().wait_for_background_work());
    const double live = static_cast<double>(truth_.size() * 10 * kKiB);
    EXPECT_LE(static_cast<double>(bytes_in("/db/blobs")), 1.02 * (1.05 * live + 2 * 256 * kKiB));
    expect_truth();
    EXPECT_TRUE(must(db().check()).findings.empty());
    // Now whole tables.
    EXPECT_OK(db().erase_range({}));
    truth_.clear();
    EXPECT_OK(db().flush());
    EXPECT_OK(db().wait_for_background_work());
    EXPECT_EQ(files_in("/db/blobs"), 0u);
    EXPECT_GT(db().stats().tables_erased, 0u);
  });
}

TEST_F(Blobs, AReaderKeepsWhatItBeganWith) {
  life([&] {
    for (int i = 0; i < 100; ++i) put(i, 0, 10 * kKiB);
    EXPECT_OK(db().flush());
    const auto old_truth = truth_;
    const Snapshot snapshot = db().snapshot();
    for (int round = 1; round < 6; ++round) {
      for (int i = 0; i < 100; ++i) put(i, round, 10 * kKiB);
      EXPECT_OK(db().compact_range());
      EXPECT_OK(db().wait_for_background_work());
    }
    for (const auto& [k, v] : old_truth) ASSERT_TRUE(must(db().get(k, {.snapshot = &snapshot})) == v) << k;
    expect_truth();
  });
}

}  // namespace
}  // namespace lightning::engine
