// The database as it was at a moment: a backup, and the archive behind it.
#pragma once

#include <string>

#include "env/env.h"
#include "lightning/archive.h"

namespace lightning::archive {

Result<RecoveryPlan> recover(env::Env& env, const std::string& repository, const std::string& archive,
                             const std::string& path, const RecoverOptions& options);

}  // namespace lightning::archive
