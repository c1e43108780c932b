// Iterators and snapshots on real threads, beside writers, flushes and compactions.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>

#include "base/sync.h"
#include "lightning/database.h"
#include "sim/client.h"
#include "sim/crash_run.h"

namespace lightning {
namespace {

class Concurrency : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "lightning-threads-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    config_ = sim::small_config();
    config_.memtable_bytes = 256 << 10;
    config_.wal_segment_bytes = 1 << 20;
    config_.wal_bytes_max = 4 << 20;
    config_.table_bytes = 256 << 10;
    config_.block_bytes = 1 << 10;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  LightningDbConfig config_;
};

// Each batch writes the same number to all keys: any consistent view shows one number, forward, backward and by key.
TEST_F(Concurrency, AnIteratorShowsOneMomentWhateverIsWrittenFlushedAndCompacted) {
  constexpr int kKeys = 40, kRounds = 400;
  auto db = Database::open(directory_ + "/store", config_);
  ASSERT_TRUE(db) << db.error().to_string();
  const auto key = [](int i) { return "key" + std::to_string(100 + i); };
  const auto write_round = [&](int round) {
    WriteBatch batch;
    if (round % 5 == 2) batch.erase_range({});
    for (int i = 0; i < kKeys; ++i) {
      if (round % 7 == 3) batch.erase(key(i));
      batch.put(key(i), std::to_string(round) + ":" + std::string(static_cast<std::size_t>(round % 50) * 10, 'x'));
    }
    return db->write(batch).has_value();
  };
  ASSERT_TRUE(write_round(0));
  std::atomic<bool> done{false};
  std::atomic<int> torn{0}, views{0}, failures{0};
  std::vector<base::Thread> threads;
  threads.push_back(base::Thread::spawn("writer", [&] {
    for (int round = 1; round <= kRounds; ++round) failures += write_round(round) ? 0 : 1;
    done = true;
  }));
  threads.push_back(base::Thread::spawn("upkeep", [&] {
    while (!done) {
      failures += db->flush() ? 0 : 1;
      failures += db->compact_range() ? 0 : 1;
    }
  }));
  for (int reader = 0; reader < 2; ++reader) {
    threads.push_back(base::Thread::spawn("reader", [&, reader] {
      do {
        const Snapshot snapshot = db->snapshot();
        Iterator it = reader == 0 ? db->iterate() : db->iterate({.snapshot = &snapshot});
        std::string seen;
        int count = 0;
        const auto look = [&] {
          const std::string number(it.value().substr(0, it.value().find(':')));
          if (seen.empty()) seen = number;
          torn += seen != number;
          ++count;
        };
        for (it.seek_to_first(); it.valid(); it.next()) look();
        for (it.seek_to_last(); it.valid(); it.prev()) look();
        failures += it.status() ? 0 : 1;
        torn += count != 2 * kKeys;
        if (reader == 1) {
          const auto value = db->get(key(7), {.snapshot = &snapshot});
          torn += !value || !*value || !(*value)->starts_with(seen + ":");
        }
        ++views;
      } while (!done);
    }));
  }
  for (base::Thread& thread : threads) thread.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(failures, 0);
  EXPECT_GT(views, 0);
}

// A reader never sees a write go away again, and sees its own.
TEST_F(Concurrency, WhatWasReadOnceStaysReadable) {
  auto db = Database::open(directory_ + "/store", config_);
  ASSERT_TRUE(db) << db.error().to_string();
  constexpr int kWriters = 3, kWrites = 1500;
  std::atomic<int> wrong{0};
  std::vector<base::Thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.push_back(base::Thread::spawn("writer", [&, writer] {
      const std::string key = "counter" + std::to_string(writer);
      const std::string other = "counter" + std::to_string((writer + 1) % kWriters);
      int last = 0;
      for (int i = 1; i <= kWrites; ++i) {
        wrong += !db->put(key, std::to_string(i));
        const auto own = db->get(key);
        wrong += !own || !*own || **own != std::to_string(i);
        const auto seen = db->get(other);
        const int now = seen && *seen ? std::stoi(**seen) : 0;
        wrong += now < last;
        last = now;
        if (i % 500 == 0) wrong += !db->flush();
      }
    }));
  }
  for (base::Thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// There was a limit of 1,024 live threads in one process, and the next one ended it.
TEST_F(Concurrency, ThereIsNoLimitToTheNumberOfThreads) {
  constexpr int kThreads = 1500;
  auto db = Database::open(directory_ + "/store", config_);
  ASSERT_TRUE(db) << db.error().to_string();
  base::Mutex mutex{base::LockRank::kJobs};
  base::CondVar changed;
  int begun = 0;
  std::atomic<int> failures{0};
  std::vector<base::Thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.push_back(base::Thread::spawn("one of many", [&, t] {
      const std::string key = "key" + std::to_string(t);
      failures += db->put(key, "first") ? 0 : 1;
      {
        const base::MutexLock lock(mutex);
        if (++begun == kThreads) changed.notify_all();
        while (begun < kThreads) changed.wait(mutex);
      }
      for (int round = 0; round < 10; ++round) {
        const std::string value = std::to_string(round) + std::string(100, 'v');
        failures += db->put(key, value) ? 0 : 1;
        const auto found = db->get(key);
        failures += found && found->has_value() && **found == value ? 0 : 1;
      }
      Iterator it = db->iterate();
      it.seek(key);
      failures += it.valid() && it.key() == key ? 0 : 1;
    }));
    ASSERT_TRUE(threads.back().joinable()) << "the system gives no more than " << t << " threads";
  }
  threads.clear();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(db->stats().puts, kThreads * 11u) << "threads share their counters";
  EXPECT_TRUE(db->close());
}

}  // namespace
}  // namespace lightning
