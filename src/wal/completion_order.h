// CompletionOrder: commits become complete in the order of their places in the log, whatever order they are filled in.
//
// A commit whose predecessors are complete is finished by its own thread. One that comes early leaves its ticket on a
// ring and waits; whoever finishes its predecessor finishes it as well, and so on down the ring: thus a thread that was
// late (a page fault, a time slice) sets all that queued up behind it free at once, and none of them has to run for the
// next to go on. Who waits spins for a moment, then sleeps until it is woken.
//
// Threads: any. The idea of publishing by whoever is in turn is that of the multi-producer sequencer of the LMAX
// Disruptor (M. Thompson et al., 2011); finishing for others is flat combining (D. Hendler et al., SPAA 2010).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/sync.h"
#include "wal/wal.h"

namespace lightning::wal::internal {

class CompletionOrder {
 public:
  using Ticket = WriteAheadLog::Ticket;

  // Order of the last commit that is complete; they count from 1.
  std::uint64_t completed() const { return completed_.load(std::memory_order_acquire); }

  // Returns once `ticket` and all before it are finished. `finish(const Ticket&)` runs for each ticket once, in order,
  // never two at a time, perhaps on another thread; what it wrote is seen by whoever sees completed() at that order.
  template <class Finish>
  void complete(const Ticket& ticket, const Finish& finish) {
    const bool my_turn = completed_.load(std::memory_order_acquire) == ticket.order - 1 || wait_in_line(ticket);
    if (my_turn) [[likely]] {
      finish(ticket);
      pass_on(ticket.order, finish);
    } else {
      wait_until_complete(ticket.order);
    }
  }

 private:
  // Orders that may be under way at a time without anyone waiting for a place.
  static constexpr std::uint64_t kPlaces = 256;
  struct alignas(32) Place {
    std::atomic<std::uint64_t> state{0};   // waiting(order) or taken(order) of the last commit that was here
    std::atomic<std::uint64_t> asleep{0};  // order of the commit whose thread sleeps
    const Ticket* ticket = nullptr;        // published by `state`; good until its order is complete
  };
  struct Bed {
    base::Mutex mutex{base::LockRank::kWalReserve};
    base::CondVar wake;
  };
  static constexpr std::uint64_t waiting(std::uint64_t order) { return order << 1; }
  static constexpr std::uint64_t taken(std::uint64_t order) { return order << 1 | 1; }

  Place& place_of(std::uint64_t order) { return places_[order % kPlaces]; }
  Bed& bed_of(std::uint64_t order) { return beds_[order % kBeds]; }

  // Gets in line. True if it has become the caller's turn after all, false if somebody finishes the ticket for it.
  bool wait_in_line(const Ticket& ticket);
  void wait_until_complete(std::uint64_t order);
  void wake(std::uint64_t order);

  // Whether the ticket after `order`, if it waits, is the caller's to finish. Each of the two who may ask has written
  // (completed_, state) before it reads what the other wrote, so at least one of them sees both.
  const Ticket* take_next(std::uint64_t order) {
    Place& next = place_of(order + 1);
    std::uint64_t expected = waiting(order + 1);
    if (next.state.load(std::memory_order_seq_cst) != expected) [[likely]]
      return nullptr;
    return next.state.compare_exchange_strong(expected, taken(order + 1), std::memory_order_seq_cst) ? next.ticket
                                                                                                     : nullptr;
  }

  // `order` has just been finished by the caller.
  template <class Finish>
  void pass_on(std::uint64_t order, const Finish& finish) {
    completed_.store(order, std::memory_order_seq_cst);
    while (const Ticket* ticket = take_next(order)) {
      finish(*ticket);
      completed_.store(++order, std::memory_order_seq_cst);  // its owner may go: the ticket is gone
      if (place_of(order).asleep.load(std::memory_order_seq_cst) == order) wake(order);
    }
  }

  alignas(64) std::atomic<std::uint64_t> completed_{0};
  alignas(64) std::array<Place, kPlaces> places_;
  static constexpr std::uint64_t kBeds = 16;
  static_assert(kPlaces % kBeds == 0);
  std::array<Bed, kBeds> beds_;
};

}  // namespace lightning::wal::internal
