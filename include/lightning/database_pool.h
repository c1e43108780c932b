// DatabasePool: at most so many sessions at a time over one database, first come, first served.
//
//   DatabasePool pool(db, {.sessions = 100});
//   LIGHTNING_ASSIGN(auto session, pool.acquire());       // waits its turn
//   LIGHTNING_TRY(session->put("id:7", "paid"));
//
// A Database is safe to use from any number of threads without a pool. A pool bounds how many requests work at once, so
// that under overload requests wait in order and fail in time instead of all becoming slow.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "lightning/database.h"

namespace lightning {

struct PoolOptions {
  std::uint32_t sessions = 100;        // at a time; 1 .. 1,000,000
  std::uint32_t waiting_max = 10'000;  // who comes when so many wait is refused at once; 0: none may wait
  std::chrono::milliseconds acquire_timeout{30'000};  // longest wait of acquire(); 0: never waits
};

struct PoolStatistics {
  std::uint32_t sessions_max = 0;  // the limit
  std::uint32_t in_use = 0, waiting = 0;
  std::uint32_t in_use_most = 0;  // since the pool was made
  std::uint64_t acquired = 0, waited = 0, timeouts = 0, refused = 0;
  std::uint64_t waited_us = 0;  // all waits together
  std::uint64_t waited_us_most = 0;
};

// Threads:  any method from any thread.
// Lifetime: the database outlives the pool. Sessions may outlive the pool, not the database.
class DatabasePool {
 public:
  // A right to work, given back by the destructor. Threads: one at a time; may be handed over.
  class Session {
   public:
    Session() = default;  // empty
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;
    ~Session();
    explicit operator bool() const { return database_ != nullptr; }
    Database& operator*() const { return *database_; }  // requires a session
    Database* operator->() const { return database_; }
    void release();  // before the destructor; empty afterwards

   private:
    friend class DatabasePool;
    struct Shared;
    Session(std::shared_ptr<Shared> shared, Database* database);
    std::shared_ptr<Shared> shared_;
    Database* database_ = nullptr;
  };

  // Options out of range are brought into it.
  DatabasePool(Database& database, const PoolOptions& options);
  DatabasePool(Database& database, std::uint32_t sessions);
  ~DatabasePool();  // those who wait are answered kCancelled
  DatabasePool(const DatabasePool&) = delete;
  DatabasePool& operator=(const DatabasePool&) = delete;

  // Waits until a session is free and all who came before have theirs. Errors: kBusy after `timeout` (or at once if
  // waiting_max wait), kCancelled if the pool is destroyed. A thread that holds a session and waits for another one
  // while all are held so waits until the timeout.
  Result<Session> acquire();
  Result<Session> acquire(std::chrono::milliseconds timeout);

  PoolStatistics stats() const;

 private:
  Database& database_;
  std::chrono::milliseconds acquire_timeout_{0};
  std::shared_ptr<Session::Shared> shared_;
};

}  // namespace lightning
