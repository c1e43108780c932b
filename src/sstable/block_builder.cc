#include "sstable/block_builder.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/coding.h"
#include "sstable/block_view.h"

namespace lightning::sstable {

std::size_t shared_prefix_bytes(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  std::size_t n = 0;
  for (; n + 8 <= most; n += 8) {
    const std::uint64_t differ =
        base::load_le<std::uint64_t>(a.data() + n) ^ base::load_le<std::uint64_t>(b.data() + n);
    if (differ != 0) return n + static_cast<std::size_t>(std::countr_zero(differ)) / 8;
  }
  while (n < most && a[n] == b[n]) ++n;
  return n;
}

BlockBuilder::BlockBuilder(std::uint32_t target_bytes)
    : target_bytes_(target_bytes), staged_(std::make_unique_for_overwrite<char[]>(target_bytes)) {}

void BlockBuilder::add(const format::Entry& entry, std::uint64_t key_hash) {
  char* const key = staged_.get() + staged_bytes_;
  char* const value = key + entry.key.size();
  std::memcpy(key, entry.key.data(), entry.key.size());
  if (!entry.value.empty()) std::memcpy(value, entry.value.data(), entry.value.size());
  staged_bytes_ += entry.key.size() + entry.value.size();
  cost_ += cost_of(entry);
  records_.push_back({{key, entry.key.size()},
                      {value, entry.value.size()},
                      format::pack_trailer(entry.sequence, entry.type),
                      static_cast<std::uint8_t>(key_hash)});
}

std::string_view BlockBuilder::finish() {
  const std::string_view block = encode();
  records_.clear();
  staged_bytes_ = 0;
  cost_ = 0;
  return block;
}

std::string_view BlockBuilder::finish_single(const format::Entry& entry, std::uint64_t key_hash) {
  records_.push_back(
      {entry.key, entry.value, format::pack_trailer(entry.sequence, entry.type), static_cast<std::uint8_t>(key_hash)});
  return finish();
}

std::string_view BlockBuilder::encode() {
  const std::size_t count = records_.size();
  // Keys are sorted: what the first and the last share, all share.
  const std::string_view first = records_.front().key;
  const std::string_view prefix = first.substr(0, shared_prefix_bytes(first, records_.back().key));

  std::uint64_t lowest = ~std::uint64_t{0}, highest = 0, types_differ = 0, entries_bytes = 0;
  for (const Record& record : records_) {
    lowest = std::min(lowest, record.trailer);
    highest = std::max(highest, record.trailer);
    types_differ |= (record.trailer ^ records_.front().trailer) & 0xff;
    const std::size_t suffix_bytes = record.key.size() - prefix.size();
    entries_bytes += 1 + (suffix_bytes >= kLongSuffix ? 4 : 0) + suffix_bytes + record.value.size();
  }
  const unsigned shift = types_differ == 0 ? 8 : 0;
  const unsigned width = (static_cast<unsigned>(std::bit_width((highest - lowest) >> shift)) + 7) / 8;
  entries_bytes += width * count;

  const bool wide = entries_bytes > 0xffff;
  const BlockParts parts = BlockParts::of(count, prefix.size(), wide);
  const std::size_t block_bytes = parts.entries + entries_bytes + kBlockTailBytes;
  // 8 bytes more, since trailers are stored 8 bytes at a time.
  if (output_bytes_ < block_bytes + 8 || output_bytes_ / 8 > std::max<std::uint64_t>(block_bytes, target_bytes_)) {
    output_ = std::make_unique_for_overwrite<char[]>(block_bytes + 8);
    output_bytes_ = block_bytes + 8;
  }

  char* const block = output_.get();
  std::memset(block, 0, kBlockHeaderBytes);
  base::store_le(block, static_cast<std::uint32_t>(count));
  base::store_le(block + 4, static_cast<std::uint32_t>(prefix.size()));
  base::store_le(block + 8, lowest);
  block[16] = static_cast<char>(width);
  block[17] = static_cast<char>(shift);
  block[18] = static_cast<char>(wide ? kWideOffsets : 0);
  std::memcpy(block + kBlockHeaderBytes, prefix.data(), prefix.size());
  std::memset(block + kBlockHeaderBytes + prefix.size(), 0, parts.fingerprints - kBlockHeaderBytes - prefix.size());
  // The padding behind fingerprints and offsets.
  std::memset(block + parts.fingerprints + count, 0, parts.offsets - parts.fingerprints - count);
  base::store_le<std::uint32_t>(block + parts.heads - 4, 0);

  char* const entries = block + parts.entries;
  char* p = entries;
  const auto put_offset = [&](std::size_t i) {
    const auto at = static_cast<std::uint64_t>(p - entries);
    if (wide)
      base::store_le(block + parts.offsets + 4 * i, static_cast<std::uint32_t>(at));
    else
      base::store_le(block + parts.offsets + 2 * i, static_cast<std::uint16_t>(at));
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Record& record = records_[i];
    const std::string_view suffix = record.key.substr(prefix.size());
    block[parts.fingerprints + i] = static_cast<char>(record.fingerprint);
    put_offset(i);
    base::store_le(block + parts.heads + 4 * i, suffix_head(suffix));
    if (suffix.size() < kLongSuffix) {
      *p++ = static_cast<char>(suffix.size());
    } else {
      *p++ = static_cast<char>(kLongSuffix);
      base::store_le(p, static_cast<std::uint32_t>(suffix.size()));
      p += 4;
    }
    base::store_le(p, (record.trailer - lowest) >> shift);
    p += width;
    std::memcpy(p, suffix.data(), suffix.size());
    p += suffix.size();
    if (!record.value.empty()) std::memcpy(p, record.value.data(), record.value.size());
    p += record.value.size();
  }
  put_offset(count);
  std::memset(p, 0, kBlockTailBytes);
  return {block, block_bytes};
}

}  // namespace lightning::sstable
