// The simulated environment inside fiber worlds.
#include "env/simulated_world.h"

#include "base/fiber.h"
#include "place.h"

namespace lightning::env {
namespace {

using namespace std::chrono_literals;

TEST(SimulatedWorld, ACrashKillsTheFibersAndTheDiskLivesOn) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SimulatedWorld world(seed);
    {
      base::FiberScheduler fibers(seed);
      world.files.set_crash_at(30, static_cast<CrashStage>(seed % 3), [&] { fibers.kill_world(); });
      const auto end = fibers.run([&] {
        EXPECT_OK(world.files.create_directories("/db"));
        auto lock = must(world.files.lock("/db/LOCK", "engine"));
        const auto write = [&](const std::string& name) {
          for (int i = 0; i < 10; ++i) {
            const std::string path = "/db/" + name + std::to_string(i);
            auto file = must(world.files.create_writable(path, FileClass::kTable));
            EXPECT_OK(file->append(path));
            EXPECT_OK(file->sync());
            EXPECT_OK(world.files.sync_directory("/db"));
          }
        };
        auto other = base::Thread::spawn("other", [&] { write("b"); });
        write("a");
        other.join();
      });
      EXPECT_EQ(end, base::WorldEnd::kKilled) << "seed " << seed;
    }
    EXPECT_EQ(world.files.io_count(), 30u);
    world.files.crash(CrashMode::kRandom);
    base::FiberScheduler fibers(seed);
    const auto end = fibers.run([&] {
      auto lock = must(world.files.lock("/db/LOCK", "engine"));
      for (const std::string& name : must(world.files.list("/db")))
        EXPECT_OK(world.files.read_file("/db/" + name, 100));
    });
    EXPECT_EQ(end, base::WorldEnd::kFinished);
  }
}

TEST(SimulatedWorld, TheSameSeedGivesTheSameInterleavingOfCalls) {
  const auto trace = [](std::uint64_t seed) {
    SimulatedWorld world(7);
    base::FiberScheduler fibers(seed);
    EXPECT_EQ(fibers.run([&] {
      auto log = must(world.files.create_log("/log", 4096));
      std::vector<base::Thread> threads;
      for (std::uint64_t t = 0; t < 3; ++t)
        threads.push_back(base::Thread::spawn("t", [&, t] {
          for (std::uint64_t i = 0; i < 10; ++i) log->write(t * 1000 + i * 10, "0123456789");
        }));
      for (base::Thread& thread : threads) thread.join();
    }),
              base::WorldEnd::kFinished);
    return world.files.trace_hash();
  };
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    EXPECT_EQ(trace(seed), trace(seed)) << seed;
    seen.insert(trace(seed));
  }
  EXPECT_GT(seen.size(), 5u);
}

TEST(SimulatedWorld, WhatIsStoredWhileASyncRunsIsNotCoveredByIt) {
  bool lost = false;
  for (std::uint64_t seed = 1; seed <= 50 && !lost; ++seed) {
    SimulatedWorld world(seed, {.sync_latency = 1ms});
    base::FiberScheduler fibers(seed);
    EXPECT_EQ(fibers.run([&] {
      auto log = must(world.files.create_log("/log", 4096));
      EXPECT_OK(world.files.sync_directory("/"));
      log->write(0, "before");
      auto late = base::Thread::spawn("late", [&] {
        base::sleep_for(500us);
        log->write(512, "during");
      });
      EXPECT_OK(log->sync(0, 4096));
      late.join();
    }),
              base::WorldEnd::kFinished);
    world.files.crash(CrashMode::kDropAll);
    EXPECT_EQ(world.files.content("/log").substr(0, 6), "before");
    lost |= world.files.content("/log").substr(512, 6) != "during";
  }
  EXPECT_TRUE(lost);
}

TEST(SimulatedClock, MovesByHandOutsideAndByVirtualTimeInsideAWorld) {
  SimulatedWorld world(1);
  const std::uint64_t start = world.clock.monotonic_ns();
  EXPECT_EQ(world.clock.monotonic_ns(), start);
  world.clock.advance(5s);
  EXPECT_EQ(world.clock.monotonic_ns(), start + 5'000'000'000u);
  std::uint64_t latest = world.clock.monotonic_ns();
  for (int life = 0; life < 3; ++life) {
    base::FiberScheduler fibers(1);
    (void)fibers.run([&] {
      const std::uint64_t before = world.clock.monotonic_ns();
      EXPECT_GE(before, latest);
      base::sleep_for(1s);
      EXPECT_GE(world.clock.monotonic_ns(), before + 1'000'000'000u);
      latest = world.clock.monotonic_ns();
    });
    EXPECT_EQ(world.clock.monotonic_ns(), latest);
  }
}

TEST(SimulatedClock, WallTimeFollowsJumpsForwardAndWaitsAfterJumpsBack) {
  SimulatedClock clock;
  const std::uint64_t start = clock.wall_ns();
  clock.jump_wall(1h);
  EXPECT_EQ(clock.wall_ns(), start + 3600'000'000'000u);
  clock.jump_wall(-2h);
  EXPECT_EQ(clock.wall_ns(), start + 3600'000'000'000u);
  clock.advance(30min);
  EXPECT_EQ(clock.wall_ns(), start + 3600'000'000'000u);
  clock.advance(2h);
  EXPECT_EQ(clock.wall_ns(), start + 5400'000'000'000u);
}

TEST(SeededRandom, IsTheSameForTheSameSeed) {
  SeededRandom a(1), b(1), c(2);
  EXPECT_EQ(a.uid().bytes, b.uid().bytes);
  EXPECT_NE(a.next(), c.next());
  EXPECT_NE(a.next(), a.next());
}

}  // namespace
}  // namespace lightning::env
