#include "sim/history/run.h"

#include <memory>

#include "api/database_access.h"
#include "base/fiber.h"
#include "base/hash.h"
#include "env/simulated_world.h"
#include "sim/crash_run.h"
#include "sim/history/merges.h"

namespace lightning::sim::history {

namespace {

Terms terms_of(const Case& chosen) {
  Terms terms;
  terms.level = chosen.level;
  terms.optimistic = chosen.modes != Modes::kPessimistic;
  terms.pessimistic = chosen.modes != Modes::kOptimistic;
  terms.any_level = chosen.workload->mixes_levels;
  return terms;
}

// What the workload needs, unless it is there.
Status prepare(Database& db, const Tables& tables, const Workload& workload, Counters& counters) {
  WriteBatch batch;
  for (std::uint32_t row = 0; row < workload.rows; ++row) {
    const Key key = key_of(workload.table, row);
    LIGHTNING_ASSIGN(const auto there, db.get(tables.keyspace(key), Tables::name(key)));
    if (there) return {};
    const Found start{.key = key, .version = counters.versions.fetch_add(1) + 1, .number = workload.number(row)};
    batch.put(tables.keyspace(key), Tables::name(key), encode(start, 0));
  }
  if (workload.rows > 0) LIGHTNING_TRY(db.write(batch, {.durability = Durability::kSync}));
  return {};
}

// One store through several lives.
class Lives {
 public:
  Lives(const Case& chosen, std::uint64_t seed, const RunOptions& options)
      : case_(chosen), options_(options), dice_(seed * 0x9e3779b97f4a7c15u + 3), world_(seed, disk(dice_)) {
    terms_ = terms_of(chosen);
    terms_.virtual_time = true;
    config_ = small_config();
    config_.wal_sync_mode = dice_.one_in(2) ? WalSyncMode::kSync : WalSyncMode::kAsync;
    terms_.sync_by_default = config_.wal_sync_mode == WalSyncMode::kSync;
    config_.lock_timeout = std::chrono::milliseconds(dice_.one_in(4) ? 2 : 500);
    config_.memtable_bytes = dice_.one_in(2) ? 4 << 10 : 48 << 10;
    config_.transaction_memory_bytes = dice_.one_in(4) ? 16 << 10 : 1 << 20;
  }

  RunResult run() {
    const std::uint64_t lives = 1 + dice_.below(3);
    for (std::uint64_t life = 0; life < lives && failure_.empty(); ++life) {
      const bool dies = options_.crashes && dice_.one_in(2);
      if (dies)
        world_.files.set_crash_at(40 + dice_.below(500), static_cast<env::CrashStage>(dice_.below(3)),
                                  [] { base::FiberScheduler::current()->kill_world(); });
      if (run_world([this] { live(); }) != base::WorldEnd::kKilled) continue;
      ++result_.crashes;
      dice_.one_in(4) ? world_.files.process_death() : world_.files.crash(static_cast<env::CrashMode>(dice_.below(5)));
    }
    if (failure_.empty() && journal_)
      run_world([this] {
        auto db = open();
        if (db) settle(*db);
      });
    result_.failure = failure_;
    return result_;
  }

 private:
  static env::SimulatedDiskOptions disk(env::Dice& dice) {
    env::SimulatedDiskOptions options;
    options.write_back = dice.one_in(2);
    if (dice.one_in(2)) options.sync_latency = std::chrono::microseconds(100);
    return options;
  }
  void fail(const std::string& text) {
    if (failure_.empty()) failure_ = text;
  }
  base::WorldEnd run_world(const std::function<void()>& body) {
    base::FiberScheduler fibers(dice_.next(), {.steps_max = 30'000'000});
    const base::WorldEnd end = fibers.run(body);
    world_.files.cancel_crash();
    const std::uint64_t facts[] = {result_.hash, fibers.trace_hash(), world_.files.trace_hash()};
    result_.hash = base::hash64({reinterpret_cast<const char*>(facts), sizeof facts});
    if (end != base::WorldEnd::kFinished && end != base::WorldEnd::kKilled) fail("stuck: " + fibers.report());
    return end;
  }

  Result<Database> open() {
    auto db = DatabaseAccess::open_as_given(world_.env, "/store", config_, false, {}, Tables::options());
    if (!db) fail("open: " + db.error().to_string());
    return db;
  }

  // What a crash left of the life before.
  void settle(Database& db) {
    if (!journal_) return;
    const auto tables = Tables::open(db);
    if (!tables) return fail(tables.error().to_string());
    const auto content = tables->content(db);
    if (!content) return fail("after a crash: " + content.error().to_string());
    finish(*content, true);
  }
  void finish(const std::map<Key, Found>& content, bool crash) {
    journal_->history.after = After{.crash = crash, .content = content};
    ++result_.lives;
    if (journal_->failed()) {
      fail(journal_->failure());
    } else if (const std::string wrong = judge(case_, journal_->history, result_, options_); !wrong.empty()) {
      fail((crash ? "a life that ended in a crash: " : "") + wrong);
    }
    journal_.reset();
  }

