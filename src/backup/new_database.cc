#include "backup/new_database.h"

#include <algorithm>

#include "engine/recovery.h"
#include "engine/scrub.h"

namespace lightning::backup {

Status NewDatabase::claim(bool replace) {
  LIGHTNING_ASSIGN(const bool there, env_.files.exists(paths_.root));
  if (there) {
    LIGHTNING_ASSIGN(const env::FileInfo info, env_.files.info(paths_.root));
    if (!info.is_directory)
      return Error(ErrorCode::kInvalidArgument, "this is a file, and a database is a directory").at_file(paths_.root);
    LIGHTNING_ASSIGN(const auto names, env_.files.list(paths_.root));
    // With the mark nobody has written to it yet: the first opening for writing removes it before anything else.
    const bool begun = std::ranges::any_of(
        names, [](const auto& name) { return name == engine::kRestoringName || name == engine::kRecoveringName; });
    // A lock that is all there is was left by one that died as it began.
    const bool holds_something =
        std::ranges::any_of(names, [](const auto& name) { return name != "lost+found" && name != "LOCK"; });
    if (holds_something && !begun && !replace)
      return Error(ErrorCode::kInvalidArgument,
                   "the directory to restore into is not empty: it holds '" + names.front() + "'")
          .at_file(paths_.root)
          .with_advice("name a new directory; or say that the database in it shall be replaced (--replace)");
  }
  LIGHTNING_TRY(env_.files.create_directories(paths_.root));
  LIGHTNING_ASSIGN(lock_, env_.files.lock(paths_.lock(), env::process_description()));
  LIGHTNING_ASSIGN(const bool marked, env_.files.exists(mark()));
  if (!marked)
    LIGHTNING_TRY(
        write_mark(mark(), "A backup is being restored into this directory, or a repaired database made in it.\n"));
  LIGHTNING_TRY(env_.files.sync_directory(paths_.root));
  LIGHTNING_TRY(remove_old());
  for (const std::string& directory : {paths_.wal(), paths_.tables(), paths_.blobs()})
    LIGHTNING_TRY(env_.files.create_directories(directory));
  return {};
}

Status NewDatabase::write_mark(const std::string& path, std::string_view text) {
  LIGHTNING_ASSIGN(auto file, env_.files.create_writable(path, env::FileClass::kOther));
  LIGHTNING_TRY(file->append(text));
  LIGHTNING_TRY(file->sync());
  return file->close();
}

Status NewDatabase::mark_recovering() {
  LIGHTNING_TRY(write_mark(paths_.root + "/" + std::string(engine::kRecoveringName),
                           "A restored backup is being brought forward from an archive in this directory.\n"));
  return env_.files.sync_directory(paths_.root);
}

Status NewDatabase::remove_all_in(const std::string& directory) {
  LIGHTNING_ASSIGN(const bool there, env_.files.exists(directory));
  if (!there) return {};
  LIGHTNING_ASSIGN(const auto names, env_.files.list(directory));
  for (const std::string& name : names) LIGHTNING_TRY(env_.files.remove(directory + "/" + name));
  return env_.files.sync_directory(directory);
}

// The superblock first: what is left of a database without one is none.
Status NewDatabase::remove_old() {
  const std::string superblock = paths_.root + "/" + std::string(manifest::kSuperblockName);
  LIGHTNING_ASSIGN(const bool there, env_.files.exists(superblock));
  if (there) {
    LIGHTNING_TRY(env_.files.remove(superblock));
    LIGHTNING_TRY(env_.files.sync_directory(paths_.root));
  }
  for (const std::string& directory : {paths_.wal(), paths_.tables(), paths_.blobs(), paths_.archive()})
    LIGHTNING_TRY(remove_all_in(directory));
  LIGHTNING_ASSIGN(const auto names, env_.files.list(paths_.root));
  for (const std::string& name : names)
    if (name.starts_with("MANIFEST-") || name == engine::kRecoveryJournalName || name == engine::kScrubRecordName ||
        name == engine::kRecoveringName)
      LIGHTNING_TRY(env_.files.remove(paths_.root + "/" + name));
  return env_.files.sync_directory(paths_.root);
}

// The epoch is a new one, and every record of the log carries it in its chain: this history and that of the database
// that was backed up part here, and neither's log is taken for the other's.
Status NewDatabase::finish(const Catalogue& catalogue) {
  for (const std::string& directory : {paths_.tables(), paths_.blobs()})
    LIGHTNING_TRY(env_.files.sync_directory(directory));
  manifest::State state = catalogue.state;
  state.epoch += 1;
  state.archive.reset();  // it begins an archive of its own, if any
  state.changes.clear();
  LIGHTNING_TRY(manifest::Manifest::create(env_, paths_.root, catalogue.superblock, state));
  lock_.reset();
  // A mark that stays, or comes back, means that the restore may be begun again; the first opening removes it.
  if (!env_.files.remove(mark()) || !env_.files.sync_directory(paths_.root)) return {};
  return {};
}

}  // namespace lightning::backup
