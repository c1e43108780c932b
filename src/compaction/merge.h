// Merging tables into new tables: the work of a compaction, apart from choosing it and installing its result.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compaction/large_values.h"
#include "compaction/pick.h"
#include "compaction/retention.h"
#include "env/env.h"
#include "format/entry.h"
#include "sstable/table.h"

namespace lightning::compaction {

// Where outputs go and what they look like. Functions are called from the merging thread.
struct OutputOptions {
  sstable::TableOptions table;
  std::uint64_t table_bytes = 64ull << 20;  // keys and values per table
  // A new file for a table: its number, and the opened file.
  struct Target {
    format::FileNumber number = 0;
    format::Uid uid;
    std::unique_ptr<env::WritableFile> file;
  };
  std::function<Result<Target>()> create;
  // Hears of each created table that will not be used, because the merge failed.
  std::function<void(format::FileNumber)> discard;
  BlobOutput blobs = {};
  format::Uid store_id;
  // Called about every MiB of input; an error (cancelled, closing) ends the merge.
  std::function<Status(std::uint64_t bytes)> progress;
};

struct MergeResult {
  std::vector<sstable::TableMeta> tables;  // sorted by key, disjoint
  std::vector<blob::FileMeta> blobs;       // of the values that were separated
  BlobTally kept;                          // references that were written as they were read
  std::uint64_t entries_in = 0, entries_out = 0;
};

// Writes the entries of `input` in [start, end) that `retention` keeps into tables. Tables are cut only between keys,
// so that all versions of a key lie in one. Large values go to blob files on the way. Each finished file is synced;
// directories are not. After an error no file is left of those that discard() removes.
// What lies in [start, end) of `ranges` goes into them, too, cut where one table ends and the next begins; null: none.
Result<MergeResult> write_tables(format::EntryIterator& input, std::optional<std::string_view> start,
                                 std::optional<std::string_view> end, Retention retention, const OutputOptions& output,
                                 const format::RangeTombstones* ranges = nullptr);

// The cursor over all that goes to a plan's output level. Forward only.
std::unique_ptr<format::EntryIterator> input_iterator(const Plan& plan);
// The cursor over a plan's inputs alone, without what they overlap: for what is held back.
std::unique_ptr<format::EntryIterator> held_back_iterator(const Plan& plan);
// The range tombstones that belong to each of them. The plan's tables keep their keys.
format::RangeTombstones input_ranges(const Plan& plan);
format::RangeTombstones held_back_ranges(const Plan& plan);

// Up to parts - 1 keys that cut the plan's input into about equal pieces, and those where it must be cut.
std::vector<std::string> split_points(const Plan& plan, std::size_t parts);

}  // namespace lightning::compaction
