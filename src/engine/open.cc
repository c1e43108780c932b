// Opening, which is recovering: the stages of docs/architecture.md, "Open". Until the new superblock is written,
// nothing that an earlier life of the store left is changed; a crash anywhere leads to the same start.
//
// What the log holds beyond the tables is replay.cc's.
#include <algorithm>
#include <cstdio>

#include "engine/engine.h"
#include "engine/recovery.h"

namespace lightning::engine {

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kClockToleranceMs = 5000;  // a clock that is set back less is nothing to speak of

// What resident memory is above the sum of all that is charged as it comes and goes. Measured on Debian 12: 6 to 8 MiB
// of code, libraries, stacks and small objects; and for each background thread 2.5 MiB of buffers for the tables that
// it writes, which the allocator keeps for the thread's next job.
std::uint64_t fixed_memory(const LightningDbConfig& config) {
  const std::uint64_t threads = config.flush_threads + config.compaction_threads;
  return std::min(8 * kMiB + threads * 5 * kMiB / 2, config.cache_size / 5);
}

// What the zeros in a configuration stand for on this machine.
LightningDbConfig resolve(LightningDbConfig config) {
  env::raise_open_files_limit();
  const env::MachineLimits machine = env::machine_limits();
  if (config.cache_size == 0)
    config.cache_size = std::clamp<std::uint64_t>(machine.memory_bytes / 4, 8 * kMiB, 1ull << 40);
  if (config.memtable_bytes == 0)
    config.memtable_bytes = std::clamp<std::uint64_t>(config.cache_size / 8, 4 * kMiB, 64 * kMiB);
  if (config.wal_segment_bytes == 0)
    config.wal_segment_bytes = std::clamp<std::uint64_t>(config.cache_size / 32 / kMiB * kMiB, kMiB, 64 * kMiB);
  if (config.wal_bytes_max == 0)
    config.wal_bytes_max = std::max(8 * config.wal_segment_bytes, config.memtables_max * config.memtable_bytes);
  if (config.open_files_max == 0)  // the other half: log, outputs, rings, and whatever else the program does
    config.open_files_max =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(machine.open_files_max / 2, 8, 1'000'000));
  if (config.flush_threads == 0) config.flush_threads = 1;
  if (config.compaction_threads == 0) config.compaction_threads = std::clamp(machine.cores - 1, 1u, 8u);
  return config;
}

// The number in "000000000012.sst", or none.
std::optional<format::FileNumber> number_in(std::string_view name, std::string_view ending) {
  if (!name.ends_with(ending) || name.size() != 12 + ending.size()) return std::nullopt;
  format::FileNumber number = 0;
  for (const char c : name.substr(0, 12)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  return number;
}

std::string numbered(format::FileNumber number, const char* ending) {
  char name[40];
  std::snprintf(name, sizeof name, "/%012llu%s", static_cast<unsigned long long>(number), ending);
  return name;
}

}  // namespace

std::string Paths::table(format::FileNumber number) const { return tables() + numbered(number, ".sst"); }
std::string Paths::blob(format::FileNumber number) const { return blobs() + numbered(number, ".blob"); }

Engine::Engine(env::Env& env, std::string path, const LightningDbConfig& config, Access access, const Tuning& tuning,
               const OpenOptions& options)
    : env_(env),
      paths_(std::move(path)),
      config_(config),
      access_(access),
      tuning_(tuning),
      default_options_(options.default_keyspace),
      time_(env.clock),
      budget_(config.cache_size),
      fixed_memory_(budget_, base::MemoryOwner::kFixed, fixed_memory(config)),
      table_files_(env.files, config.open_files_max),
      cache_(std::make_unique<cache::BlockCache>(budget_, epochs_)),
      ballast_(env.files, paths_.root, config_.ballast_bytes),
      rate_limiter_(config.background_bytes_per_second) {}

Result<std::shared_ptr<Engine>> Engine::open(env::Env& env, const std::string& path, const LightningDbConfig& config,
                                             Access access, const Tuning& tuning, const OpenOptions& options) {
  if (path.empty()) return Error(ErrorCode::kInvalidArgument, "the path of the database is empty");
  auto engine = std::shared_ptr<Engine>(new Engine(env, path, resolve(config), access, tuning, options));
  Recovery recovery(env, path, access == Access::kReadOnly, options);
  Status status = engine->register_user_code(options);
  if (status) {
    status = access == Access::kReadOnly ? engine->open_read_only(recovery)
                                         : engine->open_read_write(recovery, options.generation_min);
  }
  recovery.end(status);
  if (!status) {
    engine->release_everything();
    return Error(status.error()).while_doing("opening " + path);
  }
  engine->recovery_report_ = std::move(recovery.report());
  engine->act_on_damage_at_opening();
  return engine;
}

