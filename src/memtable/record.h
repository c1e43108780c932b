// One entry as it lies in the arena: written once by its writer, then published through a tree node and never changed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "format/entry.h"

namespace lightning::memtable {

struct Record {
  std::uint64_t trailer;  // sequence and type
  std::uint32_t key_bytes;
  std::uint32_t value_bytes;

  std::string_view key() const { return {data(), key_bytes}; }
  std::string_view value() const { return {data() + key_bytes, value_bytes}; }
  Sequence sequence() const { return format::trailer_sequence(trailer); }
  format::Entry entry() const { return {key(), sequence(), format::trailer_type(trailer), value()}; }

  static constexpr std::size_t bytes(std::size_t key, std::size_t value) { return sizeof(Record) + key + value; }
  static const Record* write(char* to, const format::Entry& entry) {
    auto* const record = reinterpret_cast<Record*>(to);
    record->trailer = format::pack_trailer(entry.sequence, entry.type);
    record->key_bytes = static_cast<std::uint32_t>(entry.key.size());
    record->value_bytes = static_cast<std::uint32_t>(entry.value.size());
    char* const bytes_at = to + sizeof(Record);
    std::memcpy(bytes_at, entry.key.data(), entry.key.size());
    if (!entry.value.empty()) std::memcpy(bytes_at + entry.key.size(), entry.value.data(), entry.value.size());
    return record;
  }

 private:
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
};
static_assert(sizeof(Record) == 16);

// A place in entry order.
struct Target {
  std::string_view key;
  Sequence sequence;
};
inline constexpr Sequence kBeforeAllVersions = ~Sequence{0};

// Where `record` stands relative to `target`, both known to share their first `shared` key bytes: <0, 0, >0.
inline int compare(const Record& record, const Target& target, std::size_t shared = 0) {
  std::string_view a = record.key(), b = target.key;
  shared = std::min({shared, a.size(), b.size()});
  a.remove_prefix(shared);
  b.remove_prefix(shared);
  return format::compare_entries(a, record.sequence(), b, target.sequence);
}

// A record as a boundary between nodes, in one word: either exactly at the record, or, when the entries on both sides
// have different keys, before all versions of its key. Zero is no boundary: the edge of the tree.
class Boundary {
 public:
  Boundary() = default;
  explicit Boundary(std::uintptr_t word) : word_(word) {}
  static Boundary between(const Record& left, const Record& right) {
    const auto word = reinterpret_cast<std::uintptr_t>(&right);
    return Boundary(left.key() == right.key() ? word : word | kBeforeKey);
  }

  std::uintptr_t word() const { return word_; }
  explicit operator bool() const { return word_ != 0; }
  const Record& record() const { return *reinterpret_cast<const Record*>(word_ & ~kBeforeKey); }
  bool before_key() const { return (word_ & kBeforeKey) != 0; }
  Target target() const { return {record().key(), before_key() ? kBeforeAllVersions : record().sequence()}; }

 private:
  static constexpr std::uintptr_t kBeforeKey = 1;  // records are 8-byte aligned
  std::uintptr_t word_ = 0;
};

}  // namespace lightning::memtable
