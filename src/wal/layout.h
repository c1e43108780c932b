// The bytes of a log segment (docs/format/wal.md): encoding and verified decoding, no I/O.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "format/ids.h"
#include "lightning/result.h"
#include "wal/wal.h"

namespace lightning::wal {

inline constexpr std::uint64_t kHeaderPageBytes = 4096;  // records begin here
inline constexpr std::uint64_t kStartBlockOffset = 512;
inline constexpr std::uint64_t kSealBlockOffset = 1024;
inline constexpr std::size_t kBlockBytes = 128;
inline constexpr std::uint64_t kRecordHeaderBytes = 64;
inline constexpr std::uint64_t kRecordAlignment = 8;
inline constexpr std::uint64_t kTagBytes = 16;

using Block = std::array<char, kBlockBytes>;
using RecordHeaderBytes = std::array<char, kRecordHeaderBytes>;

// "00000000000000000042.log", and back; nullopt for any other name.
std::string segment_name(format::FileNumber number);
std::optional<format::FileNumber> segment_number(std::string_view name);

// --- header page --------------------------------------------------------------------------------------------------

struct PreparedBlock {
  std::uint32_t format_version = format::kFormatVersion;
  format::FeatureMasks features = format::kKnownFeatures;
  format::Uid store_id{}, segment_uid{};
  format::FileNumber number = 0;
  format::Epoch epoch = 0;
  std::uint64_t segment_bytes = 0;
  format::FileNumber life = 0;  // number of the first segment of the same life
  std::uint16_t key_id = 0;
  std::uint8_t parity_scheme = 0;
  bool recycled = false;
  std::uint64_t time_ns = 0;
};

struct StartBlock {
  format::Uid store_id{}, segment_uid{};
  format::FileNumber number = 0;
  LogPosition start{};
  Sequence durable = 0;
  std::uint64_t time_ns = 0;
  format::FileNumber previous = 0;  // segment of the same life before this one; 0: none
  format::FileNumber life = 0;
  Sequence continues = 0;  // last sequence of the commit whose later fragment comes first; 0: none
  ManifestPosition manifest{};
};

struct SealBlock {
  format::Uid segment_uid{};
  format::FileNumber number = 0;
  std::uint64_t end = 0;
  LogPosition position{};
  Sequence durable = 0;
  std::uint64_t time_ns = 0;
  std::optional<base::Digest> digest{};  // of bytes kHeaderPageBytes .. end
  std::uint64_t records = 0;
};

Block encode(const PreparedBlock& block);
Block encode(const StartBlock& block);
Block encode(const SealBlock& block);
// Nullopt unless magic and check are right. Every other field is as it was stored: believe nothing of its range.
std::optional<PreparedBlock> decode_prepared(std::string_view bytes);
std::optional<StartBlock> decode_start(std::string_view bytes);
std::optional<SealBlock> decode_seal(std::string_view bytes);

// --- records ------------------------------------------------------------------------------------------------------

enum class RecordKind : std::uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4, kMark = 5 };
inline constexpr std::uint8_t kRecordHasTag = 1;  // flags

inline constexpr bool completes_commit(RecordKind kind) {
  return kind == RecordKind::kFull || kind == RecordKind::kLast;
}
inline constexpr bool begins_commit(RecordKind kind) { return kind == RecordKind::kFull || kind == RecordKind::kFirst; }
std::string_view name_of(RecordKind kind);

struct RecordHeader {
  std::uint32_t payload_bytes = 0;
  RecordKind kind = RecordKind::kFull;
  std::uint8_t flags = 0;
  Sequence first_sequence = 0;
  std::uint32_t operations = 0;
  std::uint32_t epoch = 0;
  std::uint64_t commit_time_ns = 0;
  Sequence durable = 0;
  std::uint64_t chain = 0;
  std::uint64_t payload_hash = 0;

  bool has_tag() const { return (flags & kRecordHasTag) != 0; }
  Sequence last_sequence() const { return first_sequence + operations - 1; }  // of its commit; not for marks
};

// Bytes a record takes in the segment.
inline constexpr std::uint64_t record_bytes(std::uint64_t payload_bytes, bool with_tag) {
  const std::uint64_t bytes = kRecordHeaderBytes + payload_bytes + (with_tag ? kTagBytes : 0);
  return (bytes + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
}
inline std::uint64_t record_bytes(const RecordHeader& header) {
  return record_bytes(header.payload_bytes, header.has_tag());
}

// What binds a record to one use of one segment; the seed of a header's check is this xor its offset.
inline std::uint64_t segment_seed(const format::Uid& uid) { return base::hash64(base::as_bytes(uid.bytes)); }

RecordHeaderBytes encode(const RecordHeader& header, std::uint64_t seed, std::uint64_t offset);
// The header at `offset`, if one was stored there: check right, fields possible, record within `limit` (a file offset).
std::optional<RecordHeader> decode_record(std::string_view bytes, std::uint64_t seed, std::uint64_t offset,
                                          std::uint64_t limit);
// Follows the payload where has_tag().
base::Tag record_tag(const RecordHeaderBytes& header, std::string_view payload);

// The chain after a commit, from the chain before it.
struct ChainLink {
  std::uint64_t payload_hash = 0;  // of the commit's whole payload
  Sequence first_sequence = 0;
  std::uint64_t commit_time_ns = 0;
  std::uint64_t payload_bytes = 0;
  std::uint32_t operations = 0;
  std::uint32_t epoch = 0;
};
static_assert(sizeof(ChainLink) == 40);
inline std::uint64_t extend_chain(std::uint64_t chain, const ChainLink& link) {
  return base::hash64({reinterpret_cast<const char*>(&link), sizeof link}, chain);
}

}  // namespace lightning::wal