Status Engine::register_user_code(const OpenOptions& options) {
  for (const auto& merge_operator : options.merge_operators) LIGHTNING_TRY(merge_operators_.add(merge_operator));
  return check_options(options.default_keyspace);
}

Status Engine::open_read_write(Recovery& recovery, std::uint64_t generation_min) {
  using Stage = RecoveryStage;
  Start start;
  LIGHTNING_TRY(recovery.run(Stage::kInitialization, [&] { return look_at_directory(start); }));
  LIGHTNING_TRY(recovery.run(Stage::kLockAcquisition, [&] { return take_lock(recovery); }));
  LIGHTNING_TRY(recovery.run(Stage::kConfigurationValidation, [&] { return identify(recovery, start); }));
  recovery.skip(Stage::kKeyUnlock, "the store is not encrypted");
  LIGHTNING_TRY(recovery.run(Stage::kResourceCheck, [&] { return check_resources(recovery); }));
  LIGHTNING_TRY(recovery.run(Stage::kManifestRecovery, [&] {
    return start.is_new ? begin_state() : recover_manifest(recovery, start, generation_min);
  }));
  LIGHTNING_TRY(recovery.run(Stage::kTableInventory, [&] { return open_files(recovery); }));
  Status status = replay_log(recovery);
  if (status) status = recovery.run(Stage::kConsistencyValidation, [&] { return check_consistency(recovery); });
  bool committing = false;
  if (status) {
    status = recovery.run(Stage::kFinalization, [&] {
      committing = true;
      return finalize(recovery);
    });
  }
  if (!status && !committing) {
    // Tries that fail, again and again, must not fill the disk.
    for (format::FileNumber number = first_own_file_; number < next_file_.load(); ++number) {
      remove_table_file(number);
      remove_blob_file(number);
    }
  }
  return status;
}

Status Engine::look_at_directory(Start& start) {
  LIGHTNING_ASSIGN(start.there, env_.files.exists(paths_.root));
  if (!start.there && !config_.create_if_missing)
    return Error(ErrorCode::kDatabaseNotFound, "no such directory").at_file(paths_.root);
  return start.there ? refuse_foreign_directory() : Status();
}

Status Engine::take_lock(Recovery& recovery) {
  LIGHTNING_TRY(env_.files.create_directories(paths_.root));
  LIGHTNING_ASSIGN(lock_, env_.files.lock(paths_.lock(), env::process_description()));
  recovery.read_journal();
  return {};
}

// Which store this is. A superblock that cannot be read is the matter of the stage that needs what it names.
Status Engine::identify(Recovery& recovery, Start& start) {
  auto superblock = manifest::read_superblock(env_, paths_.root);
  if (!superblock) LIGHTNING_TRY(refuse_unfinished_restore());
  if (!superblock && superblock.error().code() == ErrorCode::kDatabaseNotFound) {
    const Status nothing_else = refuse_lost_superblock();
    if (nothing_else) {
      start.is_new = true;
    } else {
      superblock = nothing_else.error();
    }
  }
  if (!superblock && !start.is_new) {
    if (superblock.error().code() != ErrorCode::kManifestCorrupt) return std::move(superblock).error();
    start.damaged_superblock = superblock.error();
    return {};
  }
  LIGHTNING_TRY(refuse_unfinished_recovery());
  recovery.report().created = start.is_new;
  recovery.looked_at(0, 0, start.is_new ? "there is no store yet" : "format version 1, no unknown feature");
  if (superblock) superblock_ = *superblock;
  if (access_ == Access::kReadOnly) {
    if (start.is_new) return std::move(superblock).error();
    return {};
  }
  if (!start.is_new && config_.error_if_exists)
    return Error(ErrorCode::kDatabaseExists, "a database is already there").at_file(paths_.root);
  if (start.is_new && start.there && !config_.create_if_missing)
    return Error(ErrorCode::kDatabaseNotFound, "no database in this directory").at_file(paths_.root);
  return {};
}

