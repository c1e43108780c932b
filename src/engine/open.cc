// Opening, which is recovering: the stages of docs/architecture.md, "Open". Until the new superblock is written,
// nothing that an earlier life of the store left is changed; a crash anywhere leads to the same start.
#include <algorithm>
#include <cstdio>

#include "engine/database_iterator.h"
#include "engine/engine.h"
#include "format/batch.h"
#include "format/merging_iterator.h"

namespace lightning::engine {

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

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
      rate_limiter_(config.background_bytes_per_second) {}

Result<std::shared_ptr<Engine>> Engine::open(env::Env& env, const std::string& path, const LightningDbConfig& config,
                                             Access access, const Tuning& tuning, const OpenOptions& options) {
  if (path.empty()) return Error(ErrorCode::kInvalidArgument, "the path of the database is empty");
  auto engine = std::shared_ptr<Engine>(new Engine(env, path, resolve(config), access, tuning, options));
  Status status = engine->register_user_code(options);
  if (status) status = access == Access::kReadOnly ? engine->open_read_only() : engine->open_read_write();
  if (!status) {
    engine->release_everything();
    return Error(status.error()).while_doing("opening " + path);
  }
  return engine;
}

Status Engine::register_user_code(const OpenOptions& options) {
  for (const auto& merge_operator : options.merge_operators) LIGHTNING_TRY(merge_operators_.add(merge_operator));
  return check_options(options.default_keyspace);
}

Status Engine::open_read_write() {
  LIGHTNING_ASSIGN(const bool there, env_.files.exists(paths_.root));
  if (!there && !config_.create_if_missing)
    return Error(ErrorCode::kDatabaseNotFound, "no such directory").at_file(paths_.root);
  if (there) LIGHTNING_TRY(refuse_foreign_directory());
  LIGHTNING_TRY(env_.files.create_directories(paths_.root));
  LIGHTNING_ASSIGN(lock_, env_.files.lock(paths_.lock(), env::process_description()));

  LIGHTNING_ASSIGN(const bool is_new, load_or_create_state());
  if (!is_new && config_.error_if_exists)
    return Error(ErrorCode::kDatabaseExists, "a database is already there").at_file(paths_.root);
  if (is_new && there && !config_.create_if_missing)
    return Error(ErrorCode::kDatabaseNotFound, "no database in this directory").at_file(paths_.root);
  for (const std::string& directory : {paths_.wal(), paths_.tables(), paths_.blobs()})
    LIGHTNING_TRY(env_.files.create_directories(directory));
  LIGHTNING_TRY(env_.files.sync_directory(paths_.root));

  LIGHTNING_TRY(open_tables());
  const format::FileNumber first_new = next_file_.load();
  if (auto replayed = replay_into_tables(); !replayed) {
    // Tries that fail, again and again, must not fill the disk.
    for (format::FileNumber number = first_new; number < next_file_.load(); ++number) {
      remove_table_file(number);
      remove_blob_file(number);
    }
    return replayed;
  }
  format::Epoch epoch = 0;
  wal::LogOptions log_options;
  {
    base::MutexLock lock(manifest_mutex_);
    epoch = state_.epoch;
    state_.next_file = next_file_.load();
    state_.time_ms = time_.now_ms();
    state_.durable = state_.log_floor = log_end_.last_sequence;
    state_.log_anchor = log_end_;
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
  LIGHTNING_TRY(wal_->remove_older_segments());
  LIGHTNING_TRY(remove_old_manifests());
  LIGHTNING_TRY(quarantine_orphans());
  default_handle_ = Keyspace(default_tree_);
  start_background();
  return {};
}

Status Engine::replay_into_tables() {
  LIGHTNING_TRY(replay_log());
  for (const TreePtr& tree : all_trees()) LIGHTNING_TRY(flush_replayed(*tree, visible()));
  return env_.files.sync_directory(paths_.tables());
}

Status Engine::open_read_only() {
  // A writer beside us may compact away a table, or recycle a log segment, between our reading of the manifest and of
  // the file. Each attempt is a fresh view; a store without a writer gives the same answer every time.
  constexpr int kAttempts = 8;
  for (int attempt = 1;; ++attempt) {
    LIGHTNING_ASSIGN(const bool live_writer, env_.files.is_locked(paths_.lock()));
    beside_writer_ = live_writer;
    const Status status = [&]() -> Status {
      auto superblock = manifest::read_superblock(env_, paths_.root);
      if (!superblock) {
        if (superblock.error().code() == ErrorCode::kDatabaseNotFound) LIGHTNING_TRY(refuse_lost_superblock());
        return std::move(superblock).error();
      }
      superblock_ = *superblock;
      base::MutexLock lock(manifest_mutex_);
      LIGHTNING_ASSIGN(state_, manifest::load(env_, paths_.root, superblock_, loaded_));
      return {};
    }();
    Status opened = status;
    if (opened) opened = open_tables();
    if (opened) opened = replay_log();
    if (opened) default_handle_ = Keyspace(default_tree_);
    if (opened || !live_writer || attempt == kAttempts) return opened;
    {
      base::MutexLock lock(keyspaces_mutex_);
      trees_.clear();
      default_tree_.reset();
      delete tree_table_.exchange(nullptr);
    }
    base::sleep_for(std::chrono::milliseconds(2 * attempt));
  }
}

// A directory that holds something else is left alone.
Status Engine::refuse_foreign_directory() {
  LIGHTNING_ASSIGN(const env::FileInfo info, env_.files.info(paths_.root));
  if (!info.is_directory)
    return Error(ErrorCode::kNotADatabase, "this is a file, not a directory").at_file(paths_.root);
  LIGHTNING_ASSIGN(const std::vector<std::string> names, env_.files.list(paths_.root));
  for (const std::string& name : names) {
    const bool ours = name == "LOCK" || name == manifest::kSuperblockName || name.starts_with("MANIFEST-") ||
                      name == "wal" || name == "tables" || name == "blobs" || name == "lost+found";
    if (ours) continue;
    // Strangers are tolerated beside a store, never taken for one.
    if (std::find(names.begin(), names.end(), manifest::kSuperblockName) != names.end()) return {};
    return Error(ErrorCode::kNotADatabase, "the directory holds '" + name + "' and no Lightning DB store")
        .at_file(paths_.root);
  }
  return {};
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

Result<bool> Engine::load_or_create_state() {
  base::MutexLock lock(manifest_mutex_);
  auto superblock = manifest::read_superblock(env_, paths_.root);
  if (superblock) {
    superblock_ = *superblock;
    LIGHTNING_ASSIGN(state_, manifest::load(env_, paths_.root, superblock_, loaded_));
    return false;
  }
  if (superblock.error().code() != ErrorCode::kDatabaseNotFound) return std::move(superblock).error();
  LIGHTNING_TRY(refuse_lost_superblock());
  superblock_.features = format::kKnownFeatures;
  superblock_.store_id = env_.random.uid();
  superblock_.created_ns = env_.clock.wall_ns();
  manifest::VersionEdit edit;
  edit.add_keyspaces.push_back({0, std::string(kDefaultKeyspaceName), default_options_});
  LIGHTNING_TRY(state_.apply(edit));
  return true;
}

Status Engine::open_tables() {
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
  for (const auto& [id, keyspace] : state.keyspaces) {
    auto version = std::make_shared<manifest::Version>();
    for (std::uint32_t level = 0; level < manifest::kLevels; ++level) {
      for (const sstable::TableMeta& meta : keyspace.levels[level]) {
        LIGHTNING_ASSIGN(auto table, open_table(meta, false));
        version->levels[level].push_back(std::move(table));
      }
    }
    LIGHTNING_TRY(version->validate());
    version->gather_ranges();
    manifest::Version::Change blobs;
    for (const auto& [number, file] : keyspace.blobs) {
      LIGHTNING_ASSIGN(auto blob, open_blob(file.meta, false));
      blobs.add_blobs.push_back(std::move(blob));
    }
    auto tree = std::make_shared<Tree>(id, keyspace.name, keyspace.options, epochs_, budget_, version->with(blobs),
                                       keyspace.flushed);
    if (tree->counted()) tree->add_records(keyspace.records);
    if (tree->kept()) keeps_.store(true, std::memory_order_release);
    tree->merge_operator = merge_operators_.find(keyspace.options.merge_operator);
    if (keyspace.options.default_ttl.count() > 0) has_default_ttls_.store(true, std::memory_order_release);
    base::MutexLock lock(keyspaces_mutex_);
    if (id == 0) default_tree_ = tree;
    trees_.emplace(keyspace.name, std::move(tree));
  }
  if (!default_tree_) return Error(ErrorCode::kManifestCorrupt, "the default keyspace is missing from the manifest");
  base::MutexLock lock(keyspaces_mutex_);
  publish_tree_table();
  return {};
}

Status Engine::replay_log() {
  manifest::State state;
  {
    base::MutexLock lock(manifest_mutex_);
    state = state_;
  }
  wal::ReplayOptions options;
  options.known_durable = state.durable;
  options.start = state.log_floor;
  options.anchor = state.log_anchor;
  const TreeTable& trees = *tree_table_.load();
  std::uint64_t applied_bytes = 0, log_bytes = 0;
  bool fits = true;
  const auto apply = [&](const wal::RecoveredCommit& commit) -> Status {
    log_bytes += commit.payload.size();
    time_.advance_to(commit.commit_time_ns / 1'000'000);
    if (access_ == Access::kReadOnly && fits) fits = has_room_for(commit.payload.size());
    if (!fits) return {};  // only counts: the error says how much there is
    applied_bytes = log_bytes;
    Sequence sequence = commit.first_sequence;
    format::BatchReader reader(commit.payload);
    for (; reader.next(); ++sequence) {
      const format::Operation& operation = reader.operation();
      Tree* tree = trees.find(operation.keyspace);
      if (tree == nullptr) {
        // The keyspace was dropped after this write; one that never existed would be damage.
        if (operation.keyspace < state.next_keyspace) continue;
        return Error(ErrorCode::kWalCorrupt,
                     "a log record writes to keyspace " + std::to_string(operation.keyspace) + ", which never existed");
      }
      if (sequence <= state.keyspaces.at(operation.keyspace).flushed) continue;
      if (operation.type == format::EntryType::kBlobReference) LIGHTNING_TRY(attach_blob(*tree, operation.value));
      memtable::MemTable& memtable = tree->active();
      if (operation.type == format::EntryType::kEraseRange) {
        memtable.add_ranges({{operation.key, operation.value, sequence}}, /*unread=*/true);
      } else {
        LIGHTNING_TRY(memtable.reserve(1, operation.key.size() + operation.value.size()));
        memtable.add({operation.key, sequence, operation.type, operation.value});
      }
      if (tree->counted()) tree->add_records(operation.count_change());
      if (access_ == Access::kReadWrite && memtable.memory_bytes() >= memtable_limit()) {
        LIGHTNING_TRY(flush_replayed(*tree, sequence));
      }
    }
    return reader.status();
  };
  LIGHTNING_ASSIGN(const bool there, env_.files.exists(paths_.wal()));
  if (there) {
    LIGHTNING_ASSIGN(const wal::ReplayReport report,
                     wal::replay(env_, paths_.wal(), superblock_.store_id, options, apply));
    LIGHTNING_TRY(check_manifest_end(report.manifest));
    if (!fits) return too_long_for_memory(applied_bytes, log_bytes);
    log_end_ = report.end;
  } else if (std::max(state.durable, state.log_anchor.last_sequence) > state.log_floor) {
    return Error(ErrorCode::kWalMissing, "the directory of the log is missing: writes behind sequence " +
                                             std::to_string(state.log_floor) + " were in it only")
        .at_file(paths_.wal());
  } else {
    log_end_ = state.log_anchor;
  }
  visible_.store(log_end_.last_sequence, std::memory_order_release);
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
  const double share = applied_bytes < kMiB ? 2.0 : static_cast<double>(memtables) / static_cast<double>(applied_bytes);
  const auto entries = memtables + static_cast<std::uint64_t>(share * static_cast<double>(log_bytes - applied_bytes));
  const std::uint64_t needed =
      std::min(2 * entries, (entries + budget_.held(base::MemoryOwner::kFiltersAndIndexes)) / 15 * 16) + kMiB;
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
    LIGHTNING_TRY(settle_garbage(tree, *view->version, garbage, edit, change));
    LIGHTNING_TRY(state_.apply(edit));
  }
  tree.install(view->version->with(change), format::kSequenceMax);
  return {};
}

// Files that no version names: outputs of a job that died. They are set aside, not deleted, for a day, but for blob
// files that were never completed: those may be large, and nothing can have referred to them. What cannot be moved or
// removed stays where it is: it is in nobody's way, and no reason not to open (a mount point has a lost+found of its
// own).
Status Engine::quarantine_orphans() {
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
          continue;
        }
      }
      const auto set_aside = [&, &from = directory]() -> Status {
        LIGHTNING_TRY(env_.files.create_directories(paths_.lost_and_found()));
        return env_.files.rename(from + "/" + name, paths_.lost_and_found() + "/" + std::to_string(now_s) + "-" + name);
      };
      if (!set_aside()) break;
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

void Engine::start_background() {
  flush_lane_ = std::make_unique<base::Lane>("ldb-flush", config_.flush_threads);
  compaction_lane_ = std::make_unique<base::Lane>("ldb-compact", config_.compaction_threads);
  update_pressure();
  schedule_compactions();
}

Status Engine::close() {
  if (closed_.exchange(true)) return {};
  if (companion_) companion_->stop();
  closing_.store(true, std::memory_order_release);
  wait_for_jobs();
  Status status;
  if (wal_) status = wal_->close();
  release_everything();
  return status;
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
  closing_.store(true);
  wait_for_jobs();
  if (expiry_watch_.joinable()) {
    expiry_watch_.join();
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
