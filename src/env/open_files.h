// OpenFiles: many files to read from, few of them open.
//
// A file that is asked for while it is closed is opened again, and another that was not read lately is closed for it
// (the clock algorithm: Corbató, "A paging experiment with the Multics system", 1968). A read of an open file takes no
// lock, calls the system no oftener and writes to no line that others read, but for a mark that is set once per turn of
// the clock: an epoch of the pool's own keeps the file open while somebody reads, and whoever closes files waits for
// those who read, never the other way round. This is the one domain in which a guard is held during I/O: nothing but
// closed files is retired to it.
//
// Threads: any. Lifetime: outlives its files. Nobody may call inside a guard of another epoch domain: reads wait.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/epoch.h"
#include "base/sync.h"
#include "env/file_system.h"

namespace lightning::env {

class OpenFiles {
 public:
  // At most `open_max` files are open at one time, and for a moment a few that are being closed. At least one.
  OpenFiles(FileSystem& files, std::uint64_t open_max) : files_(files), open_max_(open_max == 0 ? 1 : open_max) {}
  OpenFiles(const OpenFiles&) = delete;
  OpenFiles& operator=(const OpenFiles&) = delete;

  // Errors as FileSystem::open_random_access. The file's own calls may answer these, too: with kStorageUnavailable if
  // somebody removed it meanwhile.
  Result<std::unique_ptr<RandomAccessFile>> open(const std::string& path, FileClass file_class);

  std::uint64_t open_now() const;
  std::uint64_t opened() const { return opened_.load(std::memory_order_relaxed); }  // since the beginning

 private:
  class File;
  void make_room();
  void close_some();
  void close_one() LIGHTNING_REQUIRES(mutex_);
  void forget(File& file) LIGHTNING_REQUIRES(mutex_);

  static constexpr std::uint64_t kClosingMax = 8;
  static constexpr int kAttemptsMax = 1000;  // to open a file while the process has no handle left: about 50 ms

  FileSystem& files_;
  const std::uint64_t open_max_;
  std::atomic<std::uint64_t> opened_{0};
  base::EpochDomain readers_;
  mutable base::Mutex mutex_{base::LockRank::kTableFiles};
  std::vector<File*> open_ LIGHTNING_GUARDED_BY(mutex_);  // the clock's face
  std::size_t hand_ LIGHTNING_GUARDED_BY(mutex_) = 0;
  std::uint64_t places_ LIGHTNING_GUARDED_BY(mutex_) = 0;  // files that are open or about to be
};

}  // namespace lightning::env