Status Engine::open_files(Recovery& recovery) {
  for (const std::string& directory : {paths_.wal(), paths_.tables(), paths_.blobs()})
    LIGHTNING_TRY(env_.files.create_directories(directory));
  LIGHTNING_TRY(env_.files.sync_directory(paths_.root));
  return open_tables(recovery);
}

// The commit point, and what comes after it.
Status Engine::finalize(Recovery& recovery) {
  format::Epoch epoch = 0;
  wal::LogOptions log_options;
  {
    base::MutexLock lock(manifest_mutex_);
    epoch = state_.epoch;
    state_.next_file = next_file_.load();
    state_.time_ms = time_.now_ms();
    state_.durable = state_.log_floor = log_end_.last_sequence;
    state_.log_anchor = log_end_;
    begin_archiving(recovery);
    LIGHTNING_ASSIGN(manifest_, manifest::Manifest::create(env_, paths_.root, superblock_, state_,
                                                           tuning_.manifest_roll));  // the commit point
    log_options.manifest = manifest_->position();
  }
  log_options.segment_bytes = config_.wal_segment_bytes;
  log_options.integrity = config_.integrity_validation_level;
  log_options.sync_mode = config_.wal_sync_mode;
  log_options.sync_interval = config_.wal_sync_interval;
  log_options.stall_timeout = config_.write_stall_timeout;
  LIGHTNING_ASSIGN(wal_, wal::WriteAheadLog::create(env_, paths_.wal(), superblock_.store_id, epoch, log_end_,
                                                    log_options, budget_));
  LIGHTNING_TRY(hold_log_for_archive());
  LIGHTNING_TRY(remove_old_manifests());
  LIGHTNING_TRY(remove_mark_of_restore());
  LIGHTNING_TRY(quarantine_orphans(recovery));
  recovery.remove_journal();
  recovery.report().epoch = epoch;
  recovery.report().generation = log_options.manifest.generation;
  recovery.looked_at(0, 0, "generation " + std::to_string(log_options.manifest.generation) + " of the store begins");
  default_handle_ = Keyspace(default_tree_);
  start_background();
  return {};
}

Status Engine::open_read_only(Recovery& recovery) {
  // A writer beside us may compact away a table, or recycle a log segment, between our reading of the manifest and of
  // the file. Each attempt is a fresh view; a store without a writer gives the same answer every time.
  constexpr int kAttempts = 8;
  for (int attempt = 1;; ++attempt) {
    LIGHTNING_ASSIGN(const bool live_writer, env_.files.is_locked(paths_.lock()));
    beside_writer_ = live_writer;
    recovery.start_again();
    const Status opened = look_beside_writer(recovery);
    if (opened) default_handle_ = Keyspace(default_tree_);
    const bool interrupted = !opened && opened.error().code() == ErrorCode::kRecoveryInterrupted;
    if (opened || interrupted || !live_writer || attempt == kAttempts) return opened;
    {
      base::MutexLock lock(keyspaces_mutex_);
      trees_.clear();
      default_tree_.reset();
      delete tree_table_.exchange(nullptr);
    }
    base::sleep_for(std::chrono::milliseconds(2 * attempt));
  }
}

// The stages for one who only reads: nothing is locked, nothing written, and there is nothing to commit.
Status Engine::look_beside_writer(Recovery& recovery) {
  using Stage = RecoveryStage;
  Start start{.there = true};
  LIGHTNING_TRY(recovery.run(Stage::kInitialization, [] { return Status(); }));
  recovery.skip(Stage::kLockAcquisition, beside_writer_ ? "opened for reading, beside a writer" : "opened for reading");
  LIGHTNING_TRY(recovery.run(Stage::kConfigurationValidation, [&] { return identify(recovery, start); }));
  recovery.skip(Stage::kKeyUnlock, "the store is not encrypted");
  LIGHTNING_TRY(recovery.run(Stage::kResourceCheck, [&] { return check_resources(recovery); }));
  LIGHTNING_TRY(recovery.run(Stage::kManifestRecovery, [&] { return recover_manifest(recovery, start, 0); }));
  LIGHTNING_TRY(recovery.run(Stage::kTableInventory, [&] { return open_tables(recovery); }));
  LIGHTNING_TRY(replay_log(recovery));
  LIGHTNING_TRY(recovery.run(Stage::kConsistencyValidation, [&] { return check_consistency(recovery); }));
  recovery.skip(Stage::kFinalization, "opened for reading");
  return {};
}

