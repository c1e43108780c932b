// Core: one transaction, behind the public Transaction and its iterators.
//
// The owner's calls and others that may end the transaction because its time is over meet in `phase_`: whoever moves it
// from idle to in-call has it for himself. Its writes and reads stay in memory until the last iterator is gone, so that
// nothing that was handed out dangles.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/cursor.h"
#include "engine/engine.h"
#include "lightning/transaction.h"
#include "txn/key_ranges.h"
#include "txn/lock_table.h"
#include "txn/read_set.h"
#include "txn/write_set.h"

namespace lightning::txn {

class Coordinator;
class CommitAdmission;
class TransactionIterator;

class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(std::shared_ptr<engine::Engine> engine, Coordinator& coordinator, const TransactionOptions& options,
       std::uint64_t id, std::uint64_t now_ns);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // The calls of Transaction (include/lightning/transaction.h).
  Status put(const Keyspace& keyspace, std::string_view key, std::string_view value, const Lifetime& lifetime);
  Status write(const Keyspace& keyspace, format::EntryType type, std::string_view key, std::string_view value);
  Status erase_range(const Keyspace& keyspace, const KeyRange& range);
  Result<bool> get(const Keyspace& keyspace, std::string_view key, std::string& value);
  Result<bool> get_for_update(const Keyspace& keyspace, std::string_view key, std::string& value);
  Result<std::vector<std::optional<std::string>>> multi_get(const Keyspace& keyspace,
                                                            std::span<const std::string_view> keys);
  Result<std::unique_ptr<engine::Cursor>> iterate(const Keyspace& keyspace, const IterateOptions& options);
  // Calls `visit` for each key of the keyspace that it writes, with what it writes last, or with an erase if it erased
  // a range over it since; an error ends it.
  Status visit_writes(const Keyspace& keyspace,
                      const std::function<Status(std::string_view, const WriteSet::Version&)>& visit);
  // The ranges of the keyspace that it erases: what the database holds in them it does not see.
  Result<KeyRanges> erased_ranges(const Keyspace& keyspace);
  Result<Savepoint> set_savepoint();
  Status rollback_to(const Savepoint& savepoint);
  Result<Sequence> commit(Durability durability);
  Status rollback();
  Status check_active();

  engine::Engine& engine() const { return *engine_; }
  std::uint64_t id() const { return owner_.id; }
  TransactionState state() const { return state_.load(std::memory_order_acquire); }
  Durability durability() const { return options_.durability; }
  Sequence snapshot_sequence() const;
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  std::uint64_t operations() const { return writes_.live(); }
  // Why it ended, if not by its owner's will.
  const std::optional<Error>& end_error() const { return end_error_; }
  TransactionInfo info(std::uint64_t now_ns) const;  // from any thread, while it is in the coordinator's list

  // For the coordinator. If its time is over and no call is running: makes it the caller's to end, who then calls
  // expire(). Else: the moment at which that may be, at the earliest.
  struct Overdue {
    bool claimed = false;
    std::uint64_t earliest_ns = ~std::uint64_t{0};
  };
  Overdue claim_if_overdue(std::uint64_t now_ns);
  void expire();

 private:
  friend class Coordinator;
  friend class CommitAdmission;
  friend class TransactionIterator;
  enum class Phase : std::uint8_t { kIdle, kInCall, kEnded };

  // One call of the owner: entered() is an error if the transaction has ended.
  class Call {
   public:
    explicit Call(Core& core) : core_(core), entered_(core.enter()) {}
    ~Call() {
      if (entered_) core_.leave();
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    const Status& entered() const { return entered_; }

   private:
    Core& core_;
    Status entered_;
  };
  Status enter();
  void leave();
  Error ended_error() const;
  bool overdue(std::uint64_t now_ns) const;
  void end(TransactionState state);  // inside a call
  Error end_with(Error error, TransactionState state = TransactionState::kRolledBack);

