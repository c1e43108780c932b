#include "sstable/salvage.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "format/entry.h"
#include "sstable/block_view.h"
#include "sstable/table_file.h"

namespace lightning::sstable {

namespace {

// The first key behind `key`.
std::string behind(std::string_view key) { return std::string(key) + '\0'; }

LostRange all_of(const TableMeta& meta, const Error& reason) {
  return {.start = meta.smallest_key,
          .end = meta.largest_open ? meta.largest_key : behind(meta.largest_key),
          .entries = meta.entries + meta.range_tombstones,
          .reason = reason};
}

// A block, and the keys that its fences allow in it: from `start` to its own fence, which belongs to it.
struct Piece {
  BlockHandle handle;
  std::string start, fence;
};

class SalvagingIterator final : public format::EntryIterator {
 public:
  SalvagingIterator(env::Env& env, std::string path, const format::Uid& store_id, TableMeta meta,
                    cache::BlockCache& cache, OnLost lost)
      : env_(env),
        path_(std::move(path)),
        store_id_(store_id),
        meta_(std::move(meta)),
        cache_(cache),
        lost_(std::move(lost)) {}
  ~SalvagingIterator() override { release(); }
  SalvagingIterator(const SalvagingIterator&) = delete;
  SalvagingIterator& operator=(const SalvagingIterator&) = delete;

  bool valid() const override { return valid_; }
  const format::Entry& entry() const override { return entry_; }
  Status status() const override { return failure_ ? Status(*failure_) : Status(); }
  void seek_to_first() override {
    if (file_) return refuse();
    if (!open()) return;
    next();
  }
  void next() override {
    for (valid_ = false; !failure_;) {
      if (block_ != nullptr && i_ < view_.count()) {
        if (stand_on(i_++)) return;
        out_of_order();
      }
      if (!enter_next()) return;
    }
  }
  void seek(std::string_view, Sequence) override { refuse(); }
  void seek_to_last() override { refuse(); }
  void seek_for_prev(std::string_view, Sequence) override { refuse(); }
  void prev() override { refuse(); }

 private:
  void refuse() {
    valid_ = false;
    failure_ = Error(ErrorCode::kInternal, "a cursor that only goes forward was turned round");
  }
  // Damage is told, all else ends the cursor. Whether it goes on.
  bool lose(LostRange range) {
    if (!is_loss(range.reason)) {
      failure_ = std::move(range.reason);
      return false;
    }
    lost_(std::move(range));
    return true;
  }
  bool open();
  Status list_pieces();
  void list_leaf(const std::string& leaf, std::uint64_t about_entries, const std::string& last_fence);
  bool enter_next();
  Result<cache::Block*> read(std::size_t piece);
  bool stand_on(std::uint32_t i);
  void out_of_order();
  void release() {
    if (block_ != nullptr) cache::BlockCache::release(block_);
    block_ = nullptr;
  }
  std::uint64_t entries_per_block() const { return blocks_ == 0 ? 0 : (meta_.entries + blocks_ - 1) / blocks_; }

  env::Env& env_;
  const std::string path_;
  const format::Uid store_id_;
  const TableMeta meta_;
  cache::BlockCache& cache_;
  const OnLost lost_;
  std::optional<Error> failure_;
  bool valid_ = false;

  std::unique_ptr<TableFile> file_;
  ParityHandle parity_;
  std::vector<Piece> pieces_;
  std::uint64_t blocks_ = 0;
  std::string next_start_;  // of the piece that is listed next
  std::size_t piece_ = 0;   // the next to enter

