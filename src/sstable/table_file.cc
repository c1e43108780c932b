#include "sstable/table_file.h"

#include <array>

#include "base/planted_bug.h"
#include "sstable/block_view.h"
#include "sstable/codec.h"
#include "sstable/parity.h"

namespace lightning::sstable {

namespace {

Error out_of_memory(std::uint64_t bytes) {
  return Error(ErrorCode::kOutOfMemory, "no memory for " + std::to_string(bytes) + " bytes of a table");
}

Error missing(const std::string& path) {
  return Error(ErrorCode::kTableMissing, "the table's file is not there").at_file(path);
}

}  // namespace

Error TableFile::at(Error error, std::uint64_t offset) const { return std::move(error).at_file(path_, offset); }

Result<std::unique_ptr<TableFile>> TableFile::open(env::Env& env, const std::string& path, env::OpenFiles* pool) {
  auto opened = pool != nullptr ? pool->open(path, env::FileClass::kTable)
                                : env.files.open_random_access(path, env::FileClass::kTable);
  if (!opened) {
    const bool gone = opened.error().code() == ErrorCode::kStorageUnavailable;
    return gone ? missing(path) : std::move(opened).error();
  }
  std::unique_ptr<TableFile> table(new TableFile(path, std::move(*opened)));
  const std::uint64_t bytes = table->file_bytes();
  if (bytes < kHeaderBytes + kFooterBytes + kTrailerBytes)
    return corrupt("the file is shorter (" + std::to_string(bytes) + " bytes) than any table").at_file(path, 0);

  std::array<char, kHeaderBytes> header{};
  LIGHTNING_TRY(table->read(0, header));
  auto decoded_header = decode_header({header.data(), header.size()});
  if (!decoded_header) return table->at(std::move(decoded_header).error(), 0);
  table->header_ = *decoded_header;

  std::array<char, kTrailerBytes> trailer{};
  LIGHTNING_TRY(table->read(bytes - kTrailerBytes, trailer));
  auto decoded_trailer = decode_trailer({trailer.data(), trailer.size()}, bytes);
  if (!decoded_trailer) return table->at(std::move(decoded_trailer).error(), bytes - kTrailerBytes);
  table->trailer_ = *decoded_trailer;
  table->tags_ = decoded_trailer->tags;
  return table;
}

Status TableFile::read(std::uint64_t offset, std::span<char> into) const {
  Status status = file_->read(offset, into);
  // To the file system a short file is damage of some file; here it is known whose.
  if (status) return status;
  if (status.error().code() == ErrorCode::kCorruption) return at(corrupt(status.error().message()), offset);
  // It was there when the table was opened, and has been closed since.
  if (status.error().code() == ErrorCode::kStorageUnavailable) return missing(path_);
  return status;
}

bool TableFile::matches(BlockKind kind, const base::Tag& tag, std::uint64_t offset, std::string_view stored) const {
  return base::planted(base::PlantedBug::kIgnoreBlockTags) ||
         tag_of_block(tags_, header_.uid, kind, offset, stored) == tag;
}

Status TableFile::read_verified(BlockKind kind, const base::Tag& tag, std::uint64_t offset,
                                std::span<char> into) const {
  for (int attempt = 0; attempt < 2; ++attempt) {  // the second, because the transfer may have been at fault
    LIGHTNING_TRY(read(offset, into));
    if (matches(kind, tag, offset, {into.data(), into.size()})) return {};
  }
  return at(corrupt("the " + std::string(name_of(kind)) + " of " + std::to_string(into.size()) +
                    " bytes does not match its tag"),
            offset);
}

Result<std::string> TableFile::read_plain(BlockKind kind, const BlockHandle& handle) const {
  std::string bytes(handle.stored_bytes, '\0');  // within the file: decode_footer() checked
  LIGHTNING_TRY(read_verified(kind, handle.tag, handle.offset, bytes));
  return bytes;
}

Result<std::unique_ptr<TableFile>> TableFile::open_as(env::Env& env, const std::string& path,
                                                      const format::Uid& store_id, const TableMeta& meta) {
  auto opened = env.files.open_random_access(path, env::FileClass::kTable);
  if (!opened) {
    const bool gone = opened.error().code() == ErrorCode::kStorageUnavailable;
    return gone ? missing(path) : std::move(opened).error();
  }
  std::unique_ptr<TableFile> table(new TableFile(path, std::move(*opened)));
  if (meta.file_bytes < kHeaderBytes + kFooterBytes + kTrailerBytes)
    return corrupt("the manifest gives an impossible size").at_file(path, 0);
  table->header_ = {.features = {}, .store_id = store_id, .uid = meta.uid, .number = meta.number, .key_id = 0};
  table->trailer_ = {meta.file_bytes - kTrailerBytes - kFooterBytes, meta.tags};
  table->tags_ = meta.tags;
  return table;
}

Result<std::string> TableFile::read_leaf(const IndexLeaf& leaf, std::uint64_t offset) const {
  std::string bytes(leaf.stored_bytes, '\0');  // within the file: decode_index_top() checked
  LIGHTNING_TRY(read_verified(BlockKind::kIndexLeaf, leaf.tag, offset, bytes));
  return bytes;
}

Result<Footer> TableFile::read_footer(const base::Tag* root, const format::Uid* store_id) {
  std::array<char, kFooterBytes> footer{};
  const std::uint64_t footer_offset = trailer_.footer_offset;
  if (root != nullptr) {
    LIGHTNING_TRY(read_verified(BlockKind::kFooter, *root, footer_offset, footer));
    footer_tag_ = *root;
  } else {
    LIGHTNING_TRY(read(footer_offset, footer));
    footer_tag_ = tag_of_block(tags_, header_.uid, BlockKind::kFooter, footer_offset, {footer.data(), footer.size()});
  }
  auto decoded = decode_footer({footer.data(), footer.size()}, footer_offset);
  if (!decoded) return at(std::move(decoded).error(), footer_offset);
  if (decoded->uid != header_.uid || decoded->number != header_.number || decoded->store_id != header_.store_id ||
      decoded->tags != tags_)
    return at(corrupt("header, footer and trailer contradict each other"), footer_offset);
  if (store_id != nullptr && decoded->store_id != *store_id)
    return at(corrupt("the table belongs to another store"), 0);
  return *decoded;
}

Result<TableFile::Contents> TableFile::read_contents(const base::Tag* root, const format::Uid* store_id) {
  Contents contents;
  LIGHTNING_ASSIGN(contents.footer, read_footer(root, store_id));
  LIGHTNING_ASSIGN(const std::string properties, read_plain(BlockKind::kProperties, contents.footer.properties));
  auto decoded_properties = decode_properties(properties);
  if (!decoded_properties) return at(std::move(decoded_properties).error(), contents.footer.properties.offset);
  contents.properties = std::move(*decoded_properties);

  LIGHTNING_ASSIGN(contents.ranges, read_ranges(contents.footer, contents.properties));
  LIGHTNING_ASSIGN(contents.index, read_index(contents.footer));
  if (contents.index.blocks() == 0 && !contents.ranges)
    return at(corrupt("the table holds nothing"), trailer_.footer_offset);
  if (contents.index.blocks() != contents.properties.blocks)
    return at(corrupt("index and properties contradict each other"), contents.footer.index_top.offset);

  if (const ParityHandle& parity = contents.footer.parity; parity.present()) {
    const std::uint32_t groups = (contents.index.blocks() + parity.data_blocks - 1) / parity.data_blocks;
    if (parity.blocks != groups || parity.bytes != parity_place(contents.index, parity.data_blocks, groups).offset)
      return at(corrupt("index and parity contradict each other"), trailer_.footer_offset);
  }

  if (const BlockHandle& filter = contents.footer.filter; filter.present()) {
    auto buffer = base::LargeBuffer::allocate(filter.stored_bytes);
    if (buffer.data() == nullptr) return out_of_memory(filter.stored_bytes).at_file(path_, filter.offset);
    LIGHTNING_TRY(read_verified(BlockKind::kFilter, filter.tag, filter.offset, {buffer.data(), buffer.size()}));
    auto adopted = Filter::adopt(std::move(buffer));
    if (!adopted) return at(std::move(adopted).error(), filter.offset);
    contents.filter = std::move(*adopted);
  }
  return contents;
}

Result<std::unique_ptr<const RangeBlock>> TableFile::read_ranges(const Footer& footer,
                                                                 const StoredProperties& properties) const {
  const BlockHandle& handle = footer.ranges;
  auto block = std::make_unique<RangeBlock>();
  if (handle.present()) {
    LIGHTNING_ASSIGN(block->bytes, read_plain(BlockKind::kRangeTombstones, handle));
    auto set = format::RangeTombstones::decode(block->bytes);
    if (!set) return at(std::move(set).error(), handle.offset);
    block->set = std::move(*set);
  }
  if (block->set.sequences() != properties.range_tombstones || block->set.empty() == handle.present())
    return at(corrupt("range tombstones and properties contradict each other"), footer.properties.offset);
  if (!handle.present()) return std::unique_ptr<const RangeBlock>();
  return std::unique_ptr<const RangeBlock>(std::move(block));
}

Result<Index> TableFile::read_index(const Footer& footer) const {
  LIGHTNING_ASSIGN(const std::string top, read_plain(BlockKind::kIndexTop, footer.index_top));
  auto shape = decode_index_top(top, footer.leaves_bytes);
  if (!shape) return at(std::move(shape).error(), footer.index_top.offset);
  // All leaves in one read; one that does not match is read once more by itself.
  std::string leaves(footer.leaves_bytes, '\0');
  LIGHTNING_TRY(read(footer.leaves_offset, leaves));
  std::uint64_t done = 0;
  for (const IndexLeaf& leaf : *shape) {
    const std::span<char> bytes(leaves.data() + done, leaf.stored_bytes);
    const std::uint64_t offset = footer.leaves_offset + done;
    if (!matches(BlockKind::kIndexLeaf, leaf.tag, offset, {bytes.data(), bytes.size()}))
      LIGHTNING_TRY(read_verified(BlockKind::kIndexLeaf, leaf.tag, offset, bytes));
    done += leaf.stored_bytes;
  }
  auto index = Index::decode(leaves, *shape, footer.data_offset, footer.data_bytes);
  if (!index) return at(std::move(index).error(), footer.leaves_offset);
  return index;
}

Result<cache::Block*> TableFile::read_block(const BlockHandle& handle, cache::BlockCache& cache) const {
  const auto raw_bytes = static_cast<std::uint32_t>(handle.raw_bytes);
  if (handle.compression == Compression::kNone) {
    cache::Block* block = cache.allocate(raw_bytes);
    if (block == nullptr) return out_of_memory(raw_bytes).at_file(path_, handle.offset);
    const std::span<char> bytes(block->data(), raw_bytes);
    if (Status status = read_verified(BlockKind::kData, handle.tag, handle.offset, bytes); !status) {
      cache.release(block);
      return std::move(status).error();
    }
    return open_block(handle, block->bytes(), block, cache);
  }
  const auto stored = std::make_unique_for_overwrite<char[]>(handle.stored_bytes);
  const std::span<char> bytes(stored.get(), handle.stored_bytes);
  LIGHTNING_TRY(read_verified(BlockKind::kData, handle.tag, handle.offset, bytes));
  cache::Block* block = cache.allocate(raw_bytes);
  if (block == nullptr) return out_of_memory(raw_bytes).at_file(path_, handle.offset);
  return open_block(handle, {bytes.data(), bytes.size()}, block, cache);
}

Result<cache::Block*> TableFile::decode_block(const BlockHandle& handle, std::string_view stored,
                                              cache::BlockCache& cache) const {
  if (!matches(BlockKind::kData, handle.tag, handle.offset, stored))
    return at(corrupt("the data block does not match its tag"), handle.offset);
  cache::Block* block = cache.allocate(static_cast<std::uint32_t>(handle.raw_bytes));
  if (block == nullptr) return out_of_memory(handle.raw_bytes).at_file(path_, handle.offset);
  return open_block(handle, stored, block, cache);
}

Result<std::string> TableFile::rebuild_block(const Index& index, const ParityHandle& parity,
                                             std::uint32_t block) const {
  const std::uint32_t group = block / parity.data_blocks, first = group * parity.data_blocks;
  const ParityPlace place = parity_place(index, parity.data_blocks, group);
  std::string sum(place.bytes, '\0'), other;
  LIGHTNING_TRY(read(parity.offset + place.offset, sum));
  for (std::uint32_t number = first; number < index.blocks() && number - first < parity.data_blocks; ++number) {
    if (number == block) continue;
    const BlockHandle handle = index.handle(number);
    other.resize(handle.stored_bytes);
    LIGHTNING_TRY(read_verified(BlockKind::kData, handle.tag, handle.offset, other));
    xor_into(sum, other);
  }
  sum.resize(index.handle(block).stored_bytes);
  return sum;
}

bool TableFile::parity_is_whole(const ParityHandle& parity) const {
  std::string bytes(parity.bytes, '\0');
  return read_verified(BlockKind::kParity, parity.tag, parity.offset, bytes).has_value();
}

Result<cache::Block*> TableFile::open_block(const BlockHandle& handle, std::string_view stored, cache::Block* block,
                                            cache::BlockCache& cache) const {
  Status status;
  if (stored.data() != block->data()) status = decompress(handle.compression, stored, {block->data(), block->size()});
  if (status) status = check_block(block->bytes());
  if (!status) {
    cache.release(block);
    return at(std::move(status).error(), handle.offset);
  }
  return block;
}

}  // namespace lightning::sstable
