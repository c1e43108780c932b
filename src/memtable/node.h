// Nodes of the memtable's B+-tree, read optimistically: a reader notes the version, reads what it likes, and believes
// it only if the version is still the same.
//
// A slot is one 64-bit word: in a leaf a record, in an inner node a Boundary. Beside it lies the slot's head: the eight
// key bytes after the node's prefix as a number. A search runs over the heads alone and looks at a record only where
// heads tie, which in a leaf is mostly the record looked for.
//
// The prefix comes from one of two places. A node with boundaries on both sides is bounded: whatever key is routed to
// it shares what its two boundaries share, and nothing has to be checked. A node at the tree's edge has no such bound;
// its prefix is what its own keys share, a searched key is compared with it first, and it shrinks when a key outside
// comes.
//
// All that readers see is atomic. Loads acquire and stores release, so that a reader who saw a changed field also sees
// the changed version; on x86 these are plain moves.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/sync.h"
#include "memtable/record.h"

namespace lightning::memtable {

template <class T>
class Shared {
 public:
  T load() const { return value_.load(std::memory_order_acquire); }
  void store(T value) { value_.store(value, std::memory_order_release); }
  T own() const { return value_.load(std::memory_order_relaxed); }  // under the node's lock

 private:
  std::atomic<T> value_{};
};

class alignas(64) Node {
 public:
  static constexpr std::uint32_t kFanout = 64;

  explicit Node(std::uint8_t height) : height_(height) {}

  bool is_leaf() const { return height_ == 0; }
  std::uint8_t height() const { return height_; }

  // ---- version lock
  // Waits until nobody writes.
  std::uint64_t stable_version() const {
    std::uint64_t v = version_.load(std::memory_order_acquire);
    if ((v & kLocked) == 0) [[likely]]
      return v;
    return wait_for_version();
  }
  bool unchanged_since(std::uint64_t version) const { return version_.load(std::memory_order_acquire) == version; }
  // Fails if anybody wrote since `version`.
  bool try_lock(std::uint64_t version) {
    return version_.compare_exchange_strong(version, version | kLocked, std::memory_order_acquire,
                                            std::memory_order_relaxed);
  }
  void unlock() {
    version_.store((version_.load(std::memory_order_relaxed) & ~kLocked) + 2, std::memory_order_release);
  }

  // ---- reading; to be believed after unchanged_since() only
  std::uint32_t count() const { return std::min<std::uint32_t>(count_.load(), kFanout); }
  std::uintptr_t slot(std::uint32_t i) const { return slots_[i].load(); }
  const Record* record(std::uint32_t i) const { return reinterpret_cast<const Record*>(slot(i)); }
  Boundary low() const { return Boundary(low_.load()); }
  Boundary high() const { return Boundary(high_.load()); }
  Node* next() const { return next_.load(); }
  Node* previous() const { return previous_.load(); }  // or one before it: follow next() up to the wanted one
  // How many slots are before `target`; in an inner node a boundary at `target` counts too, so that this is the index
  // of the child to go to.
  std::uint32_t rank(const Target& target) const;
  // A search reads some heads, then one slot: all lines asked for at once cost one memory latency instead of three.
  void prefetch() const {
    for (std::size_t at = 0; at < sizeof(Node); at += 64) __builtin_prefetch(reinterpret_cast<const char*>(this) + at);
  }

  // ---- writing, under the lock
  bool full() const { return count_.load() == kFanout; }
  // True where entries keep coming at the right end, so that a split should leave the left node full.
  bool grows_at_end() const { return appends_.own() >= kFanout / 4; }
  void set_previous(Node* node) { previous_.store(node); }  // a hint: needs no lock

 protected:
  // Makes the prefix hold for `record` too, and returns its head.
  std::uint64_t admit(const Record& record);
  void insert_slot(std::uint32_t at, std::uint64_t head, std::uintptr_t word);
  // Moves slots [from, end) to the empty node `right`, less the first `dropped` ones, and splits the range at
  // `boundary`.
  void move_upper_half(Node& right, std::uint32_t from, std::uint32_t dropped, Boundary boundary);
  const Record& slot_record(std::uint32_t i) const { return Boundary(slots_[i].own()).record(); }

  Shared<Node*> next_;

 private:
  static constexpr std::uint64_t kLocked = 1;

  std::uint64_t wait_for_version() const;
  std::uint32_t rank_among_ties(std::uint32_t first, std::uint32_t count, std::uint64_t head, const Target& target,
                                std::size_t prefix) const;
  void choose_prefix();
  void rebuild_heads(std::size_t prefix);

  std::atomic<std::uint64_t> version_{0};
  const std::uint8_t height_;     // 0: leaf
  Shared<std::uint8_t> appends_;  // insertions at the end since the last one elsewhere
  Shared<std::uint16_t> count_;
  Shared<std::uint32_t> prefix_;     // bytes
  Shared<const Record*> prefix_of_;  // its key starts with the prefix; null: bounded, every routed key does
  Shared<std::uintptr_t> low_, high_;
  Shared<Node*> previous_;
  std::array<Shared<std::uint64_t>, kFanout> heads_;
  std::array<Shared<std::uintptr_t>, kFanout> slots_;
};

class Leaf : public Node {
 public:
  Leaf() : Node(0) {}
  void insert(std::uint32_t at, const Record& record) {
    insert_slot(at, admit(record), reinterpret_cast<std::uintptr_t>(&record));
  }
  // Moves the upper part into `right` and links it in behind; the boundary is for the parent.
  Boundary split(Leaf& right);
};
static_assert(sizeof(Leaf) == 64 + Node::kFanout * 16);

class Inner : public Node {
 public:
  explicit Inner(std::uint8_t height, Node* first) : Node(height) { children_[0].store(first); }
  Node* child(std::uint32_t i) const { return children_[i].load(); }
  void insert(Boundary boundary, Node* right_of_it);
  Boundary split(Inner& right);

 private:
  std::array<Shared<Node*>, kFanout + 1> children_;
};

}  // namespace lightning::memtable
