// errno to Error: the one place that decides what a refusal of the operating system means.
#pragma once

#include <cstdint>
#include <string_view>

#include "lightning/error.h"

namespace lightning::env {

// ENOSPC, EDQUOT, EFBIG: kNoSpace. EACCES, EPERM, EROFS: kPermissionDenied. ENOENT, ENOTDIR: kStorageUnavailable.
// EMFILE, ENFILE: kInsufficientResources. ENOMEM: kOutOfMemory. All others: kIo.
ErrorCode code_of_errno(int errno_value);

// `what`: one clause without the path, such as "cannot open the file".
Error system_error(int errno_value, std::string_view what, std::string_view path,
                   std::uint64_t offset = ErrorContext::kNoOffset);
// kSyncFailed whatever the cause: the kernel drops what it could not write, so even ENOSPC leaves the file unknown.
Error sync_error(int errno_value, std::string_view path);
// A read that reaches beyond the end.
Error short_file_error(std::string_view path, std::uint64_t offset, std::uint64_t wanted, std::uint64_t file_bytes);

}  // namespace lightning::env
