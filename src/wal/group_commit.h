// GroupCommit: one sync serves all that wait for one.
//
// Syncs run in rounds, one at a time. A thread that needs durability and finds no round running leads one, which
// covers everything completed until then; those that come while it runs are the next group, and the first of them leads
// it. So threads that commit all the time share a sync by as many as there are, whatever a sync takes.
//
//   round r syncs      round r+1 syncs
//   |------------------|------------------|---
//     group r+1 gathers   group r+2 gathers         each group sleeps on a condition variable of its own, so that
//                                                   the end of a round wakes those it served and one leader
//
// Left to itself this settles into two halves of the threads that take turns, each round serving one half while the
// other waits. So a leader lets its group gather: those whom the last round served are about to come back, and a short
// wait for them is cheaper than a round of their own. It ends when as many are there as there were, at the latest after
// half the time that a sync takes; where nobody comes back, it is tried ever more rarely.
//
// The first failed round poisons: nothing is retried, nothing becomes durable any more.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/sync.h"
#include "env/env.h"
#include "lightning/result.h"
#include "lightning/types.h"

namespace lightning::wal::internal {

class GroupCommit {
 public:
  struct Round {
    std::function<Sequence()> covers;  // the sequence up to which the round will make all durable; asked as it starts
    std::function<Status()> sync;      // called without locks
  };
  // `round` is what wait() runs. Everything up to `durable` is durable already. `on_poison` is called without locks,
  // once, after poisoned() has become true.
  GroupCommit(const env::Clock& clock, Round round, std::function<void()> on_poison, Sequence durable);

  Sequence durable() const { return durable_.load(std::memory_order_acquire); }
  bool poisoned() const { return poisoned_.load(std::memory_order_acquire); }
  std::uint64_t rounds() const { return rounds_.load(std::memory_order_relaxed); }

  // Until everything up to `target`, which is complete, is durable. kSyncFailed with outcome kUnknown.
  Status wait(Sequence target) {
    if (durable() >= target) [[likely]]
      return {};
    return wait_for_group(target);
  }
  // Runs `round` by itself, after the one in progress.
  Status run(const Round& round);
  Status run() { return run(round_); }
  // As if a round had failed.
  void poison(const Error& cause);
  // kSyncFailed, once poisoned.
  Status health() const;

 private:
  Status wait_for_group(Sequence target);
  void lead(const Round& round) LIGHTNING_REQUIRES(mutex_);
  void gather() LIGHTNING_REQUIRES(mutex_);
  std::uint64_t join(bool covered) LIGHTNING_REQUIRES(mutex_);
  void leave(std::uint64_t generation) LIGHTNING_REQUIRES(mutex_);
  void wait_for_round() LIGHTNING_REQUIRES(mutex_);
  Error poison_error() const LIGHTNING_REQUIRES(mutex_);

  const env::Clock& clock_;
  const Round round_;
  const std::function<void()> on_poison_;
  std::atomic<Sequence> durable_;
  std::atomic<bool> poisoned_{false};
  std::atomic<std::uint64_t> rounds_{0};

  mutable base::Mutex mutex_{base::LockRank::kWalSync};
  bool leading_ LIGHTNING_GUARDED_BY(mutex_) = false;          // a round gathers or runs
  bool gathering_ LIGHTNING_GUARDED_BY(mutex_) = false;        // it has not begun yet
  Sequence covered_ LIGHTNING_GUARDED_BY(mutex_) = 0;          // by the round that runs
  std::uint64_t generation_ LIGHTNING_GUARDED_BY(mutex_) = 0;  // of the round that runs, or runs next
  struct Group {
    base::CondVar wake;
    std::uint32_t waiting = 0;
  };
  Group& group_of(std::uint64_t generation) { return groups_[generation & 1]; }
  Group groups_[2];  // `waiting` is guarded by mutex_
  base::CondVar gathered_;
  std::uint32_t expected_ LIGHTNING_GUARDED_BY(mutex_) = 1;  // committers at work, the leader included
  std::uint64_t sync_ns_ LIGHTNING_GUARDED_BY(mutex_) = 0;   // what a round takes, smoothed
  std::uint32_t vain_ LIGHTNING_GUARDED_BY(mutex_) = 0;      // gatherings in a row that ended by the clock
  std::uint32_t skip_ LIGHTNING_GUARDED_BY(mutex_) = 0;      // rounds not to gather for
  std::optional<Error> cause_ LIGHTNING_GUARDED_BY(mutex_);
};

}  // namespace lightning::wal::internal
