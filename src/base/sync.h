// Threads, locks and waiting: the one place the engine gets them from.
//
// Every primitive has two faces behind one name. On an ordinary thread it is the operating system's. On a fiber of a
// base::FiberScheduler (fiber.h) it is a scheduling point of a deterministic simulation: one operating-system thread,
// a seeded choice of who runs next, virtual time. Which face is decided per call by a thread-local pointer, so the same
// compiled engine runs in both worlds; in production that costs one predicted branch.
//
// Code outside base/ and env/ may use std::atomic freely, and nothing else of <thread>, <mutex>, <condition_variable>,
// <chrono> clocks or thread_local: a lint fails the build on it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/thread_annotations.h"

namespace lightning::base {

// The order in which a thread may take locks: strictly rising. docs/locking.md has a row for each lock: tools/lint sees
// to it. Debug and test builds abort on any acquisition out of order, naming both locks.
enum class LockRank : std::uint8_t {
  kIndexes = 9,          // making and dropping indexes
  kSessions = 10,        // sessions of a pool
  kTransactions = 11,    // active transactions
  kLockGraph = 12,       // who waits for whose lock
  kLockTable = 13,       // locks of transactions
  kRangeIntents = 14,    // ranges that commits rely on
  kJobs = 15,            // compaction and flush bookkeeping
  kKeyspaces = 20,       // the list of keyspaces
  kCompaction = 25,      // which tables are being compacted
  kBallast = 27,         // whether space is held in reserve
  kManifest = 30,        // current version, file numbers, manifest file
  kMemTableSwitch = 40,  // sealing a memtable
  kTreeView = 45,        // a tree's current read view
  kWalSync = 50,         // who syncs the log
  kWalReserve = 60,      // next log position
  kSnapshots = 65,       // live snapshots
  kTableFiles = 70,      // which table files are open
  kCacheList = 75,       // replacement lists of the block cache
  kEpoch = 80,           // retired objects
  kExecutor = 85,        // job queues
  kRateLimiter = 86,
  kMemory = 88,  // arenas and block allocator
  kLeaf = 100,   // never calls anything while held
};

class FiberScheduler;
class Mutex;

namespace internal {

// The locks that a thread or fiber holds, oldest first; kept in checking builds, and always on fibers.
struct HeldLocks {
  static constexpr std::uint32_t kMax = 24;
  Mutex* locks[kMax] = {};
  std::uint32_t count = 0;
};

// What runs on this operating-system thread. FiberScheduler rewrites it at each switch.
struct ThreadState {
  static constexpr std::uint32_t kNoSlot = ~0u;
  FiberScheduler* scheduler = nullptr;  // set while a fiber runs: the two faces part here
  std::uint32_t slot = kNoSlot;
  HeldLocks* held = nullptr;  // null until the first lock
};
extern constinit thread_local ThreadState thread_state;

inline bool on_fiber() { return thread_state.scheduler != nullptr; }
void fiber_scheduling_point();
std::uint32_t take_thread_slot();
// One more than the highest slot ever given out: how far a scan of all slots must look.
std::uint32_t thread_slots_end();
// Raises thread_slots_end() to `end`.
void note_thread_slots(std::uint32_t end);
// Prints and aborts: for violated rules of this file, never for anything that input, disk or load can cause.
[[noreturn]] void fatal(const char* format, ...) __attribute__((format(printf, 1, 2)));

#ifdef LIGHTNING_CHECK_LOCKS
inline constexpr bool kCheckLocks = true;
#else
inline constexpr bool kCheckLocks = false;
#endif

}  // namespace internal

// A mutual exclusion lock. Not recursive. Adaptive: spins briefly, then sleeps.
class LIGHTNING_CAPABILITY("mutex") Mutex {
 public:
  explicit Mutex(LockRank rank) : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() LIGHTNING_ACQUIRE() {
    if (!internal::kCheckLocks && !internal::on_fiber()) [[likely]] {
      std::uint32_t free = 0;
      if (state_.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed)) [[likely]]
        return;
    }
    lock_slowly();
  }
  void unlock() LIGHTNING_RELEASE() {
    if (!internal::kCheckLocks && !internal::on_fiber()) [[likely]] {
      if (state_.exchange(0, std::memory_order_release) == 2) [[unlikely]]
        wake_one();
      return;
    }
    unlock_slowly();
  }
  bool try_lock() LIGHTNING_TRY_ACQUIRE(true);
  LockRank rank() const { return rank_; }
  // Debug builds: aborts unless the calling thread holds this lock.
  void assert_held() const LIGHTNING_ASSERT_CAPABILITY(this);

