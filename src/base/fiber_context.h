// A stack and where it stopped: the machinery below FiberScheduler.
//
// Switching is a dozen instructions of assembly on x86-64 and aarch64 (ucontext elsewhere, which costs a system call
// each way), and tells AddressSanitizer and ThreadSanitizer what it does.
#pragma once

#include <cstddef>

// LIGHTNING_FIBER_UCONTEXT asks for the portable way where the fast one would do.
#if !defined(__x86_64__) && !defined(__aarch64__) && !defined(LIGHTNING_FIBER_UCONTEXT)
#define LIGHTNING_FIBER_UCONTEXT 1
#endif
#ifdef LIGHTNING_FIBER_UCONTEXT
#include <ucontext.h>
#endif

namespace lightning::base {

// Threads: all contexts that switch among each other belong to one operating-system thread.
class FiberContext {
 public:
  // The calling thread itself: a place to switch from and to come back to.
  FiberContext();
  // A new fiber that runs entry(argument) when first switched to, on a stack of the calling thread's pool.
  // `entry` must not return: its last act is switch_to() with `ends`. Aborts if there is no memory for a stack.
  FiberContext(void (*entry)(void*), void* argument);
  // Gives the stack back to the pool of the calling thread. What lies on it is forgotten, no destructor runs.
  ~FiberContext();
  FiberContext(const FiberContext&) = delete;
  FiberContext& operator=(const FiberContext&) = delete;

  // Continues `to` where it stopped; returns when somebody switches back. `ends`: nobody will.
  void switch_to(FiberContext& to, bool ends = false);

 private:
  static void start(void* self);
  static void arrived();  // first thing after a switch, on the new stack

  void* stack_pointer_ = nullptr;
  char* stack_ = nullptr;  // lowest usable byte; null for the thread itself
  unsigned stack_uses_ = 0;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  // The C++ runtime's record of exceptions being handled, per thread, which a switch inside a catch block must not mix.
  void* caught_exceptions_ = nullptr;
  unsigned uncaught_exceptions_ = 0;
  // Sanitizers: ThreadSanitizer's fiber; AddressSanitizer's fake stack and bounds of the real one.
  void* tsan_fiber_ = nullptr;
  void* asan_fake_stack_ = nullptr;
  const void* asan_bottom_ = nullptr;
  std::size_t asan_bytes_ = 0;
#ifdef LIGHTNING_FIBER_UCONTEXT
  ucontext_t ucontext_;
#endif
};

}  // namespace lightning::base
