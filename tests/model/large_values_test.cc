// Large values on real threads: writers, streams, readers of each kind and the garbage collector, all at once.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <map>

#include "base/sync.h"
#include "lightning/database.h"
#include "sim/crash_run.h"

namespace lightning {
namespace {

class LargeValueThreads : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "lightning-blobs-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    config_ = sim::small_config();
    config_.memtable_bytes = 256 << 10;
    config_.wal_segment_bytes = 1 << 20;
    config_.wal_bytes_max = 4 << 20;
    config_.table_bytes = 256 << 10;
    config_.block_bytes = 1 << 10;
    config_.blob_threshold = 256;
    config_.max_space_amplification = 105;
    config_.wal_sync_mode = WalSyncMode::kAsync;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  Database open() {
    auto db = Database::open(directory_ + "/store", config_);
    if (!db) ADD_FAILURE() << db.error().to_string();
    return std::move(*db);
  }
  static std::string key(int writer, int i) { return std::to_string(writer) + "/" + std::to_string(100 + i); }
  // Says whose it is and which round it is of; as long as chance says.
  static std::string value(const std::string& key, int round) {
    std::string text = key + "#" + std::to_string(100000 + round) + "#";
    const std::size_t bytes = 100 + static_cast<std::size_t>(round * 7919 % 9000);
    std::uint64_t x = static_cast<std::uint64_t>(round) + 1;
    while (text.size() < bytes) text += static_cast<char>('a' + (x = x * 6364136223846793005u + 1) % 26);
    return text;
  }
  static int round_of(const std::string& key, std::string_view value) {
    if (!value.starts_with(key + "#")) return -1;
    const int round = std::stoi(std::string(value.substr(key.size() + 1, 6))) - 100000;
    return value.starts_with(LargeValueThreads::value(key, round)) ? round : -1;
  }

  std::string directory_;
  LightningDbConfig config_;
};

TEST_F(LargeValueThreads, NoneIsLostOrTakenForAnotherWhileGarbageIsCollected) {
  constexpr int kWriters = 2, kKeys = 100, kRounds = 1500;
  std::vector<std::map<std::string, int>> truth(kWriters);
  const std::string streamed(3 << 19, 's');
  {
    Database db = open();
    std::atomic<int> running{kWriters}, failures{0}, wrong{0}, reads{0};
    const auto fine = [&](const Status& status) {
      if (status) return;
      ++failures;
      ADD_FAILURE() << status.error().to_string();
    };
    std::vector<base::Thread> threads;
    for (int writer = 0; writer < kWriters; ++writer)
      threads.push_back(base::Thread::spawn("writer", [&, writer] {
        std::map<std::string, int>& mine = truth[static_cast<std::size_t>(writer)];
        std::uint64_t x = static_cast<std::uint64_t>(writer) + 1;
        for (int round = 1; round <= kRounds && failures == 0; ++round) {
          x = x * 6364136223846793005u + 1442695040888963407u;
          const std::string name = key(writer, static_cast<int>((x >> 33) % kKeys));
          if (round % 20 == 0) {
            fine(db.erase(name));
            mine.erase(name);
          } else if (round % 150 == 1) {
            const std::string from = key(writer, static_cast<int>((x >> 40) % kKeys));
            fine(db.erase_range({.start = from, .end = from + "~"}));
            mine.erase(from);
          } else if (round % 400 == 2) {
            auto stream = db.put_stream(name);
            if (!stream) return fine(stream.error());
            fine(stream->append(value(name, round)));
            fine(stream->append(streamed));
            fine(stream->commit());
            mine[name] = round;
          } else {
            fine(db.put(name, value(name, round)));
            mine[name] = round;
          }
        }
        --running;
      }));
    for (int reader = 0; reader < 2; ++reader)
      threads.push_back(base::Thread::spawn("reader", [&, reader] {
        std::map<std::string, int> last;
        for (int n = reader; running > 0; ++n) {
          const std::string name = key(n % kWriters, n / kWriters % kKeys);
          const auto got = db.get(name, {.fill_cache = n % 3 != 0});
          if (!got) return fine(got.error());
          if (*got) {
            const int round = round_of(name, **got);
            if (round < last[name]) ++wrong;
            last[name] = round;
            ++reads;
          }
          if (n % 50 != 0) continue;
          const Snapshot snapshot = db.snapshot();
          Iterator it = db.iterate({.snapshot = &snapshot});
          std::map<std::string, int> shown;
          for (it.seek_to_first(); it.valid(); it.next()) {
            const std::string here(it.key());
            shown[here] = round_of(here, it.value());
            if (shown[here] < 0) ++wrong;
          }
          fine(it.status());
          for (const auto& [here, round] : shown) {
            auto stream = db.get_stream(here, {.snapshot = &snapshot});
            if (!stream) return fine(stream.error());
            if (!*stream) {
              ++wrong;
              continue;
            }
            std::string bytes((*stream)->size(), '\0');
            fine((*stream)->read(0, bytes));
            if (round_of(here, bytes) != round) ++wrong;
          }
        }
      }));
    for (base::Thread& thread : threads) thread.join();
    ASSERT_EQ(failures, 0);
    EXPECT_EQ(wrong, 0);
    EXPECT_GT(reads, 0);
    ASSERT_TRUE(db.wait_for_background_work());
    EXPECT_GT(db.stats().blob_collections, 0u);
    const auto report = db.check();
    ASSERT_TRUE(report) << report.error().to_string();
    for (const CheckFinding& finding : report->findings) ADD_FAILURE() << finding.error.to_string();
    ASSERT_TRUE(db.close());
  }
  const Database db = open();
  std::size_t records = 0;
  for (const auto& mine : truth)
    for (const auto& [name, round] : mine) {
      const auto got = db.get(name);
      ASSERT_TRUE(got && *got) << name;
      EXPECT_EQ(round_of(name, **got), round) << name;
      ++records;
    }
  Iterator it = db.iterate();
  for (it.seek_to_first(); it.valid(); it.next()) --records;
  EXPECT_EQ(records, 0u);
  EXPECT_TRUE(db.check()->findings.empty());
}

}  // namespace
}  // namespace lightning
