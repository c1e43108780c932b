// Transaction: reads and writes that take effect together, at the isolation its begin asked for.
//
//   Status moved = db.run_transaction([&](Transaction& txn) -> Status {
//     LIGHTNING_ASSIGN(const auto from, txn.get_for_update("account:1"));
//     LIGHTNING_ASSIGN(const auto to, txn.get_for_update("account:2"));
//     LIGHTNING_TRY(txn.put("account:1", less(from)));
//     return txn.put("account:2", more(to));
//   });
//
// Isolation (docs/guarantees.md says which anomalies each level forbids, and which test holds it):
//   kReadCommitted  every read sees what was committed when it began
//   kSnapshot       every read sees one moment, not before begin(); of two transactions that write one key, the first
//                   to commit wins
//   kSerializable   as kSnapshot, and what was read, ranges included, is unchanged at commit: transactions of this
//   level
//                   are as if run one after the other, one that ended before the other began first
// Whatever the level: nothing of a transaction is seen before it commits, then all of it; a transaction sees its own
// writes; keys read with get_for_update() are unchanged at commit.
//
// Mode: kOptimistic finds conflicts at commit and never waits. kPessimistic locks each key when it is written or read
// for update (at kSerializable: when it is read), waits for other owners in the order of arrival, and so meets fewer
// conflicts. Both kinds may run side by side, and beside plain writes (Database::put, erase, write), which count as
// transactions of one write and wait for locks too.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lightning/index.h"
#include "lightning/iterator.h"
#include "lightning/result.h"
#include "lightning/types.h"
#include "lightning/write_options.h"

namespace lightning {

class Keyspace;
namespace txn {
class Core;
}

enum class Isolation : std::uint8_t { kReadCommitted, kSnapshot, kSerializable };
enum class Concurrency : std::uint8_t { kOptimistic, kPessimistic };

struct TransactionOptions {
  Isolation isolation = Isolation::kSnapshot;
  Concurrency concurrency = Concurrency::kOptimistic;
  bool read_only = false;                        // writes and get_for_update() answer kReadOnlyTransaction
  Durability durability = Durability::kDefault;  // of commit()
  std::string owner = {};                        // who this is, for people: shown in lists and in other's errors
  // None: the configuration's. 0: lock_timeout never waits, the other two have no limit.
  std::optional<std::chrono::milliseconds> lock_timeout = {};   // longest wait for one lock
  std::optional<std::chrono::milliseconds> idle_timeout = {};   // longest time between two calls
  std::optional<std::chrono::milliseconds> total_timeout = {};  // from begin() to commit()
};

// How Database::run_transaction() tries again. Pauses grow from `backoff` to `backoff_max`, doubling, and are drawn at
// random from zero to that ("full jitter": Brooker 2015), so that those who met once don't meet again.
struct RetryOptions {
  std::uint32_t retries = 10;  // after the first try
  std::chrono::microseconds backoff{200};
  std::chrono::microseconds backoff_max{100'000};
};

// A place in a transaction's writes to come back to.
class Savepoint {
 public:
  Savepoint() = default;

 private:
  friend class txn::Core;
  std::uint64_t transaction_ = 0, serial_ = 0;
};

enum class TransactionState : std::uint8_t {
  kActive,
  kCommitted,   // commit() answered with a sequence
  kRolledBack,  // by rollback(), the destructor, a deadlock, a conflict, or a failed commit that was not applied
  kExpired,     // ended by one of its time limits; nothing of it was applied
  kUnknown,     // commit() failed with outcome kUnknown
};

// Threads:  one thread at a time; may be handed over.
// Lifetime: destroy before the database closes. The destructor rolls back. Its iterators may outlive it, and then
//           answer kTransactionEnded.
// Cost:     an active transaction at kSnapshot or kSerializable pins old versions like a Snapshot. Its writes and, at
//           kSerializable, what it read are held in memory, at most config.transaction_memory_bytes.
// Errors of every call:
//   kTransactionEnded    it was committed, rolled back, or moved from. Nothing changed.
//   kTransactionExpired  a time limit has passed; it has been rolled back (kNotApplied).
//   kClosed              the database was closed.
// Errors of calls that lock (kPessimistic: put, erase, get_for_update, and get and multi_get at kSerializable):
//   kDeadlock            waiting would never end. Names the key, and the transactions of the cycle. It has been rolled
//                        back, so that the others go on.
//   kLockTimeout         another transaction kept the key longer than lock_timeout. Names key and owner. It is as
//   before
//                        the call: try again, go on without, or roll back.
//   kConflict            the key was changed after the moment that this transaction sees. It has been rolled back.
// An error's outcome() says what became of the transaction's writes: kNotApplied, but for kTransactionEnded after a
// commit() that was applied, or whose outcome is unknown.
class Transaction {
 public:
  Transaction();  // ended
  Transaction(Transaction&&) noexcept;
  Transaction& operator=(Transaction&&) noexcept;  // rolls back what it held
  ~Transaction();

