#include "compaction/retention.h"

#include <iterator>
#include <optional>

#include "blob/layout.h"
#include "format/expiry.h"
#include "format/merge_operators.h"

namespace lightning::compaction {

using format::EntryType;

// Anything but a put that nothing waits for.
Status Retention::take_other(const format::Entry& entry, EntrySink& sink) {
  hidden_ = false;
  if (entry.type != EntryType::kMerge) return take_base(entry, sink);
  if (rules_.merge_operator == nullptr || stripe_ == snapshots_.size()) return sink.add(entry);
  if (!operands_.empty() && operands_.back().sequence == entry.sequence) return {};  // a copy of the same entry
  operands_.push_back({entry.sequence, std::string(entry.value)});
  return {};
}

Status Retention::take_base(const format::Entry& entry, EntrySink& sink) {
  hidden_ = true;
  format::Expiring expiring;
  bool expired = entry.type == EntryType::kPutExpiring && format::split_expiring(entry.value, expiring) &&
                 expiring.expires_ms <= rules_.now_ms;
  if (entry.type == EntryType::kBlobReference) {
    LIGHTNING_ASSIGN(const blob::Reference reference, blob::decode_reference(entry.value));
    expired = reference.expiry_ms && *reference.expiry_ms <= rules_.now_ms;
  }
  const bool erased = entry.type == EntryType::kErase || expired;
  if (!operands_.empty()) {
    std::string loaded;
    const bool large = entry.type == EntryType::kBlobReference && !erased && rules_.load &&
                       rules_.load(entry.key, entry.value, loaded);  // damage: reads will say so
    if (erased || large || entry.type == EntryType::kPut) {
      const auto base = erased ? std::nullopt : std::optional(large ? std::string_view(loaded) : entry.value);
      LIGHTNING_ASSIGN(const bool folded, fold(base, sink));
      if (folded) return {};
    }
    LIGHTNING_TRY(emit_operands(sink));
  }
  if (!erased) return sink.add(entry);
  // In the oldest stripe a tombstone protects nothing that is left: everything older of this key is dropped with it.
  if (bottommost_ && stripe_ == 0) return {};
  if (expired && base::planted(base::PlantedBug::kRevealBelowExpired)) return {};
  return sink.add({entry.key, entry.sequence, EntryType::kErase, {}});
}

Status Retention::end_key(EntrySink& sink) {
  if (bottommost_) {  // nothing older is anywhere
    LIGHTNING_ASSIGN(const bool folded, fold(std::nullopt, sink));
    if (folded) return {};
  }
  return emit_operands(sink);
}

Result<bool> Retention::fold(std::optional<std::string_view> base, EntrySink& sink) {
  std::vector<std::string_view> oldest_first;
  oldest_first.reserve(operands_.size());
  for (auto operand = operands_.rbegin(); operand != operands_.rend(); ++operand)
    oldest_first.push_back(operand->bytes);
  std::string value;
  if (!format::full_merge(*rules_.merge_operator, key_, base, oldest_first, value)) return false;  // reads will say why
  const Sequence newest = operands_.front().sequence;
  operands_.clear();
  LIGHTNING_TRY(sink.add({key_, newest, EntryType::kPut, value}));
  return true;
}

// Neighbours are combined in pairs, and again, until no two of them can be: so that what grows is copied few times.
Status Retention::emit_operands(EntrySink& sink) {
  for (bool combined_any = true; combined_any && operands_.size() > 1;) {
    combined_any = false;
    std::vector<Operand> fewer;
    fewer.reserve(operands_.size() / 2 + 1);
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      std::string combined;
      if (i + 1 < operands_.size() &&
          format::partial_merge(*rules_.merge_operator, key_, operands_[i + 1].bytes, operands_[i].bytes, combined)) {
        fewer.push_back({operands_[i].sequence, std::move(combined)});
        combined_any = true;
        ++i;
      } else {
        fewer.push_back(std::move(operands_[i]));
      }
    }
    operands_ = std::move(fewer);
  }
  for (const Operand& operand : operands_)
    LIGHTNING_TRY(sink.add({key_, operand.sequence, EntryType::kMerge, operand.bytes}));
  operands_.clear();
  return {};
}

}  // namespace lightning::compaction
