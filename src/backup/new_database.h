// NewDatabase: a directory on its way to be a database.
//
// Files first, then a manifest of their state, and the superblock last: until then nobody takes the directory for a
// database. A mark says from the start what the directory is going to be, so that a run that was killed can be begun
// again, and whoever opens it before is told.
#pragma once

#include <memory>
#include <string>

#include "backup/catalogue.h"
#include "engine/engine.h"
#include "env/env.h"

namespace lightning::backup {

// Threads: one.
class NewDatabase {
 public:
  NewDatabase(env::Env& env, const std::string& path) : env_(env), paths_(path) {}

  // Leaves the directory with a lock, the mark, the empty directories of a database and nothing else of one. What was
  // there goes only with `replace`. Errors: kInvalidArgument if it holds something, kLockHeld.
  Status claim(bool replace);
  std::string path_of(bool is_blob, format::FileNumber number) const {
    return is_blob ? paths_.blob(number) : paths_.table(number);
  }
  // From now on, and behind the commit point, the directory is a restored backup that is still to be brought forward.
  // claim() takes the mark away again. Durable at return.
  Status mark_recovering();
  // The commit point: all files are there, and synced; their names are not.
  Status finish(const Catalogue& catalogue);

 private:
  Status remove_all_in(const std::string& directory);
  Status remove_old();
  Status write_mark(const std::string& path, std::string_view text);
  std::string mark() const { return paths_.root + "/" + std::string(engine::kRestoringName); }

  env::Env& env_;
  const engine::Paths paths_;
  std::unique_ptr<env::FileLock> lock_;
};

}  // namespace lightning::backup
