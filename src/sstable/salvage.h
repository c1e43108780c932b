// What can still be read of a table: block by block, passing over what does not verify.
//
// Table answers whole or not at all: its filter, its index, or a block that is damaged is an error. Here each part is
// asked for itself. The footer must verify against its root, since everything hangs below it; then a damaged leaf of
// the index costs the keys of its blocks, a damaged block its own, and a damaged filter, header or trailer nothing.
// Nothing that does not verify is handed on.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cache/block_cache.h"
#include "format/entry.h"
#include "lightning/result.h"
#include "sstable/table.h"

namespace lightning::sstable {

// Keys of which the versions that a table held cannot be read.
struct LostRange {
  std::string start, end;     // [start, end); an empty end: no end
  std::uint64_t entries = 0;  // about so many
  Error reason;               // names the file, and where in it
};
using OnLost = std::function<void(LostRange&&)>;

// Whether an error says that bytes of a file cannot be had, and not that this program is out of something.
bool is_loss(const Error& error);

// The entries of a table that verify, in order. What it passes over is told to `lost`, each once, when it gets there.
// The file is open from the first seek on until the end is reached. Forward only.
std::unique_ptr<format::EntryIterator> salvage_entries(env::Env& env, const std::string& path,
                                                       const format::Uid& store_id, const TableMeta& meta,
                                                       cache::BlockCache& cache, OnLost lost);

// The table's range tombstones, and what their keys point into. Null if there are none, or none can be read: where
// they alone are damaged, `lost` is told of all keys of the table, since what they hid may show.
struct SalvagedRanges {
  std::string bytes;
  format::RangeTombstones set;
};
Result<std::unique_ptr<const SalvagedRanges>> salvage_ranges(env::Env& env, const std::string& path,
                                                             const format::Uid& store_id, const TableMeta& meta,
                                                             const OnLost& lost);

}  // namespace lightning::sstable
