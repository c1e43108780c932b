// Engine: introduces log, memtables, tables, manifest and compaction to each other. The database behind the public API.
//
// The four laws, each with its crash test: log before memory; sync before acknowledging; apply before publishing;
// record new tables durably before deleting old ones.
//
// One file per question: open.cc (recovery and closing; recovery.h keeps its book), replay.cc (the log's part in it),
// write.cc (commit pipeline and back-pressure), read.cc (point reads), background.cc (flush and compaction), install.cc
// (what becomes durable of them, and how much log is needed), blobs.cc (large values: their files and their garbage),
// space.cc (a full disk), damage.cc (what damage of one file stops), scrub.cc (reads all of it in the background),
// check.cc, upkeep.cc (compact_range, sizes, statistics), checkpoint.cc (a moment held in place for copying),
// archiving.cc (the log held back for its archive), keyspaces.cc.
//
// Threads: any method from any thread between open() and close().
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/epoch.h"
#include "base/executor.h"
#include "base/memory_budget.h"
#include "base/sync.h"
#include "cache/block_cache.h"
#include "compaction/merge.h"
#include "compaction/pick.h"
#include "compaction/range_retention.h"
#include "engine/ballast.h"
#include "engine/checkpoint.h"
#include "engine/clock.h"
#include "engine/counters.h"
#include "engine/resolve.h"
#include "engine/scrub.h"
#include "engine/snapshots.h"
#include "engine/tree.h"
#include "engine/tuning.h"
#include "engine/write_arbiter.h"
#include "engine/write_gate.h"
#include "env/env.h"
#include "env/open_files.h"
#include "format/merge_operators.h"
#include "lightning/database.h"
#include "lightning/open_options.h"
#include "manifest/manifest.h"
#include "wal/wal.h"

namespace lightning::engine {

struct CountedMoment {
  Snapshot at;
  std::optional<std::uint64_t> records;  // none: writes have stopped half-way
};

class DatabaseIterator;
class Recovery;
class ValueSource;
class ValueStream;

// A file that is there while a backup is restored into the directory, which is no store before it is done.
inline constexpr std::string_view kRestoringName = "RESTORING";
// The same for a restored backup that is still to be brought forward: who opens it without a History is refused.
inline constexpr std::string_view kRecoveringName = "RECOVERING";

// Names inside a store's directory.
struct Paths {
  explicit Paths(std::string directory) : root(std::move(directory)) {}
  std::string lock() const { return root + "/LOCK"; }
  std::string wal() const { return root + "/wal"; }
  std::string tables() const { return root + "/tables"; }
  std::string blobs() const { return root + "/blobs"; }
  std::string archive() const { return root + "/archive"; }  // what waits to go into the archive
  std::string lost_and_found() const { return root + "/lost+found"; }
  std::string table(format::FileNumber number) const;
  std::string blob(format::FileNumber number) const;
  const std::string root;
};

// What a user may call a keyspace (kInvalidArgument), and what an attached one is called.
Status check_keyspace_name(std::string_view name);
std::string attached_name(std::string_view owner, std::string_view name);

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  enum class Access : std::uint8_t { kReadWrite, kReadOnly };
  static Result<std::shared_ptr<Engine>> open(env::Env& env, const std::string& path, const LightningDbConfig& config,
                                              Access access, const Tuning& tuning = {},
                                              const OpenOptions& options = {});
  ~Engine();
  Status close();

  // --- keyspaces (keyspaces.cc)
  // The default keyspace's handle: no lock, no reference count touched.
  const Keyspace& default_keyspace() const { return default_handle_; }
  Result<Keyspace> create_keyspace(std::string_view name, const KeyspaceOptions& options = {});
  Result<Keyspace> keyspace(std::string_view name) const;
  Status drop_keyspace(std::string_view name);
  Status check_options(const KeyspaceOptions& options) const;
  std::vector<std::string> keyspaces() const;
  // Attached keyspaces are hidden, and go with their owner. What `definition` says is for the layer above; when it is
  // changed, everything written before is durable first.
  struct Attached {
    Keyspace keyspace, owner;
    std::string definition;
  };
  std::vector<Attached> attached();
  // A new one, and in the same step `replaces`, if it is not empty, goes. No keeper writes to that one any more.
  Result<Keyspace> attach(const Keyspace& owner, std::string_view name, std::string_view definition,
                          const Keyspace& replaces = {});
  Status redefine(const Keyspace& attached, std::string_view definition);
  Status detach(const Keyspace& attached);  // drops it; no keeper writes to it any more
  // From the return on, each write to the keyspace asks this keeper. The handle is one of this database.
  void set_keeper(const Keyspace& keyspace, std::shared_ptr<const Keeper> keeper);
  // The tree behind a handle; kKeyspaceNotFound if it was dropped, kInvalidArgument if it belongs to another database.
  Result<Tree*> tree_of(const Keyspace& keyspace) const;
  static Keyspace handle_of(TreePtr tree) { return Keyspace(std::move(tree)); }
  // Without looking whether it is still there.
  static Tree* tree_behind(const Keyspace& keyspace) { return keyspace.tree_.get(); }

