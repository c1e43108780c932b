#include "sim/history/client.h"

#include <algorithm>

#include "base/hash.h"
#include "sim/history/merges.h"

namespace lightning::sim::history {

namespace {

std::size_t draw_padding(env::Dice& dice) { return dice.one_in(6) ? dice.below(600) : 0; }

// No two alike, so that no two sets of them have the same sum.
std::int64_t amount_of(Version version) {
  const std::uint64_t hash = base::hash64({reinterpret_cast<const char*>(&version), sizeof version});
  return static_cast<std::int64_t>(hash >> 24) + 1;
}

Result<Found> decoded_plain(Key key, const std::optional<std::string>& value) {
  if (!value) return Found{.key = key};
  if (auto found = decode(key, *value)) return *std::move(found);
  return Error(ErrorCode::kInconsistentState, "the value of " + name_of(key) + " makes no sense");
}

}  // namespace

// --- inside a transaction -----------------------------------------------------------------------------------------

Operation& Recorded::begin(Operation::Kind kind) {
  Operation& operation = entry_.operations.emplace_back();
  operation.kind = kind;
  operation.invoked = journal_.now();
  return operation;
}

Result<Found> Recorded::decoded(Key key, const std::optional<std::string>& value) const {
  LIGHTNING_ASSIGN(Found found, decoded_plain(key, value));
  if (table_of(key) == kSums) found.number -= added_by(entry_, key);
  return found;
}

Result<Found> Recorded::read(Key key, bool for_update) {
  Operation& operation = begin(for_update ? Operation::Kind::kReadForUpdate : Operation::Kind::kRead);
  const auto value = for_update ? txn_.get_for_update(tables_.keyspace(key), Tables::name(key))
                                : txn_.get(tables_.keyspace(key), Tables::name(key));
  if (!value) return value.error();
  LIGHTNING_ASSIGN(Found found, decoded(key, *value));
  operation.found.push_back(found);
  end(operation);
  return found;
}

Result<std::vector<Found>> Recorded::multi_get(std::span<const Key> keys) {
  Operation& operation = begin(Operation::Kind::kRead);
  std::vector<std::string> names;
  for (const Key key : keys) names.push_back(Tables::name(key));
  const std::vector<std::string_view> views(names.begin(), names.end());
  LIGHTNING_ASSIGN(const auto values, txn_.multi_get(tables_.keyspace(keys.front()), views));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    LIGHTNING_ASSIGN(Found found, decoded(keys[i], values[i]));
    operation.found.push_back(std::move(found));
  }
  end(operation);
  return operation.found;
}

Result<std::vector<Found>> Recorded::scan(Key from, Key to, const ScanOptions& options) {
  Operation& operation = begin(Operation::Kind::kScan);
  operation.from = from;
  operation.to = to;
  IterateOptions range;
  const bool whole = row_of(from) == 0 && table_of(to) > table_of(from);
  if (whole) {
    range.prefix = Tables::name(from).substr(0, 4);
  } else {
    range.lower_bound = Tables::name(from);
    range.upper_bound = Tables::name(to);
  }
  auto it = txn_.iterate(tables_.keyspace(from), range);
  const Moment seen_at_the_latest = journal_.now();
  options.backward ? it.seek_to_last() : it.seek_to_first();
  while (it.valid()) {
    const auto key = Tables::key(it.key());
    auto found = key ? decode(*key, it.value()) : std::nullopt;
    if (found && table_of(*key) == kSums) found->number -= added_by(entry_, *key);
    const bool in_order = operation.found.empty() || !key ||
                          (options.backward ? *key < operation.found.back().key : *key > operation.found.back().key);
    if (!found || *key < from || *key >= to || !in_order)
      return Error(ErrorCode::kInconsistentState, "a scan met " + std::string(it.key()));
    operation.found.push_back(*std::move(found));
    if (operation.found.size() == options.limit) {
      (options.backward ? operation.from : operation.to) = options.backward ? *key : *key + 1;
      break;
    }
    options.backward ? it.prev() : it.next();
  }
  LIGHTNING_TRY(it.status());
  operation.completed = seen_at_the_latest;  // it sees the moment of its creation
  return operation.found;
}

Status Recorded::put(Key key, std::int64_t number, std::vector<Version> list) {
  Operation& operation = begin(Operation::Kind::kWrite);
  const Version version = list.empty() ? journal_.fresh() : list.back();
  operation.found.push_back({key, version, number, std::move(list)});
  const std::string value = encode(operation.found.front(), draw_padding(dice_));
  const Status put = txn_.put(tables_.keyspace(key), Tables::name(key), value);
  end(operation);
  if (!put) entry_.operations.pop_back();
  return put;
}

Status Recorded::append(const Found& found) {
  std::vector<Version> list = found.list;
  list.push_back(journal_.fresh());
  const auto length = static_cast<std::int64_t>(list.size());
  return put(found.key, length, std::move(list));
}

Status Recorded::merge(Key key) {
  Operation& operation = begin(Operation::Kind::kMerge);
  operation.found.push_back({.key = key, .version = journal_.fresh()});
  const Status merged =
      txn_.merge(tables_.keyspace(key), Tables::name(key), encode_operand(operation.found.front().version));
  end(operation);
  if (!merged) entry_.operations.pop_back();
  return merged;
}

