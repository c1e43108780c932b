#include "base/fiber.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <utility>

#include "base/fiber_context.h"

#if defined(__SANITIZE_ADDRESS__)
#define LIGHTNING_LSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LIGHTNING_LSAN 1
#endif
#endif
#ifdef LIGHTNING_LSAN
#include <sanitizer/lsan_interface.h>
#endif

namespace lightning::base {

namespace {

// SplitMix64 (Steele, Lea, Flood 2014).
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::uint64_t new_world_id() {
  static std::atomic<std::uint64_t> ids{0};
  return ids.fetch_add(1, std::memory_order_relaxed) + 1;
}

// What abandoned fibers own is lost by design; LeakSanitizer is not to count what is allocated meanwhile.
struct LeaksAllowed {
#ifdef LIGHTNING_LSAN
  LeaksAllowed() { __lsan_disable(); }
  ~LeaksAllowed() { __lsan_enable(); }
#else
  LeaksAllowed() = default;
#endif
};

}  // namespace

struct FiberScheduler::Fiber {
  Fiber(FiberScheduler& scheduler, std::string fiber_name) : world(scheduler), name(std::move(fiber_name)) {}

  FiberScheduler& world;
  const std::string name;
  std::uint64_t number = 0;  // in the order of creation: stands for the fiber in the trace
  std::uint32_t slot = 0;
  std::uint32_t runnable_index = 0;
  const std::function<void()>* body = nullptr;
  bool owns_body = false;
  bool timed_out = false;
  Waiting waiting = Waiting::kNot;
  const void* what = nullptr;  // that it waits for: a Mutex, CondVar or Fiber
  std::uint64_t wake_at_ns = kNever;
  std::int64_t priority = 0;
  internal::HeldLocks held;
  FiberContext context{&FiberScheduler::fiber_main, this};
};

FiberScheduler::FiberScheduler(std::uint64_t seed, Options options)
    : seed_(seed),
      options_(options),
      world_id_(new_world_id()),
      strategy_(options.strategy),
      choice_state_(seed),
      device_state_(~seed),
      now_ns_(options.start_ns) {
  if (strategy_ == Strategy::kFromSeed) {
    static constexpr Strategy kMix[] = {Strategy::kUniform, Strategy::kUniform, Strategy::kPriority,
                                        Strategy::kStarveOne};
    strategy_ = kMix[draw_below(4)];
  }
  static constexpr std::uint64_t kStay[] = {0, kNever / 2, kNever / 16 * 15};
  stay_below_ = kStay[draw_below(3)];
  // A few priority drops over the first steps of a run whose length nobody knows: 2^2 to 2^20.
  const std::uint64_t span = std::uint64_t{1} << (2 + draw_below(19));
  for (std::uint64_t drops = 1 + draw_below(5); drops > 0; --drops) change_steps_.push_back(draw_below(span));
  std::ranges::sort(change_steps_, std::greater<>());
}

FiberScheduler::~FiberScheduler() = default;

std::uint64_t FiberScheduler::random() { return next_random(device_state_); }

inline std::uint64_t FiberScheduler::draw() { return next_random(choice_state_); }

inline std::uint64_t FiberScheduler::draw_below(std::uint64_t end) {
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(draw()) * end) >> 64);
}

// --- Life of a world

WorldEnd FiberScheduler::run(const std::function<void()>& main) {
  if (internal::on_fiber()) internal::fatal("a simulated world cannot be started from inside one");
  [[maybe_unused]] const LeaksAllowed leaks_allowed;
  const internal::ThreadState thread = internal::thread_state;
  outside_ = std::make_unique<FiberContext>();
  report_.clear();
  steps_end_ = steps_ + options_.steps_max;
  current_ = create("main", &main, /*owns_body=*/false);
  internal::thread_state = {this, current_->slot, &current_->held};
  outside_->switch_to(current_->context);
  internal::thread_state = thread;
  current_ = nullptr;
  ended_.reset();
  abandon_fibers();
  return end_;
}

void FiberScheduler::kill_world() { end_world(WorldEnd::kKilled); }

void FiberScheduler::end_world(WorldEnd end) {
  end_ = end;
  if (end == WorldEnd::kDeadlock || end == WorldEnd::kStepLimit) report_ = describe();
  current_->context.switch_to(*outside_);
  internal::fatal("a fiber runs after the end of its world");
}