  // --- writes (write.cc)
  Status put(const Keyspace& keyspace, std::string_view key, std::string_view value, const WriteOptions& options);
  Status merge(const Keyspace& keyspace, std::string_view key, std::string_view operand, Durability durability);
  Status erase(const Keyspace& keyspace, std::string_view key, Durability durability);
  Status erase_range(const Keyspace& keyspace, const KeyRange& range, Durability durability);
  // With `admission`: as a transaction; it answers when it is asked (write_arbiter.h).
  Result<Sequence> write(std::string_view batch, std::uint32_t operations, Durability durability,
                         Admission* admission = nullptr);
  Status sync();
  // --- what is settled before a write (settle.cc)
  // Whether a put without a lifetime may get one.
  bool has_default_ttls() const { return has_default_ttls_.load(std::memory_order_acquire); }
  // The moment at which a record that is put into `tree` now expires; 0: never.
  Result<std::uint64_t> expiry_of(const Tree& tree, const Lifetime& lifetime) const;
  // kInvalidArgument, kMergeOperatorMissing if `operand` cannot be merged into what `tree` holds. Runs user code.
  Status check_operand(const Tree& tree, std::string_view operand) const;
  // The batch as it can be written: with every lifetime as a moment, all operands checked. `lifetime` is that of puts
  // without one. Not inside the gate.
  Result<std::string> settle(std::string_view batch, const Lifetime& lifetime);
  // What lives beside the engine and must come to an end before it closes.
  class Companion {
   public:
    virtual ~Companion() = default;
    virtual void stop() = 0;
  };
  void set_companion(std::unique_ptr<Companion> companion) { companion_ = std::move(companion); }  // once, at opening
  Companion* companion() const { return companion_.get(); }
  // What archives the log. Stopped first, while everything still works.
  class LogArchive : public Companion {
   public:
    virtual void wake() = 0;  // a segment of the log is full. From any thread, without locks
  };
  void set_log_archive(std::unique_ptr<LogArchive> archive) { log_archive_ = std::move(archive); }  // once, at opening
  // From the return on, writes are arbitrated, but for those with an admission of their own: all of them, or those to
  // kept keyspaces (tree.h). A second arbiter is dropped, and the first one used.
  enum class Arbitrated : std::uint8_t { kKeptKeyspaces, kAll };
  WriteArbiter& set_arbiter(std::unique_ptr<WriteArbiter> arbiter, Arbitrated which);
  WriteArbiter* arbiter() const { return arbiter_.load(std::memory_order_acquire); }
  bool arbitrates_all() const { return arbitrates_all_.load(std::memory_order_acquire); }
  // Whether any keyspace is kept, and whether any has a keeper.
  bool keeps() const { return keeps_.load(std::memory_order_acquire); }
  bool has_keepers() const { return has_keepers_.load(std::memory_order_acquire); }
  // While it lives, no keyspace goes away and no keeper changes. Not to be held during I/O, nor twice.
  WriteGate::Pass pass_gate() { return WriteGate::Pass(gate_); }
  // The keyspace with this id, inside a WriteGate pass; null if there is none.
  Tree* tree_of(format::KeyspaceId id) const { return tree_table_.load(std::memory_order_acquire)->find(id); }
  // Waits until every write that is inside the gate has left it: what they wrote is in the memtables, and those who
  // come after see what the caller did before.
  void drain_writers() { const WriteGate::Closure closed(gate_); }
  Status check_writable();
  // kNoSpace while the disk is full, but for a batch that only erases.
  Status refuse_growth(std::string_view payload);
  static Status check_sizes(std::string_view key, std::string_view value);

  // --- reads (read.cc)
  Result<bool> get(const Keyspace& keyspace, std::string_view key, std::string& value, const ReadOptions& options);
  Status get(const Keyspace& keyspace, std::string_view key, PinnedValue& value, const ReadOptions& options);
  Status multi_get(const Keyspace& keyspace, std::span<const std::string_view> keys, std::span<PinnedValue> values,
                   const ReadOptions& options);
  Result<TimeToLive> ttl(const Keyspace& keyspace, std::string_view key, const ReadOptions& options);
  // What the key holds, with all that is known of it. `use` is called while the bytes are in place.
  Status look_at(const Keyspace& keyspace, std::string_view key, const ReadOptions& options,
                 const std::function<void(const Held&)>& use);
  Result<std::unique_ptr<DatabaseIterator>> iterate(const Keyspace& keyspace, const IterateOptions& options);
  void take_snapshot(LiveSnapshot& live) {
    snapshots_.add(live, [this] { return visible(); });
  }
  void release_snapshot(LiveSnapshot& live) { snapshots_.remove(live); }
  Snapshot snapshot(std::string_view owner);
  // For reads at a sequence that the caller, or nobody, pins.
  static Snapshot unpinned(Sequence at) { return Snapshot(at); }
  const SnapshotList& snapshots() const { return snapshots_; }
  // For those who resolve what a key holds themselves.
  std::uint64_t now_ms() const { return time_.now_ms(); }  // what decides whether a record has expired
  ReadRules read_rules(const Tree& tree) const { return {tree.merge_operator, &tree.options, &time_}; }

