#include "sstable/filter.h"

#include <algorithm>
#include <iterator>

#include "base/coding.h"
#include "lightning/error.h"

namespace lightning::sstable {

namespace {

constexpr std::uint32_t kBlockedBloom = 1;
constexpr std::uint32_t kProbesMax = 24;
constexpr std::size_t kPrefetchAhead = 16;

// Probes that give the fewest false positives when a key's bits share a line: a little below bits * ln 2, because lines
// fill unevenly (RocksDB's table in util/bloom_impl.h, ChooseNumProbes).
std::uint32_t probes_for(std::uint32_t bits_per_key) {
  constexpr std::uint8_t kProbes[] = {1, 1, 1, 2, 3,  3,  4,  5,  5,  6,  6,  7,  8,
                                      8, 8, 9, 9, 10, 10, 11, 11, 11, 11, 12, 12, 12};
  return bits_per_key < std::size(kProbes) ? kProbes[bits_per_key] : std::min(bits_per_key / 2 - 1, kProbesMax);
}

}  // namespace

Filter Filter::build(const std::vector<std::uint64_t>& hashes, std::uint32_t bits_per_key) {
  Filter filter;
  if (hashes.empty() || bits_per_key == 0) return filter;
  const std::uint64_t lines = (hashes.size() * bits_per_key + 8 * kLineBytes - 1) / (8 * kLineBytes);
  filter.buffer_ = base::LargeBuffer::allocate(kHeaderBytes + lines * kLineBytes);
  char* const header = filter.buffer_.data();
  if (header == nullptr) return {};
  filter.lines_ = lines;
  filter.probes_ = probes_for(bits_per_key);
  base::store_le(header, kBlockedBloom);
  base::store_le(header + 4, filter.probes_);
  base::store_le(header + 8, filter.lines_);
  base::store_le<std::uint64_t>(header + 16, hashes.size());
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (i + kPrefetchAhead < hashes.size()) __builtin_prefetch(filter.line_of(hashes[i + kPrefetchAhead]), 1);
    filter.add(hashes[i]);
  }
  return filter;
}

void Filter::add(std::uint64_t hash) {
  auto* line = reinterpret_cast<unsigned char*>(const_cast<char*>(line_of(hash)));
  auto h = static_cast<std::uint32_t>(hash);
  for (std::uint32_t probe = 0; probe < probes_; ++probe) {
    h *= kMultiplier;
    const std::uint32_t bit = h >> 23;
    line[bit >> 3] = static_cast<unsigned char>(line[bit >> 3] | 1u << (bit & 7));
  }
}

Result<Filter> Filter::adopt(base::LargeBuffer stored) {
  if (stored.size() < kHeaderBytes + kLineBytes)
    return Error(ErrorCode::kTableCorrupt, "filter: shorter than its header");
  if (base::load_le<std::uint32_t>(stored.data()) != kBlockedBloom)
    return Error(ErrorCode::kFormatUnsupported, "filter: of a kind that this program does not know");
  Filter filter;
  filter.probes_ = base::load_le<std::uint32_t>(stored.data() + 4);
  filter.lines_ = base::load_le<std::uint64_t>(stored.data() + 8);
  const std::uint64_t there = (stored.size() - kHeaderBytes) / kLineBytes;
  if (filter.probes_ == 0 || filter.probes_ > kProbesMax || filter.lines_ != there ||
      stored.size() != kHeaderBytes + there * kLineBytes || filter.lines_ > (std::uint64_t{1} << 32))
    return Error(ErrorCode::kTableCorrupt, "filter: its header contradicts its size");
  filter.buffer_ = std::move(stored);
  return filter;
}

std::uint64_t Filter::keys() const { return lines_ == 0 ? 0 : base::load_le<std::uint64_t>(buffer_.data() + 16); }

}  // namespace lightning::sstable
