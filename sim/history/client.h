// Client: makes the calls of one thread and writes into the journal what it asked and what it was told.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "env/simulated_content.h"
#include "lightning/database.h"
#include "sim/history/journal.h"

namespace lightning::sim::history {

struct ScanOptions {
  bool backward = false;
  std::size_t limit = ~std::size_t{0};  // stops after so many rows
};

// What the clients of a run do their transactions with.
struct Terms {
  Isolation level = Isolation::kSnapshot;
  bool optimistic = true, pessimistic = false;  // both: chosen for each transaction
  bool any_level = false;                       // chosen for each transaction, too
  bool sync_by_default = false;                 // what Durability::kDefault means
  bool virtual_time = false;                    // pauses cost nothing
};

// One transaction in progress. After an error it is over.
class Recorded {
 public:
  Recorded(Transaction& txn, Entry& entry, Journal& journal, const Tables& tables, env::Dice& dice)
      : txn_(txn), entry_(entry), journal_(journal), tables_(tables), dice_(dice) {}

  Result<Found> get(Key key) { return read(key, false); }
  Result<Found> get_for_update(Key key) { return read(key, true); }
  // For those who are going to write: at kReadCommitted, and else now and then, by get_for_update().
  Result<Found> get_to_write(Key key) {
    return read(key, entry_.level == Isolation::kReadCommitted || dice_.one_in(3));
  }
  // All of one table. Absent ones, too, in order of keys asked.
  Result<std::vector<Found>> multi_get(std::span<const Key> keys);
  // Rows of [from, to), of one table.
  Result<std::vector<Found>> scan(Key from, Key to, const ScanOptions& options = {});
  Status put(Key key, std::int64_t number, std::vector<Version> list = {});
  // Adds to the list that was found.
  Status append(const Found& found);
  // Without having looked: appends a version, whatever is there.
  Status merge(Key key);
  // In kSums: moves some amount, a different one each time.
  Status transfer(Key from, Key to);
  Status erase(Key key);
  Status erase_range(Key from, Key to);  // rows of [from, to), of one table
  Result<Savepoint> savepoint() { return txn_.set_savepoint(); }
  std::size_t mark() const { return entry_.operations.size(); }
  // Undoes what was written since mark() was `mark` and the savepoint was made.
  Status undo(const Savepoint& savepoint, std::size_t mark);

  const Entry& entry() const { return entry_; }
  env::Dice& dice() { return dice_; }

 private:
  Result<Found> read(Key key, bool for_update);
  // What was read, less what this transaction has added to it.
  Result<Found> decoded(Key key, const std::optional<std::string>& value) const;
  Status add(Key key, std::int64_t amount);
  Operation& begin(Operation::Kind kind);
  void end(Operation& operation) { operation.completed = journal_.now(); }

  Transaction& txn_;
  Entry& entry_;
  Journal& journal_;
  const Tables& tables_;
  env::Dice& dice_;
};

class Client {
 public:
  Client(Database& db, Journal& journal, const Tables& tables, std::uint32_t id, std::uint64_t seed, const Terms& terms)
      : db_(db), journal_(journal), tables_(tables), id_(id), dice_(seed), terms_(terms) {}

  // Runs `body` as a transaction, once.
  void transaction(const std::function<Status(Recorded&)>& body);
  // Calls on the database itself.
  void plain_read(std::span<const Key> keys);  // of one table
  void plain_write(std::span<const Key> keys, bool erase);
  void plain_merge(std::span<const Key> keys);
  void plain_transfer(Key from, Key to);
  void plain_exchange(Key key);  // reads, and writes if that is still there

  Journal& journal() { return journal_; }
  env::Dice& dice() { return dice_; }
  const Terms& terms() const { return terms_; }

 private:
  Entry& add();
  Entry& add_plain_write();
  void commit(Entry& entry, const WriteBatch& batch);
  Durability choose_durability();
  bool durable(Durability durability) const {
    return durability == Durability::kSync || (durability == Durability::kDefault && terms_.sync_by_default);
  }
  // Ends the entry as the error says.
  void end(Entry& entry, const Error& error, const char* what);

  Database& db_;
  Journal& journal_;
  const Tables& tables_;
  const std::uint32_t id_;
  env::Dice dice_;
  const Terms terms_;
};

}  // namespace lightning::sim::history
