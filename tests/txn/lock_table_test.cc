#include "txn/lock_table.h"

#include <gtest/gtest.h>

#include "txn/key_text.h"
#include "txn/world.h"

namespace lightning::txn {
namespace {

using std::chrono::milliseconds;

LockKey key_of(const std::string& key) { return {0, key, in_keyspace(key_hash(key), 0)}; }

// Runs `body` on fibers, each seed another order.
void on_fibers(int seeds, const std::function<void(env::SimulatedClock&)>& body) {
  for (int seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    env::SimulatedClock clock;
    base::FiberScheduler fibers(static_cast<std::uint64_t>(seed), {.steps_max = 1'000'000});
    EXPECT_EQ(fibers.run([&] { body(clock); }), base::WorldEnd::kFinished) << fibers.report();
  }
}

TEST(LockTable, LetsManyShareAndOneExclude) {
  on_fibers(1, [](env::SimulatedClock& clock) {
    LockTable table(clock, {});
    LockTable::Owner a(1, "a"), b(2, "b"), c(3, "");
    const std::string x = "x";
    EXPECT_TRUE(*table.acquire(a, key_of(x), LockMode::kShared, milliseconds(0)));
    EXPECT_TRUE(*table.acquire(b, key_of(x), LockMode::kShared, milliseconds(0)));
    EXPECT_FALSE(*table.acquire(b, key_of(x), LockMode::kShared, milliseconds(0)));
    EXPECT_EQ(table.locked_keys(), 1u);
    const auto refused = table.acquire(c, key_of(x), LockMode::kExclusive, milliseconds(0));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kLockTimeout);
    EXPECT_NE(refused.error().message().find("key 'x' is locked by transaction 1 (a), transaction 2 (b)"),
              std::string::npos)
        << refused.error().message();
    EXPECT_EQ(table.locked_by_other(key_of(x), 1)->id, 2u);
    table.release_all(a);
    EXPECT_FALSE(table.locked_by_other(key_of(x), 2));
    EXPECT_FALSE(*table.acquire(b, key_of(x), LockMode::kExclusive, milliseconds(0)));  // alone: made exclusive
    EXPECT_CODE(kLockTimeout, table.acquire(a, key_of(x), LockMode::kShared, milliseconds(0)));
    EXPECT_EQ(b.locks(), 1u);
    table.release_all(b);
    EXPECT_EQ(table.locked_keys(), 0u);
  });
}

TEST(LockTable, ServesThoseWhoWaitInOrder) {
  on_fibers(20, [](env::SimulatedClock& clock) {
    LockTable table(clock, {});
    LockTable::Owner holder(100, "");
    const std::string x = "x";
    ASSERT_TRUE(table.acquire(holder, key_of(x), LockMode::kExclusive, milliseconds(0)));
    std::vector<std::uint64_t> served;
    std::vector<base::Thread> threads;
    for (std::uint64_t id = 1; id <= 5; ++id) {
      threads.push_back(spawn([&table, &served, &x, id] {
        LockTable::Owner owner(id, "");
        ASSERT_OK(table.acquire(owner, key_of(x), LockMode::kExclusive, milliseconds(10'000)));
        served.push_back(id);
        table.release_all(owner);
      }));
      while (table.waits_for(id).empty()) base::sleep_for(milliseconds(1));
    }
    EXPECT_EQ(table.waits_for(3), "'x'");
    table.release_all(holder);
    threads.clear();
    EXPECT_EQ(served, (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
  });
}

TEST(LockTable, LetsNobodySharePastOneWhoWaitsToExclude) {
  on_fibers(5, [](env::SimulatedClock& clock) {
    LockTable table(clock, {});
    LockTable::Owner a(1, ""), c(3, "");
    const std::string x = "x";
    ASSERT_OK(table.acquire(a, key_of(x), LockMode::kShared, milliseconds(0)));
    auto waiting = spawn([&] {
      LockTable::Owner b(2, "");
      ASSERT_OK(table.acquire(b, key_of(x), LockMode::kExclusive, milliseconds(10'000)));
      table.release_all(b);
    });
    while (table.waits_for(2).empty()) base::sleep_for(milliseconds(1));
    EXPECT_CODE(kLockTimeout, table.acquire(c, key_of(x), LockMode::kShared, milliseconds(0)));
    table.release_all(a);
    waiting.join();
    EXPECT_OK(table.acquire(c, key_of(x), LockMode::kShared, milliseconds(0)));
    table.release_all(c);
  });
}

TEST(LockTable, EndsAWaitAtItsTimeAndLetsThoseBehindGoOn) {
  on_fibers(5, [](env::SimulatedClock& clock) {
    LockTable table(clock, {});
    LockTable::Owner a(1, "");
    const std::string x = "x";
    ASSERT_OK(table.acquire(a, key_of(x), LockMode::kShared, milliseconds(0)));
    auto gives_up = spawn([&] {
      LockTable::Owner b(2, "");
      const std::uint64_t start = clock.monotonic_ns();
      EXPECT_CODE(kLockTimeout, table.acquire(b, key_of(x), LockMode::kExclusive, milliseconds(20)));
      EXPECT_GE(clock.monotonic_ns() - start, 20'000'000u);
    });
    while (table.waits_for(2).empty()) base::sleep_for(milliseconds(1));
    LockTable::Owner c(3, "");
    EXPECT_OK(table.acquire(c, key_of(x), LockMode::kShared, milliseconds(10'000)));  // behind b, ahead of its time
    EXPECT_LT(clock.monotonic_ns(), std::uint64_t{3'600'000'000'000});
    table.release_all(a);
    table.release_all(c);
  });
}

// n owners in a ring, each holding one key and wanting the next one's: exactly one must give up, at once.
TEST(LockTable, FindsRingsOfTwoToEight) {
  for (std::uint64_t n = 2; n <= 8; ++n)
    on_fibers(15, [n](env::SimulatedClock& clock) {
      LockTable table(clock, {});
      std::uint64_t victims = 0, ready = 0;
      const std::uint64_t start = clock.monotonic_ns();
      std::vector<base::Thread> threads;
      for (std::uint64_t i = 0; i < n; ++i)
        threads.push_back(spawn([&, i] {
          LockTable::Owner owner(i + 1, "owner" + std::to_string(i + 1));
          const std::string mine = "k" + std::to_string(i), next = "k" + std::to_string((i + 1) % n);
          ASSERT_OK(table.acquire(owner, key_of(mine), LockMode::kExclusive, milliseconds(0)));
          ++ready;
          while (ready < n) base::sleep_for(std::chrono::microseconds(10));
          const auto got = table.acquire(owner, key_of(next), LockMode::kExclusive, std::chrono::hours(1));
          if (!got) {
            ++victims;
            EXPECT_EQ(got.error().code(), ErrorCode::kDeadlock);
            for (std::uint64_t other = 1; other <= n; ++other)
              EXPECT_NE(got.error().message().find("transaction " + std::to_string(other) + " (owner"),
                        std::string::npos)
                  << got.error().message();
          }
          table.release_all(owner);
        }));
      threads.clear();
      EXPECT_EQ(victims, 1u);
      EXPECT_LT(clock.monotonic_ns() - start, 100'000'000u);
      EXPECT_EQ(table.locked_keys(), 0u);
    });
}

TEST(LockTable, FindsTwoWhoShareAKeyAndBothWantItAlone) {
  on_fibers(10, [](env::SimulatedClock& clock) {
    LockTable table(clock, {});
    int victims = 0, ready = 0;
    std::vector<base::Thread> threads;
    const std::string x = "x";
    for (std::uint64_t id = 1; id <= 2; ++id)
      threads.push_back(spawn([&, id] {
        LockTable::Owner owner(id, "");
        ASSERT_OK(table.acquire(owner, key_of(x), LockMode::kShared, milliseconds(0)));
        ++ready;
        while (ready < 2) base::sleep_for(std::chrono::microseconds(10));
        const auto got = table.acquire(owner, key_of(x), LockMode::kExclusive, std::chrono::hours(1));
        if (!got) victims += got.error().code() == ErrorCode::kDeadlock ? 1 : 0;
        table.release_all(owner);
      }));
    threads.clear();
    EXPECT_EQ(victims, 1);
  });
}

TEST(LockTable, LeavesRingsToTheTimeoutWhereDetectionIsOff) {
  on_fibers(5, [](env::SimulatedClock& clock) {
    LockTable table(clock, {.find_deadlocks = false});
    int timeouts = 0, ready = 0;
    std::vector<base::Thread> threads;
    for (std::uint64_t i = 0; i < 2; ++i)
      threads.push_back(spawn([&, i] {
        LockTable::Owner owner(i + 1, "");
        const std::string keys[] = {"a", "b"};
        ASSERT_OK(table.acquire(owner, key_of(keys[i]), LockMode::kExclusive, milliseconds(0)));
        ++ready;
        while (ready < 2) base::sleep_for(std::chrono::microseconds(10));
        const auto got =
            table.acquire(owner, key_of(keys[1 - i]), LockMode::kExclusive, milliseconds(i == 0 ? 20 : 5000));
        if (!got) timeouts += got.error().code() == ErrorCode::kLockTimeout ? 1 : 0;
        table.release_all(owner);
      }));
    threads.clear();
    EXPECT_EQ(timeouts, 1);
  });
}

// Many owners, few keys, any order: every wait ends, nobody excludes anybody while others hold, nothing is left.
void contend(env::Clock& clock, std::uint64_t seed, int owners, int rounds) {
  LockTable table(clock, {});
  constexpr int kKeys = 5;
  std::array<std::atomic<int>, kKeys> shared{}, exclusive{};
  std::atomic<int> wrong{0};
  std::atomic<std::uint64_t> next_id{1};
  std::vector<base::Thread> threads;
  for (int t = 0; t < owners; ++t)
    threads.push_back(spawn([&, t] {
      env::Dice dice(seed * 100 + static_cast<std::uint64_t>(t));
      for (int round = 0; round < rounds; ++round) {
        LockTable::Owner owner(next_id.fetch_add(1), "");
        std::array<int, kKeys> has{};  // 1 shared, 2 exclusive
        for (int i = 0; i < 3; ++i) {
          const auto k = dice.below(kKeys);
          const std::string key = "k" + std::to_string(k);
          const bool alone = dice.one_in(2);
          const auto got = table.acquire(owner, key_of(key), alone ? LockMode::kExclusive : LockMode::kShared,
                                         std::chrono::seconds(100));
          if (!got) {
            if (got.error().code() != ErrorCode::kDeadlock) ++wrong;
            break;
          }
          if (alone && has[k] != 2) {
            if (has[k] == 1) --shared[k];
            has[k] = 2;
            if (++exclusive[k] != 1 || shared[k] != 0) ++wrong;
          } else if (!alone && has[k] == 0) {
            has[k] = 1;
            ++shared[k];
            if (exclusive[k] != 0) ++wrong;
          }
        }
        for (std::size_t k = 0; k < kKeys; ++k) {
          if (has[k] == 1) --shared[k];
          if (has[k] == 2) --exclusive[k];
        }
        table.release_all(owner);
      }
    }));
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(table.locked_keys(), 0u);
}

TEST(LockTable, KeepsItsPromisesUnderAnyOrderOfManyOwners) {
  on_fibers(40, [seed = 0](env::SimulatedClock& clock) mutable {
    contend(clock, static_cast<std::uint64_t>(++seed), 5, 30);
  });
}

TEST(LockTable, KeepsItsPromisesOnRealThreads) { contend(env::Env::real().clock, 1, 8, 2000); }

TEST(KeyText, IsPrintableBoundedAndTellsLongKeysApart) {
  EXPECT_EQ(key_text("account:1"), "'account:1'");
  EXPECT_EQ(key_text(std::string("a\0\n'\\\xff", 6)), "'a\\x00\\x0a\\x27\\x5c\\xff'");
  const std::string one = key_text(std::string(60'000, 'k') + "1"), two = key_text(std::string(60'000, 'k') + "2");
  EXPECT_NE(one, two);
  EXPECT_LT(one.size(), 100u);
}

}  // namespace
}  // namespace lightning::txn
