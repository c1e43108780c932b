// ErasedRanges: the range tombstones of one memtable.
//
// Beside the tree, not in it: a range is looked for by any key inside it. Copied on write, so that readers take no
// lock: what they see is a list of sets that never changes, and a writer puts a longer list in its place. The sets
// grow like the runs of a merge tree (Bentley, Saxe: "Decomposable Searching Problems", 1980): each is at least twice
// as large as the next, so that n ranges cost n log n to add, and a look-up searches log n sets at most.
// Lists and sets live as long as the memtable, like everything in it.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/memory_budget.h"
#include "base/sync.h"
#include "format/entry.h"
#include "format/range_tombstones.h"

namespace lightning::memtable {

class ErasedRanges {
 public:
  using Sets = std::vector<std::shared_ptr<const format::RangeTombstones>>;

  explicit ErasedRanges(base::MemoryBudget& budget) : budget_(budget) {}
  ~ErasedRanges() { budget_.charge(base::MemoryOwner::kMemTables, -static_cast<std::int64_t>(memory_bytes())); }
  ErasedRanges(const ErasedRanges&) = delete;
  ErasedRanges& operator=(const ErasedRanges&) = delete;

  // Of one batch: whoever sees one of them sees all. `unread`: nobody reads before all that is added is visible, so
  // that of ranges that overlap only the newest matters, over all batches. Throws std::bad_alloc.
  void add(std::vector<format::RangeTombstone> ranges, bool unread = false);

  bool any() const { return sets() != nullptr; }
  // Null: there are none. Lives as long as this.
  const Sets* sets() const { return sets_.load(std::memory_order_acquire); }
  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  std::uint64_t memory_bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  base::MemoryBudget& budget_;
  std::atomic<const Sets*> sets_{nullptr};
  std::atomic<std::uint64_t> count_{0}, bytes_{0};
  base::Mutex mutex_{base::LockRank::kLeaf};  // one add at a time
  std::deque<std::string> keys_ LIGHTNING_GUARDED_BY(mutex_);
  std::deque<Sets> lists_ LIGHTNING_GUARDED_BY(mutex_);  // the present one last
};

}  // namespace lightning::memtable
