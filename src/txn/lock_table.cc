#include "txn/lock_table.h"

#include <algorithm>

#include "txn/key_text.h"

namespace lightning::txn {

struct LockTable::Waiter {
  Owner& owner;
  Shard& shard;
  Head* head = nullptr;  // good while it is queued or has the lock
  LockMode mode = LockMode::kShared;
  bool upgrade = false;  // it holds the key shared
  bool queued = false, granted = false;
  Waiter* previous = nullptr;
  Waiter* next = nullptr;
  base::CondVar changed = {};
};

// One locked key. Heads of keys that nobody locks any more wait for the next key of their shard.
struct LockTable::Head {
  struct Hold {
    Owner* owner;
    LockMode mode;
  };
  std::uint64_t hash = 0;
  format::KeyspaceId keyspace = 0;
  std::string key;
  std::vector<Hold> holds;  // nearly always one
  Waiter* first = nullptr;
  Waiter* last = nullptr;
  Head* next = nullptr;  // in its bucket, or among the free

  // Whether it can have the lock beside those who have it.
  bool fits(const Waiter& waiter) const {
    for (const Hold& hold : holds) {
      if (hold.owner == &waiter.owner) continue;
      if (waiter.mode == LockMode::kExclusive || hold.mode == LockMode::kExclusive) return false;
    }
    return true;
  }
  Hold* hold_of(const Owner& owner) {
    for (Hold& hold : holds)
      if (hold.owner == &owner) return &hold;
    return nullptr;
  }
};

struct alignas(64) LockTable::Shard {
  base::Mutex mutex{base::LockRank::kLockTable};
  std::atomic<std::uint64_t> locked{0};  // heads in use; written under the mutex
  std::vector<Head*> buckets LIGHTNING_GUARDED_BY(mutex) = std::vector<Head*>(16);
  Head* free LIGHTNING_GUARDED_BY(mutex) = nullptr;
  std::size_t free_count LIGHTNING_GUARDED_BY(mutex) = 0;

