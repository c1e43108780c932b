// blob/layout.h: references, heads and shapes of records, header and footer. Input: which of them, then its bytes;
// where a check value stands in the way, they are read once as they are, and once with the right one.
#include "blob/layout.h"
#include "fuzz/support/bytes.h"
#include "fuzz/support/target.h"

namespace lightning::blob {

namespace {

bool fuzz_reference(std::string_view bytes) {
  const auto reference = decode_reference(bytes);
  if (!reference) return false;
  const auto again = decode_reference(encode(*reference));
  FUZZ_EXPECT(again && *again == *reference);
  FUZZ_EXPECT(reference->offset + reference->stored_bytes > reference->offset);
  FUZZ_EXPECT(table_bytes(reference->value_bytes) < reference->stored_bytes);
  return true;
}

// Input: the head and its key as a piece, then the tail.
bool fuzz_shape(std::string_view bytes) {
  std::string head(fuzz::take_piece(bytes)), tail(bytes);
  (void)decode_shape(head, tail, head.size() + tail.size());
  const auto decoded = decode_head(head);
  if (!decoded || tail.size() < kTailBytes) return false;
  if (head.size() > kHeadBytes)
    base::store_le(head.data() + 32, base::hash64(std::string_view(head).substr(kHeadBytes),
                                                  base::hash64(std::string_view(head).substr(0, 32))));
  base::store_le(tail.data() + tail.size() - 8, base::hash64(std::string_view(tail).substr(0, tail.size() - 8)));
  std::uint64_t stored = 0;  // of the chunks, as the table has them
  for (std::size_t at = 0; at + kTailBytes + kChunkEntryBytes <= tail.size(); at += kChunkEntryBytes)
    stored += base::load_le<std::uint32_t>(tail.data() + at);
  const auto shape = decode_shape(head, tail, head.size() + stored + tail.size());
  if (!shape) return false;
  FUZZ_EXPECT(encode(shape->head, std::string_view(head).substr(kHeadBytes)) == head);
  FUZZ_EXPECT(encode_tail(shape->value_bytes, shape->chunks) == tail);
  for (std::size_t i = 0; i < shape->chunks.size(); ++i)
    FUZZ_EXPECT(shape->chunks[i].stored_bytes <= shape->chunk_raw_bytes(i) && shape->chunk_raw_bytes(i) <= kChunkBytes);
  return true;
}

bool fuzz_header(std::string bytes) {
  const bool taken = decode_header(bytes).has_value();
  if (bytes.size() != kHeaderBytes) return taken;
  base::store_le(bytes.data() + 88, base::hash64(std::string_view(bytes).substr(0, 88)));
  const auto header = decode_header(bytes);
  if (!header) return taken;
  const auto again = decode_header(encode(*header));
  FUZZ_EXPECT(again && again->uid == header->uid && again->store_id == header->store_id &&
              again->number == header->number);
  return true;
}

bool fuzz_footer(std::string bytes) {
  bool taken = decode_footer(bytes, bytes.size()).has_value();
  if (bytes.size() != kFooterBytes) return taken;
  const std::uint64_t end =
      base::load_le<std::uint64_t>(bytes.data() + 64) + base::load_le<std::uint64_t>(bytes.data() + 72) + kFooterBytes;
  for (const std::uint64_t file_bytes : {std::uint64_t{kFooterBytes}, std::uint64_t{100'000}, end}) {
    if (file_bytes < kFooterBytes) continue;  // nobody asks about such a file
    base::store_le(bytes.data() + 112, base::hash64(std::string_view(bytes).substr(0, 112), file_bytes));
    const auto footer = decode_footer(bytes, file_bytes);
    if (!footer) continue;
    FUZZ_EXPECT(footer->index_offset + footer->index_bytes() + kFooterBytes == file_bytes);
    const auto again = decode_footer(encode(*footer, file_bytes), file_bytes);
    FUZZ_EXPECT(again && encode(*again, file_bytes) == encode(*footer, file_bytes));
    taken = true;
  }
  return taken;
}

}  // namespace

LIGHTNING_FUZZ_TARGET(blob_parts) {
  switch (fuzz::take_number<std::uint8_t>(input) % 4) {
    case 0:
      return fuzz_reference(input);
    case 1:
      return fuzz_shape(input);
    case 2:
      return fuzz_header(std::string(input));
    default:
      return fuzz_footer(std::string(input));
  }
}

}  // namespace lightning::blob
