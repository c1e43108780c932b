// Lanes of background threads, and the rate limit they share.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/sync.h"

namespace lightning::base {

// A fixed number of threads that run jobs in the order they came. Started from a fiber, its threads are fibers.
//
// Threads: submit() from any. The destructor runs every queued job to its end; use your own flag to make them short.
class Lane {
 public:
  Lane(std::string name, std::uint32_t threads);
  ~Lane();
  // If the system had no thread to give (threads() == 0), the job runs here and now.
  void submit(std::function<void()> job);
  std::uint32_t threads() const { return thread_count_; }

 private:
  void run();
  const std::string name_;
  std::uint32_t thread_count_;
  Mutex mutex_{LockRank::kExecutor};
  CondVar wake_;
  std::deque<std::function<void()>> jobs_ LIGHTNING_GUARDED_BY(mutex_);
  bool stopping_ LIGHTNING_GUARDED_BY(mutex_) = false;
  std::vector<Thread> threads_;
};

// Token bucket over bytes: callers sleep until their bytes fit the rate. 0 = no limit.
// Threads: any.
class RateLimiter {
 public:
  explicit RateLimiter(std::uint64_t bytes_per_second);
  // Waits, in steps of at most 100 ms; returns early when `cancelled` answers true.
  void request(std::uint64_t bytes, const std::function<bool()>& cancelled = {});
  void set_rate(std::uint64_t bytes_per_second);

 private:
  Mutex mutex_{LockRank::kRateLimiter};
  std::uint64_t rate_ LIGHTNING_GUARDED_BY(mutex_);
  // Requests stand in a queue measured in bytes, which drains at the rate: a change of the rate reaches those who wait.
  void drain(std::uint64_t now_ns) LIGHTNING_REQUIRES(mutex_);
  std::uint64_t requested_ LIGHTNING_GUARDED_BY(mutex_) = 0;  // bytes ever asked for
  std::uint64_t drained_ LIGHTNING_GUARDED_BY(mutex_) = 0;    // bytes of these whose time has come
  std::uint64_t drained_at_ns_ LIGHTNING_GUARDED_BY(mutex_) = 0;
};

}  // namespace lightning::base
