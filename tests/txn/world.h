// A database on a simulated disk, run as fibers: waits take virtual time, and the seed chooses who runs.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/database_access.h"
#include "base/fiber.h"
#include "base/sync.h"
#include "env/simulated_world.h"
#include "lightning/database.h"
#include "sim/crash_run.h"
#include "support/expect.h"

namespace lightning::txn {

class World {
 public:
  explicit World(std::uint64_t seed = 1) : seed_(seed), world_(seed) {
    config_.wal_sync_mode = WalSyncMode::kAsync;
    config_.lock_timeout = std::chrono::milliseconds(50);
  }

  // Opens the database, runs `body` as the first fiber, closes.
  void run(const std::function<void(Database&)>& body, bool closes = true) {
    base::FiberScheduler fibers(seed_++, {.steps_max = 20'000'000});
    const base::WorldEnd end = fibers.run([&] {
      auto db = DatabaseAccess::open_as_given(world_.env, "/store", config_);
      ASSERT_TRUE(db) << db.error().to_string();
      body(*db);
      const Status closed = db->close();
      EXPECT_EQ(closed.has_value(), closes);
    });
    EXPECT_EQ(end, base::WorldEnd::kFinished) << fibers.report();
  }
  LightningDbConfig& config() { return config_; }
  env::SimulatedWorld& env() { return world_; }

 private:
  std::uint64_t seed_;
  env::SimulatedWorld world_;
  LightningDbConfig config_ = sim::small_config();
};

inline std::string value_or(const Result<std::optional<std::string>>& found, const std::string& absent = "-") {
  return !found ? "error " + std::string(name_of(found.error().code())) : found->value_or(absent);
}

inline base::Thread spawn(std::function<void()> body) { return base::Thread::spawn("other", std::move(body)); }

}  // namespace lightning::txn
