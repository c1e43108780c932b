// LightningDbConfig: every setting of an embedded database, with unit, default and range.
//
//   LightningDbConfig config = LightningDbConfig::production();
//   config.cache_size = 4ull << 30;
//   LIGHTNING_ASSIGN(auto db, Database::open("orders", config));
//
// The same settings come from a YAML file and from LIGHTNING_* environment variables (config_file.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "lightning/result.h"

namespace lightning {

// When an acknowledged write is on disk. In every mode an acknowledged write survives the death of the
// process, and what a power cut may take is a suffix of the acknowledged writes, never a hole.
enum class WalSyncMode : std::uint8_t {
  kSync,      // on disk when the call returns; concurrent writers share one fdatasync
  kPeriodic,  // on disk at most wal_sync_interval after the call returned
  kAsync,     // with the operating system when the call returns; on disk when it decides, or on sync()
};

enum class Compression : std::uint8_t { kNone = 0, kLz4 = 1, kZstd = 2 };

// What covers stored bytes. What each level costs is a row of the benchmark.
enum class IntegrityLevel : std::uint8_t {
  kBasic,     // XXH3 check values
  kStandard,  // BLAKE3 tag of every stored block, held by its parent up to the manifest
  kParanoid,  // as kStandard, BLAKE3 on each log record, tables read back after writing
};

// How tags of stored blocks are made, of tables and blob files. What was written stays as it was.
enum class ChecksumAlgorithm : std::uint8_t {
  kAuto,    // as integrity_validation_level says
  kXxh3,    // against chance
  kBlake3,  // against intent, too
};

// What follows when damage of a table or blob file is met, by a read, a job, a check or at opening. Whatever is chosen,
// what touches the damage fails with an error that names it, and no file is changed for it.
enum class CorruptionAction : std::uint8_t {
  kIsolate,   // nothing else: reads beside the damage, writes and compactions around it go on
  kReadOnly,  // reads go on; from then on each write answers kReadOnlyMode, and background work rests
  kHalt,      // from then on all reads and writes answer with the damage; check(), stats() and close() work
};

struct LightningDbConfig {
  // --- memory -------------------------------------------------------------------------------------
  // One budget for cached blocks, filters, indexes and memtables. Bytes; 0 = a quarter of the memory this
  // process may use (cgroup limits count). Range 8 MiB .. 1 TiB.
  std::uint64_t cache_size = 0;
  // Size at which a memtable is sealed and flushed. Bytes; 0 = by the budget (1/8, 4 .. 64 MiB).
  // Range 256 KiB .. 4 GiB.
  std::uint64_t memtable_bytes = 0;
  // Memtables of one keyspace, the active one included, before writers wait. Range 2 .. 64.
  std::uint32_t memtables_max = 4;

  // --- durability ---------------------------------------------------------------------------------
  WalSyncMode wal_sync_mode = WalSyncMode::kAsync;
  // For kPeriodic: longest time between acknowledgement and disk. Range 1 ms .. 60 s.
  std::chrono::milliseconds wal_sync_interval{100};
  // Size of one preallocated log segment; the one in use and the next are held in memory. Bytes; range 1 MiB .. 1 GiB;
  // 0 = by the budget (1/32, 1 .. 64 MiB).
  std::uint64_t wal_segment_bytes = 0;
  // The log is kept below this by flushing the keyspace that holds the oldest segment. Bytes; range: two
  // segments .. 1 TiB; 0 = eight segments or four memtables, whichever is more.
  std::uint64_t wal_bytes_max = 0;

  // --- integrity ----------------------------------------------------------------------------------
  IntegrityLevel integrity_validation_level = IntegrityLevel::kStandard;
  ChecksumAlgorithm checksum_algorithm = ChecksumAlgorithm::kAuto;
  // How often all tables, blob files and the manifest are read and compared with their tags, so that damage is found
  // before it is met. What is found is in Statistics::scrub and treated as corruption_action says. A round goes on
  // where it was after the database was closed. 0 = never. Range 1 s .. 365 days.
  std::chrono::milliseconds scrub_period{7 * 24 * 3'600'000LL};
  // Bytes that it reads per second. 0 = so many that a round takes half of scrub_period, at least 1 MiB. Range 64 KiB
  // .. 100 GiB.
  std::uint64_t scrub_bytes_per_second = 0;
  // Until the database is opened again.
  CorruptionAction corruption_action = CorruptionAction::kIsolate;
  // Opening fails with the damage, instead of halting reads of it, if a table or blob file that the database names is
  // missing, cut, or damaged in its footer, index or filter. Data blocks are not read for it.
  bool fail_on_corruption = false;

  // --- tables -------------------------------------------------------------------------------------
  bool compression_enabled = true;                     // false stores every block as it is
  Compression compression_upper = Compression::kLz4;   // all levels but the last
  Compression compression_bottom = Compression::kLz4;  // the last level, which holds most of the data
  // Uncompressed size of a data block. Bytes; range 1 KiB .. 1 MiB.
  std::uint32_t block_bytes = 16 * 1024;
  // Uncompressed data per table file. Bytes; range 256 KiB .. 4 GiB.
  std::uint64_t table_bytes = 64ull << 20;
  // Table files open at one time; others are opened again when they are read, which costs two system calls. 0 = half of
  // what the process may open, whose soft limit (RLIMIT_NOFILE) is raised to its hard one. Range 8 .. 1,000,000.
  std::uint32_t open_files_max = 0;
  // Filter bits per key; 0 = no filter. Range 0 .. 32. 10 gives about 1 % false positives.
  std::uint32_t filter_bits_per_key = 10;
  // For every 16 data blocks of a table one more (6 % of space), out of which a single one that can no longer be read
  // is rebuilt, compared with its tag, and served; the table is then written anew. Counts for tables from now on.
  bool block_parity = false;

