// Upkeep on demand: flush, compact_range, sizes and statistics.
#include <algorithm>

#include "engine/engine.h"

namespace lightning::engine {

Status Engine::flush() {
  LIGHTNING_TRY(check_writable());
  for (const TreePtr& tree : all_trees()) seal(*tree);
  return wait_for_flushes(wal_->last_reserved());
}

// Until everything up to `through` that was sealed is in tables.
Status Engine::wait_for_flushes(Sequence through) {
  for (;;) {
    bool pending = false;
    for (const TreePtr& tree : all_trees()) {
      const PinnedView view = tree->pin_view();  // newest first
      pending = pending || (!view->sealed.empty() && view->sealed.back().last <= through);
    }
    if (!pending) return {};
    LIGHTNING_TRY(check_writable());
    base::MutexLock lock(jobs_mutex_);
    if (closing()) return Error(ErrorCode::kClosed, "the database is closing");
    jobs_changed_.wait_for(jobs_mutex_, std::chrono::milliseconds(50));
  }
}

Status Engine::compact_range(const Keyspace& keyspace, const KeyRange& range, const CompactOptions& options) {
  LIGHTNING_TRY(check_writable());
  if (range.start && range.end && *range.end < *range.start)
    return Error(ErrorCode::kInvertedRange, "the range to compact ends before it starts");
  LIGHTNING_TRY(tree_of(keyspace));
  const TreePtr tree = keyspace.tree_;
  const Sequence through = visible();
  LIGHTNING_TRY(flush());
  const auto bound = [](const std::optional<std::string>& key) {
    return key ? std::optional<std::string_view>(*key) : std::nullopt;
  };
  compaction::RangeRequest request{.start = bound(range.start),
                                   .end = bound(range.end),
                                   .through = through,
                                   .bottom = options.bottom,
                                   .before = next_file_.load()};
  for (;;) {
    LIGHTNING_TRY(check_writable());
    request.oldest_reader = snapshots_.list([this] { return visible(); }).front();
    std::optional<compaction::Plan> plan;
    bool busy = false;
    const compaction::PickOptions pick = pick_options();
    {
      base::MutexLock lock(compaction_mutex_);
      plan = compaction::pick_range(*tree->pin_view()->version, pick, request);
      if (plan && overlaps_running(*tree, *plan)) plan.reset();
      for (const RunningCompaction& running : compactions_) busy = busy || running.tree == tree.get();
      if (plan) begin_compaction(*tree, *plan);
    }
    if (plan) {
      const Status status = write_again_if_wrong(*tree, [&] { return compact(*tree, *plan); });
      end_compaction(*tree, *plan);
      if (!status && !note_damage(*tree->pin_view()->version, status.error())) {
        background_failed(status.error());
        return status;
      }
      plan.reset();  // lets go of the inputs, so that their files go now
      epochs_.collect();
      remove_obsolete_files();
      update_pressure();
      continue;
    }
    if (!busy) break;
    base::MutexLock lock(jobs_mutex_);
    jobs_changed_.wait_for(jobs_mutex_, std::chrono::milliseconds(50));
  }
  // All but this could be done.
  const PinnedView view = tree->pin_view();
  for (const auto& level : view->version->levels)
    for (const manifest::TablePtr& table : level)
      if ((!range.start || !table->meta().largest().before(*range.start)) &&
          (!range.end || table->meta().smallest_key < *range.end))
        if (auto damage = table->damaged() ? table->damage() : std::nullopt)
          return std::move(*damage).while_doing("compacting a range");
  return {};
}

Status Engine::wait_for_background_work() {
  for (;;) {
    LIGHTNING_TRY(check_writable());
    schedule_compactions();
    LIGHTNING_TRY(wait_for_flushes(format::kSequenceMax));
    {
      base::MutexLock lock(jobs_mutex_);
      if (running_jobs_ > 0) {
        jobs_changed_.wait_for(jobs_mutex_, std::chrono::milliseconds(50));
        continue;
      }
    }
    bool due = false;
    {
      base::MutexLock lock(compaction_mutex_);
      due = !compactions_.empty();
    }
    for (const TreePtr& tree : all_trees())
      due = due || compaction::pick(*tree->pin_view()->version, pick_options()).has_value() || garbage_is_due(*tree);
    if (!due) return {};
  }
}

Result<std::uint64_t> Engine::approximate_size(const Keyspace& keyspace, const KeyRange& range) {
  if (range.start && range.end && *range.end < *range.start)
    return Error(ErrorCode::kInvertedRange, "the range ends before it starts");
  LIGHTNING_ASSIGN(const Tree* tree, tree_of(keyspace));
  const PinnedView view = tree->pin_view();
  std::uint64_t bytes = 0;
  for (const auto& level : view->version->levels) {
    for (const manifest::TablePtr& table : level) {
      const std::uint64_t from = range.start ? table->table->approximate_offset(*range.start) : 0;
      const std::uint64_t to = range.end ? table->table->approximate_offset(*range.end) : table->meta().file_bytes;
      if (to <= from) continue;
      bytes += to - from;
      const sstable::TableMeta& meta = table->meta();
      const double share = static_cast<double>(to - from) / static_cast<double>(meta.file_bytes);
      bytes += static_cast<std::uint64_t>(share * static_cast<double>(meta.blob_bytes));
    }
  }
  // A memtable has no index of sizes: a bounded sample of its entries in the range, by its mean entry size.
  constexpr std::uint64_t kEntriesLooked = 4096;
  const auto add = [&](const memtable::MemTable& memtable) {
    if (memtable.empty()) return;
    const auto entries = memtable.iterator();
    if (range.start) {
      entries->seek(*range.start, format::kSequenceMax);
    } else {
      entries->seek_to_first();
    }
    std::uint64_t seen = 0, seen_bytes = 0;
    for (; entries->valid() && seen < kEntriesLooked && (!range.end || entries->entry().key < *range.end);
         entries->next(), ++seen)
      seen_bytes += entries->entry().key.size() + entries->entry().value.size();
    bytes += seen < kEntriesLooked ? seen_bytes : std::max(seen_bytes, memtable.memory_bytes() / 2);
  };
  add(*view->active.table);
  for (const MemTableSpan& span : view->sealed) add(*span.table);
  return bytes;
}

namespace {

LatencySummary summary_of(const base::Histogram& histogram) {
  const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000; };
  LatencySummary summary;
  summary.count = histogram.count();
  summary.mean_us = histogram.mean() / 1000;
  summary.p50_us = us(histogram.quantile(0.5));
  summary.p95_us = us(histogram.quantile(0.95));
  summary.p99_us = us(histogram.quantile(0.99));
  summary.p999_us = us(histogram.quantile(0.999));
  summary.max_us = us(histogram.max());
  return summary;
}

}  // namespace

