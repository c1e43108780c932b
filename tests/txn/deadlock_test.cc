// Cycles of transactions that wait for each other, made on purpose: each is found at once, whoever closes it, and only
// one of its members has to give way.
#include <gtest/gtest.h>

#include <algorithm>

#include "txn/world.h"

namespace lightning::txn {
namespace {

constexpr std::uint64_t kFoundWithinNs = 100'000'000;
constexpr std::size_t kMembersMax = 8;

std::string key(std::size_t i) { return "key" + std::to_string(i); }

// What becomes of those in a cycle.
struct Cycle {
  std::size_t committed = 0, deadlocks = 0, others = 0;
  std::uint64_t last_asked_ns = 0, found_ns = 0, done_ns = 0;

  void note(const Status& status) {
    if (status) {
      ++committed;
    } else if (status.error().code() == ErrorCode::kDeadlock) {
      ++deadlocks;
      found_ns = std::max(found_ns, base::monotonic_now_ns());
    } else {
      ++others;
      ADD_FAILURE() << status.error().to_string();
    }
    done_ns = base::monotonic_now_ns();
  }
  void expect(std::size_t members, std::size_t victims, const std::string& what) const {
    EXPECT_EQ(deadlocks, victims) << what;
    EXPECT_EQ(committed, members - victims) << what;
    EXPECT_LE(found_ns, last_asked_ns + kFoundWithinNs) << what;
    EXPECT_LE(done_ns, last_asked_ns + kFoundWithinNs) << what;
  }
};

// Runs `members` at the same time: all take what `first` takes before any asks for what `second` takes.
Cycle run(World& world, std::size_t members, const std::function<Status(Database&, Transaction&, std::size_t)>& first,
          const std::function<Status(Database&, Transaction&, std::size_t)>& second) {
  Cycle cycle;
  world.config().lock_timeout = std::chrono::hours(1);
  world.config().transaction_idle_timeout = world.config().transaction_timeout = std::chrono::hours(2);
  world.run([&](Database& db) {
    std::vector<base::Thread> threads;
    std::size_t ready = 0;
    for (std::size_t i = 0; i < members; ++i)
      threads.push_back(spawn([&, i] {
        auto txn = db.begin({.concurrency = Concurrency::kPessimistic, .owner = "member " + std::to_string(i)});
        ASSERT_OK(txn);
        ASSERT_OK(first(db, *txn, i));
        ++ready;
        while (ready < members) base::sleep_for(std::chrono::microseconds(10));
        cycle.last_asked_ns = std::max(cycle.last_asked_ns, base::monotonic_now_ns());
        Status asked = second(db, *txn, i);
        if (asked)
          if (const auto committed = txn->commit(); !committed) asked = committed.error();
        cycle.note(asked);
      }));
    threads.clear();
    EXPECT_EQ(db.stats().transactions.deadlocks, cycle.deadlocks);
    EXPECT_EQ(db.stats().transactions.locked_keys, 0u);
    EXPECT_TRUE(db.transactions().empty());
  });
  return cycle;
}

template <class Body>
void for_each_cycle(Body body) {
  for (std::size_t members = 2; members <= kMembersMax; ++members)
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      World world(seed * 100 + members);
      body(world, members, std::to_string(members) + " members, seed " + std::to_string(seed));
      if (testing::Test::HasFailure()) return;
    }
}

TEST(Deadlocks, OfUpToEightTransactionsAreFoundWithin100Milliseconds) {
  for_each_cycle([](World& world, std::size_t members, const std::string& what) {
    const Cycle cycle = run(
        world, members, [](Database&, Transaction& txn, std::size_t i) { return txn.put(key(i), "1"); },
        [&](Database&, Transaction& txn, std::size_t i) { return txn.put(key((i + 1) % members), "2"); });
    cycle.expect(members, 1, what);
  });
}

// Each has it shared, and wants it for itself: all but one must give way.
TEST(Deadlocks, OfReadersThatAllWantToWriteAreFoundWithin100Milliseconds) {
  for_each_cycle([](World& world, std::size_t members, const std::string& what) {
    const auto read = [](Database& db, Transaction& txn, std::size_t) -> Status {
      txn = std::move(*db.begin({.isolation = Isolation::kSerializable, .concurrency = Concurrency::kPessimistic}));
      LIGHTNING_TRY(txn.get("one"));
      return {};
    };
    const Cycle cycle =
        run(world, members, read, [](Database&, Transaction& txn, std::size_t) { return txn.put("one", "2"); });
    cycle.expect(members, members - 1, what);
  });
}

// Every second member holds its key shared.
TEST(Deadlocks, OfReadersAndWritersAreFoundWithin100Milliseconds) {
  for_each_cycle([](World& world, std::size_t members, const std::string& what) {
    const auto first = [](Database& db, Transaction& txn, std::size_t i) -> Status {
      if (i % 2 == 0) return txn.put(key(i), "1");
      txn = std::move(*db.begin({.isolation = Isolation::kSerializable, .concurrency = Concurrency::kPessimistic}));
      LIGHTNING_TRY(txn.get(key(i)));
      return {};
    };
    const Cycle cycle = run(world, members, first, [&](Database&, Transaction& txn, std::size_t i) {
      return txn.put(key((i + 1) % members), "2");
    });
    cycle.expect(members, 1, what);
  });
}

// A batch that is no transaction waits for one key while it keeps another from others: it can close a circle too.
TEST(Deadlocks, WithAPlainBatchInTheCircleAreFoundWithin100Milliseconds) {
  std::size_t found = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    World world(seed);
    world.config().lock_timeout = std::chrono::hours(1);
    world.config().transaction_idle_timeout = world.config().transaction_timeout = std::chrono::hours(2);
    Cycle cycle;
    world.run([&](Database& db) {
      auto a = db.begin({.concurrency = Concurrency::kPessimistic, .owner = "a"});
      auto b = db.begin({.concurrency = Concurrency::kPessimistic, .owner = "b"});
      ASSERT_OK(a->put("x", "a"));
      ASSERT_OK(b->put("y", "b"));
      base::Thread batch = spawn([&] {
        WriteBatch both;
        both.put("x", "batch").put("y", "batch");
        cycle.last_asked_ns = std::max(cycle.last_asked_ns, base::monotonic_now_ns());
        const auto written = db.write(both);
        cycle.note(written ? Status() : Status(written.error()));
      });
      base::sleep_for(std::chrono::milliseconds(1));  // it waits for x, and then for y
      ASSERT_OK(a->commit());
      base::sleep_for(std::chrono::milliseconds(1));
      cycle.last_asked_ns = std::max(cycle.last_asked_ns, base::monotonic_now_ns());
      Status asked = b->put("x", "b");
      if (asked)
        if (const auto committed = b->commit(); !committed) asked = committed.error();
      cycle.note(asked);
    });
    EXPECT_EQ(cycle.committed + cycle.deadlocks, 2u);
    EXPECT_LE(cycle.deadlocks, 1u);
    EXPECT_LE(cycle.done_ns, cycle.last_asked_ns + kFoundWithinNs) << seed;
    found += cycle.deadlocks;
  }
  EXPECT_GT(found, 0u);
}

}  // namespace
}  // namespace lightning::txn
