#include "sim/crash_run.h"

#include <algorithm>

#include "api/database_access.h"
#include "base/fiber.h"
#include "base/hash.h"

namespace lightning::sim {

namespace {

constexpr const char* kPath = "/store";

enum class Death : std::uint8_t { kNone, kProcess, kPower };

// One store on one simulated disk, through all its lives.
class Run {
 public:
  Run(std::uint64_t seed, env::SimulatedDiskOptions disk, LightningDbConfig config, ProgramOptions program)
      : dice_(seed), world_(seed, std::move(disk)), config_(config), program_(program) {}

  env::SimulatedWorld& world() { return world_; }
  Scene& scene() { return scene_; }
  env::Dice& dice() { return dice_; }
  const LightningDbConfig& config() const { return config_; }
  const ProgramOptions& program() const { return program_; }
  RunResult result() const {
    RunResult result = counts_;
    result.failure = scene_.failure;
    result.calls = scene_.calls;
    return result;
  }
  bool failed() const { return scene_.failed(); }

  // A life: opens the store, compares it, and runs `body` on it. True if it lived to the end of it.
  bool live(const std::function<void(Database&)>& body, bool read_only = false);
  // What a life that ended early leaves.
  void die(Death death, env::CrashMode mode);
  void arm(std::uint64_t nth, env::CrashStage stage) {
    world_.files.set_crash_at(nth, stage, [] { base::FiberScheduler::current()->kill_world(); });
  }
  void fail(const std::string& text) {
    scene_.fail("life " + std::to_string(lives_) + (scene_.doing.empty() ? "" : ", " + scene_.doing) + ": " + text);
  }

 private:
  void compare(Database& db);

  env::Dice dice_;
  env::SimulatedWorld world_;
  const LightningDbConfig config_;
  const ProgramOptions program_;
  Scene scene_;
  RunResult counts_;
  std::uint64_t lives_ = 0;
  bool power_cut_ = false;  // since the last comparison
};

void Run::compare(Database& db) {
  State state;
  std::map<std::string, std::uint32_t> names;
  const Sequence sequence = db.snapshot().sequence();
  for (const std::string& name : db.keyspaces()) {
    auto keyspace = db.keyspace(name);
    if (!keyspace) return fail("keyspace '" + name + "': " + keyspace.error().to_string());
    auto content = scan(db, *keyspace);
    if (!content) return fail("scan after recovery: " + content.error().to_string());
    // Point reads go another way, through filters.
    std::size_t asked = 0;
    for (const auto& [key, value] : *content) {
      if (++asked > 15) break;
      auto found = db.get(*keyspace, key);
      if (!found) return fail("get after recovery: " + found.error().to_string());
      if (!*found || **found != value) return fail("get of '" + key + "' answers otherwise than a scan");
    }
    names[name] = keyspace->id();
    state[keyspace->id()] = std::move(*content);
  }
  const std::string why = scene_.truth.recovered(sequence, state, names, power_cut_);
  if (!why.empty()) return fail(why);
  power_cut_ = false;
  ++counts_.recoveries;
  scene_.say("life " + std::to_string(lives_) + ": open, sequence " + std::to_string(sequence));
}

bool Run::live(const std::function<void(Database&)>& body, bool read_only) {
  ++lives_;
  scene_.doing = "opening";
  base::FiberScheduler fibers(dice_.next(), {.steps_max = 3'000'000});
  const base::WorldEnd end = fibers.run([&] {
    auto db = DatabaseAccess::open_as_given(world_.env, kPath, config_, read_only);
    if (!db) return fail(db.error().to_string());
    scene_.doing = "comparing";
    compare(*db);
    scene_.doing.clear();
    if (failed()) return;
    body(*db);
    if (failed()) return;
    const std::size_t mark = scene_.truth.mark();
    scene_.doing = "closing";
    if (const Status closed = db->close(); !closed) return fail(closed.error().to_string());
    scene_.truth.durable_up_to(mark);
    scene_.doing.clear();
  });
  const std::uint64_t facts[] = {counts_.hash, fibers.trace_hash(), world_.files.trace_hash()};
  counts_.hash = base::hash64({reinterpret_cast<const char*>(facts), sizeof facts});
  counts_.writes += scene_.truth.writes();
  if (end == base::WorldEnd::kDeadlock || end == base::WorldEnd::kStepLimit)
    fail(std::string(end == base::WorldEnd::kDeadlock ? "deadlock" : "no end in sight") + ": " + fibers.report());
  scene_.settle_observations();
  return end == base::WorldEnd::kFinished;
}

void Run::die(Death death, env::CrashMode mode) {
  world_.files.cancel_crash();
  ++counts_.crashes;
  scene_.say(death == Death::kProcess ? "the process dies"
                                      : "the power is cut, mode " + std::to_string(static_cast<int>(mode)));
  if (death == Death::kProcess) {
    world_.files.process_death();
  } else {
    world_.files.crash(mode);
    power_cut_ = true;
  }
}

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
    auto made = db.create_keyspace("common");
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

}  // namespace

RunResult& RunResult::operator+=(const RunResult& other) {
  crashes += other.crashes;
  recoveries += other.recoveries;
  calls += other.calls;
  writes += other.writes;
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
  config.open_files_max = 1000;
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

  env::SimulatedDiskOptions disk;
  disk.write_back = dice.one_in(2);
  disk.reorder_names = dice.one_in(4);
  disk.append_buffer_bytes = pick<std::uint64_t>(dice, {0, 4 << 10, 32 << 10});
  if (dice.one_in(3)) disk.sync_latency = std::chrono::microseconds(100);
  disk.ignored_syncs = planted.ignored_syncs;
  disk.ignore_directory_syncs = planted.ignore_directory_syncs;

  ProgramOptions program;
  program.sync_mode = config.wal_sync_mode;
  Run run(dice.next(), disk, config, program);
  run.scene().tell = tell;
  const bool nested = dice.one_in(5);
  const std::uint64_t clients = dice.one_in(2) ? 0 : 1 + dice.below(4);
  const std::uint64_t lives = 2 + dice.below(4);
  const auto stage = [&] { return static_cast<env::CrashStage>(dice.below(3)); };
  const auto moment = [&](std::uint64_t end) { return 1 + dice.below(1 + dice.below(end)); };
  const auto die = [&] {
    run.die(dice.one_in(4) ? Death::kProcess : Death::kPower,
            pick(dice, {env::CrashMode::kRandom, env::CrashMode::kRandom, env::CrashMode::kRandom,
                        env::CrashMode::kDropAll, env::CrashMode::kKeepAll}));
  };
  for (std::uint64_t life = 0; life < lives && !run.failed(); ++life) {
    for (std::uint64_t death = 0; nested && death < dice.below(4) && !run.failed(); ++death) {
      run.arm(moment(40), stage());
      if (!run.live([](Database&) {})) die();
    }
    run.world().files.cancel_crash();
    const std::uint64_t when = moment(400);
    const env::CrashStage how = stage();
    const bool outlived = run.live([&](Database& db) {
      run.arm(when, how);
      run_clients(run, db, clients, clients == 0 ? 60 : 60 / clients);
      // A life that comes to its end before its death is closed cleanly, or dies just before.
      if (dice.one_in(2) && !run.failed()) base::FiberScheduler::current()->kill_world();
      run.world().files.cancel_crash();
    });
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

}  // namespace lightning::sim
