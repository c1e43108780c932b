// What was written after a sequence: how a commit finds out whether what it relies on still holds.
//
// The answer comes from the data itself, wherever it lies by now: memtables, sealed ones, tables; nothing depends on
// how long a memtable lives. Tables that hold nothing newer than the sequence are passed over by what the manifest
// knows of them, so a short transaction looks at one memtable. What is applied and not yet visible counts. While the
// sequence is pinned by a snapshot, no merge drops the last trace of a newer write (compaction/retention.h).
//
// Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/tree.h"
#include "lightning/result.h"
#include "txn/key_ranges.h"

namespace lightning::txn {

// Sequence of the newest write to `key` if it is newer than `after`, else 0. `hash` = key_hash(key).
// Reads blocks if they are not in memory; not inside an epoch guard.
Result<Sequence> newer_write(const engine::Tree& tree, std::string_view key, std::uint64_t hash, Sequence after);

// The newest version of a key, applied and perhaps not yet visible.
struct NewestVersion {
  Sequence sequence = 0;  // 0: there is none
  format::EntryType type = format::EntryType::kErase;
  // Whether there is a record; an erased range counts as an erase.
  bool record() const { return type != format::EntryType::kErase; }
};
// Without I/O: none if a block must be read, or a large value. `value`, if not null and there is a record, gets the
// version's bytes.
std::optional<NewestVersion> newest_in_memory(const engine::Tree& tree, std::string_view key, std::uint64_t hash,
                                              std::string* value = nullptr);
// Not inside an epoch guard. A large value that was asked for comes as if it lay in the entry: as a kPut or
// kPutExpiring.
Result<NewestVersion> newest_version(const engine::Tree& tree, std::string_view key, std::uint64_t hash,
                                     std::string* value = nullptr);

// What the version holds at `now_ms`, inside `bytes`, which newest_version() gave: none if it is no record, or one that
// has expired. Of types that say it alone, as entries of indexes always are: puts, with a lifetime or
// without.
std::optional<std::string_view> value_of(const NewestVersion& version, std::string_view bytes, std::uint64_t now_ms);
// Appends a put to `batch`, with a lifetime unless `expires_ms` is 0.
void append_put(std::string& batch, format::KeyspaceId keyspace, std::string_view key, std::string_view value,
                std::uint64_t expires_ms);

// Whether newer_write() surely needs no disk.
bool all_newer_in_one_memtable(const engine::Tree& tree, Sequence after);

struct RangeChange {
  std::string key;
  Sequence sequence = 0;
};
// One write newer than `after` to a key in [start, end), if there is any.
Result<std::optional<RangeChange>> newer_write_in(const engine::Tree& tree, std::string_view start,
                                                  const KeyRanges::End& end, Sequence after);

}  // namespace lightning::txn
