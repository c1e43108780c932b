// Which versions of a key are still needed: the one rule that flush and compaction share.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/planted_bug.h"
#include "format/entry.h"

namespace lightning::compaction {

// Fed with entries in entry order, answers whether each must be kept.
//
// A version is visible to the snapshots at or above its sequence and below the next newer version of its key; the
// newest visible state counts as one more snapshot. A version that nobody sees is dropped. A tombstone that hides
// nothing below (bottommost) is dropped once no snapshot older than it exists that might see past it.
class Retention {
 public:
  // `snapshots`: live ones, ascending, ending with the newest visible sequence when the job began.
  Retention(std::vector<Sequence> snapshots, bool bottommost)
      : snapshots_(std::move(snapshots)),
        bottommost_(bottommost || base::planted(base::PlantedBug::kDropAllTombstones)) {}

  bool keep(const format::Entry& entry) {
    const bool same_key = has_key_ && entry.key == key_;
    if (!same_key) {
      key_.assign(entry.key);
      has_key_ = true;
    }
    // The oldest snapshot that sees this version; versions above all snapshots are each their own stripe.
    const auto stripe = static_cast<std::size_t>(
        std::lower_bound(snapshots_.begin(), snapshots_.end(), entry.sequence) - snapshots_.begin());
    const bool hidden = same_key && stripe == last_stripe_ && stripe < snapshots_.size();
    last_stripe_ = stripe;
    if (hidden) return false;
    // In the oldest stripe a tombstone protects nothing that is left: everything older of this key is dropped with it.
    return !(entry.type == format::EntryType::kErase && bottommost_ && stripe == 0);
  }

 private:
  const std::vector<Sequence> snapshots_;
  const bool bottommost_;
  std::string key_;
  bool has_key_ = false;
  std::size_t last_stripe_ = 0;
};

}  // namespace lightning::compaction