  // --- values in pieces (value_stream.cc, read.cc)
  Result<std::unique_ptr<ValueStream>> put_stream(const Keyspace& keyspace, std::string_view key);
  Result<std::unique_ptr<ValueSource>> get_stream(const Keyspace& keyspace, std::string_view key,
                                                  const ReadOptions& options);  // null: no such key
  // For streams.
  const Tuning& tuning() const { return tuning_; }
  Result<std::unique_ptr<blob::BlobWriter>> begin_blob();
  Status attach_streamed(Tree& tree, const blob::FileMeta& meta);
  void detach_streamed(Tree& tree, format::FileNumber number);
  void discard_blob(format::FileNumber number) { remove_blob_file(number); }

  // --- upkeep (upkeep.cc, background.cc)
  Status flush();
  Status wait_for_flushes(Sequence through);
  Status compact_range(const Keyspace& keyspace, const KeyRange& range, const CompactOptions& options);
  Status wait_for_background_work();
  Result<RecordCount> count(const Keyspace& keyspace);
  // Until every write that has come through the gate before is visible.
  Status wait_for_writes();
  // A snapshot, and how many records a counted keyspace holds in it.
  Result<CountedMoment> counted_moment(const Keyspace& keyspace);
  Result<std::uint64_t> approximate_size(const Keyspace& keyspace, const KeyRange& range);
  Result<CheckReport> check(const CheckOptions& options);
  Statistics stats();
  const std::string& path() const { return paths_.root; }
  const RecoveryReport& recovery_report() const { return recovery_report_; }  // of the opening
  env::Env& env() const { return env_; }
  const LightningDbConfig& config() const { return config_; }
  // Of keys and values per write since open; 0 before the first.
  std::uint64_t mean_write_bytes() const;
  Sequence visible() const { return visible_.load(std::memory_order_acquire); }
  // Of the newest write that has a place in the log, applied or not.
  Sequence newest_logged() const { return wal_->last_reserved(); }

  // --- copies (checkpoint.h, checkpoint.cc)
  // Everything that was written before, as a moment that stays until the last pointer is gone. On a database that takes
  // writes the log is synced up to there; one that has stopped them gives what is in its memory. Errors: kClosed,
  // kBusy, kSyncFailed.
  Result<std::shared_ptr<Checkpoint>> checkpoint();
  // Once. Errors: of target's functions, kNoSpace, kIo, and damage of what the memtables refer to.
  Status write_out(Checkpoint& checkpoint, const CheckpointTarget& target);
  // Reads a copy and verifies every block against the tags below `meta.root`. `before_read` as for Table::check(); the
  // caller knows whether it has said stop. Errors: kTableCorrupt, kBlobCorrupt, kIo.
  Status check_copy(const sstable::TableMeta& meta, const std::string& path,
                    const std::function<bool(std::uint64_t)>& before_read);
  Status check_copy(const blob::FileMeta& meta, const std::string& path,
                    const std::function<bool(std::uint64_t)>& before_read);
  // Removes the files of which the last reader has let go.
  void collect_dropped();
  std::string table_path(format::FileNumber number) const { return paths_.table(number); }
  std::string blob_path(format::FileNumber number) const { return paths_.blob(number); }
  // --- archiving (archiving.cc): for the LogArchive, from one thread
  bool archives() const { return !config_.archive_directory.empty() || !config_.archive_command.empty(); }
  struct ArchiveWork {
    manifest::VersionEdit::ArchiveMark mark;
    Sequence durable = 0;                                        // of the log; at least `mark.position`
    std::vector<manifest::VersionEdit::KeyspaceChange> changes;  // all that were made up to there, perhaps more
    format::Epoch epoch = 0;
    std::uint64_t known_until_ns = 0;  // wall time: what is behind `durable` was committed then or later
  };
  // Syncs the log. Errors: kSyncFailed.
  Result<ArchiveWork> archive_work();
  // The log behind `from`, until `visit` answers with an error, which is returned. It must do so at or before what is
  // durable. kBusy: segments came and went meanwhile; again.
  Status read_log(wal::LogPosition from, const std::function<Status(const wal::RecoveredCommit&)>& visit);
  // The archive has everything up to the mark, durably: the log may go.
  Status note_archived(const manifest::VersionEdit::ArchiveMark& mark);
  // Counters and the error, for the statistics.
  void note_archive_state(const ArchiveStatistics& now);
  std::string archive_waiting_path() const { return paths_.archive(); }
  const format::Uid& store_id() const { return superblock_.store_id; }

