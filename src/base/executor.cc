#include "base/executor.h"

#include <utility>

namespace lightning::base {

Lane::Lane(std::string name, std::uint32_t threads) : name_(std::move(name)), thread_count_(0) {
  threads_.reserve(threads);
  for (std::uint32_t i = 0; i < threads; ++i) {
    Thread thread = Thread::spawn(name_, [this] { run(); });
    if (!thread.joinable()) break;  // fewer threads make it slower, not wrong
    threads_.push_back(std::move(thread));
  }
  thread_count_ = static_cast<std::uint32_t>(threads_.size());
}

Lane::~Lane() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  threads_.clear();  // joins
}

void Lane::submit(std::function<void()> job) {
  if (thread_count_ == 0) return job();
  {
    MutexLock lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void Lane::run() {
  MutexLock lock(mutex_);
  for (;;) {
    while (jobs_.empty()) {
      if (stopping_) return;
      wake_.wait(mutex_);
    }
    {
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
    }  // what the job captured goes before the lock comes back
    lock.lock();
  }
}

RateLimiter::RateLimiter(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}

void RateLimiter::set_rate(std::uint64_t bytes_per_second) {
  MutexLock lock(mutex_);
  drain(monotonic_now_ns());
  rate_ = bytes_per_second;
}

void RateLimiter::drain(std::uint64_t now_ns) {
  constexpr unsigned __int128 kSecond = 1'000'000'000;
  if (rate_ == 0 || drained_ == requested_) {
    drained_ = requested_;
    drained_at_ns_ = now_ns;
    return;
  }
  if (now_ns <= drained_at_ns_) return;
  const unsigned __int128 bytes = (now_ns - drained_at_ns_) * static_cast<unsigned __int128>(rate_) / kSecond;
  if (bytes >= requested_ - drained_) {
    drained_ = requested_;  // idle time earns no credit
    drained_at_ns_ = now_ns;
    return;
  }
  // Only the time that whole bytes took is spent, or low rates would round down to standing still.
  drained_ += static_cast<std::uint64_t>(bytes);
  drained_at_ns_ += static_cast<std::uint64_t>(bytes * kSecond / rate_);
}

void RateLimiter::request(std::uint64_t bytes, const std::function<bool()>& cancelled) {
  constexpr std::uint64_t kStepNs = 100'000'000;
  std::uint64_t ahead = 0;
  {
    MutexLock lock(mutex_);
    drain(monotonic_now_ns());
    ahead = requested_;
    requested_ += bytes;
  }
  for (;;) {
    std::uint64_t wait_ns = 0;
    {
      MutexLock lock(mutex_);
      drain(monotonic_now_ns());
      if (rate_ == 0 || drained_ >= ahead) return;
      const unsigned __int128 needed = static_cast<unsigned __int128>(ahead - drained_) * 1'000'000'000 / rate_ + 1;
      wait_ns = needed < kStepNs ? static_cast<std::uint64_t>(needed) : kStepNs;
    }
    if (cancelled && cancelled()) return;
    sleep_for(std::chrono::nanoseconds(wait_ns));
  }
}

}  // namespace lightning::base
