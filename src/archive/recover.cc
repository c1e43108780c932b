// Recovery to a moment:
//
//   choose the newest backup at or before it, and the files of the archive that follow the backup without a gap
//   read these up to the moment, verify all, and note which streamed values they refer to; verify those
//   [a dry run ends here]
//   restore the backup, put the values beside it, and let the opening of the database apply the history
//
// Until the opening has come to its commit point the directory is marked, and no database.
#include "archive/recover.h"

#include <algorithm>
#include <map>
#include <set>

#include "archive/archive.h"
#include "backup/new_database.h"
#include "backup/restore.h"
#include "backup/transfer.h"
#include "base/utc_time.h"
#include "blob/blob_file.h"
#include "engine/engine.h"
#include "engine/history.h"
#include "format/batch.h"

namespace lightning::archive {

namespace {

// The moment that is asked for.
class Target {
 public:
  explicit Target(const RecoverOptions& options) : sequence_(options.to_sequence), time_(options.to_time) {}
  bool holds(Sequence last, std::uint64_t time_ns) const {
    return (!sequence_ || last <= *sequence_) && (!time_ || milliseconds_of(time_ns) <= *time_);
  }
  // A change of keyspaces that came behind the very commit that is asked for is not in it.
  bool holds(const manifest::VersionEdit::KeyspaceChange& change) const {
    return (!sequence_ || change.after < *sequence_) && (!time_ || milliseconds_of(change.time_ns) <= *time_);
  }
  bool is_the_end() const { return !sequence_ && !time_; }
  // Whether a history up to there, if it is all there is, is known to reach so far.
  bool reached_by(Sequence last, std::uint64_t time_ns, bool broken) const {
    if (is_the_end()) return !broken;
    return sequence_ ? last >= *sequence_ : milliseconds_of(time_ns) >= *time_;
  }
  std::string text() const {
    if (sequence_) return "sequence " + std::to_string(*sequence_);
    return time_ ? base::utc_text(*time_) : "the archive's end";
  }

 private:
  const std::optional<Sequence> sequence_;
  const std::optional<std::chrono::milliseconds> time_;
};

struct Moment {
  Sequence sequence = 0;
  std::uint64_t time_ns = 0;
};

// The files that follow a position, one behind the other, and why there are no more.
struct Run {
  std::vector<const Archive::File*> files;
  Moment end;
  std::optional<Error> broken;  // none: the archive ends there
};

class Planner {
 public:
  Planner(env::Env& env, const backup::Repository& repository, const Archive& archive, const RecoverOptions& options)
      : env_(env), repository_(repository), archive_(archive), options_(options), target_(options) {}

  Status run();
  const RecoveryPlan& plan() const { return plan_; }
  const backup::Catalogue& catalogue() const { return *chosen_; }
  const std::vector<const Archive::File*>& files() const { return used_; }
  const std::set<format::FileNumber>& blobs() const { return blobs_; }
  const Target& target() const { return target_; }
  std::uint64_t payload_bytes() const { return payload_bytes_; }

 private:
  Status read_backups();
  Run run_behind(const backup::Catalogue& backup) const;
  Status choose();
  RecoveryRange range() const;
  std::string range_text() const;
  Error outside(std::string_view where) const;
  Status read_archive();
  Status read_file(const Archive::File& file, bool& reached);
  Status take(const Archive::File& file, const wal::RecoveredCommit& commit);
  Status verify_blobs();
  Status verify_blob(format::FileNumber number, const blob::Reference& reference);
  Error with_last_moment(const Error& error) const;