// What the rest will need at the least, so that it does not fail half-way for the want of it.
Status Engine::check_resources(Recovery& recovery) {
  const env::MachineLimits machine = env::machine_limits();
  const std::uint64_t files_needed = 16 + 2ull * (config_.flush_threads + config_.compaction_threads);
  if (machine.open_files_max < files_needed)
    return Error(ErrorCode::kInsufficientResources, "this process may open " + std::to_string(machine.open_files_max) +
                                                        " files, and the database needs " +
                                                        std::to_string(files_needed) + " at the least")
        .with_advice("raise the limit (ulimit -n), or lower flush_threads and compaction_threads");
  if (config_.cache_size > machine.memory_bytes && machine.memory_bytes > 0)
    recovery.note(RecoveryNote::Kind::kWarning, "cache_size is " + std::to_string(config_.cache_size) +
                                                    " bytes, and this process may use " +
                                                    std::to_string(machine.memory_bytes) + " bytes of memory");
  std::string checked = std::to_string(machine.open_files_max) + " file handles, " +
                        std::to_string(config_.cache_size / kMiB) + " MiB of memory";
  if (access_ == Access::kReadWrite) {
    ballast_.find();
    LIGHTNING_ASSIGN(const std::uint64_t free, free_space(config_.wal_segment_bytes));
    LIGHTNING_TRY(check_space(config_.wal_segment_bytes, free, "a new segment of the log"));
    checked += ", " + std::to_string(free / kMiB) + " MiB of disk space";
  }
  recovery.looked_at(0, 0, std::move(checked));
  return {};
}

Status Engine::check_space(std::uint64_t needed, std::uint64_t free, std::string_view what_for) const {
  if (free >= needed) return {};
  return Error(ErrorCode::kNoSpace, std::string(what_for) + " needs " + std::to_string(needed) +
                                        " bytes of disk space, and " + std::to_string(free) + " bytes are free")
      .at_file(paths_.root)
      .with_advice("free space on this file system, and open again: nothing was changed");
}

// A directory that holds something else is left alone.
Status Engine::refuse_foreign_directory() {
  LIGHTNING_ASSIGN(const env::FileInfo info, env_.files.info(paths_.root));
  if (!info.is_directory)
    return Error(ErrorCode::kNotADatabase, "this is a file, not a directory").at_file(paths_.root);
  LIGHTNING_ASSIGN(const std::vector<std::string> names, env_.files.list(paths_.root));
  for (const std::string& name : names) {
    const bool ours = name == "LOCK" || name == manifest::kSuperblockName || name.starts_with("MANIFEST-") ||
                      name == "wal" || name == "tables" || name == "blobs" || name == "lost+found" ||
                      name == kRecoveryJournalName || name == kRestoringName || name == kRecoveringName ||
                      name == kBallastName || name == kScrubRecordName || name == "archive";
    if (ours) continue;
    // Strangers are tolerated beside a store, never taken for one.
    if (std::find(names.begin(), names.end(), manifest::kSuperblockName) != names.end()) return {};
    return Error(ErrorCode::kNotADatabase, "the directory holds '" + name + "' and no Lightning DB store")
        .at_file(paths_.root);
  }
  return {};
}

// What a restore has not finished is no database yet, whatever of it is there.
Status Engine::refuse_unfinished_restore() {
  LIGHTNING_ASSIGN(const bool restoring, env_.files.exists(paths_.root + "/" + std::string(kRestoringName)));
  if (!restoring) return {};
  return Error(ErrorCode::kNotADatabase,
               "a backup is being restored into this directory, or a repaired database made in it; or that was "
               "interrupted")
      .at_file(paths_.root)
      .with_advice("wait for the restore or repair, or begin it again");
}

// A restored backup that was to be brought forward, and was not yet.
Status Engine::refuse_unfinished_recovery() {
  if (tuning_.history != nullptr) return {};
  LIGHTNING_ASSIGN(const bool recovering, env_.files.exists(paths_.root + "/" + std::string(kRecoveringName)));
  if (!recovering) return {};
  return Error(ErrorCode::kNotADatabase,
               "a database is being recovered from an archive into this directory, or was and was interrupted")
      .at_file(paths_.root)
      .with_advice("wait for the recovery, or begin it again");
}

