// MergeOperator: how a value changes by merge(), without being read first.
//
//   db.create_keyspace("hits", {.merge_operator = "add"});
//   db.merge(hits, "front page", encoded(1));      // costs what a put costs; summed up by readers and compactions
//
// Built in, of 64-bit signed little-endian integers: "add", "min", "max"; of bytes: "append".
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lightning/result.h"

namespace lightning {

// One of your own is registered when the database is opened (open_options.h), each time, under the name that the
// keyspace keeps. What it answers must depend on its arguments alone, and never change under the same name: the store
// holds operands that were folded by it, and others that will be.
//
// Threads: any number at once; from readers, flushes and compactions. It must not call the database.
// Errors:  of merge(): the read answers kMergeFailed with this text, and the record stays as it was stored.
class MergeOperator {
 public:
  virtual ~MergeOperator() = default;
  virtual std::string_view name() const = 0;

  // Whether `operand` is one; asked before it is written. The error should be kInvalidArgument.
  virtual Status check(std::string_view operand) const;

  // Full merge: the value that `operands`, oldest first, make of `base` (none: the key is absent). `value` is empty.
  virtual Status merge(std::string_view key, std::optional<std::string_view> base,
                       std::span<const std::string_view> operands, std::string& value) const = 0;

  // Partial merge: one operand that does to every base what `older` and then `newer` do. `combined` is empty. False if
  // there is none. An operator without it is right, but its operands are kept until they meet their base.
  virtual bool combine(std::string_view key, std::string_view older, std::string_view newer,
                       std::string& combined) const;
};

}  // namespace lightning