  // --- large values -------------------------------------------------------------------------------
  // Values from this size on lie in blob files, and tables hold references to them. Bytes; 0 = never. Range 256 B ..
  // 512 MiB. A keyspace may have its own.
  std::uint64_t blob_threshold = 4096;
  // How much blob files may take, in percent of the values in them that are live; beyond, garbage is collected. One
  // memtable_bytes more is always allowed, and what is being moved at the moment. Range 105 .. 1000. Less means more
  // background writing.
  std::uint32_t max_space_amplification = 150;

  // --- compaction ---------------------------------------------------------------------------------
  // Threads for flushes and for compactions (separate lanes). 0 = by the number of cores. Range 0 .. 64.
  std::uint32_t flush_threads = 1;
  std::uint32_t compaction_threads = 0;
  // Sorted runs in level 0 that start a compaction. Range 2 .. 64.
  std::uint32_t level0_compaction_trigger = 8;
  // Sorted runs in level 0 at which writers begin to be slowed, and at which they wait.
  std::uint32_t level0_slowdown_trigger = 24;
  std::uint32_t level0_stop_trigger = 48;
  // Each level holds this many times the one above. Range 2 .. 32.
  std::uint32_t level_size_multiplier = 10;
  // Tombstones that a seek should have to pass in one table or memtable, of which it may meet one for each run of level
  // 0 and each level. A table in which more lie side by side is compacted; a memtable is flushed early when seeks have
  // met more than this, and 16 times as many in all. 0 = no bound. Range 16 .. 1,000,000,000.
  std::uint32_t tombstones_per_seek_max = 4096;
  // Background writing per second. Bytes; 0 = no limit. Range 1 MiB .. 100 GiB.
  std::uint64_t background_bytes_per_second = 0;
  // Longest time a write may wait for background work before it fails with kStalled. 0 = no limit.
  std::chrono::milliseconds write_stall_timeout{60'000};

  // Disk space held in reserve. When the disk is full, flushes, compactions, erases and closing go on with it, and
  // other writes answer kNoSpace until there is room again, which the database notices by itself. Less is taken where
  // this would be more than a sixteenth of what is free. Bytes; 0 = none. Range 1 MiB .. 1 TiB.
  std::uint64_t ballast_bytes = 64ull << 20;

  // --- transactions -------------------------------------------------------------------------------
  // Transactions active at one time; begin() fails with kTooManyTransactions beyond. Range 1 .. 1,000,000.
  std::uint32_t max_active_transactions = 1000;
  // Longest time between two calls of a transaction before it is rolled back. 0 = no limit. Range 1 ms .. 24 h.
  std::chrono::milliseconds transaction_idle_timeout{300'000};
  // Longest time from begin() to commit() before it is rolled back. 0 = no limit. Range 1 ms .. 24 h.
  std::chrono::milliseconds transaction_timeout{0};
  // Age at which a Snapshot may be let go, so that a forgotten one does not keep old versions for ever; reads with it
  // then answer kSnapshotTooOld. Not for those of transactions, nor for iterators that were made before. 0 = no limit.
  // Range 1 ms .. 365 days.
  std::chrono::milliseconds snapshot_age_max{0};
  // Longest wait for a lock of another transaction. 0 = fail at once. Range 1 ms .. 24 h.
  std::chrono::milliseconds lock_timeout{5'000};
  // Whether waits that would never end are found at once (kDeadlock); else they end by lock_timeout.
  bool enable_deadlock_detection = true;
  // Memory of one transaction: its writes, and at kSerializable what it read. Bytes; range 64 KiB .. 1 GiB.
  std::uint64_t transaction_memory_bytes = 64ull << 20;

  // --- archive ------------------------------------------------------------------------------------
  // A directory that gets all that is written, from which, with a backup, the database is brought back as it was at any
  // moment (archive.h). It belongs to one database. Segments of the log stay until they are in it. Empty: no archive.
  std::string archive_directory = {};
  // Instead of a directory: a command for the shell that takes each file of the archive to where it shall be kept. %p
  // is the file, %f the name to keep it under, %% a percent sign. Ending with 0 says that it is there, durably; else it
  // is called again, later. A file may come twice, with the same content.
  std::string archive_command = {};
  // Longest time that the command may take for one file; then it is killed, which counts as a failure. Range 10 ms ..
  // 24 h.
  std::chrono::milliseconds archive_command_timeout{60'000};
  // Longest time that a write waits for its archiving, if nothing fails. 0 = until a segment of the log is full, or the
  // database is closed. Range 10 ms .. 24 h.
  std::chrono::milliseconds archive_timeout{60'000};
  // Full segments of the log that may wait for their archiving; beyond, writers wait (write_stall_timeout). Bytes; 0 =
  // no limit but the disk. Range 1 MiB .. 1 TiB.
  std::uint64_t archive_backlog_max = 0;

  // --- behaviour ----------------------------------------------------------------------------------
  bool create_if_missing = true;
  bool error_if_exists = false;
  bool enable_statistics = true;  // latency histograms; counters are always kept

  // Checks every range and every rule between fields. The error names setting, value and range.
  Status validate() const;

  // Durable on return, memory a quarter of the machine: what a server uses.
  static LightningDbConfig production();
  // 4 GiB budget, Periodic 100 ms: bulk ingestion that may lose 100 ms to a power cut.
  static LightningDbConfig high_throughput();
  // Sync, Paranoid checks: nothing acknowledged is ever lost, everything is read back.
  static LightningDbConfig high_durability();
  // Runs in 256 MiB of memory.
  static LightningDbConfig low_memory();
};

}  // namespace lightning