  bool is_closing() const { return closing(); }
  bool is_beside_writer() const { return beside_writer_; }
  bool is_read_only() const { return access_ == Access::kReadOnly; }

  // For iterators.
  // The large value that a reference in `view` stands for; the view is pinned, and no epoch is held. Its block, pinned.
  Result<cache::Block*> pin_large(const ReadView& view, std::string_view key, std::string_view encoded, bool fill,
                                  std::string_view& value);
  Status read_large(const ReadView& view, std::string_view key, std::string_view encoded, bool fill,
                    std::string& value);
  // Takes note of what was met in a blob file; the error with the key in it.
  Error large_damage(const manifest::Version& version, std::string_view key, const Error& error);
  // The same without cache and without taking note of damage.
  static Status load_large(const manifest::Version& version, std::string_view key, std::string_view encoded,
                           std::string& value);
  // True if `error` is about a table of `version`, which from now on counts as damaged: so much is settled.
  bool note_damage(const manifest::Version& version, const Error& error);
  // Whether damage has stopped reads, and what they answer then.
  bool is_halted() const { return halted_.load(std::memory_order_relaxed); }
  Error halted() const;
  void count(Counter counter, std::uint64_t amount) { counters_.add(counter, amount); }
  // The time now if this call is one of those whose latency is measured, else 0.
  std::uint64_t begin_timing() {
    return config_.enable_statistics && counters_.sample() ? env_.clock.monotonic_ns() : 0;
  }
  // A move of a cursor met `passed` erased entries, more than the bound, in the memtable that began behind `after`.
  void note_in_the_way(format::KeyspaceId keyspace, Sequence after, std::uint64_t passed);
  void end_seek(std::uint64_t begun_ns) {
    if (begun_ns != 0) latencies_.seek.record(env_.clock.monotonic_ns() - begun_ns);
  }

 private:
  Engine(env::Env& env, std::string path, const LightningDbConfig& config, Access access, const Tuning& tuning,
         const OpenOptions& options);
  Status register_user_code(const OpenOptions& options);

  // --- open.cc
  Status open_read_write(Recovery& recovery, std::uint64_t generation_min);
  Status open_read_only(Recovery& recovery);
  Status look_beside_writer(Recovery& recovery);
  Status check_resources(Recovery& recovery);
  Status check_space(std::uint64_t needed, std::uint64_t free, std::string_view what_for) const;
  struct Start {  // what the first stages found out
    bool there = false, is_new = false;
    std::optional<Error> damaged_superblock = {};
  };
  Status look_at_directory(Start& start);
  Status take_lock(Recovery& recovery);
  Status identify(Recovery& recovery, Start& start);
  Status begin_state();
  Status recover_manifest(Recovery& recovery, const Start& start, std::uint64_t generation_min);
  Status open_files(Recovery& recovery);
  Status refuse_foreign_directory();
  Status refuse_unfinished_restore();
  Status refuse_unfinished_recovery();
  Status refuse_lost_superblock();
  Status open_tables(Recovery& recovery);
  Status finalize(Recovery& recovery);
  Status quarantine_orphans(Recovery& recovery);
  Status remove_old_manifests();
  Status remove_mark_of_restore();
  void start_background();
  void wait_for_jobs();
  void record_end_of_log();
  void release_everything();

  // --- replay.cc
  Status replay_log(Recovery& recovery);
  Status find_log(Recovery& recovery, const wal::ReplayOptions& options, std::optional<wal::LogReplay>& log);
  Status validate_log(Recovery& recovery, const wal::LogReplay& log, std::uint64_t& bytes);
  Status apply_log(Recovery& recovery, const wal::LogReplay& log, std::uint64_t bytes);
  Status apply_commit(const wal::RecoveredCommit& commit);
  Status check_consistency(Recovery& recovery);
  Status check_manifest_end(const wal::ManifestPosition& known) const;
  bool has_room_for(std::uint64_t bytes) const;
  Error too_long_for_memory(std::uint64_t applied_bytes, std::uint64_t log_bytes) const;
  Status flush_replayed(Tree& tree, Sequence last);

  // --- archiving.cc
  void begin_archiving(Recovery& recovery) LIGHTNING_REQUIRES(manifest_mutex_);
  Status hold_log_for_archive();
  void tell_archive(manifest::VersionEdit& edit) LIGHTNING_REQUIRES(manifest_mutex_);
  Status keep_for_archive(format::FileNumber blob);
  void show_archived(const manifest::VersionEdit::ArchiveMark& mark);
  void add_archive_statistics(Statistics& stats);
  bool archive_is_behind() const;
  void log_has_grown();
  Status apply_change(manifest::VersionEdit change, Sequence at);
  Status apply_history(Recovery& recovery);

