#include "base/sync.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <system_error>
#include <thread>
#include <utility>

#include "base/fiber.h"

namespace lightning::base {

namespace internal {

constinit thread_local ThreadState thread_state;

void fatal(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::fputs("lightning: fatal: ", stderr);
  std::vfprintf(stderr, format, arguments);
  std::fputc('\n', stderr);
  va_end(arguments);
  std::abort();
}

namespace {

// Slots of ordinary threads: a bit each, the lowest free one first, so that scans of per-slot arrays stay short.
constinit std::atomic<std::uint64_t> slot_bits[kThreadSlotsMax / 64];
constinit std::atomic<std::uint32_t> slots_end{0};

std::uint32_t allocate_slot() {
  for (std::uint32_t word = 0; word < std::size(slot_bits); ++word) {
    std::uint64_t bits = slot_bits[word].load(std::memory_order_relaxed);
    while (~bits != 0) {
      const auto bit = static_cast<std::uint32_t>(std::countr_one(bits));
      // Acquire pairs with the release of the slot's former owner, whose plain per-slot data we inherit.
      if (slot_bits[word].compare_exchange_weak(bits, bits | (std::uint64_t{1} << bit), std::memory_order_acq_rel))
        return word * 64 + bit;
    }
  }
  fatal("more than %u threads live at a time, which the system does not allow", kThreadSlotsMax);
}

// Gives the thread's slot back when the thread ends.
struct SlotOwner {
  std::uint32_t slot = ThreadState::kNoSlot;
  ~SlotOwner() {
    if (slot == ThreadState::kNoSlot) return;
    slot_bits[slot / 64].fetch_and(~(std::uint64_t{1} << (slot % 64)), std::memory_order_acq_rel);
    // A later destructor of this thread that asks again gets a slot which stays taken: rare, and bounded by
    // kThreadSlotsMax.
    thread_state.slot = ThreadState::kNoSlot;
    ended = true;
  }
  static constinit thread_local bool ended;
};
constinit thread_local bool SlotOwner::ended = false;
thread_local SlotOwner slot_owner;
constinit thread_local HeldLocks thread_held_locks;

}  // namespace

std::uint32_t take_thread_slot() {
  const std::uint32_t slot = allocate_slot();
  note_thread_slots(slot + 1);
  thread_state.slot = slot;
  if (!SlotOwner::ended) slot_owner.slot = slot;
  return slot;
}

void fiber_scheduling_point() { thread_state.scheduler->point(); }

std::uint32_t thread_slots_end() { return slots_end.load(std::memory_order_seq_cst); }

void note_thread_slots(std::uint32_t end) {
  std::uint32_t seen = slots_end.load(std::memory_order_relaxed);
  while (seen < end && !slots_end.compare_exchange_weak(seen, end, std::memory_order_seq_cst)) {}
}

}  // namespace internal

namespace {

using internal::thread_state;

// Sleeps while `word` is `expected`. False if `timeout` (null: none) passed.
bool futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, const timespec* timeout) {
  static_assert(sizeof word == 4);
  const long rc =
      ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT_PRIVATE, expected, timeout, nullptr, 0);
  return rc == 0 || errno != ETIMEDOUT;
}

