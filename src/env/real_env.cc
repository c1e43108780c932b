// Env::real(): the operating system's files, clocks and randomness.
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "env/env.h"
#include "env/posix_file_system.h"

namespace lightning::env {

namespace {

std::uint64_t read_clock(clockid_t id) {
  timespec now;
  ::clock_gettime(id, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

class RealClock final : public Clock {
 public:
  std::uint64_t monotonic_ns() const override { return read_clock(CLOCK_MONOTONIC); }
  std::uint64_t wall_ns() const override {
    const std::uint64_t now = read_clock(CLOCK_REALTIME);
    std::uint64_t latest = latest_wall_.load(std::memory_order_relaxed);
    while (now > latest)
      if (latest_wall_.compare_exchange_weak(latest, now, std::memory_order_relaxed)) return now;
    return latest;
  }

 private:
  mutable std::atomic<std::uint64_t> latest_wall_{0};
};

// Asks the kernel each time: a few hundred nanoseconds, wanted once per file, and nothing that a fork could repeat.
class RealRandom final : public Random {
 public:
  std::uint64_t next() override {
    std::uint64_t word = 0;
    for (;;) {
      const ssize_t got = ::getrandom(&word, sizeof word, 0);  // at most 256 bytes: never cut short by a signal
      if (got == sizeof word) return word;
      if (got < 0 && errno == EINTR) continue;
      break;
    }
    // No such call (seccomp): unique enough for names, which is all the engine wants randomness for.
    word =
        read_clock(CLOCK_MONOTONIC) ^ read_clock(CLOCK_REALTIME) << 20 ^ static_cast<std::uint64_t>(::getpid()) << 44;
    word += fallback_calls_.fetch_add(1, std::memory_order_relaxed) * 0x9e3779b97f4a7c15u;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;  // splitmix64 (Steele, Lea, Flood 2014)
    word = (word ^ word >> 27) * 0x94d049bb133111ebu;
    return word ^ word >> 31;
  }

 private:
  std::atomic<std::uint64_t> fallback_calls_{1};
};

}  // namespace

Env& Env::real() {
  // Never destroyed: threads may still use them while the process ends.
  static auto& files = *new PosixFileSystem;
  static auto& clock = *new RealClock;
  static auto& random = *new RealRandom;
  static auto& env = *new Env{files, clock, random};
  return env;
}

}  // namespace lightning::env