Status Recorded::add(Key key, std::int64_t amount) {
  Operation& operation = begin(Operation::Kind::kAdd);
  operation.found.push_back({.key = key, .version = journal_.fresh(), .number = amount});
  const Status added = txn_.merge(tables_.keyspace(key), Tables::name(key), encode_number(amount));
  end(operation);
  if (!added) entry_.operations.pop_back();
  return added;
}

Status Recorded::transfer(Key from, Key to) {
  const std::int64_t amount = amount_of(journal_.fresh());
  LIGHTNING_TRY(add(from, -amount));
  return add(to, amount);
}

Status Recorded::erase(Key key) {
  Operation& operation = begin(Operation::Kind::kErase);
  operation.found.push_back({.key = key, .version = journal_.fresh()});
  const Status erased = txn_.erase(tables_.keyspace(key), Tables::name(key));
  end(operation);
  if (!erased) entry_.operations.pop_back();
  return erased;
}

// To who judges, an erase of each key.
Status Recorded::erase_range(Key from, Key to) {
  const std::size_t mark = entry_.operations.size();
  for (Key key = from; key < to; ++key)
    begin(Operation::Kind::kErase).found.push_back({.key = key, .version = journal_.fresh()});
  const Status erased =
      txn_.erase_range(tables_.keyspace(from), {.start = Tables::name(from), .end = Tables::name(to)});
  for (std::size_t i = mark; i < entry_.operations.size(); ++i) end(entry_.operations[i]);
  if (!erased) entry_.operations.resize(mark);
  return erased;
}

Status Recorded::undo(const Savepoint& savepoint, std::size_t mark) {
  Operation& operation = begin(Operation::Kind::kUndo);
  operation.undone_from = mark;
  const Status undone = txn_.rollback_to(savepoint);
  end(operation);
  return undone;
}

// --- whole calls --------------------------------------------------------------------------------------------------

Entry& Client::add() {
  Entry& entry = journal_.history.clients[id_].emplace_back();
  entry.client = id_;
  entry.begin_invoked = journal_.now();
  return entry;
}

Durability Client::choose_durability() {
  if (dice_.one_in(8)) return Durability::kSync;
  return dice_.one_in(8) ? Durability::kAsync : Durability::kDefault;
}

void Client::end(Entry& entry, const Error& error, const char* what) {
  if (error.outcome() != WriteOutcome::kUnknown) {
    entry.outcome = Outcome::kAborted;
    entry.end_completed = journal_.now();
  }
  const bool may_be = error.category() == ErrorCategory::kRetryable || error.code() == ErrorCode::kTransactionTooLarge;
  if (!may_be || error.outcome() == WriteOutcome::kApplied) journal_.fail(std::string(what) + ": " + error.to_string());
}

void Client::transaction(const std::function<Status(Recorded&)>& body) {
  TransactionOptions options;
  options.isolation = terms_.any_level ? static_cast<Isolation>(dice_.below(3)) : terms_.level;
  const bool optimistic = terms_.optimistic && (!terms_.pessimistic || dice_.one_in(2));
  options.concurrency = optimistic ? Concurrency::kOptimistic : Concurrency::kPessimistic;
  options.durability = choose_durability();
  Entry& entry = add();
  entry.level = options.isolation;
  entry.mode = options.concurrency;
  auto txn = db_.begin(options);
  entry.begin_completed = journal_.now();
  if (!txn) {
    entry.end_invoked = entry.begin_completed;
    return end(entry, txn.error(), "begin");
  }
  Recorded recorded(*txn, entry, journal_, tables_, dice_);
  const Status done = body(recorded);
  const bool gives_up = done && dice_.one_in(15);
  entry.end_invoked = journal_.now();
  if (!done || gives_up) {
    if (txn->active())
      if (const Status rolled_back = txn->rollback(); !rolled_back) end(entry, rolled_back.error(), "rollback");
    entry.outcome = Outcome::kAborted;
    entry.end_completed = journal_.now();
    if (!done) end(entry, done.error(), "a call of a transaction");
    return;
  }
  const auto committed = txn->commit();
  if (!committed) return end(entry, committed.error(), "commit");
  entry.end_completed = journal_.now();
  entry.outcome = Outcome::kCommitted;
  if (!entry.changes_something()) return;
  entry.sequence = *committed;
  entry.durable = durable(options.durability);
}

void Client::plain_read(std::span<const Key> keys) {
  Entry& entry = add();
  entry.plain = true;
  entry.level = Isolation::kReadCommitted;
  Operation& operation = entry.operations.emplace_back();
  operation.invoked = entry.begin_completed = entry.begin_invoked;
  std::vector<std::string> names;
  for (const Key key : keys) names.push_back(Tables::name(key));
  const std::vector<std::string_view> views(names.begin(), names.end());
  std::vector<PinnedValue> values(keys.size());
  entry.end_invoked = entry.begin_invoked;
  if (const Status read = db_.multi_get(tables_.keyspace(keys.front()), views, values); !read)
    return end(entry, read.error(), "multi_get");
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto found =
        decoded_plain(keys[i], values[i].found() ? std::optional<std::string>(values[i].value()) : std::nullopt);
    if (!found) return end(entry, found.error(), "multi_get");
    operation.found.push_back(*found);
  }
  operation.completed = entry.end_completed = journal_.now();
  entry.outcome = Outcome::kCommitted;
}

