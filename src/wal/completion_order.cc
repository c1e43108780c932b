#include "wal/completion_order.h"

namespace lightning::wal::internal {

bool CompletionOrder::wait_in_line(const Ticket& ticket) {
  const std::uint64_t order = ticket.order;
  // Nobody else may still use the place: its last commit is complete when those kPlaces before us are.
  for (base::Backoff backoff; completed() + kPlaces < order;) backoff.pause();
  Place& place = place_of(order);
  place.ticket = &ticket;
  place.state.store(waiting(order), std::memory_order_seq_cst);
  return completed_.load(std::memory_order_seq_cst) == order - 1 && take_next(order - 1) != nullptr;
}

void CompletionOrder::wait_until_complete(std::uint64_t order) {
  for (base::Backoff backoff; backoff.spin();)
    if (completed() >= order) return;
  Bed& bed = bed_of(order);
  base::MutexLock lock(bed.mutex);
  // Until its order is complete, and only then under this lock, the place is nobody else's: kPlaces is a multiple of
  // the number of beds.
  if (completed() >= order) return;
  place_of(order).asleep.store(order, std::memory_order_seq_cst);
  while (completed_.load(std::memory_order_seq_cst) < order) bed.wake.wait(bed.mutex);
}

void CompletionOrder::wake(std::uint64_t order) {
  Bed& bed = bed_of(order);
  { const base::MutexLock asleep_or_not_yet(bed.mutex); }
  bed.wake.notify_all();
}

}  // namespace lightning::wal::internal
