#include "backup/repository.h"

#include <algorithm>
#include <charconv>

#include "base/planted_bug.h"

namespace lightning::backup {

namespace {

constexpr std::string_view kCatalogueEnding = ".backup", kUnfinishedEnding = ".part";

std::uint64_t number_in(std::string_view name) {
  if (!name.ends_with(kCatalogueEnding)) return 0;
  name.remove_suffix(kCatalogueEnding.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc{} && end == name.data() + name.size() && name.size() == 12 ? number : 0;
}

Error not_there(const std::string& path) {
  return Error(ErrorCode::kBackupNotFound, "there is no backup repository in this directory").at_file(path);
}

std::string parent_of(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path.empty() ? "" : "/";
  const std::size_t slash = path.find_last_of('/', end);
  if (slash == std::string::npos) return "";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<bool> is_inside_database(env::Env& env, const std::string& path) {
  const auto is_store = [&](const std::string& directory) {
    return env.files.exists(directory + "/" + std::string(manifest::kSuperblockName));
  };
  // As it is spelt, where nothing may exist yet; then as the operating system sees it, through links.
  for (std::string above = path; !above.empty(); above = parent_of(above)) {
    LIGHTNING_ASSIGN(const bool found, is_store(above));
    if (found) return true;
    if (above == "/") break;
  }
  constexpr int kDepth = 32;
  const std::string from = path.starts_with('/') ? "" : ".";
  for (const std::string& start : {path, from}) {
    if (start.empty()) continue;
    std::string above = start;
    for (int i = 0; i < kDepth; ++i, above += "/..") {
      LIGHTNING_ASSIGN(const bool found, is_store(above));
      if (found) return true;
    }
  }
  return false;
}

Status Repository::refuse_foreign() const {
  LIGHTNING_ASSIGN(const env::FileInfo info, env_->files.info(path_));
  if (!info.is_directory)
    return Error(ErrorCode::kInvalidArgument, "this is a file, and a backup repository is a directory").at_file(path_);
  LIGHTNING_ASSIGN(const auto names, env_->files.list(path_));
  if (std::ranges::find(names, "backups") != names.end() && std::ranges::find(names, "files") != names.end()) return {};
  for (const std::string& name : names)
    if (name != "LOCK" && name != "backups" && name != "files" && name != "lost+found")
      return Error(ErrorCode::kInvalidArgument, "the directory holds '" + name + "' and is no backup repository")
          .at_file(path_)
          .with_advice("name an empty or a new directory");
  return {};
}

Result<Repository> Repository::open(env::Env& env, const std::string& path) {
  Repository repository(env, path);
  LIGHTNING_ASSIGN(const bool there, env.files.exists(repository.catalogues()));
  if (path.empty() || !there) return not_there(path);
  return repository;
}

Result<Repository> Repository::open_for_change(env::Env& env, const std::string& path, bool create) {
  if (path.empty()) return Error(ErrorCode::kInvalidArgument, "the path of the backup repository is empty");
  Repository repository(env, path);
  LIGHTNING_ASSIGN(const bool inside, is_inside_database(env, path));
  if (inside)
    return Error(ErrorCode::kInvalidArgument, "the backup would lie in the directory of a database")
        .at_file(path)
        .with_advice("name a directory outside of every database, on another disk if you can");
  LIGHTNING_ASSIGN(const bool there, env.files.exists(path));
  if (there) LIGHTNING_TRY(repository.refuse_foreign());
  LIGHTNING_ASSIGN(const bool has_backups, env.files.exists(repository.catalogues()));
  if (!has_backups && !create) return not_there(path);
  if (create) LIGHTNING_TRY(env.files.create_directories(path));
  auto lock = env.files.lock(path + "/LOCK", env::process_description());
  if (!lock) {
    if (lock.error().code() != ErrorCode::kLockHeld) return std::move(lock).error();
    return std::move(lock)
        .error()
        .while_doing("changing the backup repository " + path)
        .with_advice("one backup, prune or restore at a time: wait for the process named");
  }
  repository.lock_ = std::move(*lock);
  if (create)
    for (const std::string& directory : {repository.files(), repository.catalogues()})
      LIGHTNING_TRY(env.files.create_directories(directory));
  return repository;
}

Result<std::vector<std::uint64_t>> Repository::numbers() const {
  LIGHTNING_ASSIGN(const auto names, env_->files.list(catalogues()));
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : names)
    if (const std::uint64_t number = number_in(name); number != 0) numbers.push_back(number);
  std::ranges::sort(numbers);
  return numbers;
}

Result<Catalogue> Repository::read(std::uint64_t number) const {
  const std::string path = catalogues() + "/" + catalogue_name(number);
  LIGHTNING_ASSIGN(const bool there, env_->files.exists(path));
  if (!there) return Error(ErrorCode::kBackupNotFound, "there is no backup " + std::to_string(number)).at_file(path_);
  LIGHTNING_ASSIGN(const std::string bytes, env_->files.read_file(path, kCatalogueBytesMax));
  LIGHTNING_ASSIGN(Catalogue catalogue, Catalogue::decode(bytes, path));
  if (catalogue.number != number)
    return Error(ErrorCode::kBackupCorrupt, "the catalogue is that of backup " + std::to_string(catalogue.number))
        .at_file(path);
  return catalogue;
}

Result<Catalogue> Repository::read_newest() const {
  LIGHTNING_ASSIGN(const auto all, numbers());
  if (all.empty()) return Error(ErrorCode::kBackupNotFound, "the repository holds no backup").at_file(path_);
  return read(all.back());
}

Status Repository::commit(Catalogue& catalogue) {
  LIGHTNING_ASSIGN(const auto all, numbers());
  catalogue.number = all.empty() ? 1 : all.back() + 1;
  const std::string path = catalogues() + "/" + catalogue_name(catalogue.number);
  const std::string unfinished = path + std::string(kUnfinishedEnding);
  if (!base::planted(base::PlantedBug::kBackupBeforeItsFiles)) LIGHTNING_TRY(env_->files.sync_directory(files()));
  LIGHTNING_ASSIGN(const bool leftover, env_->files.exists(unfinished));
  if (leftover) LIGHTNING_TRY(env_->files.remove(unfinished));
  LIGHTNING_ASSIGN(auto file, env_->files.create_writable(unfinished, env::FileClass::kOther));
  LIGHTNING_TRY(file->append(catalogue.encode()));
  LIGHTNING_TRY(file->sync());
  LIGHTNING_TRY(file->close());
  LIGHTNING_TRY(env_->files.rename(unfinished, path));
  return env_->files.sync_directory(catalogues());
}

Status Repository::remove_catalogue(std::uint64_t number) {
  LIGHTNING_TRY(env_->files.remove(catalogues() + "/" + catalogue_name(number)));
  if (base::planted(base::PlantedBug::kPruneBeforeItIsDurable)) return {};
  return env_->files.sync_directory(catalogues());
}

// What cannot be removed is in nobody's way.
bool Repository::remove_unfinished_in(const std::string& directory) {
  const auto names = env_->files.list(directory);
  if (!names) return false;
  for (const std::string& name : *names)
    if (name.ends_with(kUnfinishedEnding) && !env_->files.remove(directory + "/" + name)) return false;
  return true;
}

void Repository::remove_unfinished() {
  for (const std::string& directory : {files(), catalogues()})
    if (!remove_unfinished_in(directory)) return;
}

void Repository::remove_others(const std::set<std::string>& named, BackupPruneReport& report) {
  remove_unfinished();
  const auto names = env_->files.list(files());
  if (!names) return;
  for (const std::string& name : *names) {
    if (named.contains(name) || !(name.ends_with(".sst") || name.ends_with(".blob"))) continue;
    const std::string path = files() + "/" + name;
    const auto info = env_->files.info(path);
    if (!info || !env_->files.remove(path)) continue;
    report.files += 1;
    report.bytes += info->bytes;
  }
}

Error not_as_stored(const std::string& path, std::string_view what) {
  return Error(ErrorCode::kBackupCorrupt, "a file of the backup " + std::string(what)).at_file(path);
}

Status verify_stored(env::Env& env, Transfer& transfer, const std::string& path, bool is_blob, std::uint64_t bytes,
                     const base::Digest& digest) {
  LIGHTNING_ASSIGN(const bool there, env.files.exists(path));
  if (!there) return not_as_stored(path, "is missing");
  const auto found = transfer.read(path, is_blob ? env::FileClass::kBlob : env::FileClass::kTable, bytes);
  if (!found) {
    if (found.error().code() != ErrorCode::kCorruption) return found.error();
    return not_as_stored(path, "is not what it was: " + found.error().message());
  }
  if (*found != digest) return not_as_stored(path, "is not what it was: its digest is another one");
  return {};
}

// --- what needs no database ------------------------------------------------------------------------------------------

Result<std::vector<BackupInfo>> list(env::Env& env, const std::string& path) {
  LIGHTNING_ASSIGN(const Repository repository, Repository::open(env, path));
  LIGHTNING_ASSIGN(const auto numbers, repository.numbers());
  std::vector<BackupInfo> all;
  for (const std::uint64_t number : numbers) {
    auto catalogue = repository.read(number);
    if (catalogue) {
      all.push_back(catalogue->info());
    } else if (catalogue.error().code() != ErrorCode::kBackupNotFound) {  // else it was pruned just now
      all.push_back({.number = number, .damage = catalogue.error()});
    }
  }
  return all;
}

Result<BackupCheckReport> check(env::Env& env, const std::string& path, const BackupCheckOptions& options) {
  LIGHTNING_ASSIGN(const Repository repository, Repository::open(env, path));
  BackupCheckReport report;
  if (options.number != 0) {
    report.backups = {options.number};
  } else {
    LIGHTNING_ASSIGN(report.backups, repository.numbers());
  }
  struct Wanted {
    std::uint64_t bytes = 0;
    bool is_blob = false;
    base::Digest digest{};
    std::vector<std::uint64_t> backups;
  };
  std::map<std::string, Wanted> wanted;
  std::set<std::uint64_t> damaged;
  std::uint64_t total = 0;
  for (const std::uint64_t number : report.backups) {
    auto catalogue = repository.read(number);
    if (!catalogue) {
      if (catalogue.error().code() == ErrorCode::kBackupNotFound || catalogue.error().code() == ErrorCode::kIo)
        return std::move(catalogue).error();
      report.findings.push_back(catalogue.error());
      damaged.insert(number);
      continue;
    }
    std::size_t place = 0;
    for (const StoredFile& file : files_of(catalogue->state)) {
      const base::Digest& digest = catalogue->digests[place++];
      const auto [entry, is_new] = wanted.try_emplace(file.name());
      Wanted& want = entry->second;
      if (is_new) {
        want = {.bytes = file.bytes(), .is_blob = file.is_blob, .digest = digest, .backups = {}};
        total += want.bytes;
      } else if (want.digest != digest || want.bytes != file.bytes()) {
        report.findings.push_back(Error(ErrorCode::kBackupCorrupt, "two backups disagree about what this file holds")
                                      .at_file(repository.path_of(file)));
        damaged.insert(number);
      }
      want.backups.push_back(number);
    }
  }
  Transfer transfer(env, options.bytes_per_second, options.progress);
  transfer.expect(wanted.size(), total);
  for (const auto& [name, want] : wanted) {
    const std::string file = repository.files() + "/" + name;
    const Status whole = verify_stored(env, transfer, file, want.is_blob, want.bytes, want.digest);
    if (!whole) {
      if (whole.error().code() == ErrorCode::kCancelled) return whole.error();
      report.findings.push_back(Error(whole.error())
                                    .with_advice("remove the file: the next backup copies it again if the database "
                                                 "still has it; else the backups that need it are lost"));
      damaged.insert(want.backups.begin(), want.backups.end());
    }
    report.files += 1;
    report.bytes += want.bytes;
    LIGHTNING_TRY(transfer.file_done());
  }
  report.damaged.assign(damaged.begin(), damaged.end());
  return report;
}

Result<BackupPruneReport> prune(env::Env& env, const std::string& path, std::uint64_t keep) {
  if (keep == 0)
    return Error(ErrorCode::kInvalidArgument, "a prune that keeps no backup")
        .with_advice("keep 1 or more; to be rid of all of them, remove the directory");
  LIGHTNING_ASSIGN(Repository repository, Repository::open_for_change(env, path, false));
  LIGHTNING_ASSIGN(const auto numbers, repository.numbers());
  const std::size_t remove = numbers.size() > keep ? numbers.size() - static_cast<std::size_t>(keep) : 0;
  std::set<std::string> named;
  for (std::size_t i = remove; i < numbers.size(); ++i) {
    auto catalogue = repository.read(numbers[i]);
    if (!catalogue)
      return std::move(catalogue)
          .error()
          .while_doing("finding out what backup " + std::to_string(numbers[i]) + " needs")
          .with_advice("nothing was removed: put the file back, or remove it to give up that backup");
    for (const StoredFile& file : files_of(catalogue->state)) named.insert(file.name());
  }
  BackupPruneReport report;
  for (std::size_t i = 0; i < remove; ++i) {  // the oldest first, so that what is left after a crash are the newest
    LIGHTNING_TRY(repository.remove_catalogue(numbers[i]));
    report.removed.push_back(numbers[i]);
  }
  repository.remove_others(named, report);
  return report;
}

}  // namespace lightning::backup
