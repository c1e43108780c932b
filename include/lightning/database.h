// An ordered map from byte strings to byte strings that survives crashes.
//
//   LIGHTNING_ASSIGN(auto db, Database::open("orders"));
//   LIGHTNING_TRY(db.put("id:7", "paid", {.durability = Durability::kSync}));
//   LIGHTNING_ASSIGN(std::optional<std::string> value, db.get("id:7"));
//
// Limits: keys 1 byte .. 64 KiB, values 0 bytes .. 512 MiB (types.h). Order is byte order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lightning/backup.h"
#include "lightning/config.h"
#include "lightning/index.h"
#include "lightning/iterator.h"
#include "lightning/keyspace_options.h"
#include "lightning/open_options.h"
#include "lightning/recovery.h"
#include "lightning/result.h"
#include "lightning/statistics.h"
#include "lightning/transaction.h"
#include "lightning/types.h"
#include "lightning/value_stream.h"
#include "lightning/write_batch.h"
#include "lightning/write_options.h"

namespace lightning {

namespace engine {
class Engine;
class Tree;
class PinnedBlock;
struct LiveSnapshot;
}  // namespace engine

struct ReadOptions {
  const class Snapshot* snapshot = nullptr;  // null: the newest visible write
  bool fill_cache = true;                    // false: a miss does not enter the cache
};

// A frozen view of the whole database (all keyspaces) at one sequence.
// Threads: any. Lifetime: destroy before the database closes. Cost: pins old versions of overwritten keys, at most for
// config.snapshot_age_max: then reads with it may answer kSnapshotTooOld.
class Snapshot {
 public:
  Snapshot() = default;
  Snapshot(Snapshot&&) noexcept;
  Snapshot& operator=(Snapshot&&) noexcept;
  ~Snapshot();
  Sequence sequence() const { return sequence_; }

 private:
  friend class Database;
  friend class engine::Engine;
  explicit Snapshot(Sequence sequence) : sequence_(sequence) {}  // pins nothing
  Snapshot(std::shared_ptr<engine::Engine> engine, engine::LiveSnapshot* live);
  std::shared_ptr<engine::Engine> engine_;
  engine::LiveSnapshot* live_ = nullptr;  // ours
  Sequence sequence_ = 0;
};

// A value read without copying. The bytes stay valid while this lives, whatever is written or evicted meanwhile.
// Threads: one at a time. Lifetime: destroy before the database closes. Cost: pins one cached block or memtable.
class PinnedValue {
 public:
  PinnedValue();
  PinnedValue(PinnedValue&&) noexcept;
  PinnedValue& operator=(PinnedValue&&) noexcept;
  ~PinnedValue();
  bool found() const { return found_; }
  std::string_view value() const { return value_; }  // empty if not found
  void reset();

 private:
  friend class engine::Engine;
  bool found_ = false;
  std::string_view value_;
  void* pin_ = nullptr;             // what keeps value_ alive,
  void (*unpin_)(void*) = nullptr;  // and how to let it go
};

// A named ordered map inside a database. A cheap handle to copy; it stays valid until the keyspace is dropped or
// the database closed, after which every call answers kKeyspaceNotFound or kClosed.
// Threads: any method from any thread.
class Keyspace {
 public:
  Keyspace() = default;
  const std::string& name() const;
  std::uint32_t id() const;
  const KeyspaceOptions& options() const;

