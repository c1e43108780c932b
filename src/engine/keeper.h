// Keeper: what must stay in step with the records of one keyspace, and is written by the same commits: its indexes.
//
// The engine holds it for the keyspace; the commit asks it (txn/amendment.h): first, outside of every lock, what
// follows from a change; then, under the latches of all keys concerned, whether entries that only one record may own
// are free. Immutable, replaced whole inside the closed write gate.
//
// Threads: any.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lightning/result.h"

namespace lightning::engine {

class Tree;

// What one commit does to one record.
struct RecordChange {
  std::string_view key;
  std::optional<std::string_view> before, after;              // none: there is no record
  std::uint64_t before_expires_ms = 0, after_expires_ms = 0;  // 0: never
};

// What follows from it: one entry of an attached keyspace, put or erased.
struct Derived {
  Tree* tree = nullptr;  // of the attached keyspace; lives as long as the keeper
  std::string key;
  std::optional<std::string> value;  // none: an erase
  std::uint64_t expires_ms = 0;      // of a put; 0: never
  bool exclusive = false;            // at most one record may own this entry: it is settled before it is written
  std::string_view record;           // the key of the record that it follows from
};

class Keeper {
 public:
  virtual ~Keeper() = default;
  // Adds what follows from `change`. May run user code. An error refuses the write.
  virtual Status derive(const RecordChange& change, std::vector<Derived>& to) const = 0;
  // Nothing follows from any change: derive() need not be called.
  virtual bool idle() const = 0;
  // For an exclusive entry, under its latch: `current` is what it holds now, if anything; `releasing` are the records
  // that let go of it in this very commit. False: leave it as it is. An error refuses the write. Runs no user code,
  // reads nothing.
  virtual Result<bool> settle(const Derived& entry, std::span<const std::string_view> releasing,
                              std::optional<std::string_view> current) const = 0;
  // The error for two records of one commit that want the same exclusive entry.
  virtual Error twice(const Derived& one, const Derived& other) const = 0;
};

}  // namespace lightning::engine
