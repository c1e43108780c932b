#include "env/posix_descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "env/os_error.h"

namespace lightning::env {

int Descriptor::close() {
  const int fd = std::exchange(fd_, -1);
  return fd < 0 || ::close(fd) == 0 || errno == EINTR ? 0 : errno;
}

Result<Descriptor> open_file(const std::string& path, int flags, std::string_view what) {
  int fd;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return system_error(errno, what, path);
  return Descriptor(fd);
}

Result<std::uint64_t> regular_file_bytes(const Descriptor& file, const std::string& path) {
  struct stat facts;
  if (::fstat(file.get(), &facts) != 0) return system_error(errno, "cannot ask for the size of the file", path);
  if (!S_ISREG(facts.st_mode)) return Error(ErrorCode::kStorageUnavailable, "this is not a regular file").at_file(path);
  return static_cast<std::uint64_t>(facts.st_size);
}

Status read_fully(const Descriptor& file, const std::string& path, std::uint64_t offset, std::span<char> into) {
  constexpr int kReadErrorRetries = 3;
  const std::uint64_t first = offset, wanted = into.size();
  int failures = 0;
  while (!into.empty()) {
    const ssize_t got = ::pread(file.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (got > 0) {
      into = into.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    } else if (got == 0) {
      return short_file_error(path, first, wanted, offset);
    } else if (errno != EINTR && (errno != EIO || ++failures > kReadErrorRetries)) {
      return system_error(errno, "cannot read the file", path, offset);
    }
  }
  return {};
}

Status write_fully(const Descriptor& file, const std::string& path, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(put));
      offset += static_cast<std::uint64_t>(put);
    } else if (errno != EINTR) {
      return system_error(errno, "cannot write the file", path, offset);
    }
  }
  return {};
}

Status write_zeros(const Descriptor& file, const std::string& path, std::uint64_t bytes, std::size_t step) {
  const std::vector<char> zeros(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, step)));
  for (std::uint64_t at = 0; at < bytes; at += zeros.size()) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), bytes - at));
    LIGHTNING_TRY(write_fully(file, path, at, {zeros.data(), piece}));
  }
  return {};
}

}  // namespace lightning::env
