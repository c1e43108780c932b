// What an implementation need not write again.
#include "env/file_system.h"

namespace lightning::env {

void RandomAccessFile::read_many(std::span<Request> requests) const {
  for (Request& request : requests) request.status = read(request.offset, request.into);
}

void LogFile::observed_write(std::uint64_t offset, std::string_view bytes) {
  __builtin_memcpy(data_ + offset, bytes.data(), bytes.size());
}

}  // namespace lightning::env
