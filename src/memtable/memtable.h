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

  // Newest version of `key` with a sequence of at most `at`; its key and value live as long as the memtable.
  // Tombstones are returned too. nullopt: this memtable says nothing about the key.
  std::optional<format::Entry> get(std::string_view key, Sequence at) const;

  std::unique_ptr<format::EntryIterator> iterator() const;

  std::uint64_t memory_bytes() const;  // arena bytes in use, the tree included
  std::uint64_t entries() const;
  bool empty() const { return entries() == 0; }

 private:
  class Iterator;
  std::unique_ptr<Tree> tree_;
};

}  // namespace lightning::memtable