std::uint64_t Engine::mean_write_bytes() const {
  const std::uint64_t writes =
      counters_.sum(Counter::kPuts) + counters_.sum(Counter::kMerges) + counters_.sum(Counter::kErases);
  return writes == 0 ? 0 : counters_.sum(Counter::kUserBytesWritten) / writes;
}

Statistics Engine::stats() {
  Statistics stats;
  const auto count = [this](Counter counter) { return counters_.sum(counter); };
  stats.gets = count(Counter::kGets);
  stats.get_hits = count(Counter::kGetHits);
  stats.multi_gets = count(Counter::kMultiGets);
  stats.puts = count(Counter::kPuts);
  stats.merges = count(Counter::kMerges);
  stats.erases = count(Counter::kErases);
  stats.range_erases = count(Counter::kRangeErases);
  stats.batches = count(Counter::kBatches);
  stats.seeks = count(Counter::kSeeks);
  stats.scanned_entries = count(Counter::kScannedEntries);
  stats.tombstones_passed = count(Counter::kPassedTombstones);
  stats.filter_checks = count(Counter::kFilterChecks);
  stats.filter_negatives = count(Counter::kFilterNegatives);
  stats.bytes_written_by_user = count(Counter::kUserBytesWritten);
  stats.bytes_read_by_user = count(Counter::kUserBytesRead);
  const auto read = [](const std::atomic<std::uint64_t>& value) { return value.load(std::memory_order_relaxed); };
  stats.flushes = read(background_.flushes);
  stats.flush_bytes = read(background_.flush_bytes);
  stats.compactions = read(background_.compactions);
  stats.compaction_bytes_read = read(background_.compaction_bytes_read);
  stats.compaction_bytes_written = read(background_.compaction_bytes_written);
  stats.tables_moved = read(background_.tables_moved);
  stats.tables_erased = read(background_.tables_erased);
  stats.blob_collections = read(background_.blob_collections);
  stats.blob_bytes_moved = read(background_.blob_bytes_moved);
  stats.blob_bytes_reclaimed = read(background_.blob_bytes_reclaimed);
  stats.tables_rewritten = read(background_.tables_rewritten);
  stats.blocks_rebuilt = read(background_.blocks_rebuilt);
  stats.stalls.level0_slowdown_count = read(background_.level0_slowdown_count);
  stats.stalls.level0_slowdown_us = read(background_.level0_slowdown_us);
  stats.stalls.level0_stop_count = read(background_.level0_stop_count);
  stats.stalls.level0_stop_us = read(background_.level0_stop_us);
  stats.stalls.memtable_limit_count = read(background_.memtable_limit_count);
  stats.stalls.memtable_limit_us = read(background_.memtable_limit_us);
  stats.stalls.archive_limit_count = read(background_.archive_limit_count);
  stats.stalls.archive_limit_us = read(background_.archive_limit_us);
  if (closed_.load()) return stats;
  add_archive_statistics(stats);

  if (wal_) {
    const wal::LogCounters log = wal_->counters();
    stats.wal_bytes = log.bytes;
    stats.wal_records = log.records;
    stats.wal_syncs = log.syncs;
    stats.stalls.log_limit_count = log.segment_waits;
    stats.stalls.log_limit_us = log.segment_wait_us;
    stats.loss_window = wal_->loss_window();
    stats.bytes_on_disk += wal_->live_bytes();
    stats.ballast_bytes = ballast_.held_bytes();
  }
  const cache::BlockCache::Counters cache = cache_->counters();
  stats.cache_hits = cache.hits;
  stats.cache_misses = cache.misses;
  stats.cache_evictions = cache.evictions;
  if (cache.hits + cache.misses > 0)
    stats.cache_hit_rate = static_cast<double>(cache.hits) / static_cast<double>(cache.hits + cache.misses);
  if (stats.bytes_written_by_user > 0)
    stats.write_amplification = static_cast<double>(stats.wal_bytes + stats.flush_bytes +
                                                    stats.compaction_bytes_written + stats.blob_bytes_moved) /
                                static_cast<double>(stats.bytes_written_by_user);
  stats.get_latency = summary_of(latencies_.get);
  stats.put_latency = summary_of(latencies_.put);
  stats.write_latency = summary_of(latencies_.write);
  stats.seek_latency = summary_of(latencies_.seek);
  stats.sync_latency = summary_of(latencies_.sync);
  stats.memory.budget = budget_.limit();
  stats.memory.blocks = budget_.held(base::MemoryOwner::kBlocks);
  stats.memory.filters_and_indexes = budget_.held(base::MemoryOwner::kFiltersAndIndexes);
  stats.memory.memtables = budget_.held(base::MemoryOwner::kMemTables);
  stats.memory.log_buffers = budget_.held(base::MemoryOwner::kLogBuffers);
  stats.memory.fixed = budget_.held(base::MemoryOwner::kFixed);
  stats.memory.pinned_blocks = cache.pinned_bytes;
  const std::uint64_t now_ms = time_.now_ms();
  for (const TreePtr& tree : all_trees()) {
    const PinnedView view = tree->pin_view();
    KeyspaceStatistics keyspace;
    keyspace.name = tree->name;
    for (std::uint32_t level = 0; level < manifest::kLevels; ++level) {
      LevelStatistics facts{.level = level};
      for (const auto& table : view->version->levels[level]) {
        facts.tables += 1;
        facts.bytes += table->meta().file_bytes;
        facts.entries += table->meta().entries;
        keyspace.expiring_bytes += table->table->properties().expiring.bytes();
        keyspace.expired_bytes += compaction::expired_bytes(*table, now_ms);
        facts.tombstones += table->meta().tombstones;
        facts.range_tombstones += table->meta().range_tombstones;
        facts.tombstone_run = std::max(facts.tombstone_run, table->meta().tombstone_run);
        if (const auto damage = table->damaged() ? table->damage() : std::nullopt)
          stats.damaged_tables.push_back({.keyspace = tree->printable_name(),
                                          .level = level,
                                          .file = table->table->path(),
                                          .smallest_key = table->meta().smallest_key,
                                          .largest_key = table->meta().largest_key,
                                          .error = damage->to_string()});
      }
      stats.bytes_on_disk += facts.bytes;
      if (facts.tables > 0) keyspace.levels.push_back(facts);
    }
    const auto add = [&](const memtable::MemTable& memtable) {
      keyspace.memtables += 1;
      keyspace.memtable_bytes += memtable.memory_bytes();
      keyspace.memtable_entries += memtable.entries();
    };
    add(*view->active.table);
    for (const MemTableSpan& span : view->sealed) add(*span.table);
    add_blob_statistics(*tree, keyspace, stats);
    if (!tree->hidden()) stats.keyspaces.push_back(std::move(keyspace));
  }
  if (stats.blobs.live_bytes > 0)
    stats.space_amplification = static_cast<double>(stats.blobs.bytes) / static_cast<double>(stats.blobs.live_bytes);
  stats.table_files_opened = table_files_.opened();
  stats.table_files_open = table_files_.open_now();
  stats.last_sequence = visible();
  stats.live_snapshots = snapshots_.count();
  add_scrub_statistics(stats);
  if (const auto damage = first_damage_.damaged() ? first_damage_.damage() : std::nullopt)
    stats.stopped_by_damage = damage->to_string();
  {
    base::MutexLock lock(jobs_mutex_);
    if (const auto& error = background_error_ ? background_error_ : shortage_)
      stats.background_error = error->to_string();
  }
  return stats;
}

}  // namespace lightning::engine
