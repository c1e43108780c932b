// Real threads on one memtable. Run under the thread sanitizer, these tests also prove that readers and writers race
// nowhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "base/sync.h"
#include "memtable/memtable.h"

namespace lightning::memtable {
namespace {

using base::MemoryBudget;
using base::Thread;
using format::EntryType;
using format::kSequenceMax;

std::uint64_t scattered(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}
std::string key_of(std::uint64_t n) {
  std::string digits = std::to_string(scattered(n + 1));
  return "user" + std::string(24 - digits.size(), '0') + digits;
}

template <class Body>
std::vector<Thread> start(int threads, Body body) {
  std::vector<Thread> started;
  for (int t = 0; t < threads; ++t) {
    started.push_back(Thread::spawn("test", [=] { body(static_cast<std::uint64_t>(t)); }));
    EXPECT_TRUE(started.back().joinable());
  }
  return started;
}

constexpr std::uint64_t kWriters = 4, kEach = 5000;

TEST(MemTableThreads, KeepEveryEntryOfFourWriters) {
  MemoryBudget budget(1 << 30);
  MemTable table(budget);
  {
    const auto writers = start(kWriters, [&](std::uint64_t t) {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        const std::string key = key_of(i * kWriters + t);
        ASSERT_TRUE(table.reserve(1, 2 * key.size()));
        table.add({key, i * kWriters + t + 1, EntryType::kPut, key});
      }
    });
  }
  ASSERT_EQ(table.entries(), kWriters * kEach);
  for (std::uint64_t n = 0; n < kWriters * kEach; ++n) {
    const auto got = table.get(key_of(n), kSequenceMax);
    ASSERT_TRUE(got) << n;
    ASSERT_EQ(got->value, key_of(n));
    ASSERT_EQ(got->sequence, n + 1);
  }
  std::vector<std::string> keys;
  for (std::uint64_t n = 0; n < kWriters * kEach; ++n) keys.push_back(key_of(n));
  std::sort(keys.begin(), keys.end());
  const auto it = table.iterator();
  it->seek_to_first();
  for (const std::string& key : keys) {
    ASSERT_TRUE(it->valid());
    ASSERT_EQ(it->entry().key, key);
    it->next();
  }
  EXPECT_FALSE(it->valid());
}

TEST(MemTableThreads, KeepEveryVersionOfAFewHotKeys) {
  MemoryBudget budget(1 << 30);
  MemTable table(budget);
  {
    const auto writers = start(kWriters, [&](std::uint64_t t) {
      for (std::uint64_t i = 0; i < kEach; ++i)
        table.add({"hot" + std::to_string(i % 3), i * kWriters + t + 1, EntryType::kPut, std::to_string(t)});
    });
  }
  const auto it = table.iterator();
  std::uint64_t seen = 0;
  std::string key;
  Sequence before = 0;
  for (it->seek_to_first(); it->valid(); it->next(), ++seen) {
    if (it->entry().key == key) {
      ASSERT_LT(it->entry().sequence, before);
    }
    key = it->entry().key;
    before = it->entry().sequence;
    ASSERT_EQ(it->entry().value, std::to_string((before - 1) % kWriters));
  }
  EXPECT_EQ(seen, kWriters * kEach);
}

// Half of the entries are there before the readers start; the other half comes in between them, splitting every leaf
// under the readers' feet.
TEST(MemTableThreads, NeverHideAnEntryFromReadersBesideWriters) {
  MemoryBudget budget(1 << 30);
  MemTable table(budget);
  constexpr std::uint64_t kOld = 6000;
  std::vector<std::string> old;
  for (std::uint64_t n = 0; n < kOld; ++n) {
    old.push_back(key_of(n));
    table.add({old.back(), n + 1, EntryType::kPut, old.back()});
  }
  std::sort(old.begin(), old.end());
  std::atomic<int> writing{2};
  const auto writers = start(2, [&](std::uint64_t t) {
    for (std::uint64_t n = kOld + t; n < 5 * kOld; n += 2) table.add({key_of(n), n + 1, EntryType::kPut, key_of(n)});
    --writing;
  });
  const auto gets = start(1, [&](std::uint64_t) {
    do {
      for (const std::string& key : old) {
        const auto got = table.get(key, kSequenceMax);
        ASSERT_TRUE(got) << key;
        ASSERT_EQ(got->value, key);
      }
    } while (writing > 0);
  });
  const auto scans = start(1, [&](std::uint64_t) {
    const auto it = table.iterator();
    do {
      std::size_t found = 0;
      std::string last;
      for (it->seek_to_first(); it->valid(); it->next()) {
        ASSERT_LT(last, it->entry().key);
        last = it->entry().key;
        ASSERT_EQ(it->entry().value, last);
        if (found < old.size() && last == old[found]) ++found;
      }
      ASSERT_EQ(found, old.size());
      last = "~";
      for (it->seek_to_last(); it->valid(); it->prev()) {
        ASSERT_GT(last, it->entry().key);
        last = it->entry().key;
        if (found > 0 && last == old[found - 1]) --found;
      }
      ASSERT_EQ(found, 0u);
      for (std::size_t i = 0; i + 1 < old.size(); i += 97) {
        it->seek(old[i], kSequenceMax);
        ASSERT_TRUE(it->valid());
        ASSERT_EQ(it->entry().key, old[i]);
        it->seek_for_prev(old[i], 0);
        ASSERT_TRUE(it->valid());
        ASSERT_EQ(it->entry().key, old[i]);
      }
    } while (writing > 0);
  });
}

// A few leaves that are being changed all the time, walked both ways all the time: copies are taken in the middle of
// insertions and splits.
TEST(MemTableThreads, NeverShowAHalfChangedLeaf) {
  for (int round = 0; round < 20; ++round) {
    MemoryBudget budget(1 << 30);
    MemTable table(budget);
    std::vector<std::string> old;
    for (std::uint64_t n = 0; n < 40; ++n) old.push_back(key_of(n));
    std::sort(old.begin(), old.end());
    for (const std::string& key : old) table.add({key, 1, EntryType::kPut, ""});
    std::atomic<bool> writing{true};
    const auto writer = start(1, [&](std::uint64_t) {
      for (std::uint64_t n = 40; n < 3000; ++n) table.add({key_of(n), n, EntryType::kPut, ""});
      writing = false;
    });
    const auto it = table.iterator();
    while (writing) {
      std::size_t found = 0;
      std::string last;
      for (it->seek_to_first(); it->valid(); it->next()) {
        ASSERT_LT(last, it->entry().key);
        last = it->entry().key;
        if (found < old.size() && last == old[found]) ++found;
      }
      ASSERT_EQ(found, old.size());
      last = "~";
      for (it->seek_to_last(); it->valid(); it->prev()) {
        ASSERT_GT(last, it->entry().key);
        last = it->entry().key;
        if (found > 0 && last == old[found - 1]) --found;
      }
      ASSERT_EQ(found, 0u);
    }
  }
}

TEST(MemTableThreads, AppendAtTheRightEdgeTogether) {
  MemoryBudget budget(1 << 30);
  MemTable table(budget);
  std::atomic<std::uint64_t> next{0};
  const auto key = [](std::uint64_t n) {
    const std::string digits = std::to_string(n);
    return "log/" + std::string(20 - digits.size(), '0') + digits;
  };
  {
    const auto writers = start(kWriters, [&](std::uint64_t) {
      for (std::uint64_t n = next++; n < kWriters * kEach; n = next++) table.add({key(n), n + 1, EntryType::kPut, ""});
    });
  }
  const auto it = table.iterator();
  it->seek_to_first();
  for (std::uint64_t n = 0; n < kWriters * kEach; ++n, it->next()) {
    ASSERT_TRUE(it->valid());
    ASSERT_EQ(it->entry().key, key(n));
  }
  EXPECT_FALSE(it->valid());
}

}  // namespace
}  // namespace lightning::memtable