 private:
  friend class CondVar;
  friend class FiberScheduler;
  void lock_slowly();
  void unlock_slowly();
  void lock_contended();
  void wake_one();
  void check_order() const;  // aborts if the caller may not take this lock now
  void note_acquired();
  void note_released();

  std::atomic<std::uint32_t> state_{0};  // 0 free, 1 held, 2 held with sleepers (futex protocol; Drepper 2011)
  const LockRank rank_;
  std::atomic<std::uint32_t> owner_{0};  // thread_slot() + 1, kept in debug builds
};

class LIGHTNING_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) LIGHTNING_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() LIGHTNING_RELEASE() {
    if (held_) mutex_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  // For the rare function that must let go in the middle (I/O, calling back).
  void unlock() LIGHTNING_RELEASE() {
    held_ = false;
    mutex_.unlock();
  }
  void lock() LIGHTNING_ACQUIRE() {
    mutex_.lock();
    held_ = true;
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

// A condition variable bound to no mutex. Spurious wake-ups happen: always wait in a loop.
class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  void wait(Mutex& mutex) LIGHTNING_REQUIRES(mutex);
  // As wait(), but returns without the mutex: for those who find what they waited for in an atomic, so that many who
  // are woken at once need not queue up for the lock.
  void wait_and_leave(Mutex& mutex) LIGHTNING_RELEASE(mutex);
  // False if `timeout` passed without a notification.
  bool wait_for(Mutex& mutex, std::chrono::nanoseconds timeout) LIGHTNING_REQUIRES(mutex);
  void notify_one();
  void notify_all();

 private:
  friend class FiberScheduler;
  std::atomic<std::uint32_t> sequence_{0};  // futex word: changes with every notification
  std::atomic<std::uint32_t> waiters_{0};
};

// A joinable thread (or fiber, when started from a fiber). The destructor joins.
class Thread {
 public:
  Thread() noexcept;
  // `name`: at most 15 bytes are shown by the operating system. Fails (empty handle, joinable() false) if the system
  // has no thread to give.
  static Thread spawn(std::string name, std::function<void()> body);
  Thread(Thread&&) noexcept;
  Thread& operator=(Thread&&) noexcept;
  ~Thread();
  bool joinable() const { return impl_ != nullptr; }
  void join();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Small dense number of the calling thread or fiber, unique among the live ones, reused after its end: the index of
// per-thread slots (epochs, statistics; per_thread.h). The near ones lie closest at hand. More than the maximum cannot
// live at once: it is the most that Linux gives to a whole machine (PID_MAX_LIMIT).
inline constexpr std::uint32_t kThreadSlotsNear = 1024;
inline constexpr std::uint32_t kThreadSlotsMax = 1u << 22;
inline std::uint32_t thread_slot() {
  const std::uint32_t slot = internal::thread_state.slot;
  return slot != internal::ThreadState::kNoSlot ? slot : internal::take_thread_slot();
}

// Lets another thread run. In loops that wait for another thread's few instructions use Backoff.
void yield();
void sleep_for(std::chrono::nanoseconds duration);

// True on a fiber of a simulation.
inline bool in_simulation() { return internal::on_fiber(); }

// A place where a simulation may let another fiber go on: for simulated devices, at each operation. Else nothing.
inline void scheduling_point() {
  if (internal::on_fiber()) [[unlikely]]
    internal::fiber_scheduling_point();
}

// Waiting for something another thread is about to do: pause instructions first, then yield, then sleep 50 us at a
// time.
class Backoff {
 public:
  void pause();
  // Waits actively, a little longer each time. False (at once) when it has been long enough for a sleep to cost less.
  bool spin();

 private:
  void wait_actively();
  std::uint32_t rounds_ = 0;
};

// Monotonic and wall time of the calling thread's world (operating system, or virtual time on a fiber), nanoseconds.
// Engine code takes time from env::Clock; these are for base/ itself and for env's implementations.
std::uint64_t monotonic_now_ns();

}  // namespace lightning::base
