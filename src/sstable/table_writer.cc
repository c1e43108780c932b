// TableWriter: entries in, file out, front to back. A block is written when the next entry no longer fits it; its index
// entry waits for the key after it, which decides how short the separator may be.
#include <algorithm>
#include <cstring>
#include <vector>

#include "format/expiry.h"
#include "sstable/block_builder.h"
#include "sstable/codec.h"
#include "sstable/filter.h"
#include "sstable/index.h"
#include "sstable/layout.h"
#include "sstable/parity.h"
#include "sstable/properties.h"
#include "sstable/table.h"

namespace lightning::sstable {

std::uint64_t filter_hash(std::string_view key) { return base::hash64(key); }

class TableWriter::Impl {
 public:
  Impl(std::unique_ptr<env::WritableFile> file, const format::Uid& store_id, const format::Uid& uid,
       format::FileNumber number, const TableOptions& options)
      : file_(std::move(file)),
        store_id_(store_id),
        uid_(uid),
        number_(number),
        options_(options),
        builder_(options.block_bytes),
        compressor_(options.compression) {}

  // The first failure is the answer to everything that follows: the file is of no use any more.
  Status add(const format::Entry& entry) {
    if (failure_) [[unlikely]]
      return *failure_;
    return keep(add_entry(entry));
  }
  Result<TableMeta> finish() {
    if (failure_) return *failure_;
    Result<TableMeta> meta = write_rest();
    if (!meta)
      failure_ = meta.error();
    else
      failure_ = Error(ErrorCode::kInternal, "the table was finished before");
    return meta;
  }

  void set_ranges(format::RangeTombstones ranges) { ranges_ = std::move(ranges); }
  std::uint64_t entries() const { return properties_.entries; }
  void count_expiring(std::uint64_t expires_ms, std::uint64_t bytes) { properties_.expiring.add(expires_ms, bytes); }
  std::uint64_t data_bytes() const { return properties_.key_bytes + properties_.value_bytes; }
  std::uint64_t file_bytes() const { return at_ + index_.bytes() + parity_.bytes(); }

 private:
  Status add_entry(const format::Entry& entry);
  Status begin();
  // Makes the new entry's key the last one; the hash of that key.
  Result<std::uint64_t> advance_to(const format::Entry& entry);
  Status write_block(std::string_view raw);
  // Enters the block written last into the index, now that the entry behind it is known (null: there is none).
  void index_written_block(const format::Entry* next);
  void count(const format::Entry& entry);
  Result<TableMeta> write_rest();
  // Writes an uncompressed block and returns the handle for its parent.
  Result<BlockHandle> write_plain(BlockKind kind, std::string_view bytes);
  Status append(std::string_view bytes) {
    LIGHTNING_TRY(file_->append(bytes));
    at_ += bytes.size();
    return {};
  }
  Status keep(Status status) {
    if (!status) [[unlikely]]
      failure_ = status.error();
    return status;
  }

  const std::unique_ptr<env::WritableFile> file_;
  const format::Uid store_id_, uid_;
  const format::FileNumber number_;
  const TableOptions options_;
  std::optional<Error> failure_;

  BlockBuilder builder_;
  Compressor compressor_;
  IndexBuilder index_;
  ParityBuilder parity_;
  std::vector<std::uint64_t> hashes_;  // one per distinct key
  std::uint64_t at_ = 0;               // bytes appended
  StoredProperties properties_;
  format::RangeTombstones ranges_;
  std::uint64_t run_ = 0;  // tombstones, the last entry back to the last one that is none

