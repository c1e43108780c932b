// A data block as readers use it: pointers into verified bytes, nothing decoded ahead.
//
// A point look-up compares fingerprint bytes, 16 at a time, and looks at entries that match. A seek searches the heads.
// Layout: docs/format/sstable.md. Constructing a view costs a few loads of one cache line.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/coding.h"
#include "base/compare.h"
#include "format/entry.h"
#include "lightning/result.h"
#include "sstable/fingerprints.h"

namespace lightning::sstable {

inline constexpr std::uint32_t kBlockHeaderBytes = 32;
inline constexpr std::uint32_t kBlockTailBytes = 16;  // readable zeros behind the last entry
inline constexpr std::uint32_t kLongSuffix = 255;     // a u32 follows
inline constexpr std::uint8_t kWideOffsets = 1;       // flag

// Where the parts of a block begin, from its header's fields. 64-bit: computed from hostile numbers before they are
// checked.
struct BlockParts {
  std::uint64_t fingerprints, offsets, heads, entries;
  static constexpr BlockParts of(std::uint64_t count, std::uint64_t prefix_bytes, bool wide) {
    BlockParts parts{};
    parts.fingerprints = (kBlockHeaderBytes + prefix_bytes + 15) / 16 * 16;
    parts.offsets = parts.fingerprints + (count + 15) / 16 * 16;
    parts.heads = (parts.offsets + (count + 1) * (wide ? 4 : 2) + 3) / 4 * 4;
    parts.entries = parts.heads + count * 4;
    return parts;
  }
};

// First four bytes of a suffix as a number that orders as the suffixes do, up to ties.
inline std::uint32_t suffix_head(std::string_view suffix) {
  return static_cast<std::uint32_t>(base::head_of(suffix.substr(0, 4)) >> 32);
}

class BlockView {
 public:
  struct Parts {
    std::string_view suffix, value;
    std::uint64_t trailer;
  };

  BlockView() = default;
  // `bytes` passed check_block(), and outlives the view.
  explicit BlockView(std::string_view bytes) : base_(bytes.data()) {
    count_ = base::load_le<std::uint32_t>(base_);
    prefix_bytes_ = base::load_le<std::uint32_t>(base_ + 4);
    trailer_base_ = base::load_le<std::uint64_t>(base_ + 8);
    width_ = static_cast<std::uint8_t>(base_[16]);
    shift_ = static_cast<std::uint8_t>(base_[17]);
    wide_ = (base_[18] & kWideOffsets) != 0;
    mask_ = width_ == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * width_)) - 1;
    const BlockParts parts = BlockParts::of(count_, prefix_bytes_, wide_);
    fingerprints_ = base_ + parts.fingerprints;
    offsets_ = base_ + parts.offsets;
    heads_ = base_ + parts.heads;
    entries_ = base_ + parts.entries;
  }

  std::uint32_t count() const { return count_; }
  std::string_view prefix() const { return {base_ + kBlockHeaderBytes, prefix_bytes_}; }
  std::uint8_t fingerprint(std::uint32_t i) const { return static_cast<std::uint8_t>(fingerprints_[i]); }
  std::uint32_t head(std::uint32_t i) const { return base::load_le<std::uint32_t>(heads_ + 4ull * i); }

  Parts at(std::uint32_t i) const {
    const char* p = entries_ + offset(i);
    const char* const end = entries_ + offset(i + 1);
    std::size_t suffix_bytes = static_cast<unsigned char>(*p++);
    if (suffix_bytes == kLongSuffix) [[unlikely]] {
      suffix_bytes = base::load_le<std::uint32_t>(p);
      p += 4;
    }
    const std::uint64_t delta = base::load_le<std::uint64_t>(p) & mask_;
    p += width_;
    const char* const value = p + suffix_bytes;
    return {{p, suffix_bytes}, {value, static_cast<std::size_t>(end - value)}, trailer_base_ + (delta << shift_)};
  }

  // The newest version of `key` with a sequence of at most `at`: its entry number, and its parts in `found`.
  std::optional<std::uint32_t> find(std::string_view key, std::uint64_t key_hash, Sequence at_most,
                                    Parts& found) const {
    if (!key.starts_with(prefix())) return std::nullopt;
    const std::string_view suffix = key.substr(prefix_bytes_);
    for (std::uint32_t group = 0; group < count_; group += 16) {
      std::uint32_t matches = matching_bytes(fingerprints_ + group, static_cast<std::uint8_t>(key_hash));
      if (count_ - group < 16) matches &= (1u << (count_ - group)) - 1;
      for (; matches != 0; matches &= matches - 1) {
        const std::uint32_t i = group + static_cast<std::uint32_t>(__builtin_ctz(matches));
        const Parts parts = at(i);
        if (format::trailer_sequence(parts.trailer) <= at_most && parts.suffix == suffix) {
          found = parts;
          return i;
        }
      }
    }
    return std::nullopt;
  }

  // Number of entries before (key, sequence) in entry order: the first that is not before it, or count().
  std::uint32_t lower_bound(std::string_view key, Sequence sequence) const {
    const std::string_view shared = prefix();
    if (const int c = base::compare(key.substr(0, shared.size()), shared); c != 0) return c < 0 ? 0 : count_;
    const std::string_view suffix = key.substr(shared.size());
    const std::uint32_t wanted = suffix_head(suffix);
    std::uint32_t first = heads_before(wanted);
    // Heads alone decide, unless some are equal: those few are searched by their entries.
    if (first == count_ || head(first) != wanted) return first;
    std::uint32_t last = wanted == ~0u ? count_ : heads_before(wanted + 1);
    while (first < last) {
      const std::uint32_t middle = first + (last - first) / 2;
      const Parts parts = at(middle);
      if (format::compare_entries(parts.suffix, format::trailer_sequence(parts.trailer), suffix, sequence) < 0)
        first = middle + 1;
      else
        last = middle;
    }
    return first;
  }

 private:
  std::uint32_t offset(std::uint32_t i) const {
    return wide_ ? base::load_le<std::uint32_t>(offsets_ + 4ull * i)
                 : base::load_le<std::uint16_t>(offsets_ + 2ull * i);
  }
  // Number of heads below `wanted`: binary search without a branch to mispredict.
  std::uint32_t heads_before(std::uint32_t wanted) const {
    std::uint32_t begin = 0, size = count_;
    while (size > 1) {
      const std::uint32_t half = size / 2;
      begin += head(begin + half - 1) < wanted ? half : 0;
      size -= half;
    }
    return begin + (size == 1 && head(begin) < wanted ? 1 : 0);
  }

  const char* base_ = nullptr;
  const char *fingerprints_ = nullptr, *offsets_ = nullptr, *heads_ = nullptr, *entries_ = nullptr;
  std::uint64_t trailer_base_ = 0, mask_ = 0;
  std::uint32_t count_ = 0, prefix_bytes_ = 0;
  std::uint8_t width_ = 0, shift_ = 0;
  bool wide_ = false;
};

// Whether a BlockView may read `bytes` without looking where it steps: parts inside, offsets rising, lengths in range,
// types known. Total over hostile bytes. Errors: kTableCorrupt, kFormatUnsupported; neither names the file yet.
Status check_block(std::string_view bytes);

}  // namespace lightning::sstable
