// History: what a database is brought forward by while it is opened, behind all that its files hold.
#pragma once

#include <cstdint>
#include <functional>

#include "lightning/result.h"
#include "manifest/version_edit.h"
#include "wal/wal.h"

namespace lightning::engine {

// Threads: one at a time.
class History {
 public:
  virtual ~History() = default;
  virtual std::uint64_t bytes() const = 0;  // of payloads, for the progress
  // Gives all commits behind `from`, in order, and the changes of keyspaces between them, and answers where they end.
  // A change may be one that the database has already. `from` must be a point of this history.
  virtual Result<wal::LogPosition> read(wal::LogPosition from,
                                        const std::function<Status(const wal::RecoveredCommit&)>& commit,
                                        const std::function<Status(const manifest::VersionEdit&)>& change) = 0;
};

}  // namespace lightning::engine
