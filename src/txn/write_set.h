// WriteSet: what a transaction is going to write, in order of keyspace and key, with the way back to each savepoint.
//
// A key has a chain of versions, newest first; only a savepoint and merge operands make it longer than one: each of
// those stands on what the transaction wrote before, and is written behind it. Everything lies in an
// arena that is freed with the set, so bytes that were handed out stay valid whatever is written or undone later.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "format/batch.h"
#include "format/range_tombstones.h"

namespace lightning::txn {

class WriteSet {
 public:
  struct Key {
    format::KeyspaceId keyspace = 0;
    std::string_view bytes;
    auto operator<=>(const Key&) const = default;
  };
  struct Version {
    format::EntryType type = format::EntryType::kPut;
    std::string_view value;
    Version* older = nullptr;        // what rollback_to() brings back
    const Version* under = nullptr;  // of an operand: this transaction's own version that it is merged into
    std::uint64_t change = 0;        // the how-manieth change of the set
    // Whether what the database holds matters to what the key holds after this.
    bool needs_base() const {
      const Version* version = this;
      while (version->type == format::EntryType::kMerge && version->under != nullptr) version = version->under;
      return version->type == format::EntryType::kMerge;
    }
  };
  struct Written {
    std::uint64_t hash = 0;     // key_hash of the key
    Version* newest = nullptr;  // null: undone, nothing is written
  };
  using Map = std::pmr::map<Key, Written>;

  WriteSet() : arena_(first_, sizeof first_), map_(&arena_) {}
  WriteSet(const WriteSet&) = delete;
  WriteSet& operator=(const WriteSet&) = delete;

  // Bytes that writing this takes at most.
  static std::uint64_t cost(std::string_view key, std::string_view value) {
    return sizeof(Map::value_type) + 4 * sizeof(void*) + sizeof(Version) + sizeof(Written*) + key.size() + value.size();
  }
  // `key` and `value` may lie inside the set.
  void add(const format::Operation& operation, std::uint64_t hash);
  // Null: this transaction does not write the key. In a range that it erased later, a key is erased.
  const Version* find(format::KeyspaceId keyspace, std::string_view key) const {
    if (live_ == 0 && ranges_.empty()) return nullptr;
    const auto found = map_.find(Key{keyspace, key});
    const Version* const newest = found == map_.end() ? nullptr : found->second.newest;
    return ranges_.empty() ? newest : or_erased(keyspace, key, newest);
  }
  // `newest` of the key, or kInErasedRange if a range was erased since.
  static const Version kInErasedRange;
  const Version* or_erased(format::KeyspaceId keyspace, std::string_view key, const Version* newest) const;

  // Ranges that are erased; `operation` may lie inside the set.
  struct Range {
    format::KeyspaceId keyspace = 0;
    std::string_view start, end;  // end empty: no end
    std::uint64_t change = 0;
  };
  static std::uint64_t range_cost(std::string_view start, std::string_view end) {
    return 3 * sizeof(Range) + start.size() + end.size();
  }
  void add_range(const format::Operation& operation);
  const std::vector<Range>& ranges() const { return ranges_; }
  // Those of one keyspace, where sequences are numbers of changes. Good until the next change.
  const format::RangeTombstones& erased(format::KeyspaceId keyspace) const;

  // Savepoints are numbers of changes.
  std::uint64_t mark() {
    keep_undo_ = true;
    return changes_;
  }
  // Back to the writes as they were at `mark`, which mark() returned.
  void undo_to(std::uint64_t mark);

  // With undone keys, whose `newest` is null, among them. Positions stay valid while keys are added.
  const Map& map() const { return map_; }
  std::size_t live() const { return live_ + ranges_.size(); }  // keys written, and ranges erased
  std::uint64_t edits() const { return edits_; }               // rises with every change and every undoing
  std::uint64_t bytes() const { return bytes_; }
  // The batch that writes all of it, ranges first, then what was not erased by them, in order of keys; returns its
  // number of operations.
  std::uint32_t encode(std::string& batch) const;

 private:
  std::string_view copy(std::string_view bytes);

  alignas(16) std::byte first_[1024];
  std::pmr::monotonic_buffer_resource arena_;
  Map map_;
  std::vector<Range> ranges_;
  mutable std::map<format::KeyspaceId, format::RangeTombstones> erased_;  // made when they are asked for
  mutable bool erased_made_ = false;
  std::vector<Written*> undo_;  // one per change since the first mark(); null: a range
  std::uint64_t changes_ = 0, edits_ = 0;
  bool keep_undo_ = false;
  std::size_t live_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace lightning::txn
