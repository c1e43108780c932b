#include "format/merge_operators.h"

#include <algorithm>
#include <exception>
#include <limits>

#include "base/coding.h"
#include "lightning/types.h"

namespace lightning {

Status MergeOperator::check(std::string_view) const { return {}; }
bool MergeOperator::combine(std::string_view, std::string_view, std::string_view, std::string&) const { return false; }

namespace format {

namespace {

// --- built in -------------------------------------------------------------------------------------------------------

std::int64_t number_of(std::string_view bytes) {
  return static_cast<std::int64_t>(base::load_le<std::uint64_t>(bytes.data()));
}

Status check_number(std::string_view bytes, std::string_view what) {
  if (bytes.size() == sizeof(std::int64_t)) return {};
  return Error(ErrorCode::kInvalidArgument, std::string(what) + " has " + std::to_string(bytes.size()) +
                                                " bytes, and a 64-bit little-endian integer has 8");
}

// Operators on 64-bit integers. `Fold` keeps a running result, wide enough that only the end can be out of range.
template <class Fold>
class Numbers final : public MergeOperator {
 public:
  std::string_view name() const override { return Fold::kName; }
  Status check(std::string_view operand) const override { return check_number(operand, "the operand"); }
  Status merge(std::string_view, std::optional<std::string_view> base, std::span<const std::string_view> operands,
               std::string& value) const override {
    Fold fold;
    if (base) {
      LIGHTNING_TRY(check_number(*base, "the value"));
      fold.take(number_of(*base));
    }
    for (const std::string_view operand : operands) {
      LIGHTNING_TRY(check_number(operand, "an operand"));
      fold.take(number_of(operand));
    }
    if (!fold.fits())
      return Error(ErrorCode::kMergeFailed, "the sum " + std::string(fold.below() ? "is below" : "exceeds") +
                                                " what 64 signed bits hold: put a value, or merge the opposite");
    base::append_le(value, static_cast<std::uint64_t>(fold.result()));
    return {};
  }
  bool combine(std::string_view, std::string_view older, std::string_view newer, std::string& combined) const override {
    if (older.size() != sizeof(std::int64_t) || newer.size() != sizeof(std::int64_t)) return false;
    Fold fold;
    fold.take(number_of(older));
    fold.take(number_of(newer));
    if (!fold.fits()) return false;
    base::append_le(combined, static_cast<std::uint64_t>(fold.result()));
    return true;
  }
};

// Sums exactly: how operands are grouped never decides whether there is a result.
struct Add {
  static constexpr std::string_view kName = "add";
  void take(std::int64_t number) { sum += number; }
  bool fits() const {
    return sum >= std::numeric_limits<std::int64_t>::min() && sum <= std::numeric_limits<std::int64_t>::max();
  }
  bool below() const { return sum < 0; }
  std::int64_t result() const { return static_cast<std::int64_t>(sum); }
  __extension__ typedef __int128 Wide;
  Wide sum = 0;
};

template <bool kLeast>
struct Extreme {
  static constexpr std::string_view kName = kLeast ? "min" : "max";
  void take(std::int64_t number) {
    if (!any || (kLeast ? number < best : number > best)) best = number;
    any = true;
  }
  static bool fits() { return true; }
  static bool below() { return false; }
  std::int64_t result() const { return best; }
  std::int64_t best = 0;
  bool any = false;
};

class Append final : public MergeOperator {
 public:
  std::string_view name() const override { return "append"; }
  Status merge(std::string_view, std::optional<std::string_view> base, std::span<const std::string_view> operands,
               std::string& value) const override {
    std::size_t bytes = base ? base->size() : 0;
    for (const std::string_view operand : operands) bytes += operand.size();
    if (bytes > kValueBytesMax)
      return Error(ErrorCode::kMergeFailed, "the value would have " + std::to_string(bytes) + " bytes, the limit is " +
                                                std::to_string(kValueBytesMax));
    value.reserve(bytes);
    if (base) value += *base;
    for (const std::string_view operand : operands) value += operand;
    return {};
  }
  bool combine(std::string_view, std::string_view older, std::string_view newer, std::string& combined) const override {
    if (older.size() + newer.size() > kValueBytesMax) return false;
    combined.reserve(older.size() + newer.size());
    combined.append(older).append(newer);
    return true;
  }
};

Error failed(const MergeOperator& merge_operator, std::string_view key, const std::string& why) {
  constexpr std::size_t kShown = 64;
  std::string shown;
  for (const char c : key.substr(0, kShown)) shown += c >= 0x20 && c < 0x7f ? c : '?';
  if (key.size() > kShown) shown += "...";
  return Error(ErrorCode::kMergeFailed,
               "merging '" + shown + "' with '" + std::string(merge_operator.name()) + "': " + why);
}

}  // namespace

// --- by name --------------------------------------------------------------------------------------------------------

MergeOperators::MergeOperators() {
  const auto built_in = [this](std::shared_ptr<const MergeOperator> merge_operator) {
    by_name_.emplace(std::string(merge_operator->name()), std::move(merge_operator));
  };
  built_in(std::make_shared<Numbers<Add>>());
  built_in(std::make_shared<Numbers<Extreme<true>>>());
  built_in(std::make_shared<Numbers<Extreme<false>>>());
  built_in(std::make_shared<Append>());
}

Status MergeOperators::add(std::shared_ptr<const MergeOperator> merge_operator) {
  if (!merge_operator) return Error(ErrorCode::kInvalidArgument, "a merge operator to register is null");
  const std::string name(merge_operator->name());
  if (name.empty() || name.size() > kKeyspaceNameBytesMax)
    return Error(ErrorCode::kInvalidArgument,
                 "the name of a merge operator has 1 to " + std::to_string(kKeyspaceNameBytesMax) + " bytes");
  if (!by_name_.emplace(name, std::move(merge_operator)).second)
    return Error(ErrorCode::kInvalidArgument, "there are two merge operators of the name '" + name + "'");
  return {};
}

const MergeOperator* MergeOperators::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second.get();
}

std::vector<std::string_view> MergeOperators::names() const {
  std::vector<std::string_view> names;
  names.reserve(by_name_.size());
  for (const auto& [name, merge_operator] : by_name_) names.push_back(name);
  return names;
}

// --- calls ----------------------------------------------------------------------------------------------------------

Status full_merge(const MergeOperator& merge_operator, std::string_view key, std::optional<std::string_view> base,
                  std::span<const std::string_view> operands, std::string& value) try {
  value.clear();
  if (const Status merged = merge_operator.merge(key, base, operands, value); !merged)
    return failed(merge_operator, key, merged.error().message());
  if (value.size() > kValueBytesMax)
    return failed(merge_operator, key, "it made a value of " + std::to_string(value.size()) + " bytes");
  return {};
} catch (const std::bad_alloc&) {
  return Error(ErrorCode::kOutOfMemory, "no memory for the merge of a value");
} catch (const std::exception& thrown) {
  return failed(merge_operator, key, std::string("it threw: ") + thrown.what());
} catch (...) {
  return failed(merge_operator, key, "it threw");
}

bool partial_merge(const MergeOperator& merge_operator, std::string_view key, std::string_view older,
                   std::string_view newer, std::string& combined) try {
  combined.clear();
  return merge_operator.combine(key, older, newer, combined) && combined.size() <= kValueBytesMax;
} catch (...) {
  return false;
}

Status check_operand(const MergeOperator& merge_operator, std::string_view operand) try {
  return merge_operator.check(operand);
} catch (const std::exception& thrown) {
  return Error(ErrorCode::kInvalidArgument,
               "the merge operator '" + std::string(merge_operator.name()) + "' threw: " + thrown.what());
} catch (...) {
  return Error(ErrorCode::kInvalidArgument, "the merge operator '" + std::string(merge_operator.name()) + "' threw");
}

}  // namespace format
}  // namespace lightning
