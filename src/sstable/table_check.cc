// Table::check: everything a table promises, compared with what its blocks hold.
#include <algorithm>

#include "sstable/block_view.h"
#include "sstable/table_impl.h"

namespace lightning::sstable {

namespace {

class Checker {
 public:
  Checker(const Table::Impl& table, const std::function<bool(const Error&)>& report,
          const std::function<bool(std::uint64_t)>& before_read)
      : table_(table), report_(report), before_read_(before_read) {}

  bool run() {
    bool whole = true;
    if (const BlockHandle& ranges = table_.footer_.ranges; ranges.present()) {
      if (before_read_ && !before_read_(ranges.stored_bytes)) return false;
      const auto read = table_.file_->read_ranges(table_.footer_, table_.stored_properties_);
      if (!read && !report_(read.error())) return false;
    }
    for (std::uint32_t number = 0; number < table_.blocks(); ++number) {
      if (before_read_ && !before_read_(table_.index_.handle(number).stored_bytes)) return false;
      auto block = table_.read(number);
      if (!block) {
        whole = false;
        have_last_ = false;
        if (!report_(block.error())) return false;
        continue;
      }
      const bool go_on = check_block_entries(number, BlockView((*block)->bytes()));
      table_.cache_.release(*block);
      if (!go_on) return false;
    }
    if (const ParityHandle& parity = table_.footer_.parity; parity.present()) {
      if (before_read_ && !before_read_(parity.bytes)) return false;
      if (!table_.file_->parity_is_whole(parity)) table_.note_worn();
    }
    return !whole || check_totals();  // totals of a table with holes say nothing
  }

 private:
  bool finding(std::uint32_t number, const std::string& what) {
    return report_(table_.file_
                       ->at(Error(ErrorCode::kTableCorrupt, "block " + std::to_string(number) + ": " + what),
                            table_.index_.offset(number))
                       .in_key_range(table_.key_range(number)));
  }
  bool check_block_entries(std::uint32_t number, const BlockView& view);
  bool check_totals();
  void count(Sequence sequence, const BlockView::Parts& parts);

  const Table::Impl& table_;
  const std::function<bool(const Error&)>& report_;
  const std::function<bool(std::uint64_t)>& before_read_;
  bool have_last_ = false;
  std::string key_, last_key_, first_key_;
  Sequence last_sequence_ = 0;
  StoredProperties found_;
  std::uint64_t run_ = 0;
};

void Checker::count(Sequence sequence, const BlockView::Parts& parts) {
  found_.smallest_sequence = found_.entries == 0 ? sequence : std::min(found_.smallest_sequence, sequence);
  found_.largest_sequence = std::max(found_.largest_sequence, sequence);
  if (found_.entries == 0) first_key_ = key_;
  ++found_.entries;
  const bool tombstone = format::trailer_type(parts.trailer) == format::EntryType::kErase;
  found_.tombstones += tombstone;
  run_ = tombstone ? run_ + 1 : 0;
  found_.tombstone_run = std::max(found_.tombstone_run, run_);
  found_.key_bytes += key_.size();
  found_.value_bytes += parts.value.size();
}

bool Checker::check_block_entries(std::uint32_t number, const BlockView& view) {
  for (std::uint32_t i = 0; i < view.count(); ++i) {
    const BlockView::Parts parts = view.at(i);
    const Sequence sequence = format::trailer_sequence(parts.trailer);
    key_.assign(view.prefix());
    key_ += parts.suffix;
    const std::uint64_t hash = filter_hash(key_);
    const char* wrong = nullptr;
    if (have_last_ && format::compare_entries(last_key_, last_sequence_, key_, sequence) >= 0)
      wrong = "its entries are out of order";
    else if (number > 0 && i == 0 && table_.index_.compare_fence(number - 1, key_, sequence) >= 0)
      wrong = "its first entry lies before the fence in front of it";
    else if (i + 1 == view.count() && table_.index_.compare_fence(number, key_, sequence) < 0)
      wrong = "its last entry lies behind its fence";
    else if (view.fingerprint(i) != static_cast<std::uint8_t>(hash))
      wrong = "a fingerprint does not belong to its key";
    else if (view.head(i) != suffix_head(parts.suffix))
      wrong = "a head does not belong to its key";
    else if (!table_.filter_.may_contain(hash))
      wrong = "the filter denies one of its keys";
    if (wrong != nullptr && !finding(number, wrong + (" (key " + printable_key(key_) + ")"))) return false;
    count(sequence, parts);
    last_key_.swap(key_);
    last_sequence_ = sequence;
    have_last_ = true;
  }
  return true;
}

bool Checker::check_totals() {
  const StoredProperties& said = table_.stored_properties_;
  const auto differ = [&](const char* what) {
    return report_(
        table_.file_->at(Error(ErrorCode::kTableCorrupt, std::string("properties and blocks disagree about ") + what),
                         table_.footer_.properties.offset));
  };
  if ((found_.entries != said.entries || found_.tombstones != said.tombstones ||
       found_.tombstone_run != said.tombstone_run) &&
      !differ("the number of entries"))
    return false;
  if ((found_.key_bytes != said.key_bytes || found_.value_bytes != said.value_bytes) &&
      !differ("the bytes of keys and values"))
    return false;
  if ((found_.smallest_sequence != said.smallest_sequence || found_.largest_sequence != said.largest_sequence) &&
      !differ("the sequences"))
    return false;
  if ((first_key_ != said.smallest_key || last_key_ != said.largest_key) && !differ("the smallest and the largest key"))
    return false;
  return true;
}

}  // namespace

bool Table::check(const std::function<bool(const Error&)>& report,
                  const std::function<bool(std::uint64_t)>& before_read) const {
  if (impl_->damage_) return report(impl_->read(0).error());
  return Checker(*impl_, report, before_read).run();
}

}  // namespace lightning::sstable