  // The last entry added. Its key is in the builder while its block is being built, and in block_last_key_ afterwards.
  Sequence last_sequence_ = 0;
  std::uint64_t last_hash_ = 0;
  // The last entry of the block written last, and that block's handle while its index entry waits for the next key.
  std::string block_last_key_;
  Sequence block_last_sequence_ = 0;
  std::optional<BlockHandle> written_;
};

void TableWriter::Impl::count(const format::Entry& entry) {
  ++properties_.entries;
  const bool tombstone = entry.type == format::EntryType::kErase;
  properties_.tombstones += tombstone;
  run_ = tombstone ? run_ + 1 : 0;
  properties_.tombstone_run = std::max(properties_.tombstone_run, run_);
  properties_.key_bytes += entry.key.size();
  properties_.value_bytes += entry.value.size();
  if (format::Expiring expiring;
      entry.type == format::EntryType::kPutExpiring && format::split_expiring(entry.value, expiring)) [[unlikely]]
    properties_.expiring.add(expiring.expires_ms, entry.key.size() + entry.value.size());
  properties_.smallest_sequence = std::min(properties_.smallest_sequence, entry.sequence);
  properties_.largest_sequence = std::max(properties_.largest_sequence, entry.sequence);
}

Status TableWriter::Impl::begin() {
  LIGHTNING_TRY(compressor_.ready());
  return append(encode(Header{{}, store_id_, uid_, number_, 0}));
}

Result<std::uint64_t> TableWriter::Impl::advance_to(const format::Entry& entry) {
  if (entry.key.empty() || entry.key.size() > kKeyBytesMax || entry.value.size() > kValueBytesMax ||
      entry.sequence > format::kSequenceMax || !format::is_point(entry.type)) [[unlikely]]
    return Error(ErrorCode::kInternal, "an entry outside the limits was given to a table");
  const bool first = properties_.entries == 0;
  if (first) {
    LIGHTNING_TRY(begin());
    properties_.smallest_key = entry.key;
    properties_.smallest_sequence = entry.sequence;
  }
  const std::string_view last = builder_.empty() ? std::string_view(block_last_key_) : builder_.last_key();
  const int order = first ? -1 : last.compare(entry.key);
  if (order > 0 || (order == 0 && last_sequence_ <= entry.sequence)) [[unlikely]]
    return Error(ErrorCode::kInternal, "entries were given to a table out of order");
  last_sequence_ = entry.sequence;
  if (order < 0) {
    last_hash_ = filter_hash(entry.key);
    ++properties_.distinct_keys;
    if (options_.filter_bits_per_key != 0) hashes_.push_back(last_hash_);
  }
  return last_hash_;
}

Status TableWriter::Impl::add_entry(const format::Entry& entry) {
  LIGHTNING_ASSIGN(const std::uint64_t hash, advance_to(entry));
  count(entry);
  if (!builder_.fits(entry) && !builder_.empty()) [[unlikely]] {
    block_last_key_.assign(builder_.last_key());
    block_last_sequence_ = builder_.last_sequence();
    LIGHTNING_TRY(write_block(builder_.finish()));
  }
  if (written_) [[unlikely]]
    index_written_block(&entry);
  if (!builder_.fits(entry)) [[unlikely]] {  // larger than a whole block: it gets one of its own
    block_last_key_.assign(entry.key);
    block_last_sequence_ = entry.sequence;
    return write_block(builder_.finish_single(entry, hash));
  }
  builder_.add(entry, hash);
  return {};
}

Status TableWriter::Impl::write_block(std::string_view raw) {
  const std::string_view stored = compressor_.compress(raw);
  BlockHandle handle;
  handle.offset = at_;
  handle.stored_bytes = stored.size();
  handle.raw_bytes = raw.size();
  handle.compression = compressor_.used();
  handle.tag = tag_of_block(options_.tags, uid_, BlockKind::kData, at_, stored);
  LIGHTNING_TRY(append(stored));
  if (options_.parity) parity_.add(stored);
  properties_.data_stored_bytes += stored.size();
  written_ = handle;
  return {};
}

void TableWriter::Impl::index_written_block(const format::Entry* next) {
  if (next == nullptr)
    index_.add(block_last_key_, 0, *written_);
  else if (next->key == block_last_key_)
    index_.add(block_last_key_, block_last_sequence_, *written_);  // not 0: a version older than it follows
  else
    index_.add(shortest_separator(block_last_key_, next->key), 0, *written_);
  written_.reset();
}

Result<BlockHandle> TableWriter::Impl::write_plain(BlockKind kind, std::string_view bytes) {
  BlockHandle handle;
  handle.offset = at_;
  handle.stored_bytes = handle.raw_bytes = bytes.size();
  handle.tag = tag_of_block(options_.tags, uid_, kind, at_, bytes);
  LIGHTNING_TRY(append(bytes));
  return handle;
}

Result<TableMeta> TableWriter::Impl::write_rest() {
  if (properties_.entries == 0) {
    if (ranges_.empty()) return Error(ErrorCode::kInternal, "a table without entries was finished");
    LIGHTNING_TRY(begin());
  }
  if (!builder_.empty()) {
    block_last_key_.assign(builder_.last_key());
    block_last_sequence_ = builder_.last_sequence();
    LIGHTNING_TRY(write_block(builder_.finish()));
  }
  if (written_) index_written_block(nullptr);

  Footer footer;
  footer.tags = options_.tags;
  footer.store_id = store_id_;
  footer.uid = uid_;
  footer.number = number_;
  footer.data_offset = kHeaderBytes;
  footer.data_bytes = at_ - kHeaderBytes;
  if (const std::string_view parity = parity_.finish(); parity_.blocks() != 0) {
    LIGHTNING_ASSIGN(const BlockHandle all, write_plain(BlockKind::kParity, parity));
    footer.parity = {all.offset, all.stored_bytes, parity_.blocks(), kBlocksPerParity, all.tag};
  }
  if (const Filter filter = Filter::build(hashes_, options_.filter_bits_per_key); !filter.bytes().empty()) {
    LIGHTNING_ASSIGN(footer.filter, write_plain(BlockKind::kFilter, filter.bytes()));
  } else if (!hashes_.empty()) {
    return Error(ErrorCode::kOutOfMemory, "no memory for the table's filter");
  }
  footer.leaves_offset = at_;
  const std::string_view leaves = index_.finish_leaves();
  footer.leaves_bytes = leaves.size();
  const std::string top = index_.top(options_.tags, uid_, at_);
  LIGHTNING_TRY(append(leaves));
  LIGHTNING_ASSIGN(footer.index_top, write_plain(BlockKind::kIndexTop, top));
  if (!ranges_.empty()) {
    LIGHTNING_ASSIGN(footer.ranges, write_plain(BlockKind::kRangeTombstones, ranges_.encode()));
  }

  properties_.blocks = index_.blocks();
  properties_.index_bytes = leaves.size() + top.size();
  properties_.filter_bytes = footer.filter.stored_bytes;
  properties_.created_ns = options_.created_ns;
  properties_.origin = options_.origin;
  properties_.block_bytes = options_.block_bytes;
  properties_.filter_bits_per_key = options_.filter_bits_per_key;
  properties_.compression = options_.compression;
  properties_.largest_key = block_last_key_;
  properties_.range_tombstones = ranges_.sequences();
  LIGHTNING_ASSIGN(footer.properties, write_plain(BlockKind::kProperties, encode(properties_)));
  const std::uint64_t footer_offset = at_;
  LIGHTNING_ASSIGN(const BlockHandle root, write_plain(BlockKind::kFooter, encode(footer)));
  LIGHTNING_TRY(append(encode(Trailer{footer_offset, options_.tags}, at_ + kTrailerBytes)));
  LIGHTNING_TRY(file_->sync());
  LIGHTNING_TRY(file_->close());

  TableMeta meta;
  meta.number = number_;
  meta.uid = uid_;
  meta.file_bytes = at_;
  meta.root = root.tag;
  meta.tags = options_.tags;
  properties_.describe(meta, &ranges_);
  return meta;
}

TableWriter::TableWriter(std::unique_ptr<env::WritableFile> file, const format::Uid& store_id, const format::Uid& uid,
                         format::FileNumber number, const TableOptions& options)
    : impl_(std::make_unique<Impl>(std::move(file), store_id, uid, number, options)) {}
TableWriter::~TableWriter() = default;
Status TableWriter::add(const format::Entry& entry) { return impl_->add(entry); }
void TableWriter::set_ranges(format::RangeTombstones ranges) { impl_->set_ranges(std::move(ranges)); }
void TableWriter::count_expiring(std::uint64_t expires_ms, std::uint64_t bytes) {
  impl_->count_expiring(expires_ms, bytes);
}
std::uint64_t TableWriter::entries() const { return impl_->entries(); }
std::uint64_t TableWriter::data_bytes() const { return impl_->data_bytes(); }
std::uint64_t TableWriter::file_bytes() const { return impl_->file_bytes(); }
Result<TableMeta> TableWriter::finish() { return impl_->finish(); }

}  // namespace lightning::sstable
