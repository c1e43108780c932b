// The table's cursor: one pinned block, one decoded entry. Inside a block a step is a few loads; the key of the entry
// is kept whole in a buffer that holds the block's prefix, so that a step rewrites the suffix alone.
#include <algorithm>
#include <cstring>

#include "sstable/block_view.h"
#include "sstable/table_impl.h"

namespace lightning::sstable {

namespace {

// Asks the operating system for what a cursor will read next, once it has missed the cache twice in a row.
class ReadAhead {
 public:
  explicit ReadAhead(const Table::Impl& table) : table_(table) {}

  void restart() { misses_ = 0, window_ = kWindowBytesMin, begin_ = end_ = 0; }
  void saw(bool was_cached) { misses_ = was_cached ? 0 : misses_ + 1; }
  void before_next(std::uint32_t block) {
    if (misses_ < kMissesMin) return;
    const std::uint64_t offset = table_.index_.offset(block);
    if (offset + window_ / 2 < end_) return;  // half of it is still ahead
    const std::uint64_t from = std::max(offset, end_);
    end_ = std::min(from + widen(), table_.data_end());
    if (from < end_) table_.file_->file().prefetch(from, end_ - from);
  }
  void before_prev(std::uint32_t block) {
    if (misses_ < kMissesMin) return;
    const BlockHandle handle = table_.index_.handle(block);
    const std::uint64_t offset = handle.offset + handle.stored_bytes, first = table_.footer_.data_offset;
    if (begin_ != 0 && offset > begin_ + window_ / 2) return;
    const std::uint64_t to = begin_ != 0 ? std::min(offset, begin_) : offset;
    const std::uint64_t bytes = std::min(widen(), to - first);
    begin_ = to - bytes;
    if (bytes != 0) table_.file_->file().prefetch(begin_, bytes);
  }

 private:
  static constexpr std::uint64_t kWindowBytesMin = 64 * 1024, kWindowBytesMax = 1024 * 1024;
  static constexpr std::uint32_t kMissesMin = 2;
  std::uint64_t widen() { return std::exchange(window_, std::min(window_ * 2, kWindowBytesMax)); }

  const Table::Impl& table_;
  std::uint32_t misses_ = 0;
  std::uint64_t window_ = kWindowBytesMin;
  std::uint64_t begin_ = 0, end_ = 0;  // asked for so far
};

class TableIterator final : public format::EntryIterator {
 public:
  TableIterator(const Table::Impl& table, const TableReadOptions& options)
      : table_(table), options_(options), read_ahead_(table) {}
  ~TableIterator() override { release(); }
  TableIterator(const TableIterator&) = delete;
  TableIterator& operator=(const TableIterator&) = delete;

  bool valid() const override { return valid_; }
  const format::Entry& entry() const override { return entry_; }
  Status status() const override {
    if (failure_) return *failure_;
    return {};
  }

  void seek_to_first() override {
    start();
    if (table_.blocks() > 0 && enter(0)) stand_on(0);
  }
  void seek_to_last() override {
    start();
    if (table_.blocks() > 0 && enter(table_.blocks() - 1)) stand_on(view_.count() - 1);
  }
  void seek(std::string_view key, Sequence sequence) override {
    start();
    const std::uint32_t block = table_.index_.locate(key, sequence);
    if (block == table_.blocks() || !enter(block)) return;
    // The block's fence may lie behind its last entry: then the next block's first entry is the one.
    if (const std::uint32_t i = view_.lower_bound(key, sequence); i < view_.count())
      stand_on(i);
    else
      enter_next();
  }
  void seek_for_prev(std::string_view key, Sequence sequence) override {
    start();
    const std::uint32_t block = table_.index_.locate(key, sequence);
    if (block == table_.blocks()) return seek_to_last();
    if (!enter(block)) return;
    const std::uint32_t i = view_.lower_bound(key, sequence);
    if (i < view_.count()) {
      stand_on(i);
      if (entry_.sequence == sequence && entry_.key == key) return;
    }
    if (i > 0)
      stand_on(i - 1);
    else
      enter_prev();
  }
  void next() override {
    if (i_ + 1 < view_.count()) [[likely]]
      stand_on(i_ + 1);
    else
      enter_next();
  }
  void prev() override {
    if (i_ > 0) [[likely]]
      stand_on(i_ - 1);
    else
      enter_prev();
  }

