#include "sstable/expiry_summary.h"

#include <algorithm>

#include "base/coding.h"

namespace lightning::sstable {

void ExpirySummary::add(std::uint64_t expires_ms, std::uint64_t bytes) {
  const auto at = std::lower_bound(points_.begin(), points_.end(), expires_ms,
                                   [](const Point& point, std::uint64_t ms) { return point.until_ms < ms; });
  if (at != points_.end() && at->until_ms == expires_ms) {
    at->bytes += bytes;
    return;
  }
  points_.insert(at, {expires_ms, bytes});
  if (points_.size() <= kPoints) return;
  // Where it delays the fewest bytes for the shortest time.
  const auto cost = [this](std::size_t i) {
    return static_cast<double>(points_[i].bytes) * static_cast<double>(points_[i + 1].until_ms - points_[i].until_ms);
  };
  std::size_t cheapest = 0;
  for (std::size_t i = 1; i + 1 < points_.size(); ++i)
    if (cost(i) < cost(cheapest)) cheapest = i;
  points_[cheapest + 1].bytes += points_[cheapest].bytes;
  points_.erase(points_.begin() + static_cast<std::ptrdiff_t>(cheapest));
}

std::uint64_t ExpirySummary::bytes() const { return expired_bytes(~std::uint64_t{0}); }

std::uint64_t ExpirySummary::expired_bytes(std::uint64_t now_ms) const {
  std::uint64_t sum = 0;
  for (const Point& point : points_) {
    if (point.until_ms > now_ms) break;
    sum += point.bytes;
  }
  return sum;
}

std::string ExpirySummary::encode() const {
  std::string to;
  std::uint64_t previous = 0;
  for (const Point& point : points_) {
    base::append_varint(to, point.until_ms - previous);
    base::append_varint(to, point.bytes);
    previous = point.until_ms;
  }
  return to;
}

bool ExpirySummary::decode(std::string_view bytes) {
  points_.clear();
  std::uint64_t previous = 0;
  while (!bytes.empty()) {
    std::uint64_t gap = 0, held = 0;
    if (points_.size() == kPoints || !base::get_varint(bytes, gap) || !base::get_varint(bytes, held)) return false;
    if (gap == 0 || previous + gap < previous) return false;
    previous += gap;
    points_.push_back({previous, held});
  }
  return true;
}

}  // namespace lightning::sstable
