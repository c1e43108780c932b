// Comparing keys where every instruction counts: as a.compare(b) and a == b do, and always inlined. A compiler stops
// inlining the library's own where a file has many of them; then each costs a call more, in places that nobody touched.
#pragma once

#include <cstddef>
#include <string_view>

namespace lightning::base {

[[gnu::always_inline]] inline int compare(std::string_view a, std::string_view b) {
  const std::size_t shorter = a.size() < b.size() ? a.size() : b.size();
  if (shorter != 0)
    if (const int order = __builtin_memcmp(a.data(), b.data(), shorter); order != 0) return order;
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}
[[gnu::always_inline]] inline bool equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || __builtin_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace lightning::base
