// Backups beside clients that do everything that can be done to a database, made, pruned and restored through many
// lives and deaths. Each is what one moment explains (sim/truth.h), and stays that.
#include <gtest/gtest.h>

#include "backup/place.h"
#include "sim/client.h"
#include "sim/run.h"
#include "support/child_process.h"
#include "support/simulated_seeds.h"

namespace lightning::backup {
namespace {

class Lives {
 public:
  explicit Lives(std::uint64_t seed)
      : dice_(seed * 0x9e3779b97f4a7c15u + 3),
        config_(config(dice_)),
        run_(dice_.next(), disk(dice_), config_, {.sync_mode = config_.wal_sync_mode}) {}

  std::string run() {
    constexpr int kLives = 4;
    for (int life = 0; life < kLives && !run_.failed(); ++life) {
      const bool last = life + 1 == kLives;
      if (!last) run_.arm(100 + dice_.below(1500), static_cast<env::CrashStage>(dice_.below(3)));
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
    config.memtable_bytes = dice.one_in(2) ? 16 << 10 : 200 << 10;
    config.blob_threshold = dice.one_in(2) ? 256 : 4096;
    return config;
  }

  void live(Database& db) {
    compare_all();
    if (auto common = db.keyspace("common"); !common) {
      run_.scene().truth.creating("common");
      auto made = db.create_keyspace("common", sim::kMerging);
      if (!made) return run_.fail(made.error().to_string());
      run_.scene().truth.created("common", made->id());
    }
    std::vector<base::Thread> threads;
    for (std::uint32_t id = 1; id <= 2; ++id)
      threads.push_back(base::Thread::spawn("client" + std::to_string(id), [&, id, seed = dice_.next()] {
        sim::Client client(db, run_.scene(), id, seed, run_.program());
        client.run(40);
        if (!run_.failed()) client.compare_all();
      }));
    threads.push_back(base::Thread::spawn("backup", [&] {
      for (int i = 0; i < 3 && !run_.failed(); ++i) make_one(db);
    }));
    for (base::Thread& thread : threads) thread.join();
  }

  void make_one(Database& db) {
    base::sleep_for(std::chrono::microseconds(dice_.below(3000)));
    env::Env& env = run_.world().env;
    const Sequence before = db.snapshot().sequence();
    const auto made = db.create_backup("/backups");
    if (!made) return run_.fail("create_backup: " + made.error().to_string());
    if (made->sequence < before) return run_.fail("a backup is older than what was visible before it");
    run_.scene().truth.seen(made->sequence);
    sim::Observation seen{made->sequence, state_of(made->number)};
    if (run_.failed()) return;
    states_[made->number] = seen.state;
    run_.scene().observations.push_back(std::move(seen));
    if (!dice_.one_in(3)) return;
    const auto pruned = prune(env, "/backups", 1 + dice_.below(2));
    if (!pruned) return run_.fail("prune: " + pruned.error().to_string());
  }

  // What is restored from it.
  sim::State state_of(std::uint64_t number) {
    env::Env& env = run_.world().env;
    sim::State state;
    const std::string path = "/restored" + std::to_string(++restored_);
    const auto restored = restore(env, "/backups", path, {.number = number});
    if (!restored) return run_.fail("restore: " + restored.error().to_string()), state;
    auto db = DatabaseAccess::open_as_given(env, path, run_.config(), dice_.one_in(2));
    if (!db) return run_.fail("opening what was restored: " + db.error().to_string()), state;
    if (db->snapshot().sequence() != restored->sequence) run_.fail("what was restored ends elsewhere");
    for (const std::string& name : db->keyspaces()) {
      const auto keyspace = db->keyspace(name);
      auto content = sim::scan(*db, *keyspace);
      if (!content) return run_.fail("scan of what was restored: " + content.error().to_string()), state;
      state[keyspace->id()] = std::move(*content);
    }
    const auto report = db->check();
    if (!report) run_.fail("check: " + report.error().to_string());
    if (report && !report->findings.empty()) run_.fail(report->findings.front().error.to_string());
    if (const Status closed = db->close(); !closed) run_.fail(closed.error().to_string());
    return state;
  }

  // After a death: those that were made are there, and what they were.
  void compare_all() {
    env::Env& env = run_.world().env;
    if (states_.empty()) return;
    const auto all = list(env, "/backups");
    if (!all) return run_.fail("list: " + all.error().to_string());
    const auto report = check(env, "/backups", {});
    if (!report) return run_.fail("check of backups: " + report.error().to_string());
    if (!report->findings.empty()) return run_.fail(report->findings.front().to_string());
    if (all->empty() || all->back().number < states_.rbegin()->first) return run_.fail("the newest backup is gone");
    for (const BackupInfo& info : *all) {
      if (info.damage) return run_.fail(info.damage->to_string());
      const auto known = states_.find(info.number);
      if (known == states_.end() && !dice_.one_in(4)) continue;  // nobody was told of it
      const sim::State found = state_of(info.number);
      if (run_.failed()) return;
      if (known == states_.end()) continue;
      const std::string why = sim::difference(known->second, found);
      if (!why.empty()) return run_.fail("a backup has changed: " + why);
    }
  }

  env::Dice dice_;
  const LightningDbConfig config_;
  sim::Run run_;
  std::map<std::uint64_t, sim::State> states_;
  std::uint64_t restored_ = 0;
};

// In children, since killed worlds do not give back their memory.
TEST(BackupSimulation, EachBackupIsOneMomentAndStaysIt) {
  constexpr std::uint64_t kPerChild = 10;
  const std::uint64_t seeds = testing_support::simulated_seeds(60);
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
}  // namespace lightning::backup
