#include "base/fiber_context.h"

#include <cxxabi.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "base/sync.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LIGHTNING_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define LIGHTNING_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define LIGHTNING_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define LIGHTNING_TSAN 1
#endif
#ifdef LIGHTNING_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef LIGHTNING_TSAN
#include <sanitizer/tsan_interface.h>
#endif

// lightning_fiber_switch(void** save_stack_pointer, void* stack_pointer) keeps what the calling conventions promise a
// caller to keep. Floating-point modes are left out: nothing in the engine changes them.
#if defined(LIGHTNING_FIBER_UCONTEXT)
#elif defined(__x86_64__)
asm(R"(
.text
.p2align 4
.globl lightning_fiber_switch
.hidden lightning_fiber_switch
.type lightning_fiber_switch,@function
lightning_fiber_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size lightning_fiber_switch,.-lightning_fiber_switch
.globl lightning_fiber_start
.hidden lightning_fiber_start
.type lightning_fiber_start,@function
lightning_fiber_start:
  .cfi_startproc
  .cfi_undefined rip
  movq %r12, %rdi
  callq *%r13
  ud2
  .cfi_endproc
.size lightning_fiber_start,.-lightning_fiber_start
)");
#elif defined(__aarch64__)
asm(R"(
.text
.p2align 4
.globl lightning_fiber_switch
.hidden lightning_fiber_switch
.type lightning_fiber_switch,%function
lightning_fiber_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size lightning_fiber_switch,.-lightning_fiber_switch
.globl lightning_fiber_start
.hidden lightning_fiber_start
.type lightning_fiber_start,%function
lightning_fiber_start:
  mov x0, x19
  blr x20
  brk #1
.size lightning_fiber_start,.-lightning_fiber_start
)");
#endif
#ifndef LIGHTNING_FIBER_UCONTEXT
extern "C" void lightning_fiber_switch(void** save_stack_pointer, void* stack_pointer);
extern "C" void lightning_fiber_start();
#endif

namespace lightning::base {

namespace {

#if defined(LIGHTNING_ASAN) || defined(LIGHTNING_TSAN)
constexpr std::size_t kStackBytes = 1024 * 1024;  // instrumented frames are several times as large
#else
constexpr std::size_t kStackBytes = 256 * 1024;
#endif

// Stacks that ended fibers left, for the next ones. Each has an unmapped page below it.
class StackPool {
 public:
  struct Stack {
    char* bytes = nullptr;  // lowest usable one
    void* tsan_fiber = nullptr;
    unsigned uses = 0;
  };

  ~StackPool() {
    for (Stack& stack : free_) {
      forget_tsan_fiber(stack);
      ::munmap(stack.bytes - guard_bytes_, guard_bytes_ + kStackBytes);
    }
  }

