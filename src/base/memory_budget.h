// One memory budget for everything a database holds: who holds how much, and how much is left for the block cache.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace lightning::base {

enum class MemoryOwner : std::uint8_t {
  kBlocks,
  kFiltersAndIndexes,
  kMemTables,
  kLogBuffers,
  kFixed,  // what the process takes without any data
  kCount
};

// Threads: any. Accounting only: it never refuses; owners that can shrink (the block cache) look at headroom().
class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t bytes) : limit_(bytes) {}

  void charge(MemoryOwner owner, std::int64_t bytes) {  // negative: give back
    held_[static_cast<std::size_t>(owner)].value.fetch_add(bytes, std::memory_order_relaxed);
  }
  std::uint64_t held(MemoryOwner owner) const {
    const auto v = held_[static_cast<std::size_t>(owner)].value.load(std::memory_order_relaxed);
    return v > 0 ? static_cast<std::uint64_t>(v) : 0;
  }
  std::uint64_t limit() const { return limit_; }
  // What the block cache may hold: the limit less what all others hold, and at least a sixteenth of the limit.
  std::uint64_t block_capacity() const {
    std::uint64_t others = 0;
    for (std::size_t i = 0; i < held_.size(); ++i)
      if (i != static_cast<std::size_t>(MemoryOwner::kBlocks)) others += held(static_cast<MemoryOwner>(i));
    const std::uint64_t floor = limit_ / 16;
    return others + floor >= limit_ ? floor : limit_ - others;
  }

 private:
  struct alignas(64) Counter {
    std::atomic<std::int64_t> value{0};
  };
  const std::uint64_t limit_;
  std::array<Counter, static_cast<std::size_t>(MemoryOwner::kCount)> held_;
};

// A charge for as long as it lives. The budget must outlive it.
class MemoryCharge {
 public:
  MemoryCharge(MemoryBudget& budget, MemoryOwner owner, std::uint64_t bytes)
      : budget_(budget), owner_(owner), bytes_(static_cast<std::int64_t>(bytes)) {
    budget_.charge(owner_, bytes_);
  }
  ~MemoryCharge() { budget_.charge(owner_, -bytes_); }
  MemoryCharge(const MemoryCharge&) = delete;
  MemoryCharge& operator=(const MemoryCharge&) = delete;

 private:
  MemoryBudget& budget_;
  const MemoryOwner owner_;
  const std::int64_t bytes_;
};

}  // namespace lightning::base
