#include "engine/resolve.h"

#include <algorithm>
#include <optional>

#include "blob/layout.h"
#include "format/expiry.h"
#include "format/merge_operators.h"

namespace lightning::engine {

using format::EntryType;

Result<Held> held_by(EntryType type, std::string_view stored, const ReadRules& rules) {
  switch (type) {
    case EntryType::kErase:
      return Held{};
    case EntryType::kPut:
      return Held{.present = true, .value = stored};
    case EntryType::kPutExpiring: {
      format::Expiring expiring;
      if (!format::split_expiring(stored, expiring))
        return Error(ErrorCode::kCorruption, "a record that expires is too short to say when");
      if (expiring.expires_ms <= rules.clock->now_ms()) return Held{};
      return Held{.present = true, .value = expiring.value, .expires_ms = expiring.expires_ms};
    }
    case EntryType::kBlobReference: {
      LIGHTNING_ASSIGN(const blob::Reference reference, blob::decode_reference(stored));
      if (reference.expiry_ms && *reference.expiry_ms <= rules.clock->now_ms()) return Held{};
      return Held{.present = true, .value = stored, .expires_ms = reference.expiry_ms.value_or(0), .large = true};
    }
    case EntryType::kMerge:
    case EntryType::kEraseRange:
      break;
  }
  return Error(ErrorCode::kFormatUnsupported,
               "a version of type " + std::to_string(static_cast<int>(type)) + " is not known to this version");
}

void Resolver::begin(std::string_view key) {
  key_.assign(key);
  has_base_ = backward_ = false;
  operands_.clear();
  bytes_.clear();
}

Resolver::Next Resolver::take(EntryType type, std::string_view stored) {
  if (type == EntryType::kMerge) {
    push(stored);
    return Next::kOlder;
  }
  has_base_ = true;
  base_type_ = type;
  base_ = stored;
  return Next::kDone;
}

void Resolver::take_newer(EntryType type, std::string_view stored) {
  backward_ = true;
  if (type == EntryType::kMerge) return push(stored);
  has_base_ = true;
  base_type_ = type;
  base_ = base_copy_.assign(stored);
  operands_.clear();
  bytes_.clear();
}

Result<Held> Resolver::resolve() {
  Held base;
  if (has_base_) {
    LIGHTNING_ASSIGN(base, held_by(base_type_, base_, rules_));
  }
  if (operands_.empty()) return base;
  if (base.large) {
    if (rules_.large == nullptr) return Error(ErrorCode::kInternal, "nobody can read the large value of a merge");
    LIGHTNING_TRY(rules_.large->load(key_, base.value, base_loaded_));
    base.value = base_loaded_;
  }
  LIGHTNING_ASSIGN(Held held, resolve_over(base.present, base.value));
  held.base_expires_ms = base.expires_ms;
  return held;
}

Result<Held> Resolver::resolve_over(bool present, std::string_view base) {
  if (operands_.empty()) return Held{.present = present, .value = base};
  if (rules_.merge_operator == nullptr)
    return Error(ErrorCode::kMergeOperatorMissing,
                 rules_.options == nullptr || rules_.options->merge_operator.empty()
                     ? "the keyspace holds merge operands and has no merge operator"
                     : "the merge operator '" + rules_.options->merge_operator + "' is not registered");
  std::vector<std::string_view> operands;
  operands.reserve(operands_.size());
  for (const Operand& operand : operands_)
    operands.push_back(std::string_view(bytes_).substr(operand.offset, operand.bytes));
  if (!backward_) std::ranges::reverse(operands);
  LIGHTNING_TRY(format::full_merge(*rules_.merge_operator, key_, present ? std::optional(base) : std::nullopt, operands,
                                   merged_));
  return Held{.present = true, .value = merged_, .merged = true};
}

}  // namespace lightning::engine
