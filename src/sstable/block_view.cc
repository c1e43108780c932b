#include "sstable/block_view.h"

#include <string>

#include "lightning/types.h"

namespace lightning::sstable {

namespace {

Error corrupt_block(std::string message) {
  return Error(ErrorCode::kTableCorrupt, "data block: " + std::move(message));
}

// Everything but the entries themselves. Afterwards a BlockView may be made, and its offsets read.
Status check_parts(std::string_view bytes) {
  if (bytes.size() < kBlockHeaderBytes + kBlockTailBytes) return corrupt_block("shorter than its header");
  const auto count = base::load_le<std::uint32_t>(bytes.data());
  const auto prefix_bytes = base::load_le<std::uint32_t>(bytes.data() + 4);
  const auto width = static_cast<std::uint8_t>(bytes[16]), shift = static_cast<std::uint8_t>(bytes[17]),
             flags = static_cast<std::uint8_t>(bytes[18]);
  if (count == 0) return corrupt_block("no entries");
  if (prefix_bytes > kKeyBytesMax) return corrupt_block("key prefix longer than a key may be");
  if (width > 8 || (shift != 0 && shift != 8) || (flags & ~kWideOffsets) != 0)
    return corrupt_block("unknown header fields");
  if (bytes.substr(19, 13).find_first_not_of('\0') != std::string_view::npos)
    return corrupt_block("unknown header fields");
  if (BlockParts::of(count, prefix_bytes, (flags & kWideOffsets) != 0).entries > bytes.size() - kBlockTailBytes)
    return corrupt_block("its parts do not fit its size");
  return {};
}

}  // namespace

Status check_block(std::string_view bytes) {
  LIGHTNING_TRY(check_parts(bytes));
  const auto count = base::load_le<std::uint32_t>(bytes.data());
  const auto prefix_bytes = base::load_le<std::uint32_t>(bytes.data() + 4);
  const std::uint64_t width = static_cast<std::uint8_t>(bytes[16]);
  const bool wide = (bytes[18] & kWideOffsets) != 0;
  const BlockParts parts = BlockParts::of(count, prefix_bytes, wide);
  const std::string_view entries = bytes.substr(parts.entries, bytes.size() - kBlockTailBytes - parts.entries);
  const auto offset = [&](std::uint64_t i) -> std::uint64_t {
    const char* const from = bytes.data() + parts.offsets;
    return wide ? base::load_le<std::uint32_t>(from + 4 * i) : base::load_le<std::uint16_t>(from + 2 * i);
  };
  if (offset(0) != 0 || offset(count) != entries.size()) return corrupt_block("its entries do not fill their part");
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t begin = offset(i), end = offset(i + 1);
    if (end > entries.size() || begin >= end) return corrupt_block("entry offsets do not rise");
    std::uint64_t fixed = 1 + width, suffix_bytes = static_cast<unsigned char>(entries[begin]);
    if (suffix_bytes == kLongSuffix) {
      if (end - begin < 5) return corrupt_block("an entry is cut short");
      suffix_bytes = base::load_le<std::uint32_t>(entries.data() + begin + 1);
      fixed += 4;
    }
    const std::uint64_t key_bytes = prefix_bytes + suffix_bytes;
    if (end - begin < fixed + suffix_bytes) return corrupt_block("an entry is cut short");
    if (key_bytes == 0 || key_bytes > kKeyBytesMax) return corrupt_block("a key length is out of range");
    if (end - begin - fixed - suffix_bytes > kValueBytesMax) return corrupt_block("a value length is out of range");
  }
  const BlockView view(bytes);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto type = format::trailer_type(view.at(i).trailer);
    if (!format::is_point(type)) [[unlikely]] {
      if (type == format::EntryType::kEraseRange) return corrupt_block("a range tombstone among its entries");
      return corrupt_block("unknown entry type " + std::to_string(static_cast<unsigned>(type)));
    }
  }
  return {};
}

}  // namespace lightning::sstable
