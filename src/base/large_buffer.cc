#include "base/large_buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "base/pages.h"

namespace lightning::base {

namespace {

constexpr std::size_t kLineBytes = 64;

constexpr bool is_mapped(std::size_t bytes) { return bytes >= kHugePageBytes; }

}  // namespace

LargeBuffer LargeBuffer::allocate(std::size_t bytes) {
  LargeBuffer buffer;
  if (bytes == 0 || bytes > ~std::size_t{0} - kHugePageBytes) return buffer;
  if (is_mapped(bytes)) {
    void* at = ::mmap(nullptr, round_up(bytes, kLineBytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return buffer;
    // A hint only: without huge pages the buffer works all the same.
    (void)::madvise(at, round_up(bytes, kLineBytes), MADV_HUGEPAGE);
    buffer.data_ = static_cast<char*>(at);
  } else {
    void* at = std::aligned_alloc(kLineBytes, round_up(bytes, kLineBytes));
    if (at == nullptr) return buffer;
    std::memset(at, 0, bytes);
    buffer.data_ = static_cast<char*>(at);
  }
  buffer.size_ = bytes;
  return buffer;
}

LargeBuffer::~LargeBuffer() {
  if (data_ == nullptr) return;
  if (is_mapped(size_))
    ::munmap(data_, round_up(size_, kLineBytes));
  else
    std::free(data_);
}

}  // namespace lightning::base
