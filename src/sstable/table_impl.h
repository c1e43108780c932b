// What an open table holds, shared by its look-ups, its iterator and its check.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "base/epoch.h"
#include "sstable/table_file.h"

namespace lightning::sstable {

// Immutable but for the block slots, which the cache fills and empties. Threads: any.
class Table::Impl {
 public:
  Impl(std::unique_ptr<TableFile> file, TableFile::Contents contents, const TableMeta& meta, cache::BlockCache& cache,
       base::MemoryBudget& budget, std::atomic<std::uint64_t>* rebuilt);
  // Of a table that can't be read, because of `damage`.
  Impl(const std::string& path, Index index, const Error& damage, const TableMeta& meta, cache::BlockCache& cache,
       base::MemoryBudget& budget);
  ~Impl();

  std::uint32_t blocks() const { return index_.blocks(); }
  // The block if it is cached. Inside an epoch guard.
  cache::Block* cached(std::uint32_t block) const { return cache_.find(slots_[block]); }
  // The block, pinned: from the cache, or read into it. Not inside an epoch guard.
  // `was_cached` says which. Errors name the block's key range.
  Result<cache::Block*> pinned(std::uint32_t block, bool fill_cache, bool* was_cached = nullptr) const;
  // The block read from the file, or rebuilt, whatever the cache holds; the caller releases it.
  Result<cache::Block*> read(std::uint32_t block) const;
  // "(a, b]": what the fences around the block allow in it.
  std::string key_range(std::uint32_t block) const;
  // Something was not as it was written, though nothing is lost.
  void note_worn() const { worn_.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t data_end() const { return footer_.data_offset + footer_.data_bytes; }

  const std::unique_ptr<TableFile> file_;  // null if there is damage_
  const Footer footer_;
  const StoredProperties stored_properties_;
  const Index index_;
  const Filter filter_;
  const TableMeta meta_;
  cache::BlockCache& cache_;
  base::MemoryBudget& budget_;
  const std::unique_ptr<cache::BlockSlot[]> slots_;
  Properties properties_;
  std::int64_t charged_bytes_ = 0;
  const std::unique_ptr<const RangeBlock> ranges_;  // null: none
  const std::string path_;
  const std::optional<Error> damage_;  // no block can be read
  std::atomic<std::uint64_t>* const rebuilt_ = nullptr;
  mutable std::atomic<std::uint64_t> worn_{0};

 private:
  Result<cache::Block*> rebuild(std::uint32_t block) const;
  void charge();
};

std::unique_ptr<format::EntryIterator> make_table_iterator(const Table::Impl& table, const TableReadOptions& options);

}  // namespace lightning::sstable
