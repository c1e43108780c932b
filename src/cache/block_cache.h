// BlockCache: decoded blocks in memory, reached through a pointer in their table, not through a hash table.
//
// Every open table owns one BlockSlot per block. A hit is: enter an epoch, load the slot, use the block; no lock, no
// write to a shared line except setting a reference bit that is not yet set. A miss reads the block outside all locks
// and inserts it. Replacement is CAR (car.h): a long scan passes through it and leaves the hot blocks alone. Evicted
// blocks are retired to the epoch domain; a pinned block lives until its last pin is gone.
//
//   base::EpochDomain::Guard guard(cache.epochs());
//   if (cache::Block* block = cache.find(slots[i])) use(block->bytes());
//
// Threads: any. Capacity follows MemoryBudget::block_capacity() as other owners grow and shrink. Everything is charged
// to MemoryOwner::kBlocks as it is really held: headers, rounding, free places kept for the next block, and blocks that
// were evicted but can still be seen.
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
// Immutable from insert() on.
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
  // Callers' pins, plus kCachePin from insert() until no reader can find the block any more. Freed at zero.
  std::atomic<std::uint32_t> pins_{0};
  static constexpr std::uint32_t kCachePin = 1u << 31;
  std::uint32_t size_ = 0;
  Block* next_retired_ = nullptr;
  void* cache_ = nullptr;  // BlockCache::Impl
};
static_assert(sizeof(Block) <= Block::kHeaderBytes);

// Where a table finds one of its blocks: 16 bytes, of which a hit needs no more. Stays at its address until
// BlockCache::erase().
class BlockSlot {
 public:
  BlockSlot() = default;

 private:
  friend class BlockCache;
  friend class Car;
  std::atomic<Block*> block_{nullptr};
  std::atomic<bool> referenced_{false};  // found since the clock's hand last passed
  std::uint32_t node_ = 0;               // membership in the replacement lists, which outlives the block; 0: none
};

class BlockCache {
 public:
  // `budget` outlives `epochs`, and `epochs` outlives the cache.
  BlockCache(base::MemoryBudget& budget, base::EpochDomain& epochs);
  // Every slot was erased before, and no call is in progress. Blocks that are still pinned, or retired and not yet
  // freed, stay valid and charged until released.
  ~BlockCache();
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  // The block in `slot`, or null. Must be called, and the result used, inside an epoch guard of `epochs`
  // (or pinned by pin() before the guard ends). Counts a hit; the miss is counted by insert(), once, however often the
  // block was looked for until then.
  Block* find(BlockSlot& slot) {
    Block* block = slot.block_.load(std::memory_order_acquire);
    if (block == nullptr) return nullptr;
    // Read first: the line stays shared among the cores.
    if (!slot.referenced_.load(std::memory_order_relaxed)) slot.referenced_.store(true, std::memory_order_relaxed);
    if (ThreadCounters* const mine = thread_counters_->mine_or_null()) [[likely]]
      add(mine->hits, std::uint64_t{1});
    return block;
  }
  // Uninitialised memory for a block of `bytes`, charged to the budget and owned by the caller until insert() or
  // release(). Null when memory is exhausted.
  Block* allocate(std::uint32_t bytes);
  // Drops a block that was never inserted, or a pin. Inside or outside a guard.
  static void release(Block* block);
  // Publishes `block` in `slot` and returns the one to use, pinned: another thread's, if it came first (then `block`
  // is freed). May evict others. With fill = false the block is not published, only pinned, and counts as no miss; so
  // it goes, counted, with a block larger than half the capacity, and while readers hold up the freeing of what was
  // evicted.
  Block* insert(BlockSlot& slot, Block* block, bool fill);
  // Keeps `block` past the end of the guard. Inside an epoch guard, or while already pinned.
  static void pin(Block* block);
  // Forgets the slots of a table that closes, ghosts included. No reader may still use them for new finds.
  void erase(BlockSlot* slots, std::uint64_t count);
  // Evicts until the blocks fit the budget's present block_capacity(). For whoever made others grow; insert() keeps to
  // the capacity by itself. Not inside a guard: what is evicted could not be freed.
  void trim();

  struct Counters {
    std::uint64_t hits = 0, misses = 0, evictions = 0;   // since the cache was made
    std::uint64_t bytes = 0, blocks = 0;                 // published now; bytes with header and rounding
    std::uint64_t pinned_bytes = 0;                      // of blocks, published or not, that callers keep
    std::uint64_t retired_bytes = 0;                     // evicted, not yet freed
    std::uint64_t recent_bytes = 0, frequent_bytes = 0;  // of `bytes`: seen once, seen again
    std::uint64_t recent_target_bytes = 0;               // what CAR wants recent_bytes to be
    std::uint64_t ghosts = 0;                            // evicted blocks that are still remembered
  };
  Counters counters() const;
  base::EpochDomain& epochs();

 private:
  class Impl;
  // Written by its thread alone, so that a plain load and store count; others only read.
  struct alignas(64) ThreadCounters {
    std::atomic<std::uint64_t> hits{0};
    std::atomic<std::uint64_t> misses{0};
    std::atomic<std::int64_t> pinned_bytes{0};  // a share: one thread pins, another releases
  };
  template <class T>
  static void add(std::atomic<T>& counter, T n) {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  Impl* impl_;  // lives until the last block is freed
  base::PerThread<ThreadCounters>* thread_counters_;
};

}  // namespace lightning::cache