  // --- keyspaces.cc
  // Trees by id, for batches; replaced whole, reached inside a gate pass or under keyspaces_mutex_.
  // Open addressing: ids are dense as long as no keyspace is dropped, and then each has the first place it looks at;
  // afterwards the table is as large as the living need, not as the ids that were ever given.
  class TreeTable {
   public:
    explicit TreeTable(const std::map<std::string, TreePtr, std::less<>>& trees);
    Tree* find(format::KeyspaceId id) const {
      for (std::size_t i = id & mask_;; i = (i + 1) & mask_)
        if (places_[i].tree == nullptr || places_[i].id == id) return places_[i].tree;
    }

   private:
    struct Place {
      format::KeyspaceId id = 0;
      Tree* tree = nullptr;
    };
    std::vector<Place> places_;  // at least half of them empty
    std::size_t mask_;
  };
  void publish_tree_table() LIGHTNING_REQUIRES(keyspaces_mutex_);
  std::vector<TreePtr> all_trees() const;
  Result<Keyspace> add_tree(std::string_view name, const KeyspaceOptions& options);
  struct NewTree {
    std::string name;
    KeyspaceOptions options = {};
    std::optional<manifest::KeyspaceState::Attachment> attachment = {};
  };
  Result<TreePtr> change_trees(const std::vector<TreePtr>& drops, std::optional<NewTree> add)
      LIGHTNING_REQUIRES(keyspaces_mutex_);
  void let_go_of(std::vector<TreePtr> dropped);
  std::vector<TreePtr> attached_to(format::KeyspaceId owner) LIGHTNING_REQUIRES(keyspaces_mutex_);

  // --- write.cc
  Status write_one(const Keyspace& keyspace, Tree* tree, format::EntryType type, std::string_view key,
                   std::string_view value, Durability durability);
  class BatchTarget;
  template <class Target>
  Result<Sequence> commit(std::string_view payload, std::uint32_t operations, Durability durability, Target& target,
                          Admission* admission);
  template <class Target>
  Result<wal::WriteAheadLog::Ticket> log_and_apply(std::string_view payload, std::uint32_t operations, bool sync,
                                                   Target& target, Tree*& fullest);
  Status hold_back(std::string_view payload);  // back-pressure
  Error stalled(std::uint64_t waited_ns, bool for_archive) LIGHTNING_REQUIRES(jobs_mutex_);
  void publish(Sequence sequence);
  void fail_writes(const Error& error);

  // --- read.cc
  struct Found;
  Sequence sequence_for(const Snapshot* snapshot) const;
  static bool too_old(const Snapshot* snapshot);
  Error snapshot_too_old(const Snapshot& snapshot) const;
  enum class Lookup : std::uint8_t { kFound, kAbsent, kMiss };
  static Lookup find_in_memory(const ReadView& view, std::string_view key, Sequence at, Found& found);
  static Lookup find_newest(const ReadView& view, std::string_view key, Sequence at, Found& found);
  static Sequence hidden_before(const ReadView& view, std::string_view key, Sequence at);
  Result<bool> find_with_io(const ReadView& view, std::string_view key, Sequence at, Sequence hidden, bool fill_cache,
                            Found& found);
  void count_filters(const Found& found);
  static void pin_found(const ReadView& view, const Found& found, std::string_view bytes, PinnedValue& value);
  static Status expire(const ReadRules& rules, Found& found);
  static bool walk_operands(std::string_view key, Sequence hidden, Found& found, Resolver& resolver);
  // What a key holds whose newest version does not say so alone. The view is pinned, and no epoch is held.
  template <class Use>
  Status resolve_versions(const ReadView& view, const ReadRules& rules, std::string_view key, Sequence at,
                          bool fill_cache, Found& found, const Use& use);
  Status pin_resolved(const ReadView& view, const ReadRules& rules, std::string_view key, Sequence at, bool fill_cache,
                      PinnedValue& value);
  void prefetch(const ReadView& view, std::span<const std::string_view> keys) const;
  void load_missing(const ReadView& view, std::span<const std::string_view> keys, std::span<const std::size_t> missing,
                    Sequence at, bool fill_cache);

  // --- install.cc
  Status record(const manifest::VersionEdit& edit) LIGHTNING_REQUIRES(manifest_mutex_);
  void roll_grown_manifest();
  Sequence flushed_in_all(const Tree* flushing, Sequence flushed_through) const;
  void schedule_log_release();
  void run_log_release();
  Status release_log();