// Takes back the stacks and frees the locks; what the fibers owned is lost.
void FiberScheduler::abandon_fibers() {
  for (const auto& fiber : fibers_) {
    if (fiber == nullptr) continue;
    for (std::uint32_t i = 0; i < fiber->held.count; ++i) {
      fiber->held.locks[i]->owner_.store(0, std::memory_order_relaxed);
      fiber->held.locks[i]->state_.store(0, std::memory_order_release);
    }
  }
  fibers_.clear();
  runnable_.clear();
  live_ = 0;
  earliest_wake_ns_ = kNever;
}

// Null if there are too many.
FiberScheduler::Fiber* FiberScheduler::create(std::string name, const std::function<void()>* body, bool owns_body) {
  const auto free_slot = std::find(fibers_.begin(), fibers_.end(), nullptr);
  const auto slot = static_cast<std::uint32_t>(free_slot - fibers_.begin());
  if (slot == kFibersMax) return nullptr;
  if (free_slot == fibers_.end()) fibers_.emplace_back();
  internal::note_thread_slots(slot + 1);
  fibers_[slot] = std::make_unique<Fiber>(*this, std::move(name));
  Fiber& fiber = *fibers_[slot];
  fiber.number = ++numbers_;
  fiber.slot = slot;
  fiber.body = body;
  fiber.owns_body = owns_body;
  fiber.priority = static_cast<std::int64_t>(draw() >> 32);
  ++live_;
  make_runnable(fiber);
  return &fiber;
}

void FiberScheduler::fiber_main(void* argument) {
  Fiber& fiber = *static_cast<Fiber*>(argument);
  FiberScheduler& world = fiber.world;
  world.ended_.reset();
  (*fiber.body)();
  if (fiber.owns_body) delete fiber.body;
  if (fiber.held.count != 0)
    internal::fatal("thread '%s' ended while it held a lock of rank %u", fiber.name.c_str(),
                    static_cast<unsigned>(fiber.held.locks[0]->rank()));
  world.wake(Waiting::kJoin, &fiber, /*all=*/true);
  world.remove_runnable(fiber);
  world.ended_ = std::move(world.fibers_[fiber.slot]);
  if (--world.live_ == 0) {
    world.end_ = WorldEnd::kFinished;
    fiber.context.switch_to(*world.outside_, /*ends=*/true);
  } else {
    world.pass_on(/*ends=*/true);
  }
}

FiberScheduler::Fiber* FiberScheduler::find(std::uint64_t number) const {
  for (const auto& fiber : fibers_)
    if (fiber != nullptr && fiber->number == number) return fiber.get();
  return nullptr;
}

std::uint64_t FiberScheduler::spawn(std::string name, std::function<void()> body) {
  const auto* kept = new std::function<void()>(std::move(body));  // an abandoned fiber never deletes it
  const Fiber* fiber = create(std::move(name), kept, /*owns_body=*/true);
  if (fiber == nullptr) {
    delete kept;
    return 0;
  }
  const std::uint64_t number = fiber->number;
  point();
  return number;
}

void FiberScheduler::join(std::uint64_t number) {
  point();
  if (const Fiber* fiber = find(number)) block(Waiting::kJoin, fiber, kNever);
}

// --- Who runs next

inline void FiberScheduler::begin_step() {
  now_ns_ += options_.step_ns;
  if (++steps_ > steps_end_) [[unlikely]]
    end_world(WorldEnd::kStepLimit);
  if (now_ns_ >= earliest_wake_ns_) [[unlikely]]
    wake_due();
}

void FiberScheduler::step(bool yielding) {
  begin_step();
  Fiber* next = runnable_.size() == 1 ? current_ : choose(yielding);
  note(next->number);
  if (next != current_) pass_to(next);
}

void FiberScheduler::pass_on(bool ends) {
  begin_step();
  while (runnable_.empty()) {
    if (earliest_wake_ns_ == kNever) end_world(WorldEnd::kDeadlock);
    now_ns_ = std::max(now_ns_, earliest_wake_ns_);
    wake_due();
  }
  Fiber* next = runnable_.size() == 1 ? runnable_.front() : choose(/*yielding=*/true);
  note(next->number);
  if (next != current_) pass_to(next, ends);
}

