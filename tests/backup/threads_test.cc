// Backups on real threads and files, beside writers, flushes and compactions: each is the model at its sequence.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <map>

#include "base/sync.h"
#include "lightning/database.h"
#include "sim/crash_run.h"
#include "support/simulated_seeds.h"

namespace lightning {
namespace {

struct Write {
  std::string key, value;  // empty: erased
};

TEST(BackupThreads, EachIsTheModelAtItsSequence) {
  std::string name = std::filesystem::temp_directory_path() / "lightning-backup-XXXXXX";
  const std::string directory = ::mkdtemp(name.data());
  LightningDbConfig config = sim::small_config();
  config.memtable_bytes = 256 << 10;
  config.wal_segment_bytes = 1 << 20;
  config.wal_bytes_max = 4 << 20;
  config.wal_sync_mode = WalSyncMode::kAsync;
  config.table_bytes = 256 << 10;
  config.block_bytes = 1 << 10;
  const int rounds = static_cast<int>(testing_support::simulated_seeds(15'000));
  {
    auto opened = Database::open(directory + "/store", config);
    ASSERT_TRUE(opened) << opened.error().to_string();
    Database& db = *opened;
    constexpr int kWriters = 2;
    std::vector<std::map<Sequence, Write>> written(kWriters);  // by sequence
    std::atomic<int> running{kWriters};
    std::vector<base::Thread> threads;
    for (int writer = 0; writer < kWriters; ++writer)
      threads.push_back(base::Thread::spawn("writer", [&, writer] {
        auto& mine = written[static_cast<std::size_t>(writer)];
        std::uint64_t x = static_cast<std::uint64_t>(writer) + 1;
        for (int i = 0; i < rounds; ++i) {
          x = x * 6364136223846793005u + 1442695040888963407u;
          Write write{std::to_string((x >> 33) % 400), {}};
          if (i % 11 != 0)
            write.value = std::to_string(writer) + "/" + std::to_string(i) + std::string((x >> 40) % 1500, 'v');
          WriteBatch batch;
          if (write.value.empty()) {
            batch.erase(write.key);
          } else {
            batch.put(write.key, write.value);
          }
          const auto sequence = db.write(batch);
          if (!sequence) {
            ADD_FAILURE() << sequence.error().to_string();
            break;
          }
          mine.emplace(*sequence, std::move(write));
        }
        --running;
      }));
    std::vector<BackupInfo> made;
    while (running > 0 || made.empty()) {
      const auto info = db.create_backup(directory + "/backups");
      ASSERT_TRUE(info) << info.error().to_string();
      made.push_back(*info);
      if (made.size() <= 3) continue;
      EXPECT_TRUE(prune_backups(directory + "/backups", 3));
    }
    for (base::Thread& thread : threads) thread.join();
    std::map<Sequence, Write> all;
    for (const auto& each : written) all.insert(each.begin(), each.end());
    EXPECT_EQ(all.size(), static_cast<std::size_t>(kWriters * rounds));
    const auto kept = list_backups(directory + "/backups");
    ASSERT_TRUE(kept) << kept.error().to_string();
    for (const BackupInfo& info : *kept) {
      std::map<std::string, std::string> expected, found;
      for (const auto& [sequence, write] : all) {
        if (sequence > info.sequence) break;
        if (write.value.empty()) {
          expected.erase(write.key);
        } else {
          expected[write.key] = write.value;
        }
      }
      const std::string path = directory + "/restored" + std::to_string(info.number);
      const auto restored = restore_backup(directory + "/backups", path, {.number = info.number});
      ASSERT_TRUE(restored) << restored.error().to_string();
      auto copy = Database::open_read_only(path, config);
      ASSERT_TRUE(copy) << copy.error().to_string();
      Iterator it = copy->iterate();
      for (it.seek_to_first(); it.valid(); it.next()) found.emplace(it.key(), it.value());
      EXPECT_TRUE(it.status());
      EXPECT_TRUE(found == expected) << "backup " << info.number << " at sequence " << info.sequence;
    }
    EXPECT_TRUE(db.close());
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace lightning
