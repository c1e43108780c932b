// WriteBatch: operations that take effect together or not at all, across keyspaces.
//
//   WriteBatch batch;
//   batch.put("id:7", "paid").erase("pending:7");
//   LIGHTNING_TRY(db.write(batch));
//
// Later operations of a batch win over earlier ones on the same key.
// The encoding (docs/format/batch.md) is what the log stores: a batch is encoded once.
//
// Threads: one thread at a time. Lifetime: all calls copy their arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lightning/types.h"
#include "lightning/write_options.h"

namespace lightning {

class Keyspace;

class WriteBatch {
 public:
  // Without a keyspace: the default keyspace. Sizes and handles are checked by Database::write, which then applies
  // nothing: an empty handle is kInvalidArgument there, one of a keyspace that is gone kKeyspaceNotFound.
  WriteBatch& put(std::string_view key, std::string_view value);
  WriteBatch& put(const Keyspace& keyspace, std::string_view key, std::string_view value);
  // With a lifetime. A ttl counts from the moment the batch is written.
  WriteBatch& put(std::string_view key, std::string_view value, const Lifetime& lifetime);
  WriteBatch& put(const Keyspace& keyspace, std::string_view key, std::string_view value, const Lifetime& lifetime);
  // As Database::merge().
  WriteBatch& merge(std::string_view key, std::string_view operand);
  WriteBatch& merge(const Keyspace& keyspace, std::string_view key, std::string_view operand);
  WriteBatch& erase(std::string_view key);
  WriteBatch& erase(const Keyspace& keyspace, std::string_view key);
  // Every key of the range, those that earlier operations of this batch write too. Where the keyspace is counted or
  // indexed, Database::write refuses it (kNotSupported): Transaction::erase_range erases key by key.
  WriteBatch& erase_range(const KeyRange& range);
  WriteBatch& erase_range(const Keyspace& keyspace, const KeyRange& range);

  std::size_t len() const { return count_; }  // operations
  bool empty() const { return count_ == 0; }
  std::size_t bytes() const { return rep_.size(); }  // encoded size
  void clear();                                      // keeps the capacity
  void reserve(std::size_t bytes) { rep_.reserve(bytes); }

 private:
  friend class WriteBatchAccess;
  void append(std::uint8_t type, std::uint32_t keyspace_id, std::string_view key, std::string_view value);
  void append_put(std::uint32_t keyspace_id, std::string_view key, std::string_view value, const Lifetime& lifetime);

  std::string rep_;
  std::uint32_t count_ = 0;
  bool simple_ = true;  // nothing that is checked or settled outside of the commit: merges, lifetimes
};

}  // namespace lightning
