// CommitLatches: keeps validation and apply of one commit together.
//
// A key's latch is held from "nobody has changed what this commit relies on" until its entries are in the memtables:
// about a microsecond, never while waiting for a disk. Latches are taken inside the write gate, in ascending order, so
// whoever holds one needs only the log to go on. Keys share latches by hash; sharing costs a wait, nothing else.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bitset>
#include <cstdint>

#include "base/sync.h"

namespace lightning::txn {

class CommitLatches {
 public:
  static constexpr std::uint32_t kLatches = 4096;

  // Which latches a write takes. Collects, then takes all.
  class Held {
   public:
    explicit Held(CommitLatches& latches) : latches_(latches) {}
    ~Held() { release(); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

    void need(std::uint64_t hash) {  // of key and keyspace
      const auto index = static_cast<std::uint16_t>(hash >> 52);
      if (few_count_ < kFew) {
        few_[few_count_++] = index;
      } else {
        many_.set(index);
        spilled_ = true;
      }
    }
    // Not while they are taken.
    void need_none() {
      few_count_ = 0;
      if (spilled_) many_.reset();
      spilled_ = false;
    }
    // A range: any key may lie in it.
    void need_all() {
      many_.set();
      spilled_ = true;
    }
    void take() {
      if (spilled_) {
        for (std::uint32_t i = 0; i < few_count_; ++i) many_.set(few_[i]);
      } else {
        std::sort(few_.begin(), few_.begin() + few_count_);
        few_count_ = static_cast<std::uint32_t>(std::unique(few_.begin(), few_.begin() + few_count_) - few_.begin());
      }
      each([this](std::uint32_t index) { latches_.lock(index); });
      taken_ = true;
    }
    void release() {
      if (!taken_) return;
      taken_ = false;
      each([this](std::uint32_t index) { latches_.unlock(index); });
    }

   private:
    static constexpr std::uint32_t kFew = 16;
    template <class F>
    void each(F f) {
      if (!spilled_) {
        for (std::uint32_t i = 0; i < few_count_; ++i) f(few_[i]);
      } else {
        for (std::uint32_t i = 0; i < kLatches; ++i)
          if (many_.test(i)) f(i);
      }
    }
    CommitLatches& latches_;
    std::array<std::uint16_t, kFew> few_;
    std::uint32_t few_count_ = 0;
    bool spilled_ = false, taken_ = false;
    std::bitset<kLatches> many_;
  };

  // Waits until who held the key's latch when this was called has let it go. Both sides first announce, then look at
  // what the other announced (locks there, latches here), in the one order of all seq_cst operations: one sees the
  // other.
  void pass(std::uint64_t hash) {
    const auto index = static_cast<std::uint32_t>(hash >> 52);
    for (base::Backoff backoff; latches_[index].load(std::memory_order_seq_cst) != 0;) backoff.pause();
  }

 private:
  void lock(std::uint32_t index) {
    for (base::Backoff backoff; latches_[index].exchange(1, std::memory_order_seq_cst) != 0;) backoff.pause();
  }
  void unlock(std::uint32_t index) { latches_[index].store(0, std::memory_order_release); }

  std::array<std::atomic<std::uint32_t>, kLatches> latches_{};
};

}  // namespace lightning::txn
