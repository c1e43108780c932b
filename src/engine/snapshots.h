// The sequences at which live snapshots look.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "lightning/types.h"

namespace lightning::engine {

// One entry of the list, inside whoever holds the snapshot, so that taking one allocates nothing.
struct LiveSnapshot {
  Sequence sequence = 0;
  std::uint64_t since_ns = 0;       // monotonic
  std::uint64_t transaction = 0;    // id, if it belongs to one
  std::string owner;                // for people; set before it is added
  std::atomic<bool> let_go{false};  // it grew too old: what it saw may be gone
  LiveSnapshot* previous = nullptr;
  LiveSnapshot* next = nullptr;
};

// In the order of arrival, which is that of sequences, since each takes the newest. Threads: any.
class SnapshotList {
 public:
  // `read_newest` is called under the list's lock, so that a job that lists the snapshots afterwards either sees this
  // one or works at a sequence that this one already sees.
  template <class ReadNewest>
  Sequence add(LiveSnapshot& snapshot, ReadNewest read_newest) {
    base::MutexLock lock(mutex_);
    snapshot.sequence = read_newest();
    snapshot.previous = last_;
    snapshot.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &snapshot;
    last_ = &snapshot;
    ++count_;
    return snapshot.sequence;
  }
  void remove(LiveSnapshot& snapshot) {
    base::MutexLock lock(mutex_);
    if (!snapshot.let_go.load(std::memory_order_relaxed)) unlink(snapshot);
  }
  // Lets go of those taken before `since_ns`, but for transactions', which have limits of their own. Before a job lists
  // what it must keep; whoever reads in what the job made sees the mark, since that was published after it.
  void let_go_before(std::uint64_t since_ns) {
    base::MutexLock lock(mutex_);
    for (LiveSnapshot *live = first_, *next = nullptr; live != nullptr; live = next) {
      next = live->next;
      if (live->transaction != 0 || live->since_ns >= since_ns) continue;
      unlink(*live);
      live->let_go.store(true, std::memory_order_release);
    }
  }
  // Ascending, without repeats, ended by the newest visible sequence: what a flush or compaction must preserve.
  template <class ReadNewest>
  std::vector<Sequence> list(ReadNewest read_newest) const {
    base::MutexLock lock(mutex_);
    const Sequence newest = read_newest();
    std::vector<Sequence> sequences;
    for (const LiveSnapshot* live = first_; live != nullptr; live = live->next)
      if (sequences.empty() || sequences.back() != live->sequence) sequences.push_back(live->sequence);
    if (sequences.empty() || sequences.back() != newest) sequences.push_back(newest);
    return sequences;
  }
  // Calls `visit` for each, oldest first, under the list's lock.
  template <class Visit>
  void for_each(Visit visit) const {
    base::MutexLock lock(mutex_);
    for (const LiveSnapshot* live = first_; live != nullptr; live = live->next) visit(std::as_const(*live));
  }
  std::size_t count() const {
    base::MutexLock lock(mutex_);
    return count_;
  }

 private:
  void unlink(LiveSnapshot& snapshot) LIGHTNING_REQUIRES(mutex_) {
    (snapshot.previous != nullptr ? snapshot.previous->next : first_) = snapshot.next;
    (snapshot.next != nullptr ? snapshot.next->previous : last_) = snapshot.previous;
    --count_;
  }
  mutable base::Mutex mutex_{base::LockRank::kSnapshots};
  LiveSnapshot* first_ LIGHTNING_GUARDED_BY(mutex_) = nullptr;
  LiveSnapshot* last_ LIGHTNING_GUARDED_BY(mutex_) = nullptr;
  std::size_t count_ LIGHTNING_GUARDED_BY(mutex_) = 0;
};

}  // namespace lightning::engine
