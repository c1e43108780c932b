// A clock cheap enough for single operations: the processor's counter where it is constant, else the steady clock.
#pragma once

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace lightning::bench {

inline std::uint64_t ticks() {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

// Measured once, against the steady clock.
inline double ticks_per_second() {
  static const double rate = [] {
    const auto start = std::chrono::steady_clock::now();
    const std::uint64_t first = ticks();
    std::chrono::duration<double> passed{};
    do {
      passed = std::chrono::steady_clock::now() - start;
    } while (passed.count() < 0.02);
    return static_cast<double>(ticks() - first) / passed.count();
  }();
  return rate;
}

}  // namespace lightning::bench
