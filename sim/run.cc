#include "sim/run.h"

#include "api/database_access.h"
#include "base/fiber.h"
#include "base/hash.h"

namespace lightning::sim {

namespace {

constexpr const char* kPath = "/store";

}  // namespace

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

base::WorldEnd Run::run_world(const std::function<void()>& body) {
  ++lives_;
  base::FiberScheduler fibers(dice_.next(), {.steps_max = 3'000'000});
  const base::WorldEnd end = fibers.run(body);
  const std::uint64_t facts[] = {counts_.hash, fibers.trace_hash(), world_.files.trace_hash()};
  counts_.hash = base::hash64({reinterpret_cast<const char*>(facts), sizeof facts});
  if (end == base::WorldEnd::kDeadlock || end == base::WorldEnd::kStepLimit)
    fail(std::string(end == base::WorldEnd::kDeadlock ? "deadlock" : "no end in sight") + ": " + fibers.report());
  scene_.settle_observations();
  return end;
}

bool Run::live(const std::function<void(Database&)>& body, bool read_only) {
  return run_world([&] {
           scene_.doing = "opening";
           auto db = DatabaseAccess::open_as_given(world_.env, kPath, config_, read_only, tuning_);
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
         }) == base::WorldEnd::kFinished;
}

void Run::live_with_faults(const std::function<void(Database&)>& body) {
  scene_.faults = true;
  run_world([&] {
    auto db = DatabaseAccess::open_as_given(world_.env, kPath, config_, false, tuning_);
    if (!db) return scene_.judge(db.error(), "open");
    body(*db);
    const std::size_t mark = scene_.truth.mark();
    if (const Status closed = db->close(); !closed) return scene_.judge(closed.error(), "close");
    scene_.truth.durable_up_to(mark);
  });
  scene_.faults = false;
}

void Run::arm(std::uint64_t nth, env::CrashStage stage) {
  world_.files.set_crash_at(nth, stage, [] { base::FiberScheduler::current()->kill_world(); });
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

}  // namespace lightning::sim