  // --- background.cc
  void let_go_of_overdue();  // transactions and snapshots, before a job asks what it must keep
  // Closes the gate and seals the active memtable if it holds anything, and at least `bytes`. True if it did.
  bool seal(Tree& tree, std::uint64_t bytes = 0);
  void seal_full(const Tree* tree);
  void seal_for_log_space();
  void schedule_flush(Tree& tree);
  void run_flush(const TreePtr& tree);
  Status flush_sealed(Tree& tree);
  void schedule_compactions();
  void run_compaction(const TreePtr& tree, compaction::Plan plan);
  void watch_expiry();
  Status compact(Tree& tree, const compaction::Plan& plan);
  struct Output {
    std::uint32_t level;
    sstable::TableMeta meta;
  };
  // What a job has written, and what it has left out.
  struct Outputs {
    std::vector<Output> tables;
    std::vector<blob::FileMeta> blobs;
    compaction::BlobTally garbage;
    void take(compaction::MergeResult result, std::uint32_t level);
  };
  Result<Outputs> merge_tables(const Tree& tree, const compaction::Plan& plan);
  Status keep_back(const Tree& tree, const compaction::Plan& plan, const std::vector<Sequence>& snapshots,
                   Outputs& outputs);
  compaction::Retention::Rules retention_rules(const Tree& tree) const;
  Status move_table(Tree& tree, const compaction::Plan& plan);
  Status drop_tables(Tree& tree, const compaction::Plan& plan);
  // A table that was there before and turns out to be damaged becomes one whose every read fails, marked as damaged.
  Result<manifest::TablePtr> open_table(const sstable::TableMeta& meta, bool just_written);
  // `garbage`: what the job read and left out; it is settled in the same edit.
  Status install(Tree& tree, manifest::VersionEdit edit, manifest::Version::Change change, Sequence flushed_through,
                 const compaction::BlobTally& garbage);
  Result<compaction::OutputOptions::Target> create_table_file();
  compaction::OutputOptions output_options(const Tree& tree, std::uint32_t level, bool bottommost);
  void remove_unused_outputs(const Outputs& outputs);
  void remove_table_file(format::FileNumber number);
  void update_pressure();
  void note_obsolete(format::FileNumber number);
  void remove_obsolete_files();
  bool closing() const { return closing_.load(std::memory_order_acquire); }
  Status write_again_if_wrong(const Tree& tree, const std::function<Status()>& job);
  void background_failed(const Error& error);
  void schedule_recovery();
  void run_recovery();
  Status recover_from_background_error();
  compaction::PickOptions pick_options() const;
  std::uint64_t memtable_limit() const { return config_.memtable_bytes; }

  Status pin_large_together(const ReadView& view, const ReadRules& rules, std::span<const std::string_view> keys,
                            std::vector<std::size_t>& missing, Sequence at, bool fill_cache,
                            std::span<PinnedValue> values);

  // --- blob_reads.cc. `encoded`: a reference that the view's entries hold.
  struct LargeValue {  // a reference and the file that it points into, which the view keeps
    blob::Reference reference;
    const manifest::BlobHandle* blob = nullptr;
  };
  class LargeSource;
  static Result<LargeValue> find_large(const manifest::Version& version, std::string_view encoded);
  // Inside an epoch guard: the value if its block is in memory, protected by the guard alone; null: it must be read.
  cache::Block* find_large_cached(const ReadView& view, std::string_view key, std::string_view encoded,
                                  std::string_view& value);
  struct LargeRead {
    std::string_view key;
    std::string encoded;
    std::size_t index = 0;  // the caller's
    cache::Block* block = nullptr;
    std::string_view value = {};
  };
  // Blocks of those that could be read are pinned even if others give an error.
  Status pin_many_large(const ReadView& view, std::span<LargeRead> reads, bool fill);

  // --- blobs.cc
  std::uint64_t blob_threshold(const Tree& tree) const;
  blob::WriterOptions blob_writer_options() const;
  Result<compaction::BlobOutput::Target> create_blob_file();
  Result<manifest::BlobPtr> open_blob(const blob::FileMeta& meta, bool just_written);
  Status add_blobs(const Tree& tree, const std::vector<blob::FileMeta>& files, manifest::VersionEdit& edit,
                   manifest::Version::Change& change);
  // A file that only the log refers to becomes readable through the tree.
  Status attach_blob(Tree& tree, std::string_view encoded_reference);
  Status settle_garbage(manifest::State& state, const Tree& tree, const manifest::Version& version,
                        const compaction::BlobTally& tally, manifest::VersionEdit& edit,
                        manifest::Version::Change& change);
  void remove_blob_file(format::FileNumber number);
  struct Victims;
  bool garbage_is_due(const Tree& tree);
  Victims pick_victims(const Tree& tree);
  void schedule_collections();
  void run_collection(const TreePtr& tree);
  Status collect_garbage(Tree& tree);
  Result<blob::FileMeta> move_live_records(const Victims& victims, std::uint64_t& moved_bytes);
  Status install_moved(Tree& tree, const Victims& victims, const blob::FileMeta& moved);

