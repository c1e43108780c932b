#include "archive/destination.h"

#include <algorithm>

#include "backup/repository.h"
#include "backup/transfer.h"

namespace lightning::archive {

namespace {

// The directory of an archive. A file has its name from one moment on, complete and durable.
class Directory final : public Destination {
 public:
  Directory(env::Env& env, std::string path) : env_(env), path_(std::move(path)) {}

  const std::string& workshop() const override { return path_; }
  Status deliver_history(const std::string&) override { return {}; }  // it is made here
  void recorded(const std::string&) override {}

  Status deliver(const std::string& path, const std::string& name) override {
    const std::string target = path_ + "/" + name, part = target + ".part";
    LIGHTNING_ASSIGN(const env::FileInfo info, env_.files.info(path));
    backup::Transfer transfer(env_, 0, {});
    LIGHTNING_TRY(transfer.copy(path, part, env::FileClass::kOther, info.bytes));
    LIGHTNING_TRY(env_.files.rename(part, target));
    return env_.files.sync_directory(path_);
  }

  Status check(const format::Uid& store_id, const manifest::VersionEdit::ArchiveMark& mark) override {
    LIGHTNING_ASSIGN(const bool inside, backup::is_inside_database(env_, path_));
    if (inside)
      return Error(ErrorCode::kConfigInvalid, "archive_directory lies in the directory of a database")
          .at_file(path_)
          .with_advice("name a directory outside of every database, on another disk if you can");
    LIGHTNING_TRY(env_.files.create_directories(path_));
    LIGHTNING_ASSIGN(const auto names, env_.files.list(path_));
    std::uint64_t newest = 0;
    for (const std::string& name : names) newest = std::max(newest, history_number(name).value_or(0));
    if (newest == 0) return {};
    const std::string path = path_ + "/" + history_name(newest);
    LIGHTNING_ASSIGN(const HistoryInfo info, describe_history(env_, path));
    if (info.store_id != store_id) return foreign(path, "is that of another database");
    // One more than the manifest knows of is what an earlier life had no time to note.
    const bool one_more = newest == mark.next_file && info.start.last_sequence == mark.position.last_sequence &&
                          info.start.chain == mark.position.chain;
    if (one_more || (newest < mark.next_file && info.end.last_sequence <= mark.position.last_sequence)) return {};
    return foreign(path,
                   "goes on behind what this database knows: it is of another history of it, from before a "
                   "backup was restored");
  }

 private:
  static Error foreign(const std::string& path, const std::string& what) {
    return Error(ErrorCode::kConfigInvalid, "the archive in archive_directory " + what)
        .at_file(path)
        .with_advice("name a new directory: an archive holds one history of one database");
  }

  env::Env& env_;
  const std::string path_;
};

// Files are made in the store's directory, and stay there until the command has taken them.
class Command final : public Destination {
 public:
  Command(env::Env& env, const LightningDbConfig& config, std::string waiting)
      : env_(env),
        command_(config.archive_command),
        timeout_(config.archive_command_timeout),
        waiting_(std::move(waiting)) {}

  const std::string& workshop() const override { return waiting_; }
  Status deliver_history(const std::string& name) override { return deliver(waiting_ + "/" + name, name); }
  Status deliver(const std::string& path, const std::string& name) override {
    Status ended = env::run_command(command_for(command_, path, name), timeout_);
    if (!ended) return Error(ended.error()).while_doing("archiving " + name);
    return {};
  }
  void recorded(const std::string& name) override {
    if (!env_.files.remove(waiting_ + "/" + name)) return;  // the next opening does
  }
  Status check(const format::Uid&, const manifest::VersionEdit::ArchiveMark&) override { return {}; }

 private:
  env::Env& env_;
  const std::string command_;
  const std::chrono::milliseconds timeout_;
  const std::string waiting_;
};

}  // namespace

std::string command_for(const std::string& command, const std::string& path, const std::string& name) {
  std::string text;
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char next = command[i] == '%' && i + 1 < command.size() ? command[i + 1] : '\0';
    if (next == 'p') {
      text += path;
    } else if (next == 'f') {
      text += name;
    } else if (next == '%') {
      text += '%';
    } else {
      text += command[i];
      continue;
    }
    ++i;
  }
  return text;
}

std::unique_ptr<Destination> make_destination(env::Env& env, const LightningDbConfig& config,
                                              const std::string& waiting) {
  if (!config.archive_command.empty()) return std::make_unique<Command>(env, config, waiting);
  return std::make_unique<Directory>(env, config.archive_directory);
}

}  // namespace lightning::archive