// Without a superblock there should be no segments or tables: else it was lost, and with it the way in.
Status Engine::refuse_lost_superblock() {
  for (const std::string& directory : {paths_.wal(), paths_.tables(), paths_.blobs()}) {
    LIGHTNING_ASSIGN(const bool there, env_.files.exists(directory));
    if (!there) continue;
    LIGHTNING_ASSIGN(const auto names, env_.files.list(directory));
    if (!names.empty())
      return Error(ErrorCode::kManifestCorrupt, "the superblock is missing, empty or damaged, but the store holds data")
          .at_file(paths_.root + "/" + std::string(manifest::kSuperblockName));
  }
  return {};
}

Status Engine::begin_state() {
  superblock_.features = format::kKnownFeatures;
  superblock_.store_id = env_.random.uid();
  superblock_.created_ns = env_.clock.wall_ns();
  manifest::VersionEdit edit;
  edit.add_keyspaces.push_back({0, std::string(kDefaultKeyspaceName), default_options_});
  base::MutexLock lock(manifest_mutex_);
  return state_.apply(edit);
}

Status Engine::recover_manifest(Recovery& recovery, const Start& start, std::uint64_t generation_min) {
  if (start.damaged_superblock) return *start.damaged_superblock;
  recovery.report().generation = superblock_.generation;
  if (superblock_.generation < generation_min)
    return Error(ErrorCode::kStaleStore, "the store is of generation " + std::to_string(superblock_.generation) +
                                             ", and one of generation " + std::to_string(generation_min) +
                                             " or later is asked for: an old copy has been put back")
        .at_file(paths_.root + "/" + std::string(manifest::kSuperblockName));
  base::MutexLock lock(manifest_mutex_);
  LIGHTNING_ASSIGN(state_, manifest::load(env_, paths_.root, superblock_, loaded_));
  recovery.report().epoch = state_.epoch;
  recovery.looked_at(
      loaded_.records, loaded_.end,
      std::to_string(loaded_.records) + " records of generation " + std::to_string(superblock_.generation));
  const std::string path = paths_.root + "/" + manifest::manifest_name(superblock_.manifest_number);
  if (loaded_.torn_bytes > 0)
    recovery.note(RecoveryNote::Kind::kRolledBack,
                  "an edit of the manifest that was being written, " + std::to_string(loaded_.torn_bytes) + " bytes",
                  path);
  const std::uint64_t wall_ms = env_.clock.wall_ns() / 1'000'000;
  if (wall_ms + kClockToleranceMs < state_.time_ms)
    recovery.note(RecoveryNote::Kind::kWarning,
                  "the system's clock is " + std::to_string(state_.time_ms - wall_ms) +
                      " ms behind what the store has seen; until it has caught up, no record expires");
  return {};
}

