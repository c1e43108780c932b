#include "format/range_tombstones.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <set>

#include "base/coding.h"
#include "format/entry.h"

namespace lightning::format {

Sequence RangeTombstones::Fragment::newest(Sequence at) const {
  const auto found = std::lower_bound(sequences.begin(), sequences.end(), at, std::greater<>());
  return found == sequences.end() ? 0 : *found;
}

bool RangeTombstones::Fragment::operator==(const Fragment& other) const {
  return start == other.start && end == other.end && std::ranges::equal(sequences, other.sequences);
}

// A sweep over starts and ends: between two of them the same ranges are open.
RangeTombstones::RangeTombstones(std::vector<RangeTombstone> ranges, bool only_newest) {
  std::erase_if(ranges, [](const RangeTombstone& range) { return ends_before(range.end, range.start); });
  std::sort(ranges.begin(), ranges.end(),
            [](const RangeTombstone& a, const RangeTombstone& b) { return a.start < b.start; });
  const auto ends_later = [](const RangeTombstone* a, const RangeTombstone* b) {
    return compare_ends(a->end, b->end) > 0;
  };
  std::priority_queue<const RangeTombstone*, std::vector<const RangeTombstone*>, decltype(ends_later)> open(ends_later);
  std::multiset<Sequence, std::greater<>> active;
  std::string_view at;
  for (auto next = ranges.begin(); next != ranges.end() || !open.empty();) {
    const bool ends = !open.empty() && (next == ranges.end() || ends_before(open.top()->end, next->start));
    const std::string_view boundary = ends ? open.top()->end : next->start;
    const bool last = ends && boundary.empty();  // what is still open has no end
    if (!active.empty() && (last || boundary != at)) {
      if (only_newest) {
        append(at, boundary, std::span(&*active.begin(), 1));
      } else {
        append(at, boundary, active);
      }
    }
    if (last) return;
    at = boundary;
    if (ends) {
      active.erase(active.find(open.top()->sequence));
      open.pop();
    } else {
      active.insert(next->sequence);
      open.push(&*next++);
    }
  }
}

template <class Sequences>
void RangeTombstones::append(std::string_view start, std::string_view end, const Sequences& newest_first) {
  const std::size_t first = sequences_.size();
  for (const Sequence sequence : newest_first)
    if (sequences_.size() == first || sequences_.back() != sequence) sequences_.push_back(sequence);
  largest_ = std::max(largest_, sequences_[first]);
  smallest_ = std::min(smallest_, sequences_.back());
  // Pieces of one range that meet again, after something in between has gone, are one range again.
  if (!places_.empty() && places_.back().end == start) {
    const Fragment last = (*this)[places_.size() - 1];
    if (std::ranges::equal(last.sequences, std::span(sequences_).subspan(first))) {
      sequences_.resize(first);
      places_.back().end = end;
      return;
    }
  }
  places_.push_back({start, end, first, sequences_.size() - first});
}

RangeTombstones RangeTombstones::merge(std::span<const RangeTombstones* const> sets) {
  std::vector<RangeTombstone> ranges;
  for (const RangeTombstones* set : sets) set->clip({}, {}, ranges);
  return RangeTombstones(std::move(ranges));
}

std::size_t RangeTombstones::find(std::string_view key) const {
  const auto found = std::partition_point(places_.begin(), places_.end(),
                                          [key](const Place& place) { return ends_before(place.end, key); });
  return static_cast<std::size_t>(found - places_.begin());
}

Sequence RangeTombstones::covering(std::string_view key, Sequence at) const {
  const std::size_t i = find(key);
  return i == size() || key < places_[i].start ? 0 : (*this)[i].newest(at);
}

std::optional<RangeTombstone> RangeTombstones::newer_in(std::string_view start, std::string_view end,
                                                        Sequence after) const {
  if (largest_ <= after) return std::nullopt;
  for (std::size_t i = find(start); i < size() && !ends_before(end, places_[i].start); ++i)
    if (const Fragment fragment = (*this)[i]; fragment.sequences.front() > after)
      return RangeTombstone{fragment.start, fragment.end, fragment.sequences.front()};
  return std::nullopt;
}

void RangeTombstones::clip(std::string_view from, std::string_view to, std::vector<RangeTombstone>& out) const {
  for (std::size_t i = find(from); i < size() && !ends_before(to, places_[i].start); ++i) {
    const Fragment fragment = (*this)[i];
    const std::string_view start = std::max(fragment.start, from);
    const std::string_view end = compare_ends(fragment.end, to) < 0 ? fragment.end : to;
    for (const Sequence sequence : fragment.sequences) out.push_back({start, end, sequence});
  }
}

std::string RangeTombstones::encode() const {
  std::string bytes;
  base::append_varint(bytes, size());
  for (std::size_t i = 0; i < size(); ++i) {
    const Fragment fragment = (*this)[i];
    base::append_length_prefixed(bytes, fragment.start);
    base::append_length_prefixed(bytes, fragment.end);
    base::append_varint(bytes, fragment.sequences.size());
    Sequence newer = 0;
    for (const Sequence sequence : fragment.sequences) {
      base::append_varint(bytes, newer == 0 ? sequence : newer - sequence);
      newer = sequence;
    }
  }
  return bytes;
}

Result<RangeTombstones> RangeTombstones::decode(std::string_view bytes) {
  const auto corrupt = [](const char* what) {
    return Error(ErrorCode::kTableCorrupt, std::string("the range tombstones ") + what);
  };
  RangeTombstones set;
  std::uint64_t fragments = 0;
  if (!base::get_varint(bytes, fragments)) return corrupt("are cut short");
  std::vector<Sequence> sequences;
  for (std::uint64_t i = 0; i < fragments; ++i) {
    std::string_view start, end;
    std::uint64_t count = 0;
    if (!base::get_length_prefixed(bytes, start) || !base::get_length_prefixed(bytes, end) ||
        !base::get_varint(bytes, count))
      return corrupt("are cut short");
    if (start.size() > kKeyBytesMax || end.size() > kKeyBytesMax) return corrupt("have a key beyond the limit");
    if (ends_before(end, start)) return corrupt("hold a range that is empty");
    if (i > 0 && !ends_before(set.places_.back().end, start)) return corrupt("overlap or are out of order");
    if (count == 0) return corrupt("hold a range without a sequence");
    sequences.clear();
    for (std::uint64_t n = 0; n < count; ++n) {  // each takes a byte at least: bounded by what is there
      std::uint64_t number = 0;
      if (!base::get_varint(bytes, number)) return corrupt("are cut short");
      if (number == 0 || number > (n == 0 ? kSequenceMax : sequences.back() - 1))
        return corrupt("have sequences that do not descend");
      sequences.push_back(n == 0 ? number : sequences.back() - number);
    }
    const std::size_t before = set.size();
    set.append(start, end, sequences);
    if (set.size() == before) return corrupt("hold a range in two pieces");
  }
  if (!bytes.empty()) return corrupt("have bytes behind their end");
  return set;
}

}  // namespace lightning::format
