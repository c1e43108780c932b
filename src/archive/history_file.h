// HistoryFile: an unbroken piece of what the log said, as it lies in an archive. docs/format/archive.md.
//
// Commits in order, and the changes of keyspaces between them. Each file says where it begins and where it ends, both
// as points of the log with their chain hash, so that files can be put behind one another and nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "env/env.h"
#include "format/ids.h"
#include "manifest/version_edit.h"
#include "wal/wal.h"

namespace lightning::archive {

// "000000000042.history", and back; nullopt for any other name.
std::string history_name(std::uint64_t number);
std::optional<std::uint64_t> history_number(std::string_view name);
// "000000000042.blob", as in a store.
std::string blob_name(format::FileNumber number);
std::optional<format::FileNumber> blob_number(std::string_view name);

// What its beginning and its end say of a file.
struct HistoryInfo {
  std::uint64_t number = 0;
  format::Uid store_id{};
  std::uint32_t epoch = 0;  // low 32 bits
  wal::LogPosition start, end;
  std::uint64_t first_time_ns = 0, last_time_ns = 0;  // of its commits and changes; 0: there are none
  std::uint64_t known_until_ns = 0;                   // whatever is not in it was made then or later; 0: nobody knows
  std::uint64_t commits = 0, changes = 0, file_bytes = 0;
  bool follows(const HistoryInfo& before) const;
};

// Threads: one.
class HistoryWriter {
 public:
  HistoryWriter(std::unique_ptr<env::WritableFile> file, std::uint64_t number, const format::Uid& store_id,
                std::uint32_t epoch, wal::LogPosition start);
  Status add(const wal::RecoveredCommit& commit);
  Status add(const manifest::VersionEdit::KeyspaceChange& change);
  // Synced and closed; its name is not.
  Result<HistoryInfo> finish(std::uint64_t known_until_ns);
  const HistoryInfo& so_far() const { return info_; }
  std::uint64_t bytes() const { return file_->size(); }

 private:
  Status begin();
  Status append(std::string_view bytes);
  Status add_item(std::uint32_t kind, std::uint32_t operations, std::uint64_t sequence, std::uint64_t time_ns,
                  std::string_view payload);

  std::unique_ptr<env::WritableFile> file_;
  base::DigestBuilder digest_;
  HistoryInfo info_;
  bool begun_ = false;
};

struct HistoryVisitor {
  std::function<Status(const wal::RecoveredCommit&)> commit;
  std::function<Status(const manifest::VersionEdit::KeyspaceChange&)> change;
  std::function<Status(std::uint64_t bytes)> read;  // now and then
};

// The beginning and the end alone. Errors: kBackupCorrupt, kFormatUnsupported, kIo. Total on hostile bytes.
Result<HistoryInfo> describe_history(env::Env& env, const std::string& path);
// All of it, in order; each commit against its hash and the chain. That all of the file is what was written (its
// digest) is known at the end. A visitor's error ends it. Memory: that of the largest commit. Errors: as
// describe_history().
Status read_history(env::Env& env, const std::string& path, const HistoryInfo& info, const HistoryVisitor& visitor);

Error damaged_history(const std::string& path, std::uint64_t offset, std::string_view what);

}  // namespace lightning::archive
