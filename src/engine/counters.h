// What the engine counts. Each thread writes to lines of its own; reading adds them up.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/histogram.h"
#include "base/per_thread.h"

namespace lightning::engine {

enum class Counter : std::uint8_t {
  kGets,
  kGetHits,
  kMultiGets,
  kPuts,
  kErases,
  kMerges,
  kRangeErases,
  kBatches,
  kSeeks,
  kScannedEntries,
  kPassedTombstones,
  kUserBytesWritten,
  kUserBytesRead,
  kFilterChecks,
  kFilterNegatives,
  kCount
};

// Counted by background jobs, rarely: plain shared atomics.
struct BackgroundCounters {
  std::atomic<std::uint64_t> flushes{0}, flush_bytes{0}, compactions{0}, compaction_bytes_read{0},
      compaction_bytes_written{0}, tables_moved{0}, tables_erased{0}, tables_rewritten{0}, blocks_rebuilt{0};
  std::atomic<std::uint64_t> blob_collections{0}, blob_bytes_moved{0}, blob_bytes_reclaimed{0};
  std::atomic<std::uint64_t> memtable_limit_count{0}, memtable_limit_us{0}, level0_slowdown_count{0},
      level0_slowdown_us{0}, level0_stop_count{0}, level0_stop_us{0}, archive_limit_count{0}, archive_limit_us{0};
};

class Counters {
 public:
  void add(Counter counter, std::uint64_t amount = 1) {
    Slot* const slot = slots_->mine_or_null();
    if (slot == nullptr) [[unlikely]]
      return;  // the thousandth thread and no memory: one count less
    auto& value = slot->values[static_cast<std::size_t>(counter)];
    value.store(value.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);  // one writer per slot
  }
  std::uint64_t sum(Counter counter) const {
    std::uint64_t total = 0;
    std::as_const(*slots_).for_each([&](const Slot& slot) {
      total += slot.values[static_cast<std::size_t>(counter)].load(std::memory_order_relaxed);
    });
    return total;
  }
  // True for one call in 32 of this thread: whose latency is then measured.
  bool sample() {
    Slot* const slot = slots_->mine_or_null();
    if (slot == nullptr) [[unlikely]]
      return false;
    auto& turn = slot->turn;
    const std::uint32_t now = turn.load(std::memory_order_relaxed);
    turn.store(now + 1, std::memory_order_relaxed);
    return now % 32 == 0;
  }

 private:
  struct alignas(128) Slot {
    std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Counter::kCount)> values{};
    std::atomic<std::uint32_t> turn{0};
  };
  std::unique_ptr<base::PerThread<Slot>> slots_ = std::make_unique<base::PerThread<Slot>>();
};

struct LatencyHistograms {
  base::Histogram get, put, write, seek, sync;
};

}  // namespace lightning::engine
