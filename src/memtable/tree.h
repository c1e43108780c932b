// The memtable's B+-tree: optimistic lock coupling over nodes that are only ever split, never merged or freed.
//
// Way down (readers and writers): read the child's pointer, then the child's version, then check that the parent has
// not changed meanwhile; if it has, start again. A writer locks the leaf it found by the version it read, so that what
// it searched before taking the lock still holds. Full nodes are split on the way down, parent and node locked, so that
// a parent always has room. (Leis, Haubenschild, Neumann: "Optimistic Lock Coupling", 2019.)
//
// A split leaves the lower part in place and puts the upper part into a new right neighbour. So a leaf's lower boundary
// never changes, and a cursor that knows a leaf's upper boundary and successor at one moment can go on from there at
// any later time without missing or repeating anything (Lehman, Yao 1981).
#pragma once

#include <atomic>
#include <cstdint>

#include "base/arena.h"
#include "memtable/node.h"

namespace lightning::memtable {

class Tree {
 public:
  Tree(base::MemoryBudget& budget, std::uint64_t mapped_bytes_max);

  Status reserve(std::uint64_t entries, std::uint64_t bytes);
  void withdraw(std::uint64_t entries, std::uint64_t bytes);
  void add(const format::Entry& entry);
  // First entry that is not before `target`, if it has the same key.
  const Record* find_version(const Target& target) const;

  // A leaf's content at one moment.
  struct View {
    const Leaf* leaf = nullptr;
    const Leaf* next = nullptr;
    std::uint32_t count = 0;
    std::array<const Record*, Node::kFanout> records;
  };
  // The leaf where `target` belongs, and how many of its entries are before it.
  std::uint32_t view_at(const Target& target, View& view) const;
  void view_first(View& view) const { view_edge(view, false); }
  void view_last(View& view) const { view_edge(view, true); }
  // The leaf's neighbours; false at the end. Entries added between two views may or may not be seen, others always are.
  bool view_next(View& view) const;
  bool view_previous(View& view) const;

  std::uint64_t memory_bytes() const { return arena_.bytes(); }
  std::uint64_t entries() const;

 private:
  struct Position {  // a node, and the version at which it was found to be the right one
    Node* node;
    std::uint64_t version;
  };
  Position start() const;
  bool descend(Position& at, std::uint32_t child) const;
  Position leaf_for(const Target& target) const;
  void view_edge(View& view, bool last) const;
  static bool copy(const Leaf& leaf, std::uint64_t version, View& view);
  static void copy_stable(const Leaf& leaf, View& view);

  bool try_insert(base::Arena::Slot& slot, const Record& record, const Target& target);
  void split(base::Arena::Slot& slot, const Position& parent, const Position& full);
  template <class T, class... Arguments>
  T* make(base::Arena::Slot& slot, Arguments... arguments) {
    return new (arena_.take_block(slot, sizeof(T))) T(arguments...);
  }

  struct alignas(64) Counter {
    std::atomic<std::uint64_t> value{0};
  };
  base::Arena arena_;
  std::atomic<Node*> root_;
  std::array<Counter, 16> entries_;  // striped by thread
};

}  // namespace lightning::memtable
