// SSTable: an immutable sorted file of entries. One writer, one reader, one iterator.
//
// The bytes are described in docs/format/sstable.md: data blocks, filter, two-level index whose entries hold each
// block's tag, properties, footer; the footer's root tag goes into the manifest, so that every stored byte hangs below
// one anchor. All integers little-endian. What lies on disk (after compression) is what tags cover.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/memory_budget.h"
#include "cache/block_cache.h"
#include "env/env.h"
#include "env/open_files.h"
#include "format/entry.h"
#include "format/ids.h"
#include "format/key_bounds.h"
#include "format/range_tombstones.h"
#include "lightning/config.h"
#include "lightning/result.h"
#include "sstable/expiry_summary.h"

namespace lightning::sstable {

// The keyspace that a table was written for, for whoever finds the table where no manifest names it. `options` are
// encoded as the manifest's.
struct TableOrigin {
  std::uint32_t keyspace = 0;
  std::string name, options;
};

struct TableOptions {
  std::uint32_t block_bytes = 16 * 1024;        // data block before compression
  Compression compression = Compression::kLz4;  // a block that does not shrink by 1/8 is stored as it is
  std::uint32_t filter_bits_per_key = 10;       // 0: no filter
  base::TagAlgorithm tags = base::TagAlgorithm::kBlake3;
  bool parity = false;  // one more block for every 16 data blocks, to rebuild one that can't be read (parity.h)
  std::uint64_t created_ns = 0;  // wall time, kept in the properties; 0 = not said
  std::optional<TableOrigin> origin = {};
};

// What the manifest remembers about a table, and all that is needed to open it safely.
struct TableMeta {
  format::FileNumber number = 0;
  format::Uid uid;
  std::uint64_t file_bytes = 0;
  base::Tag root;  // tag of the footer block, which holds the tags of index, filter, properties
  base::TagAlgorithm tags = base::TagAlgorithm::kBlake3;
  std::string smallest_key, largest_key;  // user keys, inclusive; range tombstones count as the keys they hold
  bool largest_open = false;              // largest_key is the end of a range tombstone, exclusive; empty: no end
  Sequence smallest_sequence = 0, largest_sequence = 0;
  std::uint64_t entries = 0, tombstones = 0;  // range tombstones are not among them
  std::uint64_t data_bytes = 0;               // keys and values before compression
  std::uint64_t blob_bytes = 0;  // in blob files, of the records that its entries refer to; counted by whoever wrote it
  std::uint64_t range_tombstones = 0;
  std::uint64_t tombstone_run = 0;  // the most tombstones that lie side by side, which a seek has to pass

  format::UpperBound largest() const { return {largest_key, largest_open}; }
};

// Builds one table. Entries come in entry order; anything else is kInternal. Threads: one at a time.
// Memory: the block being built plus index and filter of this table (filter input: 8 bytes per key), and its parity.
class TableWriter {
 public:
  TableWriter(std::unique_ptr<env::WritableFile> file, const format::Uid& store_id, const format::Uid& uid,
              format::FileNumber number, const TableOptions& options);
  ~TableWriter();
  Status add(const format::Entry& entry);
  // What the table holds of range tombstones; at most once, before finish(). Their keys outlive finish().
  void set_ranges(format::RangeTombstones ranges);
  // So many bytes that the last entry refers to, and itself, expire at that time.
  void count_expiring(std::uint64_t expires_ms, std::uint64_t bytes);
  std::uint64_t entries() const;
  std::uint64_t data_bytes() const;  // keys and values added so far
  std::uint64_t file_bytes() const;  // written so far, estimate
  // Writes the rest, syncs, closes. The directory is synced by the caller. At least one entry must have been
  // added, or range tombstones.
  Result<TableMeta> finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

struct TableReadOptions {
  bool fill_cache = true;
};

// The newest version of a key with a sequence of at most `at`, found in a table.
struct TableLookup {
  format::EntryType type = format::EntryType::kPut;
  Sequence sequence = 0;
  std::string_view value;         // inside `block`
  cache::Block* block = nullptr;  // pinned if `pinned`, else protected by the caller's epoch guard alone
  bool pinned = false;
  bool filtered = false;  // absent, and it was the filter that said so
};

// An open table. Threads: any. Readers take no lock when the block is cached.
class Table {
 public:
  // Verifies size, header, footer (against meta.root), index, filter and properties (against the footer) and that uid
  // and store id are the expected ones. Errors: kTableMissing, kTableCorrupt (file, offset, what), kFormatUnsupported,
  // kIo. Index and filter are held in memory and charged to `budget` (kFiltersAndIndexes) until the destructor. With
  // `pool`, the file itself is only open while it is read now and then; later reads may answer kTableMissing, too.
  // `rebuilt`, if given, counts the blocks that were rebuilt from parity, and outlives the table.
  static Result<std::shared_ptr<Table>> open(env::Env& env, const std::string& path, const format::Uid& store_id,
                                             const TableMeta& meta, cache::BlockCache& cache,
                                             base::MemoryBudget& budget, env::OpenFiles* pool = nullptr,
                                             std::atomic<std::uint64_t>* rebuilt = nullptr);
  // A table that open() refused with `damage`: every read that it may hold an answer to gives that, with the key range
  // of the table. Nothing is read from the file. Errors: kOutOfMemory.
  static Result<std::shared_ptr<Table>> unreadable(const std::string& path, const TableMeta& meta, const Error& damage,
                                                   cache::BlockCache& cache, base::MemoryBudget& budget);
  ~Table();

