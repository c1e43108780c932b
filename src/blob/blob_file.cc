#include "blob/blob_file.h"

#include <algorithm>
#include <array>

#include "base/coding.h"
#include "sstable/codec.h"

namespace lightning::blob {

namespace {

Error missing(const std::string& path) {
  return Error(ErrorCode::kBlobMissing, "the blob file is not there").at_file(path);
}

Error out_of_memory(std::uint64_t bytes) {
  return Error(ErrorCode::kOutOfMemory, "no memory for " + std::to_string(bytes) + " bytes of a large value");
}

// What the storage layers below call damage of a table is damage of a blob file here.
Error as_blob_error(Error error) {
  const ErrorCode code = error.code();
  if (code != ErrorCode::kTableCorrupt && code != ErrorCode::kCorruption) return error;
  return corrupt(error.message());
}

Status unpack_chunk(const RecordShape& shape, std::uint64_t index, std::string_view stored, std::span<char> raw) {
  if (stored.size() == raw.size()) {
    if (stored.data() != raw.data()) __builtin_memcpy(raw.data(), stored.data(), raw.size());
    return {};
  }
  const auto compression = static_cast<Compression>(shape.head.compression);
  if (compression == Compression::kNone || !sstable::plausible_sizes(compression, stored.size(), raw.size()))
    return corrupt("chunk " + std::to_string(index) + " of a record has an impossible size");
  if (Status status = sstable::decompress(compression, stored, raw); !status) return as_blob_error(status.error());
  return {};
}

Status verify_chunk(const RecordShape& shape, std::uint64_t index, std::string_view stored) {
  if (base::tag_of(shape.head.tags, stored) == shape.chunks[index].tag) return {};
  return corrupt("chunk " + std::to_string(index) + " of a record does not match its tag");
}

Status read_file(const env::RandomAccessFile& file, const std::string& path, std::uint64_t offset,
                 std::span<char> into) {
  Status status = file.read(offset, into);
  if (status) return status;
  if (status.error().code() == ErrorCode::kCorruption) return corrupt(status.error().message()).at_file(path, offset);
  if (status.error().code() == ErrorCode::kStorageUnavailable) return missing(path);
  return status;
}

Result<std::unique_ptr<env::RandomAccessFile>> open_to_read(env::Env& env, const std::string& path,
                                                            env::OpenFiles* pool) {
  auto opened = pool != nullptr ? pool->open(path, env::FileClass::kBlob)
                                : env.files.open_random_access(path, env::FileClass::kBlob);
  if (opened) return opened;
  const bool gone = opened.error().code() == ErrorCode::kStorageUnavailable;
  return gone ? missing(path) : std::move(opened).error();
}

struct Ends {
  Header header;
  Footer footer;
  std::string footer_bytes;
};

// Header and footer, as they describe themselves.
Result<Ends> read_ends(const env::RandomAccessFile& file, const std::string& path) {
  const std::uint64_t bytes = file.size();
  if (bytes < kHeaderBytes + kFooterBytes)
    return corrupt("the file is shorter (" + std::to_string(bytes) + " bytes) than any blob file").at_file(path, 0);
  Ends ends;
  std::array<char, kHeaderBytes> header{};
  LIGHTNING_TRY(read_file(file, path, 0, header));
  auto decoded_header = decode_header({header.data(), header.size()});
  if (!decoded_header) return std::move(decoded_header).error().at_file(path, 0);
  ends.header = *decoded_header;
  ends.footer_bytes.resize(kFooterBytes);
  LIGHTNING_TRY(read_file(file, path, bytes - kFooterBytes, ends.footer_bytes));
  auto decoded_footer = decode_footer(ends.footer_bytes, bytes);
  if (!decoded_footer) return std::move(decoded_footer).error().at_file(path, bytes - kFooterBytes);
  ends.footer = *decoded_footer;
  if (ends.footer.uid != ends.header.uid || ends.footer.number != ends.header.number ||
      ends.footer.store_id != ends.header.store_id)
    return corrupt("header and footer contradict each other").at_file(path, bytes - kFooterBytes);
  return ends;
}

}  // namespace

// --- opening -------------------------------------------------------------------------------------------------------

BlobFile::BlobFile(std::string path, std::unique_ptr<env::RandomAccessFile> file, const FileMeta& meta,
                   cache::BlockCache& cache, base::MemoryBudget& budget)
    : path_(std::move(path)), file_(std::move(file)), meta_(meta), cache_(cache), budget_(budget) {}

BlobFile::~BlobFile() {
  const auto charged = static_cast<std::int64_t>(ordinals_.size() * 8);
  if (charged != 0) budget_.charge(base::MemoryOwner::kFiltersAndIndexes, -charged);
  cache::BlockSlot* slots = slots_.load(std::memory_order_acquire);
  if (slots == nullptr) return;
  cache_.erase(slots, meta_.records);
  delete[] slots;
  budget_.charge(base::MemoryOwner::kFiltersAndIndexes,
                 -static_cast<std::int64_t>(meta_.records * sizeof(cache::BlockSlot)));
}

Result<std::shared_ptr<BlobFile>> BlobFile::open(env::Env& env, const std::string& path, const format::Uid& store_id,
                                                 const FileMeta& meta, cache::BlockCache& cache,
                                                 base::MemoryBudget& budget, env::OpenFiles* pool) {
  LIGHTNING_ASSIGN(auto opened, open_to_read(env, path, pool));
  std::shared_ptr<BlobFile> file(new BlobFile(path, std::move(opened), meta, cache, budget));
  LIGHTNING_TRY(file->load());
  if (file->footer_.store_id != store_id) return corrupt("the blob file belongs to another store").at_file(path, 0);
  return file;
}

Result<std::shared_ptr<BlobFile>> BlobFile::open_records(env::Env& env, const std::string& path,
                                                         format::FileNumber number, cache::BlockCache& cache,
                                                         base::MemoryBudget& budget, env::OpenFiles* pool) {
  LIGHTNING_ASSIGN(auto opened, open_to_read(env, path, pool));
  FileMeta meta;
  meta.number = number;
  meta.file_bytes = opened->size();
  meta.records = ~std::uint64_t{0};  // not known
  std::shared_ptr<BlobFile> file(new BlobFile(path, std::move(opened), meta, cache, budget));
  file->footer_.index_offset = meta.file_bytes;
  return file;
}

std::shared_ptr<BlobFile> BlobFile::unreadable(const std::string& path, const FileMeta& meta, const Error& damage,
                                               cache::BlockCache& cache, base::MemoryBudget& budget) {
  std::shared_ptr<BlobFile> file(new BlobFile(path, nullptr, meta, cache, budget));
  file->damage_ = damage;
  return file;
}

Status BlobFile::load() {
  if (file_->size() != meta_.file_bytes)
    return placed(corrupt("the blob file has " + std::to_string(file_->size()) + " bytes, the manifest says " +
                          std::to_string(meta_.file_bytes)),
                  0);
  LIGHTNING_ASSIGN(const Ends ends, read_ends(*file_, path_));
  footer_ = ends.footer;
  const std::uint64_t footer_offset = meta_.file_bytes - kFooterBytes;
  if (footer_.tags != meta_.tags || tag_of_footer(meta_.tags, ends.footer_bytes) != meta_.root)
    return placed(corrupt("the footer does not match the tag that the manifest holds"), footer_offset);
  if (footer_.uid != meta_.uid || footer_.number != meta_.number || footer_.records != meta_.records ||
      footer_.record_bytes != meta_.record_bytes)
    return placed(corrupt("the blob file is not the one that the manifest names"), footer_offset);
  return meta_.origins.empty() ? Status() : load_map();
}

Status BlobFile::load_map() {
  ordinals_.reserve(meta_.records);
  offsets_.reserve(meta_.records);
  LIGHTNING_TRY(for_each([this](const IndexEntry& entry) -> Status {
    if (groups_.empty() || groups_.back().origin != entry.id.origin)
      groups_.push_back({entry.id.origin, ordinals_.size()});
    ordinals_.push_back(static_cast<std::uint32_t>(entry.id.ordinal));
    offsets_.push_back(static_cast<std::uint32_t>(entry.offset / kAlignment));
    return {};
  }));
  budget_.charge(base::MemoryOwner::kFiltersAndIndexes, static_cast<std::int64_t>(ordinals_.size() * 8));
  return {};
}

Error BlobFile::placed(Error error, std::uint64_t offset) const { return std::move(error).at_file(path_, offset); }

Status BlobFile::read_bytes(std::uint64_t offset, std::span<char> into) const {
  return read_file(*file_, path_, offset, into);
}

Result<std::string> BlobFile::read_index() const {
  if (damage_) return Error(*damage_);
  std::string index(footer_.index_bytes(), '\0');  // within the file: decode_footer() checked
  for (int attempt = 0; attempt < 2; ++attempt) {  // the second, because the transfer may have been at fault
    LIGHTNING_TRY(read_bytes(footer_.index_offset, index));
    if (tag_of_index(footer_.tags, footer_.uid, index) == footer_.index_tag) return index;
  }
  return placed(corrupt("the index does not match its tag"), footer_.index_offset);
}

// Entries lie one behind the other, ids rise, and nothing reaches into the index. `end`: of the entry before.
Status BlobFile::check_entry(const IndexEntry& entry, std::uint64_t& end) const {
  const bool in_place = entry.offset == aligned(end) && entry.stored_bytes > kHeadBytes + kTailBytes &&
                        entry.stored_bytes <= footer_.index_offset &&
                        entry.offset <= footer_.index_offset - entry.stored_bytes &&
                        entry.id.ordinal <= ~std::uint32_t{0} && entry.offset / kAlignment <= ~std::uint32_t{0};
  if (!in_place) return placed(corrupt("the index names a record in an impossible place"), footer_.index_offset);
  end = entry.offset + entry.stored_bytes;
  return {};
}

Status BlobFile::for_each(const std::function<Status(const IndexEntry&)>& visit) const {
  LIGHTNING_ASSIGN(const std::string index, read_index());
  std::uint64_t end = kHeaderBytes;
  IndexEntry before;
  for (std::size_t i = 0; i < index.size(); i += kIndexEntryBytes) {
    const IndexEntry entry = load_entry(index.data() + i);
    LIGHTNING_TRY(check_entry(entry, end));
    const bool own = meta_.origins.empty();
    if (own ? entry.id != RecordId{meta_.number, i / kIndexEntryBytes}
            : !std::binary_search(meta_.origins.begin(), meta_.origins.end(), entry.id.origin) ||
                  (i > 0 && entry.id <= before.id))
      return placed(corrupt("the index names a record that does not belong here"), footer_.index_offset + i);
    LIGHTNING_TRY(visit(entry));
    before = entry;
  }
  return {};
}

// --- reading by reference ------------------------------------------------------------------------------------------

Result<BlobFile::Place> BlobFile::locate(const Reference& reference) const {
  if (damage_) [[unlikely]]
    return Error(*damage_);
  if (meta_.origins.empty()) {
    if (reference.id.origin == meta_.number && reference.id.ordinal < meta_.records)
      return Place{reference.id.ordinal, reference.offset};
  } else {
    const auto group =
        std::lower_bound(groups_.begin(), groups_.end(), reference.id.origin,
                         [](const Group& each, format::FileNumber origin) { return each.origin < origin; });
    if (group != groups_.end() && group->origin == reference.id.origin) {
      const std::uint64_t behind = group + 1 == groups_.end() ? ordinals_.size() : (group + 1)->begin;
      const auto from = ordinals_.begin() + static_cast<std::ptrdiff_t>(group->begin);
      const auto to = ordinals_.begin() + static_cast<std::ptrdiff_t>(behind);
      const auto found = std::lower_bound(from, to, reference.id.ordinal);
      if (found != to && *found == reference.id.ordinal) {
        const auto number = static_cast<std::uint64_t>(found - ordinals_.begin());
        return Place{number, offsets_[number] * kAlignment};
      }
    }
  }
  return placed(corrupt("a reference points to record " + std::to_string(reference.id.ordinal) + " of blob file " +
                        std::to_string(reference.id.origin) + ", which is not here"),
                0);
}

// Whatever the reference says, what is allocated and read for it lies inside the file.
Result<BlobFile::Place> BlobFile::checked_place(std::string_view key, const Reference& reference) const {
  LIGHTNING_ASSIGN(const Place place, locate(reference));
  const std::uint64_t least = kHeadBytes + key.size() + table_bytes(reference.value_bytes) + kTailBytes;
  const bool fits = place.offset <= footer_.index_offset &&
                    reference.stored_bytes <= footer_.index_offset - place.offset && reference.stored_bytes > least &&
                    (!reference.plain || reference.stored_bytes == least + reference.value_bytes);
  if (!fits) return placed(corrupt("a reference points beyond the records"), place.offset);
  return place;
}

cache::BlockSlot* BlobFile::slot(std::uint64_t number) const {
  cache::BlockSlot* slots = slots_.load(std::memory_order_acquire);
  if (slots == nullptr) {
    auto made = std::make_unique<cache::BlockSlot[]>(meta_.records);
    if (slots_.compare_exchange_strong(slots, made.get(), std::memory_order_acq_rel)) {
      slots = made.release();
      budget_.charge(base::MemoryOwner::kFiltersAndIndexes,
                     static_cast<std::int64_t>(meta_.records * sizeof(cache::BlockSlot)));
    }
  }
  return slots + number;
}

cache::Block* BlobFile::find_cached(const Reference& reference) const {
  cache::BlockSlot* slots = slots_.load(std::memory_order_acquire);
  if (slots == nullptr) return nullptr;
  const auto place = locate(reference);
  return place ? cache_.find(slots[place->number]) : nullptr;
}

std::string_view BlobFile::value_in(const cache::Block& block, std::string_view key, const Reference& reference) {
  const bool whole_record = reference.plain && reference.stored_bytes <= kCachedRecordBytesMax;
  return whole_record ? block.bytes().substr(kHeadBytes + key.size(), reference.value_bytes) : block.bytes();
}

Result<cache::Block*> BlobFile::open_record(cache::Block* record, std::string_view key,
                                            const Reference& reference) const {
  const std::string_view bytes = record->bytes();
  const std::size_t head_bytes = kHeadBytes + key.size();
  const std::size_t tail_bytes = table_bytes(reference.value_bytes) + kTailBytes;
  cache::Block* value = nullptr;
  const auto open = [&]() -> Status {
    LIGHTNING_ASSIGN(const RecordShape shape, decode_shape(bytes.substr(0, head_bytes),
                                                           bytes.substr(bytes.size() - tail_bytes), key, reference));
    if (!reference.plain) {
      value = cache_.allocate(static_cast<std::uint32_t>(reference.value_bytes));
      if (value == nullptr) return out_of_memory(reference.value_bytes);
    }
    std::uint64_t from = shape.chunks_offset;
    for (std::uint64_t i = 0; i < shape.chunks.size(); ++i) {
      const std::string_view stored = bytes.substr(from, shape.chunks[i].stored_bytes);
      LIGHTNING_TRY(verify_chunk(shape, i, stored));
      if (value != nullptr)
        LIGHTNING_TRY(unpack_chunk(shape, i, stored, {value->data() + i * kChunkBytes, shape.chunk_raw_bytes(i)}));
      from += stored.size();
    }
    return {};
  };
  const Status status = open();
  if (status && value == nullptr) return record;
  cache::BlockCache::release(record);
  if (status) return value;
  if (value != nullptr) cache::BlockCache::release(value);
  return status.error();
}

Result<cache::Block*> BlobFile::keep(cache::Block* block, const Place& place, bool fill) const {
  return fill ? cache_.insert(*slot(place.number), block, true) : block;
}

Result<cache::Block*> BlobFile::read(std::string_view key, const Reference& reference, bool fill) const {
  LIGHTNING_ASSIGN(const Place place, checked_place(key, reference));
  if (reference.stored_bytes > kCachedRecordBytesMax) {
    // The head and the tail first: they say whether there is anything worth the memory.
    LIGHTNING_TRY(read_shape(key, reference, place.offset));
    cache::Block* block = cache_.allocate(static_cast<std::uint32_t>(reference.value_bytes));
    if (block == nullptr) return placed(out_of_memory(reference.value_bytes), place.offset);
    const Status status = read_into(key, reference, {block->data(), block->size()});
    if (status) return block;
    cache::BlockCache::release(block);
    return status.error();
  }
  for (int attempt = 0;; ++attempt) {
    cache::Block* block = cache_.allocate(static_cast<std::uint32_t>(reference.stored_bytes));
    if (block == nullptr) return placed(out_of_memory(reference.stored_bytes), place.offset);
    if (const Status status = read_bytes(place.offset, {block->data(), block->size()}); !status) {
      cache::BlockCache::release(block);
      return status.error();
    }
    auto opened = open_record(block, key, reference);
    if (opened) return keep(*opened, place, fill);
    // Once more, because the transfer may have been at fault.
    if (attempt > 0 || opened.error().code() != ErrorCode::kBlobCorrupt)
      return placed(std::move(opened).error(), place.offset);
  }
}

void BlobFile::read_many(std::span<Load> loads, bool fill) const {
  std::vector<env::RandomAccessFile::Request> requests;
  std::vector<std::pair<Load*, Place>> wanted;
  std::vector<cache::Block*> blocks;
  for (Load& load : loads) {
    const auto place = checked_place(load.key, *load.reference);
    cache::Block* block = nullptr;
    if (place && load.reference->stored_bytes <= kCachedRecordBytesMax && loads.size() > 1)
      block = cache_.allocate(static_cast<std::uint32_t>(load.reference->stored_bytes));
    if (block == nullptr) {
      load.block = read(load.key, *load.reference, fill);
      continue;
    }
    requests.push_back({place->offset, {block->data(), block->size()}});
    wanted.emplace_back(&load, *place);
    blocks.push_back(block);
  }
  if (!requests.empty()) file_->read_many(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Load& load = *wanted[i].first;
    if (!requests[i].status) {
      cache::BlockCache::release(blocks[i]);
    } else if (auto opened = open_record(blocks[i], load.key, *load.reference)) {
      load.block = keep(*opened, wanted[i].second, fill);
      continue;
    }
    load.block = read(load.key, *load.reference, fill);  // alone: errors are retried there and get their words
  }
}

// --- reading piece by piece
// -------------------------------------------------------------------------------------------

Result<RecordShape> BlobFile::read_shape(std::string_view key, const Reference& reference, std::uint64_t offset) const {
  std::string head(kHeadBytes + key.size(), '\0');
  std::string tail(table_bytes(reference.value_bytes) + kTailBytes, '\0');
  for (int attempt = 0;; ++attempt) {
    LIGHTNING_TRY(read_bytes(offset, head));
    LIGHTNING_TRY(read_bytes(offset + reference.stored_bytes - tail.size(), tail));
    auto shape = decode_shape(head, tail, key, reference);
    if (shape || attempt > 0) return shape ? std::move(shape) : placed(std::move(shape).error(), offset);
  }
}

Status BlobFile::read_chunk(const RecordShape& shape, std::uint64_t index, std::uint64_t offset,
                            std::span<char> stored) const {
  for (int attempt = 0;; ++attempt) {
    LIGHTNING_TRY(read_bytes(offset, stored));
    const Status status = verify_chunk(shape, index, {stored.data(), stored.size()});
    if (status || attempt > 0) return status ? Status() : placed(status.error(), offset);
  }
}

Status BlobFile::read_into(std::string_view key, const Reference& reference, std::span<char> into) const {
  LIGHTNING_ASSIGN(const Place place, checked_place(key, reference));
  if (into.size() != reference.value_bytes) return Error(ErrorCode::kInternal, "a large value has no room");
  LIGHTNING_ASSIGN(const RecordShape shape, read_shape(key, reference, place.offset));
  std::uint64_t from = place.offset + shape.chunks_offset;
  std::string stored;
  for (std::uint64_t i = 0; i < shape.chunks.size(); ++i) {
    const std::span<char> raw = into.subspan(i * kChunkBytes, shape.chunk_raw_bytes(i));
    const std::uint64_t bytes = shape.chunks[i].stored_bytes;
    std::span<char> here = raw;
    if (bytes < raw.size()) {
      stored.resize(bytes);
      here = stored;
    }
    LIGHTNING_TRY(read_chunk(shape, i, from, here));
    if (Status status = unpack_chunk(shape, i, {here.data(), here.size()}, raw); !status)
      return placed(status.error(), from);
    from += bytes;
  }
  return {};
}

ValueCursor::ValueCursor(const BlobFile& file, RecordShape shape, std::uint64_t offset)
    : file_(&file), shape_(std::move(shape)), offset_(offset) {
  std::uint64_t from = shape_.chunks_offset;
  chunks_.reserve(shape_.chunks.size());
  for (const ChunkEntry& chunk : shape_.chunks) {
    chunks_.push_back(from);
    from += chunk.stored_bytes;
  }
}

Result<ValueCursor> ValueCursor::open(const BlobFile& file, std::string_view key, const Reference& reference) {
  LIGHTNING_ASSIGN(const auto place, file.checked_place(key, reference));
  LIGHTNING_ASSIGN(RecordShape shape, file.read_shape(key, reference, place.offset));
  return ValueCursor(file, std::move(shape), place.offset);
}

Status ValueCursor::read(std::uint64_t offset, std::span<char> into) {
  if (offset > size() || into.size() > size() - offset)
    return Error(ErrorCode::kInvalidArgument, "bytes " + std::to_string(offset) + " to " +
                                                  std::to_string(offset + into.size()) + " lie beyond a value of " +
                                                  std::to_string(size()));
  while (!into.empty()) {
    const std::uint64_t index = offset / kChunkBytes, begin = offset % kChunkBytes;
    if (have_ != index) {
      have_ = ~std::uint64_t{0};
      stored_.resize(shape_.chunks[index].stored_bytes);
      raw_.resize(shape_.chunk_raw_bytes(index));
      const std::uint64_t from = offset_ + chunks_[index];
      LIGHTNING_TRY(file_->read_chunk(shape_, index, from, stored_));
      if (Status status = unpack_chunk(shape_, index, stored_, raw_); !status)
        return file_->placed(status.error(), from);
      have_ = index;
    }
    const std::size_t piece = std::min<std::size_t>(into.size(), raw_.size() - begin);
    __builtin_memcpy(into.data(), raw_.data() + begin, piece);
    into = into.subspan(piece);
    offset += piece;
  }
  return {};
}

// --- reading by index ----------------------------------------------------------------------------------------------

Result<std::string> BlobFile::key_of(const IndexEntry& entry) const {
  std::array<char, 256> first{};  // most keys fit
  const std::span<char> into(first.data(), std::min<std::uint64_t>(first.size(), entry.stored_bytes));
  LIGHTNING_TRY(read_bytes(entry.offset, into));
  auto head = decode_head({into.data(), into.size()});
  if (!head) return placed(std::move(head).error(), entry.offset);
  const std::uint64_t bytes = kHeadBytes + head->key_bytes;
  if (bytes > entry.stored_bytes) return placed(corrupt("a record's key reaches beyond its end"), entry.offset);
  std::string whole(into.data(), std::min<std::uint64_t>(bytes, into.size()));
  if (const std::size_t have = whole.size(); have < bytes) {
    whole.resize(bytes);
    LIGHTNING_TRY(read_bytes(entry.offset + have, std::span<char>(whole).subspan(have)));
  }
  if (!head_verifies(whole) || head->id != entry.id)
    return placed(corrupt("a record's head does not match its check value"), entry.offset);
  return whole.substr(kHeadBytes);
}

Result<RecordShape> BlobFile::read_shape(const IndexEntry& entry) const {
  LIGHTNING_ASSIGN(const std::string key, key_of(entry));
  std::string head(kHeadBytes + key.size(), '\0');
  LIGHTNING_TRY(read_bytes(entry.offset, head));
  // The tail's own end says how long it is.
  std::array<char, kTailBytes> end{};
  LIGHTNING_TRY(read_bytes(entry.offset + entry.stored_bytes - kTailBytes, end));
  const auto value_bytes = base::load_le<std::uint64_t>(end.data());
  if (value_bytes > kValueBytesMax || head.size() + table_bytes(value_bytes) + kTailBytes >= entry.stored_bytes)
    return placed(corrupt("a record's tail contradicts its size"), entry.offset);
  std::string tail(table_bytes(value_bytes) + kTailBytes, '\0');
  LIGHTNING_TRY(read_bytes(entry.offset + entry.stored_bytes - tail.size(), tail));
  auto shape = decode_shape(head, tail, entry.stored_bytes);
  if (!shape) return placed(std::move(shape).error(), entry.offset);
  if (shape->head.id != entry.id) return placed(corrupt("another record lies where the index points"), entry.offset);
  return shape;
}

Status BlobFile::copy_record(const IndexEntry& entry, const Reference* reference,
                             const std::function<Status(std::string_view)>& take) const {
  LIGHTNING_ASSIGN(const RecordShape shape, read_shape(entry));
  std::string bytes(shape.chunks_offset, '\0');
  LIGHTNING_TRY(read_bytes(entry.offset, bytes));
  if (!head_verifies(bytes)) return placed(corrupt("a record's head does not match its check value"), entry.offset);
  const std::string tail = encode_tail(shape.value_bytes, shape.chunks);  // built anew from what was verified
  if (reference != nullptr && tag_of_record(reference->tags, bytes, tail) != reference->tag)
    return placed(corrupt("a record does not match the tag that its reference holds"), entry.offset);
  LIGHTNING_TRY(take(bytes));
  std::uint64_t from = entry.offset + shape.chunks_offset;
  for (std::uint64_t i = 0; i < shape.chunks.size(); ++i) {
    bytes.resize(shape.chunks[i].stored_bytes);
    LIGHTNING_TRY(read_chunk(shape, i, from, bytes));
    LIGHTNING_TRY(take(bytes));
    from += bytes.size();
  }
  return take(tail);
}

bool BlobFile::check(const std::function<bool(const Error&)>& report,
                     const std::function<bool(std::uint64_t)>& before_read) const {
  bool go_on = true;
  std::uint64_t records = 0, record_bytes = 0, end = kHeaderBytes;
  // No tag covers what lies between records.
  const auto gap_is_zero = [&](std::uint64_t offset) -> Status {
    char gap[kAlignment] = {};
    if (offset < end || offset - end >= kAlignment)
      return placed(corrupt("the index does not follow the records"), footer_.index_offset);
    const std::span<char> bytes(gap, offset - end);
    LIGHTNING_TRY(read_bytes(end, bytes));
    if (std::ranges::any_of(bytes, [](char byte) { return byte != '\0'; }))
      return placed(corrupt("what lies between two records is not zero"), end);
    return {};
  };
  const auto found = [&](const Status& status) { return status || report(status.error()); };
  const auto verify = [&](const IndexEntry& entry) -> Status {
    if (before_read && !before_read(entry.stored_bytes)) {
      go_on = false;
      return Error(ErrorCode::kCancelled, "the check was cancelled");
    }
    ++records;
    record_bytes += entry.stored_bytes;
    const bool told = found(gap_is_zero(entry.offset)) &&
                      found(copy_record(entry, nullptr, [](std::string_view) -> Status { return {}; }));
    end = entry.offset + entry.stored_bytes;
    if (!told) {
      go_on = false;
      return Error(ErrorCode::kCancelled, "the check was cancelled");
    }
    return {};
  };
  if (const Status status = for_each(verify); !status) return go_on && report(status.error());
  if (!found(gap_is_zero(footer_.index_offset))) return false;
  if (records != meta_.records || record_bytes != meta_.record_bytes)
    return report(placed(corrupt("footer and index disagree about the records"), footer_.index_offset));
  return true;
}

Result<bool> is_complete(env::Env& env, const std::string& path) {
  LIGHTNING_ASSIGN(const auto file, env.files.open_random_access(path, env::FileClass::kBlob));
  const auto ends = read_ends(*file, path);
  if (!ends && ends.error().code() != ErrorCode::kBlobCorrupt) return Error(ends.error());
  return ends.has_value();
}

Result<Description> describe(env::Env& env, const std::string& path) {
  auto file = env.files.open_random_access(path, env::FileClass::kBlob);
  if (!file) {
    const bool gone = file.error().code() == ErrorCode::kStorageUnavailable;
    return gone ? missing(path) : std::move(file).error();
  }
  LIGHTNING_ASSIGN(const Ends ends, read_ends(**file, path));
  Description description;
  description.store_id = ends.footer.store_id;
  FileMeta& meta = description.meta;
  meta.number = ends.footer.number;
  meta.uid = ends.footer.uid;
  meta.file_bytes = (*file)->size();
  meta.tags = ends.footer.tags;
  meta.root = tag_of_footer(meta.tags, ends.footer_bytes);
  meta.records = ends.footer.records;
  meta.record_bytes = ends.footer.record_bytes;
  std::string index(ends.footer.index_bytes(), '\0');
  LIGHTNING_TRY(read_file(**file, path, ends.footer.index_offset, index));
  if (tag_of_index(meta.tags, meta.uid, index) != ends.footer.index_tag)
    return corrupt("the index does not match its tag").at_file(path, ends.footer.index_offset);
  for (std::size_t i = 0; i < index.size(); i += kIndexEntryBytes) {
    const format::FileNumber origin = load_entry(index.data() + i).id.origin;
    if (origin != meta.number && (meta.origins.empty() || meta.origins.back() != origin))
      meta.origins.push_back(origin);
  }
  return description;
}

}  // namespace lightning::blob
