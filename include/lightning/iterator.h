// Ordered iteration over one keyspace, both ways.
//
//   auto it = db.iterate({.prefix = "user:"});
//   for (it.seek_to_first(); it.valid(); it.next()) use(it.key(), it.value());
//   LIGHTNING_TRY(it.status());
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lightning/result.h"
#include "lightning/types.h"

namespace lightning {

class Snapshot;
namespace engine {
class Cursor;
}

struct IterateOptions {
  const Snapshot* snapshot = nullptr;           // null: what was visible when the iterator was made
  std::optional<std::string> lower_bound = {};  // inclusive
  std::optional<std::string> upper_bound = {};  // exclusive
  std::string prefix = {};                      // if not empty: only keys that start with it; joins the bounds
  bool fill_cache = true;                       // false for long scans that should leave the cache alone
};

// A consistent view of one keyspace: later writes, flushes and compactions do not change what it returns.
//
// Threads:  one thread at a time; may be handed over.
// Lifetime: destroy before the database closes. It pins the files and memtables it may read.
// Errors:   a failed read makes valid() false and status() an error: an end is only an end if status() is ok.
class Iterator {
 public:
  Iterator();
  explicit Iterator(std::unique_ptr<engine::Cursor> impl);
  Iterator(Iterator&&) noexcept;
  Iterator& operator=(Iterator&&) noexcept;
  ~Iterator();

  bool valid() const;
  void seek_to_first();
  void seek_to_last();
  void seek(std::string_view target);           // first key >= target
  void seek_for_prev(std::string_view target);  // last key <= target
  void next();                                  // requires valid()
  void prev();                                  // requires valid()
  std::string_view key() const;                 // requires valid(); good until the next move
  // Requires valid(); good until the next move. A large value is read when it is asked for: if that fails, the value is
  // empty, valid() false and status() an error.
  std::string_view value() const;
  // When the record expires, since 1970-01-01 00:00 UTC; none: never. Requires valid().
  std::optional<std::chrono::milliseconds> expires_at() const;
  Status status() const;
  // What was erased, singly or in a range, and had to be stepped over all the same, by all moves so far. A seek that
  // passes many is slow: see tombstones_per_seek_max.
  std::uint64_t tombstones_passed() const;

 private:
  std::unique_ptr<engine::Cursor> impl_;
};

}  // namespace lightning
