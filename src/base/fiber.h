// A deterministic world: threads as fibers of one operating-system thread, chance from a seed, time that is only
// counted.
//
//   base::FiberScheduler world(seed);
//   const auto end = world.run([] {
//     auto other = base::Thread::spawn("other", [] { ... });   // a fiber, since we are on one
//     ...
//   });
//   EXPECT_EQ(end, base::WorldEnd::kFinished) << world.report();
//
// Everything of base/sync.h works inside: each call there, and scheduling_point(), is a place where the seed may let
// another fiber go on. The same seed and the same program give the same run, which trace_hash() proves. Between two
// such places a fiber runs undisturbed, so a data race is found only where a scheduling point falls into it.
//
// Time stands still while fibers run (but for options.step_ns at each step) and leaps to the next timer when all wait.
//
// Limits: a fiber must not wait for anything outside its world. Objects may outlive a world if no fiber is inside them:
// locks that fibers held when the world ended otherwise than kFinished are free afterwards.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/sync.h"

namespace lightning::base {

class FiberContext;

inline constexpr std::uint32_t kFibersMax = 1024;  // in one world; one more is a thread that the system does not give

enum class WorldEnd : std::uint8_t {
  kFinished,   // every fiber returned
  kKilled,     // kill_world()
  kDeadlock,   // all wait, and no timer will wake one: report() says who waits for what
  kStepLimit,  // options.steps_max: probably a livelock
};

// How the next fiber is chosen.
enum class Strategy : std::uint8_t {
  kFromSeed,   // one of the below
  kUniform,    // any runnable fiber; some seeds stay longer with the current one
  kPriority,   // the highest of random priorities, which drop at a few random steps: finds bugs that need few but
               // particular switches (PCT: Burckhardt et al., ASPLOS 2010)
  kStarveOne,  // one fiber only runs when no other can; who that is changes now and then
};

struct FiberOptions {
  Strategy strategy = Strategy::kFromSeed;
  std::uint64_t steps_max = 100'000'000;
  std::uint64_t step_ns = 100;                 // what a step takes in virtual time
  std::uint64_t start_ns = 1'000'000'000'000;  // now_ns() at the start
  bool spurious_wakeups = true;                // of condition variables, now and then
};

// Threads: a scheduler belongs to the thread that calls run(). Worlds on different threads know nothing of each other.
class FiberScheduler {
 public:
  using Options = FiberOptions;
  explicit FiberScheduler(std::uint64_t seed, Options options = {});
  ~FiberScheduler();
  FiberScheduler(const FiberScheduler&) = delete;
  FiberScheduler& operator=(const FiberScheduler&) = delete;

  // Runs `main` as the first fiber until all have ended or the world is stopped. May be called again: time, chance and
  // trace go on. Not from a fiber.
  //
  // Fibers of a stopped world are abandoned where they are, as by the death of a process: no destructor runs, and
  // memory they owned is never freed (LeakSanitizer does not see what is allocated inside worlds).
  WorldEnd run(const std::function<void()>& main);

  // From a fiber of this world: the process dies here. Does not return; no fiber runs again; run() returns kKilled.
  [[noreturn]] void kill_world();

  std::uint64_t now_ns() const { return now_ns_; }
  std::uint64_t steps() const { return steps_; }
  std::uint64_t seed() const { return seed_; }
  Strategy strategy() const { return strategy_; }
  // Of all decisions so far, and of what note() was given.
  std::uint64_t trace_hash() const { return trace_; }
  void note(std::uint64_t value) { trace_ = (trace_ ^ value) * 0x9e3779b97f4a7c15u, trace_ ^= trace_ >> 29; }
  // A seeded stream for simulated devices, apart from the one that chooses fibers.
  std::uint64_t random();
  // After kDeadlock or kStepLimit: every fiber, and what it waits for.
  const std::string& report() const { return report_; }

  // The world that the calling fiber belongs to; null on an ordinary thread.
  static FiberScheduler* current() { return internal::thread_state.scheduler; }

  // --- What base/sync.h becomes on a fiber; nobody else calls these.
  void point() { step(/*yielding=*/false); }
  void yield() { step(/*yielding=*/true); }
  void sleep(std::chrono::nanoseconds duration);
  void lock(Mutex& mutex);
  bool try_lock(Mutex& mutex);
  void unlock(Mutex& mutex);
  bool wait(CondVar& condition, Mutex& mutex, const std::chrono::nanoseconds* timeout);
  void notify(CondVar& condition, bool all);
  std::uint64_t spawn(std::string name, std::function<void()> body);  // the fiber's number; 0: too many
  void join(std::uint64_t number);
  std::uint64_t world_id() const { return world_id_; }  // never used twice in this process

 private:
  struct Fiber;
  enum class Waiting : std::uint8_t { kNot, kMutex, kCondition, kJoin, kSleep };
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  static void fiber_main(void* fiber);
  std::uint64_t draw();
  std::uint64_t draw_below(std::uint64_t end);
  Fiber* create(std::string name, const std::function<void()>* body, bool owns_body);
  Fiber* find(std::uint64_t number) const;

  // Scheduling.
  void step(bool yielding);
  void begin_step();
  Fiber* choose(bool yielding);
  Fiber* choose_by_priority(bool yielding);
  Fiber* choose_starving();
  void pass_to(Fiber* next, bool ends = false);
  void pass_on(bool ends = false);  // the current fiber cannot go on: another one does, or the world ends
  void block(Waiting why, const void* what, std::uint64_t wake_at_ns);
  void make_runnable(Fiber& fiber);
  void remove_runnable(Fiber& fiber);
  void wake(Waiting why, const void* what, bool all);
  void wake_due();
  std::uint64_t deadline(std::chrono::nanoseconds timeout) const;

  void acquire(Mutex& mutex);
  void release(Mutex& mutex);
  [[noreturn]] void end_world(WorldEnd end);
  void abandon_fibers();
  std::string describe() const;

  const std::uint64_t seed_;
  const Options options_;
  const std::uint64_t world_id_;
  Strategy strategy_;
  std::uint64_t choice_state_, device_state_;
  std::uint64_t trace_ = 0, steps_ = 0, steps_end_ = 0, now_ns_;
  std::uint64_t earliest_wake_ns_ = kNever;  // no timer is before this
  std::uint64_t stay_below_ = 0;             // kUniform: stay with the current fiber if a draw is below
  std::uint64_t run_length_ = 0;             // kPriority: steps since the fiber changed
  std::vector<std::uint64_t> change_steps_;  // kPriority: where the current one's priority drops, latest first
  std::int64_t lowest_priority_ = 0;
  std::uint64_t victim_ = 0, victim_until_ = 0;  // kStarveOne: whose number, up to which step

  std::vector<std::unique_ptr<Fiber>> fibers_;  // those not ended, by slot; null where none is
  std::vector<Fiber*> runnable_;
  std::uint64_t numbers_ = 0, live_ = 0;
  std::unique_ptr<Fiber> ended_;  // its stack is in use until the next fiber runs
  Fiber* current_ = nullptr;
  std::unique_ptr<FiberContext> outside_;  // where run() was called
  WorldEnd end_ = WorldEnd::kFinished;
  std::string report_;
};

}  // namespace lightning::base