 private:
  friend class Database;
  friend class engine::Engine;
  explicit Keyspace(std::shared_ptr<engine::Tree> tree) : tree_(std::move(tree)) {}
  std::shared_ptr<engine::Tree> tree_;
};

// How many records a keyspace holds.
struct RecordCount {
  std::uint64_t records = 0;
  // False: an estimate from what the tables say of themselves, too high where keys were overwritten lately.
  bool exact = false;
};

// What Database::ttl() answers.
struct TimeToLive {
  bool found = false;                                        // false: there is no such record
  std::optional<std::chrono::milliseconds> expires_at = {};  // since 1970-01-01 00:00 UTC; none: never
  std::optional<std::chrono::milliseconds> remaining = {};   // until then, more than 0
};

// What a conditional write answers.
struct ConditionalResult {
  bool applied = false;
  std::optional<std::string> current = {};  // if not applied: the value that was found instead; none: absent
  Sequence sequence = 0;                    // if applied: of the write
};

// What compact_range does with tables in which nothing has to be merged any more: alone in their range.
enum class BottomLevel : std::uint8_t {
  kLeave,    // nothing
  kReclaim,  // writes those anew that hold what nobody can read any more: tombstones, versions a snapshot held back
  kRewrite,  // writes all anew: as the settings now say (compression, filters), or to see every block read and written
};

struct CompactOptions {
  BottomLevel bottom = BottomLevel::kReclaim;
};

// One finding of check(): what does not hold, and where.
struct CheckFinding {
  Error error;
};

struct CheckOptions {
  bool full =
      true;  // false: manifest, file sizes and table roots only; true: every block, every key, every large value
  // Called now and then, on the caller's thread, with bytes checked and bytes in all; return false to stop with
  // kCancelled.
  std::function<bool(std::uint64_t done_bytes, std::uint64_t total_bytes)> progress = {};
  // Files that are read side by side, each by a thread of its own; 0: one for each core, at most 8. At most 64 are
  // taken. Findings come in the same order, however many there are.
  std::uint32_t threads = 1;
};

struct CheckReport {
  std::vector<CheckFinding> findings;  // empty: nothing wrong
  // Indexes that could not be compared with their records, and why: their extractor is not registered here.
  std::vector<std::string> not_compared;
  std::uint64_t tables = 0, blocks = 0, entries = 0, blob_files = 0, blob_records = 0, bytes = 0;
  // Not as they were written, but rebuilt from parity; or parity itself. Nothing is lost, and a database that is open
  // for writing writes their tables anew.
  std::uint64_t rebuilt_blocks = 0;
};

// Threads:  any method from any thread, until the destructor or close() begins.
// Lifetime: destroy iterators, snapshots and pinned values before their database closes.
// Errors:   every write may fail with kReadOnlyDatabase, kReadOnlyMode, kNoSpace, kIo, kSyncFailed, kStalled, kClosed
// and says
//           its outcome (error.h); every read with kIo, kCorruption, kTableCorrupt, kBlobCorrupt, kClosed.
class Database {
 public:
  // Opens the database in directory `path`, creating it (config.create_if_missing) and its parents.
  // Recovers what a crash left: after an error nothing of the old state was changed.
  // Errors: kConfigInvalid, kLockHeld (names the process), kDatabaseNotFound, kDatabaseExists, kNotADatabase,
  //         kFormatUnsupported, kManifestCorrupt, kTableMissing, kBlobMissing, kWalMissing, kWalCorrupt, kIo,
  //         kPermissionDenied, kNoSpace and kInsufficientResources (file handles), which say how much is needed,
  //         kRecoveryInterrupted and kStaleStore as `options` ask for.
  // A damaged table or blob file is none of them: reads of its keys answer kTableCorrupt or kBlobCorrupt, the rest goes
  // on (Statistics::damaged_tables, damaged_blob_files).
  static Result<Database> open(const std::string& path, const LightningDbConfig& config = {},
                               const OpenOptions& options = {});
  // Opens a consistent view beside a possible writer in another process: takes no lock, writes nothing, sees what
  // was acknowledged when it was opened. Writes answer kReadOnlyDatabase. With more tables and blob files than
  // open_files_max, a read answers kTableMissing or kBlobMissing if the writer has removed a file meanwhile that is not
  // open: then open anew.
  // What was in the log and not yet in tables stays in memory, within config.cache_size: kInsufficientResources says
  // how much it would take. A cache_size as the writer's is always enough for what the writer leaves by itself.
  static Result<Database> open_read_only(const std::string& path, const LightningDbConfig& config = {},
                                         const OpenOptions& options = {});

  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();  // as close(), but errors can only be seen by calling close() first

