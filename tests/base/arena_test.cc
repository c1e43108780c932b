#include "base/arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace lightning::base {
namespace {

constexpr auto kOwner = MemoryOwner::kMemTables;

bool fill(char* at, std::size_t bytes, char with) {
  std::memset(at, with, bytes);
  return at[0] == with && at[bytes - 1] == with;
}

TEST(Arena, GivesDistinctAlignedMemoryOfAllSizes) {
  MemoryBudget budget(1 << 30);
  Arena arena(budget, kOwner);
  std::vector<std::pair<char*, std::size_t>> pieces;
  for (std::size_t size = 1; size < (5u << 20); size = size * 3 / 2 + 1) {
    for (int i = 0; i < 3; ++i) {
      pieces.emplace_back(arena.allocate(arena.slot(), size), size);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(pieces.back().first) % Arena::kAlignment, 0u);
      ASSERT_TRUE(fill(pieces.back().first, size, static_cast<char>(pieces.size())));
    }
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto [at, size] = pieces[i];
    ASSERT_EQ(std::string_view(at, size), std::string(size, static_cast<char>(i + 1)));
  }
}

TEST(Arena, ChargesTheBudgetUntilItEnds) {
  MemoryBudget budget(1 << 30);
  {
    Arena arena(budget, kOwner);
    EXPECT_EQ(budget.held(kOwner), 0u);
    arena.allocate(arena.slot(), 100);
    EXPECT_LE(arena.bytes(), 4096u) << "a first entry should be cheap";
    arena.allocate(arena.slot(), 10 << 20);
    EXPECT_EQ(budget.held(kOwner), arena.bytes());
    EXPECT_GE(arena.bytes(), 10u << 20);
  }
  EXPECT_EQ(budget.held(kOwner), 0u);
}

TEST(Arena, WastesLittleOnManySmallPieces) {
  MemoryBudget budget(1 << 30);
  Arena arena(budget, kOwner);
  constexpr std::size_t kPieces = 20000, kBytes = 272;
  for (std::size_t i = 0; i < kPieces; ++i) {
    ASSERT_TRUE(arena.promise(arena.slot(), 1, kBytes + 100));  // more than is then needed
    arena.allocate(arena.slot(), kBytes);
  }
  EXPECT_LT(arena.bytes(), kPieces * kBytes * 102 / 100 + (64 << 10));
}

TEST(Arena, KeepsPromisesWhenMemoryHasRunOut) {
  MemoryBudget budget(1 << 30);
  Arena arena(budget, kOwner, 1 << 20);
  auto& slot = arena.slot();
  ASSERT_TRUE(arena.promise(slot, 3, 100000));
  ASSERT_TRUE(arena.promise(slot, 1, 50000));
  EXPECT_EQ(arena.promise(slot, 1, 2 << 20).error().code(), ErrorCode::kOutOfMemory);
  for (const std::size_t size : {33333, 33333, 33334, 50000}) ASSERT_NO_THROW(arena.allocate(slot, size));
  EXPECT_THROW(for (;;) arena.allocate(slot, 1000), std::bad_alloc);
  EXPECT_LE(arena.bytes(), 1u << 20);
}

TEST(Arena, KeepsWhatIsSetAsideForBlocksWhenMemoryHasRunOut) {
  MemoryBudget budget(1 << 30);
  Arena arena(budget, kOwner, 1 << 20);
  auto& slot = arena.slot();
  constexpr std::size_t kBlock = 1088, kBlocks = 100;
  ASSERT_TRUE(arena.set_aside(slot, kBlock * kBlocks));
  EXPECT_THROW(for (;;) arena.allocate(slot, 1000), std::bad_alloc);
  for (std::size_t i = 0; i < kBlocks; ++i) {
    ASSERT_NO_THROW(arena.prepare_block(slot, kBlock)) << i;
    char* const block = arena.take_block(slot, kBlock);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % Arena::kBlockAlignment, 0u);
    ASSERT_TRUE(fill(block, kBlock, 'b'));
  }
  EXPECT_EQ(arena.set_aside(slot, 1 << 20).error().code(), ErrorCode::kOutOfMemory);
}

TEST(Arena, WithdrawsAPromise) {
  MemoryBudget budget(1 << 30);
  Arena arena(budget, kOwner);
  auto& slot = arena.slot();
  ASSERT_TRUE(arena.promise(slot, 1, 1000));
  EXPECT_TRUE(Arena::has_promised(slot, 1000));
  arena.withdraw(slot, 1, 1000);
  EXPECT_FALSE(Arena::has_promised(slot, 1));
}

TEST(Arena, GivesThreadsMemoryOfTheirOwn) {
  MemoryBudget budget(1 << 30);
  Arena arena(budget, kOwner);
  {
    std::vector<Thread> threads;
    for (char t = 1; t <= 4; ++t)
      threads.push_back(Thread::spawn("test", [&arena, t] {
        std::vector<std::pair<char*, std::size_t>> mine;
        for (std::size_t i = 0; i < 5000; ++i) {
          const std::size_t size = 1 + i * 37 % 400;
          mine.emplace_back(arena.allocate(arena.slot(), size), size);
          std::memset(mine.back().first, t, size);
        }
        for (const auto& [at, size] : mine) ASSERT_EQ(std::string_view(at, size), std::string(size, t));
      }));
  }
  EXPECT_GT(arena.bytes(), 4 * 5000u * 200);
}

}  // namespace
}  // namespace lightning::base