inline void FiberScheduler::pass_to(Fiber* next, bool ends) {
  Fiber* self = current_;
  current_ = next;
  run_length_ = 0;
  internal::thread_state.slot = next->slot;
  internal::thread_state.held = &next->held;
  self->context.switch_to(next->context, ends);
  if (ended_ != nullptr) ended_.reset();
}

inline FiberScheduler::Fiber* FiberScheduler::choose(bool yielding) {
  if (strategy_ == Strategy::kPriority) return choose_by_priority(yielding);
  if (strategy_ == Strategy::kStarveOne) return choose_starving();
  if (!yielding && stay_below_ != 0 && draw() < stay_below_) return current_;
  std::size_t index = draw_below(runnable_.size());
  if (yielding && runnable_[index] == current_) index = (index + 1) % runnable_.size();
  return runnable_[index];
}

FiberScheduler::Fiber* FiberScheduler::choose_by_priority(bool yielding) {
  // Whoever waits in a loop, or is not interrupted for very long, must let the others get on: without this, plain
  // progress would look like a livelock.
  constexpr std::uint64_t kRunLengthMax = 1'000;
  bool lower = yielding || ++run_length_ > kRunLengthMax;
  while (!change_steps_.empty() && steps_ >= change_steps_.back()) {
    change_steps_.pop_back();
    lower = true;
  }
  if (lower) current_->priority = --lowest_priority_;
  return *std::ranges::max_element(runnable_, {}, &Fiber::priority);
}

FiberScheduler::Fiber* FiberScheduler::choose_starving() {
  if (steps_ >= victim_until_) {
    victim_ = runnable_[draw_below(runnable_.size())]->number;
    victim_until_ = steps_ + (std::uint64_t{1} << (2 + draw_below(12)));
  }
  std::size_t index = draw_below(runnable_.size());
  if (runnable_[index]->number == victim_) index = (index + 1) % runnable_.size();
  return runnable_[index];
}

inline void FiberScheduler::make_runnable(Fiber& fiber) {
  fiber.waiting = Waiting::kNot;
  fiber.what = nullptr;
  fiber.wake_at_ns = kNever;
  fiber.runnable_index = static_cast<std::uint32_t>(runnable_.size());
  runnable_.push_back(&fiber);
}

inline void FiberScheduler::remove_runnable(Fiber& fiber) {
  runnable_.back()->runnable_index = fiber.runnable_index;
  runnable_[fiber.runnable_index] = runnable_.back();
  runnable_.pop_back();
}

void FiberScheduler::block(Waiting why, const void* what, std::uint64_t wake_at_ns) {
  Fiber& fiber = *current_;
  remove_runnable(fiber);
  fiber.waiting = why;
  fiber.what = what;
  fiber.wake_at_ns = wake_at_ns;
  fiber.timed_out = false;
  earliest_wake_ns_ = std::min(earliest_wake_ns_, wake_at_ns);
  pass_on();
}

// Fibers are few: a walk over all of them costs less than keeping a queue per lock.
void FiberScheduler::wake(Waiting why, const void* what, bool all) {
  const auto waits = [&](const auto& fiber) {
    return fiber != nullptr && fiber->waiting == why && fiber->what == what;
  };
  if (all) {
    for (const auto& fiber : fibers_)
      if (waits(fiber)) make_runnable(*fiber);
    return;
  }
  const auto waiting = static_cast<std::uint64_t>(std::ranges::count_if(fibers_, waits));
  if (waiting == 0) return;
  std::uint64_t skip = draw_below(waiting);
  for (const auto& fiber : fibers_)
    if (waits(fiber) && skip-- == 0) return make_runnable(*fiber);
}

void FiberScheduler::wake_due() {
  earliest_wake_ns_ = kNever;
  for (const auto& fiber : fibers_) {
    if (fiber == nullptr || fiber->wake_at_ns == kNever) continue;
    if (fiber->wake_at_ns <= now_ns_) {
      fiber->timed_out = true;
      make_runnable(*fiber);
    } else {
      earliest_wake_ns_ = std::min(earliest_wake_ns_, fiber->wake_at_ns);
    }
  }
}

std::uint64_t FiberScheduler::deadline(std::chrono::nanoseconds timeout) const {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(0, timeout.count()));
  return ns < kNever - 1 - now_ns_ ? now_ns_ + ns : kNever - 1;
}

