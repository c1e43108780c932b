// A sorted level as one sequence of entries: opens each table's iterator when it gets there.
#pragma once

#include <memory>

#include "format/entry.h"
#include "format/range_cover.h"
#include "manifest/version.h"

namespace lightning::manifest {

// `tables` are sorted by key and disjoint; the iterator keeps them alive.
std::unique_ptr<format::EntryIterator> level_iterator(Version::Level tables, const sstable::TableReadOptions& options);
// The same without what `cover` hides, which outlives it: tables that are hidden whole are not even opened.
// `passed` as for format::without_hidden.
std::unique_ptr<format::EntryIterator> level_iterator(Version::Level tables, const sstable::TableReadOptions& options,
                                                      const format::RangeCover* cover, std::uint64_t* passed);

// One table without what `cover` hides; null: nothing.
std::unique_ptr<format::EntryIterator> table_iterator(const TableHandle& table,
                                                      const sstable::TableReadOptions& options,
                                                      const format::RangeCover* cover, std::uint64_t* passed);

}  // namespace lightning::manifest