  env::Env& env_;
  const backup::Repository& repository_;
  const Archive& archive_;
  const RecoverOptions& options_;
  const Target target_;
  std::vector<backup::Catalogue> backups_;  // that can be read, oldest first
  const backup::Catalogue* chosen_ = nullptr;
  Run run_;  // behind it
  std::vector<const Archive::File*> used_;
  Moment at_;  // after what has been read
  std::map<format::FileNumber, blob::Reference> references_;
  std::set<format::FileNumber> blobs_;
  std::uint64_t payload_bytes_ = 0, read_bytes_ = 0;
  RecoveryPlan plan_;
};

Moment moment_of(const backup::Catalogue& backup) { return {backup.state.log_anchor.last_sequence, backup.taken_ns}; }

Status Planner::read_backups() {
  LIGHTNING_ASSIGN(const auto numbers, repository_.numbers());
  std::optional<Error> damage;
  std::uint64_t unarchived = 0;  // it does not tell where in the archive it stands
  for (const std::uint64_t number : numbers) {
    auto catalogue = repository_.read(number);
    if (catalogue) {
      const bool archived = catalogue->state.archive && catalogue->state.archive->on;
      if (archived) backups_.push_back(std::move(*catalogue));
      if (!archived) unarchived = number;
    } else if (catalogue.error().code() == ErrorCode::kBackupCorrupt) {
      damage = catalogue.error();  // an older one may do
    } else {
      return std::move(catalogue).error();
    }
  }
  if (!backups_.empty()) return {};
  if (damage) return std::move(*damage);
  if (unarchived != 0)
    return Error(ErrorCode::kInvalidArgument, "no backup of the repository was made while the database was archived")
        .at_file(repository_.path())
        .with_advice("make a backup: recoveries begin at one that was made after archiving began");
  return Error(ErrorCode::kBackupNotFound, "the repository holds no backup").at_file(repository_.path());
}

// A backup knows which file was the next one when it was made: all that came after it is there and behind.
Run Planner::run_behind(const backup::Catalogue& backup) const {
  const auto& files = archive_.files();
  Run run{.files = {}, .end = moment_of(backup), .broken = {}};
  const std::uint64_t next = backup.state.archive->next_file;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Archive::File& file = files[i];
    if (file.number < next) continue;
    if (!run.files.empty() || file.damage) {
      run.broken = archive_.break_before(i);
    } else if (file.number > next) {
      run.broken =
          missing_files(archive_.path(), next, file.number - 1, run.end.sequence, file.info.start.last_sequence);
    } else if (file.info.start.last_sequence > run.end.sequence) {
      run.broken = damaged_history(file.path, 0, "is of another history than backup " + std::to_string(backup.number));
    }
    if (run.broken) return run;
    run.files.push_back(&file);
    run.end.sequence = std::max(run.end.sequence, file.info.end.last_sequence);
    // To the millisecond: later commits may share the last one.
    const std::uint64_t known = file.info.known_until_ns - std::min(file.info.known_until_ns, kNsPerMs);
    run.end.time_ns = std::max({run.end.time_ns, file.info.last_time_ns, known});
  }
  return run;
}

Status Planner::choose() {
  for (const backup::Catalogue& backup : backups_) {
    const Moment moment = moment_of(backup);
    if (target_.holds(moment.sequence, moment.time_ns)) chosen_ = &backup;
  }
  if (chosen_ == nullptr) return outside("lies before the oldest backup");
  for (const Archive::File& file : archive_.files())
    if (!file.damage && file.info.store_id != chosen_->superblock.store_id)
      return Error(ErrorCode::kInvalidArgument, "the archive is that of another database than the backups")
          .at_file(file.path)
          .with_advice("name the archive and the backups of one database");
  run_ = run_behind(*chosen_);
  if (target_.reached_by(run_.end.sequence, run_.end.time_ns, run_.broken.has_value())) return {};
  if (!run_.broken) return outside("lies behind the end of the archive");
  at_ = run_.end;
  return with_last_moment(*run_.broken);
}

Error Planner::with_last_moment(const Error& error) const {
  Error known(error.code(), error.message() + "; before it, " + moment_text(at_.sequence, at_.time_ns) +
                                " is the last moment that backup " + std::to_string(chosen_->number) +
                                " can be brought to");
  return std::move(known).at_file(error.context().file, error.context().offset).with_advice(error.advice());
}

RecoveryRange Planner::range() const {
  RecoveryRange range;
  Moment first = moment_of(backups_.back());
  const Moment last = run_behind(backups_.back()).end;
  for (std::size_t i = backups_.size() - 1; i-- > 0;) {
    if (run_behind(backups_[i]).end.sequence < first.sequence) break;
    first = moment_of(backups_[i]);
  }
  range.first_sequence = first.sequence;
  range.first_time = milliseconds_of(first.time_ns);
  range.last_sequence = last.sequence;
  range.last_time = milliseconds_of(last.time_ns);
  return range;
}

std::string Planner::range_text() const {
  const RecoveryRange all = range();
  return "sequences " + std::to_string(all.first_sequence) + " to " + std::to_string(all.last_sequence) + ", " +
         base::utc_text(all.first_time) + " to " + base::utc_text(all.last_time);
}

Error Planner::outside(std::string_view where) const {
  return Error(ErrorCode::kInvalidArgument, target_.text() + " " + std::string(where) + "; there is " + range_text())
      .at_file(archive_.path())
      .with_advice("choose a moment within the range");
}

// --- reading what will be replayed
// ------------------------------------------------------------------------------------

Status Planner::take(const Archive::File& file, const wal::RecoveredCommit& commit) {
  const wal::LogPosition& anchor = chosen_->state.log_anchor;
  if (commit.last_sequence() <= anchor.last_sequence) {
    if (commit.last_sequence() == anchor.last_sequence && commit.chain != anchor.chain)
      return damaged_history(file.path, 0,
                             "is of another history than backup " + std::to_string(chosen_->number) +
                                 ": they differ up to sequence " + std::to_string(anchor.last_sequence));
    return {};
  }
  if (commit.first_sequence <= anchor.last_sequence)
    return damaged_history(file.path, 0, "is of another history than the backup, which ends inside one of its commits");
  ++plan_.commits;
  payload_bytes_ += commit.payload.size();
  at_ = {commit.last_sequence(), commit.commit_time_ns};
  format::BatchReader reader(commit.payload);
  while (reader.next()) {
    const format::Operation& operation = reader.operation();
    if (operation.type != format::EntryType::kBlobReference) continue;
    LIGHTNING_ASSIGN(const blob::Reference reference, blob::decode_reference(operation.value));
    references_.insert_or_assign(reference.id.origin, reference);
  }
  return reader.status();
}

Status Planner::read_file(const Archive::File& file, bool& reached) {
  const wal::LogPosition& anchor = chosen_->state.log_anchor;
  if (file.info.start.last_sequence == anchor.last_sequence && file.info.start.chain != anchor.chain)
    return damaged_history(file.path, 0, "is of another history than backup " + std::to_string(chosen_->number));
  HistoryVisitor visitor;
  visitor.commit = [&](const wal::RecoveredCommit& commit) -> Status {
    reached = reached || !target_.holds(commit.last_sequence(), commit.commit_time_ns);
    return reached ? Status() : take(file, commit);
  };
  visitor.change = [&](const manifest::VersionEdit::KeyspaceChange& change) -> Status {
    if (change.after < anchor.last_sequence) return {};
    reached = reached || !target_.holds(change);
    if (reached) return {};
    if (auto edit = manifest::VersionEdit::decode(change.edit); !edit)
      return damaged_history(file.path, 0, "holds a malformed change of keyspaces: " + edit.error().message());
    ++plan_.keyspace_changes;
    at_.time_ns = std::max(at_.time_ns, change.time_ns);
    return {};
  };
  visitor.read = [&](std::uint64_t bytes) -> Status {
    read_bytes_ += bytes;
    if (options_.progress && !options_.progress({.done_bytes = read_bytes_, .total_bytes = plan_.archive_bytes}))
      return Error(ErrorCode::kCancelled, "the recovery was cancelled");
    return {};
  };
  return read_history(env_, file.path, file.info, visitor);
}

// Up to the moment, and the rest of the file that it lies in.
Status Planner::read_archive() {
  at_ = moment_of(*chosen_);
  for (const Archive::File* file : run_.files) plan_.archive_bytes += file->info.file_bytes;
  bool reached = false;
  for (const Archive::File* file : run_.files) {
    const Moment before = at_;
    if (Status read = read_file(*file, reached); !read) {
      if (read.error().code() != ErrorCode::kBackupCorrupt) return read;
      at_ = before;
      return with_last_moment(read.error());
    }
    used_.push_back(file);
    if (reached) break;
  }
  plan_.archive_bytes = 0;
  for (const Archive::File* file : used_) plan_.archive_bytes += file->info.file_bytes;
  return {};
}

// --- streamed values ------------------------------------------------------------------------------------------------

Status Planner::verify_blob(format::FileNumber number, const blob::Reference& reference) {
  const std::string path = archive_.path_of_blob(number);
  LIGHTNING_ASSIGN(const bool there, env_.files.exists(path));
  if (!there)
    return Error(ErrorCode::kBlobMissing, "the archive lacks a streamed value that its history refers to")
        .at_file(path);
  LIGHTNING_ASSIGN(const blob::Description found, blob::describe(env_, path));
  if (found.meta.number != number || found.meta.records != 1)
    return blob::corrupt("the blob file is not the one that the history refers to").at_file(path);
  base::MemoryBudget budget(64 << 20);
  base::EpochDomain epochs;
  cache::BlockCache cache(budget, epochs);
  LIGHTNING_ASSIGN(const auto file,
                   blob::BlobFile::open(env_, path, chosen_->superblock.store_id, found.meta, cache, budget));
  return file->for_each([&](const blob::IndexEntry& entry) {
    return file->copy_record(entry, &reference, [](std::string_view) { return Status(); });
  });
}

Status Planner::verify_blobs() {
  for (const auto& [number, reference] : references_) {
    if (Status whole = verify_blob(number, reference); !whole) return whole;
    LIGHTNING_ASSIGN(const env::FileInfo info, env_.files.info(archive_.path_of_blob(number)));
    blobs_.insert(number);
    ++plan_.blob_files;
    plan_.blob_bytes += info.bytes;
  }
  return {};
}

Status Planner::run() {
  LIGHTNING_TRY(read_backups());
  LIGHTNING_TRY(choose());
  LIGHTNING_TRY(read_archive());
  LIGHTNING_TRY(verify_blobs());
  const BackupInfo info = chosen_->info();
  plan_.backup = info.number;
  plan_.backup_sequence = info.sequence;
  plan_.backup_time = info.created_at;
  plan_.backup_bytes = info.bytes;
  for (const Archive::File* file : used_) plan_.archive_files.push_back(history_name(file->number));
  plan_.sequence = at_.sequence;
  plan_.time = milliseconds_of(at_.time_ns);
  plan_.range = range();
  return {};
}

// --- doing it
// -----------------------------------------------------------------------------------------------------------

// What was planned, as the opening takes it.
class Replay final : public engine::History {
 public:
  Replay(env::Env& env, const Planner& planner) : env_(env), planner_(planner) {}
  std::uint64_t bytes() const override { return planner_.payload_bytes(); }

