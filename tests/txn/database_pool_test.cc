#include "lightning/database_pool.h"

#include <gtest/gtest.h>

#include "txn/world.h"

namespace lightning::txn {
namespace {

using std::chrono::milliseconds;

TEST(DatabasePool, LetsNoMoreThanItsSessionsWorkAtATime) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world(seed);
    world.run([](Database& db) {
      DatabasePool pool(db, 3);
      int working = 0, most = 0;
      std::vector<base::Thread> clients;
      for (int c = 0; c < 12; ++c)
        clients.push_back(spawn([&, c] {
          for (int i = 0; i < 5; ++i) {
            auto session = pool.acquire();
            ASSERT_OK(session);
            most = std::max(most, ++working);
            ASSERT_OK((*session)->put("c" + std::to_string(c), std::to_string(i)));
            base::sleep_for(milliseconds(1));
            --working;
          }
        }));
      clients.clear();
      EXPECT_EQ(most, 3);
      const PoolStatistics stats = pool.stats();
      EXPECT_EQ(stats.acquired, 60u);
      EXPECT_EQ(stats.in_use, 0u);
      EXPECT_EQ(stats.in_use_most, 3u);
      EXPECT_EQ(stats.sessions_max, 3u);
      EXPECT_GT(stats.waited, 0u);
      EXPECT_EQ(value_or(db.get("c7")), "4");
    });
  }
}

TEST(DatabasePool, ServesFirstWhoCameFirst) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world(seed);
    world.run([](Database& db) {
      DatabasePool pool(db, 1);
      auto held = pool.acquire();
      std::vector<int> served;
      std::vector<base::Thread> clients;
      for (int c = 0; c < 8; ++c) {
        clients.push_back(spawn([&, c] {
          auto session = pool.acquire();
          ASSERT_OK(session);
          served.push_back(c);
          base::sleep_for(milliseconds(1));
        }));
        while (pool.stats().waiting != static_cast<std::uint32_t>(c) + 1) base::sleep_for(milliseconds(1));
      }
      held->release();
      // Free for a moment or not: who comes now stands behind those who wait.
      auto late = pool.acquire();
      ASSERT_OK(late);
      EXPECT_EQ(served.size(), 8u);
      clients.clear();
      EXPECT_EQ(served, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
    });
  }
}

TEST(DatabasePool, AnswersBusyAfterTheTimeoutAndWhenTooManyWait) {
  World world;
  world.run([](Database& db) {
    DatabasePool pool(db, {.sessions = 1, .waiting_max = 1, .acquire_timeout = milliseconds(50)});
    auto held = pool.acquire();
    ASSERT_OK(held);
    EXPECT_CODE(kBusy, pool.acquire(milliseconds(0)));
    const auto late = pool.acquire();
    EXPECT_CODE(kBusy, late);
    EXPECT_NE(late.error().message().find("50 ms"), std::string::npos) << late.error().message();
    auto waits = spawn([&] { EXPECT_CODE(kBusy, pool.acquire()); });
    while (pool.stats().waiting == 0) base::sleep_for(milliseconds(1));
    EXPECT_CODE(kBusy, pool.acquire());
    waits.join();
    const PoolStatistics stats = pool.stats();
    EXPECT_EQ(stats.timeouts, 2u);
    EXPECT_EQ(stats.refused, 2u);
    EXPECT_GE(stats.waited_us_most, 50'000u);
    EXPECT_EQ(stats.waiting, 0u);
    held->release();
    EXPECT_OK(pool.acquire());
  });
}

TEST(DatabasePool, CancelsThoseWhoWaitWhenItGoesAwayAndSessionsOutliveIt) {
  World world;
  world.run([](Database& db) {
    auto pool = std::make_unique<DatabasePool>(db, 1);
    auto held = pool->acquire();
    auto waits = spawn([&] { EXPECT_CODE(kCancelled, pool->acquire()); });
    while (pool->stats().waiting == 0) base::sleep_for(milliseconds(1));
    pool.reset();
    waits.join();
    EXPECT_OK((*held)->put("a", "1"));
    DatabasePool::Session moved = std::move(*held);
    EXPECT_FALSE(*held);
    EXPECT_TRUE(moved);
    moved.release();
    EXPECT_FALSE(moved);
  });
}

}  // namespace
}  // namespace lightning::txn
