// SimulatedWorld: an Env of which nothing is real.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/sync.h"
#include "env/env.h"
#include "env/simulated_file_system.h"

namespace lightning::env {

// Inside a fiber world its virtual time, elsewhere a clock that only advance() moves. Goes on rising from one fiber
// world to the next.
class SimulatedClock final : public Clock {
 public:
  std::uint64_t monotonic_ns() const override {
    std::lock_guard<std::mutex> guard(mutex_);
    return now();
  }
  std::uint64_t wall_ns() const override {
    std::lock_guard<std::mutex> guard(mutex_);
    const std::uint64_t wall = now() + wall_offset_ns_;
    return latest_wall_ns_ = wall > latest_wall_ns_ ? wall : latest_wall_ns_;
  }
  void advance(std::chrono::nanoseconds by) {
    std::lock_guard<std::mutex> guard(mutex_);
    now_ns_ = now() + static_cast<std::uint64_t>(by.count());
  }
  // Somebody sets the system clock. wall_ns() does not go back for it: it waits until time catches up.
  void jump_wall(std::chrono::nanoseconds by) {
    std::lock_guard<std::mutex> guard(mutex_);
    wall_offset_ns_ += static_cast<std::uint64_t>(by.count());
  }

 private:
  static constexpr std::uint64_t kStart = 1'000'000'000;                  // one second after boot
  static constexpr std::uint64_t kWallStart = 1'767'225'600'000'000'000;  // 2026-01-01

  std::uint64_t now() const {
    if (base::in_simulation()) {
      const std::uint64_t fiber_ns = base::monotonic_now_ns();
      if (fiber_ns > fiber_ns_ && fiber_ns_ != 0) now_ns_ += fiber_ns - fiber_ns_;
      fiber_ns_ = fiber_ns;  // less than before: another world began
    }
    return now_ns_;
  }

  mutable std::mutex mutex_;  // not a base::Mutex: reading a clock is no scheduling point
  mutable std::uint64_t now_ns_ = kStart, fiber_ns_ = 0, latest_wall_ns_ = 0;
  std::uint64_t wall_offset_ns_ = kWallStart;
};

// SplitMix64; one stream for all threads.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override {
    return Dice(state_.fetch_add(0x9e3779b97f4a7c15u, std::memory_order_relaxed)).next();
  }

 private:
  std::atomic<std::uint64_t> state_;
};

struct SimulatedWorld {
  explicit SimulatedWorld(std::uint64_t seed, SimulatedDiskOptions options = {})
      : files(seed, std::move(options)), random(seed ^ 0x5eed) {}

  SimulatedFileSystem files;
  SimulatedClock clock;
  SeededRandom random;
  Env env{files, clock, random};
};

}  // namespace lightning::env
