// Many writers at once: order, durability, and how many share a sync.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "base/fiber.h"
#include "wal/group_commit.h"
#include "wal/log_place.h"

namespace lightning::wal {
namespace {

constexpr int kWriters = 16;

void run_threads(int count, const std::function<void(int)>& body) {
  std::vector<base::Thread> threads;
  for (int i = 0; i < count; ++i) threads.push_back(base::Thread::spawn("writer", [&body, i] { body(i); }));
}

class Writers : public EveryDisk {};
ON_EVERY_DISK(Writers);

TEST_P(Writers, ShareTheLogWithoutLosingOrMixingACommit) {
  constexpr int kEach = 200;
  auto log = place().open({.segment_bytes = 64 << 10});
  std::vector<std::vector<std::pair<Sequence, std::string>>> own(kWriters);
  run_threads(kWriters, [&](int writer) {
    for (int i = 0; i < kEach; ++i) {
      const auto n = static_cast<std::uint64_t>(writer) * kEach + static_cast<std::uint64_t>(i);
      const std::string payload = payload_of(n, 10 + n % 500);
      const auto ticket = append(*log, payload, n % 7 == 0, static_cast<std::uint32_t>(1 + n % 3));
      EXPECT_GE(log->last_completed(), ticket.last_sequence);  // all before it are complete
      must(log->wait_durable(ticket));
      EXPECT_GE(log->last_durable(), ticket.sync_barrier);
      own[static_cast<std::size_t>(writer)].emplace_back(ticket.first_sequence, payload);
    }
  });
  must(log->close());
  std::vector<std::pair<Sequence, std::string>> all;
  for (auto& some : own) {
    EXPECT_TRUE(std::is_sorted(some.begin(), some.end()));  // a writer's commits are in its order
    all.insert(all.end(), some.begin(), some.end());
  }
  std::sort(all.begin(), all.end());
  const Replayed replayed = must(place().replay());
  ASSERT_EQ(replayed.commits.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(replayed.commits[i].first, all[i].first);
    ASSERT_EQ(replayed.commits[i].payload, all[i].second);
  }
}

TEST_P(Writers, MixSmallCommitsAndOnesLargerThanSegments) {
  auto log = place().open({.segment_bytes = 16 << 10});
  run_threads(8, [&](int writer) {
    for (int i = 0; i < 20; ++i) {
      const bool large = (writer + i) % 5 == 0;
      commit(*log,
             payload_of(static_cast<std::uint64_t>(writer) * 100 + static_cast<std::uint64_t>(i), large ? 50'000 : 100),
             i % 4 == 0);
    }
  });
  must(log->close());
  const Replayed replayed = must(place().replay());
  EXPECT_EQ(replayed.commits.size(), 160u);
  for (const auto& commit : replayed.commits)
    EXPECT_EQ(commit.payload, payload_of(std::stoull(commit.payload), commit.payload.size()));
}

// --- in a world where a sync takes exactly as long as it is told to --------------------------------------------------

struct Shared {
  std::uint64_t syncs = 0, commits = 0;
};

Shared commit_in_simulation(int writers, int each) {
  env::SimulatedDiskOptions disk;
  disk.sync_latency = std::chrono::milliseconds(1);
  SimulatedPlace place(1, disk);
  Shared shared;
  base::FiberScheduler world(7, {.strategy = base::Strategy::kUniform, .spurious_wakeups = false});
  const base::WorldEnd end = world.run([&] {
    auto log = place.open({.segment_bytes = 1 << 20});
    const std::uint64_t before = log->counters().syncs;
    run_threads(writers, [&](int writer) {
      for (int i = 0; i < each; ++i) commit(*log, payload_of(static_cast<std::uint64_t>(writer), 100), true);
    });
    shared.syncs = log->counters().syncs - before;
    shared.commits = log->counters().records;
    must(log->close());
  });
  EXPECT_EQ(end, base::WorldEnd::kFinished) << world.report();
  return shared;
}

TEST(GroupCommit, OneSyncServesAllWhoCommitAllTheTime) {
  const Shared shared = commit_in_simulation(16, 100);
  EXPECT_EQ(shared.commits, 1600u);
  // 100 would be perfect; two halves that take turns would need 200.
  EXPECT_LT(shared.syncs, 125u);
}

TEST(GroupCommit, ALoneWriterNeverWaitsForAGroup) {
  const Shared shared = commit_in_simulation(1, 100);
  EXPECT_EQ(shared.syncs, 100u);
}

TEST(GroupCommit, ServesAWaiterWhoseCommitTheRunningRoundDoesNotCover) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    env::SimulatedWorld outside(seed);
    base::FiberScheduler world(seed);
    Sequence completed = 0;
    const base::WorldEnd end = world.run([&] {
      internal::GroupCommit group(
          outside.env.clock,
          {[&] { return completed; },
           [&] {
             base::sleep_for(std::chrono::microseconds(100));
             return Status{};
           }},
          [] {}, 0);
      run_threads(5, [&](int) {
        for (int i = 0; i < 20; ++i) {
          const Sequence mine = ++completed;
          must(group.wait(mine));
          EXPECT_GE(group.durable(), mine);
        }
      });
    });
    ASSERT_EQ(end, base::WorldEnd::kFinished) << "seed " << seed << "\n" << world.report();
  }
}

TEST(GroupCommit, PoisonReachesEveryWaiter) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SimulatedPlace place(seed);
    base::FiberScheduler world(seed);
    int failed = 0;
    const base::WorldEnd end = world.run([&] {
      auto log = place.open();
      env::Fault fault;
      fault.kind = env::IoKind::kSync;
      fault.path_part = "0001.log";
      fault.nth = 3;
      place.world.files.add_fault(fault);
      run_threads(8, [&](int) {
        for (;;) {
          auto ticket = log->reserve({.payload = "x", .operations = 1, .sync = true});
          if (!ticket) break;
          log->copy(*ticket, "x");
          log->complete(*ticket);
          if (!log->wait_durable(*ticket)) break;
        }
        ++failed;
      });
      EXPECT_CODE(kSyncFailed, log->close());
    });
    ASSERT_EQ(end, base::WorldEnd::kFinished) << "seed " << seed << "\n" << world.report();
    ASSERT_EQ(failed, 8);
  }
}

