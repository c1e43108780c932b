#include "wal/group_commit.h"

#include <algorithm>
#include <utility>

namespace lightning::wal::internal {

GroupCommit::GroupCommit(const env::Clock& clock, Round round, Sequence durable)
    : clock_(clock), round_(std::move(round)), durable_(durable) {}

Status GroupCommit::wait_for_group(Sequence target) {
  base::MutexLock lock(mutex_);
  for (;;) {
    if (durable() >= target) return {};
    if (cause_) return poison_error();
    if (leading_) {
      wait_for_round(target <= covered_);
    } else {
      lead(lock, round_);
    }
  }
}

Status GroupCommit::run(const Round& round) {
  base::MutexLock lock(mutex_);
  while (leading_ && !cause_) wait_for_round(false);
  if (!cause_) lead(lock, round);
  if (cause_) return poison_error();
  return {};
}

// Sleeps until the round that runs (`covered`) or the one after it has ended, or until it is time to lead the latter.
void GroupCommit::wait_for_round(bool covered) {
  Group& group = groups_[(generation_ + (covered ? 0 : 1)) & 1];
  ++group.waiting;
  group.wake.wait(mutex_);
  --group.waiting;
}

void GroupCommit::lead(base::MutexLock& lock, const Round& round) {
  leading_ = true;
  const Sequence covered = covered_ = round.covers();
  lock.unlock();
  Status synced = round.sync();
  lock.lock();
  rounds_.fetch_add(1, std::memory_order_relaxed);
  if (synced) {
    if (covered > durable()) durable_.store(covered, std::memory_order_release);
  } else {
    cause_ = std::move(synced).error();
    poisoned_.store(true, std::memory_order_release);
  }
  leading_ = false;
  Group& served = groups_[generation_ & 1];
  Group& next = groups_[++generation_ & 1];
  const bool wake_served = served.waiting > 0, wake_next = next.waiting > 0, poisoned = cause_.has_value();
  // Without the lock, or those woken would only queue up for it. The next leader first: the disk is idle.
  lock.unlock();
  if (wake_next) poisoned ? next.wake.notify_all() : next.wake.notify_one();
  if (wake_served) served.wake.notify_all();
  lock.lock();
}

void GroupCommit::poison(const Error& cause) {
  base::MutexLock lock(mutex_);
  if (cause_) return;
  cause_ = cause;
  poisoned_.store(true, std::memory_order_release);
  for (Group& group : groups_) group.wake.notify_all();
}

Status GroupCommit::health() const {
  if (!poisoned()) return {};
  base::MutexLock lock(mutex_);
  return poison_error();
}

Error GroupCommit::poison_error() const {
  return Error(ErrorCode::kSyncFailed,
               "the log could not be made durable and takes no more writes: " + cause_->message())
      .at_file(cause_->context().file)
      .with_os_error(cause_->context().os_error)
      .with_outcome(WriteOutcome::kUnknown);
}

}  // namespace lightning::wal::internal