  bool pessimistic() const { return options_.concurrency == Concurrency::kPessimistic; }
  bool fixed_snapshot() const { return options_.isolation != Isolation::kReadCommitted; }
  // Whether plain reads must still hold at commit.
  bool tracks_reads() const { return options_.isolation == Isolation::kSerializable && !options_.read_only; }
  Result<engine::Tree*> use(const Keyspace& keyspace);
  engine::Tree* tree(format::KeyspaceId keyspace) const;
  Status charge(std::uint64_t bytes);
  void note_bytes();
  Status lock(engine::Tree& tree, std::string_view key, std::uint64_t hash, LockMode mode, bool reads);
  Status settle(engine::Tree& tree, std::string_view key, std::uint64_t hash);
  Status note_read(engine::Tree& tree, std::string_view key);
  Status erase_each(const Keyspace& keyspace, std::string_view start, std::string_view end);
  void track(engine::Tree& tree, std::string_view key, std::uint64_t hash, Sequence after, bool for_update);
  void track_range(format::KeyspaceId keyspace, std::string_view start, KeyRanges::End end);
  Result<bool> read(const Keyspace& keyspace, std::string_view key, std::string& value);
  // What the transaction sees of a key that it writes. `below`: what lies below its own versions, if they need that.
  template <class Below>
  Result<bool> resolve_own(const engine::Tree& tree, std::string_view key, const WriteSet::Version& newest,
                           const Below& below, std::string& value, std::uint64_t* expires_ms = nullptr) const;
  const WriteSet::Version* own(const engine::Tree& tree, std::string_view key) const;
  void pin_snapshot();
  void unpin_snapshot();
  Error conflict(std::string_view key, Sequence with) const;

  const std::shared_ptr<engine::Engine> engine_;
  Coordinator& coordinator_;
  const TransactionOptions options_;
  const std::chrono::nanoseconds lock_timeout_;
  const std::uint64_t idle_limit_ns_, total_limit_ns_;  // 0: none
  const std::uint64_t begun_ns_;
  std::atomic<std::uint64_t> used_ns_;
  std::atomic<Phase> phase_{Phase::kIdle};
  std::atomic<TransactionState> state_{TransactionState::kActive};
  std::atomic<std::uint64_t> bytes_{0};
  std::optional<Error> end_error_;

  LockTable::Owner owner_;
  engine::LiveSnapshot live_;
  bool pinned_ = false;
  std::atomic<Sequence> sees_{0};  // the snapshot's sequence, for lists; 0: none
  Snapshot snapshot_;              // at that sequence, for reads
  // Something was read that no lock protects: what it sees may not move any more.
  bool snapshot_used_ = false;

  WriteSet writes_;
  ReadSet reads_;
  std::uint64_t lock_bytes_ = 0;
  std::vector<Keyspace> keyspaces_;  // used, other than the default: keeps their trees
  struct Mark {
    std::uint64_t serial, changes;
  };
  std::vector<Mark> savepoints_;
  std::vector<TransactionIterator*> iterators_;  // whose way is part of what was read
  Core* previous_ = nullptr;                     // in the coordinator's list
  Core* next_ = nullptr;
};

template <class Below>
Result<bool> Core::resolve_own(const engine::Tree& tree, std::string_view key, const WriteSet::Version& newest,
                               const Below& below, std::string& value, std::uint64_t* expires_ms) const {
  if (newest.type == format::EntryType::kPut) [[likely]] {
    value.assign(newest.value);
    if (expires_ms != nullptr) *expires_ms = 0;
    return true;
  }
  engine::Resolver resolver(engine_->read_rules(tree));
  resolver.begin(key);
  bool settled = false;
  for (const WriteSet::Version* version = &newest; version != nullptr && !settled; version = version->under)
    settled = resolver.take(version->type, version->value) == engine::Resolver::Next::kDone;
  std::string base;
  bool there = false;
  if (!settled) {
    LIGHTNING_ASSIGN(there, below(base));
  }
  LIGHTNING_ASSIGN(const engine::Held held, settled ? resolver.resolve() : resolver.resolve_over(there, base));
  if (held.present) value.assign(held.value);
  if (expires_ms != nullptr) *expires_ms = held.expires_ms;
  return held.present;
}

}  // namespace lightning::txn
