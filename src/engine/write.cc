// The commit pipeline: the one place where a write becomes logged, applied, durable, visible and acknowledged.
#include <algorithm>

#include "base/planted_bug.h"
#include "engine/engine.h"
#include "format/batch.h"
#include "format/expiry.h"

namespace lightning::engine {

namespace {

// Where the encoded form of one operation lies: on the stack when it is small.
class EncodedOperation {
 public:
  explicit EncodedOperation(const format::Operation& operation) {
    const std::size_t bytes = format::operation_bytes(operation);
    char* to = stack_;
    if (bytes > sizeof stack_) {
      heap_ = std::make_unique_for_overwrite<char[]>(bytes);
      to = heap_.get();
    }
    format::put_operation(to, operation);
    bytes_ = {to, bytes};
  }
  std::string_view bytes() const { return bytes_; }

 private:
  char stack_[1024];
  std::unique_ptr<char[]> heap_;
  std::string_view bytes_;
};

Counter counter_of(format::EntryType type) {
  switch (type) {
    case format::EntryType::kMerge:
      return Counter::kMerges;
    case format::EntryType::kErase:
      return Counter::kErases;
    case format::EntryType::kEraseRange:
      return Counter::kRangeErases;
    case format::EntryType::kPut:
    case format::EntryType::kPutExpiring:
    case format::EntryType::kBlobReference:
      break;
  }
  return Counter::kPuts;
}

template <class Go>
class PlainWriteOf final : public PlainWrite {
 public:
  PlainWriteOf(std::string_view encoded, Go& go) : PlainWrite(encoded), go_(go) {}
  Result<Sequence> go(Admission& admission) override { return go_(admission); }

 private:
  Go& go_;
};

}  // namespace

Status Engine::check_sizes(std::string_view key, std::string_view value) {
  if (key.empty()) [[unlikely]]
    return Error(ErrorCode::kKeyEmpty, "the key is empty");
  if (key.size() > kKeyBytesMax) [[unlikely]]
    return Error(ErrorCode::kKeyTooLarge,
                 "the key has " + std::to_string(key.size()) + " bytes, the limit is " + std::to_string(kKeyBytesMax));
  if (value.size() > kValueBytesMax) [[unlikely]]
    return Error(ErrorCode::kValueTooLarge, "the value has " + std::to_string(value.size()) + " bytes, the limit is " +
                                                std::to_string(kValueBytesMax));
  return {};
}

Status Engine::check_writable() {
  if (closed_.load(std::memory_order_acquire)) return Error(ErrorCode::kClosed, "the database is closed");
  if (access_ == Access::kReadOnly) return Error(ErrorCode::kReadOnlyDatabase, "the database was opened read-only");
  if (writes_stopped_.load(std::memory_order_acquire)) {
    base::MutexLock lock(jobs_mutex_);
    if (background_error_) return Error(*background_error_).with_outcome(WriteOutcome::kNotApplied);
  }
  return {};
}

namespace {

Error not_as_range(const Tree& tree) {
  return Error(ErrorCode::kNotSupported,
               "keyspace " + tree.name + " is counted or indexed: a batch cannot erase a range of it; use " +
                   "Database::erase_range or Transaction::erase_range, which erase its keys one by one");
}

}  // namespace

// The memtables that a batch goes to: memory is reserved in each before anything is logged.
class Engine::BatchTarget {
 public:
  // `operations`: that many count as the user's.
  BatchTarget(const Engine& engine, std::string_view batch, std::uint32_t operations)
      : engine_(engine), batch_(batch), operations_(operations) {}

  // Whether the batch writes to a keyspace whose count or indexes must be kept in step.
  bool kept() const {
    if (!engine_.keeps()) [[likely]]
      return false;
    const TreeTable& trees = *engine_.tree_table_.load(std::memory_order_acquire);
    for (format::BatchReader reader(batch_, format::BatchReader::Source::kCaller); reader.next();)
      if (const Tree* tree = trees.find(reader.operation().keyspace); tree != nullptr && tree->kept()) return true;
    return false;
  }

