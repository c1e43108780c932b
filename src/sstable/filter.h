// Blocked Bloom filter: one cache line per probe.
//
// Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters (2007); bit positions within the line by
// repeated multiplication as in RocksDB's FastLocalBloom (util/bloom_impl.h).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/large_buffer.h"
#include "lightning/result.h"

namespace lightning::sstable {

class Filter {
 public:
  static constexpr std::size_t kHeaderBytes = 64, kLineBytes = 64;

  Filter() = default;  // lets every key pass
  // A filter for these key hashes. Throws nothing; an empty filter (bytes() empty) if memory is exhausted or there are
  // no keys.
  static Filter build(const std::vector<std::uint64_t>& hashes, std::uint32_t bits_per_key);
  // Takes over a stored filter. Errors: kTableCorrupt, kFormatUnsupported.
  static Result<Filter> adopt(base::LargeBuffer stored);

  // False: no such key was added.
  bool may_contain(std::uint64_t hash) const {
    if (lines_ == 0) return true;
    const auto* line = reinterpret_cast<const unsigned char*>(line_of(hash));
    auto h = static_cast<std::uint32_t>(hash);
    for (std::uint32_t probe = 0; probe < probes_; ++probe) {
      h *= kMultiplier;
      const std::uint32_t bit = h >> 23;
      if ((line[bit >> 3] >> (bit & 7) & 1) == 0) return false;
    }
    return true;
  }
  void prefetch(std::uint64_t hash) const {
    if (lines_ != 0) __builtin_prefetch(line_of(hash));
  }
  std::string_view bytes() const { return {buffer_.data(), buffer_.size()}; }
  std::uint64_t keys() const;

 private:
  static constexpr std::uint32_t kMultiplier = 0x9e3779b9;
  const char* line_of(std::uint64_t hash) const {
    return buffer_.data() + kHeaderBytes + ((hash >> 32) * lines_ >> 32) * kLineBytes;
  }
  void add(std::uint64_t hash);

  base::LargeBuffer buffer_;
  std::uint64_t lines_ = 0;
  std::uint32_t probes_ = 0;
};

}  // namespace lightning::sstable
