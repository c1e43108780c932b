// Files of the operating system, behind the three interfaces for reading, appending and updating.
//
// The constructors take any descriptor, so that tests can hand in a pipe or /dev/full and see what failing does.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "env/file_system.h"
#include "env/posix_descriptor.h"
#include "env/read_rings.h"

namespace lightning::env {

class PosixRandomAccessFile final : public RandomAccessFile {
 public:
  // `rings` may be null: requests are then served one after the other.
  PosixRandomAccessFile(Descriptor file, std::string path, std::uint64_t size, ReadRings* rings)
      : file_(std::move(file)), path_(std::move(path)), size_(size), rings_(rings) {}

  Status read(std::uint64_t offset, std::span<char> into) const override;
  void read_many(std::span<Request> requests) const override;
  std::uint64_t size() const override { return size_; }
  void prefetch(std::uint64_t offset, std::uint64_t bytes) const override;

 private:
  const Descriptor file_;
  const std::string path_;
  const std::uint64_t size_;
  ReadRings* const rings_;
};

// After the first failure the file is poisoned: every later call returns that error again. What the disk holds is
// unknown then, and the kernel reports a lost page only once, so a sync that "succeeds" on retry would be a lie.
class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(Descriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  ~PosixWritableFile() override { (void)close(); }

  Status append(std::string_view bytes) override;
  Status flush() override;
  Status sync() override;
  Status close() override;
  std::uint64_t size() const override { return written_ + buffered_; }

 private:
  static constexpr std::size_t kBufferBytes = 1 << 20;
  Status write_out(std::string_view bytes);
  Status poison(Error error);

  Descriptor file_;
  const std::string path_;
  std::unique_ptr<char[]> buffer_;
  std::size_t buffered_ = 0;
  std::uint64_t written_ = 0;  // bytes handed to the operating system
  std::uint64_t hinted_ = 0;   // of these, the part whose write-back was asked for
  bool closed_ = false;
  std::optional<Error> poison_;
};

class PosixUpdatableFile final : public UpdatableFile {
 public:
  PosixUpdatableFile(Descriptor file, std::string path, std::uint64_t size)
      : file_(std::move(file)), path_(std::move(path)), size_(size) {}

  Status read(std::uint64_t offset, std::span<char> into) const override;
  Status write(std::uint64_t offset, std::string_view bytes) override;
  Status sync() override;
  std::uint64_t size() const override { return size_; }

 private:
  const Descriptor file_;
  const std::string path_;
  std::uint64_t size_;
  std::optional<Error> poison_;
};

}  // namespace lightning::env
