#include "memtable/erased_ranges.h"

namespace lightning::memtable {

void ErasedRanges::add(std::vector<format::RangeTombstone> ranges, bool unread) {
  using format::RangeTombstones;
  base::MutexLock lock(mutex_);
  const std::size_t count = ranges.size();
  std::uint64_t bytes = 0;
  for (format::RangeTombstone& range : ranges) {
    range.start = keys_.emplace_back(range.start);
    range.end = keys_.emplace_back(range.end);
    bytes += 2 * sizeof(std::string) + range.start.size() + range.end.size();
  }
  auto newest = std::make_shared<const RangeTombstones>(RangeTombstones::newest_of(std::move(ranges)));
  bytes += newest->memory_bytes();
  Sets next = lists_.empty() ? Sets() : lists_.back();
  // By what they cost to copy, which is more than their number where ranges are nested.
  while (!next.empty() && next.back()->sequences() < 2 * newest->sequences()) {
    std::vector<format::RangeTombstone> both;
    next.back()->clip({}, {}, both);
    newest->clip({}, {}, both);
    newest = std::make_shared<const RangeTombstones>(unread ? RangeTombstones::newest_of(std::move(both))
                                                            : RangeTombstones(std::move(both)));
    bytes += newest->memory_bytes();
    next.pop_back();
  }
  next.push_back(std::move(newest));
  bytes += next.size() * sizeof(next.front()) + sizeof(Sets);
  sets_.store(&lists_.emplace_back(std::move(next)), std::memory_order_release);
  count_.fetch_add(count, std::memory_order_relaxed);
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  budget_.charge(base::MemoryOwner::kMemTables, static_cast<std::int64_t>(bytes));
}

}  // namespace lightning::memtable
