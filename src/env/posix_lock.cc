#include "env/posix_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "env/os_error.h"

namespace lightning::env {

namespace {

constexpr std::size_t kRecordBytesMax = 1024;

std::string read_record(const Descriptor& file) {
  std::array<char, kRecordBytesMax> text;
  const ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
  return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

// 0 or errno; EAGAIN when somebody else has it.
int take_lock(const Descriptor& file) {
  struct flock range{};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  while (::fcntl(file.get(), F_OFD_SETLK, &range) != 0)
    if (errno != EINTR) return errno == EACCES ? EAGAIN : errno;
  return 0;
}

// False if the file was removed or replaced between open and lock: the lock then keeps nobody out.
bool still_at(const Descriptor& file, const std::string& path) {
  struct stat locked, named;
  return ::fstat(file.get(), &locked) == 0 && ::stat(path.c_str(), &named) == 0 && locked.st_ino == named.st_ino &&
         locked.st_dev == named.st_dev;
}

}  // namespace

Result<std::unique_ptr<FileLock>> PosixLock::acquire(const std::string& path, const std::string& owner_note) {
  constexpr int kAttempts = 100;
  for (int i = 0; i < kAttempts; ++i) {
    LIGHTNING_ASSIGN(Descriptor file, open_file(path, O_RDWR | O_CREAT, "cannot open the lock file"));
    const int error = take_lock(file);
    if (error == EAGAIN) return lock_held_error(path, read_record(file));
    if (error != 0) return system_error(error, "cannot lock the file", path);
    if (!still_at(file, path)) continue;
    // One line, then the cut: who reads in between sees whole lines, the first of them ours.
    const std::string record = lock_record(owner_note);
    LIGHTNING_TRY(write_fully(file, path, 0, record));
    if (::ftruncate(file.get(), static_cast<off_t>(record.size())) != 0)
      return system_error(errno, "cannot write the lock file", path);
    return std::make_unique<PosixLock>(std::move(file));
  }
  return Error(ErrorCode::kIo, "the lock file is replaced again and again").at_file(path);
}

Result<bool> PosixLock::held(const std::string& path) {
  auto file = open_file(path, O_RDONLY, "cannot open the lock file");
  if (!file) {
    if (file.error().code() == ErrorCode::kStorageUnavailable) return false;
    return std::move(file).error();
  }
  struct flock range{};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  if (::fcntl(file->get(), F_OFD_GETLK, &range) != 0) return system_error(errno, "cannot ask for the lock", path);
  return range.l_type != F_UNLCK;
}

// An empty record cannot be taken for an owner in the moment between the next one's lock and its line.
PosixLock::~PosixLock() { (void)!::ftruncate(file_.get(), 0); }

Error lock_held_error(const std::string& path, std::string_view record) {
  const std::string_view owner = record.substr(0, record.find('\n'));
  return Error(ErrorCode::kLockHeld,
               "in use by " + (owner.empty() ? std::string("another process, which has not said its name yet")
                                             : std::string(owner)))
      .at_file(path);
}

std::string lock_record(std::string_view owner_note) {
  std::string line(owner_note.substr(0, kRecordBytesMax - 1));
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line + '\n';
}

}  // namespace lightning::env
