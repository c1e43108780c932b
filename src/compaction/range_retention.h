// What range tombstones do to a merge: which of them are still needed, and which entries are not because of them.
//
// The rule is that of single versions (retention.h): each sequence belongs to the stripe of the oldest snapshot that
// sees it. In one stripe, whoever sees an entry sees the tombstone that hides it: the entry goes. Of several tombstones
// in one stripe the newest does the work of all. In the oldest stripe, with nothing older below, a tombstone has hidden
// what there was to hide, and goes, too.
#pragma once

#include <memory>
#include <vector>

#include "format/entry.h"
#include "format/range_tombstones.h"

namespace lightning::compaction {

// The part of `ranges` that must be written. `snapshots` as for Retention. Keys point where those of `ranges` do.
format::RangeTombstones needed_ranges(const format::RangeTombstones& ranges, const std::vector<Sequence>& snapshots,
                                      bool bottommost);

// `input` without the entries that nobody sees because of `ranges`, which may be of any table: what they hide is hidden
// wherever it lies. Where an operand is left whose base is hidden only from newer readers, an erase stands between the
// two, so that nobody merges them. Forward only.
std::unique_ptr<format::EntryIterator> without_erased(std::unique_ptr<format::EntryIterator> input,
                                                      const format::RangeTombstones& ranges,
                                                      std::vector<Sequence> snapshots);

}  // namespace lightning::compaction
