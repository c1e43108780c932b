// Many sorted sources as one: a cursor over the union of entry iterators, in entry order.
#pragma once

#include <memory>
#include <vector>

#include "format/entry.h"

namespace lightning::format {

// Sources come newest first: among equal (key, sequence) the earlier source wins and the copies behind it are shown too
// (consumers keep the first version of a key that they may see, so duplicates are harmless).
//
// A binary heap of sources, with one twist: moving on stays inside the current source while its entry sorts before the
// runner-up, so that runs of one source (the common case after compaction) cost one comparison per step.
std::unique_ptr<EntryIterator> merge(std::vector<std::unique_ptr<EntryIterator>> sources);

}  // namespace lightning::format
