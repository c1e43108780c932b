// Archive: a directory of history files and streamed values, as whoever reads it finds it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "archive/history_file.h"
#include "lightning/archive.h"

namespace lightning::archive {

// Threads: one.
class Archive {
 public:
  struct File {
    std::uint64_t number = 0;
    std::string path;
    HistoryInfo info;             // unless it is damaged
    std::optional<Error> damage;  // what its beginning or end shows
  };
  // Reads the beginning and the end of each file. kBackupNotFound if there is no history in the directory.
  static Result<Archive> open(env::Env& env, const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<File>& files() const { return files_; }  // by number
  std::string path_of_blob(format::FileNumber number) const { return path_ + "/" + blob_name(number); }

  // Why files()[place] cannot follow the one before it, or is not readable; none: it does.
  std::optional<Error> break_before(std::size_t place) const;

 private:
  explicit Archive(std::string path) : path_(std::move(path)) {}
  std::string path_;
  std::vector<File> files_;
};

// For files `first` to `last`, with the sequences behind `after` up to `up_to`.
Error missing_files(const std::string& directory, std::uint64_t first, std::uint64_t last, Sequence after,
                    Sequence up_to);

inline constexpr std::uint64_t kNsPerMs = 1'000'000;
inline std::chrono::milliseconds milliseconds_of(std::uint64_t ns) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(ns / kNsPerMs));
}
// "sequence 4711 (2026-11-23T10:00:00.123Z)"
std::string moment_text(Sequence sequence, std::uint64_t time_ns);

Result<std::vector<ArchiveFile>> list(env::Env& env, const std::string& path);
Result<ArchiveCheckReport> check(env::Env& env, const std::string& path);

}  // namespace lightning::archive
