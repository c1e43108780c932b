#include "env/posix_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "env/os_error.h"

namespace lightning::env {

namespace {

int data_sync(int fd) {
  while (::fdatasync(fd) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

Error closed_error(const std::string& path) { return Error(ErrorCode::kClosed, "the file was closed").at_file(path); }

}  // namespace

// --- reading ------------------------------------------------------------------------------------------------------

Status PosixRandomAccessFile::read(std::uint64_t offset, std::span<char> into) const {
  // The subtraction form cannot overflow, whatever a damaged index claims.
  if (offset > size_ || into.size() > size_ - offset) return short_file_error(path_, offset, into.size(), size_);
  return read_fully(file_, path_, offset, into);
}

void PosixRandomAccessFile::read_many(std::span<Request> requests) const {
  while (!requests.empty()) {
    const std::span<Request> batch = requests.first(std::min(requests.size(), ReadRings::kBatch));
    const std::uint64_t filled = rings_ != nullptr && batch.size() > 1 ? rings_->read(file_.get(), batch) : 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      // What a ring left unfinished is asked for again here, where errors are retried and get their words.
      batch[i].status = (filled >> i & 1) != 0 ? Status{} : read(batch[i].offset, batch[i].into);
    }
    requests = requests.subspan(batch.size());
  }
}

void PosixRandomAccessFile::prefetch(std::uint64_t offset, std::uint64_t bytes) const {
  (void)::posix_fadvise(file_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
}

// --- appending ----------------------------------------------------------------------------------------------------

Status PosixWritableFile::append(std::string_view bytes) {
  if (poison_) return *poison_;
  if (closed_) return closed_error(path_);
  if (bytes.empty()) return {};
  if (buffered_ + bytes.size() <= kBufferBytes) {
    if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<char[]>(kBufferBytes);
    std::memcpy(buffer_.get() + buffered_, bytes.data(), bytes.size());
    buffered_ += bytes.size();
    return {};
  }
  LIGHTNING_TRY(flush());
  if (bytes.size() >= kBufferBytes) return write_out(bytes);
  return append(bytes);
}

Status PosixWritableFile::flush() {
  if (poison_) return *poison_;
  if (closed_) return closed_error(path_);
  return write_out({buffer_.get(), std::exchange(buffered_, 0)});
}

Status PosixWritableFile::write_out(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(file_.get(), bytes.data(), bytes.size());
    if (put >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(put));
      written_ += static_cast<std::uint64_t>(put);
    } else if (errno != EINTR) {
      return poison(system_error(errno, "cannot write the file", path_, written_));
    }
  }
  // Starts write-back of each full MiB early: the sync at the end then finds little left, and the disk sees a steady
  // stream instead of a burst that would delay the log's syncs. A hint: its failure shows up in sync().
  if (written_ - hinted_ >= kBufferBytes) {
    (void)::sync_file_range(file_.get(), static_cast<off_t>(hinted_), static_cast<off_t>(written_ - hinted_),
                            SYNC_FILE_RANGE_WRITE);
    hinted_ = written_;
  }
  return {};
}

Status PosixWritableFile::sync() {
  LIGHTNING_TRY(flush());
  // fdatasync also writes the new size: it is needed to read the data back (fdatasync(2)).
  if (const int error = data_sync(file_.get()); error != 0) return poison(sync_error(error, path_));
  return {};
}

Status PosixWritableFile::close() {
  if (closed_) return {};
  Status flushed = flush();
  closed_ = true;
  buffer_.reset();
  const int error = file_.close();
  if (!flushed) return flushed;
  if (error != 0) return poison(system_error(error, "cannot close the file", path_));
  return {};
}

Status PosixWritableFile::poison(Error error) { return poison_.emplace(std::move(error)); }

// --- updating -----------------------------------------------------------------------------------------------------

Status PosixUpdatableFile::read(std::uint64_t offset, std::span<char> into) const {
  if (offset > size_ || into.size() > size_ - offset) return short_file_error(path_, offset, into.size(), size_);
  return read_fully(file_, path_, offset, into);
}

Status PosixUpdatableFile::write(std::uint64_t offset, std::string_view bytes) {
  if (poison_) return *poison_;
  LIGHTNING_TRY(write_fully(file_, path_, offset, bytes));
  size_ = std::max<std::uint64_t>(size_, offset + bytes.size());
  return {};
}

Status PosixUpdatableFile::sync() {
  if (poison_) return *poison_;
  if (const int error = data_sync(file_.get()); error != 0) return poison_.emplace(sync_error(error, path_));
  return {};
}

}  // namespace lightning::env
