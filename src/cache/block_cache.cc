#include "cache/block_cache.h"

#include <algorithm>
#include <array>
#include <new>

#include "base/slab.h"
#include "cache/car.h"

namespace lightning::cache {
namespace {

constexpr std::uint32_t kEvictionsPerLock = 64;  // trim() lets others in between
constexpr std::uint64_t kErasesPerLock = 256;

// Retired blocks are charged until freed, so the smaller the cache, the sooner they are collected.
constexpr std::uint64_t kRetiredShareToCollect = 128;
// With this share retired and not freed, some reader stays inside its guard: publishing more would only retire more.
constexpr std::uint64_t kRetiredShareMax = 4;

}  // namespace

class BlockCache::Impl {
 public:
  Impl(base::MemoryBudget& budget, base::EpochDomain& epochs)
      : budget_(budget), epochs_(epochs), slab_(budget, base::MemoryOwner::kBlocks) {}
  ~Impl() { budget_.charge(base::MemoryOwner::kBlocks, -static_cast<std::int64_t>(car_.pool_bytes())); }

  static Impl& of(Block* block) { return *static_cast<Impl*>(block->cache_); }
  static std::uint64_t footprint(const Block& block) {
    return base::SlabAllocator::footprint(Block::kHeaderBytes + block.size_);
  }

  Block* allocate(std::uint32_t bytes);
  void pin(Block& block);
  void unpin(Block& block);
  Block* insert(BlockSlot& slot, Block* block);
  void erase(BlockSlot* slots, std::uint64_t count);
  void trim();
  Counters counters() const;
  void unreference() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  base::EpochDomain& epochs() { return epochs_; }
  base::PerThread<ThreadCounters>* thread_counters() { return &thread_counters_; }

 private:
  // Blocks taken out of their slots under the lock, to be retired after it.
  class Retirement {
   public:
    void add(Block* block) {
      block->next_retired_ = first_;
      first_ = block;
    }
    Block* first() const { return first_; }

   private:
    Block* first_ = nullptr;
  };

  void count_miss() {
    if (ThreadCounters* const mine = thread_counters_.mine_or_null()) [[likely]]
      add(mine->misses, std::uint64_t{1});
  }
  void count_pinned(std::int64_t bytes) {
    if (ThreadCounters* const mine = thread_counters_.mine_or_null()) [[likely]] {
      add(mine->pinned_bytes, bytes);
    } else {
      pinned_elsewhere_.fetch_add(bytes, std::memory_order_relaxed);
    }
  }
  void free(Block& block);
  void drop_cache_pin(Block& block);
  static void drop_cache_pins(Block* first);
  std::int64_t excess() const;
  bool admits(std::uint64_t bytes) const;
  void take_out(BlockSlot& slot, Retirement& retirement) LIGHTNING_REQUIRES(mutex_);
  bool publish(BlockSlot& slot, Block& block) LIGHTNING_REQUIRES(mutex_);
  // Evicts what exceeds the capacity. True if there is more, after `blocks_max`.
  bool evict(std::uint32_t blocks_max, Retirement& retirement) LIGHTNING_REQUIRES(mutex_);
  void retire(const Retirement& retirement);
  void collect_if_many_retired(std::uint64_t share);

  base::MemoryBudget& budget_;
  base::EpochDomain& epochs_;
  base::SlabAllocator slab_;
  std::atomic<std::uint64_t> references_{1};  // the cache's own, and one for each block
  std::atomic<std::uint64_t> retired_bytes_{0};
  base::PerThread<ThreadCounters> thread_counters_;
  std::atomic<std::int64_t> pinned_elsewhere_{0};  // by threads for whose counters there was no memory

