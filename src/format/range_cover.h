// RangeCover: what erased ranges hide from a reader at one sequence, and cursors that pass over it.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "format/entry.h"
#include "format/range_tombstones.h"

namespace lightning::format {

// Several sets as one. Immutable. Threads: any. Lifetime: the sets outlive it.
class RangeCover {
 public:
  // Sets may be empty, and may hold what is newer than `at`, which hides nothing.
  RangeCover(std::vector<const RangeTombstones*> sets, Sequence at);

  bool empty() const { return sets_.empty(); }

  // Keys around one key for which the same holds: what is older than `sequence` is hidden; 0: nothing is.
  struct Stretch {
    std::string_view start, end;  // [start, end); end empty: no end
    Sequence sequence = 0;
    bool holds(std::string_view key) const { return key >= start && !ends_before(end, key); }
  };
  Stretch stretch_at(std::string_view key) const;
  Sequence covering(std::string_view key) const;

  // Where everything up to `newest` is hidden, nothing of a source that holds nothing newer needs to be looked at.
  // The first key at or behind `key` where it may show something; none if all the rest is hidden.
  std::optional<std::string_view> shown_from(std::string_view key, Sequence newest) const;
  // The start of the hidden range that `key` lies in: what is before it may show something. `key` itself if it does.
  std::string_view shown_before(std::string_view key, Sequence newest) const;

 private:
  std::vector<const RangeTombstones*> sets_;
  Sequence at_;
};

// What is known of a source without looking at it.
struct SourceBounds {
  Sequence newest = kSequenceMax;  // it holds nothing newer
  std::string_view smallest = "";  // nor anything before this
  std::string_view largest = {};   // nor behind this; empty: not known
};

// `source` without the entries that `cover` hides. Where all of the source is hidden it is not stepped through: it
// seeks behind, so that blocks and files in between are never read. `cover` and the bounds outlive it. `passed` counts
// hidden entries that were met all the same; may be null.
std::unique_ptr<EntryIterator> without_hidden(std::unique_ptr<EntryIterator> source, const RangeCover& cover,
                                              const SourceBounds& bounds, std::uint64_t* passed = nullptr);

}  // namespace lightning::format