  Head*& bucket_of(std::uint64_t hash) LIGHTNING_REQUIRES(mutex) { return buckets[hash & (buckets.size() - 1)]; }
  Head* find(const LockKey& key) LIGHTNING_REQUIRES(mutex) {
    for (Head* head = bucket_of(key.hash); head != nullptr; head = head->next)
      if (head->hash == key.hash && head->keyspace == key.keyspace && head->key == key.key) return head;
    return nullptr;
  }
  Head* make(const LockKey& key) LIGHTNING_REQUIRES(mutex) {
    if (locked.load(std::memory_order_relaxed) >= buckets.size()) grow();
    Head* head = free;
    if (head != nullptr) {
      free = head->next;
      --free_count;
    } else {
      head = new Head;
    }
    head->hash = key.hash;
    head->keyspace = key.keyspace;
    head->key.assign(key.key);
    Head*& bucket = bucket_of(key.hash);
    head->next = bucket;
    bucket = head;
    locked.fetch_add(1, std::memory_order_seq_cst);  // see CommitLatches::pass
    return head;
  }
  void remove_if_unused(Head& head) LIGHTNING_REQUIRES(mutex) {
    if (!head.holds.empty() || head.first != nullptr) return;
    constexpr std::size_t kFreeMax = 64;
    constexpr std::size_t kKeyBytesKept = 256;
    Head** link = &bucket_of(head.hash);
    while (*link != &head) link = &(*link)->next;
    *link = head.next;
    locked.fetch_sub(1, std::memory_order_relaxed);
    if (free_count >= kFreeMax || head.key.capacity() > kKeyBytesKept) {
      delete &head;
    } else {
      head.next = free;
      free = &head;
      ++free_count;
    }
  }
  // Gives the lock to those at the front of the queue that can have it now.
  void grant(Head& head) LIGHTNING_REQUIRES(mutex) {
    while (head.first != nullptr && head.fits(*head.first)) {
      Waiter& waiter = *head.first;
      if (waiter.upgrade) {
        head.hold_of(waiter.owner)->mode = LockMode::kExclusive;
      } else {
        head.holds.push_back({&waiter.owner, waiter.mode});
      }
      leave_queue(waiter);
      waiter.granted = true;
      waiter.changed.notify_one();
    }
  }
  void leave_queue(Waiter& waiter) LIGHTNING_REQUIRES(mutex) {
    Head& head = *waiter.head;
    (waiter.previous != nullptr ? waiter.previous->next : head.first) = waiter.next;
    (waiter.next != nullptr ? waiter.next->previous : head.last) = waiter.previous;
    waiter.queued = false;
  }
  // Leaves the queue, and says who was in the way.
  Error give_up(Waiter& waiter, ErrorCode why) LIGHTNING_REQUIRES(mutex) {
    Head& head = *waiter.head;
    std::string text = "key " + key_text(head.key) + " is locked by ";
    bool none = true;
    for (const Head::Hold& hold : head.holds) {
      if (hold.owner == &waiter.owner) continue;
      if (!none) text += ", ";
      text += "transaction " + std::to_string(hold.owner->id);
      if (!hold.owner->label.empty()) text += " (" + hold.owner->label + ")";
      none = false;
    }
    if (none) text += "those who wait for it";
    Error error = Error(why, std::move(text)).in_key_range(key_text(head.key));
    if (waiter.queued) {
      leave_queue(waiter);
      grant(head);  // those behind may not have to wait for what this one wanted
    }
    remove_if_unused(head);
    return error;
  }
  void grow() LIGHTNING_REQUIRES(mutex) {
    std::vector<Head*> larger(buckets.size() * 2);
    for (Head* head : buckets)
      while (head != nullptr) {
        Head* const next = head->next;
        Head*& bucket = larger[head->hash & (larger.size() - 1)];
        head->next = bucket;
        bucket = head;
        head = next;
      }
    buckets.swap(larger);
  }
};

LockTable::LockTable(env::Clock& clock, Options options)
    : clock_(clock), options_(std::move(options)), shards_(std::make_unique<Shard[]>(kShards)) {}

LockTable::~LockTable() {
  for (std::size_t i = 0; i < kShards; ++i) {
    base::MutexLock lock(shards_[i].mutex);
    for (Head* head : shards_[i].buckets)
      while (head != nullptr) delete std::exchange(head, head->next);
    for (Head* head = shards_[i].free; head != nullptr;) delete std::exchange(head, head->next);
  }
}

LockTable::Shard& LockTable::shard_of(std::uint64_t hash) const { return shards_[(hash >> 40) % kShards]; }

Result<bool> LockTable::acquire(Owner& owner, const LockKey& key, LockMode mode, std::chrono::nanoseconds timeout,
                                std::uint64_t* waited_ns) {
  owner.held_.reserve(owner.held_.size() + 1);  // what may fail comes first
  Shard& shard = shard_of(key.hash);
  Waiter waiter{.owner = owner, .shard = shard, .mode = mode};
  bool must_wait = false;
  {
    base::MutexLock lock(shard.mutex);
    Head* head = shard.find(key);
    if (head == nullptr) head = shard.make(key);
    waiter.head = head;
    Head::Hold* const own = head->hold_of(owner);
    if (own != nullptr && (own->mode == LockMode::kExclusive || mode == LockMode::kShared)) return false;
    waiter.upgrade = own != nullptr;
    if (head->fits(waiter) && (waiter.upgrade || head->first == nullptr)) {
      if (waiter.upgrade) {
        own->mode = LockMode::kExclusive;
        return false;
      }
      head->holds.push_back({&owner, mode});
    } else if (timeout.count() <= 0) {
      return shard.give_up(waiter, ErrorCode::kLockTimeout);
    } else {
      must_wait = waiter.queued = true;
      if (waiter.upgrade) {
        waiter.next = head->first;
        (head->first != nullptr ? head->first->previous : head->last) = &waiter;
        head->first = &waiter;
      } else {
        waiter.previous = head->last;
        (head->last != nullptr ? head->last->next : head->first) = &waiter;
        head->last = &waiter;
      }
    }
  }
  if (must_wait) {
    const std::uint64_t begun_ns = clock_.monotonic_ns();
    Status got = wait(shard, waiter, timeout);
    if (waited_ns != nullptr) *waited_ns += clock_.monotonic_ns() - begun_ns;
    if (!got) return std::move(got).error();
  }
  if (!waiter.upgrade) {
    owner.held_.push_back(waiter.head);
    owner.count_.store(owner.held_.size(), std::memory_order_relaxed);
  }
  return !waiter.upgrade;
}

Status LockTable::wait(Shard& shard, Waiter& waiter, std::chrono::nanoseconds timeout) {
  // Others that search may look at this waiter from here on, until it is taken out again.
  struct Listed {
    LockTable& table;
    const std::uint64_t id;
    Listed(LockTable& owner_table, Waiter& who) : table(owner_table), id(who.owner.id) {
      base::MutexLock lock(table.graph_mutex_);
      table.waiting_[id] = &who;
    }
    ~Listed() {
      base::MutexLock lock(table.graph_mutex_);
      table.waiting_.erase(id);
    }
  } const listed(*this, waiter);
  if (options_.find_deadlocks) LIGHTNING_TRY(look_for_deadlock(waiter));

  const std::uint64_t start_ns = clock_.monotonic_ns();
  const auto limit_ns = static_cast<std::uint64_t>(timeout.count());
  for (;;) {
    std::chrono::nanoseconds pause = timeout;
    if (options_.end_overdue) pause = std::min(pause, options_.end_overdue());
    base::MutexLock lock(shard.mutex);
    if (waiter.granted) return {};
    const std::uint64_t waited_ns = clock_.monotonic_ns() - start_ns;
    if (waited_ns >= limit_ns) return shard.give_up(waiter, ErrorCode::kLockTimeout);
    pause = std::min(pause, std::chrono::nanoseconds(limit_ns - waited_ns));
    waiter.changed.wait_for(shard.mutex, std::max(pause, std::chrono::nanoseconds(1000)));
    if (waiter.granted) return {};
  }
}

// Follows who waits for whom from `waiter` on. If that leads back to it, it gives up.
Status LockTable::look_for_deadlock(Waiter& start) {
  struct Step {
    std::uint64_t id;
    std::string label, key;  // what it waits for
    std::vector<std::uint64_t> blockers;
    std::size_t next = 0;
  };
  base::MutexLock graph(graph_mutex_);
  const auto step_of = [](Waiter& waiter) -> std::optional<Step> {
    base::MutexLock lock(waiter.shard.mutex);
    if (!waiter.queued) return std::nullopt;
    Step step{.id = waiter.owner.id, .label = waiter.owner.label, .key = waiter.head->key, .blockers = {}};
    for (const Head::Hold& hold : waiter.head->holds)
      if (hold.owner != &waiter.owner) step.blockers.push_back(hold.owner->id);
    for (const Waiter* before = waiter.previous; before != nullptr; before = before->previous)
      step.blockers.push_back(before->owner.id);
    return step;
  };
  std::optional<Step> first = step_of(start);
  if (!first) return {};
  std::vector<Step> path;
  path.push_back(std::move(*first));
  std::unordered_map<std::uint64_t, bool> seen;
  while (!path.empty()) {
    Step& step = path.back();
    if (step.next == step.blockers.size()) {
      path.pop_back();
      continue;
    }
    const std::uint64_t blocker = step.blockers[step.next++];
    if (blocker == start.owner.id) {
      std::string cycle;
      for (const Step& member : path) {
        if (!cycle.empty()) cycle += ", which waits for ";
        cycle += "transaction " + std::to_string(member.id);
        if (!member.label.empty()) cycle += " (" + member.label + ")";
        cycle += " at key " + key_text(member.key);
      }
      base::MutexLock lock(start.shard.mutex);
      if (start.granted) return {};
      const std::string key = key_text(start.head->key);
      Error error = Error(ErrorCode::kDeadlock, "waiting for key " + key + " would never end: " + cycle +
                                                    ", which waits for transaction " + std::to_string(start.owner.id))
                        .in_key_range(key);
      (void)start.shard.give_up(start, ErrorCode::kDeadlock);  // tells of one lock; `error` of all
      return error;
    }
    if (!seen.emplace(blocker, true).second) continue;
    const auto waiting = waiting_.find(blocker);
    if (waiting == waiting_.end()) continue;
    if (std::optional<Step> further = step_of(*waiting->second)) path.push_back(std::move(*further));
  }
  return {};
}

void LockTable::release_all(Owner& owner) {
  for (Head* head : owner.held_) {
    Shard& shard = shard_of(head->hash);
    base::MutexLock lock(shard.mutex);
    std::erase_if(head->holds, [&](const Head::Hold& hold) { return hold.owner == &owner; });
    shard.grant(*head);
    shard.remove_if_unused(*head);
  }
  owner.held_.clear();
  owner.count_.store(0, std::memory_order_relaxed);
}

std::optional<LockTable::Holder> LockTable::locked_by_other(const LockKey& key, std::uint64_t self) const {
  Shard& shard = shard_of(key.hash);
  if (shard.locked.load(std::memory_order_seq_cst) == 0) return std::nullopt;
  base::MutexLock lock(shard.mutex);
  const Head* head = shard.find(key);
  if (head == nullptr) return std::nullopt;
  for (const Head::Hold& hold : head->holds)
    if (hold.owner->id != self) return Holder{hold.owner->id, hold.owner->label};
  return std::nullopt;
}

std::optional<LockTable::LockedKey> LockTable::locked_in_range(format::KeyspaceId keyspace, std::string_view start,
                                                               std::string_view end, std::uint64_t self) const {
  for (std::size_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[i];
    if (shard.locked.load(std::memory_order_seq_cst) == 0) continue;
    base::MutexLock lock(shard.mutex);
    for (const Head* bucket : shard.buckets)
      for (const Head* head = bucket; head != nullptr; head = head->next) {
        if (head->keyspace != keyspace || head->key < start || (!end.empty() && head->key >= end)) continue;
        for (const Head::Hold& hold : head->holds)
          if (hold.owner->id != self) return LockedKey{head->key, head->hash, {hold.owner->id, hold.owner->label}};
      }
  }
  return std::nullopt;
}

std::uint64_t LockTable::locked_keys() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kShards; ++i) sum += shards_[i].locked.load(std::memory_order_relaxed);
  return sum;
}

std::string LockTable::waits_for(std::uint64_t owner) const {
  base::MutexLock graph(graph_mutex_);
  const auto found = waiting_.find(owner);
  if (found == waiting_.end()) return {};
  const Waiter& waiter = *found->second;
  base::MutexLock lock(waiter.shard.mutex);
  return waiter.queued ? key_text(waiter.head->key) : std::string();
}

}  // namespace lightning::txn
