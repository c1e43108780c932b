#include "base/fiber.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include "support/child_process.h"

namespace lightning::base {
namespace {

using namespace std::chrono_literals;

// Some threads that contend for a lock, sleep and wait: a small program whose course depends on the schedule.
struct Program {
  Mutex mutex{LockRank::kLeaf};
  CondVar changed;
  int counter = 0;
  std::vector<int> order;

  void operator()() {
    std::vector<Thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.push_back(Thread::spawn("worker", [this, t] {
        for (int i = 0; i < 5; ++i) {
          MutexLock lock(mutex);
          const int before = counter;
          scheduling_point();
          counter = before + 1;
          order.push_back(t);
          changed.notify_all();
          if (i == 2) {
            lock.unlock();
            sleep_for(std::chrono::microseconds(t));
            lock.lock();
          }
        }
      }));
    MutexLock lock(mutex);
    while (counter < 20) changed.wait(mutex);
  }
};

struct Course {
  WorldEnd end;
  std::uint64_t hash;
  std::vector<int> order;
  std::string report;
};

Course course(std::uint64_t seed, FiberOptions options = {}) {
  Program program;
  FiberScheduler world(seed, options);
  const WorldEnd end = world.run([&] { program(); });
  EXPECT_EQ(end, WorldEnd::kFinished) << world.report();
  EXPECT_EQ(program.counter, 20) << "seed " << seed;
  return {end, world.trace_hash(), program.order, world.report()};
}

TEST(FiberScheduler, RepeatsARunFromItsSeed) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Course first = course(seed), second = course(seed);
    ASSERT_EQ(first.hash, second.hash) << "seed " << seed;
    ASSERT_EQ(first.order, second.order) << "seed " << seed;
  }
}

TEST(FiberScheduler, FindsDifferentSchedulesWithDifferentSeeds) {
  std::set<std::uint64_t> hashes;
  std::set<std::vector<int>> orders;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Course one = course(seed);
    hashes.insert(one.hash);
    orders.insert(one.order);
  }
  EXPECT_GT(hashes.size(), 800u);
  EXPECT_GT(orders.size(), 600u);  // some strategies prefer few switches
}

class EveryStrategy : public testing::TestWithParam<Strategy> {};
INSTANTIATE_TEST_SUITE_P(Strategies, EveryStrategy,
                         testing::Values(Strategy::kUniform, Strategy::kPriority, Strategy::kStarveOne));

TEST_P(EveryStrategy, FindsALostUpdate) {
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    int counter = 0;
    FiberScheduler world(seed, {.strategy = GetParam()});
    ASSERT_EQ(world.run([&] {
      const auto add = [&] {
        for (int i = 0; i < 5; ++i) {
          const int before = counter;
          scheduling_point();
          counter = before + 1;
        }
      };
      Thread one = Thread::spawn("one", add), two = Thread::spawn("two", add);
    }),
              WorldEnd::kFinished);
    lost += counter < 10;
  }
  EXPECT_GT(lost, 2);
  EXPECT_LT(lost, 198);
}

TEST_P(EveryStrategy, LetsWaitersInLoopsMakeProgress) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    FiberScheduler world(seed, {.strategy = GetParam(), .steps_max = 1'000'000});
    const WorldEnd end = world.run([] {
      std::atomic<int> stage{0};
      std::vector<Thread> threads;
      for (int t = 0; t < 4; ++t)
        threads.push_back(Thread::spawn("stage", [&stage, t] {
          for (Backoff backoff; stage.load() != t;) backoff.pause();
          stage.store(t + 1);
        }));
      while (stage.load() < 4) yield();
    });
    ASSERT_EQ(end, WorldEnd::kFinished) << world.report();
  }
}

TEST(FiberScheduler, ReportsADeadlockWithWhoWaitsForWhom) {
  int deadlocks = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    auto manifest = std::make_unique<Mutex>(LockRank::kManifest);
    FiberScheduler world(seed);
    const WorldEnd end = world.run([&] {
      Thread other = Thread::spawn("other", [&] { MutexLock lock(*manifest); });
      MutexLock lock(*manifest);
      other.join();  // waits with the lock that `other` wants
    });
    if (end == WorldEnd::kFinished) continue;
    ++deadlocks;
    EXPECT_EQ(end, WorldEnd::kDeadlock);
    EXPECT_NE(world.report().find("fiber 1 'main' waits for the end of fiber 2 'other'; holds locks of rank 30"),
              std::string::npos)
        << world.report();
    EXPECT_NE(world.report().find("fiber 2 'other' waits for a lock of rank 30 held by fiber 1 'main'"),
              std::string::npos)
        << world.report();
    EXPECT_TRUE(manifest->try_lock()) << "a lock that outlives its world is free again";
    manifest->unlock();
  }
  EXPECT_GT(deadlocks, 10);
}

