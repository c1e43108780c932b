// An archive beside clients that do everything that can be done to a database, through many lives and deaths: there is
// never a hole in it, and what is recovered at a sequence is what one moment explains (sim/truth.h).
#include <gtest/gtest.h>

#include "archive/place.h"
#include "sim/client.h"
#include "sim/run.h"
#include "support/child_process.h"
#include "support/simulated_seeds.h"

namespace lightning::archive {
namespace {

class Lives {
 public:
  explicit Lives(std::uint64_t seed)
      : dice_(seed * 0x9e3779b97f4a7c15u + 5),
        config_(config(dice_)),
        run_(dice_.next(), disk(dice_), config_, {.sync_mode = config_.wal_sync_mode}) {}

  std::string run() {
    constexpr int kLives = 4;
    for (int life = 0; life < kLives && !run_.failed(); ++life) {
      const bool last = life + 1 == kLives;
      // The first comes to the backup from which all is recovered.
      if (life > 0 && !last) run_.arm(60 + dice_.below(1500), static_cast<env::CrashStage>(dice_.below(3)));
      const bool finished = run_.live([&](Database& db) { live(db); });
      run_.world().files.cancel_crash();
      if (finished || run_.failed()) continue;
      run_.die(dice_.one_in(3) ? sim::Death::kProcess : sim::Death::kPower,
               static_cast<env::CrashMode>(dice_.below(3)));
    }
    return run_.result().failure;
  }

 private:
  static env::SimulatedDiskOptions disk(env::Dice& dice) {
    env::SimulatedDiskOptions options;
    options.write_back = dice.one_in(2);
    options.reorder_names = dice.one_in(4);
    return options;
  }
  static LightningDbConfig config(env::Dice& dice) {
    LightningDbConfig config = sim::small_config();
    config.wal_sync_mode = dice.one_in(2) ? WalSyncMode::kSync : WalSyncMode::kAsync;
    config.wal_segment_bytes = dice.one_in(2) ? 16 << 10 : 64 << 10;
    config.memtable_bytes = dice.one_in(2) ? 16 << 10 : 200 << 10;
    config.blob_threshold = dice.one_in(2) ? 256 : 4096;
    config.archive_directory = "/archive";
    config.archive_timeout = std::chrono::milliseconds(dice.one_in(2) ? 1 : 20);
    return config;
  }

  void live(Database& db) {
    if (!backed_up_) {
      const auto made = db.create_backup("/backups");
      if (!made) return run_.fail("create_backup: " + made.error().to_string());
      backed_up_ = true;
    } else {
      compare_with_start(db);
    }
    std::vector<base::Thread> threads;
    for (std::uint32_t id = 1; id <= 2; ++id)
      threads.push_back(base::Thread::spawn("client" + std::to_string(id), [&, id, seed = dice_.next()] {
        sim::Client client(db, run_.scene(), id, seed, run_.program());
        client.run(40);
        if (!run_.failed()) client.compare_all();
      }));
    threads.push_back(base::Thread::spawn("recovery", [&] {
      for (int i = 0; i < 2 && !run_.failed(); ++i) recover_one(db);
    }));
    for (base::Thread& thread : threads) thread.join();
  }

  // All that an earlier life has left comes into the archive, whatever that one died of.
  void compare_with_start(Database& db) {
    const Sequence start = run_.scene().truth.start();
    base::sleep_for(std::chrono::milliseconds(50));  // changes of keyspaces, too
    for (int i = 0; i < 200 && db.stats().archive.last_sequence < start; ++i)
      base::sleep_for(std::chrono::milliseconds(20));
    if (db.stats().archive.last_sequence < start)
      return run_.fail("what the last life left is not archived: " + db.stats().archive.error);
    if (db.stats().archive.next_file == 1) return;  // nothing was written yet
    const auto report = check(run_.world().env, "/archive");
    if (!report) return run_.fail("check of the archive: " + report.error().to_string());
    if (!report->findings.empty()) return run_.fail("a hole: " + report->findings.front().to_string());
    const sim::Observation seen = recover_to(std::nullopt);
    if (run_.failed()) return;
    if (seen.sequence != start) return run_.fail("the recovery ends at " + std::to_string(seen.sequence));
    const std::string why = sim::difference(run_.scene().truth.start_state(), seen.state);
    if (!why.empty()) run_.fail("recovered to where this life began: " + why);
  }

  void recover_one(Database& db) {
    base::sleep_for(std::chrono::microseconds(dice_.below(20'000)));
    const Sequence start = run_.scene().truth.start(), end = db.stats().archive.last_sequence;
    if (end <= start) return;
    sim::Observation seen = recover_to(start + 1 + dice_.below(end - start));
    if (run_.failed()) return;
    run_.scene().truth.seen(seen.sequence);
    run_.scene().observations.push_back(std::move(seen));
  }

  sim::Observation recover_to(std::optional<Sequence> sequence) {
    env::Env& env = run_.world().env;
    sim::Observation seen;
    const std::string path = "/recovered" + std::to_string(++recovered_);
    RecoverOptions options;
    options.to_sequence = sequence;
    options.config = run_.config();
    const auto plan = recover(env, "/backups", "/archive", path, options);
    if (!plan) return run_.fail("recover: " + plan.error().to_string()), seen;
    seen.sequence = plan->sequence;
    LightningDbConfig plain = run_.config();
    plain.archive_directory.clear();
    auto db = DatabaseAccess::open_as_given(env, path, plain, true);
    if (!db) return run_.fail("opening what was recovered: " + db.error().to_string()), seen;
    if (db->snapshot().sequence() != plan->sequence) run_.fail("what was recovered ends elsewhere");
    for (const std::string& name : db->keyspaces()) {
      const auto keyspace = db->keyspace(name);
      auto content = sim::scan(*db, *keyspace);
      if (!content) return run_.fail("scan of what was recovered: " + content.error().to_string()), seen;
      seen.state[keyspace->id()] = std::move(*content);
    }
    const auto report = db->check();
    if (!report) run_.fail("check: " + report.error().to_string());
    if (report && !report->findings.empty()) run_.fail(report->findings.front().error.to_string());
    return seen;
  }

  env::Dice dice_;
  const LightningDbConfig config_;
  sim::Run run_;
  bool backed_up_ = false;
  std::uint64_t recovered_ = 0;
};

// In children, since killed worlds do not give back their memory.
TEST(ArchiveSimulation, HasNoHoleAndEachMomentIsWhatItWas) {
  constexpr std::uint64_t kPerChild = 10;
  const std::uint64_t seeds = testing_support::simulated_seeds(40);
  for (std::uint64_t first = 1; first <= seeds; first += kPerChild) {
    EXPECT_TRUE(testing_support::passes_in_child([&] {
      for (std::uint64_t seed = first; seed < first + kPerChild && seed <= seeds; ++seed) {
        EXPECT_EQ(Lives(seed).run(), "") << "seed " << seed;
        if (testing::Test::HasFailure()) return;
      }
    }));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace lightning::archive
