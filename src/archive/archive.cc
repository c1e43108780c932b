#include "archive/archive.h"

#include <algorithm>

#include "base/utc_time.h"

namespace lightning::archive {

namespace {

std::string numbers_between(std::uint64_t first, std::uint64_t last) {
  return first == last ? history_name(first) + " is" : history_name(first) + " to " + history_name(last) + " are";
}

}  // namespace

std::string moment_text(Sequence sequence, std::uint64_t time_ns) {
  return "sequence " + std::to_string(sequence) + " (" + base::utc_text(milliseconds_of(time_ns)) + ")";
}

Error missing_files(const std::string& directory, std::uint64_t first, std::uint64_t last, Sequence after,
                    Sequence up_to) {
  std::string what = "the archive has a gap: " + numbers_between(first, last) + " missing";
  if (up_to > after) what += ", with sequences " + std::to_string(after + 1) + " to " + std::to_string(up_to);
  if (first == last) what += " (or the database was open without its archive then)";
  return Error(ErrorCode::kWalMissing, what)
      .at_file(directory)
      .with_advice(
          "put what is missing back, or recover to a moment before it, or from a backup that was made after it");
}

Result<Archive> Archive::open(env::Env& env, const std::string& path) {
  Archive archive(path);
  const auto none = [&] {
    return Error(ErrorCode::kBackupNotFound, "there is no archive in this directory")
        .at_file(path)
        .with_advice("name the directory that archive_directory, or archive_command, filled");
  };
  LIGHTNING_ASSIGN(const bool there, env.files.exists(path));
  if (path.empty() || !there) return none();
  LIGHTNING_ASSIGN(const auto names, env.files.list(path));
  for (const std::string& name : names) {
    const auto number = history_number(name);
    if (!number) continue;
    File file{.number = *number, .path = path + "/" + name, .info = {}, .damage = {}};
    auto info = describe_history(env, file.path);
    if (info) {
      file.info = *info;
      if (info->number != *number)
        file.damage =
            damaged_history(file.path, 0, "is number " + std::to_string(info->number) + " under another name");
    } else if (info.error().code() == ErrorCode::kBackupCorrupt ||
               info.error().code() == ErrorCode::kFormatUnsupported) {
      file.damage = info.error();
    } else {
      return std::move(info).error();
    }
    archive.files_.push_back(std::move(file));
  }
  if (archive.files_.empty()) return none();
  std::ranges::sort(archive.files_, {}, &File::number);
  return archive;
}

std::optional<Error> Archive::break_before(std::size_t place) const {
  const File& file = files_[place];
  if (file.damage) return file.damage;
  if (place == 0) return std::nullopt;
  const File& before = files_[place - 1];
  if (before.damage) {
    return Error(ErrorCode::kWalMissing, "the file before it cannot be read").at_file(file.path);
  }
  if (file.info.follows(before.info)) return std::nullopt;
  if (file.number != before.number + 1)
    return missing_files(path_, before.number + 1, file.number - 1, before.info.end.last_sequence,
                         file.info.start.last_sequence);
  if (file.info.store_id != before.info.store_id)
    return Error(ErrorCode::kWalMissing, "this file of the archive is of another database than the one before it")
        .at_file(file.path);
  return Error(ErrorCode::kWalMissing,
               "this file of the archive is of another history than the one before it: it begins "
               "behind sequence " +
                   std::to_string(file.info.start.last_sequence) + ", and that one ends at " +
                   std::to_string(before.info.end.last_sequence))
      .at_file(file.path);
}

Result<std::vector<ArchiveFile>> list(env::Env& env, const std::string& path) {
  LIGHTNING_ASSIGN(const Archive archive, Archive::open(env, path));
  std::vector<ArchiveFile> all;
  for (const Archive::File& file : archive.files()) {
    const HistoryInfo& info = file.info;
    ArchiveFile entry;
    entry.number = file.number;
    entry.name = history_name(file.number);
    entry.damage = file.damage;
    if (!file.damage) {
      entry.after = info.start.last_sequence;
      entry.last = info.end.last_sequence;
      entry.first_time = milliseconds_of(info.first_time_ns);
      entry.last_time = milliseconds_of(info.last_time_ns);
      entry.commits = info.commits;
      entry.keyspace_changes = info.changes;
      entry.bytes = info.file_bytes;
      entry.store_id = base::to_hex(base::as_bytes(info.store_id.bytes));
    } else if (const auto now = env.files.info(file.path)) {
      entry.bytes = now->bytes;
    }
    all.push_back(std::move(entry));
  }
  return all;
}

Result<ArchiveCheckReport> check(env::Env& env, const std::string& path) {
  LIGHTNING_ASSIGN(const Archive archive, Archive::open(env, path));
  ArchiveCheckReport report;
  for (std::size_t i = 0; i < archive.files().size(); ++i) {
    const Archive::File& file = archive.files()[i];
    if (auto broken = archive.break_before(i)) report.findings.push_back(std::move(*broken));
    ++report.files;
    if (file.damage) continue;
    report.bytes += file.info.file_bytes;
    report.commits += file.info.commits;
    const Status whole = read_history(env, file.path, file.info, {});
    if (whole) continue;
    if (whole.error().code() != ErrorCode::kBackupCorrupt) return whole.error();
    report.findings.push_back(whole.error());
  }
  return report;
}

}  // namespace lightning::archive
