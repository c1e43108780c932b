// Where a run of keys ends: at a key that belongs to it, or before one that does not.
#pragma once

#include <string_view>

#include "base/compare.h"

namespace lightning::format {

struct UpperBound {
  std::string_view key;
  bool open = false;  // `key` itself is beyond it; then an empty key stands for no bound

  bool unbounded() const { return open && key.empty(); }
  // Whether nothing at or behind `other` is within.
  bool before(std::string_view other) const {
    const int order = base::compare(key, other);
    return open ? order <= 0 && !key.empty() : order < 0;
  }
};
// Which of two reaches further.
inline bool operator<(const UpperBound& a, const UpperBound& b) {
  if (a.unbounded() || b.unbounded()) return !a.unbounded();
  if (a.open == b.open) return a.key < b.key;
  if (a.open) return a.key <= b.key;
  // Nothing lies between a key and the same with a zero byte behind it.
  const bool next = b.key.size() == a.key.size() + 1 && b.key.starts_with(a.key) && b.key.back() == 0;
  return a.key < b.key && !next;
}

}  // namespace lightning::format
