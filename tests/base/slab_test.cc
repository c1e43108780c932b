#include "base/slab.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

namespace lightning::base {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

struct Object {
  char* memory;
  std::size_t bytes;
};

class Slab : public testing::Test {
 protected:
  std::uint64_t charged() const { return budget_.held(MemoryOwner::kBlocks); }
  Object make(std::size_t bytes) {
    char* memory = static_cast<char*>(slab_.allocate(bytes));
    EXPECT_NE(memory, nullptr);
    std::memset(memory, static_cast<int>(bytes % 251), bytes);
    return {memory, bytes};
  }
  void drop(const Object& object) {
    const char mark = static_cast<char>(object.bytes % 251);
    EXPECT_EQ(object.memory[0], mark);
    EXPECT_EQ(object.memory[object.bytes - 1], mark);
    slab_.free(object.memory, object.bytes);
  }
  std::vector<Object> make_all(std::size_t total_bytes, std::size_t from, std::size_t to) {
    std::uniform_int_distribution<std::size_t> size(from, to);
    std::vector<Object> objects;
    for (std::size_t sum = 0; sum < total_bytes; sum += objects.back().bytes) objects.push_back(make(size(random_)));
    return objects;
  }
  // Drops all but every `keep`-th, in random order.
  void thin(std::vector<Object>& objects, std::size_t keep) {
    std::ranges::shuffle(objects, random_);
    const std::size_t kept = objects.size() / keep;
    while (objects.size() > kept) {
      drop(objects.back());
      objects.pop_back();
    }
  }

  const unsigned seed_ = std::random_device{}();
  const testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
  std::mt19937 random_{seed_};
  MemoryBudget budget_{kMiB << 10};
  SlabAllocator slab_{budget_, MemoryOwner::kBlocks};
};

TEST_F(Slab, RoundsUpByAtMostASeventeenth) {
  for (std::size_t bytes = 1024; bytes <= 2 * kMiB; bytes += 37) {
    const std::size_t footprint = SlabAllocator::footprint(bytes);
    ASSERT_GE(footprint, bytes);
    ASSERT_LE((footprint - bytes) * 17, footprint) << bytes;
  }
}

TEST_F(Slab, PlacesAreAlignedAndApart) {
  std::vector<Object> objects;
  std::uniform_int_distribution<int> doubling(4, 18);
  for (int i = 0; i < 3000; ++i) objects.push_back(make((std::size_t{1} << doubling(random_)) + random_() % 100));
  std::ranges::sort(objects, {}, &Object::memory);
  for (std::size_t i = 0; i < objects.size(); ++i) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(objects[i].memory) % SlabAllocator::kAlignment, 0u);
    if (i == 0) continue;
    ASSERT_LE(objects[i - 1].memory + objects[i - 1].bytes, objects[i].memory);
  }
  for (const Object& object : objects) drop(object);
}

TEST_F(Slab, ChargesLittleMoreThanTheObjects) {
  auto objects = make_all(48 * kMiB, 16 * 1024, 17 * 1024);
  std::uint64_t asked = 0;
  for (const Object& object : objects) asked += object.bytes;
  EXPECT_GE(charged(), asked);
  EXPECT_LE(charged(), asked + asked / 8);
  EXPECT_EQ(charged(), slab_.held_bytes());
  thin(objects, objects.size() + 1);
}

TEST_F(Slab, SmallAllocatorHoldsLittle) {
  const Object object = make(16 * 1024);
  EXPECT_LE(charged(), 32u * 1024);  // not a whole region
  drop(object);
}

TEST_F(Slab, PagesOfFreedPlacesGoBackThoughTheirRegionsStayInUse) {
  auto objects = make_all(64 * kMiB, 16 * 1024, 17 * 1024);
  thin(objects, 4);
  // An object that is left alone keeps the pages it shares with free places: one of five.
  EXPECT_LE(slab_.held_bytes(), slab_.live_bytes() + slab_.live_bytes() / 4);
  thin(objects, objects.size() + 1);
  EXPECT_EQ(slab_.live_bytes(), 0u);
  EXPECT_LE(charged(), 300u * 1024);
}

TEST_F(Slab, PlacesAreUsedAgain) {
  auto objects = make_all(16 * kMiB, 16 * 1024, 16 * 1024);
  const std::uint64_t before = charged();
  for (int i = 0; i < 20'000; ++i) {
    std::swap(objects[random_() % objects.size()], objects.back());
    drop(objects.back());
    objects.back() = make(16 * 1024);
  }
  EXPECT_LE(charged(), before);
  thin(objects, objects.size() + 1);
}

TEST_F(Slab, LargeObjectsAreHeldExactlyWhileTheyLive) {
  const Object object = make(5 * kMiB + 1);
  EXPECT_EQ(charged(), 5 * kMiB + 4096);
  drop(object);
  EXPECT_EQ(charged(), 0u);
}

TEST_F(Slab, ImpossibleSizeIsNull) {
  EXPECT_EQ(slab_.allocate(std::size_t{1} << 60), nullptr);
  EXPECT_EQ(charged(), 0u);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their own memory would be counted too
// What the operating system says this process has in memory.
std::uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long total = 0, resident = 0;
  EXPECT_EQ(std::fscanf(file, "%lu %lu", &total, &resident), 2);
  std::fclose(file);
  return std::uint64_t{resident} * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

TEST_F(Slab, BooksAgreeWithTheOperatingSystem) {
  const std::uint64_t start = resident_bytes();
  const auto expect_agreement = [&](const char* when) {
    const auto resident = static_cast<double>(resident_bytes()) - static_cast<double>(start);
    const auto held = static_cast<double>(slab_.held_bytes());
    EXPECT_NEAR(resident, held, held / 10 + 1e6) << when;
  };
  auto objects = make_all(64 * kMiB, 15 * 1024, 20 * 1024);
  expect_agreement("filled");
  thin(objects, 2);
  expect_agreement("half freed");
  auto more = make_all(32 * kMiB, 4 * 1024, 8 * 1024);
  expect_agreement("filled with other sizes");
  thin(objects, 10);
  thin(more, 10);
  expect_agreement("nearly empty");
  thin(objects, objects.size() + 1);
  thin(more, more.size() + 1);
  expect_agreement("empty");
}
#endif

TEST_F(Slab, FreesWhatOtherThreadsAllocated) {
  constexpr int kThreads = 4, kRounds = 2000;
  Mutex mutex{LockRank::kLeaf};
  std::vector<Object> shared;
  std::vector<Thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.push_back(Thread::spawn("slab", [&, t] {
      std::mt19937 random(seed_ + static_cast<unsigned>(t));
      for (int i = 0; i < kRounds; ++i) {
        Object mine = make(200 + random() % 40'000);
        {
          MutexLock lock(mutex);
          if (shared.size() < 100) {
            shared.push_back(mine);
            continue;
          }
          std::swap(mine, shared[random() % shared.size()]);
        }
        drop(mine);
      }
    }));
  }
  for (Thread& thread : threads) thread.join();
  for (const Object& object : shared) drop(object);
  EXPECT_EQ(slab_.live_bytes(), 0u);
}

TEST(SlabEnd, BudgetIsZeroAfterTheAllocator) {
  MemoryBudget budget(kMiB);
  {
    SlabAllocator slab(budget, MemoryOwner::kBlocks);
    slab.free(slab.allocate(16 * 1024), 16 * 1024);
    EXPECT_GT(budget.held(MemoryOwner::kBlocks), 0u);
  }
  EXPECT_EQ(budget.held(MemoryOwner::kBlocks), 0u);
}

}  // namespace
}  // namespace lightning::base
