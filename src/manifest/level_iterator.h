// A sorted level as one sequence of entries: opens each table's iterator when it gets there.
#pragma once

#include <memory>

#include "format/entry.h"
#include "manifest/version.h"

namespace lightning::manifest {

// `tables` are sorted by key and disjoint; the iterator keeps them alive.
std::unique_ptr<format::EntryIterator> level_iterator(Version::Level tables, const sstable::TableReadOptions& options);

}  // namespace lightning::manifest
