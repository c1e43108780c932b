#include "base/sync.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace lightning::base {
namespace {

using namespace std::chrono_literals;

TEST(Mutex, LetsOneThreadInAtATime) {
  Mutex mutex(LockRank::kLeaf);
  int plain = 0;
  {
    std::vector<Thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.push_back(Thread::spawn("adder", [&] {
        for (int i = 0; i < 20'000; ++i) {
          MutexLock lock(mutex);
          ++plain;
        }
      }));
  }
  EXPECT_EQ(plain, 4 * 20'000);
}

TEST(Mutex, TryLockNeverWaits) {
  Mutex mutex(LockRank::kLeaf);
  mutex.lock();
  bool got = true;
  Thread::spawn("other", [&] { got = mutex.try_lock(); }).join();
  EXPECT_FALSE(got);
  mutex.unlock();
  ASSERT_TRUE(mutex.try_lock());
  mutex.assert_held();
  mutex.unlock();
}

TEST(CondVar, PassesABallBetweenThreads) {
  Mutex mutex(LockRank::kLeaf);
  CondVar changed;
  int turn = 0;
  const auto play = [&](int me) {
    for (int i = 0; i < 2'000; ++i) {
      MutexLock lock(mutex);
      while (turn != me) changed.wait(mutex);
      turn = (me + 1) % 3;
      changed.notify_all();
    }
  };
  {
    std::vector<Thread> threads;
    for (int t = 0; t < 3; ++t) threads.push_back(Thread::spawn("player", [&play, t] { play(t); }));
  }
  EXPECT_EQ(turn, 0);
}

TEST(CondVar, WaitForReturnsFalseWhenNobodyNotifies) {
  Mutex mutex(LockRank::kLeaf);
  CondVar silent;
  MutexLock lock(mutex);
  EXPECT_FALSE(silent.wait_for(mutex, 1ms));
  EXPECT_FALSE(silent.wait_for(mutex, -1ms));
}

TEST(CondVar, WaitForReturnsTrueWhenNotified) {
  Mutex mutex(LockRank::kLeaf);
  CondVar changed;
  bool waiting = false, ready = false;
  Thread notifier = Thread::spawn("notifier", [&] {
    MutexLock lock(mutex);
    while (!waiting) changed.wait(mutex);
    ready = true;
    changed.notify_all();
  });
  MutexLock lock(mutex);
  waiting = true;
  changed.notify_all();
  while (!ready) EXPECT_TRUE(changed.wait_for(mutex, 60s));
}

TEST(ThreadSlot, IsUniqueAmongLiveThreadsAndReusedAfterwards) {
  const std::uint32_t mine = thread_slot();
  EXPECT_EQ(thread_slot(), mine);
  for (int round = 0; round < 500; ++round) {  // 4 * 500 threads share far fewer slots
    Mutex mutex(LockRank::kLeaf);
    CondVar all_here;
    std::set<std::uint32_t> slots{mine};
    {
      std::vector<Thread> threads;
      for (int t = 0; t < 4; ++t)
        threads.push_back(Thread::spawn("slot", [&] {
          MutexLock lock(mutex);
          slots.insert(thread_slot());
          all_here.notify_all();
          while (slots.size() < 5) all_here.wait(mutex);
        }));
    }
    ASSERT_EQ(slots.size(), 5u);
    ASSERT_LT(*slots.rbegin(), 64u);
  }
}

TEST(Thread, MoveAssignmentJoinsTheOldOne) {
  bool first = false, second = false;
  Thread thread = Thread::spawn("first", [&] { first = true; });
  thread = Thread::spawn("second", [&] { second = true; });
  EXPECT_TRUE(first);
  thread.join();
  EXPECT_TRUE(second);
  EXPECT_FALSE(thread.joinable());
}

TEST(Backoff, WaitsForAnotherThread) {
  std::atomic<bool> flag{false};
  Thread setter = Thread::spawn("setter", [&] { flag.store(true); });
  for (Backoff backoff; !flag.load();) backoff.pause();
}

TEST(MonotonicTime, NeverGoesBack) {
  std::uint64_t last = monotonic_now_ns();
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t now = monotonic_now_ns();
    ASSERT_GE(now, last);
    last = now;
  }
}

#ifdef LIGHTNING_CHECK_LOCKS

class LockOrderDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  Mutex low_{LockRank::kManifest}, high_{LockRank::kCacheList}, peer_{LockRank::kCacheList};
};

TEST_F(LockOrderDeathTest, DiesWhenRanksDoNotRise) {
  EXPECT_DEATH(
      {
        MutexLock outer(high_);
        MutexLock inner(low_);
      },
      "lock of rank 30 is taken while one of rank 75 is held");
}

TEST_F(LockOrderDeathTest, DiesWhenTwoOfOneRankNest) {
  EXPECT_DEATH(
      {
        MutexLock outer(high_);
        MutexLock inner(peer_);
      },
      "rank 75 is taken while one of rank 75");
}

TEST_F(LockOrderDeathTest, DiesWhenALockIsTakenTwice) {
  EXPECT_DEATH(
      {
        MutexLock outer(low_);
        MutexLock inner(low_);
      },
      "taken twice");
}

TEST_F(LockOrderDeathTest, DiesWhenALockThatShouldBeHeldIsNot) { EXPECT_DEATH(low_.assert_held(), "should be held"); }

TEST_F(LockOrderDeathTest, AcceptsRisingRanksFreedInAnyOrder) {
  for (int i = 0; i < 3; ++i) {
    low_.lock();
    high_.lock();
    low_.unlock();
    high_.unlock();
  }
}

#endif

}  // namespace
}  // namespace lightning::base
