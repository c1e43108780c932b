// ReadRings: many reads in flight at once, through io_uring (https://kernel.dk/io_uring.pdf).
//
// A ring is used by one caller at a time. There are a few; a caller that finds none free reads without. Rings are made
// when first needed, and never asked for again once the system refused one (old kernel, seccomp, memory lock limit).
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "env/file_system.h"

namespace lightning::env {

class ReadRings {
 public:
  static constexpr std::size_t kBatch = 64;  // reads in flight per ring

  explicit ReadRings(std::uint32_t rings_max);
  ~ReadRings();

  // Reads at most kBatch requests. Bit i is set if request i was filled completely; its status is not touched. The
  // others (short, interrupted, failed, or all of them where no ring was to be had) are to be read another way.
  std::uint64_t read(int fd, std::span<const RandomAccessFile::Request> requests);

 private:
  struct Ring;
  Ring* acquire();

  const std::uint32_t rings_max_;
  const std::unique_ptr<Ring[]> rings_;
  std::atomic<std::uint32_t> turn_{0};
  std::atomic<bool> refused_{false};
};

}  // namespace lightning::env