TEST(FiberScheduler, ReportsALivelock) {
  FiberScheduler world(7, {.steps_max = 10'000});
  EXPECT_EQ(world.run([] {
    for (;;) yield();
  }),
            WorldEnd::kStepLimit);
  EXPECT_NE(world.report().find("'main' could run"), std::string::npos) << world.report();
}

TEST(FiberScheduler, CountsTimeInsteadOfWaiting) {
  FiberScheduler world(1, {.step_ns = 0});
  const std::uint64_t real_before = monotonic_now_ns(), before = world.now_ns();
  std::vector<int> woken;
  ASSERT_EQ(world.run([&] {
    std::vector<Thread> threads;
    for (const int hours : {3, 1, 2})
      threads.push_back(Thread::spawn("sleeper", [&woken, hours] {
        sleep_for(std::chrono::hours(hours));
        woken.push_back(hours);
      }));
    threads.clear();
    EXPECT_EQ(monotonic_now_ns(), FiberScheduler::current()->now_ns());
  }),
            WorldEnd::kFinished);
  EXPECT_EQ(woken, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(world.now_ns() - before, 3 * 3'600'000'000'000u);
  EXPECT_LT(monotonic_now_ns() - real_before, 3'600'000'000'000u);
}

TEST(FiberScheduler, WakesATimedWaitByNotificationOrByTime) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    FiberScheduler world(seed, {.spurious_wakeups = false});
    ASSERT_EQ(world.run([] {
      Mutex mutex(LockRank::kLeaf);
      CondVar changed;
      bool ready = false;
      Thread notifier = Thread::spawn("notifier", [&] {
        sleep_for(1s);
        MutexLock lock(mutex);
        ready = true;
        changed.notify_one();
      });
      MutexLock lock(mutex);
      EXPECT_FALSE(changed.wait_for(mutex, 500ms));
      EXPECT_FALSE(ready);
      const std::uint64_t before = monotonic_now_ns();
      EXPECT_TRUE(changed.wait_for(mutex, 24h));
      EXPECT_TRUE(ready);
      EXPECT_LT(monotonic_now_ns() - before, 1'000'000'000u);
    }),
              WorldEnd::kFinished)
        << world.report();
  }
}

TEST(FiberScheduler, KillStopsEveryFiberForEver) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    bool dead = false;
    int after_death = 0, destroyed = 0;
    Mutex survivor(LockRank::kLeaf);
    struct Counting {
      int& count;
      ~Counting() { ++count; }
    };
    FiberScheduler world(seed);
    ASSERT_EQ(world.run([&] {
      std::vector<Thread> threads;
      for (int t = 0; t < 3; ++t)
        threads.push_back(Thread::spawn("worker", [&] {
          const Counting counting{destroyed};
          for (;;) {
            MutexLock lock(survivor);
            scheduling_point();
            after_death += dead;
          }
        }));
      const Counting counting{destroyed};
      for (int i = 0; i < 10; ++i) yield();
      dead = true;
      FiberScheduler::current()->kill_world();
    }),
              WorldEnd::kKilled);
    EXPECT_EQ(after_death, 0);
    EXPECT_EQ(destroyed, 0) << "death runs no destructor";
    ASSERT_TRUE(survivor.try_lock());
    survivor.unlock();
    EXPECT_FALSE(in_simulation());
  }
}

TEST(FiberScheduler, DeathsInAChildProcessLeaveNothingBehind) {
  for (int batch = 0; batch < 3; ++batch)
    EXPECT_TRUE(testing_support::passes_in_child([&] {
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        FiberScheduler world(seed);
        EXPECT_EQ(world.run([] {
          const std::vector<char> lost(1 << 20, 'x');
          FiberScheduler::current()->kill_world();
        }),
                  WorldEnd::kKilled);
      }
    }));
  EXPECT_FALSE(testing_support::passes_in_child([] { ::_exit(3); }));
}

