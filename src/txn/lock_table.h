// LockTable: which transaction has locked which key, and who waits for it.
//
// A key is locked by any number of owners shared or by one exclusively. Who cannot have a lock at once waits in a
// queue, first come, first served; an owner that already has the key shared and wants it exclusively goes to the front,
// since nobody behind it could go before it anyway. Whoever begins to wait looks for a cycle in who waits for whom; the
// one that would close it gives up (docs/decisions/0007-transactions.md), so that cycles never last.
//
// Why the search is right though it sees one queue at a time: who waits holds all it holds until its wait ends, so a
// cycle, once there, stays; and the last of its members to enqueue searches after all are in their queues.
//
// Threads: any. Never waits while a lock of the engine is held.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/sync.h"
#include "env/env.h"
#include "format/ids.h"
#include "lightning/result.h"

namespace lightning::txn {

enum class LockMode : std::uint8_t { kShared, kExclusive };

// A key in its keyspace, hashed once.
struct LockKey {
  format::KeyspaceId keyspace = 0;
  std::string_view key;
  std::uint64_t hash = 0;  // in_keyspace(key_hash(key), keyspace)
};

class LockTable {
  struct Head;
  struct Shard;
  struct Waiter;

 public:
  // Who holds locks: a transaction, or a plain write that had to wait. Used by one thread at a time.
  class Owner {
   public:
    Owner(std::uint64_t owner_id, std::string_view owner_label) : id(owner_id), label(owner_label) {}
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    std::size_t locks() const { return count_.load(std::memory_order_relaxed); }
    const std::uint64_t id;
    const std::string label;

   private:
    friend class LockTable;
    std::vector<Head*> held_;
    std::atomic<std::size_t> count_{0};  // of held_, for lists
  };
  struct Holder {  // for messages
    std::uint64_t id = 0;
    std::string label;
  };
  struct Options {
    bool find_deadlocks = true;
    // Ends transactions whose time is over, which may free locks; answers when the next one's may be, at the earliest.
    std::function<std::chrono::nanoseconds()> end_overdue = {};
  };

  LockTable(env::Clock& clock, Options options);
  ~LockTable();  // nobody holds or waits

  // Locks the key for `owner`, or makes a shared lock exclusive; at once if it has it. Waits at most `timeout`;
  // `waited` (if not null) is increased by the time. True if the owner had no lock of the key before. Errors:
  // kDeadlock, kLockTimeout; nothing was locked.
  Result<bool> acquire(Owner& owner, const LockKey& key, LockMode mode, std::chrono::nanoseconds timeout,
                       std::uint64_t* waited_ns = nullptr);
  void release_all(Owner& owner);
  // The first that has locked the key, other than the owner with id `self`. One load where nothing near it is locked.
  std::optional<Holder> locked_by_other(const LockKey& key, std::uint64_t self) const;
  // A key in [start, end) that another owner has locked; `end` empty: no end. Looks at every lock there is.
  struct LockedKey {
    std::string key;
    std::uint64_t hash = 0;
    Holder holder;
  };
  std::optional<LockedKey> locked_in_range(format::KeyspaceId keyspace, std::string_view start, std::string_view end,
                                           std::uint64_t self) const;
  std::uint64_t locked_keys() const;
  // The key that the owner waits for, printable; empty if it does not wait.
  std::string waits_for(std::uint64_t owner) const;

 private:
  static constexpr std::size_t kShards = 128;
  Shard& shard_of(std::uint64_t hash) const;
  Status wait(Shard& shard, Waiter& waiter, std::chrono::nanoseconds timeout);
  Status look_for_deadlock(Waiter& waiter);

  env::Clock& clock_;
  const Options options_;
  const std::unique_ptr<Shard[]> shards_;
  mutable base::Mutex graph_mutex_{base::LockRank::kLockGraph};
  std::unordered_map<std::uint64_t, Waiter*> waiting_ LIGHTNING_GUARDED_BY(graph_mutex_);  // by owner
};

}  // namespace lightning::txn