  cache::Block* block_ = nullptr;  // the caller's own
  BlockView view_;
  std::uint32_t i_ = 0;  // the next to stand on
  format::Entry entry_;
  std::string key_, last_key_;
  Sequence last_sequence_ = 0;
  bool any_ = false;  // last_key_ and last_sequence_ are set
};

bool SalvagingIterator::open() {
  auto file = TableFile::open_as(env_, path_, store_id_, meta_);
  if (!file) {
    lose(all_of(meta_, file.error()));
    return false;
  }
  file_ = std::move(*file);
  const Status listed = list_pieces();
  return listed || lose(all_of(meta_, listed.error()));
}

Status SalvagingIterator::list_pieces() {
  LIGHTNING_ASSIGN(const Footer footer, file_->read_footer(&meta_.root, &store_id_));
  parity_ = footer.parity;
  LIGHTNING_ASSIGN(const std::string top, file_->read_plain(BlockKind::kIndexTop, footer.index_top));
  auto shape = decode_index_top(top, footer.leaves_bytes);
  if (!shape) return file_->at(std::move(shape).error(), footer.index_top.offset);
  for (const IndexLeaf& leaf : *shape) blocks_ += leaf.blocks;
  next_start_ = meta_.smallest_key;
  std::uint64_t offset = footer.leaves_offset;
  for (const IndexLeaf& leaf : *shape) {
    auto bytes = file_->read_leaf(leaf, offset);
    if (bytes) {
      list_leaf(*bytes, leaf.blocks * entries_per_block(), leaf.last_separator);
    } else if (!lose({std::exchange(next_start_, behind(leaf.last_separator)), behind(leaf.last_separator),
                      leaf.blocks * entries_per_block(), bytes.error()})) {
      return {};
    }
    offset += leaf.stored_bytes;
  }
  return {};
}

// A leaf that verifies and is none is a writer's mistake, or an enemy's: what is behind the mistake is lost.
void SalvagingIterator::list_leaf(const std::string& leaf, std::uint64_t about_entries, const std::string& last_fence) {
  auto reader = LeafReader::open(leaf);
  Result<bool> more = reader ? reader->next() : Result<bool>(reader.error());
  for (; more && *more; more = reader->next()) {
    const std::string& fence = reader->separator();
    pieces_.push_back({reader->handle(), next_start_, fence});
    next_start_ = reader->sequence() != 0 ? fence : behind(fence);  // a key may go on in the next block
  }
  if (!more)
    lose({std::exchange(next_start_, behind(last_fence)), behind(last_fence), about_entries,
          Error(more.error()).at_file(path_)});
}

bool SalvagingIterator::enter_next() {
  release();
  while (piece_ < pieces_.size() && !failure_) {
    const auto block = read(piece_);
    const Piece& piece = pieces_[piece_++];
    if (block) {
      block_ = *block;
      view_ = BlockView(block_->bytes());
      i_ = 0;
      return true;
    }
    lose({piece.start, behind(piece.fence), entries_per_block(), block.error()});
  }
  pieces_.clear();
  piece_ = 0;
  return false;
}

// From the file or, if that fails, out of the blocks around it and their parity.
Result<cache::Block*> SalvagingIterator::read(std::size_t piece) {
  const BlockHandle& handle = pieces_[piece].handle;
  if (handle.offset > meta_.file_bytes || handle.stored_bytes > meta_.file_bytes - handle.offset)
    return corrupt("the index names a block beyond the end of the file").at_file(path_, handle.offset);
  auto block = file_->read_block(handle, cache_);
  const bool whole_index = pieces_.size() == blocks_;
  if (block || !is_loss(block.error()) || !parity_.present() || !whole_index) return block;
  const auto rebuild = [&]() -> Result<cache::Block*> {
    LIGHTNING_ASSIGN(const Footer footer, file_->read_footer(&meta_.root, &store_id_));
    LIGHTNING_ASSIGN(const Index index, file_->read_index(footer));
    LIGHTNING_ASSIGN(const std::string stored, file_->rebuild_block(index, parity_, static_cast<std::uint32_t>(piece)));
    return file_->decode_block(handle, stored, cache_);
  };
  auto rebuilt = rebuild();
  return rebuilt || !is_loss(rebuilt.error()) ? std::move(rebuilt) : std::move(block);
}

// False if the entry does not follow the one before, or does not belong between the block's fences.
bool SalvagingIterator::stand_on(std::uint32_t i) {
  const BlockView::Parts parts = view_.at(i);
  key_.assign(view_.prefix());
  key_ += parts.suffix;
  const Sequence sequence = format::trailer_sequence(parts.trailer);
  const Piece& piece = pieces_[piece_ - 1];
  const bool in_order = !any_ || format::compare_entries(last_key_, last_sequence_, key_, sequence) < 0;
  if (!in_order || key_ < piece.start || key_ > piece.fence || sequence == 0 ||
      !format::is_point(format::trailer_type(parts.trailer)))
    return false;
  last_key_ = key_;
  last_sequence_ = sequence;
  any_ = true;
  entry_ = {key_, sequence, format::trailer_type(parts.trailer), parts.value};
  valid_ = true;
  return true;
}

void SalvagingIterator::out_of_order() {
  const Piece& piece = pieces_[piece_ - 1];
  lose({piece.start, behind(piece.fence), view_.count() - i_ + 1,
        corrupt("a block holds entries that are out of order").at_file(path_, piece.handle.offset)});
  release();
}

}  // namespace

bool is_loss(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kCorruption:
    case ErrorCode::kIo:
    case ErrorCode::kTableCorrupt:
    case ErrorCode::kTableMissing:
    case ErrorCode::kBlobCorrupt:
    case ErrorCode::kBlobMissing:
    case ErrorCode::kWalCorrupt:
    case ErrorCode::kWalMissing:
    case ErrorCode::kManifestCorrupt:
    case ErrorCode::kStorageUnavailable:
      return true;
    default:
      return false;
  }
}

std::unique_ptr<format::EntryIterator> salvage_entries(env::Env& env, const std::string& path,
                                                       const format::Uid& store_id, const TableMeta& meta,
                                                       cache::BlockCache& cache, OnLost lost) {
  return std::make_unique<SalvagingIterator>(env, path, store_id, meta, cache, std::move(lost));
}

Result<std::unique_ptr<const SalvagedRanges>> salvage_ranges(env::Env& env, const std::string& path,
                                                             const format::Uid& store_id, const TableMeta& meta,
                                                             const OnLost& lost) {
  if (meta.range_tombstones == 0) return std::unique_ptr<const SalvagedRanges>();
  auto file = TableFile::open_as(env, path, store_id, meta);
  auto footer = file ? (*file)->read_footer(&meta.root, &store_id) : Result<Footer>(file.error());
  if (!footer) {
    if (!is_loss(footer.error())) return std::move(footer).error();
    return std::unique_ptr<const SalvagedRanges>();  // salvage_entries() tells of it
  }
  auto ranges = std::make_unique<SalvagedRanges>();
  const auto read = [&]() -> Status {
    LIGHTNING_ASSIGN(ranges->bytes, (*file)->read_plain(BlockKind::kRangeTombstones, footer->ranges));
    auto set = format::RangeTombstones::decode(ranges->bytes);
    if (!set) return (*file)->at(std::move(set).error(), footer->ranges.offset);
    ranges->set = std::move(*set);
    return {};
  };
  const Status status = read();
  if (status) return std::unique_ptr<const SalvagedRanges>(std::move(ranges));
  if (!is_loss(status.error())) return status.error();
  lost(all_of(meta, status.error()));
  return std::unique_ptr<const SalvagedRanges>();
}

}  // namespace lightning::sstable