  // Checks each operation, then reserves memory per tree: batches mostly write to one or two.
  Status prepare() {
    const TreeTable& trees = *engine_.tree_table_.load(std::memory_order_acquire);
    format::BatchReader reader(batch_, format::BatchReader::Source::kCaller);  // checks sizes, too
    while (reader.next()) {
      const format::Operation& operation = reader.operation();
      Tree* tree = trees.find(operation.keyspace);
      if (tree == nullptr && operation.keyspace == format::kNoKeyspace)
        return Error(ErrorCode::kInvalidArgument, "the batch writes to an empty keyspace handle");
      if (tree == nullptr)
        return Error(ErrorCode::kKeyspaceNotFound,
                     "the batch writes to keyspace " + std::to_string(operation.keyspace) + ", which does not exist");
      if (first_ == nullptr) first_ = tree;
      if (operation.type == format::EntryType::kEraseRange) {
        if (tree->kept()) return not_as_range(*tree);
        need_of(tree);  // what it takes cannot be reserved
        continue;
      }
      Need& need = need_of(tree);
      need.entries += 1;
      need.bytes += operation.key.size() + operation.value.size();
    }
    LIGHTNING_TRY(reader.status());
    Status reserved = first_ != nullptr ? one_.reserve(*first_) : Status{};
    for (auto& [tree, need] : others_)
      if (reserved) reserved = need.reserve(*tree);
    if (!reserved) withdraw();
    return reserved;
  }
  void withdraw() {
    if (first_ != nullptr) one_.withdraw(*first_);
    for (auto& [tree, need] : others_) need.withdraw(*tree);
  }
  Tree* apply(Sequence sequence) {
    Tree* full = nullptr;
    std::uint32_t place = 0;
    for (format::BatchReader reader(batch_); reader.next(); ++sequence, ++place) {
      const format::Operation& operation = reader.operation();
      Tree* tree = engine_.tree_of(operation.keyspace);
      if (operation.type == format::EntryType::kEraseRange) [[unlikely]] {
        need_of(tree).ranges.push_back({operation.key, operation.value, sequence});
      } else {
        tree->active().add({operation.key, sequence, operation.type, operation.value});
      }
      if (tree->active().memory_bytes() >= engine_.memtable_limit()) full = tree;
      if (operation.changes_count) need_of(tree).records += operation.count_change();
      if (place >= operations_) continue;
      user_bytes_ += operation.key.size() + operation.value.size();
      const Counter counter = counter_of(operation.type);
      puts_ += counter == Counter::kPuts ? 1 : 0;
      merges_ += counter == Counter::kMerges ? 1 : 0;
      ranges_ += counter == Counter::kRangeErases ? 1 : 0;
    }
    const auto add_ranges = [&](Tree* tree, Need& need) {
      if (need.ranges.empty()) [[likely]]
        return;
      tree->active().add_ranges(std::move(need.ranges));
      if (tree->active().memory_bytes() >= engine_.memtable_limit()) full = tree;
    };
    if (first_ != nullptr) add_ranges(first_, one_);
    for (auto& [tree, need] : others_) add_ranges(tree, need);
    // All at once: whoever counts meanwhile sees the batch or does not.
    if (first_ != nullptr && one_.records != 0) first_->add_records(one_.records);
    for (auto& [tree, need] : others_)
      if (need.records != 0) tree->add_records(need.records);
    return full;
  }
  // The user's operations went with others, in `together`.
  void went_in(const BatchTarget& together) {
    user_bytes_ = together.user_bytes_;
    puts_ = together.puts_;
    merges_ = together.merges_;
    ranges_ = together.ranges_;
  }
  std::uint64_t user_bytes() const { return user_bytes_; }
  std::uint64_t user_puts() const { return puts_; }
  std::uint64_t user_merges() const { return merges_; }
  std::uint64_t user_ranges() const { return ranges_; }

 private:
  struct Need {
    std::uint64_t entries = 0, bytes = 0, records = 0;
    std::vector<format::RangeTombstone> ranges;  // of the batch
    bool reserved = false;
    Status reserve(const Tree& tree) {
      LIGHTNING_TRY(tree.active().reserve(entries, bytes));
      reserved = true;
      return {};
    }
    void withdraw(const Tree& tree) const {
      if (reserved) tree.active().withdraw(entries, bytes);
    }
  };
  struct ById {  // addresses differ from run to run
    bool operator()(const Tree* a, const Tree* b) const { return a->id < b->id; }
  };
  Need& need_of(Tree* tree) { return tree == first_ ? one_ : others_[tree]; }

