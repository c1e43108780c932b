#include "backup/create.h"

#include <algorithm>

namespace lightning::backup {

namespace {

using engine::CheckpointTarget;

class Creation {
 public:
  Creation(env::Env& env, Repository& repository, const BackupOptions& options)
      : env_(env), repository_(repository), options_(options) {}

  Status learn_what_is_there();
  // All files of one moment, under their names.
  Result<Catalogue> copy_moment(engine::Engine& engine);
  void remove_what_nobody_names(const Catalogue& made);

 private:
  struct Known {
    std::uint64_t bytes = 0;
    base::Digest digest{};
  };
  std::string unfinished_path(CheckpointTarget::Kind kind, format::FileNumber number) const;
  Status write_memory(engine::Engine& engine, engine::Checkpoint& checkpoint, Transfer& transfer);
  Result<base::Digest> store(engine::Engine& engine, const StoredFile& file, Transfer& transfer, Catalogue& catalogue);
  Result<std::optional<base::Digest>> find_stored(engine::Engine& engine, const StoredFile& file, Transfer& transfer);
  Status verify(engine::Engine& engine, const StoredFile& file, const std::string& path, Transfer& transfer);
  Result<base::Digest> copy_verified(engine::Engine& engine, const StoredFile& file, Transfer& transfer);

