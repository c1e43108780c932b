// A store in a simulated world: the base of tests that need a disk which fails on demand and time that is virtual.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "api/database_access.h"
#include "base/fiber.h"
#include "env/simulated_world.h"
#include "lightning/database.h"
#include "support/expect.h"

namespace lightning::engine {

class SimulatedStore : public testing::Test {
 protected:
  // A process, from opening the store to closing it.
  void life(const std::function<void()>& body) {
    process([&] {
      opened_.emplace(open());
      body();
      opened_.reset();
    });
  }
  // A process that opens the store itself, or fails to.
  void process(const std::function<void()>& body) {
    base::FiberScheduler fibers(++seed_);
    EXPECT_EQ(fibers.run(body), base::WorldEnd::kFinished) << fibers.report();
  }
  Result<Database> try_open(const OpenOptions& options = {}, bool read_only = false) {
    return DatabaseAccess::open(world_.env, "/db", config_, read_only, options);
  }
  Database open() {
    auto opened = try_open();
    if (!opened) throw std::runtime_error(opened.error().to_string());
    return std::move(*opened);
  }
  Database& db() { return *opened_; }
  static void ok(const Status& status) { EXPECT_OK(status); }
  void put(const std::string& key, const std::string& value) { ok(db().put(key, value)); }
  std::string get(const std::string& key) {
    const auto value = db().get(key);
    if (!value) return value.error().to_string();
    return value->value_or("nothing");
  }

  LightningDbConfig config_;
  env::SimulatedWorld world_{1};
  std::optional<Database> opened_;
  std::uint64_t seed_ = 0;
};

}  // namespace lightning::engine
