// Transfer: files on their way into a backup or out of one: at a bounded rate, told to whoever wants to know, and with
// the digest of what went by.
#pragma once

#include <memory>
#include <string>

#include "base/executor.h"
#include "base/hash.h"
#include "env/env.h"
#include "lightning/backup.h"

namespace lightning::backup {

// Threads: one.
class Transfer {
 public:
  // `ended` may be empty; once it is true, everything ends with kCancelled.
  Transfer(env::Env& env, std::uint64_t bytes_per_second, BackupProgressFunction progress,
           std::function<bool()> ended = {});

  void expect(std::uint64_t files, std::uint64_t bytes);  // the totals, from the start
  Status file_done(std::uint64_t bytes_not_moved = 0);    // one more, of which so many bytes did not have to be moved

  // Reads `bytes` of a file; `take` gets them piece by piece and may be empty. A file that is shorter is kCorruption.
  Result<base::Digest> read(const std::string& path, env::FileClass file_class, std::uint64_t bytes,
                            const std::function<Status(std::string_view)>& take = {});
  // A copy, written, synced and closed; what was there under its name is replaced. After an error nothing is left of it
  // if it can be removed.
  Result<base::Digest> copy(const std::string& from, const std::string& to, env::FileClass file_class,
                            std::uint64_t bytes);

  // So many bytes have gone by, of a stream whose length nobody knows.
  Status passed(std::uint64_t bytes);
  // For work that reads by itself: waits until so many bytes fit the rate. False: it shall end.
  bool wait_for(std::uint64_t bytes);
  // Why wait_for() said so.
  static Error cancelled();

 private:
  bool tell();

  env::Env& env_;
  base::RateLimiter limiter_;
  const BackupProgressFunction progress_;
  const std::function<bool()> ended_;
  BackupProgress so_far_;
  std::uint64_t moved_of_file_ = 0;
  bool stopped_ = false;
};

}  // namespace lightning::backup