void futex_wake(std::atomic<std::uint32_t>& word, int count) {
  ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

void cpu_pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

timespec to_timespec(std::chrono::nanoseconds duration) {
  const std::int64_t ns = std::max<std::int64_t>(0, duration.count());
  return {.tv_sec = static_cast<time_t>(ns / 1'000'000'000), .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
}

// Spinning pays only where the holder can run at the same time.
bool has_several_cores() {
  static const bool several = ::sysconf(_SC_NPROCESSORS_ONLN) > 1;
  return several;
}

}  // namespace

// --- Mutex: the three-state futex lock of U. Drepper, "Futexes Are Tricky" (2011), section 6, after a short spin.

void Mutex::lock_slowly() {
  if (internal::on_fiber()) [[unlikely]]
    return thread_state.scheduler->lock(*this);
  if (internal::kCheckLocks) check_order();
  std::uint32_t free = 0;
  if (!state_.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed)) lock_contended();
  if (internal::kCheckLocks) note_acquired();
}

void Mutex::lock_contended() {
  constexpr int kSpins = 40;  // a few microseconds: about what a sleep and a wake-up cost
  std::uint32_t seen = state_.load(std::memory_order_relaxed);
  if (has_several_cores()) {
    for (int i = 0; i < kSpins && seen != 2; ++i) {
      if (seen == 0 && state_.compare_exchange_weak(seen, 1, std::memory_order_acquire, std::memory_order_relaxed))
        return;
      cpu_pause();
      seen = state_.load(std::memory_order_relaxed);
    }
  }
  // From here on we own the lock as "with sleepers", since we cannot know that we were the last one.
  while (state_.exchange(2, std::memory_order_acquire) != 0) futex_wait(state_, 2, nullptr);
}

void Mutex::unlock_slowly() {
  if (internal::on_fiber()) [[unlikely]]
    return thread_state.scheduler->unlock(*this);
  if (internal::kCheckLocks) note_released();
  if (state_.exchange(0, std::memory_order_release) == 2) wake_one();
}

void Mutex::wake_one() { futex_wake(state_, 1); }

bool Mutex::try_lock() {
  if (internal::on_fiber()) [[unlikely]]
    return thread_state.scheduler->try_lock(*this);
  if (internal::kCheckLocks) check_order();
  std::uint32_t free = 0;
  if (!state_.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed)) return false;
  if (internal::kCheckLocks) note_acquired();
  return true;
}

void Mutex::check_order() const {
  const internal::HeldLocks* held = thread_state.held;
  if (held == nullptr || held->count == 0) return;
  // Ranks rise strictly, so the newest of the held locks has the highest.
  const Mutex* newest = held->locks[held->count - 1];
  if (newest == this) internal::fatal("lock of rank %u is taken twice by one thread", static_cast<unsigned>(rank_));
  if (newest->rank_ >= rank_)
    internal::fatal("lock of rank %u is taken while one of rank %u is held: ranks must rise",
                    static_cast<unsigned>(rank_), static_cast<unsigned>(newest->rank_));
}

void Mutex::note_acquired() {
  internal::HeldLocks*& held = thread_state.held;
  if (held == nullptr) held = &internal::thread_held_locks;
  if (held->count == internal::HeldLocks::kMax) internal::fatal("a thread holds more than %u locks", held->count);
  held->locks[held->count++] = this;
  owner_.store(thread_slot() + 1, std::memory_order_relaxed);
}

void Mutex::note_released() {
  internal::HeldLocks* held = thread_state.held;
  if (held == nullptr || owner_.load(std::memory_order_relaxed) != thread_slot() + 1)
    internal::fatal("lock of rank %u is freed by a thread that does not hold it", static_cast<unsigned>(rank_));
  owner_.store(0, std::memory_order_relaxed);
  // Mostly the newest; any order of release is allowed.
  Mutex** end = held->locks + held->count;
  std::copy(std::find(held->locks, end, this) + 1, end, std::find(held->locks, end, this));
  --held->count;
}

void Mutex::assert_held() const {
  if (internal::kCheckLocks && owner_.load(std::memory_order_relaxed) != thread_slot() + 1)
    internal::fatal("lock of rank %u should be held here", static_cast<unsigned>(rank_));
}

// --- CondVar: a futex on a number that changes with every notification, so that none between unlock and sleep is lost.

void CondVar::wait(Mutex& mutex) {
  if (internal::on_fiber()) [[unlikely]] {
    thread_state.scheduler->wait(*this, mutex, nullptr);
    return;
  }
  waiters_.fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t before = sequence_.load(std::memory_order_relaxed);
  mutex.unlock();
  futex_wait(sequence_, before, nullptr);
  mutex.lock();
  waiters_.fetch_sub(1, std::memory_order_relaxed);
}

void CondVar::wait_and_leave(Mutex& mutex) {
  if (internal::on_fiber()) [[unlikely]] {
    thread_state.scheduler->wait(*this, mutex, nullptr);
    mutex.unlock();
    return;
  }
  waiters_.fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t before = sequence_.load(std::memory_order_relaxed);
  mutex.unlock();
  futex_wait(sequence_, before, nullptr);
  waiters_.fetch_sub(1, std::memory_order_relaxed);  // too high for a moment costs a notifier one call in vain
}

