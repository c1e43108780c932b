// SlabAllocator: memory for many objects of similar sizes that come and go in random order, from any thread, with
// books that match what the operating system sees.
//
// Sizes are rounded up to a class: 16 classes per doubling, so that rounding costs at most a seventeenth (multiples of
// 64 bytes below 1 KiB). Classes are cut from regions of 2 MiB; a class that fills many regions gets huge pages.
// Every region knows which of its pages are resident. What is charged to the budget is exactly those pages: objects,
// rounding, gaps and free places alike. Free places that stay resident are the slack; beyond a limit, pages of freed
// objects go back to the operating system at once, and so do empty regions. Larger objects are mappings of their own.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/memory_budget.h"
#include "base/sync.h"

namespace lightning::base {

// Threads: any; one lock, held for tens of instructions (and one madvise() while memory is being given back).
class SlabAllocator {
 public:
  static constexpr std::size_t kRegionBytes = std::size_t{2} << 20;
  static constexpr std::size_t kSmallestClass = 256;
  static constexpr std::size_t kLargestClass = std::size_t{256} << 10;  // more is mapped directly
  static constexpr std::size_t kAlignment = 64;

  // All that is held is charged to `owner` in `budget`, which must outlive the allocator.
  SlabAllocator(MemoryBudget& budget, MemoryOwner owner) : budget_(budget), owner_(owner) {}
  ~SlabAllocator();  // everything allocated was freed before
  SlabAllocator(const SlabAllocator&) = delete;
  SlabAllocator& operator=(const SlabAllocator&) = delete;

  // Uninitialised memory, aligned to 64 bytes. Null when the system has none to give.
  void* allocate(std::size_t bytes);
  // `bytes` as given to allocate().
  void free(void* memory, std::size_t bytes);

  // What an object of `bytes` takes up.
  static std::size_t footprint(std::size_t bytes);
  // Bytes charged to the budget at present; of these, the footprints of allocated objects.
  std::uint64_t held_bytes() const { return held_.load(std::memory_order_relaxed); }
  std::uint64_t live_bytes() const { return live_.load(std::memory_order_relaxed); }

 private:
  struct Region;
  struct RegionList {
    Region* head = nullptr;
  };
  struct SizeClass {
    RegionList warm;  // regions with a free place whose pages are resident
    RegionList cold;  // regions whose free places were all given back or never used
    std::uint32_t regions = 0;
  };
  static constexpr std::size_t kClasses = 16 + 16 * 8;

  void* allocate_large(std::size_t bytes);
  void free_large(void* memory, std::size_t bytes);
  Region* map_region(std::uint32_t index) LIGHTNING_REQUIRES(mutex_);
  void* take(Region& region) LIGHTNING_REQUIRES(mutex_);
  void file(Region& region) LIGHTNING_REQUIRES(mutex_);
  void give_back(Region& region, std::uint32_t place) LIGHTNING_REQUIRES(mutex_);
  void hold(std::int64_t bytes);
  bool slack_is_too_large() const;

  MemoryBudget& budget_;
  const MemoryOwner owner_;
  std::atomic<std::uint64_t> held_{0};
  std::atomic<std::uint64_t> live_{0};
  Mutex mutex_{LockRank::kMemory};
  std::array<SizeClass, kClasses> classes_ LIGHTNING_GUARDED_BY(mutex_);
};

}  // namespace lightning::base
