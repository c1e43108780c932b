#include "backup/transfer.h"

#include <algorithm>

namespace lightning::backup {

namespace {

constexpr std::uint64_t kPieceBytes = 1 << 20;

}  // namespace

Transfer::Transfer(env::Env& env, std::uint64_t bytes_per_second, BackupProgressFunction progress,
                   std::function<bool()> ended)
    : env_(env), limiter_(bytes_per_second), progress_(std::move(progress)), ended_(std::move(ended)) {}

void Transfer::expect(std::uint64_t files, std::uint64_t bytes) {
  so_far_ = {.total_files = files, .total_bytes = bytes};
  moved_of_file_ = 0;
}

Status Transfer::file_done(std::uint64_t bytes_not_moved) {
  so_far_.done_files += 1;
  so_far_.done_bytes += bytes_not_moved;
  moved_of_file_ = 0;
  if (!tell()) return cancelled();
  return {};
}

Result<base::Digest> Transfer::read(const std::string& path, env::FileClass file_class, std::uint64_t bytes,
                                    const std::function<Status(std::string_view)>& take) {
  LIGHTNING_ASSIGN(const auto file, env_.files.open_random_access(path, file_class));
  if (file->size() != bytes)
    return Error(ErrorCode::kCorruption,
                 "the file has " + std::to_string(file->size()) + " bytes instead of " + std::to_string(bytes))
        .at_file(path);
  // What was told of an earlier try at this file does not count twice.
  so_far_.done_bytes -= moved_of_file_;
  moved_of_file_ = 0;
  base::DigestBuilder digest;
  std::string piece;
  for (std::uint64_t at = 0; at < bytes;) {
    piece.resize(static_cast<std::size_t>(std::min(kPieceBytes, bytes - at)));
    if (!wait_for(piece.size())) return cancelled();
    LIGHTNING_TRY(file->read(at, piece));
    digest.add(piece);
    if (take) LIGHTNING_TRY(take(piece));
    at += piece.size();
    so_far_.done_bytes += piece.size();
    moved_of_file_ += piece.size();
    if (!tell()) return cancelled();
  }
  return digest.finish();
}

Result<base::Digest> Transfer::copy(const std::string& from, const std::string& to, env::FileClass file_class,
                                    std::uint64_t bytes) {
  LIGHTNING_ASSIGN(const bool there, env_.files.exists(to));
  if (there) LIGHTNING_TRY(env_.files.remove(to));
  LIGHTNING_ASSIGN(auto file, env_.files.create_writable(to, file_class));
  Result<base::Digest> digest =
      read(from, file_class, bytes, [&](std::string_view piece) { return file->append(piece); });
  Status status;
  if (!digest) status = digest.error();
  if (status) status = file->sync();
  if (status) status = file->close();
  if (status) return digest;
  file.reset();
  if (!env_.files.remove(to)) return std::move(status).error();  // whoever comes next replaces it
  return std::move(status).error();
}

Status Transfer::passed(std::uint64_t bytes) {
  so_far_.done_bytes += bytes;
  if (!tell()) return cancelled();
  return {};
}

bool Transfer::wait_for(std::uint64_t bytes) {
  const auto ended = [this] { return stopped_ || (ended_ && ended_()); };
  limiter_.request(bytes, ended);
  return !ended();
}

Error Transfer::cancelled() { return Error(ErrorCode::kCancelled, "the backup or restore was cancelled"); }

bool Transfer::tell() {
  if (progress_ && !progress_(so_far_)) stopped_ = true;
  return !stopped_;
}

}  // namespace lightning::backup
