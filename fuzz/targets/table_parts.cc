// sstable/layout.h, properties.h: header, footer, trailer and properties. Input: which of them, then its bytes; where a
// check value stands in the way, they are read once as they are, and once with the right one.
#include "fuzz/support/bytes.h"
#include "fuzz/support/target.h"
#include "sstable/layout.h"
#include "sstable/properties.h"
#include "sstable/table.h"

namespace lightning::sstable {

namespace {

bool fuzz_header(std::string bytes) {
  bool taken = decode_header(bytes).has_value();
  if (bytes.size() != kHeaderBytes) return taken;
  base::store_le(bytes.data() + 88, base::hash64(std::string_view(bytes).substr(0, 88)));
  const auto header = decode_header(bytes);
  if (!header) return taken;
  FUZZ_EXPECT(encode(*header) == bytes);
  return true;
}

bool fuzz_trailer(std::string bytes) {
  constexpr std::uint64_t kFileBytes = 9000;
  bool taken = decode_trailer(bytes, kFileBytes).has_value();
  if (bytes.size() != kTrailerBytes) return taken;
  for (const std::uint64_t file_bytes : {kFileBytes, base::load_le<std::uint64_t>(bytes.data()) + kFooterBytes + 32}) {
    base::store_le(bytes.data() + 16, base::hash64(std::string_view(bytes).substr(0, 16), file_bytes));
    const auto trailer = decode_trailer(bytes, file_bytes);
    if (!trailer) continue;
    FUZZ_EXPECT(encode(*trailer, file_bytes) == bytes);
    taken = true;
  }
  return taken;
}

bool fuzz_footer(std::string_view bytes) {
  bool taken = false;
  const std::string_view last = bytes.size() == kFooterBytes ? bytes.substr(88 + 2 * 48, 16) : "";  // the properties
  const std::uint64_t end =
      last.empty() ? 0 : base::load_le<std::uint64_t>(last.data()) + base::load_le<std::uint64_t>(last.data() + 8);
  for (const std::uint64_t footer_offset : {std::uint64_t{0}, std::uint64_t{9000}, end}) {
    const auto footer = decode_footer(bytes, footer_offset);
    if (!footer) continue;
    FUZZ_EXPECT(encode(*footer) == bytes);
    for (const BlockHandle* handle : {&footer->index_top, &footer->properties, &footer->ranges, &footer->filter})
      FUZZ_EXPECT(!handle->present() ||
                  (handle->offset <= footer_offset && handle->stored_bytes <= footer_offset - handle->offset));
    FUZZ_EXPECT(footer->data_bytes <= footer_offset && footer->leaves_bytes <= footer_offset);
    taken = true;
  }
  return taken;
}

bool fuzz_properties(std::string_view bytes) {
  const auto properties = decode_properties(bytes);
  if (!properties) return false;
  const std::string encoded = encode(*properties);
  const auto again = decode_properties(encoded);
  FUZZ_EXPECT(again && encode(*again) == encoded);
  FUZZ_EXPECT(properties->expiring.expired_bytes(~std::uint64_t{0}) == properties->expiring.bytes());
  TableMeta meta;
  properties->describe(meta, nullptr);
  return true;
}

}  // namespace

LIGHTNING_FUZZ_TARGET(table_parts) {
  switch (fuzz::take_number<std::uint8_t>(input) % 4) {
    case 0:
      return fuzz_header(std::string(input));
    case 1:
      return fuzz_trailer(std::string(input));
    case 2:
      return fuzz_footer(input);
    default:
      return fuzz_properties(input);
  }
}

}  // namespace lightning::sstable
