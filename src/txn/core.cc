#include "txn/core.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "format/expiry.h"
#include "txn/changes.h"
#include "txn/commit.h"
#include "txn/coordinator.h"
#include "txn/key_text.h"
#include "txn/transaction_iterator.h"

namespace lightning::txn {

namespace {

constexpr std::uint64_t kLockBytes = 160;  // of one lock in the table, without its key

std::uint64_t limit_ns(const std::optional<std::chrono::milliseconds>& asked, std::chrono::milliseconds configured) {
  const std::chrono::milliseconds limit = asked.value_or(configured);
  return limit.count() <= 0 ? 0 : static_cast<std::uint64_t>(std::chrono::nanoseconds(limit).count());
}

std::chrono::milliseconds milliseconds_between(std::uint64_t from_ns, std::uint64_t to_ns) {
  return std::chrono::milliseconds(to_ns > from_ns ? (to_ns - from_ns) / 1'000'000 : 0);
}

}  // namespace

Core::Core(std::shared_ptr<engine::Engine> engine, Coordinator& coordinator, const TransactionOptions& options,
           std::uint64_t id, std::uint64_t now_ns)
    : engine_(std::move(engine)),
      coordinator_(coordinator),
      options_(options),
      lock_timeout_(options.lock_timeout.value_or(engine_->config().lock_timeout)),
      idle_limit_ns_(limit_ns(options.idle_timeout, engine_->config().transaction_idle_timeout)),
      total_limit_ns_(limit_ns(options.total_timeout, engine_->config().transaction_timeout)),
      begun_ns_(now_ns),
      used_ns_(now_ns),
      owner_(id, options.owner) {
  live_.transaction = id;
  live_.owner = options.owner;
  if (fixed_snapshot()) pin_snapshot();
}

Core::~Core() = default;

// --- calls and the end of them --------------------------------------------------------------------------------------

Status Core::enter() {
  for (base::Backoff backoff;; backoff.pause()) {
    Phase phase = Phase::kIdle;
    if (phase_.compare_exchange_strong(phase, Phase::kInCall, std::memory_order_acquire, std::memory_order_acquire))
      break;
    if (phase == Phase::kEnded) return ended_error();
  }
  const std::uint64_t now_ns = engine_->env().clock.monotonic_ns();
  if (overdue(now_ns)) [[unlikely]] {
    end(TransactionState::kExpired);
    leave();
    return ended_error();
  }
  used_ns_.store(now_ns, std::memory_order_relaxed);
  return {};
}

void Core::leave() {
  phase_.store(state() == TransactionState::kActive ? Phase::kIdle : Phase::kEnded, std::memory_order_release);
}

bool Core::overdue(std::uint64_t now_ns) const {
  const std::uint64_t used_ns = used_ns_.load(std::memory_order_relaxed);
  return (idle_limit_ns_ != 0 && now_ns > used_ns && now_ns - used_ns > idle_limit_ns_) ||
         (total_limit_ns_ != 0 && now_ns > begun_ns_ && now_ns - begun_ns_ > total_limit_ns_);
}

Core::Overdue Core::claim_if_overdue(std::uint64_t now_ns) {
  Overdue answer;
  if (idle_limit_ns_ != 0) answer.earliest_ns = used_ns_.load(std::memory_order_relaxed) + idle_limit_ns_ + 1;
  if (total_limit_ns_ != 0) answer.earliest_ns = std::min(answer.earliest_ns, begun_ns_ + total_limit_ns_ + 1);
  if (!overdue(now_ns)) return answer;
  answer.earliest_ns = now_ns + 1'000'000;  // a call is running: it ends before long
  Phase idle = Phase::kIdle;
  if (!phase_.compare_exchange_strong(idle, Phase::kInCall, std::memory_order_acquire, std::memory_order_relaxed))
    return answer;
  answer.claimed = overdue(now_ns);  // or the owner made a call in between
  if (!answer.claimed) leave();
  return answer;
}

void Core::expire() {
  end(TransactionState::kExpired);
  leave();
}

void Core::end(TransactionState state) {
  coordinator_.locks().release_all(owner_);
  unpin_snapshot();
  state_.store(state, std::memory_order_release);
  coordinator_.ended(*this);
}

Error Core::end_with(Error error, TransactionState state) {
  coordinator_.count_end(error.code());
  end_error_ = error;
  end(state);
  return error;
}

Error Core::ended_error() const {
  const std::string name = "transaction " + std::to_string(id());
  switch (state()) {
    case TransactionState::kExpired: {
      const bool idle = total_limit_ns_ == 0 || idle_limit_ns_ != 0;
      return Error(
          ErrorCode::kTransactionExpired,
          name + " was rolled back: no call, or no commit, came within its time (" +
              (idle_limit_ns_ != 0 ? "idle_timeout " + std::to_string(idle_limit_ns_ / 1'000'000) + " ms" : "") +
              (idle && total_limit_ns_ != 0 ? ", " : "") +
              (total_limit_ns_ != 0 ? "total_timeout " + std::to_string(total_limit_ns_ / 1'000'000) + " ms" : "") +
              ")");
    }
    case TransactionState::kCommitted:
      return Error(ErrorCode::kTransactionEnded, name + " was committed").with_outcome(WriteOutcome::kApplied);
    case TransactionState::kUnknown:
      return Error(ErrorCode::kTransactionEnded, name + " has ended: " + (end_error_ ? end_error_->message() : ""))
          .with_outcome(WriteOutcome::kUnknown);
    case TransactionState::kActive:
    case TransactionState::kRolledBack:
      break;
  }
  return Error(ErrorCode::kTransactionEnded,
               name + " was rolled back" + (end_error_ ? ": " + end_error_->message() : std::string()));
}

Status Core::check_active() {
  const Call call(*this);
  return call.entered();
}

Status Core::rollback() {
  const Call call(*this);
  if (!call.entered()) return call.entered();
  end(TransactionState::kRolledBack);
  return {};
}

// --- what it sees ---------------------------------------------------------------------------------------------------

void Core::pin_snapshot() {
  live_.since_ns = used_ns_.load(std::memory_order_relaxed);
  engine_->take_snapshot(live_);
  pinned_ = true;
  sees_.store(live_.sequence, std::memory_order_relaxed);
  snapshot_ = engine::Engine::unpinned(live_.sequence);
}

void Core::unpin_snapshot() {
  if (pinned_) engine_->release_snapshot(live_);
  pinned_ = false;
}

Sequence Core::snapshot_sequence() const {
  return fixed_snapshot() ? sees_.load(std::memory_order_relaxed) : engine_->visible();
}

Result<engine::Tree*> Core::use(const Keyspace& keyspace) {
  LIGHTNING_ASSIGN(engine::Tree * tree, engine_->tree_of(keyspace));
  if (tree->id == engine_->default_keyspace().id()) return tree;
  for (const Keyspace& used : keyspaces_)
    if (used.id() == tree->id) return tree;
  keyspaces_.push_back(keyspace);
  return tree;
}

// One that use() has answered.
engine::Tree* Core::tree(format::KeyspaceId keyspace) const {
  const Keyspace& standard = engine_->default_keyspace();
  if (keyspace == standard.id()) return engine::Engine::tree_behind(standard);
  for (const Keyspace& used : keyspaces_)
    if (used.id() == keyspace) return engine::Engine::tree_behind(used);
  return nullptr;
}

const WriteSet::Version* Core::own(const engine::Tree& tree, std::string_view key) const {
  if (base::planted(base::PlantedBug::kIgnoreOwnWrites)) return nullptr;
  return writes_.find(tree.id, key);
}

// --- memory ---------------------------------------------------------------------------------------------------------

// What was read may take a quarter of the memory, and gives way to writes.
Status Core::charge(std::uint64_t bytes) {
  const std::uint64_t limit = engine_->config().transaction_memory_bytes;
  const std::uint64_t written = writes_.bytes() + lock_bytes_ + bytes;
  if (written + reads_.bytes() <= limit) [[likely]]
    return {};
  if (written < limit) reads_.shrink_to(limit - written);
  if (written + reads_.bytes() <= limit) return {};
  return Error(ErrorCode::kTransactionTooLarge,
               "transaction " + std::to_string(id()) + " would need " + std::to_string(written + reads_.bytes()) +
                   " bytes of memory, transaction_memory_bytes is " + std::to_string(limit));
}

void Core::note_bytes() { bytes_.store(writes_.bytes() + reads_.bytes() + lock_bytes_, std::memory_order_relaxed); }

void Core::track(engine::Tree& tree, std::string_view key, std::uint64_t hash, Sequence after, bool for_update) {
  reads_.add(tree.id, key, hash, after, for_update);
  const std::uint64_t share = engine_->config().transaction_memory_bytes / 4;
  if (reads_.bytes() > share) [[unlikely]]
    reads_.shrink_to(share / 2);
  note_bytes();
}

void Core::track_range(format::KeyspaceId keyspace, std::string_view start, KeyRanges::End end) {
  reads_.add_range(keyspace, start, std::move(end), live_.sequence);
  const std::uint64_t share = engine_->config().transaction_memory_bytes / 4;
  if (reads_.bytes() > share) [[unlikely]]
    reads_.shrink_to(share / 2);
  note_bytes();
}

// --- locks ----------------------------------------------------------------------------------------------------------

// Locks the key. `reads`: what the caller relies on is the key's newest version, so that must be what it sees.
Status Core::lock(engine::Tree& tree, std::string_view key, std::uint64_t hash, LockMode mode, bool reads) {
  LIGHTNING_TRY(charge(kLockBytes + key.size()));
  std::uint64_t waited_ns = 0;
  const LockKey lock_key{tree.id, key, in_keyspace(hash, tree.id)};
  const auto locked = coordinator_.locks().acquire(owner_, lock_key, mode, lock_timeout_, &waited_ns);
  if (waited_ns != 0) {
    coordinator_.count_wait(waited_ns);
    // Time spent in a call is not idle time.
    used_ns_.store(engine_->env().clock.monotonic_ns(), std::memory_order_relaxed);
  }
  if (!locked) {
    if (locked.error().code() == ErrorCode::kDeadlock) return end_with(locked.error());
    coordinator_.count_lock_timeout();
    return locked.error();
  }
  if (*locked) {
    lock_bytes_ += kLockBytes + key.size();
    note_bytes();
  } else if (fixed_snapshot()) {
    return {};  // it was settled when it was locked, and nobody has changed it since
  }
  if (!reads && !fixed_snapshot()) return {};
  return settle(tree, key, hash);
}

// The key is locked: nobody can change it any more. If it was changed after the moment that this transaction sees, that
// moment moves on, which nobody can notice as long as all that was read is locked, too.
Status Core::settle(engine::Tree& tree, std::string_view key, std::uint64_t hash) {
  coordinator_.latches().pass(in_keyspace(hash, tree.id));
  const Sequence sees = fixed_snapshot() ? live_.sequence : engine_->visible();
  const auto newest = newer_write(tree, key, hash, sees);
  if (!newest) return end_with(newest.error());
  if (*newest == 0) return {};
  if (fixed_snapshot() && snapshot_used_ && !base::planted(base::PlantedBug::kMoveOnAfterReads))
    return end_with(conflict(key, *newest));
  if (!coordinator_.wait_until_visible(*newest)) return end_with(conflict(key, *newest));
  if (fixed_snapshot()) {
    unpin_snapshot();
    pin_snapshot();
  }
  return {};
}

Error Core::conflict(std::string_view key, Sequence with) const {
  std::string text = "key " + key_text(key) + " was changed after transaction " + std::to_string(id());
  if (!owner_.label.empty()) text += " (" + owner_.label + ")";
  text += " began, ";
  const std::uint64_t other = coordinator_.transaction_of(with);
  text += other != 0 ? "by transaction " + std::to_string(other) : "by a plain write or an earlier transaction";
  return Error(ErrorCode::kConflict, std::move(text)).in_key_range(key_text(key));
}

// --- writes ---------------------------------------------------------------------------------------------------------

Status Core::put(const Keyspace& keyspace, std::string_view key, std::string_view value, const Lifetime& lifetime) {
  if ((!lifetime.ttl && !lifetime.expires_at && !engine_->has_default_ttls()) || state() != TransactionState::kActive)
      [[likely]]
    return write(keyspace, format::EntryType::kPut, key, value);
  LIGHTNING_ASSIGN(const engine::Tree* tree, engine_->tree_of(keyspace));
  LIGHTNING_ASSIGN(const std::uint64_t expires_ms, engine_->expiry_of(*tree, lifetime));
  if (expires_ms == 0) return write(keyspace, format::EntryType::kPut, key, value);
  std::string expiring;
  format::append_expiring(expiring, {expires_ms, value});
  return write(keyspace, format::EntryType::kPutExpiring, key, expiring);
}

Status Core::write(const Keyspace& keyspace, format::EntryType type, std::string_view key, std::string_view value) {
  const Call call(*this);
  if (!call.entered()) return call.entered();
  LIGHTNING_ASSIGN(engine::Tree * tree, use(keyspace));
  LIGHTNING_TRY(engine::Engine::check_sizes(key, value));
  if (type == format::EntryType::kMerge) LIGHTNING_TRY(engine_->check_operand(*tree, value));
  if (options_.read_only)
    return Error(ErrorCode::kReadOnlyTransaction,
                 "write in transaction " + std::to_string(id()) + ", which is read-only");
  LIGHTNING_TRY(charge(WriteSet::cost(key, value) + (pessimistic() ? kLockBytes + key.size() : 0)));
  const std::uint64_t hash = key_hash(key);
  if (pessimistic()) LIGHTNING_TRY(lock(*tree, key, hash, LockMode::kExclusive, false));
  writes_.add({type, tree->id, key, value}, hash);
  note_bytes();
  return {};
}

// Takes no locks: what is in the range is looked at when it commits.
Status Core::erase_range(const Keyspace& keyspace, const KeyRange& range) {
  std::string encoded;
  format::append_operation(encoded, format::erase_range(engine_->default_keyspace().id(), range.start, range.end));
  format::BatchReader reader(encoded, format::BatchReader::Source::kCaller);
  reader.next();
  format::Operation operation = reader.operation();
  {
    const Call call(*this);
    if (!call.entered()) return call.entered();
    LIGHTNING_ASSIGN(const engine::Tree* tree, use(keyspace));
    LIGHTNING_TRY(reader.status());
    if (options_.read_only)
      return Error(ErrorCode::kReadOnlyTransaction,
                   "erase_range in transaction " + std::to_string(id()) + ", which is read-only");
    if (!tree->kept()) {
      operation.keyspace = tree->id;
      LIGHTNING_TRY(charge(WriteSet::range_cost(operation.key, operation.value)));
      writes_.add_range(operation);
      note_bytes();
      return {};
    }
  }
  return erase_each(keyspace, operation.key, operation.value);
}

// Counts and indexes follow keys, one by one. All of them are erased, or none.
Status Core::erase_each(const Keyspace& keyspace, std::string_view start, std::string_view end) {
  IterateOptions bounds{.lower_bound = std::string(start)};
  if (!end.empty()) bounds.upper_bound = std::string(end);
  const std::uint64_t limit = engine_->config().transaction_memory_bytes;
  const std::uint64_t lock_bytes = pessimistic() ? kLockBytes : 0;
  std::vector<std::string> keys;
  std::uint64_t bytes = 0;
  {
    LIGHTNING_ASSIGN(const auto there, iterate(keyspace, bounds));
    for (there->seek_to_first(); there->valid(); there->next()) {
      const std::string_view key = there->key();
      bytes += WriteSet::cost(key, {}) + (lock_bytes == 0 ? 0 : lock_bytes + key.size());
      if (bytes > limit)
        return Error(ErrorCode::kTransactionTooLarge,
                     "keyspace " + keyspace.name() +
                         " is counted or indexed, so the keys of a range are erased one by " +
                         "one, in one transaction: these are more than transaction_memory_bytes (" +
                         std::to_string(limit) + ") can hold; erase the range in parts");
      keys.emplace_back(key);
    }
    LIGHTNING_TRY(there->status());
  }
  const Call call(*this);
  if (!call.entered()) return call.entered();
  LIGHTNING_ASSIGN(engine::Tree * tree, use(keyspace));
  // A key that comes into the range meanwhile is a conflict, as it is where the range is one write.
  if (fixed_snapshot()) track_range(tree->id, start, end.empty() ? KeyRanges::End() : KeyRanges::End(end));
  LIGHTNING_TRY(charge(bytes));
  if (pessimistic())
    for (const std::string& key : keys) LIGHTNING_TRY(lock(*tree, key, key_hash(key), LockMode::kExclusive, false));
  for (const std::string& key : keys) writes_.add({format::EntryType::kErase, tree->id, key, {}}, key_hash(key));
  note_bytes();
  return {};
}

Result<Savepoint> Core::set_savepoint() {
  const Call call(*this);
  if (!call.entered()) return call.entered().error();
  // One for the whole process: transactions of two databases may have the same id.
  static std::atomic<std::uint64_t> serials{0};
  Savepoint savepoint;
  savepoint.transaction_ = id();
  savepoint.serial_ = serials.fetch_add(1, std::memory_order_relaxed) + 1;
  savepoints_.push_back({savepoint.serial_, writes_.mark()});
  return savepoint;
}

Status Core::rollback_to(const Savepoint& savepoint) {
  const Call call(*this);
  if (!call.entered()) return call.entered();
  if (savepoint.transaction_ != id())
    return Error(ErrorCode::kInvalidArgument, "the savepoint belongs to transaction " +
                                                  std::to_string(savepoint.transaction_) + ", this is transaction " +
                                                  std::to_string(id()));
  const auto found = std::find_if(savepoints_.begin(), savepoints_.end(),
                                  [&](const Mark& mark) { return mark.serial == savepoint.serial_; });
  if (found == savepoints_.end())
    return Error(
        ErrorCode::kInvalidArgument,
        "the savepoint was undone by a rollback to an earlier one, or is of a transaction of another database");
  writes_.undo_to(found->changes);
  savepoints_.erase(found + 1, savepoints_.end());
  return {};
}

// --- reads ----------------------------------------------------------------------------------------------------------

Result<bool> Core::read(const Keyspace& keyspace, std::string_view key, std::string& value) {
  return engine_->get(keyspace, key, value, {.snapshot = fixed_snapshot() ? &snapshot_ : nullptr});
}

Result<bool> Core::get(const Keyspace& keyspace, std::string_view key, std::string& value) {
  const Call call(*this);
  if (!call.entered()) return call.entered().error();
  LIGHTNING_ASSIGN(engine::Tree * tree, use(keyspace));
  if (const WriteSet::Version* mine = own(*tree, key)) {
    const auto below = [&](std::string& base) -> Result<bool> {
      LIGHTNING_TRY(note_read(*tree, key));
      return read(keyspace, key, base);
    };
    return resolve_own(*tree, key, *mine, below, value);
  }
  LIGHTNING_TRY(note_read(*tree, key));
  return read(keyspace, key, value);
}

// A plain read of `key` is about to be made.
Status Core::note_read(engine::Tree& tree, std::string_view key) {
  if (!tracks_reads()) {
    snapshot_used_ = true;
    return {};
  }
  LIGHTNING_TRY(engine::Engine::check_sizes(key, {}));
  const std::uint64_t hash = key_hash(key);
  if (pessimistic()) return lock(tree, key, hash, LockMode::kShared, true);
  track(tree, key, hash, live_.sequence, false);
  return {};
}

Result<bool> Core::get_for_update(const Keyspace& keyspace, std::string_view key, std::string& value) {
  const Call call(*this);
  if (!call.entered()) return call.entered().error();
  LIGHTNING_ASSIGN(engine::Tree * tree, use(keyspace));
  LIGHTNING_TRY(engine::Engine::check_sizes(key, {}));
  if (options_.read_only)
    return Error(ErrorCode::kReadOnlyTransaction,
                 "get_for_update in transaction " + std::to_string(id()) + ", which is read-only");
  const std::uint64_t hash = key_hash(key);
  const WriteSet::Version* mine = own(*tree, key);
  if (pessimistic()) {
    LIGHTNING_TRY(lock(*tree, key, hash, LockMode::kExclusive, true));
  } else if (fixed_snapshot()) {
    track(*tree, key, hash, live_.sequence, true);
  } else if (mine == nullptr || mine->needs_base()) {
    // Its own moment, which stays pinned while the key is read. The first one stays until the end, so that what is
    // written to these keys from then on cannot vanish without a trace before it is verified.
    if (!pinned_) pin_snapshot();
    const Snapshot now = engine_->snapshot(owner_.label);
    track(*tree, key, hash, now.sequence(), true);
    const auto there = [&](std::string& base) { return engine_->get(keyspace, key, base, {.snapshot = &now}); };
    return mine == nullptr ? there(value) : resolve_own(*tree, key, *mine, there, value);
  }
  const auto there = [&](std::string& base) { return read(keyspace, key, base); };
  return mine == nullptr ? there(value) : resolve_own(*tree, key, *mine, there, value);
}

Result<std::vector<std::optional<std::string>>> Core::multi_get(const Keyspace& keyspace,
                                                                std::span<const std::string_view> keys) {
  const Call call(*this);
  if (!call.entered()) return call.entered().error();
  LIGHTNING_ASSIGN(engine::Tree * tree, use(keyspace));
  std::vector<std::optional<std::string>> answers(keys.size());
  std::vector<std::string_view> asked;
  std::vector<std::size_t> places;
  const auto nothing_below = [](std::string&) -> Result<bool> { return false; };
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (const WriteSet::Version* mine = own(*tree, keys[i])) {
      if (!mine->needs_base()) {
        std::string value;
        LIGHTNING_ASSIGN(const bool found, resolve_own(*tree, keys[i], *mine, nothing_below, value));
        if (found) answers[i] = std::move(value);
        continue;
      }
    }
    LIGHTNING_TRY(note_read(*tree, keys[i]));
    asked.push_back(keys[i]);
    places.push_back(i);
  }
  std::vector<PinnedValue> found(asked.size());
  LIGHTNING_TRY(engine_->multi_get(keyspace, asked, found, {.snapshot = fixed_snapshot() ? &snapshot_ : nullptr}));
  for (std::size_t i = 0; i < asked.size(); ++i)
    if (const WriteSet::Version* mine = own(*tree, asked[i])) {
      const auto below = [&](std::string& base) -> Result<bool> {
        base.assign(found[i].value());
        return found[i].found();
      };
      std::string value;
      LIGHTNING_ASSIGN(const bool there, resolve_own(*tree, asked[i], *mine, below, value));
      if (there) answers[places[i]] = std::move(value);
    } else if (found[i].found()) {
      answers[places[i]].emplace(found[i].value());
    }
  return answers;
}

