#include "manifest/level_iterator.h"

#include <algorithm>

namespace lightning::manifest {

namespace {

class LevelIterator final : public format::EntryIterator {
 public:
  LevelIterator(Version::Level tables, const sstable::TableReadOptions& options)
      : tables_(std::move(tables)), options_(options) {}

  bool valid() const override { return inner_ != nullptr && inner_->valid(); }

  void seek_to_first() override {
    open(0);
    if (inner_) inner_->seek_to_first();
    skip_forward();
  }
  void seek_to_last() override {
    open(tables_.size() - 1);
    if (inner_) inner_->seek_to_last();
    skip_backward();
  }
  void seek(std::string_view key, Sequence sequence) override {
    const auto first = std::lower_bound(
        tables_.begin(), tables_.end(), key,
        [](const TablePtr& table, std::string_view target) { return table->meta().largest_key < target; });
    open(static_cast<std::size_t>(first - tables_.begin()));
    if (inner_) inner_->seek(key, sequence);
    skip_forward();
  }
  void seek_for_prev(std::string_view key, Sequence sequence) override {
    const auto past = std::upper_bound(
        tables_.begin(), tables_.end(), key,
        [](std::string_view target, const TablePtr& table) { return target < table->meta().smallest_key; });
    open(past == tables_.begin() ? tables_.size() : static_cast<std::size_t>(past - tables_.begin()) - 1);
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
    inner_ = tables_[index]->table->iterator(options_);
  }
  // Past the end of one table lies the next; an error stays where it is.
  void skip_forward() {
    while (inner_ && !inner_->valid() && inner_->status()) {
      open(index_ + 1);
      if (inner_) inner_->seek_to_first();
    }
  }
  void skip_backward() {
    while (inner_ && !inner_->valid() && inner_->status()) {
      open(index_ == 0 ? tables_.size() : index_ - 1);
      if (inner_) inner_->seek_to_last();
    }
  }

  const Version::Level tables_;
  const sstable::TableReadOptions options_;
  std::size_t index_ = 0;
  std::unique_ptr<format::EntryIterator> inner_;
};

}  // namespace

std::unique_ptr<format::EntryIterator> level_iterator(Version::Level tables, const sstable::TableReadOptions& options) {
  return std::make_unique<LevelIterator>(std::move(tables), options);
}

}  // namespace lightning::manifest
