// Version: the tables of one keyspace at one moment. Immutable; a change makes a new one.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "base/sync.h"
#include "blob/blob_file.h"
#include "manifest/version_edit.h"
#include "sstable/table.h"

namespace lightning::manifest {

// Damage that a read, a job or a check met in a file. Compactions leave a damaged table where it is, and with it the
// order of ages around it; a damaged blob file is not moved; reads that do not touch the damage go on. Forgotten when
// the store closes, or when a check finds the file whole. Threads: any.
class DamageMark {
 public:
  bool damaged() const { return damaged_.load(std::memory_order_acquire); }
  void mark_damaged(const Error& finding);  // the first finding is kept
  void mark_whole();
  std::optional<Error> damage() const;

 private:
  std::atomic<bool> damaged_{false};
  mutable base::Mutex mutex_{base::LockRank::kLeaf};
  std::optional<Error> damage_ LIGHTNING_GUARDED_BY(mutex_);
};

// An open table and what the engine keeps about it. Shared by all versions that contain it; when the last one is gone
// and the table was dropped, `on_obsolete` hears of it (on whichever thread let go last, so it must only take a note).
class TableHandle : public DamageMark {
 public:
  using OnObsolete = std::function<void(format::FileNumber)>;
  TableHandle(std::shared_ptr<sstable::Table> open_table, OnObsolete on_obsolete)
      : table(std::move(open_table)),
        smallest_head(base::head_of(table->meta().smallest_key)),
        largest_head(table->meta().largest().unbounded() ? ~std::uint64_t{0}
                                                         : base::head_of(table->meta().largest_key)),
        on_obsolete_(std::move(on_obsolete)) {}
  ~TableHandle() {
    const format::FileNumber number = meta().number;
    table.reset();
    if (obsolete_.load(std::memory_order_acquire)) on_obsolete_(number);
  }
  TableHandle(const TableHandle&) = delete;
  TableHandle& operator=(const TableHandle&) = delete;

  const sstable::TableMeta& meta() const { return table->meta(); }
  bool covers(std::string_view key, std::uint64_t head) const {
    if (head < smallest_head || head > largest_head) return false;
    return (head > smallest_head || key >= meta().smallest_key) &&
           (head < largest_head || !meta().largest().before(key));
  }
  void mark_obsolete() { obsolete_.store(true, std::memory_order_release); }

  std::shared_ptr<sstable::Table> table;
  const std::uint64_t smallest_head, largest_head;  // base::head_of the bounds: most comparisons end here
  bool compacting = false;                          // guarded by the engine's compaction lock

 private:
  std::atomic<bool> obsolete_{false};
  OnObsolete on_obsolete_;
};

// The same for a blob file.
class BlobHandle : public DamageMark {
 public:
  using OnObsolete = std::function<void(format::FileNumber)>;
  BlobHandle(std::shared_ptr<blob::BlobFile> open_file, OnObsolete on_obsolete)
      : file(std::move(open_file)), on_obsolete_(std::move(on_obsolete)) {}
  ~BlobHandle() {
    const format::FileNumber number = meta().number;
    file.reset();
    if (obsolete_.load(std::memory_order_acquire)) on_obsolete_(number);
  }
  BlobHandle(const BlobHandle&) = delete;
  BlobHandle& operator=(const BlobHandle&) = delete;

  const blob::FileMeta& meta() const { return file->meta(); }
  void mark_obsolete() { obsolete_.store(true, std::memory_order_release); }

  std::shared_ptr<blob::BlobFile> file;

 private:
  std::atomic<bool> obsolete_{false};
  OnObsolete on_obsolete_;
};

using TablePtr = std::shared_ptr<TableHandle>;
using BlobPtr = std::shared_ptr<BlobHandle>;

struct Version {
  using Level = std::vector<TablePtr>;
  std::array<Level, kLevels> levels;  // 0: newest first; others: sorted by key, disjoint
  std::vector<BlobPtr> blobs;         // whatever entries of the tables, and of memtables, refer to; by number
  // The range tombstones of all tables, which keep their keys; null: there are none, as in most databases. What one
  // hides is a matter of sequences alone, so it does not matter here in which table it lies.
  std::shared_ptr<const format::RangeTombstones> ranges;

  // The table of a sorted level that may hold `key`, or null. One binary search over bounds.
  static TableHandle* find(const Level& level, std::string_view key, std::uint64_t head);
  // Tables of `level` that overlap what lies from `smallest` to `largest`.
  static Level overlapping(const Level& level, std::string_view smallest, const format::UpperBound& largest);
  std::uint64_t level_bytes(std::uint32_t level) const;
  std::uint64_t tables() const;
  // The blob file that holds the records which were first written to `origin`, or null. One binary search.
  BlobHandle* blob_of(format::FileNumber origin) const;

  // The next version. Tables named in `dropped` must be there.
  struct Change {
    std::vector<std::pair<std::uint32_t, TablePtr>> add;  // level, table
    std::vector<std::pair<std::uint32_t, format::FileNumber>> drop;
    std::vector<BlobPtr> add_blobs = {};
    std::vector<format::FileNumber> drop_blobs = {};
  };
  std::shared_ptr<const Version> with(const Change& change) const;
  // Order and disjointness of every level; kInconsistentState names the two tables at fault.
  Status validate() const;
  // After tables were put into `levels` by hand.
  void gather_ranges();

 private:
  void list_origins();
  std::vector<std::pair<format::FileNumber, BlobHandle*>> origins_;  // of all blob files, sorted
};

using VersionPtr = std::shared_ptr<const Version>;

}  // namespace lightning::manifest