Status Engine::open_tables(Recovery& recovery) {
  manifest::State state;
  {
    base::MutexLock lock(manifest_mutex_);
    state = state_;
  }
  next_file_ = state.next_file;
  time_.advance_to(state.time_ms);
  // Numbers of files that an interrupted life left behind are not used again.
  for (const auto& [directory, ending] : {std::pair{paths_.tables(), ".sst"}, std::pair{paths_.blobs(), ".blob"}}) {
    LIGHTNING_ASSIGN(const bool there, env_.files.exists(directory));
    if (!there || access_ == Access::kReadOnly) continue;
    LIGHTNING_ASSIGN(const auto names, env_.files.list(directory));
    for (const std::string& name : names)
      if (const auto number = number_in(name, ending)) next_file_ = std::max(next_file_.load(), *number + 1);
  }
  first_own_file_ = next_file_.load();
  std::uint64_t tables = 0, blob_files = 0, bytes = 0, files = 0;
  for (const auto& [id, keyspace] : state.keyspaces) {
    for (const auto& level : keyspace.levels) files += level.size();
    files += keyspace.blobs.size();
  }
  const auto isolated = [&](const std::string& what, const std::string& path, const Error& damage) {
    recovery.note(RecoveryNote::Kind::kIsolated, what + ": " + damage.message(), path);
    return refuse_if_told(what, damage);
  };
  for (const auto& [id, keyspace] : state.keyspaces) {
    auto version = std::make_shared<manifest::Version>();
    for (std::uint32_t level = 0; level < manifest::kLevels; ++level) {
      for (const sstable::TableMeta& meta : keyspace.levels[level]) {
        LIGHTNING_ASSIGN(auto table, open_table(meta, false));
        if (const auto damage = table->damaged() ? table->damage() : std::nullopt)
          LIGHTNING_TRY(isolated("a table of keyspace '" + keyspace.name + "'", table->table->path(), *damage));
        version->levels[level].push_back(std::move(table));
        bytes += meta.file_bytes;
        LIGHTNING_TRY(recovery.progress(++tables + blob_files, files));
      }
    }
    version->gather_ranges();
    manifest::Version::Change blobs;
    for (const auto& [number, file] : keyspace.blobs) {
      LIGHTNING_ASSIGN(auto blob, open_blob(file.meta, false));
      if (const auto damage = blob->damaged() ? blob->damage() : std::nullopt)
        LIGHTNING_TRY(isolated("a blob file of keyspace '" + keyspace.name + "'", paths_.blob(number), *damage));
      blobs.add_blobs.push_back(std::move(blob));
      bytes += file.meta.file_bytes;
      LIGHTNING_TRY(recovery.progress(tables + ++blob_files, files));
    }
    auto tree = std::make_shared<Tree>(id, keyspace.name, keyspace.options, epochs_, budget_, version->with(blobs),
                                       keyspace.flushed);
    tree->flushed_at_open = keyspace.flushed;
    if (tree->counted()) tree->add_records(keyspace.records);
    if (tree->kept()) keeps_.store(true, std::memory_order_release);
    tree->merge_operator = merge_operators_.find(keyspace.options.merge_operator);
    if (keyspace.options.default_ttl.count() > 0) has_default_ttls_.store(true, std::memory_order_release);
    base::MutexLock lock(keyspaces_mutex_);
    if (id == 0) default_tree_ = tree;
    trees_.emplace(keyspace.name, std::move(tree));
  }
  if (!default_tree_) return Error(ErrorCode::kManifestCorrupt, "the default keyspace is missing from the manifest");
  recovery.looked_at(files, bytes,
                     std::to_string(tables) + " tables, " + std::to_string(blob_files) + " blob files, " +
                         std::to_string(bytes) + " bytes");
  base::MutexLock lock(keyspaces_mutex_);
  publish_tree_table();
  return {};
}

// Files that no version names: outputs of a job that died. They are set aside, not deleted, for a day, but for blob
// files that were never completed: those may be large, and nothing can have referred to them. What cannot be moved or
// removed stays where it is: it is in nobody's way, and no reason not to open (a mount point has a lost+found of its
// own).
Status Engine::quarantine_orphans(Recovery& recovery) {
  std::vector<format::FileNumber> live;  // tables and blob files share their numbers
  {
    base::MutexLock lock(manifest_mutex_);
    for (const auto& [id, keyspace] : state_.keyspaces) {
      for (const auto& level : keyspace.levels)
        for (const auto& meta : level) live.push_back(meta.number);
      for (const auto& [number, file] : keyspace.blobs) live.push_back(number);
    }
  }
  std::sort(live.begin(), live.end());
  const std::uint64_t now_s = env_.clock.wall_ns() / 1'000'000'000;
  for (const auto& [directory, ending] : {std::pair{paths_.tables(), ".sst"}, std::pair{paths_.blobs(), ".blob"}}) {
    LIGHTNING_ASSIGN(const auto names, env_.files.list(directory));
    for (const std::string& name : names) {
      const auto number = number_in(name, ending);
      if (number && std::binary_search(live.begin(), live.end(), *number)) continue;
      if (number && ending == std::string_view(".blob")) {
        const auto complete = blob::is_complete(env_, paths_.blob(*number));
        if (complete && !*complete) {
          remove_blob_file(*number);
          recovery.note(RecoveryNote::Kind::kRolledBack, "a blob file that was never completed", paths_.blob(*number));
          continue;
        }
      }
      const auto set_aside = [&, &from = directory]() -> Status {
        LIGHTNING_TRY(env_.files.create_directories(paths_.lost_and_found()));
        return env_.files.rename(from + "/" + name, paths_.lost_and_found() + "/" + std::to_string(now_s) + "-" + name);
      };
      if (!set_aside()) break;
      recovery.note(RecoveryNote::Kind::kSetAside, "a file that nothing names", directory + "/" + name);
    }
  }
  constexpr std::uint64_t kDaySeconds = 24 * 60 * 60;
  const auto kept = env_.files.list(paths_.lost_and_found());
  if (!kept) return {};
  for (const std::string& name : *kept) {
    unsigned long long since = 0;
    if (std::sscanf(name.c_str(), "%llu-", &since) != 1 || since + kDaySeconds >= now_s) continue;
    if (!env_.files.remove(paths_.lost_and_found() + "/" + name)) continue;
  }
  return {};
}

