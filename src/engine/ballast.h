// Ballast: disk space held in reserve, so that a full disk does not stop what makes room again.
//
// A file of allocated blocks that nobody reads. When a job finds the disk full the file goes, and flushes, compactions,
// erases and an opening have its space to work with; when there is room again it is made anew.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/sync.h"
#include "env/file_system.h"

namespace lightning::engine {

inline constexpr std::string_view kBallastName = "BALLAST";

class Ballast {
 public:
  // In `directory`, of so many bytes at most; 0: none.
  Ballast(env::FileSystem& files, const std::string& directory, std::uint64_t bytes);

  // Looks whether an earlier life of the store left one.
  void find();
  // Takes the space, less where that would be more than a sixteenth of what is free: a small disk is not filled with
  // it. What is held already is kept, if it is not too much. No error: without room, none is held.
  void hold();
  // The same, but only if so much is free that taking it does not fill the disk again. True if it is held now.
  bool hold_again();
  // Gives the space to whoever needs it. True if there was any.
  bool release();
  std::uint64_t held_bytes() const { return held_.load(std::memory_order_relaxed); }

 private:
  bool take(std::uint64_t bytes) LIGHTNING_REQUIRES(mutex_);
  bool drop() LIGHTNING_REQUIRES(mutex_);

  env::FileSystem& files_;
  const std::string directory_, path_;
  const std::uint64_t bytes_max_;
  base::Mutex mutex_{base::LockRank::kBallast};
  std::uint64_t bytes_ LIGHTNING_GUARDED_BY(mutex_) = 0;  // as it was held last
  std::atomic<std::uint64_t> held_{0};
};

}  // namespace lightning::engine