TEST(GroupCommit, PoisonReachesAWriterThatWaitsForASegment) {
  SimulatedPlace place;
  base::FiberScheduler world(2);
  const base::WorldEnd end = world.run([&] {
    auto log = place.open({.segment_bytes = 8 << 10, .stall_timeout = std::chrono::milliseconds(0)});
    append(*log, "x");
    place.world.files.set_capacity(0);  // no further segment
    auto waiter = base::Thread::spawn("waiter", [&] {
      for (;;) {
        const auto ticket = log->reserve({.payload = std::string(20'000, 'x'), .operations = 1});
        if (!ticket && ticket.error().code() == ErrorCode::kNoSpace) continue;
        EXPECT_CODE(kSyncFailed, ticket);
        return;
      }
    });
    env::Fault fault;
    fault.kind = env::IoKind::kSync;
    place.world.files.add_fault(fault);
    EXPECT_CODE(kSyncFailed, log->sync());
    waiter.join();
    EXPECT_CODE(kSyncFailed, log->close());
  });
  EXPECT_EQ(end, base::WorldEnd::kFinished) << world.report();
}

// --- what happens as time goes by -----------------------------------------------------------------------------------

TEST(Upkeep, SyncsWithinTheIntervalInPeriodicMode) {
  SimulatedPlace place;
  base::FiberScheduler world(1);
  const base::WorldEnd end = world.run([&] {
    auto log = place.open({.sync_mode = WalSyncMode::kPeriodic, .sync_interval = std::chrono::milliseconds(10)});
    for (int i = 0; i < 50; ++i) {
      const auto ticket = append(*log, "x");
      base::sleep_for(std::chrono::milliseconds(10));
      EXPECT_GE(log->last_durable(), ticket.last_sequence);
    }
    must(log->close());
  });
  EXPECT_EQ(end, base::WorldEnd::kFinished) << world.report();
}

TEST(Upkeep, LeavesAMarkAfterThePauseSoThatTheLastSyncIsKnown) {
  SimulatedPlace place;
  base::FiberScheduler world(1);
  const base::WorldEnd end = world.run([&] {
    auto log = place.open();
    for (int i = 0; i < 5; ++i) commit(*log, "synced", true);
    EXPECT_EQ(place.records(place.path_of(0)).back().kind, "full");
    base::sleep_for(std::chrono::milliseconds(500));
    const auto records = place.records(place.path_of(0));
    EXPECT_EQ(records.size(), 6u);  // and no more than one
    EXPECT_EQ(records.back().kind, "mark");
    EXPECT_EQ(records.back().durable_sequence, 5u);
    place.world.files.crash(env::CrashMode::kDropAll);
  });
  EXPECT_EQ(end, base::WorldEnd::kFinished) << world.report();
  EXPECT_EQ(must(place.replay()).commits.size(), 5u);
  // Without the mark this would pass for a torn tail.
  place.flip(place.path_of(0), kHeaderPageBytes + 4 * record_bytes(6, false) + 66);
  EXPECT_CODE(kWalCorrupt, place.replay());
}

TEST(Upkeep, ALogThatNobodySyncsGetsNoMark) {
  SimulatedPlace place;
  base::FiberScheduler world(1);
  const base::WorldEnd end = world.run([&] {
    auto log = place.open();
    append(*log, "x");
    base::sleep_for(std::chrono::seconds(2));
    EXPECT_EQ(place.records(place.path_of(0)).size(), 1u);
    EXPECT_EQ(log->counters().syncs, 0u);
    must(log->close());
  });
  EXPECT_EQ(end, base::WorldEnd::kFinished) << world.report();
}

TEST(Upkeep, AWriterThatWaitsTooLongForASegmentIsToldSo) {
  SimulatedPlace place;
  base::FiberScheduler world(3);
  const base::WorldEnd end = world.run([&] {
    auto log = place.open({.segment_bytes = 8 << 10, .stall_timeout = std::chrono::milliseconds(50)});
    place.world.files.options().sync_latency = std::chrono::seconds(1);
    bool stalled = false;
    for (int i = 0; i < 20 && !stalled; ++i) {
      const std::string payload(3000, 'x');
      auto ticket = log->reserve({.payload = payload, .operations = 1});
      if (!ticket) {
        EXPECT_CODE(kStalled, ticket);
        EXPECT_EQ(ticket.error().outcome(), WriteOutcome::kNotApplied);
        stalled = true;
        continue;
      }
      log->copy(*ticket, payload);
      log->complete(*ticket);
    }
    EXPECT_TRUE(stalled);
    EXPECT_GT(log->counters().segment_waits, 0u);
    EXPECT_GE(log->counters().segment_wait_us, 50'000u);
    must(log->close());
  });
  EXPECT_EQ(end, base::WorldEnd::kFinished) << world.report();
}

TEST(Upkeep, TheSameSeedGivesTheSameRun) {
  const auto run = [] {
    SimulatedPlace place(5);
    base::FiberScheduler world(5);
    (void)world.run([&] {
      auto log = place.open({.segment_bytes = 8 << 10, .sync_mode = WalSyncMode::kPeriodic});
      run_threads(4, [&](int writer) {
        for (int i = 0; i < 50; ++i) commit(*log, payload_of(static_cast<std::uint64_t>(writer), 300), i % 5 == 0);
      });
      must(log->close());
    });
    return std::pair(world.trace_hash(), place.world.files.trace_hash());
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace lightning::wal