Status Engine::remove_old_manifests() {
  std::string current;
  {
    base::MutexLock lock(manifest_mutex_);
    current = manifest::manifest_name(manifest_->superblock().manifest_number);
  }
  LIGHTNING_ASSIGN(const auto names, env_.files.list(paths_.root));
  for (const std::string& name : names)
    if (name.starts_with("MANIFEST-") && name != current) LIGHTNING_TRY(env_.files.remove(paths_.root + "/" + name));
  return {};
}

// The restore died between its commit point and its last step. With the mark it could be begun again: it goes for good
// before there is anything to lose.
Status Engine::remove_mark_of_restore() {
  bool removed = false;
  for (const std::string_view name : {kRecoveringName, kRestoringName}) {
    const std::string mark = paths_.root + "/" + std::string(name);
    LIGHTNING_ASSIGN(const bool there, env_.files.exists(mark));
    if (!there) continue;
    LIGHTNING_TRY(env_.files.remove(mark));
    removed = true;
  }
  return removed ? env_.files.sync_directory(paths_.root) : Status();
}

void Engine::start_background() {
  flush_lane_ = std::make_unique<base::Lane>("ldb-flush", config_.flush_threads);
  compaction_lane_ = std::make_unique<base::Lane>("ldb-compact", config_.compaction_threads);
  if (space_is_short_.load()) {
    watch_for_space();
  } else {
    ballast_.hold();
  }
  update_pressure();
  schedule_compactions();
  start_scrubbing();
}

Status Engine::close() {
  if (closed_.exchange(true)) return {};
  out_of_use_.store(true, std::memory_order_release);
  if (log_archive_) log_archive_->stop();
  if (companion_) companion_->stop();
  closing_.store(true, std::memory_order_release);
  wait_for_jobs();
  Status status;
  if (wal_) {
    status = wal_->close();
    if (status) record_end_of_log();
  }
  release_everything();
  return status;
}

// A last segment that is gone or can't be read would look like one that was never written. Best effort: without it the
// store is as after a crash.
void Engine::record_end_of_log() {
  base::MutexLock lock(manifest_mutex_);
  manifest::VersionEdit edit;
  edit.durable = wal_->last_durable();
  edit.time_ms = time_.now_ms();
  if (!manifest_ || manifest_->failed() || *edit.durable <= state_.durable) return;
  if (!record(edit)) return;  // its torn record is passed over at the next opening
}

Engine::~Engine() {
  if (!close()) {
    // Nobody is left to tell: close() gives the error to those who call it.
  }
}

// Jobs see closing() and end soon. Lanes go only when no job is left that might submit to them.
void Engine::wait_for_jobs() {
  base::MutexLock lock(jobs_mutex_);
  jobs_changed_.notify_all();
  watch_ends_.notify_all();
  while (running_jobs_ > 0) jobs_changed_.wait_for(jobs_mutex_, std::chrono::milliseconds(50));
}

void Engine::release_everything() {
  closed_.store(true);
  out_of_use_.store(true);
  closing_.store(true);
  wait_for_jobs();
  for (base::Thread* const watch : {&expiry_watch_, &space_watch_, &scrub_thread_}) {
    if (!watch->joinable()) continue;
    watch->join();
    wait_for_jobs();  // for what it began just now
  }
  flush_lane_.reset();
  compaction_lane_.reset();
  wal_.reset();
  {
    base::MutexLock lock(keyspaces_mutex_);
    for (auto& [name, tree] : trees_) tree->shut();  // the caller's handles may live on
    for (const auto& dropped : dropped_trees_)
      if (const TreePtr tree = dropped.lock()) tree->shut();
    dropped_trees_.clear();
    trees_.clear();
    default_tree_.reset();
    delete tree_table_.exchange(nullptr);
  }
  epochs_.collect();
  remove_obsolete_files();
  {
    base::MutexLock lock(manifest_mutex_);
    manifest_.reset();
  }
  lock_.reset();
}

}  // namespace lightning::engine
