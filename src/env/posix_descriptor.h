// Descriptor: an open file of the operating system, closed once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "lightning/result.h"

namespace lightning::env {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { (void)close(); }

  int get() const { return fd_; }
  // 0 or errno. The descriptor is gone either way (Linux frees it even on EINTR).
  int close();

 private:
  int fd_ = -1;
};

// open(2) with O_CLOEXEC, mode 0600. `what` as in system_error().
Result<Descriptor> open_file(const std::string& path, int flags, std::string_view what);

// Fails if it is a directory or a device.
Result<std::uint64_t> regular_file_bytes(const Descriptor& file, const std::string& path);

// All of `into`, or an error. Short reads and EINTR go on; EIO is tried three times more: a disk may recover a sector.
Status read_fully(const Descriptor& file, const std::string& path, std::uint64_t offset, std::span<char> into);
// All of `bytes`, or an error.
Status write_fully(const Descriptor& file, const std::string& path, std::uint64_t offset, std::string_view bytes);
// Zeros, really written.
Status write_zeros(const Descriptor& file, const std::string& path, std::uint64_t bytes, std::size_t step = 1 << 20);

}  // namespace lightning::env