  // --- checkpoint.cc
  Result<bool> try_checkpoint(Checkpoint& checkpoint);  // false: once more
  Status write_sealed(Checkpoint& checkpoint, const Checkpoint::Part& part, const compaction::OutputOptions& output,
                      manifest::VersionEdit& edit);
  static Status first_finding(const std::function<void(const std::function<bool(const Error&)>&)>& check);

  // --- check.cc
  struct FileCheck;
  bool read_all_of(const manifest::TableHandle& handle, std::uint64_t& rebuilt,
                   const std::function<bool(const Error&)>& found,
                   const std::function<bool(std::uint64_t)>& before_read);
  void note_check_finding(FileCheck& file, const Error& error);
  Status check_file(FileCheck& file, bool full, const std::function<bool(std::uint64_t)>& before_read);
  Status check_files(const CheckOptions& options, std::vector<FileCheck>& files);

  // --- damage.cc
  void act_on_damage(const Error& damage);  // as config_.corruption_action says
  void act_on_damage_at_opening();
  void note_damage_of(manifest::DamageMark& mark, const Error& error);
  Status refuse_if_told(const std::string& what, const Error& damage) const;  // fail_on_corruption
  Error read_only_by_damage() const;
  base::TagAlgorithm tag_algorithm() const;
  manifest::DamageMark first_damage_;  // the one that stopped more than itself

  // --- blob_upkeep.cc
  struct BlobsNow {
    PinnedView view;
    std::map<format::FileNumber, manifest::BlobFileState> files;  // but for those that only the log refers to
  };
  BlobsNow blobs_now(const Tree& tree);
  void check_references(const BlobsNow& now, CheckReport& report);
  void add_blob_statistics(const Tree& tree, KeyspaceStatistics& keyspace, Statistics& stats);

  // Order matters: what is destroyed last stands first.
  env::Env& env_;
  const Paths paths_;
  LightningDbConfig config_;  // effective
  const Access access_;
  bool beside_writer_ = false;  // another process had the store open for writing when this reader opened it
  const Tuning tuning_;
  const KeyspaceOptions default_options_;  // of the default keyspace, if it is created
  format::MergeOperators merge_operators_;
  Clock time_;
  std::atomic<bool> has_default_ttls_{false};
  base::MemoryBudget budget_;
  const base::MemoryCharge fixed_memory_;
  env::OpenFiles table_files_;
  base::EpochDomain epochs_;
  std::unique_ptr<cache::BlockCache> cache_;
  std::unique_ptr<env::FileLock> lock_;
  Counters counters_;
  BackgroundCounters background_;
  LatencyHistograms latencies_;

  alignas(64) std::atomic<Sequence> visible_{0};
  alignas(64) std::atomic<bool> closed_{false};
  std::atomic<bool> halted_{false};
  std::atomic<bool> out_of_use_{false};  // one of the two
  std::atomic<bool> closing_{false};
  std::atomic<bool> writes_stopped_{false};
  std::atomic<bool> recovery_queued_{false};
  std::atomic<bool> log_release_queued_{false};
  std::atomic<std::uint32_t> delay_ns_per_kib_{0};  // back-pressure: 0 nearly always
  // kSpace: some are refused, none waits.
  enum class Wait : std::uint8_t { kNone, kMemTables, kLevel0, kArchive, kSpace };
  std::atomic<Wait> must_wait_{Wait::kNone};     // a hard limit is reached
  std::atomic<std::uint64_t> owed_delay_ns_{0};  // delays too short to sleep for, saved up

  SnapshotList snapshots_;
  WriteGate gate_;
  std::unique_ptr<WriteArbiter> arbiter_owned_;  // written inside the closed gate
  std::atomic<WriteArbiter*> arbiter_{nullptr};
  std::atomic<bool> arbitrates_all_{false};
  std::atomic<bool> keeps_{false}, has_keepers_{false};
  std::unique_ptr<wal::WriteAheadLog> wal_;

  mutable base::Mutex keyspaces_mutex_{base::LockRank::kKeyspaces};
  std::map<std::string, TreePtr, std::less<>> trees_ LIGHTNING_GUARDED_BY(keyspaces_mutex_);
  std::vector<std::weak_ptr<Tree>> dropped_trees_
      LIGHTNING_GUARDED_BY(keyspaces_mutex_);  // callers may hold on to them
  std::atomic<const TreeTable*> tree_table_{nullptr};
  TreePtr default_tree_;
  Keyspace default_handle_;  // set once, before open() returns

