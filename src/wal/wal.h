// WriteAheadLog: where a write lives before anything else knows of it.
//
// The log is a directory of preallocated segments, written through env::LogFile as memory: an acknowledged record
// survives the death of the process without a system call. Its bytes are described in docs/format/wal.md.
// One commit takes these steps, in this order:
//
//   LIGHTNING_ASSIGN(Ticket ticket, log.reserve({...}));  // a place and sequence numbers: one short critical section
//   log.copy(ticket, payload);            // bytes reach the operating system; any number of threads at once
//   [insert into memtables]
//   log.complete(ticket);                 // waits for its turn: commits complete in order of sequence
//   LIGHTNING_TRY(log.wait_durable(ticket));   // a Sync commit: one fdatasync serves all that wait;
//                                              // others: only until every Sync commit before it is durable
//   [publish ticket.last_sequence: nothing before it can be taken back by a power cut that Sync promised to survive]
//
// After a failed sync the log is poisoned: every later reserve() and wait_durable() fails with kSyncFailed.
//
// Threads: all methods from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/memory_budget.h"
#include "env/env.h"
#include "format/ids.h"
#include "lightning/config.h"
#include "lightning/result.h"
#include "lightning/statistics.h"
#include "lightning/types.h"

namespace lightning::wal {

// How much of the manifest is durable: the superblock's generation, and how many records of its manifest. The log only
// remembers it.
struct ManifestPosition {
  std::uint64_t generation = 0, records = 0;
};

struct LogOptions {
  std::uint64_t segment_bytes = 64ull << 20;
  IntegrityLevel integrity = IntegrityLevel::kStandard;
  WalSyncMode sync_mode = WalSyncMode::kAsync;  // kPeriodic starts the syncing thread's timer
  std::chrono::milliseconds sync_interval{100};
  std::uint32_t free_segments_max = 2;              // released segments kept for reuse
  std::chrono::milliseconds stall_timeout{60'000};  // longest wait for a free segment; 0 = no limit
  ManifestPosition manifest{};                      // as note_manifest()
};

// A point between two records of the log.
struct LogPosition {
  Sequence last_sequence = 0;  // of the last record before it; 0 at the start of a store
  std::uint64_t chain = 0;     // chain hash over all records before it
};

struct LogCounters {  // since creation
  std::uint64_t records = 0, bytes = 0, syncs = 0, segment_waits = 0, segment_wait_us = 0;
};

namespace internal {
class Segment;
}

class WriteAheadLog {
 public:
  // A commit's place in the log. A payload that does not fit the rest of a segment is split into fragments.
  struct Ticket {
    Sequence first_sequence = 0, last_sequence = 0;
    Sequence sync_barrier = 0;  // highest Sync commit before (or at) this one
    struct Extent {
      internal::Segment* segment = nullptr;
      std::uint64_t offset = 0;  // of the record header
      std::uint64_t payload_bytes = 0;
    };
    Extent extent;             // the first, which is the only one nearly always
    std::vector<Extent> more;  // in order; empty when there is one
    bool sync = false;
    // What the headers will say; filled by reserve() for copy(). `chain` is the one after this commit, so that
    // {last_sequence, chain} is the position after it.
    std::uint64_t payload_hash = 0, chain = 0, chain_before = 0, commit_time_ns = 0;
    Sequence durable_before = 0;
    std::uint32_t operations = 0;
    bool opens_segment = false;  // its extents begin segments that the log had not been in
    std::uint64_t order = 0;     // commits complete in this order
    LogPosition end() const { return {last_sequence, chain}; }
  };
  struct Commit {
    std::string_view payload;      // encoded batch (docs/format/batch.md), only hashed here
    std::uint32_t operations = 0;  // sequence numbers it takes; at least 1
    bool sync = false;
  };

  // Starts a new log in `directory` (which exists) at `start`, with segment numbers above all that lie there.
  // Earlier segments are synced first, since what replay() read from them may have been in memory only, and else left
  // alone: see remove_older_segments(). Durable at return. Starts its background thread.
  static Result<std::unique_ptr<WriteAheadLog>> create(env::Env& env, std::string directory,
                                                       const format::Uid& store_id, format::Epoch epoch,
                                                       LogPosition start, const LogOptions& options,
                                                       base::MemoryBudget& budget);
  // Seals the last segment and makes everything durable, best effort; call close() to see errors.
  ~WriteAheadLog();
  Status close();

  // Errors, all with outcome kNotApplied: kNoSpace/kIo (no new segment could be made; later calls try again), kStalled,
  // kSyncFailed, kClosed. A ticket must be copied and completed: later ones wait for it.
  Result<Ticket> reserve(const Commit& commit);
  // `payload` is the commit's. Neither fails, allocates, nor enters the operating system (complete() may yield).
  void copy(const Ticket& ticket, std::string_view payload);
  void complete(const Ticket& ticket);
  // For ticket.sync: until it is durable. Else: until ticket.sync_barrier is (nearly always at once).
  // kSyncFailed: outcome kUnknown.
  Status wait_durable(const Ticket& ticket);
  // Everything completed before the call is durable at return.
  Status sync();

