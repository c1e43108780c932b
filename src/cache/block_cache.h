// BlockCache: decoded blocks in memory, reached through a pointer in their table, not through a hash table.
//
// Every open table owns one BlockSlot per block. A hit is: enter an epoch, load the slot, use the block; no lock, no
// write to a shared line except setting a reference bit that is not yet set. A miss reads the block outside all locks
// and inserts it. Replacement is CAR, Clock with Adaptive Replacement (Bansal, Modha, FAST 2004): clocks T1 and T2 with
// reference bits, ghost lists B1 and B2 of slots whose block was evicted, an adaptive target; a long scan passes through
// T1 and leaves T2 alone. Evicted blocks are retired to the epoch domain; a pinned block lives until its last pin is gone.
//
// Threads: any. Capacity follows MemoryBudget::block_capacity() as other owners grow and shrink.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/epoch.h"
#include "base/memory_budget.h"
#include "base/sync.h"

namespace lightning::cache {

class BlockCache;

// A block's bytes, decompressed and verified, plus what the cache keeps about it. Made by BlockCache::allocate().
class Block {
 public:
  char* data() { return reinterpret_cast<char*>(this) + kHeaderBytes; }
  const char* data() const { return reinterpret_cast<const char*>(this) + kHeaderBytes; }
  std::uint32_t size() const { return size_; }
  std::string_view bytes() const { return {data(), size_}; }
  static constexpr std::size_t kHeaderBytes = 64;

 private:
  friend class BlockCache;
  Block() = default;
  std::atomic<std::uint32_t> pins_{0};       // the cache itself holds one while the block is in a slot
  std::atomic<bool> referenced_{false};
  std::uint32_t size_ = 0;
  BlockCache* cache_ = nullptr;
};
static_assert(sizeof(Block) <= Block::kHeaderBytes);

// Where a table finds one of its blocks. One atomic pointer for readers; the rest belongs to the cache (under its lock).
class BlockSlot {
 public:
  BlockSlot() = default;

 private:
  friend class BlockCache;
  std::atomic<Block*> block_{nullptr};
  // Membership in T1/T2/B1/B2: the helper that builds the cache decides the representation (for example 32-bit
  // links into a node pool); at most 16 bytes beside the pointer.
  std::uint32_t node_ = 0;
};

class BlockCache {
 public:
  BlockCache(base::MemoryBudget& budget, base::EpochDomain& epochs);
  ~BlockCache();   // every slot was erased before

  // The block in `slot`, or null. Must be called, and the result used, inside an epoch guard of `epochs`
  // (or pinned by pin() before the guard ends). Counts hits and misses per thread slot.
  Block* find(BlockSlot& slot);
  // Uninitialised memory for a block of `bytes`, charged to the budget and owned by the caller until insert() or
  // release(). Null when memory is exhausted.
  Block* allocate(std::uint32_t bytes);
  void release(Block* block);                  // drops a block that was never inserted, or a pin
  // Publishes `block` in `slot` and returns the one to use, pinned: another thread's, if it came first (then `block` is freed).
  // May evict others. With fill = false the block is not published, only pinned.
  Block* insert(BlockSlot& slot, Block* block, bool fill);
  void pin(Block* block);                      // inside an epoch guard, or while already pinned
  // Forgets the slots of a table that closes. No reader may still use them for new finds.
  void erase(BlockSlot* slots, std::uint64_t count);
  // Evicts until the blocks fit the budget's present block_capacity().
  void trim();

  struct Counters { std::uint64_t hits = 0, misses = 0, evictions = 0, bytes = 0, pinned_bytes = 0, blocks = 0; };
  Counters counters() const;
  base::EpochDomain& epochs();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lightning::cache