  base::Mutex manifest_mutex_{base::LockRank::kManifest};
  std::unique_ptr<manifest::Manifest> manifest_ LIGHTNING_GUARDED_BY(manifest_mutex_);
  manifest::State state_ LIGHTNING_GUARDED_BY(manifest_mutex_);
  manifest::Superblock superblock_;  // as opened; store id never changes
  manifest::LoadReport loaded_;      // of its manifest
  std::atomic<format::FileNumber> next_file_{1};
  wal::LogPosition log_end_;               // where recovery found the end of the log
  format::FileNumber first_own_file_ = 0;  // what has a lower number was there before this opening
  RecoveryReport recovery_report_;

  mutable base::Mutex compaction_mutex_{base::LockRank::kCompaction};
  struct RunningCompaction {
    const Tree* tree;
    std::uint32_t output_level;
    compaction::KeySpan keys;
  };
  std::vector<RunningCompaction> compactions_ LIGHTNING_GUARDED_BY(compaction_mutex_);
  bool overlaps_running(const Tree& tree, const compaction::Plan& plan) const LIGHTNING_REQUIRES(compaction_mutex_);
  void begin_compaction(const Tree& tree, const compaction::Plan& plan) LIGHTNING_REQUIRES(compaction_mutex_);
  void end_compaction(const Tree& tree, const compaction::Plan& plan);

  base::Mutex jobs_mutex_{base::LockRank::kJobs};
  base::CondVar watch_ends_;    // closing() became true
  base::CondVar jobs_changed_;  // a job ended, a view changed, an error came or went
  std::uint32_t running_jobs_ LIGHTNING_GUARDED_BY(jobs_mutex_) = 0;
  std::optional<Error> background_error_ LIGHTNING_GUARDED_BY(jobs_mutex_);
  ArchiveStatistics archive_state_ LIGHTNING_GUARDED_BY(jobs_mutex_);
  void job_started();
  void job_ended();
  void notify_jobs();

  base::Mutex obsolete_mutex_{base::LockRank::kLeaf};
  std::vector<format::FileNumber> obsolete_ LIGHTNING_GUARDED_BY(obsolete_mutex_);
  std::vector<format::FileNumber> obsolete_blobs_ LIGHTNING_GUARDED_BY(obsolete_mutex_);

  // Time alone makes records expire: where tables hold such, somebody looks now and then.
  std::atomic<bool> has_expiring_tables_{false}, expiry_watched_{false};
  base::Thread expiry_watch_;

  // --- space.cc
  Result<std::uint64_t> free_space(std::uint64_t needed);
  bool ran_out_of_space(const Error& error);
  void log_ran_out_of_space(const Error& error);
  void begin_shortage(const Error& error);
  void watch_for_space();
  void wait_for_space();
  Ballast ballast_;
  std::atomic<bool> space_is_short_{false}, space_watched_{false};
  std::atomic<std::uint64_t> room_since_ns_{0};  // the last shortage ended then; 0: there was none
  std::optional<Error> shortage_ LIGHTNING_GUARDED_BY(jobs_mutex_);
  base::Thread space_watch_;

  // --- scrub.cc
  struct ScrubTarget {  // a table or a blob file
    format::FileNumber number = 0;
    std::uint64_t bytes = 0, bytes_left = 0;  // bytes_left: of the round, this file included
    manifest::TablePtr table = {};
    manifest::BlobPtr blob = {};
  };
  std::uint64_t wall_ms() const;
  void start_scrubbing();
  void keep_scrubbing();
  bool wait_until_wall(std::uint64_t until_ms);
  bool scrub_round();
  std::optional<ScrubTarget> next_to_scrub();
  void set_scrub_rate(std::uint64_t bytes_left);
  bool scrub_file(const ScrubTarget& target);
  void note_scrub_finding(const Error& error);
  void scrub_manifest();
  Status compare_manifest() LIGHTNING_REQUIRES(manifest_mutex_);
  void read_scrub_record();
  void save_scrub_record();
  void add_scrub_statistics(Statistics& stats);
  base::Mutex scrub_mutex_{base::LockRank::kLeaf};
  ScrubRecord scrub_ LIGHTNING_GUARDED_BY(scrub_mutex_);
  ScrubStatistics scrub_totals_ LIGHTNING_GUARDED_BY(scrub_mutex_);  // since the opening
  std::uint64_t scrub_saved_ms_ LIGHTNING_GUARDED_BY(scrub_mutex_) = 0;
  std::uint64_t scrub_due_ms_ LIGHTNING_GUARDED_BY(scrub_mutex_) = 0;
  base::RateLimiter scrub_limiter_{0};
  base::Thread scrub_thread_;

  base::RateLimiter rate_limiter_;
  std::unique_ptr<base::Lane> flush_lane_, compaction_lane_;  // destroyed first: their jobs use all of the above
  std::atomic<bool> older_segments_stay_{false};              // of earlier lives, for the archive
  std::unique_ptr<Companion> companion_;                      // goes first
  std::unique_ptr<LogArchive> log_archive_;                   // before it
};

}  // namespace lightning::engine
