// What a key holds: the one rule, for point reads, iterators and transactions.
//
// It follows from the key's versions that a reader sees, newest first. The newest one that stands for itself is the
// base: a put is its value, a put that has expired or a tombstone is nothing. Merge operands above it are applied to
// it, oldest first. What lies below the base does not matter.
//
//   Resolver resolver(rules);
//   resolver.begin(key);
//   while (there is a next older version && resolver.take(type, value) == Resolver::Next::kOlder) {}
//   LIGHTNING_ASSIGN(const Held held, resolver.resolve());
//
// A plain put never comes here: readers return its bytes where they meet it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clock.h"
#include "format/entry.h"
#include "lightning/keyspace_options.h"
#include "lightning/merge_operator.h"
#include "lightning/result.h"

namespace lightning::engine {

// Reads the value that a reference to a blob file stands for.
class LargeValueSource {
 public:
  virtual ~LargeValueSource() = default;
  virtual Status load(std::string_view key, std::string_view reference, std::string& value) const = 0;
};

// What a keyspace says about its values, and what time it is.
struct ReadRules {
  const MergeOperator* merge_operator = nullptr;
  const KeyspaceOptions* options = nullptr;
  const Clock* clock = nullptr;
  const LargeValueSource* large = nullptr;  // for what is merged into a large value
};

struct Held {
  bool present = false;
  std::string_view value;        // inside the base, or inside the resolver if anything was merged
  std::uint64_t expires_ms = 0;  // 0: never
  bool merged = false;
  // Merged into a base that expires then: from that moment on the value is another one. 0: never.
  std::uint64_t base_expires_ms = 0;
  bool large = false;  // `value` is a reference: the value itself is yet to be read
};

// What a base alone holds. kCorruption for bytes that no writer makes.
Result<Held> held_by(format::EntryType type, std::string_view stored, const ReadRules& rules);

// Threads: one at a time.
class Resolver {
 public:
  explicit Resolver(const ReadRules& rules) : rules_(rules) {}

  void begin(std::string_view key);
  enum class Next : std::uint8_t { kOlder, kDone };  // kDone: what is older does not matter
  // Newest first. Operands are copied; a base must stay where it is until the answer was used.
  Next take(format::EntryType type, std::string_view stored);
  // Oldest first: for readers who come from behind. Copies all.
  void take_newer(format::EntryType type, std::string_view stored);
  // As many versions as were taken, and nothing older if none of them was a base. Value good until the next begin().
  // Errors: kMergeOperatorMissing, kMergeFailed, kCorruption; those of reading a large value that something is merged
  // into.
  Result<Held> resolve();
  // The same with a base that is no stored version.
  Result<Held> resolve_over(bool present, std::string_view base);

  bool any_operands() const { return !operands_.empty(); }

 private:
  struct Operand {
    std::size_t offset, bytes;
  };
  void push(std::string_view operand) {
    operands_.push_back({bytes_.size(), operand.size()});
    bytes_ += operand;
  }

  const ReadRules rules_;
  std::string key_;
  bool has_base_ = false, backward_ = false;
  format::EntryType base_type_ = format::EntryType::kErase;
  std::string_view base_;
  std::string base_copy_, base_loaded_;
  std::vector<Operand> operands_;
  std::string bytes_;   // of the operands
  std::string merged_;  // the answer, if there were any
};

}  // namespace lightning::engine
