// Repository: a directory of backups. docs/format/backup.md.
//
//   <repository>/
//     LOCK                          held while somebody changes the repository
//     backups/000000000007.backup   a catalogue: it makes the backup exist
//     files/<uid>-<root tag>.sst    tables and blob files, shared by the catalogues that name them
//     .../*.part                    being written; of no meaning to anybody
//
// Law: a file is complete, verified and durable under its name before a catalogue that names it appears; and a
// catalogue is durably gone before a file that only it named is removed.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "backup/catalogue.h"
#include "backup/transfer.h"
#include "env/env.h"

namespace lightning::backup {

// Threads: one.
class Repository {
 public:
  // To read. Takes no lock: what is pruned meanwhile is found missing. kBackupNotFound if it is not there.
  static Result<Repository> open(env::Env& env, const std::string& path);
  // To change: makes the directories if `create`, and holds the lock for as long as it lives. Errors: kLockHeld;
  // kInvalidArgument if the directory holds something else, or is part of a database.
  static Result<Repository> open_for_change(env::Env& env, const std::string& path, bool create);

  const std::string& path() const { return path_; }
  std::string catalogues() const { return path_ + "/backups"; }
  std::string files() const { return path_ + "/files"; }
  std::string path_of(const StoredFile& file) const { return files() + "/" + file.name(); }

  // Of all catalogues, ascending; whole or not.
  Result<std::vector<std::uint64_t>> numbers() const;
  Result<Catalogue> read(std::uint64_t number) const;  // kBackupNotFound, kBackupCorrupt
  Result<Catalogue> read_newest() const;

  // The commit point of a backup: `catalogue` gets a number, and is durable under it at return.
  Status commit(Catalogue& catalogue);
  Status remove_catalogue(std::uint64_t number);  // durably
  // Removes whatever is in files/ and not in `named`, and all unfinished files of both directories. Best effort.
  void remove_others(const std::set<std::string>& named, BackupPruneReport& report);
  void remove_unfinished();

 private:
  Repository(env::Env& env, std::string path) : env_(&env), path_(std::move(path)) {}
  Status refuse_foreign() const;
  bool remove_unfinished_in(const std::string& directory);

  env::Env* env_;
  std::string path_;
  std::unique_ptr<env::FileLock> lock_;
};

// Reads a file of a repository: kBackupCorrupt names it if it is not there, or not what it was.
Error not_as_stored(const std::string& path, std::string_view what);
Status verify_stored(env::Env& env, Transfer& transfer, const std::string& path, bool is_blob, std::uint64_t bytes,
                     const base::Digest& digest);

// Whether `path` is the directory of a database, or lies in one.
Result<bool> is_inside_database(env::Env& env, const std::string& path);

Result<std::vector<BackupInfo>> list(env::Env& env, const std::string& path);
Result<BackupCheckReport> check(env::Env& env, const std::string& path, const BackupCheckOptions& options);
Result<BackupPruneReport> prune(env::Env& env, const std::string& path, std::uint64_t keep);

}  // namespace lightning::backup
