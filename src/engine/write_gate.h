// WriteGate: lets any number of writers pass at once, and now and then nobody.
//
// A writer is inside from reserving its place in the log until its entries are in the memtables. Closing the gate waits
// until all have left: then every sequence number handed out is complete, and a memtable may be exchanged so that all
// of its entries are older than all of its successor's. Passing costs one exchange on a line of the thread's own.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/per_thread.h"

namespace lightning::engine {

class WriteGate {
  struct alignas(64) Slot {
    std::atomic<std::uint32_t> inside{0};
  };

 public:
  class Pass {
   public:
    explicit Pass(WriteGate& gate) : slot_(gate.slots_.mine()) {
      for (;;) {
        slot_.inside.exchange(1, std::memory_order_seq_cst);  // announced before closed_ is read
        if (!gate.closed_.load(std::memory_order_seq_cst)) return;
        slot_.inside.store(0, std::memory_order_release);
        const base::MutexLock until_open(gate.mutex_);
      }
    }
    ~Pass() { slot_.inside.store(0, std::memory_order_release); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    Slot& slot_;
  };

  // Holds the gate closed while it lives. One at a time.
  class Closure {
   public:
    explicit Closure(WriteGate& gate) : gate_(gate), lock_(gate.mutex_) {
      gate_.closed_.store(true, std::memory_order_seq_cst);
      gate_.slots_.for_each([](const Slot& slot) {
        for (base::Backoff backoff; slot.inside.load(std::memory_order_seq_cst) != 0;) backoff.pause();
      });
    }
    ~Closure() { gate_.closed_.store(false, std::memory_order_seq_cst); }
    Closure(const Closure&) = delete;
    Closure& operator=(const Closure&) = delete;

   private:
    WriteGate& gate_;
    const base::MutexLock lock_;
  };

 private:
  friend class Pass;
  friend class Closure;
  base::Mutex mutex_{base::LockRank::kMemTableSwitch};
  std::atomic<bool> closed_{false};
  base::PerThread<Slot> slots_;
};

}  // namespace lightning::engine
