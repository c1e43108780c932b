// A full disk. Whoever finds it so gives up the ballast, and from then on only what makes room is accepted, until there
// is so much room that the ballast can be held again.
#include "engine/engine.h"
#include "format/batch.h"

namespace lightning::engine {

// Free space of the store's disk; with the ballast's, where there is less than `needed` without it.
Result<std::uint64_t> Engine::free_space(std::uint64_t needed) {
  LIGHTNING_ASSIGN(const std::uint64_t free, env_.files.free_bytes(paths_.root));
  if (free >= needed || free + ballast_.held_bytes() < needed || !ballast_.release()) return free;
  begin_shortage(Error(ErrorCode::kNoSpace, "the disk was full when the database was opened").at_file(paths_.root));
  return env_.files.free_bytes(paths_.root);
}

// Whether `error` is of a kind, and the first of its kind, that can be helped: then its job may be tried again. Where
// there was room just now the disk is not full: it refuses for another reason (a quota), and no ballast helps.
bool Engine::ran_out_of_space(const Error& error) {
  constexpr std::uint64_t kJustNowNs = 10'000'000'000;
  if (error.code() != ErrorCode::kNoSpace) return false;
  const std::uint64_t room_ns = room_since_ns_.load(std::memory_order_relaxed);
  if (room_ns != 0 && env_.clock.monotonic_ns() - room_ns < kJustNowNs) return false;
  if (!ballast_.release()) return false;
  begin_shortage(error);
  watch_for_space();
  update_pressure();  // from here on writers ask
  return true;
}

// No segment could be made: the log must get on with those that it has, which flushes give back.
void Engine::log_ran_out_of_space(const Error& error) {
  if (error.code() != ErrorCode::kNoSpace) return;
  if (ran_out_of_space(error) || space_is_short_.load(std::memory_order_acquire)) seal_for_log_space();
}

void Engine::begin_shortage(const Error& error) {
  base::MutexLock lock(jobs_mutex_);
  shortage_ = error;
  space_is_short_.store(true, std::memory_order_release);
  watch_ends_.notify_all();
}

void Engine::watch_for_space() {
  if (!space_watched_.exchange(true)) space_watch_ = base::Thread::spawn("ldb-space", [this] { wait_for_space(); });
}

void Engine::wait_for_space() {
  constexpr std::chrono::nanoseconds kBetweenLooks = std::chrono::seconds(1);
  for (;;) {
    {
      base::MutexLock lock(jobs_mutex_);
      while (!closing() && !space_is_short_.load()) watch_ends_.wait(jobs_mutex_);
      const std::uint64_t until_ns = env_.clock.monotonic_ns() + static_cast<std::uint64_t>(kBetweenLooks.count());
      for (std::uint64_t now_ns = 0; !closing() && (now_ns = env_.clock.monotonic_ns()) < until_ns;)
        watch_ends_.wait_for(jobs_mutex_, std::chrono::nanoseconds(until_ns - now_ns));
      if (closing()) return;
    }
    if (!ballast_.hold_again()) {
      // What was erased makes room when it has come to the tables that hold it.
      for (const TreePtr& tree : all_trees())
        if (space_is_short_.load() && !tree->active().empty()) seal(*tree, 0);
      continue;
    }
    room_since_ns_.store(env_.clock.monotonic_ns(), std::memory_order_relaxed);
    {
      base::MutexLock lock(jobs_mutex_);
      shortage_.reset();
      space_is_short_.store(false, std::memory_order_release);
    }
    update_pressure();
    schedule_compactions();
  }
}

// Of writes while space is short: those that only erase go through, since what they hide can be given back.
Status Engine::refuse_growth(std::string_view payload) {
  if (!space_is_short_.load(std::memory_order_acquire)) return {};
  bool only_erases = !payload.empty();
  for (format::BatchReader reader(payload); only_erases && reader.next();) {
    const format::EntryType type = reader.operation().type;
    only_erases = type == format::EntryType::kErase || type == format::EntryType::kEraseRange;
  }
  if (only_erases) return {};
  base::MutexLock lock(jobs_mutex_);
  if (!shortage_) return {};
  return Error(ErrorCode::kNoSpace,
               "the disk is full, and until there is room again only erases are accepted: " + shortage_->message())
      .at_file(shortage_->context().file.empty() ? paths_.root : shortage_->context().file)
      .with_os_error(shortage_->context().os_error)
      .with_outcome(WriteOutcome::kNotApplied)
      .with_advice("erase what is not needed, or free space on this file system: writing goes on by itself then");
}

}  // namespace lightning::engine