  Result<wal::LogPosition> read(wal::LogPosition from, const std::function<Status(const wal::RecoveredCommit&)>& commit,
                                const std::function<Status(const manifest::VersionEdit&)>& change) override {
    wal::LogPosition at = from;
    bool reached = false;
    HistoryVisitor visitor;
    visitor.commit = [&](const wal::RecoveredCommit& next) -> Status {
      reached = reached || !planner_.target().holds(next.last_sequence(), next.commit_time_ns);
      if (reached || next.last_sequence() <= from.last_sequence) return {};
      if (next.first_sequence != at.last_sequence + 1)
        return Error(ErrorCode::kBackupCorrupt, "the archive has changed while it was replayed").at_file(path_);
      LIGHTNING_TRY(commit(next));
      at = {.last_sequence = next.last_sequence(), .chain = next.chain};
      return {};
    };
    visitor.change = [&](const manifest::VersionEdit::KeyspaceChange& next) -> Status {
      if (next.after < from.last_sequence) return {};
      reached = reached || !planner_.target().holds(next);
      if (reached) return {};
      LIGHTNING_ASSIGN(manifest::VersionEdit edit, manifest::VersionEdit::decode(next.edit));
      // Nothing but keyspaces, whatever a file says.
      return change({.add_keyspaces = std::move(edit.add_keyspaces),
                     .drop_keyspaces = std::move(edit.drop_keyspaces),
                     .attach = std::move(edit.attach)});
    };
    for (const Archive::File* file : planner_.files()) {
      path_ = file->path;
      LIGHTNING_TRY(read_history(env_, file->path, file->info, visitor));
    }
    return at;
  }

