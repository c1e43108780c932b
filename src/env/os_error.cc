#include "env/os_error.h"

#include <cerrno>
#include <string>

namespace lightning::env {

ErrorCode code_of_errno(int errno_value) {
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ErrorCode::kNoSpace;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::kPermissionDenied;
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kStorageUnavailable;
    case EMFILE:
    case ENFILE:
      return ErrorCode::kInsufficientResources;
    case ENOMEM:
      return ErrorCode::kOutOfMemory;
    default:
      return ErrorCode::kIo;
  }
}

Error system_error(int errno_value, std::string_view what, std::string_view path, std::uint64_t offset) {
  return Error(code_of_errno(errno_value), std::string(what)).at_file(path, offset).with_os_error(errno_value);
}

Error sync_error(int errno_value, std::string_view path) {
  return Error(ErrorCode::kSyncFailed, "cannot make the file durable")
      .at_file(path)
      .with_os_error(errno_value)
      .with_outcome(WriteOutcome::kUnknown);
}

Error short_file_error(std::string_view path, std::uint64_t offset, std::uint64_t wanted, std::uint64_t file_bytes) {
  return Error(ErrorCode::kCorruption, "file is shorter than what it should hold: " + std::to_string(wanted) +
                                           " bytes were wanted, the file has " + std::to_string(file_bytes))
      .at_file(path, offset);
}

}  // namespace lightning::env
