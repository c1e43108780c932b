#include "engine/ballast.h"

#include <algorithm>

namespace lightning::engine {

namespace {

constexpr std::uint64_t kShareOfFree = 16;
constexpr std::uint64_t kBytesMin = 256 << 10;  // less would not help anybody

}  // namespace

Ballast::Ballast(env::FileSystem& files, const std::string& directory, std::uint64_t bytes)
    : files_(files), directory_(directory), path_(directory + "/" + std::string(kBallastName)), bytes_max_(bytes) {}

bool Ballast::take(std::uint64_t bytes) {
  if (!files_.reserve_space(path_, bytes)) return false;
  bytes_ = bytes;
  held_.store(bytes, std::memory_order_relaxed);
  return true;
}

bool Ballast::drop() {
  if (!files_.remove(path_)) return false;
  held_.store(0, std::memory_order_relaxed);
  return true;
}

void Ballast::find() {
  base::MutexLock lock(mutex_);
  const auto there = files_.info(path_);
  if (!there || there->is_directory) return;
  bytes_ = there->bytes;
  held_.store(bytes_, std::memory_order_relaxed);
}

void Ballast::hold() {
  base::MutexLock lock(mutex_);
  const std::uint64_t held = held_.load(std::memory_order_relaxed);
  if (held > bytes_max_ && !drop()) return;
  if (held > 0 && held <= bytes_max_) return;
  const auto free = files_.free_bytes(directory_);
  if (!free) return;
  const std::uint64_t bytes = std::min(bytes_max_, *free / kShareOfFree);
  if (bytes >= kBytesMin) (void)take(bytes);  // it is only a reserve
}

bool Ballast::hold_again() {
  base::MutexLock lock(mutex_);
  if (held_.load(std::memory_order_relaxed) != 0) return true;
  const auto free = files_.free_bytes(directory_);
  return free && *free / 3 >= bytes_ && take(bytes_);
}

bool Ballast::release() {
  base::MutexLock lock(mutex_);
  return held_.load(std::memory_order_relaxed) != 0 && drop();
}

}  // namespace lightning::engine