Result<std::unique_ptr<engine::Cursor>> Core::iterate(const Keyspace& keyspace, const IterateOptions& options) {
  const Call call(*this);
  if (!call.entered()) return call.entered().error();
  if (options.snapshot != nullptr)
    return Error(ErrorCode::kInvalidArgument,
                 "an iterator of a transaction sees what the transaction sees: no snapshot");
  LIGHTNING_ASSIGN(engine::Tree * tree, use(keyspace));
  IterateOptions as_seen = options;
  as_seen.snapshot = fixed_snapshot() ? &snapshot_ : nullptr;
  snapshot_used_ = true;
  LIGHTNING_ASSIGN(auto base, engine_->iterate(keyspace, as_seen));
  return std::make_unique<TransactionIterator>(shared_from_this(), tree->id, std::move(base));
}

Status Core::visit_writes(const Keyspace& keyspace,
                          const std::function<Status(std::string_view, const WriteSet::Version&)>& visit) {
  const Call call(*this);
  if (!call.entered()) return call.entered();
  LIGHTNING_ASSIGN(const engine::Tree* tree, use(keyspace));
  for (auto own = writes_.map().lower_bound(WriteSet::Key{tree->id, {}});
       own != writes_.map().end() && own->first.keyspace == tree->id; ++own) {
    if (own->second.newest == nullptr) continue;
    LIGHTNING_TRY(visit(own->first.bytes, *writes_.or_erased(tree->id, own->first.bytes, own->second.newest)));
  }
  return {};
}

Result<KeyRanges> Core::erased_ranges(const Keyspace& keyspace) {
  const Call call(*this);
  if (!call.entered()) return call.entered().error();
  LIGHTNING_ASSIGN(const engine::Tree* tree, use(keyspace));
  KeyRanges erased;
  for (const WriteSet::Range& range : writes_.ranges())
    if (range.keyspace == tree->id)
      erased.add(range.keyspace, range.start, range.end.empty() ? KeyRanges::End() : KeyRanges::End(range.end));
  return erased;
}

TransactionInfo Core::info(std::uint64_t now_ns) const {
  TransactionInfo info;
  info.id = id();
  info.owner = owner_.label;
  info.isolation = options_.isolation;
  info.concurrency = options_.concurrency;
  info.read_only = options_.read_only;
  info.age = milliseconds_between(begun_ns_, now_ns);
  info.idle = phase_.load(std::memory_order_relaxed) == Phase::kInCall
                  ? std::chrono::milliseconds(0)
                  : milliseconds_between(used_ns_.load(std::memory_order_relaxed), now_ns);
  info.snapshot = sees_.load(std::memory_order_relaxed);
  info.bytes = bytes();
  info.locks = owner_.locks();
  return info;
}

}  // namespace lightning::txn
