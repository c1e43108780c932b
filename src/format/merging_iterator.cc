#include "format/merging_iterator.h"

#include <algorithm>

namespace lightning::format {

namespace {

class MergingIterator final : public EntryIterator {
 public:
  explicit MergingIterator(std::vector<std::unique_ptr<EntryIterator>> sources) : sources_(std::move(sources)) {
    heap_.reserve(sources_.size());
  }

  bool valid() const override { return current_ != nullptr; }

  void seek_to_first() override {
    for (auto& source : sources_) source->seek_to_first();
    rebuild(Direction::kForward);
  }
  void seek_to_last() override {
    for (auto& source : sources_) source->seek_to_last();
    rebuild(Direction::kBackward);
  }
  void seek(std::string_view key, Sequence sequence) override {
    for (auto& source : sources_) source->seek(key, sequence);
    rebuild(Direction::kForward);
  }
  void seek_for_prev(std::string_view key, Sequence sequence) override {
    for (auto& source : sources_) source->seek_for_prev(key, sequence);
    rebuild(Direction::kBackward);
  }

  void next() override {
    if (direction_ != Direction::kForward && !turn(Direction::kForward)) return;
    current_->next();
    settle();
  }
  void prev() override {
    if (direction_ != Direction::kBackward && !turn(Direction::kBackward)) return;
    current_->prev();
    settle();
  }

  const Entry& entry() const override { return current_->entry(); }

  Status status() const override {
    for (const auto& source : sources_) LIGHTNING_TRY(source->status());
    return {};
  }

 private:
  enum class Direction : std::uint8_t { kForward, kBackward };

  // True if `a` comes after `b` in the present direction: the order of a min-heap for std::push_heap and friends.
  bool after(const EntryIterator* a, const EntryIterator* b) const {
    const Entry &x = a->entry(), &y = b->entry();
    const int order = compare_entries(x.key, x.sequence, y.key, y.sequence);
    return direction_ == Direction::kForward ? order > 0 : order < 0;
  }

  void rebuild(Direction direction) {
    direction_ = direction;
    heap_.clear();
    for (auto& source : sources_)
      if (source->valid()) heap_.push_back(source.get());
    const auto order = [this](const EntryIterator* a, const EntryIterator* b) { return after(a, b); };
    std::make_heap(heap_.begin(), heap_.end(), order);
    take_top();
  }

  // Moves the winner out of the heap; the heap's front is then the runner-up.
  void take_top() {
    current_ = nullptr;
    if (heap_.empty()) return stop_on_error();
    const auto order = [this](const EntryIterator* a, const EntryIterator* b) { return after(a, b); };
    std::pop_heap(heap_.begin(), heap_.end(), order);
    current_ = heap_.back();
    heap_.pop_back();
    stop_on_error();
  }

  // After the current source moved: it stays current while it sorts before the runner-up.
  void settle() {
    if (!current_->valid()) {
      if (!current_->status()) {
        current_ = nullptr;
        return;
      }
      return take_top();
    }
    if (heap_.empty() || !after(current_, heap_.front())) return;
    heap_.push_back(current_);
    const auto order = [this](const EntryIterator* a, const EntryIterator* b) { return after(a, b); };
    std::push_heap(heap_.begin(), heap_.end(), order);
    take_top();
  }

  // A source that failed must not look like one that ended: nothing after the failure would be trustworthy.
  void stop_on_error() {
    for (const auto& source : sources_)
      if (!source->valid() && !source->status()) current_ = nullptr;
  }

  // Brings every other source to the far side of the current entry. False, and not valid, if one failed on the way.
  bool turn(Direction direction) {
    const std::string key(current_->entry().key);
    const Sequence sequence = current_->entry().sequence;
    for (auto& source : sources_) {
      if (source.get() == current_) continue;
      if (direction == Direction::kForward) {
        source->seek(key, sequence);
        if (source->valid() && source->entry().key == key && source->entry().sequence == sequence) source->next();
      } else {
        source->seek_for_prev(key, sequence);
        if (source->valid() && source->entry().key == key && source->entry().sequence == sequence) source->prev();
      }
    }
    EntryIterator* const current = current_;
    direction_ = direction;
    heap_.clear();
    for (auto& source : sources_)
      if (source.get() != current && source->valid()) heap_.push_back(source.get());
    const auto order = [this](const EntryIterator* a, const EntryIterator* b) { return after(a, b); };
    std::make_heap(heap_.begin(), heap_.end(), order);
    current_ = current;
    stop_on_error();
    return current_ != nullptr;
  }

  std::vector<std::unique_ptr<EntryIterator>> sources_;
  std::vector<EntryIterator*> heap_;  // all valid sources but the current one
  EntryIterator* current_ = nullptr;
  Direction direction_ = Direction::kForward;
};

class EmptyIterator final : public EntryIterator {
 public:
  bool valid() const override { return false; }
  void seek_to_first() override {}
  void seek_to_last() override {}
  void seek(std::string_view, Sequence) override {}
  void seek_for_prev(std::string_view, Sequence) override {}
  void next() override {}
  void prev() override {}
  const Entry& entry() const override { return entry_; }
  Status status() const override { return {}; }

 private:
  Entry entry_;
};

}  // namespace

std::unique_ptr<EntryIterator> merge(std::vector<std::unique_ptr<EntryIterator>> sources) {
  if (sources.empty()) return std::make_unique<EmptyIterator>();
  if (sources.size() == 1) return std::move(sources.front());
  return std::make_unique<MergingIterator>(std::move(sources));
}

}  // namespace lightning::format