  // Waits for running calls' background work, makes everything durable and releases the directory. Further calls
  // answer kClosed. Errors: what making the last writes durable gave.
  Status close();

  // --- keyspaces -------------------------------------------------------------------------------------------
  Keyspace default_keyspace() const;
  // Durable on return. Errors: kKeyspaceExists, kInvalidArgument (name or options).
  Result<Keyspace> create_keyspace(std::string_view name, const KeyspaceOptions& options = {});
  Result<Keyspace> keyspace(std::string_view name) const;  // kKeyspaceNotFound
  Result<Keyspace> get_or_create_keyspace(std::string_view name);
  // kConfigInvalid if it is there with other options.
  Result<Keyspace> get_or_create_keyspace(std::string_view name, const KeyspaceOptions& options);
  Status drop_keyspace(std::string_view name);  // durable on return; the default one cannot be dropped
  std::vector<std::string> keyspaces() const;   // names, sorted

  // --- writes ----------------------------------------------------------------------------------------------
  // Visible to every read that begins after the call returned; durable as WriteOptions and the sync mode say.
  Status put(std::string_view key, std::string_view value, const WriteOptions& options = {});
  Status put(const Keyspace& keyspace, std::string_view key, std::string_view value, const WriteOptions& options = {});
  // Changes what the key holds by the keyspace's merge operator, without reading it: `operand` is added, appended, ...
  // (merge_operator.h). The costs of a put; reads of the key pay for what has not been merged yet. An operand has no
  // lifetime: what expires is the record that it was merged into, and from then on operands count from nothing.
  // Errors: kInvalidArgument (no operator, or not an operand of its), kMergeOperatorMissing.
  Status merge(std::string_view key, std::string_view operand, const WriteOptions& options = {});
  Status merge(const Keyspace& keyspace, std::string_view key, std::string_view operand,
               const WriteOptions& options = {});
  Status erase(std::string_view key, const WriteOptions& options = {});  // no error if the key is absent
  Status erase(const Keyspace& keyspace, std::string_view key, const WriteOptions& options = {});
  // Erases every key of the range that was written before, as one write whose cost does not depend on how many there
  // are: their space comes back as compactions get there, that of tables wholly in the range at once when nobody reads
  // what was there before. Where the keyspace is counted or indexed, its keys are erased one by one, in one
  // transaction: kTransactionTooLarge if they are too many for transaction_memory_bytes, kConflict if others keep
  // writing to the range. Errors: kInvertedRange.
  Status erase_range(const KeyRange& range, const WriteOptions& options = {});
  Status erase_range(const Keyspace& keyspace, const KeyRange& range, const WriteOptions& options = {});
  // All of the batch or nothing. Returns the sequence of its last operation.
  Result<Sequence> write(const WriteBatch& batch, const WriteOptions& options = {});
  // Everything acknowledged before this call is on disk when it returns.
  Status sync();
  // A value that is given piece by piece (value_stream.h), up to 512 MiB in bounded memory.
  Result<ValueWriter> put_stream(std::string_view key);
  Result<ValueWriter> put_stream(const Keyspace& keyspace, std::string_view key);

  // --- conditional writes: read, compare and write as one step -------------------------------------------------
  // Beside any other writer, and cheaper than a transaction. A key that a pessimistic transaction has locked is waited
  // for (config.lock_timeout, then kLockTimeout; kDeadlock if that would never end).
  // Writes `value` if the key is absent.
  Result<ConditionalResult> put_if_absent(const Keyspace& keyspace, std::string_view key, std::string_view value,
                                          const WriteOptions& options = {});
  Result<ConditionalResult> put_if_absent(std::string_view key, std::string_view value,
                                          const WriteOptions& options = {});
  // Writes `desired` (none: erases) if the key's value is `expected` (none: if it is absent).
  Result<ConditionalResult> compare_and_set(const Keyspace& keyspace, std::string_view key,
                                            std::optional<std::string_view> expected,
                                            std::optional<std::string_view> desired, const WriteOptions& options = {});
  Result<ConditionalResult> compare_and_set(std::string_view key, std::optional<std::string_view> expected,
                                            std::optional<std::string_view> desired, const WriteOptions& options = {});

