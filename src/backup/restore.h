// Making a database from a backup of a repository.
#pragma once

#include <string>

#include "backup/repository.h"
#include "env/env.h"

namespace lightning::backup {

Result<BackupInfo> restore(env::Env& env, const std::string& repository, const std::string& path,
                           const RestoreOptions& options);

}  // namespace lightning::backup
