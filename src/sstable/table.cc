// Table: opening, point look-ups, and what the index alone can answer.
#include "sstable/table.h"

#include <algorithm>

#include "sstable/block_view.h"
#include "sstable/table_impl.h"

namespace lightning::sstable {

namespace {

TableMeta meta_of(const TableFile& file, const TableFile::Contents& contents) {
  TableMeta meta;
  meta.number = contents.footer.number;
  meta.uid = contents.footer.uid;
  meta.file_bytes = file.file_bytes();
  meta.root = file.footer_tag();
  meta.tags = contents.footer.tags;
  contents.properties.describe(meta, contents.ranges ? &contents.ranges->set : nullptr);
  return meta;
}

// What the manifest says and what the file says about the same table, compared before anything else is believed.
Status check_identity(const TableFile& file, const format::Uid& store_id, const TableMeta& meta) {
  if (file.file_bytes() != meta.file_bytes)
    return corrupt("the file has " + std::to_string(file.file_bytes()) + " bytes, the manifest says " +
                   std::to_string(meta.file_bytes));
  if (file.header().store_id != store_id) return corrupt("the table belongs to another store");
  if (file.header().uid != meta.uid) return corrupt("this is another file than the one the manifest means (uid)");
  if (file.header().number != meta.number)
    return corrupt("this is another file than the one the manifest means (number)");
  if (file.trailer().tags != meta.tags) return corrupt("the trailer names another tag algorithm than the manifest");
  return {};
}

// Of a file that can't be read: as if all of it were data.
Footer unread_footer(const TableMeta& meta) {
  Footer footer;
  footer.data_bytes = meta.file_bytes;
  return footer;
}

Status check_agreement(const TableMeta& said, const TableMeta& found) {
  if (said.smallest_key != found.smallest_key || said.largest_key != found.largest_key ||
      said.largest_open != found.largest_open || said.range_tombstones != found.range_tombstones ||
      said.tombstone_run != found.tombstone_run || said.smallest_sequence != found.smallest_sequence ||
      said.largest_sequence != found.largest_sequence || said.entries != found.entries ||
      said.tombstones != found.tombstones || said.data_bytes != found.data_bytes)
    return corrupt("manifest and table disagree about keys, sequences or counts");
  return {};
}

}  // namespace

Table::Impl::Impl(std::unique_ptr<TableFile> file, TableFile::Contents contents, const TableMeta& meta,
                  cache::BlockCache& cache, base::MemoryBudget& budget, std::atomic<std::uint64_t>* rebuilt)
    : file_(std::move(file)),
      footer_(contents.footer),
      stored_properties_(std::move(contents.properties)),
      index_(std::move(contents.index)),
      filter_(std::move(contents.filter)),
      meta_(meta),
      cache_(cache),
      budget_(budget),
      slots_(std::make_unique<cache::BlockSlot[]>(index_.blocks())),
      ranges_(std::move(contents.ranges)),
      path_(file_->path()),
      rebuilt_(rebuilt) {
  properties_.blocks = stored_properties_.blocks;
  properties_.data_stored_bytes = stored_properties_.data_stored_bytes;
  properties_.index_bytes = stored_properties_.index_bytes;
  properties_.filter_bytes = stored_properties_.filter_bytes;
  properties_.raw_key_bytes = stored_properties_.key_bytes;
  properties_.raw_value_bytes = stored_properties_.value_bytes;
  properties_.distinct_keys = stored_properties_.distinct_keys;
  properties_.created_ns = stored_properties_.created_ns;
  properties_.compression = stored_properties_.compression;
  properties_.expiring = stored_properties_.expiring;
  properties_.format_version = format::kFormatVersion;
  properties_.range_bytes = footer_.ranges.stored_bytes;
  properties_.parity_bytes = footer_.parity.bytes;
  charge();
}

Table::Impl::Impl(const std::string& path, Index index, const Error& damage, const TableMeta& meta,
                  cache::BlockCache& cache, base::MemoryBudget& budget)
    : footer_(unread_footer(meta)),
      index_(std::move(index)),
      meta_(meta),
      cache_(cache),
      budget_(budget),
      slots_(std::make_unique<cache::BlockSlot[]>(index_.blocks())),
      path_(path),
      damage_(Error(damage).in_key_range("[" + printable_key(meta.smallest_key) + ", " +
                                         printable_key(meta.largest_key) + (meta.largest_open ? ")" : "]"))) {
  charge();
}

void Table::Impl::charge() {
  charged_bytes_ = static_cast<std::int64_t>(sizeof *this + index_.memory_bytes() + filter_.bytes().size() +
                                             blocks() * sizeof(cache::BlockSlot) +
                                             (ranges_ ? ranges_->bytes.size() + ranges_->set.memory_bytes() : 0));
  budget_.charge(base::MemoryOwner::kFiltersAndIndexes, charged_bytes_);
}

Table::Impl::~Impl() {
  cache_.erase(slots_.get(), blocks());
  budget_.charge(base::MemoryOwner::kFiltersAndIndexes, -charged_bytes_);
}

std::string Table::Impl::key_range(std::uint32_t block) const {
  const std::string from =
      block == 0 ? "[" + printable_key(meta_.smallest_key) : "(" + printable_key(index_.separator(block - 1));
  return from + ", " + printable_key(index_.separator(block)) + "]";
}

Result<cache::Block*> Table::Impl::read(std::uint32_t block) const {
  if (damage_) [[unlikely]]
    return *damage_;
  auto read = file_->read_block(index_.handle(block), cache_);
  if (read) [[likely]]
    return read;
  const ErrorCode code = read.error().code();
  if (footer_.parity.present() && (code == ErrorCode::kTableCorrupt || code == ErrorCode::kIo)) {
    auto rebuilt = rebuild(block);
    if (rebuilt) return rebuilt;
    return std::move(read)
        .error()
        .in_key_range(key_range(block))
        .with_advice("parity could not rebuild it (" + rebuilt.error().message() +
                     "): restore these keys from a backup");
  }
  return std::move(read).error().in_key_range(key_range(block));
}

Result<cache::Block*> Table::Impl::rebuild(std::uint32_t block) const {
  LIGHTNING_ASSIGN(const std::string stored, file_->rebuild_block(index_, footer_.parity, block));
  LIGHTNING_ASSIGN(cache::Block* const rebuilt, file_->decode_block(index_.handle(block), stored, cache_));
  note_worn();
  if (rebuilt_ != nullptr) rebuilt_->fetch_add(1, std::memory_order_relaxed);
  return rebuilt;
}

Result<cache::Block*> Table::Impl::pinned(std::uint32_t block, bool fill_cache, bool* was_cached) const {
  if (was_cached != nullptr) *was_cached = true;
  {
    const base::EpochDomain::Guard guard(cache_.epochs());
    if (cache::Block* found = cached(block); found != nullptr) {
      cache_.pin(found);
      return found;
    }
  }
  if (was_cached != nullptr) *was_cached = false;
  LIGHTNING_ASSIGN(cache::Block* const fresh, read(block));
  return cache_.insert(slots_[block], fresh, fill_cache);
}

Table::Table(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Table::~Table() = default;

Result<std::shared_ptr<Table>> Table::open(env::Env& env, const std::string& path, const format::Uid& store_id,
                                           const TableMeta& meta, cache::BlockCache& cache, base::MemoryBudget& budget,
                                           env::OpenFiles* pool, std::atomic<std::uint64_t>* rebuilt) {
  LIGHTNING_ASSIGN(std::unique_ptr<TableFile> file, TableFile::open(env, path, pool));
  if (Status status = check_identity(*file, store_id, meta); !status) return file->at(std::move(status).error(), 0);
  LIGHTNING_ASSIGN(TableFile::Contents contents, file->read_contents(&meta.root, &store_id));
  if (Status status = check_agreement(meta, meta_of(*file, contents)); !status)
    return file->at(std::move(status).error(), contents.footer.properties.offset);
  return std::shared_ptr<Table>(
      new Table(std::make_unique<Impl>(std::move(file), std::move(contents), meta, cache, budget, rebuilt)));
}

Result<std::shared_ptr<Table>> Table::unreadable(const std::string& path, const TableMeta& meta, const Error& damage,
                                                 cache::BlockCache& cache, base::MemoryBudget& budget) {
  // Reads of keys that only a range tombstone of it holds must fail, too: without it, what it hides would be there.
  const std::string last = meta.largest().unbounded() ? std::string(kKeyBytesMax, '\xff') : meta.largest_key;
  LIGHTNING_ASSIGN(Index index, Index::unknown(last, meta.file_bytes));
  return std::shared_ptr<Table>(new Table(std::make_unique<Impl>(path, std::move(index), damage, meta, cache, budget)));
}

Result<TableDescription> describe_table(env::Env& env, const std::string& path) {
  LIGHTNING_ASSIGN(std::unique_ptr<TableFile> file, TableFile::open(env, path, nullptr));
  LIGHTNING_ASSIGN(const TableFile::Contents contents, file->read_contents(nullptr, nullptr));
  return TableDescription{meta_of(*file, contents), contents.footer.store_id, contents.properties.origin};
}

bool Table::may_contain(std::uint64_t key_hash) const { return impl_->filter_.may_contain(key_hash); }

void Table::prefetch(std::uint64_t key_hash) const {
  impl_->filter_.prefetch(key_hash);
  impl_->index_.prefetch();
}

namespace {

// The lines that a look-up in a block touches first: its header, prefix, fingerprints and offsets lie at its front.
void prefetch_front(const cache::Block& block) {
  for (int line = 0; line < 4; ++line) __builtin_prefetch(block.data() + 64 * line);
}

bool look_up(cache::Block& block, std::string_view key, std::uint64_t key_hash, Sequence at, TableLookup& result) {
  BlockView::Parts found;
  if (!BlockView(block.bytes()).find(key, key_hash, at, found)) return false;
  result.type = format::trailer_type(found.trailer);
  result.sequence = format::trailer_sequence(found.trailer);
  result.value = found.value;
  result.block = &block;
  return true;
}

}  // namespace

Table::Cached Table::find_cached(std::string_view key, std::uint64_t key_hash, Sequence at, TableLookup& result) const {
  const Impl& table = *impl_;
  result.filtered = !table.filter_.may_contain(key_hash);
  if (result.filtered) return Cached::kAbsent;
  const std::uint32_t block = table.index_.locate(key, at);
  if (block == table.blocks()) return Cached::kAbsent;
  cache::Block* const cached = table.cached(block);
  if (cached == nullptr) return Cached::kMiss;
  prefetch_front(*cached);
  result.pinned = false;
  return look_up(*cached, key, key_hash, at, result) ? Cached::kFound : Cached::kAbsent;
}

Result<bool> Table::find(std::string_view key, std::uint64_t key_hash, Sequence at, const TableReadOptions& options,
                         TableLookup& result) const {
  const Impl& table = *impl_;
  if (!table.filter_.may_contain(key_hash)) return false;
  const std::uint32_t number = table.index_.locate(key, at);
  if (number == table.blocks()) return false;
  LIGHTNING_ASSIGN(cache::Block* const block, table.pinned(number, options.fill_cache));
  if (!look_up(*block, key, key_hash, at, result)) {
    table.cache_.release(block);
    return false;
  }
  result.pinned = true;
  return true;
}

void Table::load_many(std::span<const Pending> lookups, const TableReadOptions& options) const {
  const Impl& table = *impl_;
  if (!options.fill_cache) return;  // what is not kept can't be found afterwards
  if (table.damage_) return;        // as find() will say
  std::vector<std::uint32_t> wanted;
  for (const Pending& lookup : lookups) {
    if (!table.filter_.may_contain(lookup.key_hash)) continue;
    const std::uint32_t block = table.index_.locate(lookup.key, lookup.at);
    if (block < table.blocks()) wanted.push_back(block);
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  {
    const base::EpochDomain::Guard guard(table.cache_.epochs());
    std::erase_if(wanted, [&](std::uint32_t block) { return table.cached(block) != nullptr; });
  }
  if (wanted.empty()) return;

  std::uint64_t bytes = 0;
  for (const std::uint32_t block : wanted) bytes += table.index_.handle(block).stored_bytes;
  const auto buffer = std::make_unique_for_overwrite<char[]>(bytes);
  std::vector<env::RandomAccessFile::Request> requests;
  requests.reserve(wanted.size());
  char* into = buffer.get();
  for (const std::uint32_t block : wanted) {
    const BlockHandle handle = table.index_.handle(block);
    requests.push_back({handle.offset, {into, handle.stored_bytes}, {}});
    into += handle.stored_bytes;
  }
  table.file_->file().read_many(requests);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!requests[i].status) continue;  // find() reads it again, and reports what is wrong with it
    auto decoded = table.file_->decode_block(table.index_.handle(wanted[i]),
                                             {requests[i].into.data(), requests[i].into.size()}, table.cache_);
    if (decoded) table.cache_.release(table.cache_.insert(table.slots_[wanted[i]], *decoded, true));
  }
}

std::unique_ptr<format::EntryIterator> Table::iterator(const TableReadOptions& options) const {
  return make_table_iterator(*impl_, options);
}

std::uint64_t Table::approximate_offset(std::string_view key) const {
  const Impl& table = *impl_;
  const std::uint32_t block = table.index_.locate(key, format::kSequenceMax);
  const std::uint64_t offset = block == table.blocks() ? table.data_end() : table.index_.offset(block);
  return offset - table.footer_.data_offset;
}

std::vector<std::string> Table::split_keys(std::size_t parts) const {
  const Impl& table = *impl_;
  std::vector<std::string> keys;
  const std::uint64_t begin = table.footer_.data_offset, bytes = table.footer_.data_bytes;
  std::size_t part = 1;
  for (std::uint32_t block = 1; block < table.blocks() && part < parts; ++block) {
    // The boundary before `block` is the first at or behind the next of the equal parts.
    if (table.index_.offset(block) - begin < bytes / parts * part) continue;
    std::string key = table.index_.separator(block - 1);
    if (keys.empty() || keys.back() < key) keys.push_back(std::move(key));
    while (part < parts && table.index_.offset(block) - begin >= bytes / parts * part) ++part;
  }
  return keys;
}

const std::optional<Error>& Table::damage() const { return impl_->damage_; }
void Table::note_worn() const { impl_->note_worn(); }
std::uint64_t Table::worn() const { return impl_->worn_.load(std::memory_order_relaxed); }
const format::RangeTombstones* Table::ranges() const { return impl_->ranges_ ? &impl_->ranges_->set : nullptr; }
const TableMeta& Table::meta() const { return impl_->meta_; }
const std::string& Table::path() const { return impl_->path_; }
const Table::Properties& Table::properties() const { return impl_->properties_; }

}  // namespace lightning::sstable
