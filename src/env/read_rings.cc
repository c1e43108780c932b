#include "env/read_rings.h"

#include <algorithm>

#if LIGHTNING_WITH_URING
#include <liburing.h>

#include <cerrno>
#endif

namespace lightning::env {

#if LIGHTNING_WITH_URING

struct ReadRings::Ring {
  std::atomic<bool> busy{false};  // who sets it owns the rest
  bool made = false;
  bool usable = true;
  ::io_uring ring;

  ~Ring() { discard(); }
  void discard() {
    if (made) ::io_uring_queue_exit(&ring);
    made = false;
    usable = true;
  }
  std::uint64_t serve(int fd, std::span<const RandomAccessFile::Request> requests);
  std::uint64_t reap(std::span<const RandomAccessFile::Request> requests, unsigned& reaped);
};

ReadRings::ReadRings(std::uint32_t rings_max)
    : rings_max_(std::max(rings_max, 1u)), rings_(std::make_unique<Ring[]>(rings_max_)) {}
ReadRings::~ReadRings() = default;

ReadRings::Ring* ReadRings::acquire() {
  if (refused_.load(std::memory_order_relaxed)) return nullptr;
  const std::uint32_t first = turn_.fetch_add(1, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < rings_max_; ++i) {
    Ring& ring = rings_[(first + i) % rings_max_];
    if (ring.busy.exchange(true, std::memory_order_acquire)) continue;
    if (ring.made) return &ring;
    if (::io_uring_queue_init(kBatch, &ring.ring, 0) == 0) {
      ring.made = true;
      return &ring;
    }
    refused_.store(true, std::memory_order_relaxed);
    ring.busy.store(false, std::memory_order_release);
    return nullptr;
  }
  return nullptr;
}

std::uint64_t ReadRings::read(int fd, std::span<const RandomAccessFile::Request> requests) {
  Ring* const ring = acquire();
  if (ring == nullptr) return 0;
  const std::uint64_t filled = ring->serve(fd, requests);
  if (!ring->usable) ring->discard();
  ring->busy.store(false, std::memory_order_release);
  return filled;
}

// The kernel writes into the callers' memory until a read is reaped, so this returns only when nothing is in flight.
std::uint64_t ReadRings::Ring::serve(int fd, std::span<const RandomAccessFile::Request> requests) {
  const auto all = static_cast<unsigned>(requests.size());
  for (unsigned i = 0; i < all; ++i) {
    ::io_uring_sqe* const entry = ::io_uring_get_sqe(&ring);  // never null: the queue is empty between calls
    const std::span<char> into = requests[i].into;
    ::io_uring_prep_read(entry, fd, into.data(), static_cast<unsigned>(into.size()), requests[i].offset);
    entry->user_data = i;
  }
  unsigned reaped = 0;
  std::uint64_t filled = 0;
  while (usable && reaped < all) {
    const int result = ::io_uring_submit_and_wait(&ring, all - reaped);
    filled |= reap(requests, reaped);
    if (result < 0 && result != -EINTR) usable = false;  // out of memory: stop feeding this ring
  }
  const unsigned taken = all - ::io_uring_sq_ready(&ring);
  while (reaped < taken) {
    ::io_uring_cqe* completion = nullptr;
    (void)::io_uring_wait_cqe(&ring, &completion);
    filled |= reap(requests, reaped);
  }
  return filled;
}

std::uint64_t ReadRings::Ring::reap(std::span<const RandomAccessFile::Request> requests, unsigned& reaped) {
  std::uint64_t filled = 0;
  ::io_uring_cqe* completion = nullptr;
  while (::io_uring_peek_cqe(&ring, &completion) == 0) {
    const std::uint64_t i = completion->user_data;
    if (completion->res >= 0 && static_cast<std::size_t>(completion->res) == requests[i].into.size())
      filled |= std::uint64_t{1} << i;
    ::io_uring_cqe_seen(&ring, completion);
    ++reaped;
  }
  return filled;
}

#else

struct ReadRings::Ring {};
ReadRings::ReadRings(std::uint32_t) : rings_max_(0) {}
ReadRings::~ReadRings() = default;
std::uint64_t ReadRings::read(int, std::span<const RandomAccessFile::Request>) { return 0; }

#endif

}  // namespace lightning::env
