// Statistics of one open database.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lightning/types.h"

namespace lightning {

// Latency distribution of one kind of call, in microseconds. Sampled values carry at most 3 % relative error.
struct LatencySummary {
  std::uint64_t count = 0;
  double mean_us = 0, p50_us = 0, p95_us = 0, p99_us = 0, p999_us = 0, max_us = 0;
};

struct LevelStatistics {
  std::uint32_t level = 0;
  std::uint64_t tables = 0, bytes = 0, entries = 0;
  std::uint64_t tombstones = 0, range_tombstones = 0;  // entries that only say what is gone, and ranges that do
  std::uint64_t tombstone_run = 0;                     // the most tombstones that lie side by side in one table
};

// Files of large values. Garbage: what no table refers to any more; what is overwritten and not yet merged counts as
// live.
struct BlobStatistics {
  std::uint64_t files = 0, bytes = 0, records = 0, live_bytes = 0, garbage_bytes = 0;
};

struct KeyspaceStatistics {
  std::string name;
  std::vector<LevelStatistics> levels;
  BlobStatistics blobs;
  std::uint64_t memtables = 0, memtable_bytes = 0, memtable_entries = 0;
  // Of keys and values in tables: that expire some day, and that have expired (at least; reclaimed by compaction).
  std::uint64_t expiring_bytes = 0, expired_bytes = 0;
};

// A table in whose file a read, a compaction or a check has met damage since the database was opened. Compactions leave
// it alone, and with it what lies above it in its range; reads beside the damage, and all writes, go on. A full check()
// that finds the table whole takes it off the list, and so does opening the database again.
struct DamagedTable {
  std::string keyspace;
  std::uint32_t level = 0;
  std::string file;
  std::string smallest_key, largest_key;  // all keys of the table; the damage may be smaller: `error` tells
  std::string error;                      // the first finding: file, offset, keys, what to do
};

// The same for a file of large values: it stays as it is, and its garbage with it.
struct DamagedBlobFile {
  std::string keyspace, file, error;
};

// What a power cut at this moment could take.
struct LossWindow {
  std::uint64_t bytes = 0;         // acknowledged log bytes not yet known to be on disk
  std::uint64_t milliseconds = 0;  // age of the oldest of them
  Sequence last_durable = 0;
  Sequence last_acknowledged = 0;
};

struct StallStatistics {
  std::uint64_t memtable_limit_count = 0, memtable_limit_us = 0;  // waited for a flush
  std::uint64_t level0_slowdown_count = 0, level0_slowdown_us = 0;
  std::uint64_t level0_stop_count = 0, level0_stop_us = 0;
  std::uint64_t log_limit_count = 0, log_limit_us = 0;          // waited for a log segment
  std::uint64_t archive_limit_count = 0, archive_limit_us = 0;  // waited for the archive (archive_backlog_max)
};

// The archive of the log (archive.h).
struct ArchiveStatistics {
  bool on = false;
  std::uint64_t files = 0, bytes = 0;  // that it got since open, with those of streamed values
  std::uint64_t failures = 0;          // since open
  Sequence last_sequence = 0;          // of the newest commit in it
  std::uint64_t next_file = 0;         // number of the next file
  std::uint64_t backlog_bytes = 0;     // of full segments of the log that stay until they are in it
  std::string error = {};              // why the last attempt failed; empty: it succeeded
};

struct MemoryStatistics {  // bytes by owner
  std::uint64_t budget = 0, blocks = 0, filters_and_indexes = 0, memtables = 0, log_buffers = 0;
  std::uint64_t fixed = 0;          // set aside for what a process takes without any data: code, stacks, buffers
  std::uint64_t pinned_blocks = 0;  // of the blocks: those that readers hold
};

struct TransactionStatistics {                              // counters since open
  std::uint64_t begun = 0, committed = 0, rolled_back = 0;  // rolled_back: for whatever reason, those below too
  std::uint64_t conflicts = 0;                              // ended by kConflict
  std::uint64_t deadlocks = 0, lock_timeouts = 0, expired = 0, refused = 0;  // refused: kTooManyTransactions
  std::uint64_t lock_waits = 0, lock_wait_us = 0;  // calls that waited for a lock, and how long in all
  std::uint64_t retries = 0;                       // by run_transaction
  std::uint64_t active = 0, locked_keys = 0;       // now
  double conflict_rate = 0;                        // conflicts and deadlocks per transaction that has ended, 0..1
};

// The reading of everything in the background (config.scrub_period).
struct ScrubStatistics {
  // Since the database was opened.
  std::uint64_t rounds = 0;                      // that came to their end
  std::uint64_t files_read = 0, bytes_read = 0;  // files: found whole
  std::uint64_t findings = 0;  // files that were damaged or could not be read, each time they were met
  std::uint64_t repaired = 0;  // manifests that were damaged on disk, and written anew from memory
  std::string last_finding;
  // Now.
  bool running = false;
  std::uint64_t round = 0;  // since the store was made
  std::uint64_t round_bytes_done = 0, round_bytes_total = 0;
  std::uint64_t last_ended_ms = 0, next_due_ms = 0;  // since 1970; 0: none has ended, one is running or it is off
};

struct Statistics {
  // Counters since open.
  std::uint64_t gets = 0, get_hits = 0, multi_gets = 0, puts = 0, merges = 0, erases = 0, range_erases = 0, batches = 0,
                seeks = 0, scanned_entries = 0;
  std::uint64_t tombstones_passed = 0;  // by iterators: what was erased, or lay under an erased range, and was met
  std::uint64_t bytes_written_by_user = 0, bytes_read_by_user = 0;
  std::uint64_t wal_bytes = 0, wal_syncs = 0, wal_records = 0;
  std::uint64_t flushes = 0, flush_bytes = 0;
  std::uint64_t compactions = 0, compaction_bytes_read = 0, compaction_bytes_written = 0, tables_moved = 0;
  std::uint64_t tables_erased = 0;  // that went without being read, since they lay wholly under erased ranges
  std::uint64_t blob_collections = 0, blob_bytes_moved = 0, blob_bytes_reclaimed = 0;
  std::uint64_t tables_rewritten = 0;    // blob files too: that did not read back as they were written
  std::uint64_t blocks_rebuilt = 0;      // from parity, since they could not be read any more (config.block_parity)
  std::uint64_t table_files_opened = 0;  // much more than there are tables: open_files_max is small
  std::uint64_t cache_hits = 0, cache_misses = 0, cache_evictions = 0;
  std::uint64_t filter_checks = 0, filter_negatives = 0;
  double cache_hit_rate = 0;       // 0..1, 0 if nothing was looked up
  double write_amplification = 0;  // bytes flushed, compacted, moved and logged per byte written by the user

