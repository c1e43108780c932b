// Which versions of a key are still needed: the one rule that flush and compaction share.
//
// A stage between input and output. It is fed with entries in entry order, all versions of a key one after the other,
// newest first, and hands on what must be kept, in the same order.
//
// A version is visible to the snapshots at or above its sequence and below the next newer version of its key; the
// newest visible state counts as one more snapshot. All versions that the same snapshots see first, and no others, form
// a stripe. In a stripe
//   - the newest version that stands for itself (a base: put, erase, ...) hides all that is older;
//   - merge operands above a base are folded into it, those without one into each other;
//   - what has expired is as good as erased: no read shows it at any sequence.
// A tombstone that hides nothing below (bottommost) is dropped in the oldest stripe, where nothing older is left.
//
// Nearly every entry is a put with a key of its own: it passes without being copied.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/planted_bug.h"
#include "format/entry.h"
#include "lightning/merge_operator.h"
#include "lightning/result.h"

namespace lightning::compaction {

// Where entries go. The entry is good during the call.
class EntrySink {
 public:
  virtual ~EntrySink() = default;
  virtual Status add(const format::Entry& entry) = 0;
};

class Retention {
 public:
  // What the keyspace says about its values.
  struct Rules {
    const MergeOperator* merge_operator = nullptr;  // null: operands are kept as they are
    std::uint64_t now_ms = 0;                       // of the engine's clock; 0: nothing has expired
    // The value that a reference stands for, to merge operands into it. None: they stay operands.
    std::function<Status(std::string_view key, std::string_view reference, std::string& value)> load = {};
  };
  // `snapshots`: live ones, ascending, ending with the newest visible sequence when the job began.
  Retention(std::vector<Sequence> snapshots, bool bottommost) : Retention(std::move(snapshots), bottommost, Rules()) {}
  Retention(std::vector<Sequence> snapshots, bool bottommost, const Rules& rules)
      : snapshots_(std::move(snapshots)),
        bottommost_(bottommost || base::planted(base::PlantedBug::kDropAllTombstones)),
        rules_(rules) {}

  // Takes the next entry. What is kept of it, or of what came before it, goes to `sink`, now or later.
  Status take(const format::Entry& entry, EntrySink& sink) {
    if (!has_key_ || entry.key != key_) {
      if (!operands_.empty()) LIGHTNING_TRY(end_key(sink));
      key_.assign(entry.key);
      has_key_ = true;
      stripe_ = kNoStripe;
    }
    // The oldest snapshot that sees this version; versions above all snapshots are each their own stripe.
    const auto stripe = static_cast<std::size_t>(
        std::lower_bound(snapshots_.begin(), snapshots_.end(), entry.sequence) - snapshots_.begin());
    if (stripe != stripe_ || stripe == snapshots_.size()) {
      if (!operands_.empty() && !base::planted(base::PlantedBug::kFoldAcrossSnapshots)) LIGHTNING_TRY(end_stripe(sink));
      stripe_ = stripe;
    } else if (hidden_) {
      return {};
    }
    if (entry.type == format::EntryType::kPut && operands_.empty()) [[likely]] {
      hidden_ = true;
      return sink.add(entry);
    }
    return take_other(entry, sink);
  }
  // After the last entry.
  Status finish(EntrySink& sink) { return operands_.empty() ? Status{} : end_key(sink); }

 private:
  static constexpr std::size_t kNoStripe = ~std::size_t{0};
  struct Operand {
    Sequence sequence = 0;
    std::string bytes;
  };

  Status take_other(const format::Entry& entry, EntrySink& sink);
  Status take_base(const format::Entry& entry, EntrySink& sink);
  // The operands that wait are above `base` (none: nothing): one put, if the operator can make it.
  Result<bool> fold(std::optional<std::string_view> base, EntrySink& sink);
  // They stay operands: as few as can be.
  Status emit_operands(EntrySink& sink);
  Status end_stripe(EntrySink& sink) { return emit_operands(sink); }  // what they are merged into is in an older one
  Status end_key(EntrySink& sink);

  const std::vector<Sequence> snapshots_;
  const bool bottommost_;
  const Rules rules_;

  std::string key_;
  bool has_key_ = false;
  std::size_t stripe_ = kNoStripe;
  bool hidden_ = false;            // what comes next in this stripe is; set anew where a stripe begins
  std::vector<Operand> operands_;  // of this stripe, newest first, without a base so far
};

}  // namespace lightning::compaction
