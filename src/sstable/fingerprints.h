// Comparing 16 bytes with one at a time.
#pragma once

#include <cstdint>

#include "base/coding.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace lightning::sstable {

// Bit i is set where from[i] == wanted, for i below 16. For any machine: exact zero-byte detection in 64-bit words
// (Warren, Hacker's Delight, 6-1), then a multiplication that gathers the eight marks.
inline std::uint32_t matching_bytes_portable(const char* from, std::uint8_t wanted) {
  const auto marks = [wanted](std::uint64_t word) {
    constexpr std::uint64_t kLow7 = 0x7f7f7f7f7f7f7f7f;
    const std::uint64_t x = word ^ (0x0101010101010101ull * wanted);
    const std::uint64_t zero = ~(((x & kLow7) + kLow7) | x | kLow7);  // 0x80 in each byte that is equal
    return static_cast<std::uint32_t>(((zero >> 7) * 0x0102040810204080ull) >> 56);
  };
  return marks(base::load_le<std::uint64_t>(from)) | marks(base::load_le<std::uint64_t>(from + 8)) << 8;
}

inline std::uint32_t matching_bytes(const char* from, std::uint8_t wanted) {
#if defined(__SSE2__)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(static_cast<char>(wanted)))));
#else
  return matching_bytes_portable(from, wanted);
#endif
}

}  // namespace lightning::sstable