  const Engine& engine_;
  const std::string_view batch_;
  const std::uint32_t operations_;
  Tree* first_ = nullptr;
  Need one_;
  std::map<Tree*, Need, ById> others_;
  std::uint64_t user_bytes_ = 0, puts_ = 0, merges_ = 0, ranges_ = 0;
};

// Inside the gate: from here on only the disk can fail.
template <class Target>
Result<wal::WriteAheadLog::Ticket> Engine::log_and_apply(std::string_view payload, std::uint32_t operations, bool sync,
                                                         Target& target, Tree*& fullest) {
  LIGHTNING_TRY(target.prepare());  // memory for the entries: after the log is written nothing may fail
  auto reserved = wal_->reserve({payload, operations, sync});
  if (!reserved) [[unlikely]] {
    target.withdraw();  // or the memory of writes that fail, again and again, would add up
    return reserved;
  }
  wal_->copy(*reserved, payload);
  fullest = target.apply(reserved->first_sequence);
  wal_->complete(*reserved);
  return reserved;
}

// Who came through the gate before transactions existed and met them inside goes back, to come with an admission.
template <class Target>
Result<Sequence> Engine::commit(std::string_view payload, std::uint32_t operations, Durability durability,
                                Target& target, Admission* admission) {
  const auto arbitrated = [&]() -> Result<Sequence> {
    auto again = [&](Admission& given) { return commit(payload, operations, durability, target, &given); };
    PlainWriteOf<decltype(again)> write(payload, again);
    return arbiter()->arbitrate(write);
  };
  if (admission == nullptr && arbitrates_all_.load(std::memory_order_relaxed)) return arbitrated();

  if (closed_.load(std::memory_order_relaxed) || access_ == Access::kReadOnly ||
      writes_stopped_.load(std::memory_order_relaxed)) [[unlikely]]
    LIGHTNING_TRY(check_writable());
  if (must_wait_.load(std::memory_order_relaxed) != Wait::kNone ||
      delay_ns_per_kib_.load(std::memory_order_relaxed) != 0) [[unlikely]]
    LIGHTNING_TRY(hold_back(payload));

  const bool sync = durability == Durability::kSync ||
                    (durability == Durability::kDefault && config_.wal_sync_mode == WalSyncMode::kSync);
  wal::WriteAheadLog::Ticket ticket;
  Tree* fullest = nullptr;
  std::optional<Error> failed;
  if (admission != nullptr) LIGHTNING_TRY(admission->prepare());
  for (bool done = false; !done;) {
    {
      const WriteGate::Pass pass(gate_);
      std::optional<Admission::Amended> amended;
      if (admission != nullptr) {
        LIGHTNING_ASSIGN(const Admission::Answer answer, admission->enter());
        done = answer == Admission::Answer::kGo;
        if (done) amended = admission->amended();
      } else {
        done = !arbitrates_all_.load(std::memory_order_relaxed) && !target.kept();
      }
      if (done) [[likely]] {
        Result<wal::WriteAheadLog::Ticket> logged = [&] {
          if (!amended) [[likely]]
            return log_and_apply(payload, operations, sync, target, fullest);
          BatchTarget together(*this, amended->batch, operations);
          auto all = log_and_apply(amended->batch, amended->operations, sync, together, fullest);
          target.went_in(together);
          return all;
        }();
        if (admission != nullptr)
          logged ? admission->leave(logged->first_sequence, logged->last_sequence) : admission->leave(0, 0);
        if (logged) [[likely]] {
          ticket = std::move(*logged);
        } else {
          failed = std::move(logged).error();
        }
      }
    }
    if (done) break;
    if (admission == nullptr) return arbitrated();
    LIGHTNING_TRY(admission->wait());
  }
  if (failed) [[unlikely]] {
    log_ran_out_of_space(*failed);
    return std::move(*failed);
  }
  if (base::planted(base::PlantedBug::kPublishBeforeSync)) publish(ticket.last_sequence);
  if (base::planted(base::PlantedBug::kAcknowledgeBeforeSync)) ticket.sync = false, ticket.sync_barrier = 0;
  if (auto durable = wal_->wait_durable(ticket); !durable) [[unlikely]] {
    fail_writes(durable.error());
    return std::move(durable).error();
  }
  publish(ticket.last_sequence);
  if (fullest != nullptr) [[unlikely]]
    seal_full(fullest);
  // The log has become longer only where it went on into another segment.
  if (ticket.opens_segment) [[unlikely]]
    log_has_grown();
  return ticket.last_sequence;
}

Status Engine::put(const Keyspace& keyspace, std::string_view key, std::string_view value,
                   const WriteOptions& options) {
  LIGHTNING_ASSIGN(Tree * tree, tree_of(keyspace));
  if (options.has_lifetime() || tree->options.default_ttl.count() > 0) [[unlikely]] {
    LIGHTNING_ASSIGN(const std::uint64_t expires_ms, expiry_of(*tree, options.lifetime()));
    if (expires_ms != 0) {
      std::string expiring;
      format::append_expiring(expiring, {expires_ms, value});
      return write_one(keyspace, tree, format::EntryType::kPutExpiring, key, expiring, options.durability);
    }
  }
  return write_one(keyspace, tree, format::EntryType::kPut, key, value, options.durability);
}

Status Engine::merge(const Keyspace& keyspace, std::string_view key, std::string_view operand, Durability durability) {
  LIGHTNING_ASSIGN(Tree * tree, tree_of(keyspace));
  LIGHTNING_TRY(check_operand(*tree, operand));
  return write_one(keyspace, tree, format::EntryType::kMerge, key, operand, durability);
}

Status Engine::erase(const Keyspace& keyspace, std::string_view key, Durability durability) {
  LIGHTNING_ASSIGN(Tree * tree, tree_of(keyspace));
  return write_one(keyspace, tree, format::EntryType::kErase, key, {}, durability);
}

Status Engine::write_one(const Keyspace& keyspace, Tree* tree, format::EntryType type, std::string_view key,
                         std::string_view value, Durability durability) {
  LIGHTNING_TRY(check_sizes(key, value));
  const std::uint64_t start = begin_timing();

  const EncodedOperation encoded({type, tree->id, key, value});
  struct Target {
    Engine& engine;
    const Keyspace& keyspace;
    Tree* tree;
    const format::Entry entry;
    bool kept() const { return tree->kept(); }
    Status prepare() {
      if (tree->dropped.load(std::memory_order_acquire)) [[unlikely]]
        return engine.tree_of(keyspace).error();
      return tree->active().reserve(1, entry.key.size() + entry.value.size());
    }
    void went_in(const BatchTarget&) {}
    void withdraw() { tree->active().withdraw(1, entry.key.size() + entry.value.size()); }
    Tree* apply(Sequence sequence) {
      memtable::MemTable& memtable = tree->active();
      memtable.add({entry.key, sequence, entry.type, entry.value});
      return memtable.memory_bytes() >= engine.memtable_limit() ? tree : nullptr;
    }
  } target{*this, keyspace, tree, {key, 0, type, value}};
  LIGHTNING_TRY(commit(encoded.bytes(), 1, durability, target, nullptr));
  counters_.add(counter_of(type));
  counters_.add(Counter::kUserBytesWritten, key.size() + value.size());
  if (start != 0) latencies_.put.record(env_.clock.monotonic_ns() - start);
  return {};
}

Status Engine::erase_range(const Keyspace& keyspace, const KeyRange& range, Durability durability) {
  LIGHTNING_ASSIGN(const Tree* tree, tree_of(keyspace));
  const EncodedOperation encoded(format::erase_range(tree->id, range.start, range.end));
  LIGHTNING_TRY(write(encoded.bytes(), 1, durability));
  return {};
}

WriteArbiter& Engine::set_arbiter(std::unique_ptr<WriteArbiter> arbiter, Arbitrated which) {
  const WriteGate::Closure closed(gate_);
  if (!arbiter_owned_) {
    arbiter_owned_ = std::move(arbiter);
    arbiter_.store(arbiter_owned_.get(), std::memory_order_release);
  }
  if (which == Arbitrated::kAll) arbitrates_all_.store(true, std::memory_order_release);
  return *arbiter_owned_;
}

Result<Sequence> Engine::write(std::string_view batch, std::uint32_t operations, Durability durability,
                               Admission* admission) {
  if (batch.size() > kBatchBytesMax)
    return Error(ErrorCode::kBatchTooLarge, "the batch has " + std::to_string(batch.size()) + " bytes, the limit is " +
                                                std::to_string(kBatchBytesMax));
  if (operations == 0) {
    LIGHTNING_TRY(check_writable());
    return visible();
  }
  const std::uint64_t start = begin_timing();
  BatchTarget target(*this, batch, operations);
  LIGHTNING_ASSIGN(const Sequence last, commit(batch, operations, durability, target, admission));
  counters_.add(Counter::kBatches);
  counters_.add(Counter::kPuts, target.user_puts());
  counters_.add(Counter::kMerges, target.user_merges());
  counters_.add(Counter::kErases, operations - target.user_puts() - target.user_merges() - target.user_ranges());
  counters_.add(Counter::kRangeErases, target.user_ranges());
  counters_.add(Counter::kUserBytesWritten, target.user_bytes());
  if (start != 0) latencies_.write.record(env_.clock.monotonic_ns() - start);
  return last;
}

Status Engine::sync() {
  LIGHTNING_TRY(check_writable());
  const std::uint64_t start = env_.clock.monotonic_ns();
  if (auto synced = wal_->sync(); !synced) {
    fail_writes(synced.error());
    return synced;
  }
  latencies_.sync.record(env_.clock.monotonic_ns() - start);
  return {};
}

// Sequences become visible in any order of calls, but each call stands for all before it: they are complete, and as
// durable as they asked to be.
void Engine::publish(Sequence sequence) {
  Sequence seen = visible_.load(std::memory_order_relaxed);
  while (seen < sequence &&
         !visible_.compare_exchange_weak(seen, sequence, std::memory_order_release, std::memory_order_relaxed)) {}
}

// Of several errors the first one tells most, unless a later one is worse.
void Engine::fail_writes(const Error& error) {
  base::MutexLock lock(jobs_mutex_);
  const auto critical = [](const Error& which) { return which.category() == ErrorCategory::kCritical; };
  if (!background_error_ || (critical(error) && !critical(*background_error_))) background_error_ = error;
  writes_stopped_.store(true, std::memory_order_release);
  jobs_changed_.notify_all();
}

// Writers are slowed in proportion to how far background work is behind, and wait only at the hard limits.
Error Engine::stalled(std::uint64_t waited_ns, bool for_archive) {
  const std::string waited = "the write waited " + std::to_string(waited_ns / 1'000'000) + " ms for ";
  if (!for_archive) return {ErrorCode::kStalled, waited + "flushes and compactions"};
  return Error(ErrorCode::kStalled, waited + "the archive, which is more than archive_backlog_max behind" +
                                        (archive_state_.error.empty() ? "" : ": " + archive_state_.error))
      .with_advice("see to the archive's destination: archiving is tried again by itself");
}

Status Engine::hold_back(std::string_view payload) {
  const bool was_short = space_is_short_.load(std::memory_order_acquire);
  LIGHTNING_TRY(refuse_growth(payload));
  constexpr std::uint64_t kStepNs = 1'000'000;
  const std::uint64_t start = env_.clock.monotonic_ns();
  const auto limit_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(config_.write_stall_timeout).count());
  const auto waits = [](Wait reason) { return reason != Wait::kNone && reason != Wait::kSpace; };
  if (const Wait reason = must_wait_.load(std::memory_order_acquire); waits(reason)) {
    base::MutexLock lock(jobs_mutex_);
    while (waits(must_wait_.load(std::memory_order_acquire)) && !background_error_ && !closing() &&
           space_is_short_.load(std::memory_order_acquire) == was_short) {
      const std::uint64_t waited = env_.clock.monotonic_ns() - start;
      if (limit_ns != 0 && waited >= limit_ns) return stalled(waited, must_wait_.load() == Wait::kArchive);
      jobs_changed_.wait_for(jobs_mutex_, std::chrono::milliseconds(100));
    }
    const std::uint64_t waited_us = (env_.clock.monotonic_ns() - start) / 1000;
    BackgroundCounters& all = background_;
    const bool flush = reason == Wait::kMemTables, archive = reason == Wait::kArchive;
    (flush     ? all.memtable_limit_us
     : archive ? all.archive_limit_us
               : all.level0_stop_us)
        .fetch_add(waited_us, std::memory_order_relaxed);
    (flush     ? all.memtable_limit_count
     : archive ? all.archive_limit_count
               : all.level0_stop_count)
        .fetch_add(1, std::memory_order_relaxed);
    LIGHTNING_TRY(refuse_growth(payload));  // the disk may have filled up meanwhile
  }
  const std::uint64_t delay = delay_ns_per_kib_.load(std::memory_order_relaxed) * payload.size() / 1024;
  if (delay == 0) return check_writable();
  // Short delays are saved up: a sleep of less than a millisecond would cost more than it gives.
  const std::uint64_t owed = owed_delay_ns_.fetch_add(delay, std::memory_order_relaxed) + delay;
  if (owed >= kStepNs) {
    owed_delay_ns_.fetch_sub(owed, std::memory_order_relaxed);
    base::sleep_for(std::chrono::nanoseconds(owed));
    background_.level0_slowdown_count.fetch_add(1, std::memory_order_relaxed);
    background_.level0_slowdown_us.fetch_add(owed / 1000, std::memory_order_relaxed);
  }
  return check_writable();
}

}  // namespace lightning::engine
