#include "backup/restore.h"

#include "base/planted_bug.h"

namespace lightning::backup {

namespace {

class Restoration {
 public:
  Restoration(env::Env& env, const Repository& repository, const Catalogue& catalogue, const RestoreOptions& options)
      : env_(env),
        repository_(repository),
        catalogue_(catalogue),
        transfer_(env, options.bytes_per_second, options.progress),
        files_(files_of(catalogue.state)) {}

  Status check_files_are_there() const;
  Status verify_files();
  Status copy_files(const NewDatabase& target);

 private:
  void expect_all();

  env::Env& env_;
  const Repository& repository_;
  const Catalogue& catalogue_;
  Transfer transfer_;
  const std::vector<StoredFile> files_;
};

void Restoration::expect_all() {
  std::uint64_t bytes = 0;
  for (const StoredFile& file : files_) bytes += file.bytes();
  transfer_.expect(files_.size(), bytes);
}

Status Restoration::check_files_are_there() const {
  for (const StoredFile& file : files_) {
    const std::string path = repository_.path_of(file);
    LIGHTNING_ASSIGN(const bool there, env_.files.exists(path));
    if (!there) return not_as_stored(path, "is missing");
    LIGHTNING_ASSIGN(const env::FileInfo info, env_.files.info(path));
    if (info.bytes != file.bytes())
      return not_as_stored(path,
                           "has " + std::to_string(info.bytes) + " bytes instead of " + std::to_string(file.bytes()));
  }
  return {};
}

Status Restoration::verify_files() {
  expect_all();
  for (std::size_t i = 0; i < files_.size(); ++i) {
    LIGHTNING_TRY(verify_stored(env_, transfer_, repository_.path_of(files_[i]), files_[i].is_blob, files_[i].bytes(),
                                catalogue_.digests[i]));
    LIGHTNING_TRY(transfer_.file_done());
  }
  return {};
}

Status Restoration::copy_files(const NewDatabase& target) {
  expect_all();
  for (std::size_t i = 0; i < files_.size(); ++i) {
    const StoredFile& file = files_[i];
    const std::string from = repository_.path_of(file);
    LIGHTNING_ASSIGN(const bool there, env_.files.exists(from));
    if (!there) return not_as_stored(from, "is missing");
    const auto digest = transfer_.copy(from, target.path_of(file.is_blob, file.number()),
                                       file.is_blob ? env::FileClass::kBlob : env::FileClass::kTable, file.bytes());
    if (!digest) {
      if (digest.error().code() != ErrorCode::kCorruption) return digest.error();
      return not_as_stored(from, "is not what it was: " + digest.error().message());
    }
    if (*digest != catalogue_.digests[i]) return not_as_stored(from, "is not what it was: its digest is another one");
    LIGHTNING_TRY(transfer_.file_done());
  }
  return {};
}

}  // namespace

Result<BackupInfo> restore(env::Env& env, const std::string& repository_path, const std::string& path,
                           const RestoreOptions& options, const std::function<Status(NewDatabase&)>& before_commit) {
  if (path.empty()) return Error(ErrorCode::kInvalidArgument, "the path to restore to is empty");
  LIGHTNING_ASSIGN(const Repository repository, Repository::open(env, repository_path));
  if (path == repository_path || path.starts_with(repository_path + "/"))
    return Error(ErrorCode::kInvalidArgument, "the database would lie in the backup repository").at_file(path);
  LIGHTNING_ASSIGN(Catalogue catalogue,
                   options.number == 0 ? repository.read_newest() : repository.read(options.number));
  LIGHTNING_TRY(catalogue.keep(options.keyspaces));
  const auto run = [&]() -> Status {
    Restoration restoration(env, repository, catalogue, options);
    NewDatabase target(env, path);
    LIGHTNING_TRY(restoration.check_files_are_there());
    if (options.replace) LIGHTNING_TRY(restoration.verify_files());
    LIGHTNING_TRY(target.claim(options.replace));
    const bool wrong_order = base::planted(base::PlantedBug::kRestoreSuperblockFirst);
    if (wrong_order) LIGHTNING_TRY(target.finish(catalogue));
    LIGHTNING_TRY(restoration.copy_files(target));
    if (before_commit) LIGHTNING_TRY(before_commit(target));
    return wrong_order ? Status{} : target.finish(catalogue);
  };
  if (Status status = run(); !status)
    return std::move(status).error().while_doing("restoring backup " + std::to_string(catalogue.number) + " to " +
                                                 path);
  return catalogue.info();
}

}  // namespace lightning::backup