  mutable base::Mutex mutex_{base::LockRank::kCacheList};
  Car car_ LIGHTNING_GUARDED_BY(mutex_);
  std::uint64_t evictions_ LIGHTNING_GUARDED_BY(mutex_) = 0;
};

Block* BlockCache::Impl::allocate(std::uint32_t bytes) {
  void* memory = slab_.allocate(Block::kHeaderBytes + std::size_t{bytes});
  if (memory == nullptr) return nullptr;
  references_.fetch_add(1, std::memory_order_relaxed);
  Block* block = new (memory) Block;
  block->size_ = bytes;
  block->cache_ = this;
  pin(*block);
  return block;
}

void BlockCache::Impl::pin(Block& block) {
  const std::uint32_t before = block.pins_.fetch_add(1, std::memory_order_relaxed);
  if ((before & ~Block::kCachePin) == 0) count_pinned(static_cast<std::int64_t>(footprint(block)));
}

void BlockCache::Impl::unpin(Block& block) {
  const auto bytes = static_cast<std::int64_t>(footprint(block));
  std::uint32_t pins = block.pins_.load(std::memory_order_relaxed);
  // Counted before the pin goes: after it, the block, and with the last block this object, may be gone.
  for (;;) {
    const bool last = (pins & ~Block::kCachePin) == 1;
    if (last) count_pinned(-bytes);
    if (block.pins_.compare_exchange_weak(pins, pins - 1, std::memory_order_acq_rel, std::memory_order_relaxed)) break;
    if (last) count_pinned(bytes);
  }
  if (pins == 1) free(block);
}

void BlockCache::Impl::drop_cache_pin(Block& block) {
  const std::uint64_t bytes = footprint(block);
  const std::uint32_t before = block.pins_.fetch_sub(Block::kCachePin, std::memory_order_acq_rel);
  if (before == Block::kCachePin) free(block);
  // After the memory: counted as neither held nor retired, it would let too much in.
  retired_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

void BlockCache::Impl::free(Block& block) {
  const std::size_t bytes = Block::kHeaderBytes + std::size_t{block.size_};
  block.~Block();
  slab_.free(&block, bytes);
  unreference();
}

// By how much the blocks exceed their capacity, once those retired are freed.
std::int64_t BlockCache::Impl::excess() const {
  const std::uint64_t wanted = budget_.block_capacity() + retired_bytes_.load(std::memory_order_relaxed);
  return static_cast<std::int64_t>(budget_.held(base::MemoryOwner::kBlocks) - wanted);
}

bool BlockCache::Impl::admits(std::uint64_t bytes) const {
  const std::uint64_t capacity = budget_.block_capacity();
  return bytes <= capacity / 2 && retired_bytes_.load(std::memory_order_relaxed) <= capacity / kRetiredShareMax;
}

void BlockCache::Impl::take_out(BlockSlot& slot, Retirement& retirement) {
  // seq_cst: no reader whom collect() does not see can still load the block.
  Block* block = slot.block_.exchange(nullptr, std::memory_order_seq_cst);
  if (block == nullptr) return;
  retired_bytes_.fetch_add(footprint(*block), std::memory_order_relaxed);
  retirement.add(block);
}

bool BlockCache::Impl::evict(std::uint32_t blocks_max, Retirement& retirement) {
  const std::int64_t needed = excess();
  if (needed <= 0) return false;
  const std::uint64_t found =
      car_.evict(static_cast<std::uint64_t>(needed), blocks_max, [&](BlockSlot& slot, bool last_chance) {
        mutex_.assert_held();
        if (slot.referenced_.load(std::memory_order_relaxed) && !last_chance) {
          slot.referenced_.store(false, std::memory_order_relaxed);
          return Car::Verdict::kReferenced;
        }
        const Block& block = *slot.block_.load(std::memory_order_relaxed);
        if ((block.pins_.load(std::memory_order_relaxed) & ~Block::kCachePin) != 0) return Car::Verdict::kPinned;
        take_out(slot, retirement);
        ++evictions_;
        return Car::Verdict::kEvicted;
      });
  return found > 0 && excess() > 0;
}

bool BlockCache::Impl::publish(BlockSlot& slot, Block& block) {
  const std::uint64_t pool_before = car_.pool_bytes();
  if (!car_.admit(slot, footprint(block), budget_.block_capacity())) return false;
  if (car_.pool_bytes() != pool_before)
    budget_.charge(base::MemoryOwner::kBlocks, static_cast<std::int64_t>(car_.pool_bytes() - pool_before));
  block.pins_.fetch_add(Block::kCachePin, std::memory_order_relaxed);
  slot.referenced_.store(false, std::memory_order_relaxed);  // may be left from a reader of the block before
  slot.block_.store(&block, std::memory_order_release);
  return true;
}

Block* BlockCache::Impl::insert(BlockSlot& slot, Block* block) {
  count_miss();
  collect_if_many_retired(kRetiredShareMax);
  Block* first = nullptr;
  bool more = false;
  Retirement retirement;
  {
    base::MutexLock lock(mutex_);
    first = slot.block_.load(std::memory_order_relaxed);
    if (first != nullptr) {
      pin(*first);  // it cannot leave its slot meanwhile: that takes the lock
    } else if (admits(footprint(*block))) {
      more = evict(kEvictionsPerLock, retirement);
      publish(slot, *block);
    }
  }
  retire(retirement);
  if (more) trim();  // a block much larger than those it displaces
  if (first == nullptr) return block;
  unpin(*block);
  return first;
}

void BlockCache::Impl::erase(BlockSlot* slots, std::uint64_t count) {
  for (std::uint64_t done = 0; done < count;) {
    const std::uint64_t end = std::min(count, done + kErasesPerLock);
    Retirement retirement;
    {
      base::MutexLock lock(mutex_);
      for (; done < end; ++done) {
        car_.forget(slots[done]);
        take_out(slots[done], retirement);
      }
    }
    retire(retirement);
  }
}

void BlockCache::Impl::trim() {
  for (bool more = true; more;) {
    Retirement retirement;
    {
      base::MutexLock lock(mutex_);
      more = evict(kEvictionsPerLock, retirement);
    }
    retire(retirement);
    epochs_.collect();
    // Places may have stayed with the allocator; then the books ask for more than was evicted.
    more = more || (retirement.first() != nullptr && excess() > 0);
  }
}

// One retirement for all: nobody could find any of them after the last was taken out.
void BlockCache::Impl::retire(const Retirement& retirement) {
  if (retirement.first() == nullptr) return;
  epochs_.retire(retirement.first(), [](void* first) { drop_cache_pins(static_cast<Block*>(first)); });
  collect_if_many_retired(kRetiredShareToCollect);
}

void BlockCache::Impl::drop_cache_pins(Block* first) {
  Impl& impl = of(first);
  impl.references_.fetch_add(1, std::memory_order_relaxed);  // the last block may be among these
  for (Block* block = first; block != nullptr;) {
    Block* next = block->next_retired_;
    impl.drop_cache_pin(*block);
    block = next;
  }
  impl.unreference();
}

void BlockCache::Impl::collect_if_many_retired(std::uint64_t share) {
  if (retired_bytes_.load(std::memory_order_relaxed) > budget_.block_capacity() / share) epochs_.collect();
}

BlockCache::Counters BlockCache::Impl::counters() const {
  Counters sum;
  std::int64_t pinned = pinned_elsewhere_.load(std::memory_order_relaxed);
  thread_counters_.for_each([&](const ThreadCounters& c) {
    sum.hits += c.hits.load(std::memory_order_relaxed);
    sum.misses += c.misses.load(std::memory_order_relaxed);
    pinned += c.pinned_bytes.load(std::memory_order_relaxed);
  });
  sum.pinned_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(pinned, 0));
  sum.retired_bytes = retired_bytes_.load(std::memory_order_relaxed);
  base::MutexLock lock(mutex_);
  sum.evictions = evictions_;
  sum.recent_bytes = car_.recent_bytes();
  sum.frequent_bytes = car_.frequent_bytes();
  sum.bytes = sum.recent_bytes + sum.frequent_bytes;
  sum.blocks = car_.blocks();
  sum.recent_target_bytes = car_.target_bytes();
  sum.ghosts = car_.ghosts();
  return sum;
}

BlockCache::BlockCache(base::MemoryBudget& budget, base::EpochDomain& epochs)
    : impl_(new Impl(budget, epochs)), thread_counters_(impl_->thread_counters()) {}

BlockCache::~BlockCache() {
  impl_->epochs().collect();
  impl_->unreference();
}

Block* BlockCache::allocate(std::uint32_t bytes) { return impl_->allocate(bytes); }
void BlockCache::release(Block* block) { Impl::of(block).unpin(*block); }
Block* BlockCache::insert(BlockSlot& slot, Block* block, bool fill) {
  return fill ? impl_->insert(slot, block) : block;
}
void BlockCache::pin(Block* block) { Impl::of(block).pin(*block); }
void BlockCache::erase(BlockSlot* slots, std::uint64_t count) { impl_->erase(slots, count); }
void BlockCache::trim() { impl_->trim(); }
BlockCache::Counters BlockCache::counters() const { return impl_->counters(); }
base::EpochDomain& BlockCache::epochs() { return impl_->epochs(); }

}  // namespace lightning::cache
