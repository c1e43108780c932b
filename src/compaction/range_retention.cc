#include "compaction/range_retention.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/planted_bug.h"

namespace lightning::compaction {

using format::Entry;
using format::EntryType;
using format::RangeTombstone;
using format::RangeTombstones;

RangeTombstones needed_ranges(const RangeTombstones& ranges, const std::vector<Sequence>& snapshots, bool bottommost) {
  bottommost = bottommost || base::planted(base::PlantedBug::kDropRangeTombstones);
  std::vector<RangeTombstone> needed;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const RangeTombstones::Fragment fragment = ranges[i];
    std::optional<std::size_t> last_stripe;
    for (const Sequence sequence : fragment.sequences) {  // newest first
      const auto stripe =
          static_cast<std::size_t>(std::lower_bound(snapshots.begin(), snapshots.end(), sequence) - snapshots.begin());
      const bool hidden = stripe < snapshots.size() && last_stripe == stripe;
      last_stripe = stripe;
      if (hidden || (bottommost && stripe == 0)) continue;
      needed.push_back({fragment.start, fragment.end, sequence});
    }
  }
  return RangeTombstones(std::move(needed));
}

namespace {

class WithoutErased final : public format::EntryIterator {
 public:
  WithoutErased(std::unique_ptr<format::EntryIterator> input, const RangeTombstones& ranges,
                std::vector<Sequence> snapshots)
      : input_(std::move(input)), ranges_(ranges), snapshots_(std::move(snapshots)) {}

  bool valid() const override { return input_->valid(); }
  const Entry& entry() const override { return between_ ? erase_ : input_->entry(); }
  Status status() const override {
    if (refused_) return Error(ErrorCode::kInternal, "a cursor that only goes forward was turned round");
    return input_->status();
  }
  void seek_to_first() override {
    input_->seek_to_first();
    start();
  }
  void seek(std::string_view key, Sequence sequence) override {
    input_->seek(key, sequence);
    start();
  }
  void next() override {
    if (between_) {
      between_ = false;
      operand_ = false;
      return;
    }
    operand_ = input_->entry().type == EntryType::kMerge;
    if (operand_) {
      key_.assign(input_->entry().key);
      operand_sequence_ = input_->entry().sequence;
    }
    input_->next();
    settle();
  }
  void seek_to_last() override { refused_ = true; }
  void seek_for_prev(std::string_view, Sequence) override { refused_ = true; }
  void prev() override { refused_ = true; }

 private:
  void start() {
    place_ = 0;
    between_ = operand_ = false;
    settle();
  }
  // Past what nobody sees; before an entry that an operand must not meet.
  void settle() {
    for (; input_->valid(); input_->next()) {
      const Entry& entry = input_->entry();
      while (place_ < ranges_.size() && format::ends_before(ranges_[place_].end, entry.key)) ++place_;
      if (place_ == ranges_.size() || entry.key < ranges_[place_].start) return;
      const RangeTombstones::Fragment fragment = ranges_[place_];
      const auto reader = std::lower_bound(snapshots_.begin(), snapshots_.end(), entry.sequence);
      if (reader != snapshots_.end() && fragment.newest(*reader) > entry.sequence) continue;
      if (operand_ && entry.key == key_) {
        const Sequence between = fragment.newest(operand_sequence_);
        if (between > entry.sequence) {
          erase_ = {key_, between, EntryType::kErase, {}};
          between_ = true;
        }
      }
      return;
    }
  }

  const std::unique_ptr<format::EntryIterator> input_;
  const RangeTombstones& ranges_;
  const std::vector<Sequence> snapshots_;
  std::size_t place_ = 0;                   // the first fragment that does not end before the current key
  bool between_ = false, operand_ = false;  // stands on erase_; the entry before is an operand, of key_
  bool refused_ = false;
  std::string key_;
  Sequence operand_sequence_ = 0;
  Entry erase_;
};

}  // namespace

std::unique_ptr<format::EntryIterator> without_erased(std::unique_ptr<format::EntryIterator> input,
                                                      const RangeTombstones& ranges, std::vector<Sequence> snapshots) {
  if (ranges.empty()) return input;
  return std::make_unique<WithoutErased>(std::move(input), ranges, std::move(snapshots));
}

}  // namespace lightning::compaction