  // --- transactions (transaction.h) ----------------------------------------------------------------------------
  // Once the first one has begun, plain writes take part in keeping them apart, which costs them some nanoseconds.
  // Errors: kTooManyTransactions (config.max_active_transactions), kClosed; kReadOnlyDatabase unless options.read_only.
  Result<Transaction> begin();
  Result<Transaction> begin(const TransactionOptions& options);
  // Runs `body` in a transaction and commits it. If either fails with an error of category kRetryable and outcome
  // kNotApplied, it is rolled back and tried again from the start, at most retries.retries times; then, or after any
  // other error, that error is returned, and nothing was applied unless its outcome() says otherwise. If `body` itself
  // rolls back, that is the end, without an error. `body` may run several times: what it does outside its transaction
  // it does each time. An exception that it throws rolls back and passes through.
  Status run_transaction(const std::function<Status(Transaction&)>& body);
  Status run_transaction(const std::function<Status(Transaction&)>& body, const TransactionOptions& options,
                         const RetryOptions& retries = {});
  // Those that are active, oldest first.
  std::vector<TransactionInfo> transactions() const;

  // --- secondary indexes (index.h) -----------------------------------------------------------------------------
  // Builds an index of the keyspace's records beside writers; complete on return, unless options.wait is false. From
  // the call on it is kept in step, and its rules hold: writes may answer kNotUnique, kExtractFailed. Errors:
  // kIndexExists, kInvalidArgument, kExtractorMissing, kNotSupported; kNotUnique, kExtractFailed, kMergeFailed,
  // kCancelled: there is no index then.
  Status create_index(const Keyspace& keyspace, std::string_view name, const IndexOptions& options);
  // Queries that have begun go on. Ends the building of an index.
  Status drop_index(const Keyspace& keyspace, std::string_view name);
  // Throws the entries away and builds them anew. Of `how`, only `wait` and `progress` count. If it cannot be built it
  // stays, as kFailed.
  Status rebuild_index(const Keyspace& keyspace, std::string_view name, const IndexOptions& how = {});
  std::vector<IndexInfo> list_indexes() const;  // by keyspace and name
  std::vector<IndexInfo> list_indexes(const Keyspace& keyspace) const;
  // Errors: kIndexNotFound, kIndexNotReady (building, failed, or younger than the snapshot), kInvalidArgument.
  Result<IndexPage> query_index(const Keyspace& keyspace, std::string_view name, const IndexQuery& query) const;

  // --- reads -----------------------------------------------------------------------------------------------
  // Absence is an answer, not an error.
  Result<std::optional<std::string>> get(std::string_view key, const ReadOptions& options = {}) const;
  Result<std::optional<std::string>> get(const Keyspace& keyspace, std::string_view key,
                                         const ReadOptions& options = {}) const;
  // Copies the value into `buffer` (replacing its content, keeping its capacity); true if found.
  Result<bool> get(const Keyspace& keyspace, std::string_view key, std::string& buffer,
                   const ReadOptions& options = {}) const;
  // Without copying.
  Status get(const Keyspace& keyspace, std::string_view key, PinnedValue& value, const ReadOptions& options = {}) const;
  // One answer per key, in order, all of the same moment. values.size() must equal keys.size() (kInvalidArgument).
  Status multi_get(const Keyspace& keyspace, std::span<const std::string_view> keys, std::span<PinnedValue> values,
                   const ReadOptions& options = {}) const;

  // When a record expires, without reading its value into anything.
  Result<TimeToLive> ttl(std::string_view key, const ReadOptions& options = {}) const;
  Result<TimeToLive> ttl(const Keyspace& keyspace, std::string_view key, const ReadOptions& options = {}) const;
  // To read a value piece by piece (value_stream.h). None: there is no such key.
  Result<std::optional<ValueReader>> get_stream(std::string_view key, const ReadOptions& options = {}) const;
  Result<std::optional<ValueReader>> get_stream(const Keyspace& keyspace, std::string_view key,
                                                const ReadOptions& options = {}) const;

