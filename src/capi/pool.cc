// Sessions: a bound on how many work at a time.
#include "lightning/database_pool.h"

#include "capi/handles.h"

using namespace lightning;
using namespace lightning::capi;

// `home` comes first: the pool refers to the database in it.
struct lightning_pool {
  std::shared_ptr<OpenDatabase> home;
  DatabasePool pool;
};
struct lightning_session {
  std::shared_ptr<OpenDatabase> home;
  DatabasePool::Session session;
};

namespace {

// Longer than anybody waits, and nothing that is added to it overflows.
constexpr int64_t kWaitMsMax = std::chrono::milliseconds(std::chrono::years(1)).count();

}  // namespace

lightning_error* lightning_pool_create(lightning_db* db, const lightning_pool_options* options, lightning_pool** pool) {
  return guarded([&]() -> Status {
    static constexpr lightning_pool_options kDefaults = LIGHTNING_POOL_OPTIONS_INIT;
    LIGHTNING_TRY(cleared(pool, "pool"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const auto known, options_of(options, kDefaults, sizeof(kDefaults)));
    if (known.sessions < 1 || known.sessions > 1'000'000)
      return invalid("a pool has 1 .. 1000000 sessions, not " + std::to_string(known.sessions));
    if (known.acquire_timeout_ms < 0) return invalid("acquire_timeout_ms is below 0");
    const PoolOptions made{
        .sessions = known.sessions,
        .waiting_max = known.waiting_max,
        .acquire_timeout = std::chrono::milliseconds(std::min(known.acquire_timeout_ms, kWaitMsMax)),
    };
    *pool = new lightning_pool{.home = home, .pool = DatabasePool(home->database, made)};
    return {};
  });
}

lightning_error* lightning_pool_acquire(lightning_pool* pool, int64_t timeout_ms, lightning_session** session) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(session, "session"));
    LIGHTNING_TRY(required(pool, "the pool"));
    auto acquired = timeout_ms < 0 ? pool->pool.acquire()
                                   : pool->pool.acquire(std::chrono::milliseconds(std::min(timeout_ms, kWaitMsMax)));
    if (!acquired) return std::move(acquired).error();
    *session = new lightning_session{.home = pool->home, .session = std::move(*acquired)};
    return {};
  });
}

lightning_error* lightning_pool_read_statistics(const lightning_pool* pool, lightning_pool_statistics* statistics,
                                                size_t size) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(pool, "the pool"));
    LIGHTNING_TRY(required(statistics, "statistics"));
    const PoolStatistics now = pool->pool.stats();
    return fill(*statistics, size,
                {.sessions_max = now.sessions_max,
                 .in_use = now.in_use,
                 .waiting = now.waiting,
                 .in_use_most = now.in_use_most,
                 .acquired = now.acquired,
                 .waited = now.waited,
                 .timeouts = now.timeouts,
                 .refused = now.refused,
                 .waited_us = now.waited_us,
                 .waited_us_most = now.waited_us_most},
                sizeof(lightning_pool_statistics));
  });
}

void lightning_session_free(lightning_session* session) { delete session; }
void lightning_pool_free(lightning_pool* pool) { delete pool; }