 private:
  static constexpr std::size_t kChunk = kBlockTailBytes;  // so many bytes can be read behind any suffix

  void start() {
    valid_ = false;
    failure_.reset();
    read_ahead_.restart();
  }
  void enter_next() {
    valid_ = false;
    if (number_ + 1 == table_.blocks()) return;
    read_ahead_.before_next(number_ + 1);
    if (enter(number_ + 1)) stand_on(0);
  }
  void enter_prev() {
    valid_ = false;
    if (number_ == 0) return;
    read_ahead_.before_prev(number_ - 1);
    if (enter(number_ - 1)) stand_on(view_.count() - 1);
  }
  bool enter(std::uint32_t number);
  void release() {
    if (block_ != nullptr) table_.cache_.release(block_);
    block_ = nullptr;
  }
  void reserve_key(std::size_t bytes);
  void stand_on(std::uint32_t i) {
    i_ = i;
    const BlockView::Parts parts = view_.at(i);
    if (prefix_bytes_ == 0) {
      entry_.key = parts.suffix;
    } else {
      const std::size_t suffix_bytes = parts.suffix.size();
      if (prefix_bytes_ + suffix_bytes + kChunk > key_bytes_max_) [[unlikely]]
        reserve_key(prefix_bytes_ + suffix_bytes + kChunk);
      char* const to = key_.get() + prefix_bytes_;
      if (suffix_bytes <= kChunk)
        std::memcpy(to, parts.suffix.data(), kChunk);  // of fixed size: two instructions
      else
        std::memcpy(to, parts.suffix.data(), suffix_bytes);
      entry_.key = {key_.get(), prefix_bytes_ + suffix_bytes};
    }
    entry_.sequence = format::trailer_sequence(parts.trailer);
    entry_.type = format::trailer_type(parts.trailer);
    entry_.value = parts.value;
    valid_ = true;
  }

  const Table::Impl& table_;
  const TableReadOptions options_;
  ReadAhead read_ahead_;
  std::optional<Error> failure_;
  bool valid_ = false;

  cache::Block* block_ = nullptr;  // pinned
  std::uint32_t number_ = 0, i_ = 0;
  BlockView view_;
  format::Entry entry_;
  std::unique_ptr<char[]> key_;  // the block's prefix, then the entry's suffix
  std::size_t key_bytes_max_ = 0, prefix_bytes_ = 0;
};

bool TableIterator::enter(std::uint32_t number) {
  if (block_ == nullptr || number_ != number) {
    release();
    bool was_cached = false;
    auto block = table_.pinned(number, options_.fill_cache, &was_cached);
    read_ahead_.saw(was_cached);
    if (!block) {
      failure_ = std::move(block).error();
      return false;
    }
    block_ = *block;
    number_ = number;
    view_ = BlockView(block_->bytes());
    prefix_bytes_ = 0;  // nothing of the old block is worth keeping when the buffer grows
    const std::string_view prefix = view_.prefix();
    reserve_key(prefix.size() + kChunk);
    std::memcpy(key_.get(), prefix.data(), prefix.size());
    prefix_bytes_ = prefix.size();
  }
  return true;
}

void TableIterator::reserve_key(std::size_t bytes) {
  if (bytes <= key_bytes_max_) return;
  bytes = std::max<std::size_t>(bytes * 2, 256);
  auto larger = std::make_unique_for_overwrite<char[]>(bytes);
  if (prefix_bytes_ != 0) std::memcpy(larger.get(), key_.get(), prefix_bytes_);
  key_ = std::move(larger);
  key_bytes_max_ = bytes;
}

}  // namespace

std::unique_ptr<format::EntryIterator> make_table_iterator(const Table::Impl& table, const TableReadOptions& options) {
  return std::make_unique<TableIterator>(table, options);
}

}  // namespace lightning::sstable
