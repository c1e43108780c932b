#include "env/posix_log_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "env/os_error.h"

namespace lightning::env {

namespace {

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

// Takes the page faults now, not in somebody's commit. Dirties the pages, which is harmless because sync() asks for
// its own range only. Where the kernel (before 5.14) has no such call, faults happen at the first store to each page.
void prefault(char* mapping, std::uint64_t size) {
#ifdef MADV_POPULATE_WRITE
  (void)::madvise(mapping, size, MADV_POPULATE_WRITE);
#else
  (void)mapping, (void)size;
#endif
}

Status make_segment(const Descriptor& file, const std::string& path, std::uint64_t size) {
  if (const int error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(size)); error != 0)
    return system_error(error, "cannot allocate the log segment", path);
  // Allocated blocks are still marked unwritten; writing them once spares every later sync a journal commit.
  LIGHTNING_TRY(write_zeros(file, path, size, page_bytes()));
  if (::fsync(file.get()) != 0) return sync_error(errno, path);
  return {};
}

}  // namespace

Result<std::unique_ptr<LogFile>> PosixLogFile::create(const std::string& path, std::uint64_t size) {
  if (size == 0) return Error(ErrorCode::kInvalidArgument, "a log segment needs at least one byte").at_file(path);
  LIGHTNING_ASSIGN(Descriptor file, open_file(path, O_RDWR | O_CREAT | O_EXCL, "cannot create the log segment"));
  if (Status made = make_segment(file, path, size); !made) {
    (void)::unlink(path.c_str());  // half a segment would only take space
    return std::move(made).error();
  }
  return map(std::move(file), path, size);
}

Result<std::unique_ptr<LogFile>> PosixLogFile::reuse(const std::string& path) {
  LIGHTNING_ASSIGN(Descriptor file, open_file(path, O_RDWR, "cannot open the log segment"));
  LIGHTNING_ASSIGN(const std::uint64_t size, regular_file_bytes(file, path));
  if (size == 0) return short_file_error(path, 0, 1, 0);
  // Of a sparse segment (a copy, say) the holes are filled: a store must never need space.
  if (const int error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(size)); error != 0)
    return system_error(error, "cannot allocate the log segment", path);
  return map(std::move(file), path, size);
}

Result<std::unique_ptr<LogFile>> PosixLogFile::map(Descriptor file, const std::string& path, std::uint64_t size) {
  void* const mapping = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (mapping == MAP_FAILED) return system_error(errno, "cannot map the log segment", path);
  (void)::madvise(mapping, size, MADV_RANDOM);
  prefault(static_cast<char*>(mapping), size);
  return std::make_unique<PosixLogFile>(std::move(file), path, static_cast<char*>(mapping), size);
}

PosixLogFile::PosixLogFile(Descriptor file, std::string path, char* mapping, std::uint64_t size)
    : file_(std::move(file)), path_(std::move(path)) {
  data_ = mapping;
  size_ = size;
}

PosixLogFile::~PosixLogFile() { (void)::munmap(data_, size_); }

// Of a shared mapping only the page table's entries go; what they knew to be dirty stays so in the page cache.
void PosixLogFile::release_pages() { (void)::madvise(data_, size_, MADV_DONTNEED); }

// msync(MS_SYNC) is fdatasync() for a range of pages (the kernel calls the same function, and flushes the disk's cache
// as well). fdatasync() itself would write every page that prefault() dirtied: 17 ms instead of 0.8 ms for the first
// sync of a 64 MiB segment on the disk it was tried on.
Status PosixLogFile::sync(std::uint64_t offset, std::uint64_t bytes) {
  if (const int error = poison_.load(std::memory_order_acquire); error != 0) return sync_error(error, path_);
  if (offset >= size_ || bytes == 0) return {};
  static const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t first = offset / page_bytes * page_bytes;
  const std::uint64_t end = offset + std::min(bytes, size_ - offset);
  while (::msync(data_ + first, end - first, MS_SYNC) != 0) {
    if (errno == EINTR) continue;
    int none = 0;
    const int error = errno;
    poison_.compare_exchange_strong(none, error, std::memory_order_acq_rel);
    return sync_error(error, path_);
  }
  // A failure that another thread was told of meanwhile concerns this range too, as far as anyone can know.
  if (const int error = poison_.load(std::memory_order_acquire); error != 0) return sync_error(error, path_);
  return {};
}

}  // namespace lightning::env