bool CondVar::wait_for(Mutex& mutex, std::chrono::nanoseconds timeout) {
  if (internal::on_fiber()) [[unlikely]]
    return thread_state.scheduler->wait(*this, mutex, &timeout);
  waiters_.fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t before = sequence_.load(std::memory_order_relaxed);
  mutex.unlock();
  const timespec relative = to_timespec(timeout);
  const bool in_time = futex_wait(sequence_, before, &relative);
  mutex.lock();
  waiters_.fetch_sub(1, std::memory_order_relaxed);
  return in_time || sequence_.load(std::memory_order_relaxed) != before;
}

// The waiter registers under its mutex. A notifier that changed the condition under that mutex sees it registered, or
// came before it looked at the condition: so the relaxed look at waiters_ cannot miss anyone who needs the call.
void CondVar::notify_one() {
  if (internal::on_fiber()) [[unlikely]]
    return thread_state.scheduler->notify(*this, /*all=*/false);
  if (waiters_.load(std::memory_order_relaxed) == 0) return;
  sequence_.fetch_add(1, std::memory_order_relaxed);
  futex_wake(sequence_, 1);
}

void CondVar::notify_all() {
  if (internal::on_fiber()) [[unlikely]]
    return thread_state.scheduler->notify(*this, /*all=*/true);
  if (waiters_.load(std::memory_order_relaxed) == 0) return;
  sequence_.fetch_add(1, std::memory_order_relaxed);
  futex_wake(sequence_, INT_MAX);
}

// --- Thread

struct Thread::Impl {
  std::thread thread;
  std::uint64_t world_id = 0, fiber = 0;  // set instead of `thread` when started from a fiber
};

Thread Thread::spawn(std::string name, std::function<void()> body) {
  Thread handle;
  if (FiberScheduler* world = FiberScheduler::current()) {
    const std::uint64_t fiber = world->spawn(std::move(name), std::move(body));
    if (fiber != 0) handle.impl_ = std::make_unique<Impl>(std::thread(), world->world_id(), fiber);
    return handle;
  }
  // The application's signals are for the application's threads.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    auto impl = std::make_unique<Impl>();
    impl->thread = std::thread([name = name.substr(0, 15), body = std::move(body)] {
      ::pthread_setname_np(::pthread_self(), name.c_str());
      body();
    });
    handle.impl_ = std::move(impl);
  } catch (const std::system_error&) {
    handle = Thread();  // no thread to give: the empty handle says so
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return handle;
}

Thread::Thread() noexcept = default;

Thread::Thread(Thread&& other) noexcept = default;

Thread& Thread::operator=(Thread&& other) noexcept {
  if (this != &other) {
    join();
    impl_ = std::move(other.impl_);
  }
  return *this;
}

Thread::~Thread() { join(); }

void Thread::join() {
  if (impl_ == nullptr) return;
  if (impl_->fiber == 0) {
    impl_->thread.join();
  } else if (FiberScheduler* world = FiberScheduler::current();
             world != nullptr && world->world_id() == impl_->world_id) {
    world->join(impl_->fiber);  // else its world has ended, and the fiber with it
  }
  impl_.reset();
}

// --- Waiting and time

void yield() {
  if (internal::on_fiber()) [[unlikely]]
    return thread_state.scheduler->yield();
  ::sched_yield();
}

void sleep_for(std::chrono::nanoseconds duration) {
  if (internal::on_fiber()) [[unlikely]]
    return thread_state.scheduler->sleep(duration);
  timespec remaining = to_timespec(duration);
  while (::nanosleep(&remaining, &remaining) != 0 && errno == EINTR) {}
}

void Backoff::wait_actively() {
  constexpr std::uint32_t kPauseRounds = 6;
  if (rounds_ < kPauseRounds && has_several_cores() && !internal::on_fiber()) {
    for (std::uint32_t i = 0; i < (1u << rounds_); ++i) cpu_pause();
  } else {
    yield();
  }
  ++rounds_;
}

void Backoff::pause() {
  constexpr std::uint32_t kRounds = 32;
  if (rounds_ < kRounds) {
    wait_actively();
  } else {
    sleep_for(std::chrono::microseconds(50));
  }
}

bool Backoff::spin() {
  constexpr std::uint32_t kRounds = 8;  // 3 us of pauses, and two turns for others
  if (rounds_ >= kRounds) return false;
  wait_actively();
  return true;
}

std::uint64_t monotonic_now_ns() {
  if (internal::on_fiber()) [[unlikely]]
    return thread_state.scheduler->now_ns();
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace lightning::base
