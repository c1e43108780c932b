#include "txn/commit.h"

#include "base/planted_bug.h"
#include "format/batch.h"
#include "txn/changes.h"
#include "txn/coordinator.h"
#include "txn/core.h"
#include "txn/key_text.h"
#include "txn/transaction_iterator.h"

namespace lightning::txn {

namespace {

bool heeds_intents(Coordinator& coordinator) {
  return !coordinator.intents().none() && !base::planted(base::PlantedBug::kIgnoreIntents);
}

}  // namespace

// --- transactions ---------------------------------------------------------------------------------------------------

CommitAdmission::CommitAdmission(Core& core, std::string_view batch)
    : core_(core),
      coordinator_(core.coordinator_),
      amendment_(core.engine(), batch),
      latches_(core.coordinator_.latches()) {}

CommitAdmission::~CommitAdmission() { withdraw(); }

Error CommitAdmission::conflict(std::string_view key, Sequence with) {
  met_ = with;
  return core_.conflict(key, with);
}

void CommitAdmission::withdraw() {
  if (published_) coordinator_.intents().withdraw(core_.id());
  published_ = false;
}

// What takes time is done here, before the gate: ranges, and whatever needs the disk. What it reads is in memory when
// the keys are checked again inside.
Status CommitAdmission::prepare() {
  LIGHTNING_TRY(check_kept());
  LIGHTNING_TRY(amendment_.prepare());
  if (base::planted(base::PlantedBug::kSkipValidation)) return {};
  LIGHTNING_TRY(check_ranges());
  const Sequence sees = core_.live_.sequence;
  if (!core_.pinned_) return {};
  for (const Keyspace& keyspace : core_.keyspaces_)
    if (!all_newer_in_one_memtable(*engine::Engine::tree_behind(keyspace), sees)) return check_keys();
  if (!all_newer_in_one_memtable(*engine::Engine::tree_behind(core_.engine().default_keyspace()), sees))
    return check_keys();
  return {};
}

// Where a range was erased as one write, there was no index then. Begun anew, the transaction erases key by key.
Status CommitAdmission::check_kept() const {
  for (const WriteSet::Range& range : core_.writes_.ranges())
    if (const engine::Tree* tree = core_.tree(range.keyspace); tree->kept())
      return Error(ErrorCode::kConflict, "keyspace " + tree->name + " has got an index since transaction " +
                                             std::to_string(core_.id()) + " erased a range of it")
          .in_key_range(key_text(range.start));
  return {};
}

// Ranges that were read; and, where the first to write wins, ranges that are erased.
Status CommitAdmission::check_ranges() {
  KeyRanges erased;
  if (core_.fixed_snapshot())
    for (const WriteSet::Range& range : core_.writes_.ranges())
      erased.add(range.keyspace, range.start, range.end.empty() ? KeyRanges::End() : KeyRanges::End(range.end));
  ranges_ = erased;
  const bool phantoms = !base::planted(base::PlantedBug::kLosePhantoms);
  if (phantoms) ranges_.add(core_.reads_.ranges());
  if (ranges_.empty()) return {};
  coordinator_.intents().publish(core_.id(), ranges_);
  published_ = true;
  core_.engine().drain_writers();
  const auto check = [this](const KeyRanges& ranges, Sequence after) -> Status {
    for (const auto& [keyspace, of_keyspace] : ranges.by_keyspace()) {
      const engine::Tree* tree = core_.tree(keyspace);
      for (const auto& [start, end] : of_keyspace) {
        LIGHTNING_ASSIGN(const auto change, newer_write_in(*tree, start, end, after));
        if (change) return conflict(change->key, change->sequence);
      }
    }
    return {};
  };
  LIGHTNING_TRY(check(erased, core_.live_.sequence));
  return phantoms ? check(core_.reads_.ranges(), core_.reads_.ranges_after()) : Status{};
}

// Locks and ranges of others that forbid what this one erases. Under all latches: whoever locks a key from now on waits
// until the ranges are in the memtables, and finds them there.
Result<std::optional<engine::Admission::Answer>> CommitAdmission::check_erased_ranges() {
  for (const WriteSet::Range& range : core_.writes_.ranges()) {
    if (const auto locked = coordinator_.locks().locked_in_range(range.keyspace, range.start, range.end, core_.id()))
      return Error(ErrorCode::kConflict, "key " + key_text(locked->key) + ", in a range that is erased, is locked by " +
                                             "transaction " + std::to_string(locked->holder.id) +
                                             (locked->holder.label.empty() ? "" : " (" + locked->holder.label + ")"))
          .in_key_range(key_text(locked->key));
    const auto other = coordinator_.intents().overlapping(range.keyspace, range.start, range.end, core_.id());
    if (!other) continue;
    if (published_ && core_.id() > *other)
      return Error(ErrorCode::kConflict, "a range that begins at " + key_text(range.start) +
                                             " and is erased shares keys with one that transaction " +
                                             std::to_string(*other) + ", which is committing, has read or erases")
          .in_key_range(key_text(range.start));
    waits_for_ = *other;
    waits_at_ = range.start;
    return std::optional(Answer::kWait);
  }
  return std::optional<Answer>();
}

Result<engine::Admission::Answer> CommitAdmission::enter() {
  if (!collected_) {
    for (const auto& [key, written] : core_.writes_.map())
      if (written.newest != nullptr) latches_.need(in_keyspace(written.hash, key.keyspace));
    if (const ReadSet::Keys* keys = core_.reads_.keys())
      for (const auto& [key, read] : *keys) latches_.need(in_keyspace(read.hash, key.keyspace));
    amendment_.need_latches(latches_);
    if (!core_.writes_.ranges().empty()) latches_.need_all();
    collected_ = true;
  }
  latches_.take();
  const auto decide = [this]() -> Result<Answer> {
    LIGHTNING_TRY(check_kept());
    if (!base::planted(base::PlantedBug::kSkipValidation)) LIGHTNING_TRY(check_keys());
    LIGHTNING_ASSIGN(const bool settled, amendment_.settle());
    outdated_ = !settled;
    if (outdated_) return Answer::kWait;
    return check_others();
  };
  Result<Answer> answer = decide();
  if (!answer || *answer == Answer::kWait) latches_.release();
  return answer;
}

// Locks and ranges of others that forbid what this one writes.
Result<engine::Admission::Answer> CommitAdmission::check_others() {
  const bool intents = heeds_intents(coordinator_);
  const auto wait_for = [this](std::uint64_t other, std::string_view key) -> Result<Answer> {
    if (published_ && core_.id() > other)
      return Error(ErrorCode::kConflict, "key " + key_text(key) + " lies in a range that transaction " +
                                             std::to_string(other) + ", which is committing, has read")
          .in_key_range(key_text(key));
    waits_for_ = other;
    waits_at_ = key;
    return Answer::kWait;
  };
  if (intents)
    for (const engine::Derived& one : amendment_.derived())
      if (const auto other = coordinator_.intents().covering(one.tree->id, one.key, core_.id()))
        return wait_for(*other, one.record);
  LIGHTNING_ASSIGN(const std::optional<Answer> ranges, check_erased_ranges());
  if (ranges) return *ranges;
  if (core_.pessimistic() && !intents) return Answer::kGo;
  for (const auto& [key, written] : core_.writes_.map()) {
    if (written.newest == nullptr) continue;
    if (!core_.pessimistic()) {
      const LockKey lock_key{key.keyspace, key.bytes, in_keyspace(written.hash, key.keyspace)};
      if (const auto holder = coordinator_.locks().locked_by_other(lock_key, core_.id()))
        return Error(ErrorCode::kConflict, "key " + key_text(key.bytes) + " is locked by transaction " +
                                               std::to_string(holder->id) +
                                               (holder->label.empty() ? "" : " (" + holder->label + ")"))
            .in_key_range(key_text(key.bytes));
    }
    if (!intents) continue;
    if (const auto other = coordinator_.intents().covering(key.keyspace, key.bytes, core_.id()))
      return wait_for(*other, key.bytes);
  }
  return Answer::kGo;
}

// Whether keys are as they were read, or, if only written, as they were when the snapshot was taken.
Status CommitAdmission::check_keys() {
  // Nobody has written anything since the snapshot that all was read at. Under the latches this settles it: who wrote
  // one of these keys before us had its latch, and in it his place in the log.
  if (!core_.pessimistic() && core_.fixed_snapshot() && core_.engine().newest_logged() == core_.live_.sequence)
    return {};
  if (const ReadSet::Keys* keys = core_.reads_.keys())
    for (const auto& [key, read] : *keys) {
      LIGHTNING_ASSIGN(const Sequence newer, newer_write(*core_.tree(key.keyspace), key.bytes, read.hash, read.after));
      if (newer != 0) return conflict(key.bytes, newer);
    }
  if (core_.pessimistic() || !core_.fixed_snapshot()) return {};  // locked; or may overwrite whatever is there
  for (const auto& [key, written] : core_.writes_.map()) {
    if (written.newest == nullptr) continue;
    LIGHTNING_ASSIGN(const Sequence newer,
                     newer_write(*core_.tree(key.keyspace), key.bytes, written.hash, core_.live_.sequence));
    if (newer != 0) return conflict(key.bytes, newer);
  }
  return {};
}

void CommitAdmission::leave(Sequence first, Sequence last) {
  if (last != 0) coordinator_.note_commit(core_.id(), first, last);
  latches_.release();
  withdraw();
}

Status CommitAdmission::wait() {
  if (std::exchange(outdated_, false)) {
    latches_.need_none();
    collected_ = false;
    return amendment_.prepare();
  }
  if (coordinator_.intents().wait_until_withdrawn(waits_for_, core_.engine().env().clock, core_.lock_timeout_))
    return {};
  return Error(ErrorCode::kConflict, "key " + key_text(waits_at_) + " lies in a range that transaction " +
                                         std::to_string(waits_for_) +
                                         " has read or erases, whose commit takes longer than lock_timeout")
      .in_key_range(key_text(waits_at_));
}

// Whatever comes of it, the transaction has ended.
Result<Sequence> Core::commit(Durability durability) {
  const Call call(*this);
  if (!call.entered()) return call.entered().error();
  if (const auto open = engine_->tree_of(engine_->default_keyspace()); !open) return end_with(open.error());
  for (TransactionIterator* iterator : iterators_) iterator->record_way();

  if (writes_.live() == 0) {
    if (const ReadSet::Keys* keys = reads_.keys())
      for (const auto& [key, read] : *keys) {
        if (!read.for_update) continue;
        const auto newer = newer_write(*tree(key.keyspace), key.bytes, read.hash, read.after);
        if (!newer) return end_with(newer.error());
        if (*newer != 0) return end_with(conflict(key.bytes, *newer));
      }
    const Sequence sees = fixed_snapshot() ? live_.sequence : engine_->visible();
    end(TransactionState::kCommitted);
    return sees;
  }

  std::string batch;
  const std::uint32_t operations = writes_.encode(batch);
  if (base::planted(base::PlantedBug::kReleaseLocksEarly)) coordinator_.locks().release_all(owner_);
  CommitAdmission admission(*this, batch);
  Result<Sequence> committed = engine_->write(batch, operations, durability, &admission);
  if (committed) {
    end(TransactionState::kCommitted);
    return committed;
  }
  // What stood in the way becomes visible before the caller begins again, or that would meet it again.
  if (admission.met() != 0) coordinator_.wait_until_visible(admission.met());
  return end_with(committed.error(), committed.error().outcome() == WriteOutcome::kUnknown
                                         ? TransactionState::kUnknown
                                         : TransactionState::kRolledBack);
}

// --- plain writes ---------------------------------------------------------------------------------------------------

PlainAdmission::PlainAdmission(Coordinator& coordinator, std::string_view batch)
    : coordinator_(coordinator),
      batch_(batch),
      amendment_(coordinator.engine(), batch),
      latches_(coordinator.latches()) {}

PlainAdmission::~PlainAdmission() {
  if (owner_) coordinator_.locks().release_all(*owner_);
}

Result<engine::Admission::Answer> PlainAdmission::enter() {
  using format::BatchReader;
  if (!collected_) {
    // Malformed or oversized operations are refused when the engine reads the batch.
    for (BatchReader reader(batch_, BatchReader::Source::kCaller); reader.next();) {
      if (reader.operation().type == format::EntryType::kEraseRange) {
        latches_.need_all();
      } else {
        latches_.need(in_keyspace(key_hash(reader.operation().key), reader.operation().keyspace));
      }
    }
    amendment_.need_latches(latches_);
    collected_ = true;
  }
  latches_.take();
  const std::uint64_t self = owner_ ? owner_->id : 0;
  const bool intents = heeds_intents(coordinator_);
  for (BatchReader reader(batch_, BatchReader::Source::kCaller); reader.next();) {
    if (blocked(reader.operation(), self, intents)) {
      latches_.release();
      return Answer::kWait;
    }
  }
  const Result<bool> settled = amendment_.settle();
  outdated_ = settled && !*settled;
  if (settled && *settled && intents) derived_into_intent(self);
  if (!settled || outdated_ || blocked_by_intent_ != 0) latches_.release();
  if (!settled) return settled.error();
  return outdated_ || blocked_by_intent_ != 0 ? Answer::kWait : Answer::kGo;
}

bool PlainAdmission::blocked(const format::Operation& operation, std::uint64_t self, bool intents) {
  const format::KeyspaceId keyspace = operation.keyspace;
  std::optional<std::uint64_t> intent;
  if (operation.type == format::EntryType::kEraseRange) {
    if (auto locked = coordinator_.locks().locked_in_range(keyspace, operation.key, operation.value, self)) {
      blocked_key_ = std::move(locked->key);
      blocked_by_lock_ = LockKey{keyspace, blocked_key_, locked->hash};
    }
    if (intents) intent = coordinator_.intents().overlapping(keyspace, operation.key, operation.value, self);
  } else {
    const LockKey key{keyspace, operation.key, in_keyspace(key_hash(operation.key), keyspace)};
    if (coordinator_.locks().locked_by_other(key, self)) blocked_by_lock_ = key;
    if (intents) intent = coordinator_.intents().covering(keyspace, key.key, self);
  }
  if (intent) {
    blocked_by_intent_ = *intent;
    intent_key_ = operation.key;
  }
  return blocked_by_lock_ || intent;
}

void PlainAdmission::derived_into_intent(std::uint64_t self) {
  for (const engine::Derived& one : amendment_.derived())
    if (const auto intent = coordinator_.intents().covering(one.tree->id, one.key, self)) {
      blocked_by_intent_ = *intent;
      intent_key_ = one.record;
      return;
    }
}

void PlainAdmission::leave(Sequence, Sequence) { latches_.release(); }

Status PlainAdmission::wait() {
  const auto timeout = coordinator_.engine().config().lock_timeout;
  if (blocked_by_lock_) {
    if (!owner_) owner_.emplace(coordinator_.next_id(), "plain write");
    std::uint64_t waited_ns = 0;
    const auto locked =
        coordinator_.locks().acquire(*owner_, *blocked_by_lock_, LockMode::kExclusive, timeout, &waited_ns);
    blocked_by_lock_.reset();
    if (waited_ns != 0) coordinator_.count_wait(waited_ns);
    if (!locked) return locked.error();
  }
  if (blocked_by_intent_ != 0) {
    const std::uint64_t intent = std::exchange(blocked_by_intent_, 0);
    if (!coordinator_.intents().wait_until_withdrawn(intent, coordinator_.engine().env().clock, timeout))
      return Error(ErrorCode::kLockTimeout, "key " + key_text(intent_key_) + " lies in a range that transaction " +
                                                std::to_string(intent) +
                                                " has read or erases, whose commit takes longer than lock_timeout")
          .in_key_range(key_text(intent_key_));
  }
  if (std::exchange(outdated_, false)) {
    latches_.need_none();
    collected_ = false;
    LIGHTNING_TRY(amendment_.prepare());
  }
  return {};
}

}  // namespace lightning::txn