  // Two-step look-up, because nothing may wait for a disk inside an epoch guard.
  //
  // find_cached: never does I/O. kFound: `result` is set, unpinned. kAbsent: no such version here. kMiss: the block
  // that could hold it is not in the cache. The caller is inside a guard of the cache's epoch domain, and uses the
  // unpinned result only there. Consults the filter first.
  enum class Cached : std::uint8_t { kFound, kAbsent, kMiss };
  Cached find_cached(std::string_view key, std::uint64_t key_hash, Sequence at, TableLookup& result) const;
  // find: may read the block (caller is not inside a guard, and holds the table alive). Result pinned. False: absent.
  Result<bool> find(std::string_view key, std::uint64_t key_hash, Sequence at, const TableReadOptions& options,
                    TableLookup& result) const;
  // One filter probe: false means no version of the key is here. key_hash = filter_hash(key).
  bool may_contain(std::uint64_t key_hash) const;
  // Starts loading the cache lines that find_cached will touch first.
  void prefetch(std::uint64_t key_hash) const;
  // Brings the blocks for these lookups into the cache with one read_many. Misses only; errors surface in find().
  struct Pending {
    std::string_view key;
    std::uint64_t key_hash;
    Sequence at;
  };
  void load_many(std::span<const Pending> lookups, const TableReadOptions& options) const;

  // Pins one block at a time; reads ahead when it moves on sequentially (doubling, up to 1 MiB). The table outlives it.
  std::unique_ptr<format::EntryIterator> iterator(const TableReadOptions& options) const;

  // Stored bytes before `key`, from the index alone.
  std::uint64_t approximate_offset(std::string_view key) const;
  // Keys that split the table into about `parts` equal pieces of stored bytes (block boundaries), for sub-compactions.
  std::vector<std::string> split_keys(std::size_t parts) const;

  // Reads and verifies every block and its structure: order, bounds, counts, filter (each key must pass it), hash
  // index, parity. What could be rebuilt is no finding, but counts in worn(). Each finding is given to `report`;
  // returns false if `report` said stop. Rate limiting and progress by `before_read`(bytes).
  bool check(const std::function<bool(const Error&)>& report,
             const std::function<bool(std::uint64_t)>& before_read) const;

  // Null: there are none. Lives as long as the table.
  const format::RangeTombstones* ranges() const;

  const std::optional<Error>& damage() const;  // why it is unreadable, if it is
  // How often something of the file was not as it was written, though nothing is lost: a data block that had to be
  // rebuilt from parity, or parity itself. Above 0, the table should be written anew before more is damaged.
  std::uint64_t worn() const;
  void note_worn() const;  // as another opening of the file has found it
  const TableMeta& meta() const;
  const std::string& path() const;
  // For `lightning_db inspect sst`.
  struct Properties {
    std::uint64_t blocks = 0, data_stored_bytes = 0, index_bytes = 0, filter_bytes = 0, raw_key_bytes = 0,
                  raw_value_bytes = 0, distinct_keys = 0, range_bytes = 0, parity_bytes = 0;
    std::uint64_t created_ns = 0;
    Compression compression = Compression::kNone;
    std::uint32_t format_version = 0;
    ExpirySummary expiring;
  };
  const Properties& properties() const;

  class Impl;  // table_impl.h; for this folder alone

 private:
  explicit Table(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What a table file says about itself: a TableMeta from its own trailer, footer and properties, and the store it
// belongs to. For inspection and salvage, where no manifest vouches for it: the meta is consistent, but may be that of
// another or an older file. Errors: as Table::open.
struct TableDescription {
  TableMeta meta;
  format::Uid store_id;
  std::optional<TableOrigin> origin;  // none: it does not say
};
Result<TableDescription> describe_table(env::Env& env, const std::string& path);

// Hash of a user key as filters and in-block indexes use it. Computed once per read.
std::uint64_t filter_hash(std::string_view key);

}  // namespace lightning::sstable
