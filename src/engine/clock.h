// The engine's clock: what decides whether a record has expired.
//
// It is the system's clock, but never goes back: not while the database is open, whatever anybody sets the system's
// clock to, and not across a restart, where it begins no earlier than the newest time that log and manifest have
// seen (docs/guarantees.md). So what was found to have expired stays so, and a compaction may drop it.
//
// Threads: any. Reading it writes to a shared line at most once in a millisecond.
#pragma once

#include <atomic>
#include <cstdint>

#include "env/env.h"

namespace lightning::engine {

class Clock {
 public:
  explicit Clock(const env::Clock& system) : system_(system) {}

  // Milliseconds since 1970.
  std::uint64_t now_ms() const {
    const std::uint64_t now = system_.wall_ns() / 1'000'000;
    std::uint64_t newest = newest_ms_.load(std::memory_order_relaxed);
    while (newest < now)
      if (newest_ms_.compare_exchange_weak(newest, now, std::memory_order_relaxed)) return now;
    return newest;
  }
  // It is at least this late.
  void advance_to(std::uint64_t ms) {
    std::uint64_t newest = newest_ms_.load(std::memory_order_relaxed);
    while (newest < ms && !newest_ms_.compare_exchange_weak(newest, ms, std::memory_order_relaxed)) {}
  }

 private:
  const env::Clock& system_;
  alignas(64) mutable std::atomic<std::uint64_t> newest_ms_{0};
};

}  // namespace lightning::engine
