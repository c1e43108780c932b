#include "base/executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/fiber.h"

namespace lightning::base {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(Lane, RunsEveryJobOnItsThreads) {
  std::atomic<int> ran{0};
  {
    Lane lane("jobs", 3);
    EXPECT_EQ(lane.threads(), 3u);
    for (int i = 0; i < 1000; ++i) lane.submit([&] { ran.fetch_add(1); });
  }
  EXPECT_EQ(ran.load(), 1000) << "the destructor runs what is queued";
}

TEST(Lane, RunsJobsThatSubmitJobs) {
  std::atomic<int> ran{0};
  {
    Lane lane("jobs", 2);
    for (int i = 0; i < 50; ++i)
      lane.submit([&] {
        ran.fetch_add(1);
        lane.submit([&] { ran.fetch_add(1); });
      });
  }
  EXPECT_EQ(ran.load(), 100);
}

TEST(Lane, OfOneThreadKeepsTheOrder) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<int> order;
    FiberScheduler world(seed);
    ASSERT_EQ(world.run([&] {
      Lane lane("jobs", 1);
      for (int i = 0; i < 20; ++i)
        lane.submit([&order, i] {
          order.push_back(i);
          yield();
        });
    }),
              WorldEnd::kFinished);
    ASSERT_EQ(order.size(), 20u) << "seed " << seed;
    ASSERT_TRUE(std::ranges::is_sorted(order)) << "seed " << seed;
  }
}

TEST(Lane, OfSeveralThreadsRunsJobsSideBySide) {
  FiberScheduler world(1, {.step_ns = 0});
  const std::uint64_t before = world.now_ns();
  ASSERT_EQ(world.run([] {
    Lane lane("jobs", 4);
    for (int i = 0; i < 8; ++i) lane.submit([] { sleep_for(1s); });
  }),
            WorldEnd::kFinished);
  EXPECT_EQ(world.now_ns() - before, 2 * kSecond);
}

TEST(Lane, WithoutThreadsRunsTheJobAtOnce) {
  Lane lane("jobs", 0);
  bool ran = false;
  lane.submit([&] { ran = true; });
  EXPECT_TRUE(ran);
}

// Virtual nanoseconds that `body` takes.
std::uint64_t time_of(std::uint64_t seed, const std::function<void()>& body) {
  FiberScheduler world(seed, {.step_ns = 0});
  const std::uint64_t before = world.now_ns();
  EXPECT_EQ(world.run(body), WorldEnd::kFinished) << world.report();
  return world.now_ns() - before;
}

TEST(RateLimiter, HoldsSeveralThreadsTogetherToTheRate) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::uint64_t ns = time_of(seed, [] {
      RateLimiter limiter(1'000'000);
      std::vector<Thread> threads;
      for (int t = 0; t < 4; ++t)
        threads.push_back(Thread::spawn("writer", [&] {
          for (int i = 0; i < 25; ++i) limiter.request(50'000);
        }));
    });
    // 5 MB at 1 MB/s, of which the last request does not wait for itself.
    EXPECT_GE(ns, 4'950 * (kSecond / 1000)) << "seed " << seed;
    EXPECT_LE(ns, 4'951 * (kSecond / 1000)) << "seed " << seed;
  }
}

TEST(RateLimiter, WithoutALimitNeverWaits) {
  EXPECT_EQ(time_of(1,
                    [] {
                      RateLimiter limiter(0);
                      for (int i = 0; i < 100; ++i) limiter.request(~std::uint64_t{0} / 200);
                    }),
            0u);
}

TEST(RateLimiter, GivesNoCreditForIdleTime) {
  EXPECT_GE(time_of(1,
                    [] {
                      RateLimiter limiter(1000);
                      sleep_for(1h);
                      for (int i = 0; i < 3; ++i) limiter.request(1000);
                    }),
            3602 * kSecond);
}

TEST(RateLimiter, ServesLowRates) {
  const std::uint64_t ns = time_of(1, [] {
    RateLimiter limiter(1);
    for (int i = 0; i < 4; ++i) limiter.request(1);
  });
  EXPECT_GE(ns, 3 * kSecond);
  EXPECT_LT(ns, 4 * kSecond);
}

TEST(RateLimiter, LetsThoseWhoWaitFeelANewRate) {
  EXPECT_LT(time_of(1,
                    [] {
                      RateLimiter limiter(1);
                      limiter.request(1'000'000);
                      Thread waiter = Thread::spawn("waiter", [&] { limiter.request(1); });
                      sleep_for(1s);
                      limiter.set_rate(1'000'000);
                    }),
            3 * kSecond);
}

TEST(RateLimiter, ReturnsSoonAfterCancellation) {
  EXPECT_LE(time_of(1,
                    [] {
                      RateLimiter limiter(1);
                      bool cancelled = false;
                      limiter.request(1'000'000);
                      Thread waiter = Thread::spawn("waiter", [&] { limiter.request(1, [&] { return cancelled; }); });
                      sleep_for(1s);
                      cancelled = true;
                    }),
            kSecond + kSecond / 10);
}

}  // namespace
}  // namespace lightning::base
