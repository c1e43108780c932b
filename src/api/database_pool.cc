#include "lightning/database_pool.h"

#include <algorithm>
#include <list>

#include "api/database_access.h"
#include "base/sync.h"

namespace lightning {

struct DatabasePool::Session::Shared {
  struct Waiting {
    base::CondVar turn;
    bool has_session = false;
  };
  explicit Shared(env::Env& world, const PoolOptions& options)
      : env(world), sessions_max(options.sessions), waiting_max(options.waiting_max) {}

  // A session has become free: the first who waits has it, else nobody.
  void give_back() {
    base::MutexLock lock(mutex);
    if (queue.empty()) {
      --in_use;
      return;
    }
    Waiting& first = *queue.front();
    queue.pop_front();
    first.has_session = true;
    first.turn.notify_one();
  }

  env::Env& env;
  const std::uint32_t sessions_max, waiting_max;
  mutable base::Mutex mutex{base::LockRank::kSessions};
  std::uint32_t in_use LIGHTNING_GUARDED_BY(mutex) = 0;   // those on their way to one who waited, too
  std::list<Waiting*> queue LIGHTNING_GUARDED_BY(mutex);  // in the order of arrival
  bool closed LIGHTNING_GUARDED_BY(mutex) = false;
  PoolStatistics counts LIGHTNING_GUARDED_BY(mutex);
};

DatabasePool::Session::Session(std::shared_ptr<Shared> shared, Database* database)
    : shared_(std::move(shared)), database_(database) {}
DatabasePool::Session::Session(Session&& other) noexcept
    : shared_(std::move(other.shared_)), database_(std::exchange(other.database_, nullptr)) {}
DatabasePool::Session& DatabasePool::Session::operator=(Session&& other) noexcept {
  if (this == &other) return *this;
  release();
  shared_ = std::move(other.shared_);
  database_ = std::exchange(other.database_, nullptr);
  return *this;
}
DatabasePool::Session::~Session() { release(); }
void DatabasePool::Session::release() {
  if (shared_ != nullptr && database_ != nullptr) shared_->give_back();
  shared_.reset();
  database_ = nullptr;
}

DatabasePool::DatabasePool(Database& database, const PoolOptions& options) : database_(database) {
  PoolOptions in_range = options;
  in_range.sessions = std::clamp(options.sessions, 1u, 1'000'000u);
  in_range.acquire_timeout = std::max(options.acquire_timeout, std::chrono::milliseconds(0));
  acquire_timeout_ = in_range.acquire_timeout;
  shared_ = std::make_shared<Session::Shared>(DatabaseAccess::env(database), in_range);
}
DatabasePool::DatabasePool(Database& database, std::uint32_t sessions)
    : DatabasePool(database, PoolOptions{.sessions = sessions}) {}
DatabasePool::~DatabasePool() {
  base::MutexLock lock(shared_->mutex);
  shared_->closed = true;
  for (Session::Shared::Waiting* waiting : shared_->queue) waiting->turn.notify_one();
}

Result<DatabasePool::Session> DatabasePool::acquire() { return acquire(acquire_timeout_); }

Result<DatabasePool::Session> DatabasePool::acquire(std::chrono::milliseconds timeout) {
  const std::shared_ptr<Session::Shared> shared = shared_;  // outlives the pool while we wait
  Database* const database = &database_;
  Session::Shared& pool = *shared;
  const auto taken = [&]() LIGHTNING_REQUIRES(pool.mutex) {
    ++pool.counts.acquired;
    pool.counts.in_use_most = std::max(pool.counts.in_use_most, pool.in_use);
    return Session(shared, database);
  };
  const auto busy = [&](std::string what) LIGHTNING_REQUIRES(pool.mutex) {
    return Error(ErrorCode::kBusy, "all " + std::to_string(pool.sessions_max) + " sessions are in use and " +
                                       std::to_string(pool.queue.size()) + " wait" + std::move(what));
  };
  base::MutexLock lock(pool.mutex);
  if (pool.closed) return Error(ErrorCode::kCancelled, "the pool is being destroyed");
  if (pool.in_use < pool.sessions_max) {  // then nobody waits
    ++pool.in_use;
    return taken();
  }
  if (pool.queue.size() >= pool.waiting_max || timeout.count() <= 0) {
    ++pool.counts.refused;
    return busy("");
  }
  const std::uint64_t start_ns = pool.env.clock.monotonic_ns();
  Session::Shared::Waiting waiting;
  pool.queue.push_back(&waiting);
  ++pool.counts.waited;
  const auto waited = [&] { return std::chrono::nanoseconds(pool.env.clock.monotonic_ns() - start_ns); };
  while (!waiting.has_session && !pool.closed && waited() < timeout)
    waiting.turn.wait_for(pool.mutex, timeout - waited());
  const auto waited_us = static_cast<std::uint64_t>(waited().count()) / 1000;
  pool.counts.waited_us += waited_us;
  pool.counts.waited_us_most = std::max(pool.counts.waited_us_most, waited_us);
  if (waiting.has_session) return taken();
  pool.queue.remove(&waiting);
  if (pool.closed) return Error(ErrorCode::kCancelled, "the pool is being destroyed");
  ++pool.counts.timeouts;
  return busy("; none came free within " + std::to_string(timeout.count()) + " ms");
}

PoolStatistics DatabasePool::stats() const {
  base::MutexLock lock(shared_->mutex);
  PoolStatistics stats = shared_->counts;
  stats.sessions_max = shared_->sessions_max;
  stats.in_use = shared_->in_use;
  stats.waiting = static_cast<std::uint32_t>(shared_->queue.size());
  return stats;
}

}  // namespace lightning