  Stack take() {
    Stack stack;
    if (free_.empty()) {
      void* base = ::mmap(nullptr, guard_bytes_ + kStackBytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
      if (base == MAP_FAILED || ::mprotect(base, guard_bytes_, PROT_NONE) != 0)
        internal::fatal("no memory for the stack of a simulated thread");
      stack.bytes = static_cast<char*>(base) + guard_bytes_;
    } else {
      stack = free_.back();
      free_.pop_back();
    }
    ++stack.uses;
#ifdef LIGHTNING_TSAN
    if (::getpid() != process_) {  // after a fork ThreadSanitizer knows nothing of its parent's other fibers
      process_ = ::getpid();
      stack.tsan_fiber = nullptr;
      for (Stack& other : free_) other.tsan_fiber = nullptr;
    }
    if (stack.tsan_fiber == nullptr) stack.tsan_fiber = __tsan_create_fiber(0);
#endif
    return stack;
  }

  void give(Stack stack) {
    // ThreadSanitizer's fibers are dear, so they are used again; but each use leaves the calls that never returned on
    // their record of calls, which has room for 65,536.
    if (stack.uses % 200 == 0) forget_tsan_fiber(stack);
    free_.push_back(stack);
  }

 private:
  static void forget_tsan_fiber([[maybe_unused]] Stack& stack) {
#ifdef LIGHTNING_TSAN
    if (stack.tsan_fiber != nullptr) __tsan_destroy_fiber(stack.tsan_fiber);
    stack.tsan_fiber = nullptr;
#endif
  }

  const std::size_t guard_bytes_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<Stack> free_;
#ifdef LIGHTNING_TSAN
  pid_t process_ = ::getpid();
#endif
};

thread_local StackPool stack_pool;

// Who was left by the latest switch of this thread, and who runs.
constinit thread_local FiberContext* left = nullptr;
constinit thread_local FiberContext* running = nullptr;

// What <cxxabi.h> keeps opaque; its layout is part of the Itanium C++ ABI, section 2.2.2.
struct ExceptionGlobals {
  void* caught;
  unsigned uncaught;
};
ExceptionGlobals& exception_globals() { return *reinterpret_cast<ExceptionGlobals*>(abi::__cxa_get_globals()); }

}  // namespace

FiberContext::FiberContext() {
#ifdef LIGHTNING_TSAN
  tsan_fiber_ = __tsan_get_current_fiber();
#endif
}

FiberContext::FiberContext(void (*entry)(void*), void* argument) : entry_(entry), argument_(argument) {
  const StackPool::Stack stack = stack_pool.take();
  stack_ = stack.bytes;
  stack_uses_ = stack.uses;
  tsan_fiber_ = stack.tsan_fiber;
#ifdef LIGHTNING_ASAN
  __asan_unpoison_memory_region(stack_, kStackBytes);  // an abandoned fiber left its red zones
  asan_bottom_ = stack_;
  asan_bytes_ = kStackBytes;
#endif
  [[maybe_unused]] auto* top = reinterpret_cast<std::uintptr_t*>(stack_ + kStackBytes);
#if defined(LIGHTNING_FIBER_UCONTEXT)
  ::getcontext(&ucontext_);
  ucontext_.uc_stack.ss_sp = stack_;
  ucontext_.uc_stack.ss_size = kStackBytes;
  ucontext_.uc_link = nullptr;
  ::makecontext(&ucontext_, +[] { start(running); }, 0);
#elif defined(__x86_64__)
  // The six saved registers (r15 lowest, r13 and r12 hold what lightning_fiber_start calls), its address, and padding
  // that leaves the stack aligned as calls want it.
  std::uintptr_t* frame = top - 9;
  frame[2] = reinterpret_cast<std::uintptr_t>(&start);
  frame[3] = reinterpret_cast<std::uintptr_t>(this);
  frame[5] = 0;  // rbp: the end of the chain of frames
  frame[6] = reinterpret_cast<std::uintptr_t>(&lightning_fiber_start);
  stack_pointer_ = frame;
#elif defined(__aarch64__)
  std::uintptr_t* frame = top - 20;
  frame[0] = reinterpret_cast<std::uintptr_t>(this);
  frame[1] = reinterpret_cast<std::uintptr_t>(&start);
  frame[10] = 0;
  frame[11] = reinterpret_cast<std::uintptr_t>(&lightning_fiber_start);
  stack_pointer_ = frame;
#endif
}

FiberContext::~FiberContext() {
  if (stack_ != nullptr) stack_pool.give({stack_, tsan_fiber_, stack_uses_});
}

void FiberContext::start(void* self) {
  arrived();
  auto* context = static_cast<FiberContext*>(self);
  context->entry_(context->argument_);
  internal::fatal("a fiber's entry returned");
}

void FiberContext::arrived() {
#ifdef LIGHTNING_ASAN
  // Tells whom we left where its stack lies: how the bounds of the thread's own stack become known.
  __sanitizer_finish_switch_fiber(running->asan_fake_stack_, &left->asan_bottom_, &left->asan_bytes_);
#endif
}

void FiberContext::switch_to(FiberContext& to, [[maybe_unused]] bool ends) {
  ExceptionGlobals& exceptions = exception_globals();
  caught_exceptions_ = exceptions.caught;
  uncaught_exceptions_ = exceptions.uncaught;
  exceptions = {to.caught_exceptions_, to.uncaught_exceptions_};
  left = this;
  running = &to;
#ifdef LIGHTNING_TSAN
  __tsan_switch_to_fiber(to.tsan_fiber_, 0);
#endif
#ifdef LIGHTNING_ASAN
  __sanitizer_start_switch_fiber(ends ? nullptr : &asan_fake_stack_, to.asan_bottom_, to.asan_bytes_);
#endif
#ifdef LIGHTNING_FIBER_UCONTEXT
  ::swapcontext(&ucontext_, &to.ucontext_);
#else
  lightning_fiber_switch(&stack_pointer_, to.stack_pointer_);
#endif
  arrived();
}

}  // namespace lightning::base
