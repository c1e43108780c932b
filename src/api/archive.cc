// Archives and recovery to a moment: the public functions over lightning::archive.
#include "lightning/archive.h"

#include "archive/archive.h"
#include "archive/recover.h"

namespace lightning {

Result<std::vector<ArchiveFile>> list_archive(const std::string& directory) {
  return archive::list(env::Env::real(), directory);
}

Result<ArchiveCheckReport> check_archive(const std::string& directory) {
  return archive::check(env::Env::real(), directory);
}

Result<RecoveryPlan> recover(const std::string& repository, const std::string& archive, const std::string& path,
                             const RecoverOptions& options) {
  LIGHTNING_TRY(options.config.validate());
  return archive::recover(env::Env::real(), repository, archive, path, options);
}

}  // namespace lightning
