#include "memtable/erased_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <string>

#include "memtable/memtable.h"

namespace lightning::memtable {
namespace {

using base::MemoryBudget;
using base::MemoryOwner;
using format::kSequenceMax;

Sequence covering(const ErasedRanges& erased, std::string_view key, Sequence at) {
  Sequence newest = 0;
  if (const ErasedRanges::Sets* sets = erased.sets())
    for (const auto& set : *sets) newest = std::max(newest, set->covering(key, at));
  return newest;
}

TEST(ErasedRanges, AnswerAsTheListOfAllThatWereAdded) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  MemoryBudget budget(1 << 30);
  {
    struct Range {
      std::string start, end;
      Sequence sequence;
    };
    std::vector<Range> added;
    ErasedRanges erased(budget);
    EXPECT_EQ(erased.sets(), nullptr);
    const auto key = [&] { return std::to_string(random() % 1000); };
    for (Sequence sequence = 1; sequence <= 300; ++sequence) {
      Range range{key(), random() % 20 == 0 ? std::string() : key(), sequence};
      erased.add({{range.start, range.end, sequence}});
      added.push_back(std::move(range));
      const std::string probe = key();
      const Sequence at = random() % 2 == 0 ? kSequenceMax : random() % 300;
      Sequence expected = 0;
      for (const Range& each : added)
        if (each.sequence <= at && each.start <= probe && (each.end.empty() || probe < each.end))
          expected = each.sequence;
      ASSERT_EQ(covering(erased, probe, at), expected);
    }
    EXPECT_EQ(erased.count(), 300);
    EXPECT_LE(erased.sets()->size(), 12);
    EXPECT_EQ(budget.held(MemoryOwner::kMemTables), erased.memory_bytes());
  }
  EXPECT_EQ(budget.held(MemoryOwner::kMemTables), 0);
}

// Each erases what the one before it does and a little more, as who trims a queue does: kept apart, n * n sequences.
TEST(ErasedRanges, OfOneBatchAndOfALogThatIsReplayedTakeLinearMemory) {
  constexpr Sequence kRanges = 20'000;
  std::vector<std::string> ends;
  for (Sequence i = 0; i < kRanges; ++i) ends.push_back(std::to_string(100'000 + i));
  for (const bool replayed : {false, true}) {
    MemoryBudget budget(1 << 30);
    ErasedRanges erased(budget);
    if (replayed) {
      for (Sequence i = 0; i < kRanges; ++i) erased.add({{"", ends[i], i + 1}}, true);
    } else {
      std::vector<format::RangeTombstone> batch;
      for (Sequence i = 0; i < kRanges; ++i) batch.push_back({"", ends[i], i + 1});
      erased.add(std::move(batch));
    }
    EXPECT_EQ(erased.count(), kRanges);
    EXPECT_LT(erased.memory_bytes(), 5'000 * kRanges);
    EXPECT_EQ(covering(erased, "100000", kSequenceMax), kRanges);
    EXPECT_EQ(covering(erased, "110000", kSequenceMax), kRanges);
    EXPECT_EQ(covering(erased, "119998", kSequenceMax), kRanges);
    EXPECT_EQ(covering(erased, "119999", kSequenceMax), 0);
  }
}

TEST(ErasedRanges, CountAsWhatTheMemtableHolds) {
  MemoryBudget budget(1 << 30);
  MemTable table(budget);
  EXPECT_TRUE(table.empty());
  const std::uint64_t before = table.memory_bytes();
  const std::string end(1000, 'x');
  table.add_ranges({{"a", end, 1}});
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(table.entries(), 1);
  EXPECT_GE(table.memory_bytes(), before + 1000);
  const auto it = table.iterator();
  it->seek_to_first();
  EXPECT_FALSE(it->valid());
}

// What a reader found stays as it was, and whatever was published before it looked is there.
TEST(ErasedRanges, AreReadBesideWritersWithoutALock) {
  MemoryBudget budget(1 << 30);
  ErasedRanges erased(budget);
  constexpr Sequence kEach = 500, kWriters = 3;
  std::atomic<Sequence> published[kWriters]{};
  std::vector<base::Thread> threads;
  for (Sequence writer = 0; writer < kWriters; ++writer)
    threads.push_back(base::Thread::spawn("writer", [&, writer] {
      for (Sequence i = 1; i <= kEach; ++i) {
        const std::string start = std::to_string(writer) + std::to_string(1000 + i), end = start + "~";
        erased.add({{start, end, i}});
        published[writer].store(i, std::memory_order_release);
      }
    }));
  for (int reader = 0; reader < 2; ++reader)
    threads.push_back(base::Thread::spawn("reader", [&] {
      for (Sequence seen = 0; seen < kEach * kWriters;) {
        seen = 0;
        for (Sequence writer = 0; writer < kWriters; ++writer) {
          const Sequence last = published[writer].load(std::memory_order_acquire);
          seen += last;
          ASSERT_TRUE(last == 0 ||
                      covering(erased, std::to_string(writer) + std::to_string(1000 + last), kSequenceMax) == last);
        }
        base::yield();
      }
    }));
  for (base::Thread& thread : threads) thread.join();
  EXPECT_EQ(erased.count(), kEach * kWriters);
}

}  // namespace
}  // namespace lightning::memtable
