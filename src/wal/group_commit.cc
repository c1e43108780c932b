#include "wal/group_commit.h"

#include <algorithm>
#include <utility>

namespace lightning::wal::internal {

GroupCommit::GroupCommit(const env::Clock& clock, Round round, std::function<void()> on_poison, Sequence durable)
    : clock_(clock), round_(std::move(round)), on_poison_(std::move(on_poison)), durable_(durable) {}

// Who sleeps through its round looks at durable_ when it wakes, without the lock, for which all who are woken at once
// would queue up.
Status GroupCommit::wait_for_group(Sequence target) {
  mutex_.lock();
  while (durable() < target && !cause_) {
    if (leading_) {
      const std::uint64_t generation = join(gathering_ || target <= covered_);
      group_of(generation).wake.wait_and_leave(mutex_);
      if (durable() >= target) return {};
      mutex_.lock();
      leave(generation);
    } else {
      leading_ = true;
      gather();
      lead(round_);
    }
  }
  Status status;
  if (durable() < target) status = poison_error();
  mutex_.unlock();
  return status;
}

Status GroupCommit::run(const Round& round) {
  base::MutexLock lock(mutex_);
  while (leading_ && !cause_) wait_for_round();
  if (!cause_) {
    leading_ = true;
    lead(round);
  }
  if (cause_) return poison_error();
  return {};
}

// Becomes one of those who wait for the end of the round in progress (`covered`), or for the one after it, or for the
// moment to lead the latter. The end of their round takes all who wait for it off its list.
std::uint64_t GroupCommit::join(bool covered) {
  const std::uint64_t generation = generation_ + (covered ? 0 : 1);
  Group& group = group_of(generation);
  ++group.waiting;
  if (gathering_ && group.waiting + 1 >= expected_) gathered_.notify_one();
  return generation;
}

void GroupCommit::leave(std::uint64_t generation) {
  if (generation >= generation_) --group_of(generation).waiting;  // woken before its end: to lead, or for no reason
}

void GroupCommit::wait_for_round() {
  const std::uint64_t generation = join(false);
  group_of(generation).wake.wait(mutex_);
  leave(generation);
}

// Waits, as the leader, for the rest of the group.
void GroupCommit::gather() {
  constexpr std::uint32_t kSkipMax = 64;
  const Group& group = group_of(generation_);
  if (group.waiting + 1 >= expected_ || sync_ns_ == 0) return;
  if (skip_ > 0) {
    --skip_;
    return;
  }
  const std::uint64_t end_ns = clock_.monotonic_ns() + sync_ns_ / 2;
  gathering_ = true;
  for (;;) {
    const std::uint64_t now_ns = clock_.monotonic_ns();
    if (group.waiting + 1 >= expected_ || now_ns >= end_ns) break;
    (void)gathered_.wait_for(mutex_, std::chrono::nanoseconds(end_ns - now_ns));
  }
  gathering_ = false;
  vain_ = group.waiting + 1 >= expected_ ? 0 : vain_ + 1;
  if (vain_ > 1) skip_ = std::min(kSkipMax, 1u << std::min(vain_, 6u));
}

// Runs a round; leading_ is set.
void GroupCommit::lead(const Round& round) {
  const std::uint64_t began_ns = clock_.monotonic_ns();
  const Sequence covered = covered_ = round.covers();
  mutex_.unlock();
  Status synced = round.sync();
  mutex_.lock();
  rounds_.fetch_add(1, std::memory_order_relaxed);
  bool poisoned = false;
  if (synced) {
    if (covered > durable()) durable_.store(covered, std::memory_order_release);
  } else if (!cause_) {
    cause_ = std::move(synced).error();
    poisoned_.store(true, std::memory_order_release);
    poisoned = true;
  }
  const std::uint64_t took_ns = clock_.monotonic_ns() - began_ns;
  sync_ns_ = sync_ns_ == 0 ? took_ns : sync_ns_ - sync_ns_ / 8 + took_ns / 8;
  leading_ = false;
  Group& served = group_of(generation_);
  Group& next = group_of(++generation_);
  expected_ = 1 + served.waiting + next.waiting;
  const bool wake_served = std::exchange(served.waiting, 0) > 0, wake_next = next.waiting > 0;
  // Without the lock, or those woken would only queue up for it.
  mutex_.unlock();
  if (wake_served) served.wake.notify_all();
  if (wake_next) poisoned ? next.wake.notify_all() : next.wake.notify_one();
  if (poisoned) on_poison_();
  mutex_.lock();
}

void GroupCommit::poison(const Error& cause) {
  {
    base::MutexLock lock(mutex_);
    if (cause_) return;
    cause_ = cause;
    poisoned_.store(true, std::memory_order_release);
    for (Group& group : groups_) group.wake.notify_all();
  }
  on_poison_();
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
