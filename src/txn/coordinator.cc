#include "txn/coordinator.h"

#include <algorithm>

#include "txn/changes.h"
#include "txn/commit.h"
#include "txn/core.h"
#include "txn/key_text.h"

namespace lightning::txn {

namespace {

std::chrono::milliseconds age(std::uint64_t since_ns, std::uint64_t now_ns) {
  return std::chrono::milliseconds(now_ns > since_ns ? (now_ns - since_ns) / 1'000'000 : 0);
}

}  // namespace

Coordinator& Coordinator::of(engine::Engine& engine) {
  if (engine.arbitrates_all()) return static_cast<Coordinator&>(*engine.arbiter());
  return static_cast<Coordinator&>(
      engine.set_arbiter(std::make_unique<Coordinator>(engine), engine::Engine::Arbitrated::kAll));
}

Coordinator& Coordinator::for_kept(engine::Engine& engine) {
  if (engine::WriteArbiter* arbiter = engine.arbiter()) return static_cast<Coordinator&>(*arbiter);
  return static_cast<Coordinator&>(
      engine.set_arbiter(std::make_unique<Coordinator>(engine), engine::Engine::Arbitrated::kKeptKeyspaces));
}

Coordinator::Coordinator(engine::Engine& engine)
    : engine_(engine),
      locks_(engine.env().clock, {.find_deadlocks = engine.config().enable_deadlock_detection,
                                  .end_overdue = [this] { return end_overdue_until(); }}) {}

Coordinator::~Coordinator() = default;

// --- beginning and ending -------------------------------------------------------------------------------------------

Result<std::shared_ptr<Core>> Coordinator::begin(std::shared_ptr<engine::Engine> engine,
                                                 const TransactionOptions& options) {
  const auto out_of_range = [](const std::optional<std::chrono::milliseconds>& limit) {
    return limit && (limit->count() < 0 || *limit > std::chrono::hours(24));
  };
  if (out_of_range(options.lock_timeout) || out_of_range(options.idle_timeout) || out_of_range(options.total_timeout))
    return Error(ErrorCode::kInvalidArgument, "a time limit of a transaction is between 0 and 24 hours");
  if (options.isolation > Isolation::kSerializable || options.concurrency > Concurrency::kPessimistic)
    return Error(ErrorCode::kInvalidArgument, "no such isolation level or mode");
  if (const Status writable = engine_.check_writable(); !writable) {
    const ErrorCode code = writable.error().code();
    if (code == ErrorCode::kClosed || (code == ErrorCode::kReadOnlyDatabase && !options.read_only))
      return writable.error();
  }
  const std::uint64_t now_ns = engine_.env().clock.monotonic_ns();
  if (now_ns >= next_overdue_ns_.load(std::memory_order_relaxed)) end_overdue_until();
  const std::uint32_t limit = engine_.config().max_active_transactions;
  if (active_.fetch_add(1, std::memory_order_relaxed) >= limit) {
    active_.fetch_sub(1, std::memory_order_relaxed);
    refused_.fetch_add(1, std::memory_order_relaxed);
    return Error(
        ErrorCode::kTooManyTransactions,
        "max_active_transactions (" + std::to_string(limit) + ") are active; the oldest is " + [this] {
          const std::vector<TransactionInfo> all = transactions();
          if (all.empty()) return std::string("gone");
          const TransactionInfo& oldest = all.front();
          return std::to_string(oldest.id) + (oldest.owner.empty() ? "" : " (" + oldest.owner + ")") + ", " +
                 std::to_string(oldest.age.count()) + " ms old";
        }());
  }
  auto core = std::make_shared<Core>(std::move(engine), *this, options, next_id(), now_ns);
  {
    ActiveList& list = list_of(core->id());
    base::MutexLock lock(list.mutex);
    core->next_ = list.first;
    if (list.first != nullptr) list.first->previous_ = core.get();
    list.first = core.get();
  }
  const Core::Overdue due = core->claim_if_overdue(now_ns);
  std::uint64_t next = next_overdue_ns_.load(std::memory_order_relaxed);
  while (due.earliest_ns < next && !next_overdue_ns_.compare_exchange_weak(next, due.earliest_ns)) {}
  counts().begun.fetch_add(1, std::memory_order_relaxed);
  return core;
}

void Coordinator::ended(Core& core) {
  {
    ActiveList& list = list_of(core.id());
    base::MutexLock lock(list.mutex);
    (core.previous_ != nullptr ? core.previous_->next_ : list.first) = core.next_;
    if (core.next_ != nullptr) core.next_->previous_ = core.previous_;
  }
  active_.fetch_sub(1, std::memory_order_relaxed);
  const TransactionState state = core.state();
  (state == TransactionState::kCommitted ? counts().committed : counts().rolled_back)
      .fetch_add(1, std::memory_order_relaxed);
  if (state == TransactionState::kExpired) expired_.fetch_add(1, std::memory_order_relaxed);
}

void Coordinator::count_end(ErrorCode why) {
  if (why == ErrorCode::kConflict) conflicts_.fetch_add(1, std::memory_order_relaxed);
  if (why == ErrorCode::kDeadlock) deadlocks_.fetch_add(1, std::memory_order_relaxed);
}

void Coordinator::count_wait(std::uint64_t waited_ns) {
  lock_waits_.fetch_add(1, std::memory_order_relaxed);
  lock_wait_ns_.fetch_add(waited_ns, std::memory_order_relaxed);
}

template <class Visit>
void Coordinator::for_each_active(Visit visit) {
  for (ActiveList& list : lists_) {
    base::MutexLock lock(list.mutex);
    for (Core* core = list.first; core != nullptr; core = core->next_) visit(*core);
  }
}

std::chrono::nanoseconds Coordinator::end_overdue_until() {
  constexpr std::uint64_t kNever = ~std::uint64_t{0};
  const std::uint64_t now_ns = engine_.env().clock.monotonic_ns();
  std::uint64_t next = next_overdue_ns_.load(std::memory_order_relaxed);
  if (now_ns >= next) {
    // Whoever begins meanwhile lowers it again.
    next_overdue_ns_.store(kNever, std::memory_order_relaxed);
    next = kNever;
    std::vector<Core*> claimed;
    for_each_active([&](Core& core) {
      const Core::Overdue due = core.claim_if_overdue(now_ns);
      if (due.claimed) {
        claimed.push_back(&core);  // its owner waits for us: it cannot go away
      } else {
        next = std::min(next, due.earliest_ns);
      }
    });
    for (Core* core : claimed) core->expire();
    std::uint64_t known = next_overdue_ns_.load(std::memory_order_relaxed);
    while (next < known && !next_overdue_ns_.compare_exchange_weak(known, next)) {}
  }
  constexpr std::uint64_t kLong = 3'600'000'000'000;
  return std::chrono::nanoseconds(std::min(next == kNever ? kLong : next - std::min(next, now_ns), kLong));
}

// --- writes ---------------------------------------------------------------------------------------------------------

Result<Sequence> Coordinator::arbitrate(engine::PlainWrite& write) {
  PlainAdmission admission(*this, write.batch);
  return write.go(admission);
}

namespace {

// A plain write that looks, under the latch of its key, whether the value is the expected one.
class ConditionalAdmission final : public PlainAdmission {
 public:
  ConditionalAdmission(Coordinator& coordinator, std::string_view batch, const Keyspace& keyspace, std::string_view key,
                       std::optional<std::string_view> expected)
      : PlainAdmission(coordinator, batch), keyspace_(keyspace), key_(key), expected_(expected) {}

