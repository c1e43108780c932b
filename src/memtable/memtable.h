// MemTable: the newest writes of one keyspace, sorted, in memory.
//
// A B+-tree with optimistic lock coupling (Leis, Scheibner, Kemper, Neumann: "The ART of Practical Synchronization",
// 2016) over entries in entry order (format/entry.h). Nodes carry 8-byte heads of the keys after the node's common
// prefix, so that most comparisons stay inside one cache line; keys and values lie in an arena of large pages.
// Nothing is ever removed: a node, once made, lives as long as the memtable, which is why readers need no protection.
//
// Threads: add() from many threads; everything else from any thread beside them. Readers take no lock and write
// nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/memory_budget.h"
#include "format/entry.h"
#include "memtable/erased_ranges.h"

namespace lightning::memtable {

class Tree;

class MemTable {
 public:
  // Charges `budget` (kMemTables) for what it holds, until the destructor. Never maps more than `mapped_bytes_max`.
  // Throws std::bad_alloc if there is no memory even for an empty one.
  explicit MemTable(base::MemoryBudget& budget, std::uint64_t mapped_bytes_max = ~std::uint64_t{0});
  ~MemTable();
  MemTable(const MemTable&) = delete;
  MemTable& operator=(const MemTable&) = delete;

  // Makes sure that `entries` adds of `bytes` of keys and values in all cannot fail, so that an error comes before
  // the log is written: kOutOfMemory, and then nothing is reserved. A reservation belongs to the calling thread: its
  // reserve()s add up, its add()s use them up.
  Status reserve(std::uint64_t entries, std::uint64_t bytes);
  // Takes back a reserve() of this thread whose adds will not come.
  void withdraw(std::uint64_t entries, std::uint64_t bytes);
  // (key, sequence) must be new. Copies key and value. Cannot fail after reserve() on the same thread; without it,
  // throws std::bad_alloc when there is no memory.
  void add(const format::Entry& entry);
  // As ErasedRanges::add. Takes its memory from the heap, and nothing that was reserved. Throws std::bad_alloc.
  void add_ranges(std::vector<format::RangeTombstone> ranges, bool unread = false) {
    std::erase_if(ranges,
                  [](const auto& range) { return format::ends_before(range.end, range.start); });  // hold no key
    if (ranges.empty()) return;
    erased_.add(std::move(ranges), unread);
    note_ranges_below();
  }
  // Whether a reader must look for erased ranges, here or in what lies below, which whoever puts it there has to note.
  // Seen by all who see a range's sequence.
  bool ranges_to_look_at() const { return ranges_to_look_at_.load(std::memory_order_relaxed); }
  void note_ranges_below() { ranges_to_look_at_.store(true, std::memory_order_relaxed); }

  // Newest version of `key` with a sequence of at most `at`; its key and value live as long as the memtable.
  // Tombstones are returned too. nullopt: this memtable says nothing about the key.
  std::optional<format::Entry> get(std::string_view key, Sequence at) const;

  // Without ranges.
  std::unique_ptr<format::EntryIterator> iterator() const;
  const ErasedRanges& erased() const { return erased_; }

  std::uint64_t memory_bytes() const;  // arena bytes in use, the tree included, and what ranges take
  std::uint64_t entries() const;       // ranges too
  bool empty() const { return entries() == 0; }

 private:
  class Iterator;
  std::unique_ptr<Tree> tree_;
  std::atomic<bool> ranges_to_look_at_{false};
  ErasedRanges erased_;
};

}  // namespace lightning::memtable
