// Backups of a database, and what is made of them again.
//
//   LIGHTNING_ASSIGN(BackupInfo made, db.create_backup("/backups/orders"));
//   LIGHTNING_TRY(restore_backup("/backups/orders", "/data/orders"));
//
// A repository is a directory that holds any number of backups of one database. Tables and files of large values never
// change, so backups share them: each costs what is new since the one before, and each can be restored alone. A backup
// is all of the database at one sequence, across its keyspaces; it needs no log. It exists from one moment on, with all
// of its files on disk and verified, or not at all.
//
// Threads: any. One at a time changes a repository, be it in this process or another (kLockHeld names who does).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lightning/error.h"
#include "lightning/result.h"
#include "lightning/types.h"

namespace lightning {

// How far a backup, a verification or a restore has come.
struct BackupProgress {
  std::uint64_t done_files = 0, total_files = 0;
  std::uint64_t done_bytes = 0, total_bytes = 0;  // files that need not be copied count as done
};
// Return false to stop with kCancelled. Called from the calling thread, after each file and each MiB.
using BackupProgressFunction = std::function<bool(const BackupProgress&)>;

struct BackupOptions {
  std::uint64_t bytes_per_second = 0;  // at most so many are read from the database; 0: no limit
  // Reads what earlier backups have already copied, too, and replaces what does not verify any more.
  bool check_shared = false;
  BackupProgressFunction progress = {};
};

// One backup of a repository.
struct BackupInfo {
  std::uint64_t number = 0;                    // within its repository, rising
  Sequence sequence = 0;                       // all of the database up to here, and nothing behind it
  std::chrono::milliseconds created_at{};      // since 1970-01-01 00:00 UTC: the moment it shows
  std::uint64_t files = 0, bytes = 0;          // of its tables and large values
  std::uint64_t new_files = 0, new_bytes = 0;  // of these, what was not there before it
  std::string store_id = {};                   // of the database, hexadecimal
  std::vector<std::string> keyspaces = {};     // names, sorted
  std::optional<Error> damage = {};            // what is wrong with its catalogue; then only `number` is known
};

// All backups of a repository, oldest first. Errors: kBackupNotFound if there is no repository.
Result<std::vector<BackupInfo>> list_backups(const std::string& repository);

struct BackupCheckOptions {
  std::uint64_t number = 0;            // of one backup; 0: all
  std::uint64_t bytes_per_second = 0;  // 0: no limit
  BackupProgressFunction progress = {};
};
struct BackupCheckReport {
  std::vector<Error> findings = {};                       // empty: each can be restored. kBackupCorrupt names the file
  std::vector<std::uint64_t> backups = {}, damaged = {};  // numbers of those that were read; of these, the damaged ones
  std::uint64_t files = 0, bytes = 0;
};
// Reads every file of the backups, each once, and compares it with its BLAKE3 digest. Findings are in the report; an
// error means that the check itself could not run. Errors: kBackupNotFound, kIo, kCancelled.
Result<BackupCheckReport> check_backups(const std::string& repository, const BackupCheckOptions& options = {});

struct BackupPruneReport {
  std::vector<std::uint64_t> removed = {};  // numbers
  std::uint64_t files = 0, bytes = 0;       // that nothing refers to any more, and are gone
};
// Removes all but the `keep` newest backups, and the files that only they had. Also removes what was left of backups
// that were never completed. Errors: kInvalidArgument (keep is 0), kBackupNotFound, kLockHeld, kIo; kBackupCorrupt if a
// catalogue that is to stay cannot be read: then nobody knows what it needs, and nothing is removed.
Result<BackupPruneReport> prune_backups(const std::string& repository, std::uint64_t keep);

// A keyspace of a backup, and what it shall be called.
struct RestoredKeyspace {
  std::string name;
  std::string as = {};  // empty: the same
};

struct RestoreOptions {
  std::uint64_t number = 0;  // 0: the newest
  // Only these, with their indexes; empty: all. A database always has the default keyspace: it is empty if it is not
  // named, and keeps its name. Errors: kKeyspaceNotFound; kInvalidArgument (a name that is none, or is given twice).
  std::vector<RestoredKeyspace> keyspaces = {};
  // Puts the backup in the place of a database that is there. The backup is verified whole before that one is touched.
  // Other files of the directory stay.
  bool replace = false;
  std::uint64_t bytes_per_second = 0;  // 0: no limit
  BackupProgressFunction progress = {};
};

// Makes a database in the directory `path`, which is new or empty, from a backup. Every byte is verified on its way.
// The superblock, without which no directory is a database, is written last: a restore that was interrupted is begun
// again by calling this again, and nothing can be opened before. The database keeps the identity of the one that was
// backed up, as its files carry it, but no log of that one will be taken for its own once it has been opened. Errors:
// kInvalidArgument (the directory is not empty), kBackupNotFound, kBackupCorrupt (names the file), kLockHeld (a process
// has the database open that is to be replaced), kNoSpace, kIo, kCancelled.
Result<BackupInfo> restore_backup(const std::string& repository, const std::string& path,
                                  const RestoreOptions& options = {});

// --- as one stream
// ----------------------------------------------------------------------------------------------------

// Takes the next bytes; an error ends the backup with it.
using BackupSink = std::function<Status(std::string_view)>;
// Fills as much of `into` as it has, and answers how much; 0 only at the end.
using BackupSource = std::function<Result<std::size_t>(std::span<char> into)>;

// Makes a database in the directory `path`, which is new or empty, from a stream of Database::stream_backup(). In
// bounded memory. Whether the stream is whole shows at its end, and before that nothing can be opened. Of `options`,
// `number`, `keyspaces` and `replace` have no meaning (kInvalidArgument). Totals of the progress are 0. Errors: as
// restore_backup(), and those of `source`.
Result<BackupInfo> restore_backup_stream(const BackupSource& source, const std::string& path,
                                         const RestoreOptions& options = {});

}  // namespace lightning
