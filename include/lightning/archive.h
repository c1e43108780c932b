// Point-in-time recovery: the database as it was at any moment since a backup.
//
//   config.archive_directory = "/archive/orders";           // from now on all that is written goes there, too
//   LIGHTNING_TRY(db.create_backup("/backups/orders"));      // where recoveries begin
//   ...
//   RecoverOptions options;
//   options.to_time = std::chrono::milliseconds(1'795'514'400'000);
//   LIGHTNING_TRY(recover("/backups/orders", "/archive/orders", "/data/orders-then", options));
//
// An archive holds what the log of one database said: its commits in their order, with the moment of each, the changes
// of its keyspaces, and the files of values that were streamed. A backup, and the archive behind it, is the database at
// each commit. Archiving follows the log: what is durable is archived when a segment of the log is full, after
// archive_timeout, and when the database is closed; until then segments stay. Statistics::archive tells how far it is.
//
// Recoveries begin at backups that were made since archiving began. Opening the database without an archive ends its
// history there: recoveries beyond need a backup that is made after archiving was begun again.
//
// Threads: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lightning/config.h"
#include "lightning/error.h"
#include "lightning/result.h"
#include "lightning/types.h"

namespace lightning {

// One file of an archive: an unbroken piece of history.
struct ArchiveFile {
  std::uint64_t number = 0;                             // rising by one
  std::string name = {};                                // in the archive's directory
  Sequence after = 0, last = 0;                         // commits behind the one, up to and including the other
  std::chrono::milliseconds first_time{}, last_time{};  // of its commits and changes, since 1970-01-01 00:00 UTC
  std::uint64_t commits = 0, keyspace_changes = 0, bytes = 0;
  std::string store_id = {};         // of the database, hexadecimal
  std::optional<Error> damage = {};  // what is wrong with it; then only number, name and bytes are known
};

// All of an archive, by number. Reads the end of each file only. Errors: kBackupNotFound if `directory` is no archive.
Result<std::vector<ArchiveFile>> list_archive(const std::string& directory);

struct ArchiveCheckReport {
  std::vector<Error> findings = {};  // empty: one unbroken history. kWalMissing: a gap, kBackupCorrupt: damage
  std::uint64_t files = 0, commits = 0, bytes = 0;
};
// Reads all of it: each file against its digest, each commit against the chain, each file against the one before.
Result<ArchiveCheckReport> check_archive(const std::string& directory);

// Between which moments a recovery can choose, without a gap.
struct RecoveryRange {
  Sequence first_sequence = 0, last_sequence = 0;
  std::chrono::milliseconds first_time{}, last_time{};
};

// What a recovery does, or would do.
struct RecoveryPlan {
  std::uint64_t backup = 0;  // number
  Sequence backup_sequence = 0;
  std::chrono::milliseconds backup_time{};
  std::uint64_t backup_bytes = 0;
  std::vector<std::string> archive_files = {};  // that are replayed, in order
  std::uint64_t archive_bytes = 0;
  std::uint64_t commits = 0, keyspace_changes = 0;  // that are replayed
  std::uint64_t blob_files = 0, blob_bytes = 0;     // values that were streamed
  Sequence sequence = 0;                            // of the newest commit in the result
  std::chrono::milliseconds time{};                 // and when it was made, or the backup
  RecoveryRange range = {};                         // all that could have been asked for
};

// How far it is: bytes read while the archive is verified, then bytes copied of the backup.
struct ArchiveProgress {
  std::uint64_t done_bytes = 0, total_bytes = 0;
};

struct RecoverOptions {
  // At most one. Neither: up to the archive's end.
  // The database when this commit had just been made: with it, and without whatever came behind it.
  std::optional<Sequence> to_sequence = {};
  // Milliseconds since 1970-01-01 00:00 UTC: up to the first commit, or change of keyspaces, that was made later.
  std::optional<std::chrono::milliseconds> to_time = {};
  bool dry_run = false;                                       // verify and plan only: `path` is not touched
  std::function<bool(const ArchiveProgress&)> progress = {};  // return false to stop with kCancelled
  // For the database that is made while it is brought forward: memory and compression. Its archive settings have no
  // effect.
  LightningDbConfig config = {};
};

// Makes a database in `path`, a new or empty directory, from the newest backup at or before the moment and the archive
// behind it. All of the archive that is needed is verified before `path` is touched; a run that was interrupted leaves
// no database, and is begun again by calling this again. The new database begins a history of its own, and an archive
// of its own, in another directory.
// Errors: kInvalidArgument (a moment outside the range, which is named; the directory is not empty; the archive is that
// of another database), kWalMissing (a gap: which files or sequences are missing, and the last moment before it),
// kBackupCorrupt (a file was altered: which, and the last moment before it), kBackupNotFound, kCancelled, kIo,
// kNoSpace.
Result<RecoveryPlan> recover(const std::string& repository, const std::string& archive, const std::string& path,
                             const RecoverOptions& options = {});

// The two usual ones.
inline Result<RecoveryPlan> recover_to_sequence(const std::string& repository, const std::string& archive,
                                                const std::string& path, Sequence sequence) {
  RecoverOptions options;
  options.to_sequence = sequence;
  return recover(repository, archive, path, options);
}
inline Result<RecoveryPlan> recover_to_timestamp(const std::string& repository, const std::string& archive,
                                                 const std::string& path, std::chrono::milliseconds since_1970) {
  RecoverOptions options;
  options.to_time = since_1970;
  return recover(repository, archive, path, options);
}

}  // namespace lightning
