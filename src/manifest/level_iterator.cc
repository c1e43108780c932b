#include "manifest/level_iterator.h"

#include <algorithm>

namespace lightning::manifest {

namespace {

class LevelIterator final : public format::EntryIterator {
 public:
  LevelIterator(Version::Level tables, const sstable::TableReadOptions& options, const format::RangeCover* cover,
                std::uint64_t* passed)
      : tables_(std::move(tables)), options_(options), cover_(cover), passed_(passed) {}

  bool valid() const override { return inner_ != nullptr && inner_->valid(); }

  void seek_to_first() override {
    open(shown_from(0));
    if (inner_) inner_->seek_to_first();
    skip_forward();
  }
  void seek_to_last() override {
    open(shown_before(tables_.size()));
    if (inner_) inner_->seek_to_last();
    skip_backward();
  }
  void seek(std::string_view key, Sequence sequence) override {
    const auto first = std::lower_bound(
        tables_.begin(), tables_.end(), key,
        [](const TablePtr& table, std::string_view target) { return table->meta().largest().before(target); });
    open(shown_from(static_cast<std::size_t>(first - tables_.begin())));
    if (inner_) inner_->seek(key, sequence);
    skip_forward();
  }
  void seek_for_prev(std::string_view key, Sequence sequence) override {
    const auto past = std::upper_bound(
        tables_.begin(), tables_.end(), key,
        [](std::string_view target, const TablePtr& table) { return target < table->meta().smallest_key; });
    open(shown_before(static_cast<std::size_t>(past - tables_.begin())));
    if (inner_) inner_->seek_for_prev(key, sequence);
    skip_backward();
  }
  void next() override {
    inner_->next();
    if (!inner_->valid()) skip_forward();
  }
  void prev() override {
    inner_->prev();
    if (!inner_->valid()) skip_backward();
  }
  const format::Entry& entry() const override { return inner_->entry(); }
  Status status() const override {
    if (inner_) return inner_->status();
    return {};
  }

 private:
  void open(std::size_t index) {
    if (index >= tables_.size()) {  // size_t(0) - 1 as well: no such table
      inner_.reset();
      index_ = tables_.size();
      return;
    }
    if (inner_ && index == index_) return;
    index_ = index;
    inner_ = table_iterator(*tables_[index], options_, cover_, passed_);
  }
  // The first table from `index` on of which something may be shown.
  std::size_t shown_from(std::size_t index) const {
    while (index < tables_.size() && all_hidden(*tables_[index])) ++index;
    return index;
  }
  // The last one before `end`, or none.
  std::size_t shown_before(std::size_t end) const {
    while (end > 0 && all_hidden(*tables_[end - 1])) --end;
    return end == 0 ? tables_.size() : end - 1;
  }
  bool all_hidden(const TableHandle& table) const {
    if (cover_ == nullptr) return false;
    const auto shown = cover_->shown_from(table.meta().smallest_key, table.meta().largest_sequence);
    return !shown || table.meta().largest().before(*shown);
  }
  // Past the end of one table lies the next; an error stays where it is.
  void skip_forward() {
    while (inner_ && !inner_->valid() && inner_->status()) {
      open(shown_from(index_ + 1));
      if (inner_) inner_->seek_to_first();
    }
  }
  void skip_backward() {
    while (inner_ && !inner_->valid() && inner_->status()) {
      open(shown_before(index_));
      if (inner_) inner_->seek_to_last();
    }
  }

  const Version::Level tables_;
  const sstable::TableReadOptions options_;
  const format::RangeCover* const cover_;
  std::uint64_t* const passed_;
  std::size_t index_ = 0;
  std::unique_ptr<format::EntryIterator> inner_;
};

}  // namespace

std::unique_ptr<format::EntryIterator> level_iterator(Version::Level tables, const sstable::TableReadOptions& options) {
  return level_iterator(std::move(tables), options, nullptr, nullptr);
}

std::unique_ptr<format::EntryIterator> level_iterator(Version::Level tables, const sstable::TableReadOptions& options,
                                                      const format::RangeCover* cover, std::uint64_t* passed) {
  return std::make_unique<LevelIterator>(std::move(tables), options, cover, passed);
}

std::unique_ptr<format::EntryIterator> table_iterator(const TableHandle& table,
                                                      const sstable::TableReadOptions& options,
                                                      const format::RangeCover* cover, std::uint64_t* passed) {
  auto entries = table.table->iterator(options);
  if (cover == nullptr) return entries;
  const sstable::TableMeta& meta = table.meta();
  return format::without_hidden(std::move(entries), *cover,
                                {.newest = meta.largest_sequence,
                                 .smallest = meta.smallest_key,
                                 .largest = meta.largest_open ? std::string_view() : meta.largest_key},
                                passed);
}

}  // namespace lightning::manifest
