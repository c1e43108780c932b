// A latency histogram of fixed size: 32 linear buckets per power of two, so that a value is known within 3 %.
// (The layout of HdrHistogram, Gil Tene, https://hdrhistogram.org.)
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace lightning::base {

// Threads: any. record() is one relaxed add to a shared line: meant for sampled values.
class Histogram {
 public:
  void record(std::uint64_t nanoseconds) {
    counts_[index_of(nanoseconds)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(nanoseconds, std::memory_order_relaxed);
    std::uint64_t seen = max_.load(std::memory_order_relaxed);
    while (nanoseconds > seen && !max_.compare_exchange_weak(seen, nanoseconds, std::memory_order_relaxed)) {}
  }
  std::uint64_t count() const {
    std::uint64_t total = 0;
    for (const auto& bucket : counts_) total += bucket.load(std::memory_order_relaxed);
    return total;
  }
  std::uint64_t max() const { return max_.load(std::memory_order_relaxed); }
  double mean() const {
    const std::uint64_t n = count();
    return n == 0 ? 0 : static_cast<double>(sum_.load(std::memory_order_relaxed)) / static_cast<double>(n);
  }
  // Upper bound of the bucket that holds the given share (0..1) of the values; 0 if there are none.
  std::uint64_t quantile(double share) const {
    const std::uint64_t total = count();
    if (total == 0) return 0;
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total - 1)) + 1;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i].load(std::memory_order_relaxed);
      if (seen >= wanted) return upper_bound_of(i);
    }
    return max();
  }

 private:
  static constexpr unsigned kLinearBits = 5;
  static std::size_t index_of(std::uint64_t value) {
    if (value < (1u << kLinearBits)) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kLinearBits - 1;
    return (std::size_t{shift + 1} << kLinearBits) + (value >> shift) - (1u << kLinearBits);
  }
  static std::uint64_t upper_bound_of(std::size_t index) {
    if (index < (1u << kLinearBits)) return index;
    const std::size_t shift = (index >> kLinearBits) - 1;
    return (((index & ((1u << kLinearBits) - 1)) + (1u << kLinearBits) + 1) << shift) - 1;
  }

  std::array<std::atomic<std::uint64_t>, (64 - kLinearBits + 1) << kLinearBits> counts_{};
  std::atomic<std::uint64_t> sum_{0}, max_{0};
};

}  // namespace lightning::base
