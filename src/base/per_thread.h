// PerThread<T>: one T for each live thread, in a place of its own, reached by base::thread_slot().
//
// The first kThreadSlotsNear threads find theirs in an array inside the object: one predicted branch, no indirection.
// Programs with more threads at a time get chunks, each twice as large as all before it, made by the first thread that
// needs one and never moved. So nothing ever limits the number of threads, and nobody pays for it.
//
// A slot outlives its thread and is inherited by the next one of its number: what a T holds must allow that.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <new>
#include <type_traits>

#include "base/sync.h"

namespace lightning::base {

// Where slot numbers beyond the near ones lie: chunk c begins at kThreadSlotsNear << c and is that long.
struct FarSlot {
  static constexpr std::uint32_t kChunks = std::countr_zero(kThreadSlotsMax) - std::countr_zero(kThreadSlotsNear);
  explicit constexpr FarSlot(std::uint32_t slot)
      : chunk(static_cast<std::uint32_t>(std::bit_width(slot) - std::bit_width(kThreadSlotsNear))),
        index(slot - begin_of(chunk)) {}
  static constexpr std::uint32_t begin_of(std::uint32_t chunk) { return kThreadSlotsNear << chunk; }
  static constexpr std::uint32_t slots_of(std::uint32_t chunk) { return kThreadSlotsNear << chunk; }
  const std::uint32_t chunk, index;
};

template <class T>
class PerThread {
 public:
  PerThread() = default;
  ~PerThread() {
    for (const auto& chunk : far_) delete[] chunk.load(std::memory_order_relaxed);
  }
  PerThread(const PerThread&) = delete;
  PerThread& operator=(const PerThread&) = delete;

  // The calling thread's, good until the thread ends. Throws std::bad_alloc if there are more than kThreadSlotsNear
  // threads, this one is the first of its chunk, and there is no memory for that; once it has succeeded for a thread,
  // it does so for as long as the thread lives.
  T& mine() {
    const std::uint32_t slot = thread_slot();
    if (slot < kThreadSlotsNear) [[likely]]
      return near_[slot];
    T* const far = far_or_null(slot);
    if (far == nullptr) throw std::bad_alloc();
    return *far;
  }
  // The same for where nothing may fail: null instead.
  T* mine_or_null() {
    const std::uint32_t slot = thread_slot();
    if (slot < kThreadSlotsNear) [[likely]]
      return &near_[slot];
    return far_or_null(slot);
  }

  // Every T that a thread had reached before the call, and perhaps some more. In the single order of seq_cst
  // operations, a thread whose T is not among them reached it after the call began.
  template <class Visit>
  void for_each(Visit visit) {
    visit_all(*this, visit);
  }
  template <class Visit>
  void for_each(Visit visit) const {
    visit_all(*this, visit);
  }

 private:
  template <class Self, class Visit>
  static void visit_all(Self& self, Visit& visit) {
    const std::uint32_t end = internal::thread_slots_end();
    for (std::uint32_t slot = 0; slot < end && slot < kThreadSlotsNear; ++slot) visit(self.near_[slot]);
    for (std::uint32_t chunk = 0; chunk < FarSlot::kChunks && FarSlot::begin_of(chunk) < end; ++chunk) {
      T* const slots = self.far_[chunk].load(std::memory_order_seq_cst);
      for (std::uint32_t i = 0; slots != nullptr && i < FarSlot::slots_of(chunk); ++i) {
        if (FarSlot::begin_of(chunk) + i >= end) return;
        visit(static_cast<std::conditional_t<std::is_const_v<Self>, const T&, T&>>(slots[i]));
      }
    }
  }

  T* far_or_null(std::uint32_t slot) {
    const FarSlot far(slot);
    T* slots = far_[far.chunk].load(std::memory_order_acquire);
    if (slots == nullptr) {
      T* const made = new (std::nothrow) T[FarSlot::slots_of(far.chunk)];
      if (made == nullptr) return nullptr;
      if (far_[far.chunk].compare_exchange_strong(slots, made, std::memory_order_seq_cst)) {
        slots = made;
      } else {
        delete[] made;  // another thread came first
      }
    }
    return &slots[far.index];
  }

  std::array<T, kThreadSlotsNear> near_{};
  std::array<std::atomic<T*>, FarSlot::kChunks> far_{};
};

}  // namespace lightning::base
