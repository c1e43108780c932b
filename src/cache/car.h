// CAR, Clock with Adaptive Replacement (Bansal, Modha: "CAR: Clock with Adaptive Replacement", FAST 2004), by bytes.
//
//   new block -> [ T1 recent ] --referenced--> [ T2 frequent ] <-- again, when its reference bit is set
//                     |                             |
//                  evicted                       evicted
//                     v                             v
//                [ B1 ghosts ]                 [ B2 ghosts ]        a ghost that comes back goes to T2
//
// T1 and T2 are clocks: a hit sets a bit, and the hand, when it needs a victim, takes the first block whose bit is
// clear. T1 gives when it is over its target, else T2. The target learns from regret: a block that comes back while B1
// remembers it says that T1 was too small; from B2, that T2 was. A scan fills T1 only, because nothing in it is
// referenced twice. T1 with B1 stay within the capacity, all four within twice the capacity.
//
// Two departures from the paper: a pinned block is passed over, since evicting it frees nothing, and after
// kChancesMax second chances in a row the next block is taken anyway, which bounds the time under the cache's lock.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "cache/block_cache.h"

namespace lightning::cache {

// Threads: the caller's lock.
class Car {
 public:
  static constexpr std::uint32_t kChancesMax = 128;
  static constexpr std::uint64_t kSizeUnit = 64;  // sizes are multiples of this

  enum class Verdict : std::uint8_t { kEvicted, kReferenced, kPinned };
  // Looks for victims of `bytes` together, at most `blocks_max`; returns the bytes found. `visit(slot, last_chance)`
  // decides about one block: it evicts it, or clears its reference bit (not if `last_chance`), or says that it is
  // pinned.
  template <class Visit>
  std::uint64_t evict(std::uint64_t bytes, std::uint32_t blocks_max, const Visit& visit);

  // `slot` got a block of `bytes`; it is new or a ghost. False if there is no memory to remember it.
  bool admit(BlockSlot& slot, std::uint64_t bytes, std::uint64_t capacity);
  // `slot` goes away.
  void forget(BlockSlot& slot);

  std::uint64_t recent_bytes() const { return list(kRecent).bytes; }
  std::uint64_t frequent_bytes() const { return list(kFrequent).bytes; }
  std::uint64_t blocks() const { return list(kRecent).count + list(kFrequent).count; }
  std::uint64_t ghosts() const { return list(kRecentGhosts).count + list(kFrequentGhosts).count; }
  std::uint64_t target_bytes() const { return target_; }
  std::uint64_t pool_bytes() const { return chunks_.size() * sizeof(Node) * kChunkNodes; }

 private:
  enum ListName : std::uint8_t { kRecent, kFrequent, kRecentGhosts, kFrequentGhosts, kLists };
  struct Node {
    BlockSlot* slot;
    std::uint32_t next;  // towards the newest; in the free list, the next free node
    std::uint32_t previous;
    std::uint32_t size;  // in units of kSizeUnit
    ListName list;
    std::uint64_t bytes() const { return size * kSizeUnit; }
  };
  struct List {
    std::uint32_t oldest = 0, newest = 0;
    std::uint64_t bytes = 0, count = 0;
  };
  static constexpr std::uint32_t kChunkNodes = 1024;

  Node& node(std::uint32_t index) { return chunks_[index / kChunkNodes][index % kChunkNodes]; }
  List& list(ListName name) { return lists_[name]; }
  const List& list(ListName name) const { return lists_[name]; }
  std::uint32_t new_node();
  void free_node(std::uint32_t index);
  void push_newest(ListName name, std::uint32_t index);
  void unlink(std::uint32_t index);
  void move(std::uint32_t index, ListName to) { unlink(index), push_newest(to, index); }
  ListName hand() const;
  void learn(ListName ghosts, std::uint64_t bytes, std::uint64_t capacity);
  void limit_ghosts(std::uint64_t capacity);
  void drop_oldest(ListName ghosts);

  std::array<List, kLists> lists_;
  std::uint64_t target_ = 0;  // of recent_bytes()
  // 32-bit links into chunks that never move: node 0 is never used.
  std::vector<std::unique_ptr<Node[]>> chunks_;
  std::uint32_t unused_ = 0;  // nodes of the last chunk handed out so far, counted over all chunks
  std::uint32_t free_ = 0;
};

template <class Visit>
std::uint64_t Car::evict(std::uint64_t bytes, std::uint32_t blocks_max, const Visit& visit) {
  std::uint64_t found = 0;
  std::uint32_t blocks = 0, chances = 0, pinned = 0;
  bool other_clock = false;
  while (found < bytes && blocks < blocks_max && pinned < kChancesMax) {
    ListName from = hand();
    if (other_clock && list(from == kRecent ? kFrequent : kRecent).count > 0)
      from = from == kRecent ? kFrequent : kRecent;
    if (list(from).count == 0) break;
    const std::uint32_t index = list(from).oldest;
    other_clock = false;
    switch (visit(*node(index).slot, chances >= kChancesMax)) {
      case Verdict::kEvicted:
        found += node(index).bytes();
        ++blocks;
        chances = pinned = 0;
        move(index, from == kRecent ? kRecentGhosts : kFrequentGhosts);
        break;
      case Verdict::kReferenced:
        ++chances;
        move(index, kFrequent);
        break;
      case Verdict::kPinned:
        ++pinned;
        other_clock = true;  // all of one clock may be pinned
        move(index, from);
        break;
    }
  }
  return found;
}

}  // namespace lightning::cache
