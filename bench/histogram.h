// Latencies in logarithmic buckets: 32 per power of two, so that a percentile is off by at most 3 %.
//
// add() is an index computation and one increment; a histogram belongs to one thread and is merged at the end.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace lightning::bench {

class Histogram {
 public:
  void add(std::uint64_t ticks) {
    ++buckets_[bucket_of(ticks)];
    ++count_;
    if (ticks > max_) max_ = ticks;
  }

  void merge(const Histogram& other) {
    for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    if (other.max_ > max_) max_ = other.max_;
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }

  // The smallest bucket middle with at least `fraction` of all samples at or below it; 0 without samples.
  double percentile(double fraction) const {
    const double wanted = fraction * static_cast<double>(count_);
    double seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += static_cast<double>(buckets_[i]);
      if (buckets_[i] != 0 && seen >= wanted) return middle_of(i);
    }
    return 0;
  }

 private:
  static constexpr unsigned kSubBits = 5;
  static constexpr std::uint64_t kSub = 1u << kSubBits;

  // Below 32 every value has its own bucket; above, the five bits after the leading one choose it.
  static std::size_t bucket_of(std::uint64_t v) {
    if (v < kSub) return v;
    const unsigned shift = static_cast<unsigned>(std::bit_width(v)) - kSubBits - 1;
    return (static_cast<std::size_t>(shift) << kSubBits) + (v >> shift);
  }

  static double middle_of(std::size_t bucket) {
    if (bucket < kSub) return static_cast<double>(bucket);
    const std::size_t shift = (bucket >> kSubBits) - 1;
    const std::uint64_t low = (kSub + (bucket & (kSub - 1))) << shift;
    return static_cast<double>(low) + static_cast<double>(std::uint64_t{1} << shift) / 2;
  }

  std::array<std::uint64_t, (64 - kSubBits + 1) * kSub> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace lightning::bench