  Iterator iterate(const IterateOptions& options = {}) const;
  Iterator iterate(const Keyspace& keyspace, const IterateOptions& options = {}) const;
  Snapshot snapshot() const;
  Snapshot snapshot(std::string_view owner) const;  // named in snapshots()
  // All live ones, those of transactions too, oldest first.
  std::vector<SnapshotInfo> snapshots() const;

  // --- upkeep ----------------------------------------------------------------------------------------------
  // How this database was opened: what each stage of recovery found and did. Valid as long as the database.
  const RecoveryReport& recovery_report() const;
  // Writes the memtables to tables and waits; durable on return.
  Status flush();
  // Brings what was written to the range before the call into one level, dropping on the way what no snapshot can see;
  // waits. What already lies in one level is treated as options.bottom says. Errors: kTableCorrupt,
  // kTableMissing if the range holds damaged tables (Statistics::damaged_tables): then all the rest of it was
  // compacted.
  Status compact_range(const KeyRange& range = {}, const CompactOptions& options = {});
  Status compact_range(const Keyspace& keyspace, const KeyRange& range = {}, const CompactOptions& options = {});
  // Waits until no flush or compaction is running or due. Errors: kReadOnlyMode if background work has failed.
  Status wait_for_background_work();
  // How many records there are, without a scan: exact where the keyspace is counted (keyspace_options.h), else an
  // estimate. Exact means: every write whose call has returned, and of those that have not each as a whole or not at
  // all.
  Result<RecordCount> count() const;
  Result<RecordCount> count(const Keyspace& keyspace) const;
  // Stored bytes of the range: tables from their indexes (within one block at each end), memtables by share. Large
  // values count as if they lay evenly over their tables: where only some keys of a table have such, it is rough.
  Result<std::uint64_t> approximate_size(const Keyspace& keyspace, const KeyRange& range) const;
  // Verifies what is on disk and, if that is whole, what follows from it: counts and indexes against their records.
  // Findings are in the report; an error means that the check itself could not run.
  Result<CheckReport> check(const CheckOptions& options = {}) const;

  // Adds a backup to the repository in the directory `repository` (backup.h), which is made if need be: everything
  // acknowledged before the call, and of what is written meanwhile a prefix. Writers go on. It flushes memtables first;
  // until it ends, files that it copies stay on disk although compactions have replaced them. Also through a handle
  // that was opened read-only, beside a writer in another process. Finish or cancel it before the database closes.
  // A call after one that was cut short goes on with what that one had copied. Errors:
  // kInvalidArgument (the directory is a database's, or holds something else, or backups of another database),
  // kLockHeld (somebody changes the repository), kTableCorrupt, kTableMissing, kBlobCorrupt, kBlobMissing (the database
  // is damaged: no backup is made), kBackupCorrupt, kNoSpace, kIo, kSyncFailed, kCancelled, kClosed. After each of them
  // the backups that there were are there.
  Result<BackupInfo> create_backup(const std::string& repository, const BackupOptions& options = {});
  // The same as one stream of bytes, for a pipe or another machine: restore_backup_stream() (backup.h). In bounded
  // memory; nothing is shared with other backups, and one that was cut short is begun anew. `check_shared` has no
  // meaning. Errors: as create_backup(), and those of `sink`; kTableMissing or kBlobMissing beside a writer that has
  // replaced a file meanwhile: try again.
  Result<BackupInfo> stream_backup(const BackupSink& sink, const BackupOptions& options = {});

  Statistics stats() const;
  const std::string& path() const;
  LightningDbConfig config() const;  // effective values: what 0 was resolved to

 private:
  friend class DatabaseAccess;
  explicit Database(std::shared_ptr<engine::Engine> engine);
  std::shared_ptr<engine::Engine> engine_;
};

}  // namespace lightning
