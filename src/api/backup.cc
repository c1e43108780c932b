// Backups: the public functions over lightning::backup.
#include "lightning/backup.h"

#include "backup/create.h"
#include "backup/repository.h"
#include "backup/restore.h"
#include "backup/stream.h"
#include "lightning/database.h"

namespace lightning {

Result<BackupInfo> Database::create_backup(const std::string& repository, const BackupOptions& options) {
  return backup::create(engine_->env(), engine_, repository, options);
}

Result<BackupInfo> Database::stream_backup(const BackupSink& sink, const BackupOptions& options) {
  return backup::send(engine_->env(), engine_, sink, options);
}

Result<BackupInfo> restore_backup_stream(const BackupSource& source, const std::string& path,
                                         const RestoreOptions& options) {
  return backup::receive(env::Env::real(), source, path, options);
}

Result<std::vector<BackupInfo>> list_backups(const std::string& repository) {
  return backup::list(env::Env::real(), repository);
}

Result<BackupCheckReport> check_backups(const std::string& repository, const BackupCheckOptions& options) {
  return backup::check(env::Env::real(), repository, options);
}

Result<BackupPruneReport> prune_backups(const std::string& repository, std::uint64_t keep) {
  return backup::prune(env::Env::real(), repository, keep);
}

Result<BackupInfo> restore_backup(const std::string& repository, const std::string& path,
                                  const RestoreOptions& options) {
  return backup::restore(env::Env::real(), repository, path, options);
}

}  // namespace lightning