Entry& Client::add_plain_write() {
  Entry& entry = add();
  entry.plain = true;
  entry.level = Isolation::kReadCommitted;
  entry.end_invoked = entry.begin_completed = entry.begin_invoked;
  return entry;
}

void Client::commit(Entry& entry, const WriteBatch& batch) {
  const Durability durability = choose_durability();
  const auto written = db_.write(batch, {.durability = durability});
  if (!written) return end(entry, written.error(), "write");
  entry.end_completed = journal_.now();
  entry.outcome = Outcome::kCommitted;
  entry.sequence = *written;
  entry.durable = durable(durability);
}

void Client::plain_merge(std::span<const Key> keys) {
  Entry& entry = add_plain_write();
  WriteBatch batch;
  for (const Key key : keys) {
    Operation& operation = entry.operations.emplace_back();
    operation.kind = Operation::Kind::kMerge;
    operation.invoked = operation.completed = entry.begin_invoked;
    operation.found.push_back({.key = key, .version = journal_.fresh()});
    batch.merge(tables_.keyspace(key), Tables::name(key), encode_operand(operation.found.front().version));
  }
  commit(entry, batch);
}

void Client::plain_transfer(Key from, Key to) {
  Entry& entry = add_plain_write();
  WriteBatch batch;
  const std::int64_t amount = amount_of(journal_.fresh());
  for (const auto& [key, by] : {std::pair(from, -amount), std::pair(to, amount)}) {
    Operation& operation = entry.operations.emplace_back();
    operation.kind = Operation::Kind::kAdd;
    operation.invoked = operation.completed = entry.begin_invoked;
    operation.found.push_back({.key = key, .version = journal_.fresh(), .number = by});
    batch.merge(tables_.keyspace(key), Tables::name(key), encode_number(by));
  }
  commit(entry, batch);
}

void Client::plain_write(std::span<const Key> keys, bool erase) {
  Entry& entry = add_plain_write();
  WriteBatch batch;
  for (const Key key : keys) {
    Operation& operation = entry.operations.emplace_back();
    operation.kind = erase ? Operation::Kind::kErase : Operation::Kind::kWrite;
    operation.invoked = operation.completed = entry.begin_invoked;
    operation.found.push_back({.key = key, .version = journal_.fresh()});
    if (erase && dice_.one_in(3)) {
      batch.erase_range(tables_.keyspace(key), {.start = Tables::name(key), .end = Tables::name(key + 1)});
    } else if (erase) {
      batch.erase(tables_.keyspace(key), Tables::name(key));
    } else {
      batch.put(tables_.keyspace(key), Tables::name(key), encode(operation.found.front(), draw_padding(dice_)));
    }
  }
  commit(entry, batch);
}

void Client::plain_exchange(Key key) {
  const std::string name = Tables::name(key);
  const auto before = db_.get(tables_.keyspace(key), name);
  if (!before) return journal_.fail("get: " + before.error().to_string());
  const auto seen = decoded_plain(key, *before);
  if (!seen) return journal_.fail("get: " + seen.error().to_string());
  Entry& entry = add();
  entry.plain = true;
  entry.level = Isolation::kSerializable;
  entry.end_invoked = entry.begin_completed = entry.begin_invoked;
  Found written{.key = key, .version = journal_.fresh(), .number = seen->number + 1};
  entry.operations.resize(2);
  Operation& read = entry.operations[0];
  Operation& write = entry.operations[1];
  read.invoked = write.invoked = entry.begin_invoked;
  write.kind = Operation::Kind::kWrite;
  write.found.push_back(written);
  const Durability durability = choose_durability();
  const std::optional<std::string_view> expected = *before ? std::optional<std::string_view>(**before) : std::nullopt;
  // Not told yet what it has read; a death in between leaves a write alone.
  const auto exchanged =
      db_.compare_and_set(tables_.keyspace(key), name, expected, encode(written, 0), {.durability = durability});
  if (!exchanged) return end(entry, exchanged.error(), "compare_and_set");
  entry.end_completed = read.completed = write.completed = journal_.now();
  entry.outcome = Outcome::kCommitted;
  if (exchanged->applied) {
    read.found.push_back(*seen);
    entry.durable = durable(durability);
    entry.sequence = exchanged->sequence;
    return;
  }
  const auto current = decoded_plain(key, exchanged->current);
  entry.operations.pop_back();
  entry.level = Isolation::kReadCommitted;
  if (!current) return journal_.fail("compare_and_set: " + current.error().to_string());
  if (current->version == seen->version) journal_.fail("compare_and_set refused what it found: " + name);
  entry.operations[0].found.push_back(*current);
}

}  // namespace lightning::sim::history