  Status prepare() override {  // brings the key's block into memory
    LIGHTNING_TRY(PlainAdmission::prepare());
    LIGHTNING_TRY(coordinator_.engine().get(keyspace_, key_, current_, {}));
    return {};
  }
  Result<Answer> enter() override {
    LIGHTNING_ASSIGN(const Answer answer, PlainAdmission::enter());
    if (answer == Answer::kWait) return answer;
    const Status compared = compare();
    if (!compared) {
      leave(0, 0);
      return compared.error();
    }
    return answer;
  }

  bool differs() const { return differs_; }
  bool found() const { return found_; }
  Sequence met() const { return met_; }
  std::string& current() { return current_; }

 private:
  Status compare() {
    const Snapshot newest = engine::Engine::unpinned(format::kSequenceMax);  // what is applied, visible or not
    LIGHTNING_ASSIGN(found_, coordinator_.engine().get(keyspace_, key_, current_, {.snapshot = &newest}));
    differs_ = found_ != expected_.has_value() || (found_ && current_ != *expected_);
    if (!differs_) return {};
    // What the answer tells must not be taken back: it is given once that is visible, and as durable as it asked to be.
    const engine::Tree* tree = engine::Engine::tree_behind(keyspace_);
    LIGHTNING_ASSIGN(met_, newer_write(*tree, key_, key_hash(key_), coordinator_.engine().visible()));
    return Error(ErrorCode::kConflict, "the value is not the expected one");
  }

