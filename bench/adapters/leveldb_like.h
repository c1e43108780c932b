// What LevelDB's interface and RocksDB's still have in common.
#pragma once

#include "adapter.h"
#include "data.h"

namespace lightning::bench {

// `Iterator` as leveldb::Iterator, `Slice` as leveldb::Slice.
template <class Slice, class Iterator>
ScanSum scan_with(Iterator& it, std::string_view from, std::uint64_t limit, Direction direction) {
  const auto touched = [](const Slice& slice) { return touch({slice.data(), slice.size()}); };
  const bool forward = direction == Direction::kForward;
  if (!forward) {
    it.SeekToLast();
  } else if (from.empty()) {
    it.SeekToFirst();
  } else {
    it.Seek(Slice(from.data(), from.size()));
  }
  ScanSum sum;
  while (it.Valid() && sum.entries < limit) {
    sum.touched += touched(it.key()) + touched(it.value());
    if (++sum.entries == limit) break;
    forward ? it.Next() : it.Prev();
  }
  return sum;
}

}  // namespace lightning::bench
