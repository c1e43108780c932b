// What the tests of archives share: a database on a simulated disk that archives its log, and what it held at moments.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "archive/archive.h"
#include "archive/recover.h"
#include "backup/place.h"

namespace lightning::archive {

using backup::Contents;
using backup::contents_of;
using backup::names_in;
using backup::text;
using txn::World;

struct Mark {
  Sequence sequence = 0;
  std::chrono::milliseconds time{};
  Contents contents;
};

class ArchivedStore {
 public:
  explicit ArchivedStore(std::uint64_t seed = 1) : world_(seed) {
    world_.config().archive_directory = "/archive";
    world_.config().wal_segment_bytes = 16 << 10;
  }
  World& world() { return world_; }
  env::Env& env() { return world_.env().env; }
  void run(const std::function<void(Database&)>& body) { world_.run(body); }

  // What the database holds now, as a moment of its own: time goes on before and after.
  void mark(Database& db) {
    base::sleep_for(std::chrono::milliseconds(5));
    marks.push_back({.sequence = db.stats().last_sequence,
                     .time = std::chrono::milliseconds(static_cast<std::int64_t>(env().clock.wall_ns() / 1'000'000)),
                     .contents = contents_of(db)});
    base::sleep_for(std::chrono::milliseconds(5));
  }
  std::string new_directory() { return "/out" + std::to_string(++directories_); }
  // Recovers, as fibers of a world of their own.
  Result<RecoveryPlan> recover_to(const std::string& path, const RecoverOptions& options) {
    std::optional<Result<RecoveryPlan>> plan;
    RecoverOptions all = options;
    all.config = world_.config();
    base::FiberScheduler fibers(7, {.steps_max = 20'000'000});
    EXPECT_EQ(fibers.run([&] { plan = recover(env(), "/backups", "/archive", path, all); }), base::WorldEnd::kFinished)
        << fibers.report();
    return std::move(*plan);
  }
  Contents contents_at(const std::string& path) {
    const std::string archive = std::exchange(world_.config().archive_directory, "");
    Contents contents = backup::contents_at(world_, path);
    world_.config().archive_directory = archive;
    return contents;
  }
  // Recovers to each moment that was marked behind the first backup, by its sequence and by its time.
  void expect_each_mark(std::size_t first = 0) {
    for (std::size_t i = first; i < marks.size(); ++i) {
      for (const bool by_time : {false, true}) {
        RecoverOptions wanted;
        if (by_time) wanted.to_time = marks[i].time;
        if (!by_time) wanted.to_sequence = marks[i].sequence;
        const std::string path = new_directory();
        const auto plan = recover_to(path, wanted);
        ASSERT_TRUE(plan) << "mark " << i << ", by time " << by_time << ": " << plan.error().to_string();
        EXPECT_EQ(plan->sequence, marks[i].sequence) << i;
        ASSERT_EQ(contents_at(path), marks[i].contents) << "mark " << i << ", by time " << by_time;
      }
    }
  }

  std::vector<Mark> marks;

 private:
  World world_;
  std::uint64_t directories_ = 0;
};

}  // namespace lightning::archive
