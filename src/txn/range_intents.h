// RangeIntents: the ranges that commits in progress rely on.
//
// A serializable commit that has read ranges publishes them, lets the write gate drain once, so that every later writer
// sees them, scans the ranges for what is newer than its snapshot, applies, and withdraws. A writer whose key lies in
// the intent of another waits outside the gate until that is withdrawn. One that has an intent itself only waits if it
// is the older one, else it fails: so waits lead from older to younger, and never in a circle.
//
// Threads: any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "env/env.h"
#include "txn/key_ranges.h"

namespace lightning::txn {

class RangeIntents {
 public:
  void publish(std::uint64_t id, const KeyRanges& ranges) {
    base::MutexLock lock(mutex_);
    intents_.push_back({id, &ranges});
    count_.store(intents_.size(), std::memory_order_seq_cst);
  }
  void withdraw(std::uint64_t id) {
    base::MutexLock lock(mutex_);
    std::erase_if(intents_, [id](const Intent& intent) { return intent.id == id; });
    count_.store(intents_.size(), std::memory_order_seq_cst);
    withdrawn_.notify_all();
  }
  bool none() const { return count_.load(std::memory_order_seq_cst) == 0; }
  // The intent, other than that of `self`, in which the key lies.
  std::optional<std::uint64_t> covering(format::KeyspaceId keyspace, std::string_view key, std::uint64_t self) const {
    base::MutexLock lock(mutex_);
    for (const Intent& intent : intents_)
      if (intent.id != self && intent.ranges->contains(keyspace, key)) return intent.id;
    return std::nullopt;
  }
  // One, other than that of `self`, that shares a key with [start, end); `end` empty: no end.
  std::optional<std::uint64_t> overlapping(format::KeyspaceId keyspace, std::string_view start, std::string_view end,
                                           std::uint64_t self) const {
    base::MutexLock lock(mutex_);
    for (const Intent& intent : intents_)
      if (intent.id != self && intent.ranges->overlaps(keyspace, start, end)) return intent.id;
    return std::nullopt;
  }
  // Until intent `id` is withdrawn. False after `timeout`.
  bool wait_until_withdrawn(std::uint64_t id, env::Clock& clock, std::chrono::nanoseconds timeout) {
    const std::uint64_t start_ns = clock.monotonic_ns();
    base::MutexLock lock(mutex_);
    for (;;) {
      bool there = false;
      for (const Intent& intent : intents_) there = there || intent.id == id;
      if (!there) return true;
      const auto waited = std::chrono::nanoseconds(clock.monotonic_ns() - start_ns);
      if (waited >= timeout) return false;
      withdrawn_.wait_for(mutex_, timeout - waited);
    }
  }

 private:
  struct Intent {
    std::uint64_t id;
    const KeyRanges* ranges;
  };
  mutable base::Mutex mutex_{base::LockRank::kRangeIntents};
  base::CondVar withdrawn_;
  std::vector<Intent> intents_ LIGHTNING_GUARDED_BY(mutex_);
  std::atomic<std::size_t> count_{0};
};

}  // namespace lightning::txn