  const Keyspace& keyspace_;
  const std::string_view key_;
  const std::optional<std::string_view> expected_;
  bool differs_ = false, found_ = false;
  Sequence met_ = 0;
  std::string current_;
};

}  // namespace

Result<ConditionalResult> Coordinator::write_if(const Keyspace& keyspace, std::string_view key,
                                                std::optional<std::string_view> expected,
                                                std::optional<std::string_view> desired, const WriteOptions& options) {
  LIGHTNING_TRY(engine_.check_writable());
  LIGHTNING_TRY(engine::Engine::check_sizes(key, desired.value_or(std::string_view())));
  LIGHTNING_ASSIGN(engine::Tree * tree, engine_.tree_of(keyspace));
  std::string batch;
  format::append_operation(batch, {desired ? format::EntryType::kPut : format::EntryType::kErase, tree->id, key,
                                   desired.value_or(std::string_view())});
  if (desired && (options.has_lifetime() || tree->options.default_ttl.count() > 0)) {
    LIGHTNING_ASSIGN(batch, engine_.settle(batch, options.lifetime()));
  } else if (options.has_lifetime()) {
    return Error(ErrorCode::kInvalidArgument, "only a put gives a record its lifetime");
  }
  ConditionalAdmission admission(*this, batch, keyspace, key, expected);
  const Result<Sequence> written = engine_.write(batch, 1, options.durability, &admission);
  ConditionalResult result;
  if (written) {
    result.applied = true;
    result.sequence = *written;
    return result;
  }
  if (!admission.differs()) return written.error();
  if (admission.met() != 0 && !wait_until_visible(admission.met())) {
    LIGHTNING_TRY(engine_.check_writable());
    return Error(ErrorCode::kBusy, "the value that was found is not durable yet");
  }
  if (admission.found()) result.current = std::move(admission.current());
  return result;
}

bool Coordinator::wait_until_visible(Sequence sequence) {
  const std::uint64_t start_ns = engine_.env().clock.monotonic_ns();
  const auto limit_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(engine_.config().lock_timeout).count());
  for (base::Backoff backoff; engine_.visible() < sequence; backoff.pause()) {
    if (!engine_.check_writable()) return false;
    if (engine_.env().clock.monotonic_ns() - start_ns > std::max<std::uint64_t>(limit_ns, 1'000'000)) return false;
  }
  return true;
}