  // --- writes: kept until commit(), seen by this transaction's reads. Errors: sizes as Database::put,
  // kReadOnlyTransaction, kTransactionTooLarge (more than config.transaction_memory_bytes; this write was not taken,
  // the transaction is as before), kKeyspaceNotFound.
  Status put(std::string_view key, std::string_view value);
  Status put(const Keyspace& keyspace, std::string_view key, std::string_view value);
  // With a lifetime (write_options.h). A ttl counts from this call.
  Status put(std::string_view key, std::string_view value, const Lifetime& lifetime);
  Status put(const Keyspace& keyspace, std::string_view key, std::string_view value, const Lifetime& lifetime);
  // As Database::merge(). Reads nothing; to kSnapshot and above it is a write like any other, so that two transactions
  // that merge into one key are in conflict.
  Status merge(std::string_view key, std::string_view operand);
  Status merge(const Keyspace& keyspace, std::string_view key, std::string_view operand);
  Status erase(std::string_view key);  // no error if the key is absent
  Status erase(const Keyspace& keyspace, std::string_view key);
  // Every key of the range: of this transaction's writes those so far, of others' all that this commit follows. Takes
  // no locks, pessimistic or not: at commit, a key of the range that another transaction has locked is a conflict, and
  // at kSnapshot and kSerializable so is one that was written after the moment that this transaction sees. Where a
  // keyspace is counted or indexed, the keys that this transaction sees are erased one by one, all or none: they count
  // against transaction_memory_bytes, and pessimistic transactions lock them. Errors: kInvertedRange.
  Status erase_range(const KeyRange& range);
  Status erase_range(const Keyspace& keyspace, const KeyRange& range);

  // --- reads: own writes first, then the database as the isolation level says. Errors as Database::get.
  Result<std::optional<std::string>> get(std::string_view key);
  Result<std::optional<std::string>> get(const Keyspace& keyspace, std::string_view key);
  // Copies the value into `buffer` (replacing its content, keeping its capacity); true if found.
  Result<bool> get(const Keyspace& keyspace, std::string_view key, std::string& buffer);
  // As get(), and the key is unchanged until this transaction commits: locked if pessimistic, else verified by
  // commit(). Absent keys, too.
  Result<std::optional<std::string>> get_for_update(std::string_view key);
  Result<std::optional<std::string>> get_for_update(const Keyspace& keyspace, std::string_view key);
  Result<bool> get_for_update(const Keyspace& keyspace, std::string_view key, std::string& buffer);
  // One answer per key, in order, all of the same moment.
  Result<std::vector<std::optional<std::string>>> multi_get(const Keyspace& keyspace,
                                                            std::span<const std::string_view> keys);
  // Sees own writes, those made after it was created too. At kReadCommitted it sees the moment of its creation. At
  // kSerializable commit() verifies that in what it passed over, gaps included, nothing was changed; it takes no locks.
  // `options.snapshot` must be null (kInvalidArgument).
  Iterator iterate(const IterateOptions& options = {});
  Iterator iterate(const Keyspace& keyspace, const IterateOptions& options = {});

  // As Database::query_index, own writes among the records. At kSerializable what it passed over counts as read.
  // `query.snapshot` must be null (kInvalidArgument).
  Result<IndexPage> query_index(const Keyspace& keyspace, std::string_view name, const IndexQuery& query);

  // --- savepoints
  // Remembers the writes so far.
  Result<Savepoint> set_savepoint();
  // Undoes all writes since `savepoint`, which may be used again; savepoints after it may not. Locks and what was read
  // stay. Errors: kInvalidArgument if it is of another transaction, of whatever database, or no longer valid.
  Status rollback_to(const Savepoint& savepoint);

  // --- the end
  // All writes or none take effect, at one sequence of the order of all writes, visible to every read that begins
  // after the return. Returns the sequence of its last write, or what it saw if it wrote nothing. Whatever it answers,
  // the transaction has ended, but for kInvalidArgument (options with a lifetime): then it is as before.
  // Without writes nothing is verified but keys read for update.
  // Errors: kConflict (kNotApplied): what the level promises to hold was changed by somebody else. Names key and, if
  //         known, the other transaction. Others as Database::write, each with its outcome.
  Result<Sequence> commit();
  Result<Sequence> commit(const WriteOptions& options);
  // Forgets the writes and lets go of locks. kTransactionEnded if it had ended.
  Status rollback();

  // --- about it
  std::uint64_t id() const;  // unique in this opening of the database; 0 if it never began
  TransactionState state() const;
  bool active() const { return state() == TransactionState::kActive; }
  // The moment that its reads see; at kReadCommitted the newest.
  Sequence snapshot_sequence() const;
  std::uint64_t bytes() const;       // memory of writes and of what was read; the limit is transaction_memory_bytes
  std::uint64_t operations() const;  // keys written

 private:
  friend class Database;
  explicit Transaction(std::shared_ptr<txn::Core> core);
  std::shared_ptr<txn::Core> core_;
};

// One active transaction, as Database::transactions() lists it.
struct TransactionInfo {
  std::uint64_t id = 0;
  std::string owner;
  Isolation isolation = Isolation::kSnapshot;
  Concurrency concurrency = Concurrency::kOptimistic;
  bool read_only = false;
  std::chrono::milliseconds age{0}, idle{0};
  Sequence snapshot = 0;           // 0: pins none
  std::uint64_t writes_since = 0;  // sequences given out since that snapshot
  std::uint64_t pinned_bytes = 0;  // estimate, from above: old versions that are kept for it
  std::uint64_t bytes = 0;         // memory of writes and of what was read
  std::uint64_t locks = 0;         // keys locked
  std::string waits_for;           // the key whose lock it waits for, printable; empty: it does not wait
};

// One live snapshot, as Database::snapshots() lists it.
struct SnapshotInfo {
  Sequence sequence = 0;
  std::string owner;              // as given to Database::snapshot()
  std::uint64_t transaction = 0;  // id, if it belongs to a transaction
  std::chrono::milliseconds age{0};
  std::uint64_t writes_since = 0;  // sequences given out since
  std::uint64_t pinned_bytes = 0;  // estimate, from above: old versions that are kept for it
};

}  // namespace lightning