  env::Env& env_;
  Repository& repository_;
  const BackupOptions& options_;
  std::map<std::string, Known> known_;   // by name, from catalogues
  std::set<std::string> of_catalogues_;  // names
  bool catalogues_whole_ = true;
  std::optional<format::Uid> store_id_;       // of the database that is backed up here
  std::set<format::FileNumber> from_memory_;  // files that were written from memtables, not yet under their names
};

Status Creation::learn_what_is_there() {
  repository_.remove_unfinished();
  LIGHTNING_ASSIGN(const auto numbers, repository_.numbers());
  for (const std::uint64_t number : numbers) {
    auto catalogue = repository_.read(number);
    if (!catalogue) {  // no reason not to make a good one
      catalogues_whole_ = false;
      continue;
    }
    store_id_ = catalogue->superblock.store_id;
    std::size_t place = 0;
    for (const StoredFile& file : files_of(catalogue->state)) {
      known_[file.name()] = {.bytes = file.bytes(), .digest = catalogue->digests[place++]};
      of_catalogues_.insert(file.name());
    }
  }
  return {};
}

std::string Creation::unfinished_path(CheckpointTarget::Kind kind, format::FileNumber number) const {
  return repository_.files() + "/" + std::to_string(number) +
         (kind == CheckpointTarget::Kind::kBlob ? ".blob.part" : ".sst.part");
}

// Of an earlier try, or of a process that was killed, there may be a file of the same name.
Status Creation::write_memory(engine::Engine& engine, engine::Checkpoint& checkpoint, Transfer& transfer) {
  from_memory_.clear();
  CheckpointTarget target;
  target.create = [&](CheckpointTarget::Kind kind,
                      format::FileNumber number) -> Result<std::unique_ptr<env::WritableFile>> {
    const std::string path = unfinished_path(kind, number);
    LIGHTNING_ASSIGN(const bool there, env_.files.exists(path));
    if (there) LIGHTNING_TRY(env_.files.remove(path));
    from_memory_.insert(number);
    return env_.files.create_writable(path, env::FileClass::kOther);
  };
  target.discard = [&](CheckpointTarget::Kind kind, format::FileNumber number) {
    from_memory_.erase(number);
    if (!env_.files.remove(unfinished_path(kind, number))) return;  // the next backup removes it
  };
  target.progress = [&](std::uint64_t bytes) -> Status {
    if (!transfer.wait_for(bytes)) return Transfer::cancelled();
    return {};
  };
  return engine.write_out(checkpoint, target);
}

Result<Catalogue> Creation::copy_moment(engine::Engine& engine) {
  // What is flushed now is shared by the next backup, too; what is written meanwhile is not, and is little. A database
  // that has stopped writes cannot flush, and is all the more worth a backup.
  if (!engine.is_read_only() && engine.check_writable() && !engine.flush() && engine.is_closing())
    return Transfer::cancelled();
  LIGHTNING_ASSIGN(const auto checkpoint, engine.checkpoint());
  if (store_id_ && *store_id_ != checkpoint->superblock.store_id)
    return Error(ErrorCode::kInvalidArgument, "the repository holds backups of another database")
        .at_file(repository_.path())
        .with_advice("name a repository of its own for each database");
  Transfer transfer(env_, options_.bytes_per_second, options_.progress, [&engine] { return engine.is_closing(); });
  LIGHTNING_TRY(write_memory(engine, *checkpoint, transfer));

  Catalogue catalogue;
  catalogue.superblock = checkpoint->superblock;
  catalogue.taken_ns = checkpoint->taken_ns;
  catalogue.state = checkpoint->state;
  const std::vector<StoredFile> files = files_of(catalogue.state);
  std::uint64_t bytes = 0;
  for (const StoredFile& file : files) bytes += file.bytes();
  transfer.expect(files.size(), bytes);
  for (const StoredFile& file : files) {
    LIGHTNING_ASSIGN(const base::Digest digest, store(engine, file, transfer, catalogue));
    catalogue.digests.push_back(digest);
  }
  return catalogue;
}

Status Creation::verify(engine::Engine& engine, const StoredFile& file, const std::string& path, Transfer& transfer) {
  bool stopped = false;
  const auto before_read = [&](std::uint64_t) {
    stopped = stopped || !transfer.wait_for(0);
    return !stopped;
  };
  Status whole = file.is_blob ? engine.check_copy(*file.blob, path, before_read)
                              : engine.check_copy(*file.table, path, before_read);
  if (stopped) return Transfer::cancelled();
  return whole;
}

// What is in the repository under this name, complete and whole; none: it must be copied.
Result<std::optional<base::Digest>> Creation::find_stored(engine::Engine& engine, const StoredFile& file,
                                                          Transfer& transfer) {
  const std::string path = repository_.path_of(file);
  LIGHTNING_ASSIGN(const bool there, env_.files.exists(path));
  if (!there) return std::nullopt;
  LIGHTNING_ASSIGN(const env::FileInfo info, env_.files.info(path));
  if (info.bytes != file.bytes()) return std::nullopt;
  const auto known = known_.find(file.name());
  if (known != known_.end() && known->second.bytes == file.bytes() && !options_.check_shared) {
    LIGHTNING_TRY(transfer.file_done(file.bytes()));
    return known->second.digest;
  }
  const auto digest = transfer.read(path, file.is_blob ? env::FileClass::kBlob : env::FileClass::kTable, file.bytes());
  if (!digest) {
    if (digest.error().code() == ErrorCode::kCancelled) return digest.error();
    return std::nullopt;
  }
  if (known != known_.end()) {
    if (*digest != known->second.digest) return std::nullopt;
  } else if (const Status whole = verify(engine, file, path, transfer); !whole) {
    if (whole.error().code() == ErrorCode::kCancelled) return whole.error();
    return std::nullopt;
  }
  LIGHTNING_TRY(transfer.file_done());
  return *digest;
}

Result<base::Digest> Creation::store(engine::Engine& engine, const StoredFile& file, Transfer& transfer,
                                     Catalogue& catalogue) {
  LIGHTNING_ASSIGN(const auto stored, find_stored(engine, file, transfer));
  if (stored) {
    // Left by a run that was killed: new to every catalogue.
    if (!known_.contains(file.name())) catalogue.new_files += 1, catalogue.new_bytes += file.bytes();
    return *stored;
  }
  const std::string path = repository_.path_of(file);
  base::Digest digest{};
  std::string unfinished = path + ".part";
  if (from_memory_.contains(file.number())) {
    unfinished =
        unfinished_path(file.is_blob ? CheckpointTarget::Kind::kBlob : CheckpointTarget::Kind::kTable, file.number());
    LIGHTNING_TRY(verify(engine, file, unfinished, transfer));
    LIGHTNING_ASSIGN(digest, transfer.read(unfinished, env::FileClass::kOther, file.bytes()));
  } else {
    LIGHTNING_ASSIGN(digest, copy_verified(engine, file, transfer));
  }
  LIGHTNING_TRY(env_.files.rename(unfinished, path));
  LIGHTNING_TRY(transfer.file_done());
  known_[file.name()] = {.bytes = file.bytes(), .digest = digest};
  catalogue.new_files += 1;
  catalogue.new_bytes += file.bytes();
  return digest;
}

// Once more if what was copied is not what the database says: it may have been the copying. Then it is the source.
Result<base::Digest> Creation::copy_verified(engine::Engine& engine, const StoredFile& file, Transfer& transfer) {
  const std::string from = file.is_blob ? engine.blob_path(file.number()) : engine.table_path(file.number());
  const std::string to = repository_.path_of(file) + ".part";
  const ErrorCode missing = file.is_blob ? ErrorCode::kBlobMissing : ErrorCode::kTableMissing;
  const ErrorCode corrupt = file.is_blob ? ErrorCode::kBlobCorrupt : ErrorCode::kTableCorrupt;
  constexpr int kAttempts = 2;
  for (int attempt = 1;; ++attempt) {
    LIGHTNING_ASSIGN(const bool there, env_.files.exists(from));
    if (!there) return Error(missing, "a file of the database is missing").at_file(from);
    auto digest = transfer.copy(from, to, env::FileClass::kOther, file.bytes());
    if (!digest) {
      if (digest.error().code() != ErrorCode::kCorruption) return digest;
      return Error(corrupt, digest.error().message()).at_file(from);
    }
    const Status whole = verify(engine, file, to, transfer);
    if (whole) return digest;
    if (!env_.files.remove(to) || whole.error().code() != corrupt || attempt == kAttempts) {
      if (whole.error().code() != corrupt) return whole.error();
      return Error(corrupt, whole.error().message())
          .at_file(from, whole.error().context().offset)
          .in_key_range(whole.error().context().key_range)
          .with_advice("run lightning_db check; restore the range from an earlier backup, or drop it, and try again");
    }
  }
}

void Creation::remove_what_nobody_names(const Catalogue& made) {
  if (!catalogues_whole_) return;
  for (const StoredFile& file : files_of(made.state)) of_catalogues_.insert(file.name());
  BackupPruneReport nobody_asks;
  repository_.remove_others(of_catalogues_, nobody_asks);
}

}  // namespace

Result<BackupInfo> create(env::Env& env, std::shared_ptr<engine::Engine> engine, const std::string& path,
                          const BackupOptions& options) {
  constexpr int kAttempts = 100;
  LIGHTNING_ASSIGN(Repository repository, Repository::open_for_change(env, path, true));
  Creation creation(env, repository, options);
  LIGHTNING_TRY(creation.learn_what_is_there());
  for (int attempt = 1;; ++attempt) {
    auto catalogue = creation.copy_moment(*engine);
    if (catalogue) {
      LIGHTNING_TRY(repository.commit(*catalogue));
      creation.remove_what_nobody_names(*catalogue);
      return catalogue->info();
    }
    const ErrorCode code = catalogue.error().code();
    const bool went_away =
        code == ErrorCode::kTableMissing || code == ErrorCode::kBlobMissing || code == ErrorCode::kStorageUnavailable;
    if (!engine->is_beside_writer() || !went_away || attempt == kAttempts)
      return std::move(catalogue).error().while_doing("backing up " + engine->path());
    // Files that were copied are found again if they still belong to the newer moment.
    LIGHTNING_ASSIGN(engine, engine::Engine::open(env, engine->path(), engine->config(),
                                                  engine::Engine::Access::kReadOnly, engine->tuning()));
  }
}

}  // namespace lightning::backup