  LatencySummary get_latency, put_latency, write_latency, seek_latency, sync_latency;
  StallStatistics stalls;
  MemoryStatistics memory;
  LossWindow loss_window;
  TransactionStatistics transactions;
  ScrubStatistics scrub;
  ArchiveStatistics archive;
  std::vector<KeyspaceStatistics> keyspaces;
  Sequence last_sequence = 0;
  std::uint64_t live_snapshots = 0;
  std::uint64_t bytes_on_disk = 0;
  std::uint64_t ballast_bytes = 0;           // space held in reserve now (config.ballast_bytes), beside bytes_on_disk
  BlobStatistics blobs;                      // of all keyspaces
  double space_amplification = 0;            // bytes of blob files per live byte in them; 0: there are none
  std::uint64_t table_files_open = 0;        // now, at most open_files_max
  std::vector<DamagedTable> damaged_tables;  // empty, or where compaction has halted
  std::vector<DamagedBlobFile> damaged_blob_files;
  // Empty, or the damage that made config.corruption_action stop writes, or reads too. Until it is opened again.
  std::string stopped_by_damage;
  std::string background_error;  // empty, or why writes are stopped
};

// All of it as one JSON object in one line, by the names of the fields; what lies in a struct is an object of that
// name. Keys that are not UTF-8 stand in base64, as "smallest_key_base64".
std::string to_json(const Statistics& statistics);

}  // namespace lightning
