// The bytes of a blob file, and the reference that stands for a value in tables and log: docs/format/blob.md as
// constants.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "format/ids.h"
#include "lightning/result.h"
#include "lightning/types.h"

namespace lightning::blob {

inline constexpr std::size_t kHeaderBytes = 96;
inline constexpr std::size_t kHeadBytes = 40;        // of a record, before its key
inline constexpr std::size_t kChunkEntryBytes = 20;  // of a record's chunk table
inline constexpr std::size_t kTailBytes = 24;        // of a record, behind its chunk table
inline constexpr std::size_t kIndexEntryBytes = 32;
inline constexpr std::size_t kFooterBytes = 128;
inline constexpr std::uint64_t kChunkBytes = 128 * 1024;  // of a value, before compression; the last one has fewer
inline constexpr std::uint64_t kAlignment = 8;            // of records; what lies between them is zero
// Offsets are kept in memory as 32-bit multiples of kAlignment.
inline constexpr std::uint64_t kFileBytesMax = kAlignment << 32;

// kBlobCorrupt; names no file yet.
Error corrupt(std::string message);

// A record for its whole life, wherever it is moved to: the file it was written to first, and its number in there.
struct RecordId {
  format::FileNumber origin = 0;
  std::uint64_t ordinal = 0;
  auto operator<=>(const RecordId&) const = default;
};

// The value of a kBlobReference entry.
struct Reference {
  RecordId id;
  std::uint64_t offset = 0;        // of the record in its first file
  std::uint64_t stored_bytes = 0;  // of the whole record
  std::uint64_t value_bytes = 0;
  bool plain = true;  // no chunk is compressed: the value lies in one piece behind the key
  base::TagAlgorithm tags = base::TagAlgorithm::kBlake3;
  base::Tag tag;                           // of head, key, chunk table and tail: covers the value through its chunks
  std::optional<std::uint64_t> expiry_ms;  // as kPutExpiring has it
  bool operator==(const Reference&) const = default;
};
inline constexpr std::size_t kReferenceBytesMax = 1 + 5 * 10 + 1 + 16 + 8;
std::string encode(const Reference& reference);
// Total. Sizes contradict neither each other nor the limits, so that they may be used for arithmetic. kCorruption.
Result<Reference> decode_reference(std::string_view bytes);

inline std::uint64_t chunks_of(std::uint64_t value_bytes) { return (value_bytes + kChunkBytes - 1) / kChunkBytes; }
inline std::uint64_t table_bytes(std::uint64_t value_bytes) { return chunks_of(value_bytes) * kChunkEntryBytes; }
// Of a record in which nothing is compressed.
inline std::uint64_t plain_record_bytes(std::uint64_t key_bytes, std::uint64_t value_bytes) {
  return kHeadBytes + key_bytes + value_bytes + table_bytes(value_bytes) + kTailBytes;
}
inline std::uint64_t aligned(std::uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

struct RecordHead {
  RecordId id;
  std::uint64_t key_bytes = 0;
  base::TagAlgorithm tags = base::TagAlgorithm::kBlake3;
  std::uint8_t compression = 0;  // Compression of chunks that are stored in fewer bytes than they have
};
// Head and key: head.key_bytes is taken from the key.
std::string encode(RecordHead head, std::string_view key);
// From kHeadBytes bytes; whether the key matches the check value is not looked at.
Result<RecordHead> decode_head(std::string_view bytes);
// `bytes`: head and key. False if the check value says otherwise.
bool head_verifies(std::string_view bytes);

struct ChunkEntry {
  std::uint32_t stored_bytes = 0;
  base::Tag tag;
};

// What head, key and tail of a record say, verified: where each chunk lies and what it must be.
struct RecordShape {
  RecordHead head;
  std::uint64_t value_bytes = 0;
  std::vector<ChunkEntry> chunks;
  std::uint64_t chunks_offset = 0;  // of the first chunk, from the start of the record
  std::uint64_t chunk_raw_bytes(std::uint64_t index) const {
    const std::uint64_t before = index * kChunkBytes;
    return value_bytes - before < kChunkBytes ? value_bytes - before : kChunkBytes;
  }
};
std::string encode_tail(std::uint64_t value_bytes, std::span<const ChunkEntry> chunks);
// The tag that a reference holds. `head`: with key; `tail`: with chunk table.
base::Tag tag_of_record(base::TagAlgorithm algorithm, std::string_view head, std::string_view tail);
// `head`: head and key, `tail`: chunk table and tail, of a record of `stored_bytes`. Checks all of it against itself.
Result<RecordShape> decode_shape(std::string_view head, std::string_view tail, std::uint64_t stored_bytes);
// The same, and that it is the record which `reference` names, of this key.
Result<RecordShape> decode_shape(std::string_view head, std::string_view tail, std::string_view key,
                                 const Reference& reference);

struct IndexEntry {
  RecordId id;
  std::uint64_t offset = 0, stored_bytes = 0;
};
void append_entry(std::string& to, const IndexEntry& entry);
IndexEntry load_entry(const char* from);  // of kIndexEntryBytes bytes

struct Header {
  format::Uid store_id, uid;
  format::FileNumber number = 0;
};
std::string encode(const Header& header);
Result<Header> decode_header(std::string_view bytes);

struct Footer {
  base::TagAlgorithm tags = base::TagAlgorithm::kBlake3;
  format::Uid store_id, uid;
  format::FileNumber number = 0;
  std::uint64_t records = 0, record_bytes = 0;
  std::uint64_t index_offset = 0;
  base::Tag index_tag;
  std::uint64_t created_ns = 0;
  std::uint64_t index_bytes() const { return records * kIndexEntryBytes; }
};
std::string encode(const Footer& footer, std::uint64_t file_bytes);
Result<Footer> decode_footer(std::string_view bytes, std::uint64_t file_bytes);
base::Tag tag_of_index(base::TagAlgorithm algorithm, const format::Uid& file, std::string_view index);
base::Tag tag_of_footer(base::TagAlgorithm algorithm, std::string_view footer);

}  // namespace lightning::blob
