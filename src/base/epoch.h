// Epoch-based reclamation (Fraser 2004): readers announce that they are reading, writers free what nobody can still
// see.
//
// A reader enters, follows published pointers, leaves: one store each way to a cache line of its own, no shared line
// is written. What was unpublished is retire()d and freed once every reader that could have seen it has left.
// Do not wait for anything while inside (I/O, locks held during I/O): leave first, or pin the object by its own count.
//
// In simulation each fiber has its own slot (thread_slot()).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>

#include "base/per_thread.h"
#include "base/sync.h"

namespace lightning::base {

class EpochDomain {
  struct alignas(64) Slot {
    std::atomic<std::uint64_t> epoch{0};  // 0: outside; else the epoch seen on entry
    std::uint32_t depth = 0;              // written by the owner alone
  };

 public:
  EpochDomain() = default;
  ~EpochDomain();  // frees everything retired; no reader may be inside

  class Guard {  // nests
   public:
    explicit Guard(EpochDomain& domain) : slot_(domain.slots_.mine()) { domain.enter(slot_); }
    ~Guard() { leave(slot_); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Slot& slot_;
  };

  // `free` runs later, on whichever thread finds it safe, outside all locks of this class.
  void retire(void* object, void (*free)(void*));
  // Frees what is safe now; retire() does so by itself every few calls.
  void collect();
  std::uint64_t retired() const;  // objects not yet freed

 private:
  struct Retired {
    std::uint64_t epoch;
    void* object;
    void (*free)(void*);
  };
  void enter(Slot& s) {
    if (s.depth++ == 0) {
      // seq_cst: the announcement must be visible before any published pointer is read.
      s.epoch.exchange(global_.load(std::memory_order_acquire), std::memory_order_seq_cst);
#if !defined(__x86_64__)
      // Elsewhere than on x86 a later load may overtake the exchange.
      std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
    }
  }
  static void leave(Slot& s) {
    if (--s.depth == 0) s.epoch.store(0, std::memory_order_release);
  }
  std::uint64_t oldest_reader() const;

  std::atomic<std::uint64_t> global_{1};
  PerThread<Slot> slots_;
  mutable Mutex mutex_{LockRank::kEpoch};
  std::deque<Retired> retired_ LIGHTNING_GUARDED_BY(mutex_);
  std::size_t since_collection_ LIGHTNING_GUARDED_BY(mutex_) = 0;
};

}  // namespace lightning::base
