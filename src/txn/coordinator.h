// Coordinator: what the transactions of one database share.
//
// It belongs to the engine, which gets it when the first transaction begins and asks it about every write from then on.
// There is no thread here: who is hindered by a transaction whose time is over ends it (a waiter, a begin that meets
// the limit, a flush or compaction that asks what it must keep, a list).
//
// Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "engine/engine.h"
#include "engine/write_arbiter.h"
#include "lightning/database.h"
#include "lightning/transaction.h"
#include "txn/commit_latches.h"
#include "txn/lock_table.h"
#include "txn/range_intents.h"

namespace lightning::txn {

class Core;

class Coordinator final : public engine::WriteArbiter {
 public:
  // The one of `engine`; makes it at the first call. From then on it has a say in every write.
  static Coordinator& of(engine::Engine& engine);
  // Likewise, but it has a say only in writes to kept keyspaces (engine/tree.h): for those this must have been called.
  static Coordinator& for_kept(engine::Engine& engine);
  explicit Coordinator(engine::Engine& engine);
  ~Coordinator() override;

  Result<std::shared_ptr<Core>> begin(std::shared_ptr<engine::Engine> engine, const TransactionOptions& options);
  // Compares and writes as one step: `desired` (none: an erase) if the value is `expected` (none: absent).
  Result<ConditionalResult> write_if(const Keyspace& keyspace, std::string_view key,
                                     std::optional<std::string_view> expected, std::optional<std::string_view> desired,
                                     const WriteOptions& options);
  Result<Sequence> arbitrate(engine::PlainWrite& write) override;
  void end_overdue() override { end_overdue_until(); }

  std::vector<TransactionInfo> transactions();
  std::vector<SnapshotInfo> snapshots();
  TransactionStatistics statistics();
  void count_retry() { retries_.fetch_add(1, std::memory_order_relaxed); }

  // --- for Core and the admissions
  engine::Engine& engine() const { return engine_; }
  LockTable& locks() { return locks_; }
  CommitLatches& latches() { return latches_; }
  RangeIntents& intents() { return intents_; }
  std::uint64_t next_id() { return next_id_.fetch_add(1, std::memory_order_relaxed); }
  void ended(Core& core);
  void count_end(ErrorCode why);
  void count_wait(std::uint64_t waited_ns);
  void count_lock_timeout() { lock_timeouts_.fetch_add(1, std::memory_order_relaxed); }
  // What is applied becomes visible when it is durable. False if that does not come, or takes longer than lock_timeout.
  bool wait_until_visible(Sequence sequence);
  void note_commit(std::uint64_t id, Sequence first, Sequence last);
  // Who wrote `sequence`, if that is still known; else 0.
  std::uint64_t transaction_of(Sequence sequence) const;

 private:
  // Ends those whose time is over; answers when the next one's may be, at the earliest.
  std::chrono::nanoseconds end_overdue_until();
  template <class Visit>
  void for_each_active(Visit visit);

  engine::Engine& engine_;
  CommitLatches latches_;
  LockTable locks_;
  RangeIntents intents_;

  // Active transactions, in lists by id, so that beginning on several threads does not meet at one lock.
  struct alignas(64) ActiveList {
    base::Mutex mutex{base::LockRank::kTransactions};
    Core* first LIGHTNING_GUARDED_BY(mutex) = nullptr;
  };
  static constexpr std::size_t kLists = 16;
  std::array<ActiveList, kLists> lists_;
  ActiveList& list_of(std::uint64_t id) { return lists_[id % kLists]; }
  alignas(64) std::atomic<std::uint64_t> next_id_{1};
  std::atomic<std::uint64_t> active_{0};
  alignas(64) std::atomic<std::uint64_t> next_overdue_ns_{~std::uint64_t{0}};  // no limit is exceeded before this

  // The latest commits, to name who was in the way; nothing but a message depends on it. Found by probing from the
  // sequence upwards; those of more operations than that have places of their own, behind the others.
  struct RecentCommit {
    std::atomic<Sequence> first{0}, last{0};
    std::atomic<std::uint64_t> id{0};
  };
  static constexpr std::size_t kRecent = 2048, kMany = 64;
  static constexpr Sequence kProbed = 64;
  const std::unique_ptr<RecentCommit[]> recent_ = std::make_unique<RecentCommit[]>(kRecent + kMany);
  std::atomic<std::uint64_t> many_{0};

  // One line per thread, or nearly: counting is no meeting point.
  struct alignas(64) Counts {
    std::atomic<std::uint64_t> begun{0}, committed{0}, rolled_back{0};
  };
  static constexpr std::size_t kCounts = 32;
  std::array<Counts, kCounts> counts_;
  Counts& counts() { return counts_[base::thread_slot() % kCounts]; }
  std::atomic<std::uint64_t> conflicts_{0}, deadlocks_{0}, lock_timeouts_{0}, expired_{0}, refused_{0}, lock_waits_{0},
      lock_wait_ns_{0}, retries_{0};
};

}  // namespace lightning::txn
