// What memtables, tables and the log all speak: entries ordered by key, then newest first.
#pragma once

#include <cstdint>
#include <string_view>

#include "lightning/result.h"
#include "lightning/types.h"

namespace lightning::format {

// Stored on disk; numbers are never reused. Types marked (reserved) have their place in the formats of version 1 and
// are refused by this version's readers with kFormatUnsupported.
enum class EntryType : std::uint8_t {
  kErase = 0,          // tombstone: hides older versions of its key
  kPut = 1,            // value follows
  kMerge = 2,          // operand of the keyspace's merge operator
  kEraseRange = 3,     // hides what is older in a range: key = start, value = end (range_tombstones.h)
  kPutExpiring = 4,    // value = u64 expiry time in ms since 1970, then the value (expiry.h)
  kBlobReference = 5,  // value = reference to a blob file (docs/format/blob.md)
};
inline constexpr bool is_known(EntryType type) { return type <= EntryType::kBlobReference; }
// Whether it is about its key, and stands among the entries of memtables and tables; ranges stand beside them.
inline constexpr bool is_point(EntryType type) { return is_known(type) && type != EntryType::kEraseRange; }

// Sequence numbers use 56 bits, so that (sequence, type) packs into one 64-bit trailer.
inline constexpr Sequence kSequenceMax = (Sequence{1} << 56) - 1;
inline constexpr std::uint64_t pack_trailer(Sequence sequence, EntryType type) {
  return sequence << 8 | static_cast<std::uint64_t>(type);
}
inline constexpr Sequence trailer_sequence(std::uint64_t trailer) { return trailer >> 8; }
inline constexpr EntryType trailer_type(std::uint64_t trailer) { return static_cast<EntryType>(trailer & 0xff); }

struct Entry {
  std::string_view key;
  Sequence sequence = 0;
  EntryType type = EntryType::kPut;
  std::string_view value;
};

// Entry order: key ascending (bytes), then sequence descending. <0, 0, >0.
inline int compare_entries(std::string_view key_a, Sequence sequence_a, std::string_view key_b, Sequence sequence_b) {
  if (const int c = key_a.compare(key_b); c != 0) return c;
  return sequence_a > sequence_b ? -1 : sequence_a < sequence_b ? 1 : 0;
}

// A cursor over entries in entry order: every version of every key, tombstones too.
// Threads: one at a time. An I/O or corruption error makes valid() false and status() an error.
class EntryIterator {
 public:
  virtual ~EntryIterator() = default;
  virtual bool valid() const = 0;
  virtual void seek_to_first() = 0;
  virtual void seek_to_last() = 0;
  // First entry that is not before (key, sequence): with sequence = kSequenceMax, the newest version of the first key
  // >= key.
  virtual void seek(std::string_view key, Sequence sequence) = 0;
  // Last entry that is not after (key, sequence): with sequence = 0, the oldest version of the last key <= key.
  virtual void seek_for_prev(std::string_view key, Sequence sequence) = 0;
  virtual void next() = 0;
  virtual void prev() = 0;
  // Good until the cursor moves. Requires valid().
  virtual const Entry& entry() const = 0;
  virtual Status status() const = 0;
};

}  // namespace lightning::format
