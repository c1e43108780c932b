// Background work: memtables become tables, tables are merged, and every change of the version goes through install().
#include <algorithm>

#include "base/planted_bug.h"
#include "engine/engine.h"
#include "format/merging_iterator.h"
#include "manifest/keyspace_options.h"

namespace lightning::engine {

// --- sealing ------------------------------------------------------------------------------------------------------

bool Engine::seal(Tree& tree, std::uint64_t bytes) {
  {
    const WriteGate::Closure closed(gate_);
    // Several writers may have found it full; the first was here before us.
    if (tree.dropped.load() || tree.active().memory_bytes() < bytes) return false;
    if (!tree.seal(wal_->position())) return false;
  }
  cache_->trim();  // the sealed memtable keeps its memory, the next one takes more
  update_pressure();
  schedule_flush(tree);
  return true;
}

// Outside the gate a keyspace may be dropped at any time: `tree` is a name to look for, not an object to touch.
void Engine::seal_full(const Tree* tree) {
  for (const TreePtr& live : all_trees())
    if (live.get() == tree) seal(*live, memtable_limit());
}

// When cursors have stepped so often over what is erased in a memtable that a flush costs less than going on, it is
// sealed before it is full. Its table leaves out what it hides, and is compacted if too long a row is left.
void Engine::note_in_the_way(format::KeyspaceId keyspace, Sequence after, std::uint64_t passed) {
  constexpr std::uint64_t kTimesTheBound = 16;
  const std::uint64_t steps_max = kTimesTheBound * config_.tombstones_per_seek_max;
  if (closing() || !flush_lane_ || writes_stopped_.load()) return;
  for (const TreePtr& tree : all_trees()) {
    if (tree->id != keyspace || tree->pin_view()->active.after != after) continue;
    const std::uint64_t before = tree->in_the_way.fetch_add(passed, std::memory_order_relaxed);
    if (before >= steps_max || before + passed < steps_max) return;  // it is queued, or it is not time yet
    job_started();
    flush_lane_->submit([this, tree, after] {
      if (!closing() && tree->pin_view()->active.after == after) seal(*tree);
      tree->in_the_way.store(0, std::memory_order_relaxed);
      job_ended();
    });
    return;
  }
}

// --- flush --------------------------------------------------------------------------------------------------------

void Engine::schedule_flush(Tree& tree) {
  if (tree.flush_queued.exchange(true)) return;
  TreePtr shared;
  for (const TreePtr& candidate : all_trees())
    if (candidate.get() == &tree) shared = candidate;
  if (!shared || !flush_lane_) {
    tree.flush_queued.store(false);
    return;
  }
  job_started();
  flush_lane_->submit([this, shared] { run_flush(shared); });
}

// One flush of a tree at a time: flush_queued stays set until it has ended. What fails is tried again by
// run_recovery().
void Engine::let_go_of_overdue() {
  if (WriteArbiter* const writes = arbiter()) writes->end_overdue();
  const auto age_max = static_cast<std::uint64_t>(std::chrono::nanoseconds(config_.snapshot_age_max).count());
  const std::uint64_t now_ns = env_.clock.monotonic_ns();
  if (age_max != 0 && now_ns > age_max) snapshots_.let_go_before(now_ns - age_max);
}

void Engine::run_flush(const TreePtr& tree) {
  let_go_of_overdue();
  if (!closing())
    if (const Status status = write_again_if_wrong(*tree, [&] { return flush_sealed(*tree); }); !status)
      background_failed(status.error());
  tree->flush_queued.store(false);
  // What was sealed meanwhile found the flag set and left it to us.
  if (!closing() && !writes_stopped_.load() && !tree->dropped.load() && !tree->pin_view()->sealed.empty())
    schedule_flush(*tree);
  update_pressure();
  schedule_compactions();
  job_ended();
}

Status Engine::flush_sealed(Tree& tree) {
  const PinnedView view = tree.pin_view();
  if (view->sealed.empty() || tree.dropped.load() || writes_stopped_.load()) return {};
  const wal::LogPosition through = view->sealed.front().end();  // newest first
  std::vector<std::unique_ptr<format::EntryIterator>> sources;
  for (const MemTableSpan& span : view->sealed) sources.push_back(span.table->iterator());

  compaction::OutputOptions output = output_options(tree, 0, false);
  const std::vector<Sequence> snapshots = snapshots_.list([this] { return visible(); });
  const format::RangeTombstones erased = view->sealed_ranges();
  const format::RangeTombstones ranges = compaction::needed_ranges(erased, snapshots, false);
  Outputs outputs;
  const auto input = compaction::without_erased(
      compaction::counting_references(format::merge(std::move(sources)), std::nullopt, outputs.garbage), erased,
      snapshots);
  LIGHTNING_ASSIGN(auto result, compaction::write_tables(*input, std::nullopt, std::nullopt,
                                                         compaction::Retention(snapshots, false, retention_rules(tree)),
                                                         output, &ranges));
  outputs.take(std::move(result), 0);
  const auto finish = [&]() -> Status {
    LIGHTNING_TRY(env_.files.sync_directory(paths_.tables()));
    // The tables may hold writes that the log has not made durable yet. They must not outlive a power cut that the
    // log's earlier records do not survive: what survives is a prefix.
    if (auto synced = base::planted(base::PlantedBug::kFlushAheadOfLog) ? Status() : wal_->sync(); !synced) {
      fail_writes(synced.error());
      return synced;
    }
    manifest::VersionEdit edit;
    manifest::Version::Change change;
    std::uint64_t bytes = 0;
    for (const auto& [level, meta] : outputs.tables) {
      LIGHTNING_ASSIGN(auto table, open_table(meta, true));
      change.add.emplace_back(0, std::move(table));
      edit.add_tables.push_back({tree.id, 0, meta});
      bytes += meta.file_bytes;
    }
    for (const blob::FileMeta& meta : outputs.blobs) bytes += meta.file_bytes;
    LIGHTNING_TRY(add_blobs(tree, outputs.blobs, edit, change));
    edit.flushed.push_back({tree.id, through.last_sequence});
    if (tree.counted()) edit.counts.push_back({tree.id, view->sealed.front().records});
    edit.log_anchor = through;  // durable, and behind every floor before
    LIGHTNING_TRY(install(tree, std::move(edit), std::move(change), through.last_sequence, outputs.garbage));
    background_.flushes.fetch_add(1, std::memory_order_relaxed);
    background_.flush_bytes.fetch_add(bytes, std::memory_order_relaxed);
    return {};
  };
  Status status = finish();
  if (!status) remove_unused_outputs(outputs);
  return status;
}

// --- compaction ---------------------------------------------------------------------------------------------------

compaction::PickOptions Engine::pick_options() const {
  compaction::PickOptions options;
  options.tombstone_run_max = config_.tombstones_per_seek_max;
  options.oldest_reader = snapshots_.list([this] { return visible(); }).front();
  options.level0_trigger = config_.level0_compaction_trigger;
  options.size_multiplier = config_.level_size_multiplier;
  options.base_bytes = config_.memtable_bytes * config_.level0_compaction_trigger / 2;
  if (has_expiring_tables_.load(std::memory_order_relaxed)) options.now_ms = time_.now_ms();
  options.max_space_amplification = config_.max_space_amplification;
  options.blob_slack_bytes = config_.memtable_bytes / 2;
  return options;
}

bool Engine::overlaps_running(const Tree& tree, const compaction::Plan& plan) const {
  for (const RunningCompaction& running : compactions_) {
    if (running.tree != &tree || running.output_level != plan.output_level) continue;
    for (const auto& table : plan.inputs)
      if (!table->meta().largest().before(running.keys.smallest) &&
          !running.keys.end().before(table->meta().smallest_key))
        return true;
  }
  return false;
}

void Engine::begin_compaction(const Tree& tree, const compaction::Plan& plan) {
  for (const auto* tables : {&plan.inputs, &plan.overlapped})
    for (const auto& table : *tables) table->compacting = true;
  compactions_.push_back({&tree, plan.output_level, compaction::keys_of(plan)});
}

void Engine::end_compaction(const Tree& tree, const compaction::Plan& plan) {
  base::MutexLock lock(compaction_mutex_);
  for (const auto* tables : {&plan.inputs, &plan.overlapped})
    for (const auto& table : *tables) table->compacting = false;
  const std::string smallest = compaction::keys_of(plan).smallest;
  std::erase_if(compactions_, [&](const RunningCompaction& running) {
    return running.tree == &tree && running.output_level == plan.output_level && running.keys.smallest == smallest;
  });
}

void Engine::schedule_compactions() {
  if (closing() || writes_stopped_.load() || !compaction_lane_) return;
  if (has_expiring_tables_.load(std::memory_order_relaxed) && !expiry_watched_.exchange(true))
    expiry_watch_ = base::Thread::spawn("ldb-expiry", [this] { watch_expiry(); });
  schedule_collections();
  const std::size_t running_max = std::max(compaction_lane_->threads(), 1u);  // without threads the job runs here
  const std::vector<TreePtr> trees = all_trees();
  for (;;) {
    TreePtr chosen;
    std::optional<compaction::Plan> plan;
    const compaction::PickOptions options = pick_options();
    {
      base::MutexLock lock(compaction_mutex_);
      if (compactions_.size() >= running_max) return;
      for (const TreePtr& tree : trees) {
        auto candidate = compaction::pick(*tree->pin_view()->version, options);
        if (!candidate || overlaps_running(*tree, *candidate) || (plan && plan->score >= candidate->score)) continue;
        plan = std::move(candidate);
        chosen = tree;
      }
      if (!plan) return;
      begin_compaction(*chosen, *plan);
    }
    job_started();
    compaction_lane_->submit([this, chosen, plan = std::make_shared<compaction::Plan>(std::move(*plan))] {
      run_compaction(chosen, std::move(*plan));
    });
  }
}

// What expires is noticed by the next flush or compaction; where none comes, by this thread.
void Engine::watch_expiry() {
  constexpr std::chrono::seconds kBetweenLooks{10};
  for (;;) {
    {
      base::MutexLock lock(jobs_mutex_);
      const std::uint64_t until_ns =
          env_.clock.monotonic_ns() + static_cast<std::uint64_t>(std::chrono::nanoseconds(kBetweenLooks).count());
      for (std::uint64_t now_ns = 0; !closing() && (now_ns = env_.clock.monotonic_ns()) < until_ns;)
        watch_ends_.wait_for(jobs_mutex_, std::chrono::nanoseconds(until_ns - now_ns));
      if (closing()) return;
    }
    schedule_compactions();
  }
}

void Engine::run_compaction(const TreePtr& tree, compaction::Plan plan) {
  let_go_of_overdue();
  const Status status = closing() ? Status{} : write_again_if_wrong(*tree, [&] { return compact(*tree, plan); });
  end_compaction(*tree, plan);
  if (!status && !note_damage(*tree->pin_view()->version, status.error())) background_failed(status.error());
  plan = {};  // lets go of the inputs, so that their files go now
  epochs_.collect();
  update_pressure();
  schedule_compactions();
  job_ended();
}

Status Engine::compact(Tree& tree, const compaction::Plan& plan) {
  if (plan.erased) return drop_tables(tree, plan);
  const sstable::TableMeta& first = plan.inputs.front()->meta();
  if (plan.trivial_move() && !(plan.bottommost && (first.tombstones > 0 || first.range_tombstones > 0)))
    return move_table(tree, plan);
  LIGHTNING_ASSIGN(const Outputs outputs, merge_tables(tree, plan));
  const auto finish = [&]() -> Status {
    LIGHTNING_TRY(env_.files.sync_directory(paths_.tables()));
    manifest::VersionEdit edit;
    manifest::Version::Change change;
    LIGHTNING_TRY(add_blobs(tree, outputs.blobs, edit, change));
    for (const blob::FileMeta& meta : outputs.blobs)
      background_.compaction_bytes_written.fetch_add(meta.file_bytes, std::memory_order_relaxed);
    for (const auto& [level, meta] : outputs.tables) {
      LIGHTNING_ASSIGN(auto table, open_table(meta, true));
      change.add.emplace_back(level, std::move(table));
      edit.add_tables.push_back({tree.id, level, meta});
      background_.compaction_bytes_written.fetch_add(meta.file_bytes, std::memory_order_relaxed);
    }
    for (const auto& table : plan.inputs) {
      change.drop.emplace_back(plan.input_level, table->meta().number);
      edit.drop_tables.push_back({tree.id, plan.input_level, table->meta().number});
    }
    for (const auto& table : plan.overlapped) {
      change.drop.emplace_back(plan.output_level, table->meta().number);
      edit.drop_tables.push_back({tree.id, plan.output_level, table->meta().number});
    }
    LIGHTNING_TRY(install(tree, std::move(edit), std::move(change), 0, outputs.garbage));
    for (const auto* tables : {&plan.inputs, &plan.overlapped})
      for (const auto& table : *tables) table->mark_obsolete();
    return {};
  };
  Status status = finish();
  if (!status) remove_unused_outputs(outputs);
  background_.compactions.fetch_add(1, std::memory_order_relaxed);
  background_.compaction_bytes_read.fetch_add(plan.input_bytes(), std::memory_order_relaxed);
  return status;
}

Status Engine::move_table(Tree& tree, const compaction::Plan& plan) {
  const manifest::TablePtr& table = plan.inputs.front();
  manifest::VersionEdit edit;
  manifest::Version::Change change;
  edit.drop_tables.push_back({tree.id, plan.input_level, table->meta().number});
  edit.add_tables.push_back({tree.id, plan.output_level, table->meta()});
  change.drop.emplace_back(plan.input_level, table->meta().number);
  change.add.emplace_back(plan.output_level, table);
  LIGHTNING_TRY(install(tree, std::move(edit), std::move(change), 0, {}));
  background_.tables_moved.fetch_add(1, std::memory_order_relaxed);
  return {};
}

// Every reader that there is, and that will be, sees the ranges that hide all of them. Only what they refer to must be
// known: tables of references are small.
Status Engine::drop_tables(Tree& tree, const compaction::Plan& plan) {
  manifest::VersionEdit edit;
  manifest::Version::Change change;
  compaction::BlobTally garbage;
  for (const auto& table : plan.inputs) {
    edit.drop_tables.push_back({tree.id, plan.input_level, table->meta().number});
    change.drop.emplace_back(plan.input_level, table->meta().number);
    if (table->meta().blob_bytes == 0) continue;
    const auto entries =
        compaction::counting_references(table->table->iterator({.fill_cache = false}), std::nullopt, garbage);
    for (entries->seek_to_first(); entries->valid();) entries->next();
    LIGHTNING_TRY(entries->status());
  }
  LIGHTNING_TRY(install(tree, std::move(edit), std::move(change), 0, garbage));
  for (const auto& table : plan.inputs) table->mark_obsolete();
  background_.tables_erased.fetch_add(plan.inputs.size(), std::memory_order_relaxed);
  return {};
}

namespace {

// Sub-compactions: the key ranges of one merge, taken by whichever thread is free. The thread that started the merge
// takes part, so that it never waits for a lane that is full of merges like itself.
struct SubRanges {
  std::vector<std::optional<std::string>> cuts;  // ranges + 1 bounds; none = open
  std::vector<Result<compaction::MergeResult>> results;
  std::vector<compaction::BlobTally> read;  // references, by range
  std::atomic<std::size_t> next{0};
  base::Mutex mutex{base::LockRank::kLeaf};
  base::CondVar done;
  std::size_t finished LIGHTNING_GUARDED_BY(mutex) = 0;
};

}  // namespace

void Engine::Outputs::take(compaction::MergeResult result, std::uint32_t level) {
  for (sstable::TableMeta& meta : result.tables) tables.push_back({level, std::move(meta)});
  std::ranges::move(result.blobs, std::back_inserter(blobs));
  garbage.add(result.kept, -1);
}

Result<Engine::Outputs> Engine::merge_tables(const Tree& tree, const compaction::Plan& plan) {
  constexpr std::uint64_t kBytesPerPart = 8 << 20;
  const std::size_t parts_max = compaction_lane_ && plan.output_level > 0 ? compaction_lane_->threads() : 1;
  const std::size_t parts = std::clamp<std::size_t>(plan.input_bytes() / kBytesPerPart, 1, std::max(parts_max, 1ul));
  auto ranges = std::make_shared<SubRanges>();
  ranges->cuts.emplace_back();
  for (std::string& key : compaction::split_points(plan, parts)) ranges->cuts.emplace_back(std::move(key));
  ranges->cuts.emplace_back();
  const std::size_t count = ranges->cuts.size() - 1;
  ranges->results.resize(count);
  ranges->read.resize(count);
  const std::vector<Sequence> snapshots = snapshots_.list([this] { return visible(); });
  const compaction::OutputOptions output = output_options(tree, plan.output_level, plan.bottommost);
  const compaction::Retention::Rules rules = retention_rules(tree);
  // What is erased anywhere need not be written again; what erases it is written if it stood in the plan's tables.
  const manifest::VersionPtr version = tree.pin_view()->version;
  const format::RangeTombstones none;
  const format::RangeTombstones& erased = version->ranges ? *version->ranges : none;
  const format::RangeTombstones kept =
      compaction::needed_ranges(compaction::input_ranges(plan), snapshots, plan.bottommost);

  const auto work = [ranges, count, &plan, &snapshots, &output, &rules, &erased, &kept] {
    for (std::size_t i = ranges->next.fetch_add(1); i < count; i = ranges->next.fetch_add(1)) {
      const auto as_view = [](const std::optional<std::string>& key) {
        return key ? std::optional<std::string_view>(*key) : std::nullopt;
      };
      const auto end = as_view(ranges->cuts[i + 1]);
      const auto input = compaction::without_erased(
          compaction::counting_references(compaction::input_iterator(plan), end, ranges->read[i]), erased, snapshots);
      ranges->results[i] =
          compaction::write_tables(*input, as_view(ranges->cuts[i]), end,
                                   compaction::Retention(snapshots, plan.bottommost, rules), output, &kept);
      base::MutexLock lock(ranges->mutex);
      ++ranges->finished;
      ranges->done.notify_all();
    }
  };
  // A helper that arrives late finds no range left and touches nothing of this frame.
  for (std::size_t i = 1; i < count; ++i) compaction_lane_->submit(work);
  work();
  {
    base::MutexLock lock(ranges->mutex);
    while (ranges->finished < count) ranges->done.wait(ranges->mutex);
  }
  Outputs outputs;
  Status status;
  for (const compaction::BlobTally& read : ranges->read) outputs.garbage.add(read);
  for (auto& result : ranges->results) {
    if (!result) {
      status = result.error();
      continue;
    }
    outputs.take(std::move(*result), plan.output_level);
  }
  if (status) status = keep_back(tree, plan, snapshots, outputs);
  if (!status) {
    remove_unused_outputs(outputs);
    return std::move(status).error();
  }
  return outputs;
}

compaction::Retention::Rules Engine::retention_rules(const Tree& tree) const {
  compaction::Retention::Rules rules{.merge_operator = tree.merge_operator, .now_ms = time_.now_ms(), .load = {}};
  if (tree.merge_operator != nullptr)
    rules.load = [version = tree.pin_view()->version](std::string_view key, std::string_view encoded,
                                                      std::string& value) -> Status {
      return load_large(*version, key, encoded, value);
    };
  return rules;
}

// What damage holds back stays in level 0: one run for each span.
Status Engine::keep_back(const Tree& tree, const compaction::Plan& plan, const std::vector<Sequence>& snapshots,
                         Outputs& outputs) {
  const compaction::OutputOptions options = output_options(tree, 0, false);
  const format::RangeTombstones ranges =
      compaction::needed_ranges(compaction::held_back_ranges(plan), snapshots, false);
  for (const compaction::KeySpan& span : plan.held_back) {
    const std::string_view behind = span.behind();
    const auto end = behind.empty() ? std::nullopt : std::optional(behind);
    const auto input = compaction::counting_references(compaction::held_back_iterator(plan), end, outputs.garbage);
    LIGHTNING_ASSIGN(
        auto result,
        compaction::write_tables(*input, span.smallest, end,
                                 compaction::Retention(snapshots, false, retention_rules(tree)), options, &ranges));
    outputs.take(std::move(result), 0);
  }
  return {};
}

// --- tables -------------------------------------------------------------------------------------------------------

compaction::OutputOptions Engine::output_options(const Tree& tree, std::uint32_t level, bool bottommost) {
  compaction::OutputOptions output;
  output.table.block_bytes = config_.block_bytes;
  output.table.filter_bits_per_key = config_.filter_bits_per_key;
  output.table.compression = !config_.compression_enabled ? Compression::kNone
                             : bottommost && level > 0    ? config_.compression_bottom
                                                          : config_.compression_upper;
  output.table.tags = tag_algorithm();
  output.table.parity = config_.block_parity;
  output.table.created_ns = env_.clock.wall_ns();
  output.table.origin = sstable::TableOrigin{tree.id, tree.name, manifest::encode(tree.options)};
  output.table_bytes = level == 0 ? ~std::uint64_t{0} : config_.table_bytes;  // a flush is one run, one table
  output.store_id = superblock_.store_id;
  output.blobs.threshold = blob_threshold(tree);
  output.blobs.writer = blob_writer_options();
  output.blobs.create = [this] { return create_blob_file(); };
  output.blobs.discard = [this](format::FileNumber number) { remove_blob_file(number); };
  output.create = [this] { return create_table_file(); };
  output.discard = [this](format::FileNumber number) { remove_table_file(number); };
  output.progress = [this](std::uint64_t bytes) -> Status {
    rate_limiter_.request(bytes, [this] { return closing(); });
    if (closing()) return Error(ErrorCode::kCancelled, "the database is closing");
    return {};
  };
  return output;
}

Result<compaction::OutputOptions::Target> Engine::create_table_file() {
  compaction::OutputOptions::Target target;
  target.number = next_file_.fetch_add(1);
  target.uid = env_.random.uid();
  LIGHTNING_ASSIGN(target.file, env_.files.create_writable(paths_.table(target.number), env::FileClass::kTable));
  return target;
}

Result<manifest::TablePtr> Engine::open_table(const sstable::TableMeta& meta, bool just_written) {
  const std::string path = paths_.table(meta.number);
  auto opened = sstable::Table::open(env_, path, superblock_.store_id, meta, *cache_, budget_, &table_files_,
                                     &background_.blocks_rebuilt);
  // It halts its own keys only. Beside a writer a table that is gone means that there is a newer version.
  const auto halts_its_keys = [&](ErrorCode code) {
    return code == ErrorCode::kTableCorrupt || (code == ErrorCode::kTableMissing && !beside_writer_);
  };
  if (!opened && !just_written && halts_its_keys(opened.error().code()))
    opened = sstable::Table::unreadable(path, meta, opened.error(), *cache_, budget_);
  LIGHTNING_ASSIGN(auto table, std::move(opened));
  if (just_written && config_.integrity_validation_level == IntegrityLevel::kParanoid) {
    std::optional<Error> finding;
    table->check(
        [&](const Error& error) {
          finding = error;
          return false;
        },
        [](std::uint64_t) { return true; });
    if (!finding && table->worn() != 0)  // parity hides it from readers, and would be used up
      finding = Error(ErrorCode::kTableCorrupt, "a block or its parity was not as it was written").at_file(path);
    if (finding) return std::move(*finding).while_doing("reading back a table just written");
  }
  if (!table->properties().expiring.empty()) has_expiring_tables_.store(true, std::memory_order_relaxed);
  auto handle = std::make_shared<manifest::TableHandle>(std::move(table),
                                                        [this](format::FileNumber number) { note_obsolete(number); });
  if (const auto& damage = handle->table->damage()) handle->mark_damaged(*damage);
  return handle;
}

// Best effort: whatever stays is set aside at the next open.
void Engine::remove_unused_outputs(const Outputs& outputs) {
  {
    base::MutexLock lock(manifest_mutex_);
    if (!manifest_ || manifest_->failed())
      return;  // a failed append may have reached the disk: then they are referred to
  }
  for (const Output& output : outputs.tables) remove_table_file(output.meta.number);
  for (const blob::FileMeta& meta : outputs.blobs) remove_blob_file(meta.number);
}

void Engine::remove_table_file(format::FileNumber number) {
  if (!env_.files.remove(paths_.table(number))) return;
}

void Engine::note_obsolete(format::FileNumber number) {
  base::MutexLock lock(obsolete_mutex_);
  obsolete_.push_back(number);
}

void Engine::remove_obsolete_files() {
  std::vector<format::FileNumber> tables, blobs;
  {
    base::MutexLock lock(obsolete_mutex_);
    tables.swap(obsolete_);
    blobs.swap(obsolete_blobs_);
  }
  for (const format::FileNumber number : tables) remove_table_file(number);
  for (const format::FileNumber number : blobs) remove_blob_file(number);
}

// --- errors and pressure ------------------------------------------------------------------------------------------

// Damage of one file stops what would read it, and nothing else.
bool Engine::note_damage(const manifest::Version& version, const Error& error) {
  if (error.code() == ErrorCode::kBlobCorrupt || error.code() == ErrorCode::kBlobMissing) {
    for (const manifest::BlobPtr& blob : version.blobs) {
      if (blob->file->path() != error.context().file) continue;
      blob->mark_damaged(error);
      act_on_damage(error);
      return true;
    }
    return false;
  }
  if (error.code() != ErrorCode::kTableCorrupt && error.code() != ErrorCode::kTableMissing) return false;
  for (const auto& level : version.levels) {
    for (const manifest::TablePtr& table : level) {
      if (table->table->path() != error.context().file) continue;
      table->mark_damaged(error);
      act_on_damage(error);
      return true;
    }
  }
  return false;
}

// A new table or blob file that does not read back as it was written is written once more, to another file: what it
// should hold is all still there. A disk that does so every time is not trusted with more.
Status Engine::write_again_if_wrong(const Tree& tree, const std::function<Status()>& job) {
  constexpr int kAttempts = 3;
  for (int attempt = 1;; ++attempt) {
    Status status = job();
    const bool wrong = !status && (status.error().code() == ErrorCode::kTableCorrupt ||
                                   status.error().code() == ErrorCode::kBlobCorrupt);
    if (!wrong || attempt == kAttempts || closing()) return status;
    if (note_damage(*tree.pin_view()->version, status.error())) return status;  // of an input
    background_.tables_rewritten.fetch_add(1, std::memory_order_relaxed);
  }
}

void Engine::background_failed(const Error& error) {
  if (error.code() == ErrorCode::kCancelled) return;
  if (ran_out_of_space(error)) return schedule_recovery();
  fail_writes(error);
  // Space may come back; after critical errors nothing can be trusted before the store is reopened.
  if (error.category() != ErrorCategory::kCritical) schedule_recovery();
}

void Engine::schedule_recovery() {
  if (!flush_lane_ || recovery_queued_.exchange(true)) return;
  job_started();
  flush_lane_->submit([this] { run_recovery(); });
}

// After a pause, lets writers and jobs go on. Jobs that fail again come back here.
void Engine::run_recovery() {
  for (int i = 0; i < 10 && !closing(); ++i) base::sleep_for(std::chrono::milliseconds(100));
  recovery_queued_.store(false);  // first: a failure from here on is one more reason to come back
  if (!closing()) {
    if (const Status status = recover_from_background_error(); !status) {
      background_failed(status.error());
    } else {
      for (const TreePtr& tree : all_trees())
        if (!tree->pin_view()->sealed.empty()) schedule_flush(*tree);
      update_pressure();
      schedule_compactions();
    }
  }
  job_ended();
}

// A manifest whose last append failed is replaced by a new one. What damage has stopped stays so.
Status Engine::recover_from_background_error() {
  if (first_damage_.damaged()) return {};
  {
    base::MutexLock lock(jobs_mutex_);
    if (background_error_ && background_error_->category() == ErrorCategory::kCritical) return *background_error_;
  }
  {
    base::MutexLock lock(manifest_mutex_);
    if (manifest_->failed()) {
      LIGHTNING_TRY(manifest_->roll(state_));
      wal_->note_manifest(manifest_->position());
    }
  }
  base::MutexLock lock(jobs_mutex_);
  if (background_error_ && background_error_->category() == ErrorCategory::kCritical)
    return *background_error_;  // since then
  background_error_.reset();
  writes_stopped_.store(false, std::memory_order_release);
  jobs_changed_.notify_all();
  return {};
}

// Sets how much writers are held back, from how far flushes and compactions are behind.
void Engine::update_pressure() {
  // One at a time: what was seen earlier must not be stored later.
  base::MutexLock lock(jobs_mutex_);
  double worst = 0;
  Wait wait = Wait::kNone;
  for (const TreePtr& tree : all_trees()) {
    const PinnedView view = tree->pin_view();
    const std::size_t runs = compaction::level0_runs(*view->version, pick_options());
    const double span =
        std::max(1.0, static_cast<double>(config_.level0_stop_trigger) - config_.level0_slowdown_trigger);
    if (runs >= config_.level0_slowdown_trigger)
      worst = std::max(worst, (static_cast<double>(runs) - config_.level0_slowdown_trigger + 1) / span);
    if (runs >= config_.level0_stop_trigger) wait = Wait::kLevel0;
    // One sealed memtable is normal. The last place is only taken slowly.
    const std::size_t sealed = view->sealed.size();
    if (sealed + 2 >= config_.memtables_max && sealed > 1) worst = std::max(worst, 0.1);
    if (sealed + 1 >= config_.memtables_max) wait = Wait::kMemTables;
  }
  // Between nothing and 64 us per KiB: from 16 MiB/s and more down to 16 KiB/ms at the brink.
  delay_ns_per_kib_.store(static_cast<std::uint32_t>(64'000 * worst * worst), std::memory_order_relaxed);
  if (wait == Wait::kNone && archive_is_behind()) wait = Wait::kArchive;
  if (wait == Wait::kNone && space_is_short_.load(std::memory_order_acquire)) wait = Wait::kSpace;
  must_wait_.store(wait, std::memory_order_release);
  jobs_changed_.notify_all();
}

void Engine::job_started() {
  base::MutexLock lock(jobs_mutex_);
  ++running_jobs_;
}

void Engine::job_ended() {
  remove_obsolete_files();
  base::MutexLock lock(jobs_mutex_);
  --running_jobs_;
  jobs_changed_.notify_all();
}

void Engine::notify_jobs() {
  base::MutexLock lock(jobs_mutex_);
  jobs_changed_.notify_all();
}

}  // namespace lightning::engine
