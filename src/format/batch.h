// The encoding of a batch: what a commit stores in the log (docs/format/batch.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "format/entry.h"
#include "format/ids.h"
#include "lightning/result.h"

namespace lightning::format {

struct Operation {
  EntryType type = EntryType::kPut;
  KeyspaceId keyspace = 0;
  std::string_view key;
  std::string_view value;  // empty for kErase
  // In a counted keyspace: the write changes how many records there are, an erase by -1, all else by +1.
  bool changes_count = false;
  // Modulo 2^64.
  std::uint64_t count_change() const { return !changes_count ? 0 : type == EntryType::kErase ? ~std::uint64_t{0} : 1; }
};

// Added to the type of an operation that changes the count.
inline constexpr std::uint8_t kChangesCount = 0x80;

// Whether operations of this type carry a value.
inline constexpr bool has_value(EntryType type) { return type != EntryType::kErase; }

// Encoded size of an operation.
inline std::size_t operation_bytes(const Operation& operation) {
  std::size_t bytes =
      1 + base::varint_bytes(operation.keyspace) + base::varint_bytes(operation.key.size()) + operation.key.size();
  if (has_value(operation.type)) bytes += base::varint_bytes(operation.value.size()) + operation.value.size();
  return bytes;
}

// Writes operation_bytes(operation) bytes at `to` and returns their end. For a single operation on the stack.
inline char* put_operation(char* to, const Operation& operation) {
  *to++ = static_cast<char>(static_cast<std::uint8_t>(operation.type) | (operation.changes_count ? kChangesCount : 0u));
  to = base::put_varint(to, operation.keyspace);
  to = base::put_varint(to, operation.key.size());
  to = static_cast<char*>(std::memcpy(to, operation.key.data(), operation.key.size())) + operation.key.size();
  if (!has_value(operation.type)) return to;
  to = base::put_varint(to, operation.value.size());
  if (!operation.value.empty()) std::memcpy(to, operation.value.data(), operation.value.size());
  return to + operation.value.size();
}

void append_operation(std::string& to, const Operation& operation);

// The operation that erases [start, end); none: open. Whether that is a range is for the reader of the batch to say.
// The result points into what it was given.
Operation erase_range(KeyspaceId keyspace, const std::optional<std::string>& start,
                      const std::optional<std::string>& end);

// Reads a batch operation by operation. Total: any bytes give operations or an error, never a read outside them, and
// nothing is allocated unless there is an error to describe.
//
//   for (BatchReader reader(payload); reader.next();) apply(reader.operation());   // then look at status()
//
// Threads: one at a time. Lifetime: operations point into `encoded`.
class BatchReader {
 public:
  // Where the bytes come from decides who is to blame for wrong sizes: a caller, or what the store kept.
  // Lifetimes in a caller's batch may not be settled yet (expiry.h).
  enum class Source : std::uint8_t { kStore, kCaller, kUnsettled };
  explicit BatchReader(std::string_view encoded, Source source = Source::kStore)
      : rest_(encoded), size_(encoded.size()), source_(source) {}

  // Moves to the next operation. False at the end, and at malformed bytes, where status() says what is wrong.
  bool next() {
    if (rest_.empty() || fault_ != Fault::kNone) return false;
    start_ = offset();
    fault_ = read();
    return fault_ == Fault::kNone;
  }
  // The one next() moved to.
  const Operation& operation() const { return operation_; }
  // Where the next operation begins.
  std::size_t offset() const { return size_ - rest_.size(); }
  // kWalCorrupt or, for a type that a later version defines, kFormatUnsupported; with the offset of the operation. From
  // a caller: kKeyEmpty, kKeyTooLarge or kValueTooLarge where that is what is wrong.
  Status status() const { return fault_ == Fault::kNone ? Status{} : Status{describe()}; }

 private:
  enum class Fault : std::uint8_t {
    kNone,
    kTruncated,
    kKeyspace,
    kKeyEmpty,
    kKeySize,
    kValueSize,
    kExpiry,
    kRange,
    kUnknownType
  };
  Fault read();
  Error describe() const;

  std::string_view rest_;
  std::size_t size_, start_ = 0;
  Operation operation_;
  Fault fault_ = Fault::kNone;
  Source source_;
};

// Reads all of `encoded`: the number of its operations, or why it is malformed.
Result<std::uint64_t> count_operations(std::string_view encoded);

}  // namespace lightning::format
