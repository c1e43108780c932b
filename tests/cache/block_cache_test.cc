#include "cache/block_cache.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/fiber.h"
#include "base/slab.h"

namespace lightning::cache {
namespace {

using base::MemoryOwner;
using Guard = base::EpochDomain::Guard;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint32_t kBlockBytes = 16 * 1024;
const std::uint64_t kFootprint = base::SlabAllocator::footprint(Block::kHeaderBytes + kBlockBytes);

// A table of the test: slots, and blocks whose content tells their number.
class Table {
 public:
  Table(BlockCache& cache, std::uint64_t blocks, std::uint32_t block_bytes = kBlockBytes)
      : cache_(cache), slots_(new BlockSlot[blocks]), blocks_(blocks), block_bytes_(block_bytes) {}
  ~Table() { close(); }
  void close() {
    if (slots_ != nullptr) cache_.erase(slots_.get(), blocks_);
    slots_.reset();
  }

  bool cached(std::uint64_t i) {
    Guard guard(cache_.epochs());
    Block* block = cache_.find(slots_[i]);
    if (block != nullptr) expect_content(*block, i);
    return block != nullptr;
  }
  Block* make(std::uint64_t i) {
    Block* block = cache_.allocate(block_bytes_);
    EXPECT_NE(block, nullptr);
    std::memset(block->data(), static_cast<int>(i % 251), block_bytes_);
    std::memcpy(block->data(), &i, sizeof i);
    return block;
  }
  Block* insert_pinned(std::uint64_t i, bool fill = true) { return cache_.insert(slots_[i], make(i), fill); }
  void insert(std::uint64_t i) { cache_.release(insert_pinned(i)); }
  // As an engine reads: true if it was a hit.
  bool read(std::uint64_t i) {
    if (cached(i)) return true;
    insert(i);
    return false;
  }
  void read(std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) read(i);
  }
  std::uint64_t count_cached(std::uint64_t from, std::uint64_t to) {
    std::uint64_t n = 0;
    for (std::uint64_t i = from; i < to; ++i) n += cached(i) ? 1 : 0;
    return n;
  }
  static void expect_content(const Block& block, std::uint64_t i) {
    std::uint64_t number = 0;
    std::memcpy(&number, block.data(), sizeof number);
    EXPECT_EQ(number, i);
    EXPECT_EQ(block.data()[block.size() - 1], static_cast<char>(i % 251));
  }
  BlockSlot& slot(std::uint64_t i) { return slots_[i]; }

 private:
  BlockCache& cache_;
  std::unique_ptr<BlockSlot[]> slots_;
  const std::uint64_t blocks_;
  const std::uint32_t block_bytes_;
};

class BlockCacheTest : public testing::Test {
 protected:
  explicit BlockCacheTest(std::uint64_t bytes = 4 * kMiB) : budget_(bytes) {}
  ~BlockCacheTest() override {
    cache_.reset();
    epochs_.collect();
    EXPECT_EQ(charged(), 0u) << "the cache kept memory";
  }
  std::uint64_t charged() const { return budget_.held(MemoryOwner::kBlocks); }
  std::uint64_t fitting() const { return budget_.block_capacity() / kFootprint; }
  void expect_within_capacity() {
    epochs_.collect();
    EXPECT_LE(charged(), budget_.block_capacity() + kMiB / 8);  // one block, and places freed since the last insert
  }