 private:
  env::Env& env_;
  const Planner& planner_;
  std::string path_;
};

Status bring_forward(env::Env& env, const std::string& path, const Planner& planner, const RecoverOptions& options) {
  LightningDbConfig config = options.config;
  config.archive_directory.clear();
  config.archive_command.clear();
  config.error_if_exists = false;
  Replay history(env, planner);
  engine::Tuning tuning;
  tuning.history = &history;
  LIGHTNING_ASSIGN(const auto opened,
                   engine::Engine::open(env, path, config, engine::Engine::Access::kReadWrite, tuning));
  return opened->close();
}

}  // namespace

Result<RecoveryPlan> recover(env::Env& env, const std::string& repository_path, const std::string& archive_path,
                             const std::string& path, const RecoverOptions& options) {
  if (options.to_sequence && options.to_time)
    return Error(ErrorCode::kInvalidArgument, "a recovery goes to a sequence or to a time, not to both");
  if (path.empty() && !options.dry_run) return Error(ErrorCode::kInvalidArgument, "the path to recover to is empty");
  LIGHTNING_ASSIGN(const Archive archive, Archive::open(env, archive_path));
  LIGHTNING_ASSIGN(const backup::Repository repository, backup::Repository::open(env, repository_path));
  if (path == archive_path || path.starts_with(archive_path + "/"))
    return Error(ErrorCode::kInvalidArgument, "the database would lie in the archive").at_file(path);
  Planner planner(env, repository, archive, options);
  LIGHTNING_TRY(planner.run());
  if (options.dry_run) return planner.plan();

  RestoreOptions restoring;
  restoring.number = planner.plan().backup;
  const std::uint64_t archive_bytes = planner.plan().archive_bytes;
  if (options.progress)
    restoring.progress = [&](const BackupProgress& now) {
      return options.progress(
          {.done_bytes = archive_bytes + now.done_bytes, .total_bytes = archive_bytes + now.total_bytes});
    };
  const auto put_values_beside = [&](backup::NewDatabase& target) -> Status {
    LIGHTNING_TRY(target.mark_recovering());
    backup::Transfer transfer(env, 0, {});
    for (const format::FileNumber number : planner.blobs()) {
      const std::string from = archive.path_of_blob(number);
      LIGHTNING_ASSIGN(const env::FileInfo info, env.files.info(from));
      LIGHTNING_TRY(transfer.copy(from, target.path_of(true, number), env::FileClass::kBlob, info.bytes));
    }
    return {};
  };
  LIGHTNING_TRY(backup::restore(env, repository_path, path, restoring, put_values_beside));
  if (Status forward = bring_forward(env, path, planner, options); !forward)
    return Error(forward.error()).while_doing("recovering to " + planner.target().text());
  return planner.plan();
}

}  // namespace lightning::archive
