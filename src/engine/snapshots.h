// The sequences at which live snapshots look.
#pragma once

#include <set>
#include <vector>

#include "base/sync.h"
#include "lightning/types.h"

namespace lightning::engine {

// Threads: any.
class SnapshotList {
 public:
  // `read_newest` is called under the list's lock, so that a job that lists the snapshots afterwards either sees this
  // one or works at a sequence that this one already sees.
  template <class ReadNewest>
  Sequence add(ReadNewest read_newest) {
    base::MutexLock lock(mutex_);
    const Sequence sequence = read_newest();
    live_.insert(sequence);
    return sequence;
  }
  void remove(Sequence sequence) {
    base::MutexLock lock(mutex_);
    live_.erase(live_.find(sequence));
  }
  // Ascending, without repeats, ended by the newest visible sequence: what a flush or compaction must preserve.
  template <class ReadNewest>
  std::vector<Sequence> list(ReadNewest read_newest) const {
    base::MutexLock lock(mutex_);
    const Sequence newest = read_newest();
    std::vector<Sequence> sequences;
    for (const Sequence sequence : live_)
      if (sequences.empty() || sequences.back() != sequence) sequences.push_back(sequence);
    if (sequences.empty() || sequences.back() != newest) sequences.push_back(newest);
    return sequences;
  }
  std::size_t count() const {
    base::MutexLock lock(mutex_);
    return live_.size();
  }

 private:
  mutable base::Mutex mutex_{base::LockRank::kSnapshots};
  std::multiset<Sequence> live_ LIGHTNING_GUARDED_BY(mutex_);
};

}  // namespace lightning::engine
