#include "format/range_cover.h"

#include <algorithm>

namespace lightning::format {

RangeCover::RangeCover(std::vector<const RangeTombstones*> sets, Sequence at) : sets_(std::move(sets)), at_(at) {
  std::erase_if(sets_, [at](const RangeTombstones* set) { return set->empty() || set->smallest_sequence() > at; });
}

RangeCover::Stretch RangeCover::stretch_at(std::string_view key) const {
  Stretch stretch;
  for (const RangeTombstones* set : sets_) {
    const std::size_t i = set->find(key);
    std::string_view start, end;
    if (i < set->size() && (*set)[i].start <= key) {
      const RangeTombstones::Fragment fragment = (*set)[i];
      start = fragment.start, end = fragment.end;
      stretch.sequence = std::max(stretch.sequence, fragment.newest(at_));
    } else {
      if (i > 0) start = (*set)[i - 1].end;
      if (i < set->size()) end = (*set)[i].start;
    }
    stretch.start = std::max(stretch.start, start);
    if (compare_ends(end, stretch.end) < 0) stretch.end = end;
  }
  return stretch;
}

Sequence RangeCover::covering(std::string_view key) const {
  Sequence newest = 0;
  for (const RangeTombstones* set : sets_) newest = std::max(newest, set->covering(key, at_));
  return newest;
}

// Ranges of different sets, and of one, that touch or overlap are passed as one.
std::optional<std::string_view> RangeCover::shown_from(std::string_view key, Sequence newest) const {
  for (bool moved = true; moved;) {
    moved = false;
    for (const RangeTombstones* set : sets_) {
      for (std::size_t i = set->find(key); i < set->size(); ++i) {
        const RangeTombstones::Fragment fragment = (*set)[i];
        if (key < fragment.start || fragment.newest(at_) <= newest) break;
        if (fragment.end.empty()) return std::nullopt;
        key = fragment.end;
        moved = true;
      }
    }
  }
  return key;
}

std::string_view RangeCover::shown_before(std::string_view key, Sequence newest) const {
  const Stretch here = stretch_at(key);
  if (here.sequence <= newest) return key;
  std::string_view start = here.start;
  // Whatever holds the last key before `start`: the fragment, of any set, that reaches up to it or beyond.
  for (bool moved = true; moved;) {
    moved = false;
    for (const RangeTombstones* set : sets_) {
      for (;;) {
        std::size_t i = set->find(start);
        if (i == set->size() || (*set)[i].start >= start) {
          if (i == 0 || (*set)[i - 1].end != start) break;
          --i;
        }
        const RangeTombstones::Fragment fragment = (*set)[i];
        if (fragment.newest(at_) <= newest) break;
        start = fragment.start;
        moved = true;
      }
    }
  }
  return start;
}

namespace {

class WithoutHidden final : public EntryIterator {
 public:
  WithoutHidden(std::unique_ptr<EntryIterator> source, const RangeCover& cover, const SourceBounds& bounds,
                std::uint64_t* passed)
      : source_(std::move(source)), cover_(cover), bounds_(bounds), passed_(passed) {}

  bool valid() const override { return !ended_ && source_->valid(); }
  const Entry& entry() const override { return source_->entry(); }
  Status status() const override { return source_->status(); }

  void seek_to_first() override { seek(bounds_.smallest, kSequenceMax); }
  void seek(std::string_view key, Sequence sequence) override {
    ended_ = false;
    if (key < bounds_.smallest) key = bounds_.smallest, sequence = kSequenceMax;
    if (all_hidden_at(key)) {
      go_behind();
    } else {
      source_->seek(key, sequence);
    }
    settle_forward();
  }
  void next() override {
    source_->next();
    settle_forward();
  }

  void seek_to_last() override {
    ended_ = false;
    if (!bounds_.largest.empty() && all_hidden_at(bounds_.largest)) {
      go_before();
    } else {
      source_->seek_to_last();
    }
    settle_backward();
  }
  void seek_for_prev(std::string_view key, Sequence sequence) override {
    ended_ = false;
    if (!bounds_.largest.empty() && bounds_.largest < key) return seek_to_last();
    if (all_hidden_at(key)) {
      go_before();
    } else {
      source_->seek_for_prev(key, sequence);
    }
    settle_backward();
  }
  void prev() override {
    source_->prev();
    settle_backward();
  }

 private:
  bool all_hidden_at(std::string_view key) {
    if (!stretch_ || !stretch_->holds(key)) stretch_ = cover_.stretch_at(key);
    return stretch_->sequence > bounds_.newest;
  }
  bool hidden() {
    const Entry& entry = source_->entry();
    if (!stretch_ || !stretch_->holds(entry.key)) stretch_ = cover_.stretch_at(entry.key);
    return entry.sequence < stretch_->sequence;
  }
  // Out of the stretch, in which all of the source is hidden, and those that go on from it.
  void go_behind() {
    const auto to = stretch_->end.empty() ? std::nullopt : cover_.shown_from(stretch_->end, bounds_.newest);
    ended_ = !to;
    if (to) source_->seek(*to, kSequenceMax);
  }
  void go_before() {
    const std::string_view from = cover_.shown_before(stretch_->start, bounds_.newest);
    ended_ = from.empty();
    if (!ended_) source_->seek_for_prev(from, kSequenceMax);  // no entry is there: what comes before it
  }
  void settle_forward() {
    while (valid() && hidden()) {
      if (passed_ != nullptr) ++*passed_;
      if (stretch_->sequence > bounds_.newest) {
        go_behind();
      } else {
        source_->next();
      }
    }
  }
  void settle_backward() {
    while (valid() && hidden()) {
      if (passed_ != nullptr) ++*passed_;
      if (stretch_->sequence > bounds_.newest) {
        go_before();
      } else {
        source_->prev();
      }
    }
  }

  const std::unique_ptr<EntryIterator> source_;
  const RangeCover& cover_;
  const SourceBounds bounds_;
  std::uint64_t* const passed_;
  std::optional<RangeCover::Stretch> stretch_;  // around the last key looked at
  bool ended_ = false;                          // nothing is shown further on, whatever the source says
};

}  // namespace

std::unique_ptr<EntryIterator> without_hidden(std::unique_ptr<EntryIterator> source, const RangeCover& cover,
                                              const SourceBounds& bounds, std::uint64_t* passed) {
  return std::make_unique<WithoutHidden>(std::move(source), cover, bounds, passed);
}

}  // namespace lightning::format
