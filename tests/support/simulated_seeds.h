// How many seeds a simulation runs in a test.
#pragma once

#include <cstdint>

namespace lightning::testing_support {

// ThreadSanitizer takes ten times as long, and of fibers, which share one thread, it sees only that they are switched:
// a sample will do there.
constexpr std::uint64_t simulated_seeds(std::uint64_t in_a_plain_build) {
#ifdef __SANITIZE_THREAD__
  return (in_a_plain_build + 14) / 15;
#else
  return in_a_plain_build;
#endif
}

}  // namespace lightning::testing_support
