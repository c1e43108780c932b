#include "sim/crash_run.h"

#include <algorithm>

#include "base/fiber.h"
#include "sim/run.h"

namespace lightning::sim {

namespace {

template <class T>
T pick(env::Dice& dice, std::initializer_list<T> choices) {
  return *(choices.begin() + dice.below(choices.size()));
}

// Several clients at once, readers and upkeep among them.
void run_clients(Run& run, Database& db, std::uint64_t count, std::uint64_t steps) {
  Scene& scene = run.scene();
  if (count == 0) {
    Client alone(db, scene, 0, run.dice().next(), run.program());
    alone.run(steps);
    if (!scene.failed()) alone.compare_all();
    return;
  }
  if (auto common = db.keyspace("common"); !common) {
    scene.truth.creating("common");
    auto made = db.create_keyspace("common", kMerging);
    if (!made) return run.fail(made.error().to_string());
    scene.truth.created("common", made->id());
  }
  std::vector<base::Thread> threads;
  for (std::uint32_t id = 1; id <= count; ++id) {
    const std::uint64_t seed = run.dice().next();
    threads.push_back(base::Thread::spawn("client" + std::to_string(id), [&, id, seed] {
      Client client(db, scene, id, seed, run.program());
      client.run(steps);
      if (!scene.failed()) client.compare_all();
    }));
  }
  {
    const std::uint64_t seed = run.dice().next();
    threads.push_back(base::Thread::spawn("reader", [&, seed] {
      Client reader(db, scene, 99, seed, run.program());
      for (std::uint64_t i = 0; i < 4 && !scene.failed(); ++i) {
        reader.observe();
        base::sleep_for(std::chrono::microseconds(200));
      }
    }));
  }
  for (base::Thread& thread : threads) thread.join();
}

// For the rest of this life a table or a blob file counts as damaged: a check meets a flipped bit, which is then
// flipped back. So all can still be read and compared, while flushes and compactions must find their way around the
// file.
void pretend_damage(Run& run, Database& db) {
  env::SimulatedFileSystem& files = run.world().files;
  // What a job has not finished is not a table yet.
  if (const Status idle = db.wait_for_background_work(); !idle) return run.fail(idle.error().to_string());
  const std::string folder = db.path() + (run.dice().one_in(3) ? "/blobs" : "/tables");
  const auto names = files.list(folder);
  if (!names || names->empty()) return;
  const std::string path = folder + "/" + (*names)[run.dice().below(names->size())];
  const auto info = files.info(path);
  if (!info) return;
  const std::uint64_t offset = run.dice().below(info->bytes / 2 + 1);
  if (!files.flip_bit(path, offset)) return;
  const auto report = db.check();
  files.flip_bit(path, offset);
  if (!report) return run.fail("check: " + report.error().to_string());
  run.scene().damage = !db.stats().damaged_tables.empty();
}

}  // namespace

RunResult& RunResult::operator+=(const RunResult& other) {
  crashes += other.crashes;
  recoveries += other.recoveries;
  calls += other.calls;
  errors += other.errors;
  hash ^= other.hash;
  if (failure.empty()) failure = other.failure;
  return *this;
}

LightningDbConfig small_config() {
  LightningDbConfig config;
  config.cache_size = 8 << 20;
  config.memtable_bytes = 48 << 10;
  config.wal_segment_bytes = 64 << 10;
  config.wal_bytes_max = 256 << 10;
  config.table_bytes = 24 << 10;
  config.block_bytes = 512;
  config.level0_compaction_trigger = 2;
  config.level0_slowdown_trigger = 6;
  config.level0_stop_trigger = 10;
  config.level_size_multiplier = 2;
  config.compaction_threads = 2;
  config.open_files_max = 8;
  config.blob_threshold = 1024;
  config.scrub_period = std::chrono::milliseconds(0);
  return config;
}

RunResult run_seed(std::uint64_t seed, const Planted& planted, const std::function<void(const std::string&)>& tell) {
  env::Dice dice(seed * 0x9e3779b97f4a7c15u + 1);
  LightningDbConfig config = small_config();
  config.wal_sync_mode = pick(dice, {WalSyncMode::kSync, WalSyncMode::kPeriodic, WalSyncMode::kAsync});
  config.wal_sync_interval = std::chrono::milliseconds(pick(dice, {1, 10, 100}));
  config.integrity_validation_level =
      pick(dice, {IntegrityLevel::kBasic, IntegrityLevel::kStandard, IntegrityLevel::kParanoid});
  config.compression_enabled = dice.one_in(2);
  config.filter_bits_per_key = pick(dice, {0u, 10u});
  config.memtable_bytes = pick(dice, {16u << 10, 48u << 10, 200u << 10});
  config.compaction_threads = pick(dice, {1u, 2u});
  config.open_files_max = pick(dice, {1u, 4u, 1000u});
  env::Dice large_dice(seed * 0x9e3779b97f4a7c15u + 2);
  config.blob_threshold = pick<std::uint64_t>(large_dice, {0, 256, 256, 1024, 4096});
  config.max_space_amplification = pick(large_dice, {105u, 150u, 1000u});
  config.block_parity = large_dice.one_in(4);
  if (seed % 3 == 0) config.tombstones_per_seek_max = 16;

  env::SimulatedDiskOptions disk;
  disk.write_back = dice.one_in(2);
  disk.reorder_names = dice.one_in(4);
  disk.append_buffer_bytes = pick<std::uint64_t>(dice, {0, 4 << 10, 32 << 10});
  if (dice.one_in(3)) disk.sync_latency = std::chrono::microseconds(100);
  disk.ignored_syncs = planted.ignored_syncs;
  disk.ignore_directory_syncs = planted.ignore_directory_syncs;

  ProgramOptions program;
  program.sync_mode = config.wal_sync_mode;
  program.only_sync = config.wal_sync_mode == WalSyncMode::kSync && dice.one_in(2);
  Run run(dice.next(), disk, config, program);
  run.tune({.manifest_roll = {.bytes_min = pick<std::uint64_t>(dice, {0, 1 << 10, 4 << 10, 1 << 20}),
                              .growth = 1 + dice.below(4)},
            .stream_buffer_bytes = pick<std::uint64_t>(large_dice, {0, 1000, 1 << 20})});
  run.scene().tell = tell;
  const bool nested = dice.one_in(5);
  const std::uint64_t clients = dice.one_in(2) ? 0 : 1 + dice.below(4);
  const std::uint64_t lives = 2 + dice.below(4);
  const auto stage = [&] { return static_cast<env::CrashStage>(dice.below(3)); };
  const auto moment = [&](std::uint64_t end) { return 1 + dice.below(1 + dice.below(end)); };
  const auto die = [&] {
    run.die(
        dice.one_in(4) ? Death::kProcess : Death::kPower,
        pick(dice, {env::CrashMode::kRandom, env::CrashMode::kRandom, env::CrashMode::kRandom, env::CrashMode::kDropAll,
                    env::CrashMode::kKeepAll, env::CrashMode::kKeepOne, env::CrashMode::kLoseOne}));
  };
  for (std::uint64_t life = 0; life < lives && !run.failed(); ++life) {
    for (std::uint64_t death = 0; nested && death < dice.below(4) && !run.failed(); ++death) {
      run.arm(moment(40), stage());
      if (!run.live([](Database&) {})) die();
    }
    run.world().files.cancel_crash();
    const std::uint64_t when = moment(400);
    const env::CrashStage how = stage();
    const bool damage = dice.one_in(4);
    const bool outlived = run.live([&](Database& db) {
      if (damage) pretend_damage(run, db);
      run.arm(when, how);
      run_clients(run, db, clients, clients == 0 ? 60 : 60 / clients);
      // A life that comes to its end before its death is closed cleanly, or dies just before.
      if (dice.one_in(2) && !run.failed()) base::FiberScheduler::current()->kill_world();
      run.world().files.cancel_crash();
    });
    run.scene().damage = false;
    if (run.failed()) break;
    if (!outlived) die();
  }
  run.world().files.cancel_crash();
  if (!run.failed())
    run.live([&](Database& db) {
      const auto report = db.check();
      if (!report) return run.fail("check: " + report.error().to_string());
      if (!report->findings.empty()) return run.fail("check found: " + report->findings.front().error.to_string());
    });
  if (!run.failed()) run.live([](Database&) {}, /*read_only=*/true);
  return run.result();
}

// --- every moment -------------------------------------------------------------------------------------------------

namespace {

constexpr std::uint64_t kScenarioSeed = 4711;

// How a death leaves the disk.
struct Ending {
  Death death;
  env::CrashMode mode;
  std::uint64_t seed;  // of the disk's chances
};
constexpr Ending kEndings[] = {
    {Death::kPower, env::CrashMode::kDropAll, 1},   {Death::kPower, env::CrashMode::kKeepAll, 1},
    {Death::kPower, env::CrashMode::kRandom, 1},    {Death::kPower, env::CrashMode::kRandom, 2},
    {Death::kPower, env::CrashMode::kRandom, 3},    {Death::kPower, env::CrashMode::kRandom, 4},
    {Death::kPower, env::CrashMode::kKeepOne, 1},   {Death::kPower, env::CrashMode::kLoseOne, 1},
    {Death::kProcess, env::CrashMode::kKeepAll, 1},
};

}  // namespace

RunResult run_scenario(const Scenario& scenario, std::uint64_t first, std::uint64_t stride,
                       const std::function<void(const std::string&)>& on_failure) {
  RunResult sum;
  const auto client = [](Run& run, const std::function<void(Database&, Client&)>& calls) {
    return [&run, &calls](Database& db) {
      Client alone(db, run.scene(), 0, kScenarioSeed, run.program());
      if (calls) calls(db, alone);
    };
  };
  for (const WalSyncMode mode : {WalSyncMode::kSync, WalSyncMode::kPeriodic, WalSyncMode::kAsync}) {
    LightningDbConfig config = small_config();
    config.wal_sync_mode = mode;
    if (scenario.configure) scenario.configure(config);
    ProgramOptions program;
    program.sync_mode = mode;
    for (const Ending& ending : kEndings) {
      for (const env::CrashStage stage :
           {env::CrashStage::kBefore, env::CrashStage::kDuring, env::CrashStage::kAfter}) {
        for (std::uint64_t moment = 1 + first;; moment += stride) {
          Run run(kScenarioSeed + ending.seed * 7, {}, config, program);
          run.tune(scenario.tuning);
          if (scenario.prepare) run.live(client(run, scenario.prepare));
          run.arm(moment, stage);
          const bool outlived = !run.failed() && run.live(client(run, scenario.run));
          if (!outlived && !run.failed()) {
            run.die(ending.death, ending.mode);
            run.live([](Database&) {});
            if (!run.failed()) run.live([](Database&) {}, /*read_only=*/true);
          }
          const RunResult result = run.result();
          sum += result;
          if (run.failed())
            on_failure(std::string(scenario.name) + ", mode " + std::to_string(static_cast<int>(mode)) + ", ending " +
                       std::to_string(&ending - kEndings) + ", stage " + std::to_string(static_cast<int>(stage)) +
                       ", I/O " + std::to_string(moment) + ": " + result.failure);
          if (outlived || run.failed()) break;
        }
      }
    }
  }
  return sum;
}

// --- every fault --------------------------------------------------------------------------------------------------

namespace {

// Meets every layer, and goes on after errors.
void run_everything(Database& db, Client& client) {
  const Keyspace where = db.default_keyspace();
  const auto put_some = [&](const Keyspace& keyspace, int count, std::uint64_t bytes) {
    for (int i = 0; i < count && !client.stopped(); ++i)
      client.put(keyspace, "k" + std::to_string(i), client.value(bytes), Durability::kDefault);
  };
  put_some(where, 3, 40);
  client.flush();
  put_some(where, 2, 30 << 10);
  put_some(where, 1, 100 << 10);
  client.make_keyspace("more");
  if (const auto more = db.keyspace("more")) {
    put_some(*more, 2, 20);
    for (int i = 0; i < 2 && !client.stopped(); ++i) client.merge(*more, "k0", client.value(9), Durability::kDefault);
    if (!client.stopped()) client.put(*more, "k1", "", Durability::kDefault, Lives::kNoMore);
  }
  client.flush();
  if (!client.stopped()) client.erase(where, "k1", Durability::kSync);
  (void)db.compact_range();
  client.sync();
  client.drop_keyspace("more");
  put_some(where, 2, 50);
  client.compare_all();
}

}  // namespace

RunResult run_with_fault(const env::Fault& fault, WalSyncMode mode, bool power_cut) {
  LightningDbConfig config = small_config();
  config.wal_sync_mode = mode;
  ProgramOptions program;
  program.sync_mode = mode;
  Run run(kScenarioSeed, {}, config, program);
  run.world().files.add_fault(fault);
  run.live_with_faults([&](Database& db) {
    Client client(db, run.scene(), 0, kScenarioSeed, program);
    run_everything(db, client);
  });
  run.world().files.clear_faults();
  if (power_cut && !run.failed()) run.die(Death::kPower, env::CrashMode::kDropAll);
  if (!run.failed())
    run.live([&](Database& db) {
      Client client(db, run.scene(), 0, kScenarioSeed, program);
      client.run(10);
    });
  if (!run.failed()) run.live([](Database&) {});
  RunResult result = run.result();
  result.errors = run.scene().errors;
  return result;
}

}  // namespace lightning::sim
