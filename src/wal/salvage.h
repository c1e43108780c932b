// What can still be read of a damaged log.
//
// Replay ends at damage: what it gives is a prefix of the history, or nothing. Salvage passes over what does not verify
// and goes on behind it, at the next record that does. Each commit is whole or is not given, and they come in order;
// but one that is missing is missing alone, with whatever a later one took for granted.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "wal/wal.h"

namespace lightning::wal {

// Commits that were in the log and cannot be read: sequences first .. last.
struct LostCommits {
  Sequence first = 0, last = 0;
  Error reason;  // names the file, and where in it, as far as it is known
};

struct SalvagedLog {
  Sequence last_sequence = 0;  // of the newest commit that was given, or options.start
  std::uint64_t commits = 0, operations = 0, bytes = 0;
  std::vector<LostCommits> lost = {};
  // Bytes behind the newest commit that do not verify: a write that was cut short, or the newest writes of all,
  // damaged. Nothing says that they were durable.
  std::optional<TornTail> torn_tail = {};
  ManifestPosition manifest = {};  // the newest that a segment knew
};

// As replay(), but for damage and missing segments, which are in the result. `start_known`: that options.start is where
// the tables end; else nothing says whether commits are missing before the first. A log of another history of the store
// (options.anchor) is lost as a whole.
// Errors: kFormatUnsupported, those of the disk that are not about bytes, and those of `apply`. Changes nothing on
// disk.
Result<SalvagedLog> salvage(env::Env& env, const std::string& directory, const format::Uid& store_id,
                            const ReplayOptions& options, bool start_known,
                            const std::function<Status(const RecoveredCommit&)>& apply);

}  // namespace lightning::wal
