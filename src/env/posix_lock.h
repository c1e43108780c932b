// PosixLock: who owns a store, as an open-file-description lock and a line of text in the locked file.
//
// Such locks belong to the open file, not to the process: a second open in the same process conflicts as well, closing
// some other descriptor of the file releases nothing, and the kernel releases the lock with the last descriptor.
#pragma once

#include <memory>
#include <string>

#include "env/file_system.h"
#include "env/posix_descriptor.h"

namespace lightning::env {

class PosixLock final : public FileLock {
 public:
  static Result<std::unique_ptr<FileLock>> acquire(const std::string& path, const std::string& owner_note);
  // Whether someone holds the lock of this file; false if it does not exist.
  static Result<bool> held(const std::string& path);
  explicit PosixLock(Descriptor file) : file_(std::move(file)) {}
  ~PosixLock() override;

 private:
  const Descriptor file_;
};

// The error of one who came second. `record` is what the lock file holds: its first line names the owner.
Error lock_held_error(const std::string& path, std::string_view record);
// `owner_note` as one line.
std::string lock_record(std::string_view owner_note);

}  // namespace lightning::env
