// Commits become complete in order, whoever is late.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/fiber.h"
#include "base/sync.h"
#include "wal/completion_order.h"

namespace lightning::wal::internal {
namespace {

WriteAheadLog::Ticket ticket_of(std::uint64_t order) {
  WriteAheadLog::Ticket ticket;
  ticket.order = order;
  return ticket;
}

// `threads` threads complete `count` commits; each asserts that its own is complete when complete() returns.
void complete_in_order(std::uint64_t threads, std::uint64_t count) {
  CompletionOrder order;
  std::vector<std::uint64_t> finished;  // unguarded: finishing is never done by two at a time
  finished.reserve(count);
  std::atomic<std::uint64_t> next{0};
  std::vector<base::Thread> writers;
  for (std::uint64_t i = 0; i < threads; ++i) {
    writers.push_back(base::Thread::spawn("writer", [&] {
      for (std::uint64_t mine; (mine = next.fetch_add(1) + 1) <= count;) {
        if (mine % 7 == 0) base::yield();
        if (mine % 97 == 0) base::sleep_for(std::chrono::microseconds(100));  // late: the others queue up
        order.complete(ticket_of(mine), [&](const WriteAheadLog::Ticket& ticket) { finished.push_back(ticket.order); });
        EXPECT_GE(order.completed(), mine);
      }
    }));
  }
  writers.clear();
  EXPECT_EQ(order.completed(), count);
  ASSERT_EQ(finished.size(), count);  // each once
  EXPECT_TRUE(std::ranges::is_sorted(finished));
}

TEST(CompletionOrder, FinishesEachCommitOnceAndInOrderOnThreads) {
  complete_in_order(1, 1'000);
  complete_in_order(2, 20'000);
  complete_in_order(24, 20'000);
}

// More commits under way than the ring has places.
TEST(CompletionOrder, HoldsMoreCommitsThanItHasPlacesFor) { complete_in_order(300, 6'000); }

TEST(CompletionOrder, FinishesEachCommitOnceAndInOrderUnderEverySchedule) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::FiberScheduler world(seed);
    ASSERT_EQ(world.run([] { complete_in_order(6, 60); }), base::WorldEnd::kFinished) << world.report();
  }
}

TEST(CompletionOrder, WhoIsLateFinishesAllThatQueuedUpBehindIt) {
  CompletionOrder order;
  std::vector<std::uint64_t> finished;
  const auto finish = [&](const WriteAheadLog::Ticket& ticket) { finished.push_back(ticket.order); };
  std::atomic<std::uint64_t> returned{0};
  std::vector<base::Thread> early;
  for (std::uint64_t mine = 2; mine <= 9; ++mine)
    early.push_back(base::Thread::spawn("early", [&, mine] {
      order.complete(ticket_of(mine), finish);
      returned.fetch_add(1);
    }));
  base::yield();
  EXPECT_EQ(returned.load(), 0u);
  EXPECT_EQ(order.completed(), 0u);
  order.complete(ticket_of(1), finish);
  early.clear();
  EXPECT_EQ(returned.load(), 8u);
  EXPECT_EQ(finished, (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

}  // namespace
}  // namespace lightning::wal::internal
