// Making a backup.
//
// The engine holds a moment in place (engine/checkpoint.h). What of it is in memory only is written to tables in the
// repository; the other files are copied, but for those that are there already. Each is verified against the tags below
// the root that the manifest holds, then synced, then named. At the end one small file makes the backup exist.
//
// A run that was killed leaves complete files under their names: the next one reads them once more instead of copying
// them, and whatever no catalogue names after it goes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backup/repository.h"
#include "engine/engine.h"

namespace lightning::backup {

// Beside a writer in another process files may go away while they are copied: then `engine`, which was opened to read,
// is opened anew, and the backup is one of the newer moment. Errors: as Database::create_backup().
Result<BackupInfo> create(env::Env& env, std::shared_ptr<engine::Engine> engine, const std::string& repository,
                          const BackupOptions& options);

}  // namespace lightning::backup
