// Making a database from a backup of a repository.
#pragma once

#include <functional>
#include <string>

#include "backup/new_database.h"
#include "backup/repository.h"
#include "env/env.h"

namespace lightning::backup {

// `before_commit`: called when all files are there, and no database is yet; may put more beside them, synced.
Result<BackupInfo> restore(env::Env& env, const std::string& repository, const std::string& path,
                           const RestoreOptions& options,
                           const std::function<Status(NewDatabase&)>& before_commit = {});

}  // namespace lightning::backup