  base::MemoryBudget budget_;
  base::EpochDomain epochs_;
  std::unique_ptr<BlockCache> cache_ = std::make_unique<BlockCache>(budget_, epochs_);
};

TEST_F(BlockCacheTest, FindsWhatWasInserted) {
  Table table(*cache_, 3);
  EXPECT_FALSE(table.cached(1));
  table.insert(1);
  EXPECT_TRUE(table.cached(1));
  EXPECT_FALSE(table.cached(0));
  EXPECT_FALSE(table.cached(2));
}

TEST_F(BlockCacheTest, CountsHitsAndEachMissOnce) {
  Table table(*cache_, 2);
  EXPECT_FALSE(table.cached(0));
  EXPECT_FALSE(table.cached(0));
  table.insert(0);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(table.cached(0));
  const auto counters = cache_->counters();
  EXPECT_EQ(counters.hits, 5u);
  EXPECT_EQ(counters.misses, 1u);
  EXPECT_EQ(counters.evictions, 0u);
  EXPECT_EQ(counters.blocks, 1u);
  EXPECT_EQ(counters.bytes, kFootprint);
  EXPECT_EQ(counters.pinned_bytes, 0u);
}

TEST_F(BlockCacheTest, CountsHitsOfAllThreads) {
  Table table(*cache_, 1);
  table.insert(0);
  std::vector<base::Thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.push_back(base::Thread::spawn("reader", [&] {
      for (int i = 0; i < 1000; ++i) EXPECT_TRUE(table.cached(0));
    }));
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(cache_->counters().hits, 4000u);
}

TEST_F(BlockCacheTest, StaysWithinItsCapacity) {
  Table table(*cache_, 2000);
  for (std::uint64_t i = 0; i < 2000; ++i) {
    table.insert(i);
    ASSERT_LE(charged(), budget_.block_capacity() + cache_->counters().retired_bytes + kMiB / 8);
  }
  expect_within_capacity();
  const auto counters = cache_->counters();
  EXPECT_GE(counters.bytes, budget_.block_capacity() * 85 / 100) << "but uses it";
  EXPECT_GE(counters.evictions, 2000 - fitting());
  EXPECT_TRUE(table.cached(1999));
}

TEST_F(BlockCacheTest, MakesRoomWhenOthersGrow) {
  Table table(*cache_, 1000);
  table.read(0, 1000);
  budget_.charge(MemoryOwner::kMemTables, 3 * kMiB);
  cache_->trim();
  expect_within_capacity();
  const std::uint64_t blocks_small = cache_->counters().blocks;
  EXPECT_LE(blocks_small, kMiB / kFootprint);
  EXPECT_GE(blocks_small, kMiB / kFootprint / 2);

  budget_.charge(MemoryOwner::kMemTables, -std::int64_t{3 * kMiB});
  table.read(0, 1000);
  EXPECT_GE(cache_->counters().bytes, budget_.block_capacity() * 85 / 100);
}

TEST_F(BlockCacheTest, InsertAloneFollowsAShrinkingCapacity) {
  Table table(*cache_, 1000);
  table.read(0, 500);
  budget_.charge(MemoryOwner::kMemTables, 3 * kMiB);
  table.read(500, 510);
  expect_within_capacity();
  budget_.charge(MemoryOwner::kMemTables, -std::int64_t{3 * kMiB});
}

TEST_F(BlockCacheTest, BlocksOfManySizesAreWeighedByBytes) {
  std::mt19937 random(7);
  std::deque<Table> tables;
  for (int t = 0; t < 30; ++t) {
    Table& table = tables.emplace_back(*cache_, 40, 1000 + random() % 60'000);
    table.read(0, 40);
    ASSERT_LE(charged(), budget_.block_capacity() + cache_->counters().retired_bytes + 64 * 1024);
  }
}

TEST_F(BlockCacheTest, AHugeBlockIsHandedOutButNotKept) {
  Table table(*cache_, 200);
  table.read(0, 100);
  const std::uint64_t before = cache_->counters().blocks;
  Table huge(*cache_, 1, 3 * kMiB);
  Block* block = huge.insert_pinned(0);
  Table::expect_content(*block, 0);
  cache_->release(block);
  EXPECT_FALSE(huge.cached(0));
  EXPECT_EQ(cache_->counters().blocks, before);
}

TEST_F(BlockCacheTest, ALargeBlockDisplacesAsManySmallOnesAsItTakes) {
  Table small(*cache_, 2000, 1000);
  small.read(0, 2000);
  Table large(*cache_, 3, kMiB);
  large.read(0, 3);
  expect_within_capacity();
  EXPECT_TRUE(large.cached(2));
}

TEST_F(BlockCacheTest, WithoutFillABlockIsOnlyPinned) {
  Table table(*cache_, 1);
  Block* block = table.insert_pinned(0, false);
  Table::expect_content(*block, 0);
  EXPECT_FALSE(table.cached(0));
  EXPECT_EQ(cache_->counters().pinned_bytes, kFootprint);
  EXPECT_EQ(cache_->counters().misses, 0u);
  cache_->release(block);
  EXPECT_EQ(cache_->counters().pinned_bytes, 0u);
}

TEST_F(BlockCacheTest, ABlockNeverInsertedIsReleased) {
  Block* block = cache_->allocate(100);
  EXPECT_EQ(block->size(), 100u);
  EXPECT_EQ(block->bytes().size(), 100u);
  EXPECT_GT(charged(), 100u);
  cache_->release(block);
}

TEST_F(BlockCacheTest, TheSecondToInsertGetsTheFirstOnesBlock) {
  Table table(*cache_, 1);
  Block* first = table.insert_pinned(0);
  Block* second = table.insert_pinned(0);
  EXPECT_EQ(first, second);
  EXPECT_EQ(cache_->counters().blocks, 1u);
  cache_->release(first);
  EXPECT_EQ(cache_->counters().pinned_bytes, kFootprint);
  cache_->release(second);
  EXPECT_EQ(cache_->counters().pinned_bytes, 0u);
}

TEST_F(BlockCacheTest, ThreadsInsertingIntoOneSlotGetOneBlock) {
  for (int round = 0; round < 200; ++round) {
    Table table(*cache_, 1);
    std::vector<Block*> got(4);
    std::vector<base::Thread> threads;
    for (Block*& block : got) threads.push_back(base::Thread::spawn("insert", [&] { block = table.insert_pinned(0); }));
    for (auto& thread : threads) thread.join();
    for (Block* block : got) {
      EXPECT_EQ(block, got[0]);
      cache_->release(block);
    }
  }
}

TEST_F(BlockCacheTest, AnEvictedBlockIsReadableUntilTheGuardEnds) {
  Table table(*cache_, 1000);
  table.insert(0);
  {
    Guard guard(epochs_);
    Block* block = cache_->find(table.slot(0));
    ASSERT_NE(block, nullptr);
    for (std::uint64_t i = 1; i < 1000 && cache_->find(table.slot(0)) != nullptr; ++i) table.insert(i);
    budget_.charge(MemoryOwner::kMemTables, 4 * kMiB);
    cache_->trim();
    budget_.charge(MemoryOwner::kMemTables, -std::int64_t{4 * kMiB});
    table.close();
    epochs_.collect();
    EXPECT_GT(cache_->counters().retired_bytes, 0u);
    Table::expect_content(*block, 0);
  }
  epochs_.collect();
  EXPECT_EQ(cache_->counters().retired_bytes, 0u);
}

TEST_F(BlockCacheTest, ALongGuardDoesNotMakeMemoryGrow) {
  Table table(*cache_, 3000);
  table.read(0, 300);
  Guard guard(epochs_);
  table.read(300, 3000);
  EXPECT_LE(charged(), budget_.block_capacity() * 3 / 2);
}

TEST_F(BlockCacheTest, APinnedBlockStaysWhateverIsInserted) {
  Table table(*cache_, 2000);
  Block* pinned = table.insert_pinned(0);
  table.read(1, 2000);
  EXPECT_TRUE(table.cached(0)) << "evicting it would free nothing";
  Table::expect_content(*pinned, 0);
  cache_->release(pinned);
}

TEST_F(BlockCacheTest, APinOutlivesTheTableAndIsCharged) {
  Block* block = nullptr;
  {
    Table table(*cache_, 1);
    table.insert(0);
    Guard guard(epochs_);
    block = cache_->find(table.slot(0));
    cache_->pin(block);
  }
  epochs_.collect();
  EXPECT_EQ(cache_->counters().blocks, 0u);
  EXPECT_EQ(cache_->counters().pinned_bytes, kFootprint);
  EXPECT_GE(charged(), kFootprint);
  Table::expect_content(*block, 0);
  cache_->release(block);
  EXPECT_EQ(cache_->counters().pinned_bytes, 0u);
}

TEST_F(BlockCacheTest, APinOutlivesEvenTheCache) {
  Block* block = nullptr;
  {
    Table table(*cache_, 1);
    block = table.insert_pinned(0);
  }
  cache_.reset();
  Table::expect_content(*block, 0);
  EXPECT_GE(charged(), kFootprint);
  BlockCache::release(block);
}

TEST_F(BlockCacheTest, AllPinnedMeansOverCapacityUntilReleased) {
  Table table(*cache_, 500);
  std::vector<Block*> pins;
  for (std::uint64_t i = 0; i < 400; ++i) pins.push_back(table.insert_pinned(i));
  EXPECT_GE(charged(), 400 * kFootprint);
  for (Block* block : pins) cache_->release(block);
  cache_->trim();
  expect_within_capacity();
}

TEST_F(BlockCacheTest, EraseForgetsBlocksAndGhosts) {
  auto table = std::make_unique<Table>(*cache_, 2000);
  table->read(0, 2000);
  EXPECT_GT(cache_->counters().ghosts, 0u);
  table.reset();
  const auto counters = cache_->counters();
  EXPECT_EQ(counters.blocks, 0u);
  EXPECT_EQ(counters.ghosts, 0u);
  EXPECT_EQ(counters.bytes, 0u);
}

TEST_F(BlockCacheTest, ANewTableAtTheSameAddressIsNoGhost) {
  // Blocks of a closed table that came back as ghosts would enter as frequent.
  std::vector<BlockSlot> slots(1000);
  const auto read_all = [&] {
    for (BlockSlot& slot : slots) cache_->release(cache_->insert(slot, cache_->allocate(kBlockBytes), true));
  };
  read_all();
  cache_->erase(slots.data(), slots.size());
  read_all();
  EXPECT_EQ(cache_->counters().frequent_bytes, 0u);
  cache_->erase(slots.data(), slots.size());
}

TEST_F(BlockCacheTest, AGhostThatComesBackIsFrequent) {
  Table table(*cache_, 1000);
  // Something frequent keeps T1 short enough for ghosts of it to be remembered.
  table.read(0, 100);
  table.read(0, 100);
  table.read(200, 500);
  std::uint64_t ghost = 499;
  while (table.cached(ghost)) --ghost;
  const std::uint64_t before = cache_->counters().frequent_bytes;
  table.read(ghost);
  const auto counters = cache_->counters();
  EXPECT_GE(counters.frequent_bytes, before + kFootprint);
  EXPECT_GT(counters.recent_target_bytes, 0u);
}

TEST_F(BlockCacheTest, AScanOfTenTimesTheCapacityLeavesTheHotBlocks) {
  const std::uint64_t hot = fitting() / 2;
  Table table(*cache_, hot + 10 * fitting());
  for (int twice = 0; twice < 2; ++twice) table.read(0, hot);
  table.read(hot, hot + 10 * fitting());
  EXPECT_EQ(table.count_cached(0, hot), hot);
}

TEST_F(BlockCacheTest, WhatIsNoLongerUsedMakesRoom) {
  const std::uint64_t hot = fitting() / 2;
  Table table(*cache_, 4 * hot);
  for (int i = 0; i < 3; ++i) table.read(0, hot);
  for (int i = 0; i < 20; ++i) table.read(hot, 2 * hot + hot / 2);
  EXPECT_GE(table.count_cached(hot, 2 * hot + hot / 2), hot * 5 / 4);
}

TEST_F(BlockCacheTest, ResidentMemoryFollowsTheBooks) {
  Table table(*cache_, 1000);
  table.read(0, 1000);
  epochs_.collect();
  const auto counters = cache_->counters();
  EXPECT_LE(charged(), counters.bytes * 112 / 100);
}

TEST_F(BlockCacheTest, ImpossibleMemoryIsNull) {
  if (Block* block = cache_->allocate(0xffffffffu)) {  // granted lazily by most systems; never touched here
    EXPECT_EQ(block->size(), 0xffffffffu);
    cache_->release(block);
  }
}

class SmallBlockCacheTest : public BlockCacheTest {
 protected:
  SmallBlockCacheTest() : BlockCacheTest(256 * 1024) {}
};

TEST_F(SmallBlockCacheTest, ATinyCacheStillCaches) {
  Table table(*cache_, 100);
  table.read(0, 100);
  EXPECT_TRUE(table.cached(99));
  EXPECT_GE(cache_->counters().blocks, 8u);
}

// Four threads read, pin, evict and close tables at random; contents tell any block that was freed too early.
TEST_F(BlockCacheTest, SurvivesEverythingAtOnce) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  constexpr int kThreads = 4, kSteps = 4000;
  constexpr std::uint64_t kBlocks = 400;
  Table shared(*cache_, kBlocks);
  std::vector<base::Thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.push_back(base::Thread::spawn("stress", [&, t] {
      std::mt19937 random(seed + static_cast<unsigned>(t));
      std::deque<std::pair<Block*, std::uint64_t>> pins;
      std::unique_ptr<Table> own;
      for (int step = 0; step < kSteps; ++step) {
        const std::uint64_t i = random() % 4 == 0 ? random() % kBlocks : random() % 50;
        switch (random() % 16) {
          case 0:
            own.reset();
            own = std::make_unique<Table>(*cache_, 50, 500 + random() % 20'000);
            break;
          case 1:
            budget_.charge(MemoryOwner::kMemTables, 2 * kMiB);
            cache_->trim();
            budget_.charge(MemoryOwner::kMemTables, -std::int64_t{2 * kMiB});
            break;
          case 2:
            pins.emplace_back(shared.insert_pinned(i), i);
            break;
          case 3: {
            Guard guard(epochs_);
            Block* block = cache_->find(shared.slot(i));
            if (block == nullptr) break;
            cache_->pin(block);
            pins.emplace_back(block, i);
            break;
          }
          case 4:
          case 5:
            if (own != nullptr) own->read(random() % 50);
            break;
          default:
            shared.read(i);
        }
        if (pins.size() > 5) {
          Table::expect_content(*pins.front().first, pins.front().second);
          cache_->release(pins.front().first);
          pins.pop_front();
        }
      }
      for (const auto& [block, i] : pins) cache_->release(block);
    }));
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(cache_->counters().pinned_bytes, 0u);
  cache_->trim();
  expect_within_capacity();
}

// Slots of counters and epochs are a fiber's own, and nothing depends on addresses.
TEST(BlockCacheOnFibers, TheSameSeedGivesTheSameRun) {
  const auto run = [](std::uint64_t seed) {
    std::string trace;
    base::FiberScheduler world(seed);
    const auto end = world.run([&trace] {
      base::MemoryBudget budget(kMiB);
      base::EpochDomain epochs;
      BlockCache cache(budget, epochs);
      {
        Table table(cache, 200);
        std::vector<base::Thread> fibers;
        for (std::uint64_t f = 0; f < 3; ++f) {
          fibers.push_back(base::Thread::spawn("reader", [&, f] {
            for (std::uint64_t i = 0; i < 300; ++i) {
              table.read((i * i + 31 * f) % 200);
              if (i % 50 == 0) cache.trim();
            }
          }));
        }
        for (base::Thread& fiber : fibers) fiber.join();
        const auto counters = cache.counters();
        EXPECT_EQ(counters.pinned_bytes, 0u);
        EXPECT_GE(counters.hits + counters.misses, 900u);
        trace = std::to_string(counters.hits) + " hits, " + std::to_string(counters.evictions) + " evictions";
      }
    });
    EXPECT_EQ(end, base::WorldEnd::kFinished) << world.report();
    return trace;
  };
  for (std::uint64_t seed = 1; seed <= 10; ++seed) EXPECT_EQ(run(seed), run(seed)) << "seed " << seed;
}

}  // namespace
}  // namespace lightning::cache