void FiberScheduler::sleep(std::chrono::nanoseconds duration) {
  if (duration.count() <= 0) return yield();
  block(Waiting::kSleep, nullptr, deadline(duration));
}

// --- Locks: Mutex::state_ is as outside, 2 meaning that fibers wait. Owners are always noted here, for describe().

void FiberScheduler::lock(Mutex& mutex) {
  if (internal::kCheckLocks) mutex.check_order();
  point();
  acquire(mutex);
}

bool FiberScheduler::try_lock(Mutex& mutex) {
  if (internal::kCheckLocks) mutex.check_order();
  point();
  if (mutex.state_.load(std::memory_order_relaxed) != 0) return false;
  acquire(mutex);
  return true;
}

void FiberScheduler::unlock(Mutex& mutex) {
  release(mutex);
  point();
}

void FiberScheduler::acquire(Mutex& mutex) {
  while (mutex.state_.load(std::memory_order_acquire) != 0) {
    mutex.state_.store(2, std::memory_order_relaxed);
    block(Waiting::kMutex, &mutex, kNever);
  }
  mutex.state_.store(1, std::memory_order_relaxed);
  mutex.note_acquired();
}

void FiberScheduler::release(Mutex& mutex) {
  mutex.note_released();
  if (mutex.state_.exchange(0, std::memory_order_release) == 2) wake(Waiting::kMutex, &mutex, /*all=*/true);
}

bool FiberScheduler::wait(CondVar& condition, Mutex& mutex, const std::chrono::nanoseconds* timeout) {
  constexpr std::uint64_t kWaitsPerSpuriousWakeup = 32;
  bool notified = true;
  const std::uint64_t until = timeout == nullptr ? kNever : deadline(*timeout);
  release(mutex);
  if (options_.spurious_wakeups && draw_below(kWaitsPerSpuriousWakeup) == 0) {
    yield();
  } else {
    condition.waiters_.fetch_add(1, std::memory_order_relaxed);
    block(Waiting::kCondition, &condition, until);
    condition.waiters_.fetch_sub(1, std::memory_order_relaxed);
    notified = !current_->timed_out;
  }
  if (internal::kCheckLocks) mutex.check_order();
  acquire(mutex);
  return notified;
}

void FiberScheduler::notify(CondVar& condition, bool all) {
  if (condition.waiters_.load(std::memory_order_relaxed) != 0) wake(Waiting::kCondition, &condition, all);
  point();
}

// --- Telling what went wrong

std::string FiberScheduler::describe() const {
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  const auto rank = [](const Mutex& mutex) { return std::to_string(static_cast<unsigned>(mutex.rank())); };
  const auto title = [&](const Fiber& fiber) { return "fiber " + number(fiber.number) + " '" + fiber.name + "'"; };
  const auto holder_of = [&](const Mutex& mutex) -> std::string {
    for (const auto& fiber : fibers_)
      if (fiber != nullptr)
        for (std::uint32_t i = 0; i < fiber->held.count; ++i)
          if (fiber->held.locks[i] == &mutex) return title(*fiber);
    return "no fiber of this world";
  };
  const auto waits_for = [&](const Fiber& fiber) -> std::string {
    switch (fiber.waiting) {
      case Waiting::kNot:
        return "could run";
      case Waiting::kSleep:
        return "sleeps";
      case Waiting::kCondition:
        return "waits for a condition variable";
      case Waiting::kJoin:
        return "waits for the end of " + title(*static_cast<const Fiber*>(fiber.what));
      case Waiting::kMutex:
        break;
    }
    const auto& mutex = *static_cast<const Mutex*>(fiber.what);
    return "waits for a lock of rank " + rank(mutex) + " held by " + holder_of(mutex);
  };

  std::string text = "seed " + number(seed_) + ", step " + number(steps_) + ", time " + number(now_ns_) + " ns:\n";
  for (const auto& fiber : fibers_) {
    if (fiber == nullptr) continue;
    text += "  " + title(*fiber) + " " + waits_for(*fiber);
    if (fiber->wake_at_ns != kNever) text += " until " + number(fiber->wake_at_ns) + " ns";
    for (std::uint32_t i = 0; i < fiber->held.count; ++i)
      text += (i == 0 ? "; holds locks of rank " : ", ") + rank(*fiber->held.locks[i]);
    text += '\n';
  }
  return text;
}

}  // namespace lightning::base
