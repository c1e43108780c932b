#include "env/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "env/os_error.h"
#include "env/posix_descriptor.h"
#include "env/posix_files.h"
#include "env/posix_lock.h"
#include "env/posix_log_file.h"

namespace lightning::env {

namespace {

constexpr std::uint32_t kReadRings = 16;

bool is_directory(const std::string& path) {
  struct stat facts;
  return ::stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

PosixFileSystem::PosixFileSystem() : rings_(kReadRings) {}

Result<std::unique_ptr<RandomAccessFile>> PosixFileSystem::open_random_access(const std::string& path,
                                                                              FileClass file_class) {
  LIGHTNING_ASSIGN(Descriptor file, open_file(path, O_RDONLY, "cannot open the file"));
  LIGHTNING_ASSIGN(const std::uint64_t size, regular_file_bytes(file, path));
  // Blocks are asked for one by one and prefetch() says when more will follow: the kernel's guess would read in vain.
  if (file_class == FileClass::kTable || file_class == FileClass::kBlob)
    (void)::posix_fadvise(file.get(), 0, 0, POSIX_FADV_RANDOM);
  return std::make_unique<PosixRandomAccessFile>(std::move(file), path, size, &rings_);
}

Result<std::unique_ptr<WritableFile>> PosixFileSystem::create_writable(const std::string& path, FileClass) {
  LIGHTNING_ASSIGN(Descriptor file, open_file(path, O_WRONLY | O_CREAT | O_EXCL, "cannot create the file"));
  return std::make_unique<PosixWritableFile>(std::move(file), path);
}

Result<std::unique_ptr<UpdatableFile>> PosixFileSystem::open_updatable(const std::string& path, FileClass,
                                                                       std::uint64_t size) {
  auto created = open_file(path, O_RDWR | O_CREAT | O_EXCL, "cannot create the file");
  if (created) {
    LIGHTNING_TRY(write_zeros(*created, path, size));
    return std::make_unique<PosixUpdatableFile>(std::move(*created), path, size);
  }
  if (created.error().context().os_error != EEXIST) return std::move(created).error();
  LIGHTNING_ASSIGN(Descriptor file, open_file(path, O_RDWR, "cannot open the file"));
  LIGHTNING_ASSIGN(const std::uint64_t present, regular_file_bytes(file, path));
  return std::make_unique<PosixUpdatableFile>(std::move(file), path, present);
}

Result<std::unique_ptr<LogFile>> PosixFileSystem::create_log(const std::string& path, std::uint64_t size) {
  return PosixLogFile::create(path, size);
}

Result<std::unique_ptr<LogFile>> PosixFileSystem::reuse_log(const std::string& path) {
  return PosixLogFile::reuse(path);
}

Result<std::string> PosixFileSystem::read_file(const std::string& path, std::uint64_t bytes_max) {
  LIGHTNING_ASSIGN(Descriptor file, open_file(path, O_RDONLY, "cannot open the file"));
  LIGHTNING_ASSIGN(const std::uint64_t size, regular_file_bytes(file, path));
  if (size > bytes_max)
    return Error(ErrorCode::kCorruption, "file is larger than it can be: " + std::to_string(size) +
                                             " bytes, expected at most " + std::to_string(bytes_max))
        .at_file(path);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  LIGHTNING_TRY(read_fully(file, path, 0, bytes));
  return bytes;
}

Result<bool> PosixFileSystem::exists(const std::string& path) {
  struct stat facts;
  if (::stat(path.c_str(), &facts) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return system_error(errno, "cannot look for the file", path);
}

Result<FileInfo> PosixFileSystem::info(const std::string& path) {
  struct stat facts;
  if (::stat(path.c_str(), &facts) != 0) return system_error(errno, "cannot look at the file", path);
  const bool directory = S_ISDIR(facts.st_mode);
  return FileInfo{.bytes = directory ? 0 : static_cast<std::uint64_t>(facts.st_size), .is_directory = directory};
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
  if (stream == nullptr) return system_error(errno, "cannot list the directory", directory);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return system_error(errno, "cannot list the directory", directory);
  std::sort(names.begin(), names.end());
  return names;
}

Status PosixFileSystem::create_directories(const std::string& path) {
  std::string there;
  // What is there may be the work of a process that died before it made it durable: the last thing it did, so the
  // deepest. Where this process may not open the parent, it was somebody else's.
  const auto sync_deepest = [&]() -> Status {
    if (there.empty()) return {};
    Status synced = sync_directory(parent_of(std::exchange(there, {})));
    if (!synced && synced.error().code() == ErrorCode::kPermissionDenied) return {};
    return synced;
  };
  for (std::size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const std::string prefix = path.substr(0, end);
    if (is_directory(prefix)) {
      there = prefix;
      continue;
    }
    LIGHTNING_TRY(sync_deepest());
    if (::mkdir(prefix.c_str(), 0700) != 0) {
      const int error = errno;
      if (error == EEXIST && is_directory(prefix)) continue;  // another thread was faster
      return system_error(error == EEXIST ? ENOTDIR : error, "cannot create the directory", prefix);
    }
    LIGHTNING_TRY(sync_directory(parent_of(prefix)));
  }
  return sync_deepest();
}

Status PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return system_error(errno, "cannot rename the file to " + to, from);
  return {};
}

Status PosixFileSystem::remove(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return {};
  if (errno == EISDIR && ::rmdir(path.c_str()) == 0) return {};
  return system_error(errno, "cannot remove the file", path);
}

Status PosixFileSystem::link(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) != 0) return system_error(errno, "cannot link the file as " + to, from);
  return {};
}

Status PosixFileSystem::sync_directory(const std::string& path) {
  LIGHTNING_ASSIGN(Descriptor directory, open_file(path, O_RDONLY | O_DIRECTORY, "cannot open the directory"));
  while (::fsync(directory.get()) != 0)
    if (errno != EINTR) return sync_error(errno, path);
  return {};
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path, const std::string& owner_note) {
  return PosixLock::acquire(path, owner_note);
}

Result<bool> PosixFileSystem::is_locked(const std::string& path) { return PosixLock::held(path); }

Result<std::uint64_t> PosixFileSystem::free_bytes(const std::string& path) {
  struct statvfs facts;
  if (::statvfs(path.c_str(), &facts) != 0) return system_error(errno, "cannot ask for the free space", path);
  return static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
}

Status PosixFileSystem::reserve_space(const std::string& path, std::uint64_t bytes) {
  LIGHTNING_ASSIGN(const Descriptor file, open_file(path, O_RDWR | O_CREAT | O_EXCL, "cannot create the file"));
  const int error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (error == 0) return {};
  (void)::unlink(path.c_str());
  return system_error(error, "cannot reserve space", path);
}

}  // namespace lightning::env
