// Sizes of memory that the operating system deals in.
#pragma once

#include <cstddef>

namespace lightning::base {

inline constexpr std::size_t kPageBytes = 4096, kHugePageBytes = 2 << 20;

// The least multiple of `unit` that is not less than `bytes`.
constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace lightning::base
