#include "base/per_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <set>
#include <vector>

#include "base/arena.h"
#include "base/epoch.h"
#include "base/memory_budget.h"

namespace lightning::base {
namespace {

// Runs `body` on `count` threads that all live until each has come to the end of it.
void on_threads_at_once(std::uint32_t count, const std::function<void()>& body) {
  Mutex mutex{LockRank::kJobs};
  CondVar changed;
  std::uint32_t waiting = 0;
  std::vector<Thread> threads;
  for (std::uint32_t i = 0; i < count; ++i) {
    threads.push_back(Thread::spawn("one of many", [&] {
      body();
      const MutexLock lock(mutex);
      if (++waiting == count) changed.notify_all();
      while (waiting < count) changed.wait(mutex);
    }));
    ASSERT_TRUE(threads.back().joinable()) << "the system gives no more than " << i << " threads";
  }
}

TEST(FarSlot, NumbersAreDense) {
  std::uint32_t expected = kThreadSlotsNear;
  for (std::uint32_t chunk = 0; chunk < FarSlot::kChunks; ++chunk) {
    EXPECT_EQ(FarSlot::begin_of(chunk), expected);
    for (const std::uint32_t index : {0u, 1u, FarSlot::slots_of(chunk) - 1}) {
      const FarSlot far(expected + index);
      EXPECT_EQ(far.chunk, chunk);
      EXPECT_EQ(far.index, index);
    }
    expected += FarSlot::slots_of(chunk);
  }
  EXPECT_EQ(expected, kThreadSlotsMax);
}

TEST(PerThread, GivesEveryThreadAPlaceOfItsOwnHoweverMany) {
  struct Place {
    std::atomic<std::uint32_t> visits{0};
  };
  constexpr std::uint32_t kThreads = 2 * kThreadSlotsNear + 100;
  PerThread<Place> places;
  std::atomic<std::uint32_t> shared{0};
  on_threads_at_once(kThreads, [&] {
    Place& mine = places.mine();
    if (mine.visits.fetch_add(1) != 0) ++shared;
    if (&places.mine() != &mine || places.mine_or_null() != &mine) ++shared;
  });
  EXPECT_EQ(shared.load(), 0u);
  std::uint32_t visits = 0;
  places.for_each([&](const Place& place) { visits += place.visits.load(); });
  EXPECT_EQ(visits, kThreads);
}

TEST(PerThread, AReaderOnAFarSlotKeepsWhatItSees) {
  EpochDomain domain;
  static std::atomic<int> freed;
  freed = 0;
  Mutex mutex{LockRank::kJobs};
  CondVar changed;
  std::uint32_t arrived = 0;
  bool leave = false;
  const auto stay = [&] {
    const MutexLock lock(mutex);
    if (++arrived == kThreadSlotsNear + 1) changed.notify_all();
    while (!leave) changed.wait(mutex);
  };
  std::vector<Thread> threads;
  for (std::uint32_t i = 0; i < kThreadSlotsNear + 1; ++i) {
    threads.push_back(Thread::spawn("reader", [&] {
      if (thread_slot() < kThreadSlotsNear) return stay();
      const EpochDomain::Guard guard(domain);
      stay();
    }));
    ASSERT_TRUE(threads.back().joinable());
  }
  {
    const MutexLock lock(mutex);
    while (arrived < threads.size()) changed.wait(mutex);
  }
  domain.retire(&domain, [](void*) { ++freed; });
  domain.collect();
  EXPECT_EQ(freed.load(), 0) << "freed under a reader";
  {
    const MutexLock lock(mutex);
    leave = true;
    changed.notify_all();
  }
  threads.clear();
  domain.collect();
  EXPECT_EQ(freed.load(), 1);
}

TEST(PerThread, AnArenaServesThreadsOnFarSlots) {
  MemoryBudget budget(1 << 30);
  Arena arena(budget, MemoryOwner::kMemTables);
  Mutex mutex{LockRank::kJobs};
  std::set<Arena::Slot*> slots;
  std::set<char*> places;
  constexpr std::uint32_t kThreads = kThreadSlotsNear + 200;
  on_threads_at_once(kThreads, [&] {
    Arena::Slot& slot = arena.slot();
    char* const place = arena.allocate(slot, 8);
    const MutexLock lock(mutex);
    slots.insert(&slot);
    places.insert(place);
  });
  EXPECT_EQ(slots.size(), kThreads);
  EXPECT_EQ(places.size(), kThreads);
}

}  // namespace
}  // namespace lightning::base
