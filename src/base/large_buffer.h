// Zeroed memory aligned to cache lines, on huge pages where that saves TLB misses.
#pragma once

#include <cstddef>
#include <utility>

namespace lightning::base {

// Owns its bytes; movable. Below 2 MiB from the heap, above from the operating system with huge pages asked for.
class LargeBuffer {
 public:
  LargeBuffer() = default;
  // `bytes` of zeros, aligned to 64. An empty buffer (data() null) if memory is exhausted or `bytes` is 0.
  static LargeBuffer allocate(std::size_t bytes);
  LargeBuffer(LargeBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  LargeBuffer& operator=(LargeBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~LargeBuffer();

  char* data() { return data_; }
  const char* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace lightning::base