  void live() {
    auto db = open();
    if (!db) return;
    settle(*db);
    if (!failure_.empty()) return;
    const auto tables = Tables::open(*db);
    if (!tables) return fail(tables.error().to_string());
    if (const Status ready = prepare(*db, *tables, *case_.workload, counters_); !ready)
      return fail(ready.error().to_string());
    const std::uint64_t clients = 2 + dice_.below(7);
    auto start = tables->content(*db);
    if (!start) return fail(start.error().to_string());
    journal_ = std::make_unique<Journal>(clients, counters_);
    journal_->history.start = *std::move(start);
    journal_->history.lists = case_.workload->lists;
    std::vector<base::Thread> threads;
    threads.reserve(clients);
    for (std::uint32_t c = 0; c < clients; ++c)
      threads.push_back(base::Thread::spawn("client" + std::to_string(c), [this, &db, &tables, c, seed = dice_.next()] {
        Client client(*db, *journal_, *tables, c, seed, terms_);
        for (int i = 0; i < 25 && !journal_->failed(); ++i) {
          case_.workload->step(client);
          if (client.dice().one_in(40) && !db->flush()) return;
          if (client.dice().one_in(3)) base::sleep_for(std::chrono::microseconds(client.dice().below(300)));
        }
      }));
    for (base::Thread& thread : threads) thread.join();
    const auto content = tables->content(*db);
    if (!content) return fail(content.error().to_string());
    if (!db->transactions().empty() || db->stats().transactions.locked_keys != 0) fail("something is left over");
    finish(*content, false);
    if (const Status closed = db->close(); !closed) fail(closed.error().to_string());
  }

  const Case case_;
  const RunOptions options_;
  env::Dice dice_;
  env::SimulatedWorld world_;
  LightningDbConfig config_;
  Terms terms_;
  Counters counters_;
  std::unique_ptr<Journal> journal_;  // of the life that is not judged yet
  RunResult result_;
  std::string failure_;
};

}  // namespace

std::string Case::name() const {
  constexpr const char* kLevels[] = {"read-committed", "snapshot", "serializable"};
  constexpr const char* kModes[] = {"optimistic", "pessimistic", "both"};
  return std::string(workload->name) + "/" +
         (workload->mixes_levels ? "any" : kLevels[static_cast<std::size_t>(level)]) + "/" +
         kModes[static_cast<std::size_t>(modes)];
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> made;
    for (const Workload& workload : workloads())
      for (const Isolation level : {Isolation::kReadCommitted, Isolation::kSnapshot, Isolation::kSerializable}) {
        if (workload.mixes_levels && level != Isolation::kSnapshot) continue;
        for (const Modes modes : {Modes::kOptimistic, Modes::kPessimistic, Modes::kBoth})
          made.push_back({&workload, level, modes});
      }
    return made;
  }();
  return all;
}

std::string judge(const Case& chosen, History& history, RunResult& result, const RunOptions& options) {
  resolve_sums(history);
  for (const auto& client : history.clients) result.transactions += client.size();
  result.committed += history.committed();
  const auto findings = check(history);
  if (!findings.empty())
    return std::string(name_of(findings.front().anomaly)) + ": " + findings.front().text + " (" +
           std::to_string(findings.size()) + " findings)";
  if (const std::string wrong = broken_invariant(*chosen.workload, history); !wrong.empty()) return wrong;
  if (options.look_for_allowed)
    for (const Isolation level : {Isolation::kSnapshot, Isolation::kSerializable})
      result.seen.merge(anomalies(history, level));
  return "";
}

RunResult run_simulated(const Case& chosen, std::uint64_t seed, const RunOptions& options) {
  return std::make_unique<Lives>(chosen, seed, options)->run();
}

RunResult run_threads(const Case& chosen, std::uint64_t seed, const std::string& directory, std::uint32_t threads,
                      std::uint64_t transactions, const RunOptions& options) {
  RunResult result;
  LightningDbConfig config = small_config();
  config.memtable_bytes = 256 << 10;
  config.wal_segment_bytes = 1 << 20;
  config.wal_bytes_max = 4 << 20;
  config.lock_timeout = std::chrono::milliseconds(10'000);
  config.block_bytes = 1 << 10;
  config.table_bytes = 256 << 10;
  config.wal_sync_mode = WalSyncMode::kAsync;
  auto db = Database::open(directory, config, Tables::options());
  if (!db) return {.failure = db.error().to_string()};
  const auto tables = Tables::open(*db);
  if (!tables) return {.failure = tables.error().to_string()};
  const auto counters = std::make_unique<Counters>();
  if (const Status ready = prepare(*db, *tables, *chosen.workload, *counters); !ready)
    return {.failure = ready.error().to_string()};
  auto start = tables->content(*db);
  if (!start) return {.failure = start.error().to_string()};
  Journal journal(threads, *counters);
  journal.history.start = *std::move(start);
  journal.history.lists = chosen.workload->lists;
  std::vector<base::Thread> running;
  running.reserve(threads);
  for (std::uint32_t c = 0; c < threads; ++c)
    running.push_back(base::Thread::spawn("client" + std::to_string(c), [&, c] {
      Client client(*db, journal, *tables, c, seed * 1000 + c, terms_of(chosen));
      for (std::uint64_t i = 0; i < transactions / threads && !journal.failed(); ++i) {
        chosen.workload->step(client);
        if (c == 0 && i % 100 == 99)
          if (const Status flushed = db->flush(); !flushed) journal.fail(flushed.error().to_string());
      }
    }));
  for (base::Thread& thread : running) thread.join();
  const auto content = tables->content(*db);
  if (!content) return {.failure = content.error().to_string()};
  journal.history.after = After{.crash = false, .content = *content};
  if (!db->transactions().empty() || db->stats().transactions.locked_keys != 0) journal.fail("something is left over");
  result.lives = 1;
  result.failure = journal.failed() ? journal.failure() : judge(chosen, journal.history, result, options);
  if (const Status closed = db->close(); !closed && result.failure.empty()) result.failure = closed.error().to_string();
  return result;
}

}  // namespace lightning::sim::history
