#include "txn/key_ranges.h"

namespace lightning::txn {

namespace {

// Whether `a` ends before the key or range start `b` with a gap between them.
bool ends_before(const KeyRanges::End& a, std::string_view b) { return a && *a < b; }
bool ends_after(const KeyRanges::End& a, const KeyRanges::End& b) { return b && (!a || *a > *b); }

}  // namespace

void KeyRanges::add(format::KeyspaceId keyspace, std::string_view start, End end) {
  if (end && *end <= start) return;
  Ranges& ranges = by_keyspace_[keyspace];
  std::string joined_start(start);
  auto it = ranges.upper_bound(start);
  if (it != ranges.begin() && !ends_before(std::prev(it)->second, start)) it = std::prev(it);
  while (it != ranges.end() && (!end || it->first <= *end)) {
    if (it->first < joined_start) joined_start = it->first;
    if (ends_after(it->second, end)) end = it->second;
    bytes_ -= bytes_of(it->first, it->second);
    it = ranges.erase(it);
  }
  bytes_ += bytes_of(joined_start, end);
  ranges.emplace_hint(it, std::move(joined_start), std::move(end));
}

bool KeyRanges::contains(format::KeyspaceId keyspace, std::string_view key) const {
  const auto found = by_keyspace_.find(keyspace);
  if (found == by_keyspace_.end()) return false;
  auto it = found->second.upper_bound(key);
  if (it == found->second.begin()) return false;
  --it;
  return !it->second || key < *it->second;
}

bool KeyRanges::overlaps(format::KeyspaceId keyspace, std::string_view start, std::string_view end) const {
  const auto found = by_keyspace_.find(keyspace);
  if (found == by_keyspace_.end()) return false;
  // The last one that begins before the end: if any reaches into the range, it does.
  auto it = end.empty() ? found->second.end() : found->second.lower_bound(end);
  if (it == found->second.begin()) return false;
  --it;
  return !it->second || start < *it->second;
}

void KeyRanges::add(const KeyRanges& other) {
  for (const auto& [keyspace, ranges] : other.by_keyspace_)
    for (const auto& [start, end] : ranges) add(keyspace, start, end);
}

void KeyRanges::coarsen(std::size_t count) {
  for (auto& [keyspace, ranges] : by_keyspace_) {
    if (ranges.size() <= count) continue;
    const std::size_t group = (ranges.size() + count - 1) / count;
    Ranges coarse;
    for (auto it = ranges.begin(); it != ranges.end();) {
      const std::string& start = it->first;
      End end;
      for (std::size_t i = 0; i < group && it != ranges.end(); ++i) {
        bytes_ -= bytes_of(it->first, it->second);
        end = it->second;
        if (i + 1 == group || std::next(it) == ranges.end()) {
          bytes_ += bytes_of(start, end);
          coarse.emplace_hint(coarse.end(), start, end);
        }
        ++it;
      }
    }
    ranges.swap(coarse);
  }
}

std::size_t KeyRanges::count() const {
  std::size_t count = 0;
  for (const auto& [keyspace, ranges] : by_keyspace_) count += ranges.size();
  return count;
}

}  // namespace lightning::txn
