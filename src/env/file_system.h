// Files and directories: the only way the engine reaches a disk.
//
// Implementations: PosixFileSystem (posix_file_system.h) and SimulatedFileSystem (simulated_file_system.h), which tells
// written from synced bytes sector by sector and directory entry by directory entry, and can return what a power cut
// would leave. Both pass the same conformance tests.
//
// Rules of use, which the simulator checks by breaking whatever ignores them:
//  - A file's bytes survive a power cut only after its sync(); its name only after sync_directory() of its directory.
//  - After a failed sync nothing is known about that file: never retry it, write a new file.
//  - Short reads and writes and EINTR are handled inside; callers see all, or an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lightning/result.h"

namespace lightning::env {

// Why a file is touched; carried by every call for faults, metrics and throttling to hang on.
enum class FileClass : std::uint8_t { kOther, kLog, kTable, kManifest, kSuperblock, kLock, kBlob, kDump };

// Reads at positions. Threads: any. Closed by the destructor.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;
  // Fills all of `into`, or fails: kIo with the offset; a range beyond the end is kCorruption ("file is shorter
  // than...").
  virtual Status read(std::uint64_t offset, std::span<char> into) const = 0;
  struct Request {
    std::uint64_t offset;
    std::span<char> into;
    Status status{};
  };
  // Serves all requests, many at a time where the system can (io_uring); each has its own status afterwards.
  virtual void read_many(std::span<Request> requests) const;
  virtual std::uint64_t size() const = 0;  // as of open
  // Hint: this range will be read soon. Never fails.
  virtual void prefetch(std::uint64_t offset, std::uint64_t bytes) const = 0;
};

// Appends to a file that was created by this handle. Threads: one at a time.
class WritableFile {
 public:
  virtual ~WritableFile() = default;                  // closes; errors are only seen by close()
  virtual Status append(std::string_view bytes) = 0;  // buffered inside up to 1 MiB, in order
  virtual Status flush() = 0;                         // hands the buffer to the operating system
  virtual Status sync() = 0;  // flush, then durable (content and size). kSyncFailed is final for this file
  virtual Status close() = 0;
  virtual std::uint64_t size() const = 0;  // bytes appended so far
};

// A small file that is overwritten in place, each slot whole (the superblock). Threads: one at a time.
class UpdatableFile {
 public:
  virtual ~UpdatableFile() = default;
  virtual Status read(std::uint64_t offset, std::span<char> into) const = 0;
  virtual Status write(std::uint64_t offset, std::string_view bytes) = 0;
  virtual Status sync() = 0;
  virtual std::uint64_t size() const = 0;
};

// One log segment: fixed size, disk space allocated in full, content writable as memory that the operating system
// owns, so that stored bytes survive the death of the process without a system call per write.
//
// Threads: write() of disjoint ranges from any thread; sync() from any thread beside them.
class LogFile {
 public:
  virtual ~LogFile() = default;  // unmaps and closes
  // Copies into the segment. No system call, cannot fail: space was allocated when the segment was made.
  // offset + bytes.size() <= size().
  void write(std::uint64_t offset, std::string_view bytes) {
    if (observed_) [[unlikely]]
      return observed_write(offset, bytes);
    if (!bytes.empty()) __builtin_memcpy(data_ + offset, bytes.data(), bytes.size());
  }
  // What was stored in [offset, offset + bytes) before this call began is durable when it returns.
  // Nothing is said about other ranges. kSyncFailed is final for this file.
  virtual Status sync(std::uint64_t offset, std::uint64_t bytes) = 0;
  // Takes the segment's pages out of the memory of the process; they stay in that of the operating system until they
  // have been written, and come back when they are touched. For a segment that is full. While others store: harmless.
  virtual void release_pages() {}
  const char* data() const { return data_; }
  std::uint64_t size() const { return size_; }

 protected:
  virtual void observed_write(std::uint64_t offset, std::string_view bytes);
  char* data_ = nullptr;
  std::uint64_t size_ = 0;
  bool observed_ = false;  // the simulated file sees each store
};

// Held while it lives; released by the operating system when the process dies.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct FileInfo {
  std::uint64_t bytes = 0;
  bool is_directory = false;
};

// Threads: any. Paths are UTF-8; relative ones are relative to the working directory.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Errors of all: kIo, kPermissionDenied, kNoSpace, kStorageUnavailable (path missing), kInsufficientResources (file
  // handles).
  virtual Result<std::unique_ptr<RandomAccessFile>> open_random_access(const std::string& path,
                                                                       FileClass file_class) = 0;
  // Fails if it exists.
  virtual Result<std::unique_ptr<WritableFile>> create_writable(const std::string& path, FileClass file_class) = 0;
  // Opens what is there, whatever its size, or creates it with `size` bytes of zeros.
  virtual Result<std::unique_ptr<UpdatableFile>> open_updatable(const std::string& path, FileClass file_class,
                                                                std::uint64_t size) = 0;
  // A new segment of `size` bytes, all zero, allocated, pre-faulted. Fails if it exists.
  virtual Result<std::unique_ptr<LogFile>> create_log(const std::string& path, std::uint64_t size) = 0;
  // An existing segment, to be written again from the start: its old content is still there.
  virtual Result<std::unique_ptr<LogFile>> reuse_log(const std::string& path) = 0;

  virtual Result<std::string> read_file(const std::string& path,
                                        std::uint64_t bytes_max) = 0;  // whole; kCorruption if larger
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<FileInfo> info(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(
      const std::string& directory) = 0;                                      // names only, sorted, no "." and ".."
  virtual Status create_directories(const std::string& path) = 0;             // with parents, each made durable
  virtual Status rename(const std::string& from, const std::string& to) = 0;  // replaces `to`
  virtual Status remove(const std::string& path) = 0;
  virtual Status link(const std::string& from, const std::string& to) = 0;  // hard link; fails if `to` exists
  virtual Status sync_directory(const std::string& path) = 0;
  // Creates the file if need be. kLockHeld names the holder as `owner_note` described it (pid, command, since when,
  // host).
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& owner_note) = 0;
  // True if some process (this one included) holds the lock now. Takes nothing, creates nothing; false if there is no
  // file.
  virtual Result<bool> is_locked(const std::string& path) = 0;
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
  // A new file of so many allocated bytes, which nobody reads or writes: it only takes the space. Fails if it exists,
  // and leaves none behind where there is no room.
  virtual Status reserve_space(const std::string& path, std::uint64_t bytes) = 0;
};

}  // namespace lightning::env