  // After the last record that has a place. While no ticket is in anybody's hands all of the log lies before it.
  LogPosition position() const;
  Sequence last_reserved() const;
  Sequence last_completed() const;
  Sequence last_durable() const;
  LossWindow loss_window() const;
  LogCounters counters() const;
  // Bytes of segments that hold records not yet released, and the first sequence of the oldest of them.
  std::uint64_t live_bytes() const;
  Sequence oldest_live_sequence() const;
  format::FileNumber first_live_segment() const;

  // What segments begun from now on say of the manifest. It is durable already.
  void note_manifest(ManifestPosition position);

  // Records up to and including `sequence` are in tables: whole segments below it are recycled or removed.
  void release_up_to(Sequence sequence);
  // Segments with records behind `sequence` stay, released or not, until this is called with a higher one: somebody
  // else still has to read them. At first none stays for that.
  void keep_behind(Sequence sequence);
  // Bytes of full segments that stay for that.
  std::uint64_t kept_bytes() const;
  // Removes the segments that an earlier life of the store left (numbers below this log's first).
  Status remove_older_segments();

 private:
  class Impl;
  explicit WriteAheadLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// --- reading ------------------------------------------------------------------------------------------------------

struct RecoveredCommit {
  Sequence first_sequence = 0;
  std::uint32_t operations = 0;
  std::uint64_t commit_time_ns = 0;
  std::uint64_t chain = 0;   // after it
  std::uint32_t epoch = 0;   // low 32 bits
  std::string_view payload;  // good during the call
  Sequence last_sequence() const { return first_sequence + operations - 1; }
};

struct ReplayOptions {
  // Durable evidence from outside the log (manifest): a bad record at or below it is damage, never a torn tail.
  Sequence known_durable = 0;
  // Up to here everything is in tables: commits up to and including it are passed over (their chain is still checked
  // where they are present).
  Sequence start = 0;
  // A point that the log was durable up to and, if it lies at or behind `start`, must be found to go through: with
  // another chain there it is another log, however valid its records. The default is the beginning of a store.
  LogPosition anchor{};
  // Records behind `start` are of this epoch or a later one: else they are of a history that this store has left.
  format::Epoch epoch = 0;
};

struct TornTail {  // a report entry, not an error
  std::string file;
  std::uint64_t offset = 0, bytes = 0;
  Sequence last_sequence = 0;  // last good one
};

struct ReplayReport {
  LogPosition end;
  std::uint64_t segments = 0, commits = 0, operations = 0, bytes = 0;
  std::optional<TornTail> torn_tail;
  ManifestPosition manifest;  // the newest that a segment knew
};

// What of a log has to be read.
struct LogInventory {
  std::uint64_t segments = 0;  // that hold records from options.start on
  std::uint64_t bytes = 0;     // where records may stand in them
  std::uint64_t others = 0;    // segments that are not needed, or were never begun
};

namespace internal {
struct FoundLog;
}

// A log that was found, to be read any number of times: once to know that it is whole, and how much it is, before
// anything is done with it. Read-only: changes nothing on disk. Threads: one at a time.
class LogReplay {
 public:
  // Errors: kFormatUnsupported; kWalCorrupt for the header of a segment that is damaged for sure, or another store's.
  static Result<LogReplay> find(env::Env& env, const std::string& directory, const format::Uid& store_id,
                                const ReplayOptions& options);
  LogReplay(LogReplay&&) noexcept;
  LogReplay& operator=(LogReplay&&) noexcept;
  ~LogReplay();
  const LogInventory& inventory() const { return inventory_; }
  // As replay().
  Result<ReplayReport> read(const std::function<Status(const RecoveredCommit&)>& apply) const;

 private:
  LogReplay(env::Env& env, const ReplayOptions& options, std::unique_ptr<internal::FoundLog> found);
  env::Env* env_;
  ReplayOptions options_;
  std::unique_ptr<internal::FoundLog> found_;
  LogInventory inventory_;
};

// Gives every whole commit to `apply`, in order, once; a batch whose fragments are incomplete at the tail is not given.
// A bad record is a torn tail only if nothing says it was ever durable: no later record, segment header, or
// options.known_durable carries a durable watermark at or above it. Otherwise kWalCorrupt with file and offset.
// A missing segment, or one whose start contradicts its predecessor's end, is kWalMissing.
// Read-only: changes nothing on disk.
Result<ReplayReport> replay(env::Env& env, const std::string& directory, const format::Uid& store_id,
                            const ReplayOptions& options, const std::function<Status(const RecoveredCommit&)>& apply);

// For `lightning_db inspect wal`: one line of facts per record of one segment file, the bad ones too.
struct RecordFacts {
  std::uint64_t offset = 0, payload_bytes = 0;
  std::string kind;  // "full", "first", "middle", "last", "seal", "mark", "bad"
  Sequence first_sequence = 0, durable_sequence = 0;
  std::uint32_t operations = 0;
  std::uint64_t commit_time_ns = 0, chain = 0;
  std::string_view payload;
};
struct SegmentFacts {
  format::FileNumber number = 0;
  format::Uid store_id, segment_uid;
  format::Epoch epoch = 0;
  LogPosition start;
  bool sealed = false;
};
Result<SegmentFacts> inspect_segment(env::Env& env, const std::string& path,
                                     const std::function<bool(const RecordFacts&)>& visit);

}  // namespace lightning::wal
