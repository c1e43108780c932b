// Replay: what the log holds beyond the tables, and what becomes of it. Stages 8 to 11 of an opening; nothing here
// changes what was there: new tables are nobody's until the commit point.
#include <algorithm>

#include "engine/database_iterator.h"
#include "engine/engine.h"
#include "engine/recovery.h"
#include "format/batch.h"
#include "format/merging_iterator.h"

namespace lightning::engine {

namespace {
constexpr std::uint64_t kReplayMiB = 1 << 20;
constexpr std::uint64_t kCompressionMax = 4;  // tables are hardly ever smaller than this part of what the log holds
}  // namespace

// Stages 8 to 10. A log that is to be moved into tables is read twice: first to know that all of it verifies and how
// much it is, before anything is made of it.
Status Engine::replay_log(Recovery& recovery) {
  using Stage = RecoveryStage;
  wal::ReplayOptions options;
  {
    base::MutexLock lock(manifest_mutex_);
    options.known_durable = state_.durable;
    options.start = state_.log_floor;
    options.anchor = state_.log_anchor;
    options.epoch = state_.epoch;
  }
  std::optional<wal::LogReplay> log;
  LIGHTNING_TRY(recovery.run(Stage::kWalDiscovery, [&] { return find_log(recovery, options, log); }));
  std::uint64_t bytes = 0;
  if (!log) {
    recovery.skip(Stage::kWalValidation, "there is no log");
  } else if (access_ == Access::kReadOnly) {
    recovery.skip(Stage::kWalValidation, "opened for reading: records are validated as they are applied");
  } else {
    LIGHTNING_TRY(recovery.run(Stage::kWalValidation, [&] { return validate_log(recovery, *log, bytes); }));
  }
  return recovery.run(Stage::kTransactionRecovery, [&]() -> Status {
    if (bytes > 0) recovery.write_journal();
    if (log) LIGHTNING_TRY(apply_log(recovery, *log, bytes));
    if (tuning_.history != nullptr) LIGHTNING_TRY(apply_history(recovery));
    visible_.store(log_end_.last_sequence, std::memory_order_release);
    recovery.report().last_sequence = log_end_.last_sequence;
    if (access_ == Access::kReadOnly) return {};
    for (const TreePtr& tree : all_trees()) LIGHTNING_TRY(flush_replayed(*tree, visible()));
    return env_.files.sync_directory(paths_.tables());
  });
}

Status Engine::find_log(Recovery& recovery, const wal::ReplayOptions& options, std::optional<wal::LogReplay>& log) {
  LIGHTNING_ASSIGN(const bool there, env_.files.exists(paths_.wal()));
  if (there) {
    LIGHTNING_ASSIGN(log, wal::LogReplay::find(env_, paths_.wal(), superblock_.store_id, options));
    const wal::LogInventory& found = log->inventory();
    recovery.looked_at(
        found.segments, found.bytes,
        std::to_string(found.segments) + " segments to read, " + std::to_string(found.others) + " others");
    return {};
  }
  if (std::max(options.known_durable, options.anchor.last_sequence) > options.start)
    return Error(ErrorCode::kWalMissing, "the directory of the log is missing: writes behind sequence " +
                                             std::to_string(options.start) + " were in it only")
        .at_file(paths_.wal());
  log_end_ = options.anchor;
  return {};
}

// `bytes`: of what will have to be applied.
Status Engine::validate_log(Recovery& recovery, const wal::LogReplay& log, std::uint64_t& bytes) {
  if (!recovery.report().created) recovery.write_journal();
  LIGHTNING_ASSIGN(const wal::ReplayReport found, log.read([&](const wal::RecoveredCommit& commit) {
    bytes += commit.payload.size();
    return recovery.progress(bytes, log.inventory().bytes);
  }));
  LIGHTNING_TRY(check_manifest_end(found.manifest));
  recovery.looked_at(found.commits, found.bytes,
                     std::to_string(found.commits) + " commits up to sequence " +
                         std::to_string(found.end.last_sequence) + ", " + std::to_string(found.bytes) + " bytes");
  LIGHTNING_ASSIGN(const std::uint64_t free, free_space(bytes / kCompressionMax));
  if (free < bytes)
    recovery.note(RecoveryNote::Kind::kWarning, "the log holds " + std::to_string(bytes) +
                                                    " bytes that are to become tables, and " + std::to_string(free) +
                                                    " bytes are free on the disk");
  return check_space(bytes / kCompressionMax, free, "moving the log into tables");
}

Status Engine::apply_log(Recovery& recovery, const wal::LogReplay& log, std::uint64_t bytes) {
  std::uint64_t applied_bytes = 0, log_bytes = 0;
  bool fits = true;
  const auto apply = [&](const wal::RecoveredCommit& commit) -> Status {
    log_bytes += commit.payload.size();
    LIGHTNING_TRY(recovery.progress(log_bytes, bytes));
    if (access_ == Access::kReadOnly && fits) fits = has_room_for(commit.payload.size());
    if (!fits) return {};  // only counts: the error says how much there is
    applied_bytes = log_bytes;
    return apply_commit(commit);
  };
  LIGHTNING_ASSIGN(const wal::ReplayReport found, log.read(apply));
  if (access_ == Access::kReadOnly) LIGHTNING_TRY(check_manifest_end(found.manifest));
  if (!fits) return too_long_for_memory(applied_bytes, log_bytes);
  log_end_ = found.end;
  if (const auto& tail = found.torn_tail)
    recovery.note(RecoveryNote::Kind::kRolledBack,
                  "the torn end of the log, " + std::to_string(tail->bytes) + " bytes from offset " +
                      std::to_string(tail->offset) + ", behind sequence " + std::to_string(tail->last_sequence),
                  tail->file);
  recovery.report().commits = found.commits;
  recovery.looked_at(found.commits, found.bytes,
                     std::to_string(found.commits) + " commits, " + std::to_string(found.operations) + " operations, " +
                         std::to_string(found.bytes) + " bytes");
  return {};
}

// What of it is not in tables yet.
Status Engine::apply_commit(const wal::RecoveredCommit& commit) {
  time_.advance_to(commit.commit_time_ns / 1'000'000);
  const TreeTable& trees = *tree_table_.load();
  Sequence sequence = commit.first_sequence;
  format::BatchReader reader(commit.payload);
  for (; reader.next(); ++sequence) {
    const format::Operation& operation = reader.operation();
    Tree* tree = trees.find(operation.keyspace);
    if (tree == nullptr) {
      base::MutexLock lock(manifest_mutex_);
      // The keyspace was dropped after this write; one that never existed would be damage.
      if (operation.keyspace < state_.next_keyspace) continue;
      return Error(ErrorCode::kWalCorrupt,
                   "a log record writes to keyspace " + std::to_string(operation.keyspace) + ", which never existed");
    }
    if (sequence <= tree->flushed_at_open) continue;
    if (operation.type == format::EntryType::kBlobReference) LIGHTNING_TRY(attach_blob(*tree, operation.value));
    memtable::MemTable& memtable = tree->active();
    if (operation.type == format::EntryType::kEraseRange) {
      memtable.add_ranges({{operation.key, operation.value, sequence}}, /*unread=*/true);
    } else {
      LIGHTNING_TRY(memtable.reserve(1, operation.key.size() + operation.value.size()));
      memtable.add({operation.key, sequence, operation.type, operation.value});
    }
    if (tree->counted()) tree->add_records(operation.count_change());
    if (access_ == Access::kReadWrite && memtable.memory_bytes() >= memtable_limit())
      LIGHTNING_TRY(flush_replayed(*tree, sequence));
  }
  return reader.status();
}

// What must hold whatever happened: tables of a level do not overlap, and nothing is newer than the log's end.
Status Engine::check_consistency(Recovery& recovery) {
  std::uint64_t tables = 0;
  for (const TreePtr& tree : all_trees()) {
    const manifest::VersionPtr version = tree->pin_view()->version;
    LIGHTNING_TRY(version->validate());
    for (const auto& level : version->levels) {
      for (const manifest::TablePtr& table : level) {
        ++tables;
        if (table->meta().largest_sequence <= log_end_.last_sequence) continue;
        return Error(ErrorCode::kInconsistentState,
                     "a table holds sequence " + std::to_string(table->meta().largest_sequence) +
                         ", and the database ends at sequence " + std::to_string(log_end_.last_sequence))
            .at_file(table->table->path());
      }
    }
  }
  recovery.looked_at(tables, 0, std::to_string(tables) + " tables in order, none newer than the log");
  return {};
}

// A manifest that ends early looks as if its last edit had been torn by a power cut. Segments of the log say how much
// of it was durable when they were begun.
Status Engine::check_manifest_end(const wal::ManifestPosition& known) const {
  const std::string path = paths_.root + "/" + manifest::manifest_name(superblock_.manifest_number);
  if (known.generation > superblock_.generation)
    return Error(ErrorCode::kManifestCorrupt, "the superblock has lost its newest slot: it is of generation " +
                                                  std::to_string(superblock_.generation) + ", and the log knew " +
                                                  std::to_string(known.generation))
        .at_file(paths_.root + "/" + std::string(manifest::kSuperblockName));
  if (known.generation == superblock_.generation && known.records > loaded_.records)
    return Error(ErrorCode::kManifestCorrupt, "a manifest record does not verify: the manifest ends after " +
                                                  std::to_string(loaded_.records) + " records, and the log knew that " +
                                                  std::to_string(known.records) + " were durable")
        .at_file(path, loaded_.end);
  return {};
}

// Nothing can be written here: what the log holds beyond the tables must fit the memory that the configuration grants,
// beside filters and indexes and the sixteenth that is the block cache's at the least; half of it in any case.
bool Engine::has_room_for(std::uint64_t bytes) const {
  const std::uint64_t pinned = budget_.held(base::MemoryOwner::kFiltersAndIndexes) + budget_.limit() / 16;
  const std::uint64_t room = std::max(budget_.limit() / 2, budget_.limit() - std::min(pinned, budget_.limit()));
  return budget_.held(base::MemoryOwner::kMemTables) + bytes <= room;
}

Error Engine::too_long_for_memory(std::uint64_t applied_bytes, std::uint64_t log_bytes) const {
  // What the part that was applied takes, and as much for each byte of the rest.
  const std::uint64_t memtables = budget_.held(base::MemoryOwner::kMemTables);
  const double share =
      applied_bytes < kReplayMiB ? 2.0 : static_cast<double>(memtables) / static_cast<double>(applied_bytes);
  const auto entries = memtables + static_cast<std::uint64_t>(share * static_cast<double>(log_bytes - applied_bytes));
  const std::uint64_t needed =
      std::min(2 * entries, (entries + budget_.held(base::MemoryOwner::kFiltersAndIndexes)) / 15 * 16) + kReplayMiB;
  return Error(ErrorCode::kInsufficientResources,
               "opening read-only keeps in memory what is in the log and not yet in tables: " +
                   std::to_string(log_bytes) + " bytes of writes, for which cache_size must be about " +
                   std::to_string(needed) + ", and it is " + std::to_string(budget_.limit()) +
                   ". Raise cache_size, or open the database for writing once, which moves them into tables")
      .at_file(paths_.wal());
}

// Replayed entries become level-0 tables before the store opens: what is served never depends on the old log again.
// `last` is the last sequence replayed: the next memtable holds what comes after it, which is what keeps the log alive.
Status Engine::flush_replayed(Tree& tree, Sequence last) {
  tree.seal({.last_sequence = last});
  PinnedView view = tree.pin_view();
  if (view->sealed.empty()) return {};
  std::vector<std::unique_ptr<format::EntryIterator>> sources;
  for (const MemTableSpan& span : view->sealed) sources.push_back(span.table->iterator());
  const std::vector<Sequence> snapshots{format::kSequenceMax};
  const format::RangeTombstones erased = view->sealed_ranges();
  const format::RangeTombstones ranges = compaction::needed_ranges(erased, snapshots, false);
  compaction::BlobTally garbage;
  const auto input = compaction::without_erased(
      compaction::counting_references(format::merge(std::move(sources)), std::nullopt, garbage), erased, snapshots);
  compaction::OutputOptions output = output_options(tree, 0, false);
  LIGHTNING_ASSIGN(const auto result,
                   compaction::write_tables(*input, std::nullopt, std::nullopt, compaction::Retention(snapshots, false),
                                            output, &ranges));
  manifest::VersionEdit edit;
  manifest::Version::Change change;
  Sequence flushed = 0;
  for (const sstable::TableMeta& meta : result.tables) {
    LIGHTNING_ASSIGN(auto table, open_table(meta, true));
    change.add.emplace_back(0, std::move(table));
    edit.add_tables.push_back({tree.id, 0, meta});
    flushed = std::max(flushed, meta.largest_sequence);
  }
  LIGHTNING_TRY(add_blobs(tree, result.blobs, edit, change));
  edit.flushed.push_back({tree.id, flushed});
  garbage.add(result.kept, -1);
  if (tree.counted()) edit.counts.push_back({tree.id, tree.records()});
  {
    base::MutexLock lock(manifest_mutex_);
    LIGHTNING_TRY(settle_garbage(state_, tree, *view->version, garbage, edit, change));
    LIGHTNING_TRY(state_.apply(edit));
  }
  tree.install(view->version->with(change), format::kSequenceMax);
  return {};
}

}  // namespace lightning::engine