TEST(FiberScheduler, GoesOnWithANewWorldAfterDeath) {
  Thread handle_of_a_dead_fiber;
  FiberScheduler world(5);
  ASSERT_EQ(world.run([&] {
    handle_of_a_dead_fiber = Thread::spawn("idle", [] { sleep_for(1h); });
    FiberScheduler::current()->kill_world();
  }),
            WorldEnd::kKilled);
  const std::uint64_t then = world.now_ns();
  bool ran = false;
  ASSERT_EQ(world.run([&] {
    Thread::spawn("second", [&] { ran = true; }).join();
    handle_of_a_dead_fiber.join();  // returns: there is nobody to wait for
  }),
            WorldEnd::kFinished);
  EXPECT_TRUE(ran);
  EXPECT_GE(world.now_ns(), then);
}

TEST(FiberScheduler, KeepsWorldsOnDifferentThreadsApart) {
  std::vector<std::uint64_t> alone;
  for (std::uint64_t seed = 0; seed < 50; ++seed) alone.push_back(course(seed).hash);
  std::atomic<int> same{0};
  {
    std::vector<Thread> threads;
    for (int t = 0; t < 2; ++t)
      threads.push_back(Thread::spawn("world", [&] {
        for (std::uint64_t seed = 0; seed < 50; ++seed) same += course(seed).hash == alone[seed];
      }));
  }
  EXPECT_EQ(same.load(), 100);
}

TEST(FiberScheduler, GivesEachFiberItsOwnSlot) {
  FiberScheduler world(3);
  ASSERT_EQ(world.run([] {
    std::set<std::uint32_t> slots{thread_slot()};
    std::vector<Thread> threads;
    for (int t = 0; t < 10; ++t)
      threads.push_back(Thread::spawn("slot", [&] {
        slots.insert(thread_slot());
        sleep_for(1s);
      }));
    threads.clear();
    EXPECT_EQ(slots.size(), 11u);
    EXPECT_EQ(*slots.rbegin(), 10u);
    for (int i = 0; i < 3000; ++i) Thread::spawn("slot", [&] { slots.insert(thread_slot()); }).join();
    EXPECT_EQ(slots.size(), 11u) << "slots of ended fibers are used again";
  }),
            WorldEnd::kFinished);
}

TEST(FiberScheduler, RefusesMoreFibersThanAWorldHolds) {
  FiberScheduler world(3);
  ASSERT_EQ(world.run([] {
    std::vector<Thread> threads;
    for (std::uint32_t t = 0; t < kFibersMax - 1; ++t) threads.push_back(Thread::spawn("many", [] { sleep_for(1s); }));
    EXPECT_TRUE(threads.back().joinable());
    EXPECT_FALSE(Thread::spawn("one too many", [] {}).joinable());
  }),
            WorldEnd::kFinished);
}

TEST(FiberScheduler, SwitchesInsideACatchBlock) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    FiberScheduler world(seed);
    ASSERT_EQ(world.run([] {
      const auto thrower = [](int value) {
        try {
          throw value;
        } catch (const int& caught) {
          for (int i = 0; i < 5; ++i) {
            scheduling_point();
            try {
              throw;
            } catch (const int& again) {
              scheduling_point();
              EXPECT_EQ(again, value);
            }
          }
          EXPECT_EQ(caught, value);
        }
      };
      std::vector<Thread> threads;
      for (int t = 0; t < 4; ++t) threads.push_back(Thread::spawn("thrower", [&, t] { thrower(t); }));
    }),
              WorldEnd::kFinished);
  }
}

TEST(FiberScheduler, NotifyOneWakesOneWaiterOfAny) {
  std::map<int, int> first_woken;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    FiberScheduler world(seed, {.spurious_wakeups = false});
    int woken = -1, waiting = 0;
    ASSERT_EQ(world.run([&] {
      Mutex mutex(LockRank::kLeaf);
      CondVar changed;
      std::vector<Thread> threads;
      for (int t = 0; t < 3; ++t)
        threads.push_back(Thread::spawn("waiter", [&, t] {
          MutexLock lock(mutex);
          ++waiting;
          changed.wait(mutex);
          if (woken < 0) woken = t;
          --waiting;
        }));
      while (true) {
        MutexLock lock(mutex);
        if (waiting == 3) break;
        lock.unlock();
        yield();
        lock.lock();
      }
      changed.notify_one();
      sleep_for(1s);
      EXPECT_EQ(waiting, 2);
      changed.notify_all();
    }),
              WorldEnd::kFinished)
        << world.report();
    ++first_woken[woken];
  }
  EXPECT_EQ(first_woken.size(), 3u);
}

}  // namespace
}  // namespace lightning::base
