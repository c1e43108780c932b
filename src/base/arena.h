// Memory that is given back all at once: a memtable's entries and its tree.
//
// The arena maps chunks (small ones first, then 2 MiB-aligned ones that ask for huge pages) and hands regions of them
// to threads; a thread bumps a cursor through a region of its own, so that two writers never meet in the common case.
//
// Two promises keep "out of memory" away from code that must not fail:
//   promise()    the calling thread's next so many allocate()s of so many bytes in all cannot fail;
//   set_aside()  so many bytes of small blocks can be had through prepare_block() by whichever thread needs them.
// The first holds memory in the thread's region. The second only keeps mapped and untouched memory back, which costs
// address space and nothing else until it is used.
//
// Threads: any; a Slot belongs to the thread that asked for it. Memory is zeroed when the system gives it, and lives
// until the destructor.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "base/memory_budget.h"
#include "base/per_thread.h"
#include "base/sync.h"
#include "lightning/result.h"

namespace lightning::base {

class Arena {
 public:
  static constexpr std::size_t kAlignment = 8;         // of allocate()
  static constexpr std::size_t kBlockAlignment = 64;   // of blocks
  static constexpr std::size_t kBlockBytesMax = 8192;  // for one prepare_block()
  static constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

  // Charges `owner` for what threads hold, until the destructor. Never maps more than `mapped_bytes_max`.
  // Throws std::bad_alloc if not even its table of slots can be mapped.
  Arena(MemoryBudget& budget, MemoryOwner owner, std::uint64_t mapped_bytes_max = kUnlimited);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  class Slot;
  // The calling thread's, good until the thread ends. Null, or an exception, as PerThread has it.
  Slot* slot_or_null();
  Slot& slot();

  // After success, the slot's next `allocations` calls of allocate(), of `bytes` in all, succeed: beyond those that
  // earlier promises still cover. Bytes that were promised and turn out not to be needed lapse with the last of the
  // promised calls. kOutOfMemory: nothing has changed.
  Status promise(Slot& slot, std::uint64_t allocations, std::uint64_t bytes);
  // Takes an unused promise() back.
  void withdraw(Slot& slot, std::uint64_t allocations, std::uint64_t bytes);
  static bool has_promised(const Slot& slot, std::size_t bytes);
  // Uses up promises first; without them it may throw std::bad_alloc.
  char* allocate(Slot& slot, std::size_t bytes);

  // After success, `bytes` more of blocks can be had by prepare_block() on any thread. kOutOfMemory: nothing changed.
  Status set_aside(Slot& slot, std::uint64_t bytes);
  // Takes an unused set_aside() back; the thread's next one finds it.
  static void put_back(Slot& slot, std::uint64_t bytes);
  // Makes the next take_block()s of this slot, `bytes` in all, succeed without a lock or a system call. Uses what is
  // set aside when the system has no more; throws std::bad_alloc if that is used up too.
  void prepare_block(Slot& slot, std::size_t bytes);
  // `bytes` must be a multiple of kBlockAlignment and prepared.
  char* take_block(Slot& slot, std::size_t bytes);

  std::uint64_t bytes() const { return handed_out_.load(std::memory_order_relaxed); }  // held by threads' regions

 private:
  struct Region {
    char* cursor;
    char* end;
    std::size_t room() const { return static_cast<std::size_t>(end - cursor); }
  };
  struct Chunk {
    char* base;
    std::size_t bytes;
    Region free;
  };

  Region take(std::size_t need, std::size_t want) LIGHTNING_REQUIRES(mutex_);
  Region take_from_chunks(std::size_t need, std::size_t want, std::uint64_t keep) LIGHTNING_REQUIRES(mutex_);
  Region take_whole_chunk(std::size_t need) LIGHTNING_REQUIRES(mutex_);
  Region hand_out(Chunk& chunk, std::size_t bytes) LIGHTNING_REQUIRES(mutex_);
  bool map_chunk(std::size_t need) LIGHTNING_REQUIRES(mutex_);
  bool map(std::size_t bytes) LIGHTNING_REQUIRES(mutex_);
  std::uint64_t usable() const LIGHTNING_REQUIRES(mutex_);
  std::size_t next_region_bytes(Slot& slot) const;
  Slot* far_slot_or_null(std::uint32_t slot);

  MemoryBudget& budget_;
  const MemoryOwner owner_;
  const std::uint64_t mapped_bytes_max_;
  Slot* const slots_;                                             // the near threads'
  std::array<std::atomic<Slot*>, FarSlot::kChunks> far_slots_{};  // the others'
  std::atomic<std::uint64_t> handed_out_{0};

  Mutex mutex_{LockRank::kMemory};
  std::vector<Chunk> chunks_ LIGHTNING_GUARDED_BY(mutex_);
  std::size_t first_open_ LIGHTNING_GUARDED_BY(mutex_) = 0;  // chunks before it have no room for a block
  std::size_t next_chunk_bytes_ LIGHTNING_GUARDED_BY(mutex_);
  std::uint64_t mapped_ LIGHTNING_GUARDED_BY(mutex_) = 0;
  std::uint64_t set_aside_ LIGHTNING_GUARDED_BY(mutex_) = 0;
};

// What one thread allocates from. All zero is the valid initial state: slots live in untouched zero pages.
class alignas(128) Arena::Slot {
  friend class Arena;
  Region small;  // where allocate() takes from
  Region large;  // a whole promise too big for `small`; used up first
  Region blocks;
  std::uint64_t promised_allocations;
  std::uint64_t promised;    // bytes for them, with the most that rounding may add
  std::int64_t aside;        // set aside by this thread in advance: granted to it, promised to nobody
  std::size_t region_bytes;  // size of the next region; grows
};

inline Arena::Slot* Arena::slot_or_null() {
  const std::uint32_t slot = thread_slot();
  if (slot < kThreadSlotsNear) [[likely]]
    return &slots_[slot];
  return far_slot_or_null(slot);
}

inline Arena::Slot& Arena::slot() {
  Slot* const mine = slot_or_null();
  if (mine == nullptr) [[unlikely]]
    throw std::bad_alloc();
  return *mine;
}

inline bool Arena::has_promised(const Slot& slot, std::size_t bytes) {
  return slot.promised_allocations > 0 && slot.promised >= bytes + kAlignment - 1;
}

inline void Arena::put_back(Slot& slot, std::uint64_t bytes) { slot.aside += static_cast<std::int64_t>(bytes); }

inline char* Arena::take_block(Slot& slot, std::size_t bytes) {
  char* const block = slot.blocks.cursor;
  slot.blocks.cursor += bytes;
  // This block came from the thread's region, so what was set aside for it is still there for the next.
  slot.aside += static_cast<std::int64_t>(bytes);
  return block;
}

inline char* Arena::allocate(Slot& slot, std::size_t bytes) {
  if (!has_promised(slot, bytes)) [[unlikely]] {
    if (!promise(slot, 1, bytes)) throw std::bad_alloc();
  }
  slot.promised -= bytes + kAlignment - 1;
  if (--slot.promised_allocations == 0) slot.promised = 0;
  bytes = (bytes + kAlignment - 1) & ~(kAlignment - 1);
  Region& region = slot.large.room() >= bytes ? slot.large : slot.small;
  char* const result = region.cursor;
  region.cursor += bytes;
  return result;
}

}  // namespace lightning::base