void Coordinator::note_commit(std::uint64_t id, Sequence first, Sequence last) {
  const bool many = last - first >= kProbed;
  const std::size_t place = many ? kRecent + many_.fetch_add(1, std::memory_order_relaxed) % kMany : last % kRecent;
  RecentCommit& commit = recent_[place];
  commit.last.store(0, std::memory_order_relaxed);
  commit.id.store(id, std::memory_order_release);
  commit.first.store(first, std::memory_order_release);
  commit.last.store(last, std::memory_order_release);
}

std::uint64_t Coordinator::transaction_of(Sequence sequence) const {
  const auto writer = [&](std::size_t place) -> std::uint64_t {
    const RecentCommit& commit = recent_[place];
    const Sequence last = commit.last.load(std::memory_order_acquire);
    if (last < sequence || commit.first.load(std::memory_order_acquire) > sequence) return 0;
    const std::uint64_t id = commit.id.load(std::memory_order_acquire);
    return commit.last.load(std::memory_order_relaxed) == last ? id : 0;  // else it is another's by now
  };
  for (Sequence last = sequence; last < sequence + kProbed; ++last)
    if (const std::uint64_t id = writer(last % kRecent)) return id;
  for (std::size_t place = kRecent; place < kRecent + kMany; ++place)
    if (const std::uint64_t id = writer(place)) return id;
  return 0;
}

// --- lists ----------------------------------------------------------------------------------------------------------

std::vector<TransactionInfo> Coordinator::transactions() {
  end_overdue_until();
  const std::uint64_t now_ns = engine_.env().clock.monotonic_ns();
  std::vector<TransactionInfo> infos;
  for_each_active([&](Core& core) { infos.push_back(core.info(now_ns)); });
  std::sort(infos.begin(), infos.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  const Sequence newest = engine_.visible();
  const std::uint64_t mean_bytes = engine_.mean_write_bytes();
  for (TransactionInfo& info : infos) {
    info.waits_for = locks_.waits_for(info.id);
    if (info.snapshot == 0 && info.isolation == Isolation::kReadCommitted) continue;
    info.writes_since = newest - std::min(newest, info.snapshot);
    info.pinned_bytes = info.writes_since * mean_bytes;
  }
  return infos;
}

std::vector<SnapshotInfo> Coordinator::snapshots() {
  end_overdue_until();
  const std::uint64_t now_ns = engine_.env().clock.monotonic_ns();
  const Sequence newest = engine_.visible();
  const std::uint64_t mean_bytes = engine_.mean_write_bytes();
  std::vector<SnapshotInfo> infos;
  engine_.snapshots().for_each([&](const engine::LiveSnapshot& live) {
    SnapshotInfo& info = infos.emplace_back();
    info.sequence = live.sequence;
    info.owner = live.owner;
    info.transaction = live.transaction;
    info.age = age(live.since_ns, now_ns);
    info.writes_since = newest - std::min(newest, live.sequence);
    info.pinned_bytes = info.writes_since * mean_bytes;
  });
  return infos;
}

TransactionStatistics Coordinator::statistics() {
  TransactionStatistics all;
  const auto read = [](const std::atomic<std::uint64_t>& value) { return value.load(std::memory_order_relaxed); };
  for (const Counts& counts : counts_) {
    all.begun += read(counts.begun);
    all.committed += read(counts.committed);
    all.rolled_back += read(counts.rolled_back);
  }
  all.conflicts = read(conflicts_);
  all.deadlocks = read(deadlocks_);
  all.lock_timeouts = read(lock_timeouts_);
  all.expired = read(expired_);
  all.refused = read(refused_);
  all.lock_waits = read(lock_waits_);
  all.lock_wait_us = read(lock_wait_ns_) / 1000;
  all.retries = read(retries_);
  all.active = read(active_);
  all.locked_keys = locks_.locked_keys();
  if (const std::uint64_t ends = all.committed + all.rolled_back; ends > 0)
    all.conflict_rate = static_cast<double>(all.conflicts + all.deadlocks) / static_cast<double>(ends);
  return all;
}

}  // namespace lightning::txn
