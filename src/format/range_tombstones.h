// RangeTombstones: erased ranges. Each is [start, end) at a sequence, and hides what is older in it.
//
// Fragmented, as RocksDB calls it: ranges that overlap are cut wherever one of them begins or ends, so that the
// fragments are disjoint and a key lies in at most one of them, which lists its sequences, newest first. Looking a key
// up is then one binary search. The price: n ranges nested in one another make 2n - 1 fragments and n * n sequences.
// So where nobody can tell two of them apart, only the newest is kept: among those of one batch (newest_of), and in
// merges, which keep one sequence for each snapshot at most.
//
// A value, immutable once made. Threads: any. Lifetime: keys point into what the ranges were made from.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lightning/result.h"
#include "lightning/types.h"

namespace lightning::format {

// An end that is empty stands for no end: no key is empty, so nothing else could be meant.
struct RangeTombstone {
  std::string_view start, end;
  Sequence sequence = 0;
  bool operator==(const RangeTombstone&) const = default;
};

// Whether a range that ends at `end` holds no key at or behind `key`.
inline bool ends_before(std::string_view end, std::string_view key) { return !end.empty() && end <= key; }
// <0, 0, >0, as the ends of ranges are ordered.
inline int compare_ends(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return static_cast<int>(a.empty()) - static_cast<int>(b.empty());
  return a.compare(b);
}

class RangeTombstones {
 public:
  struct Fragment {
    std::string_view start, end;
    std::span<const Sequence> sequences;  // newest first, at least one
    // The newest that is not above `at`; 0: none.
    Sequence newest(Sequence at) const;
    bool operator==(const Fragment& other) const;
  };

  RangeTombstones() = default;
  // In any order; they may overlap. Empty ranges hide nothing, and are not kept.
  explicit RangeTombstones(std::vector<RangeTombstone> ranges) : RangeTombstones(std::move(ranges), false) {}
  // The same for readers who see all of them or none: of those that hold a key, the newest hides what any does.
  static RangeTombstones newest_of(std::vector<RangeTombstone> ranges) { return {std::move(ranges), true}; }
  // All of `sets`. Whatever their keys point into must outlive the result.
  static RangeTombstones merge(std::span<const RangeTombstones* const> sets);

  bool empty() const { return places_.empty(); }
  std::size_t size() const { return places_.size(); }  // fragments
  Fragment operator[](std::size_t i) const {
    const Place& place = places_[i];
    return {place.start, place.end, std::span(sequences_).subspan(place.first, place.count)};
  }
  // The first fragment that ends behind `key`, or size(): the one that holds the key, or the next one.
  std::size_t find(std::string_view key) const;
  // The newest range, not above `at`, that holds `key`; 0: none.
  Sequence covering(std::string_view key, Sequence at) const;
  // One range of at least `after + 1` that shares a key with [start, end), or none.
  std::optional<RangeTombstone> newer_in(std::string_view start, std::string_view end, Sequence after) const;

  // What lies in [from, to), cut where it reaches beyond; `to` empty: no end. Adds a range for each sequence.
  void clip(std::string_view from, std::string_view to, std::vector<RangeTombstone>& out) const;

  std::uint64_t sequences() const { return sequences_.size(); }  // over all fragments
  Sequence smallest_sequence() const { return smallest_; }
  Sequence largest_sequence() const { return largest_; }
  std::uint64_t memory_bytes() const {
    return sizeof *this + places_.capacity() * sizeof(Place) + sequences_.capacity() * sizeof(Sequence);
  }

  // As a table stores them (docs/format/sstable.md).
  std::string encode() const;
  // Total over hostile bytes: refuses what encode() would not have written. Keys point into `bytes`.
  // Errors: kTableCorrupt, not naming the file.
  static Result<RangeTombstones> decode(std::string_view bytes);

 private:
  RangeTombstones(std::vector<RangeTombstone> ranges, bool only_newest);
  struct Place {
    std::string_view start, end;
    std::uint64_t first = 0, count = 0;  // in sequences_
  };
  // `newest_first` may name a sequence several times.
  template <class Sequences>
  void append(std::string_view start, std::string_view end, const Sequences& newest_first);

  std::vector<Place> places_;  // disjoint, by start
  std::vector<Sequence> sequences_;
  Sequence smallest_ = ~Sequence{0}, largest_ = 0;
};

}  // namespace lightning::format
