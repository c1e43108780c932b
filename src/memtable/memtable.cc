#include "memtable/memtable.h"

#include "memtable/tree.h"

namespace lightning::memtable {

// Walks copies of leaves. A copy is taken under the leaf's version, so it is what the leaf was at one moment, and the
// neighbours of that moment are where the walk goes on.
class MemTable::Iterator final : public format::EntryIterator {
 public:
  explicit Iterator(const Tree& tree) : tree_(tree) {}

  bool valid() const override { return index_ < view_.count; }
  const format::Entry& entry() const override { return entry_; }
  Status status() const override { return {}; }

  void seek_to_first() override {
    tree_.view_first(view_);
    enter_forward(0);
  }
  void seek_to_last() override {
    tree_.view_last(view_);
    enter_backward(view_.count);
  }
  void seek(std::string_view key, Sequence sequence) override {
    const std::uint32_t rank = tree_.view_at({key, sequence}, view_);
    if (rank < view_.count) {
      enter_forward(rank);
    } else if (tree_.view_next(view_)) {
      enter_forward(0);
    } else {
      invalidate();
    }
  }
  void seek_for_prev(std::string_view key, Sequence sequence) override {
    const Target target{key, sequence};
    std::uint32_t rank = tree_.view_at(target, view_);
    if (rank < view_.count && compare(*view_.records[rank], target) == 0) ++rank;
    enter_backward(rank);
  }
  void next() override {
    if (++index_ < view_.count) {
      if (index_ + kLookAhead < view_.count) prefetch(index_ + kLookAhead);
      load();
    } else if (tree_.view_next(view_)) {
      enter_forward(0);
    } else {
      invalidate();
    }
  }
  void prev() override { enter_backward(index_); }

 private:
  static constexpr std::uint32_t kLookAhead = 8;

  void prefetch(std::uint32_t i) const {
    const auto* const at = reinterpret_cast<const char*>(view_.records[i]);
    __builtin_prefetch(at);
    __builtin_prefetch(at + 64);
  }
  void load() { entry_ = view_.records[index_]->entry(); }
  void invalidate() { view_.count = index_ = 0; }

  void enter_forward(std::uint32_t index) {
    index_ = index;
    if (!valid()) return;
    for (std::uint32_t i = index; i < std::min(index + kLookAhead + 1, view_.count); ++i) prefetch(i);
    load();
  }
  // To the entry before `index`, in the leaf before if there is none.
  void enter_backward(std::uint32_t index) {
    while (index == 0) {
      if (!tree_.view_previous(view_)) return invalidate();
      index = view_.count;
    }
    index_ = index - 1;
    if (index_ >= kLookAhead) prefetch(index_ - kLookAhead);
    load();
  }

  const Tree& tree_;
  Tree::View view_;
  std::uint32_t index_ = 0;
  format::Entry entry_;
};

MemTable::MemTable(base::MemoryBudget& budget, std::uint64_t mapped_bytes_max)
    : tree_(std::make_unique<Tree>(budget, mapped_bytes_max)), erased_(budget) {}
MemTable::~MemTable() = default;

Status MemTable::reserve(std::uint64_t entries, std::uint64_t bytes) { return tree_->reserve(entries, bytes); }
void MemTable::withdraw(std::uint64_t entries, std::uint64_t bytes) { tree_->withdraw(entries, bytes); }
void MemTable::add(const format::Entry& entry) { tree_->add(entry); }

std::optional<format::Entry> MemTable::get(std::string_view key, Sequence at) const {
  const Record* const record = tree_->find_version({key, at});
  if (record == nullptr) return std::nullopt;
  return record->entry();
}

std::unique_ptr<format::EntryIterator> MemTable::iterator() const { return std::make_unique<Iterator>(*tree_); }
std::uint64_t MemTable::memory_bytes() const { return tree_->memory_bytes() + erased_.memory_bytes(); }
std::uint64_t MemTable::entries() const { return tree_->entries() + erased_.count(); }

}  // namespace lightning::memtable
