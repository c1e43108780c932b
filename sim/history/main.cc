// history_sim: runs concurrent transactions by seed, judges their histories, and replays one.
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/planted_bug.h"
#include "sim/history/run.h"
#include "sim/process_pool.h"

namespace {

using namespace lightning::sim::history;
using lightning::base::PlantedBug;

constexpr const char* kUsage =
    "history_sim: runs transactions side by side and judges what they were told\n"
    "  --seed=N            run this seed alone\n"
    "  --seeds=N           run so many (default 100), taking turns among the cases\n"
    "  --start=N           from this one on (default 1)\n"
    "  --transactions=N    instead, go on until so many were committed\n"
    "  --threads=N         on so many threads and real files, not in simulation\n"
    "  --each=N            with --threads: transactions of each seed (default 2000)\n"
    "  --cases=TEXT        only cases whose name contains this, as bank/snapshot/optimistic\n"
    "  --list              print the names of the cases\n"
    "  --jobs=N            processes at a time (default 1)\n"
    "  --twice             run each seed twice: both runs must be the same\n"
    "  --seen              print the anomalies that were seen where a level allows them\n"
    "  --plant=NAME        with a bug: skip-validation, release-locks-early, ignore-own-writes, lose-phantoms,\n"
    "                      ignore-intents, move-on-after-reads\n"
    "  --ledger=FILE       add a line about this run\n"
    "  --commit=TEXT       of what was run, for that line\n"
    "  --verbose           print each seed\n"
    "Prints a line for each failure, and ends with 1 if there was one.\n";

struct Arguments {
  std::uint64_t start = 1, seeds = 100, transactions = 0, threads = 0, each = 2000, jobs = 1;
  bool twice = false, seen = false, verbose = false, list = false;
  PlantedBug plant = PlantedBug::kNone;
  std::string cases, ledger, commit = "unknown";
};

struct Shared : lightning::sim::PoolShare {
  std::atomic<std::uint64_t> runs{0}, lives{0}, crashes{0}, transactions{0}, committed{0};
  std::atomic<std::uint64_t> first_failure{~std::uint64_t{0}};
  std::atomic<std::uint32_t> seen[3][2];  // by level and mode, a bit for each anomaly
};

std::vector<Case> chosen_cases(const Arguments& arguments) {
  std::vector<Case> chosen;
  for (const Case& each : cases())
    if (each.name().find(arguments.cases) != std::string::npos) chosen.push_back(each);
  return chosen;
}

RunResult run_once(const Arguments& arguments, const Case& chosen, std::uint64_t seed) {
  const RunOptions options{.look_for_allowed = arguments.seen};
  if (arguments.threads == 0) return run_simulated(chosen, seed, options);
  std::string directory = std::filesystem::temp_directory_path() / "lightning-history-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return {.failure = "no directory to work in"};
  const RunResult result = run_threads(chosen, seed, directory + "/store",
                                       static_cast<std::uint32_t>(arguments.threads), arguments.each, options);
  std::filesystem::remove_all(directory);
  return result;
}

void run_seed(Shared& shared, const Arguments& arguments, const std::vector<Case>& chosen, std::uint64_t seed) {
  const Case& one = chosen[seed % chosen.size()];
  const RunResult result = run_once(arguments, one, seed);
  ++shared.runs;
  shared.lives += result.lives;
  shared.crashes += result.crashes;
  shared.transactions += result.transactions;
  shared.committed += result.committed;
  const std::string name = "seed " + std::to_string(seed) + " (" + one.name() + ")";
  if (!result.failure.empty()) {
    std::uint64_t first = shared.first_failure.load();
    while (seed < first && !shared.first_failure.compare_exchange_weak(first, seed)) {}
    report(shared, name + ": " + result.failure);
  }
  if (arguments.verbose)
    std::printf("%s: %llu committed\n", name.c_str(), static_cast<unsigned long long>(result.committed));
  if (one.modes != Modes::kBoth && !one.workload->mixes_levels)
    for (const Anomaly anomaly : result.seen)
      shared.seen[static_cast<std::size_t>(one.level)][static_cast<std::size_t>(one.modes)].fetch_or(
          1u << static_cast<unsigned>(anomaly));
  if (arguments.twice && run_once(arguments, one, seed).hash != result.hash)
    report(shared, name + ": a second run was another one");
}

bool is_done(const Shared& shared, const Arguments& arguments) {
  if (arguments.transactions > 0) return shared.committed.load() >= arguments.transactions;
  return shared.next.load() >= arguments.seeds;
}

// What one process does.
void work(Shared& shared, const Arguments& arguments, const std::vector<Case>& chosen) {
  constexpr std::uint64_t kSeedsPerProcess = 50;
  lightning::base::plant(arguments.plant);
  const std::uint64_t from = shared.next.fetch_add(kSeedsPerProcess);
  for (std::uint64_t i = from; i < from + kSeedsPerProcess; ++i) {
    if (arguments.transactions > 0 ? is_done(shared, arguments) : i >= arguments.seeds) return;
    run_seed(shared, arguments, chosen, arguments.start + i);
  }
}

void print_seen(const Shared& shared) {
  constexpr const char* kLevels[] = {"read committed", "snapshot", "serializable"};
  constexpr const char* kModes[] = {"optimistic", "pessimistic"};
  for (std::size_t level = 0; level < 3; ++level)
    for (std::size_t mode = 0; mode < 2; ++mode) {
      std::printf("seen at %s, %s:", kLevels[level], kModes[mode]);
      const std::uint32_t bits = shared.seen[level][mode].load();
      for (unsigned bit = 0; bit < 32; ++bit)
        if (bits & (1u << bit)) std::printf(" %s;", std::string(name_of(static_cast<Anomaly>(bit))).c_str());
      std::printf("%s\n", bits == 0 ? " nothing" : "");
    }
}

void write_ledger(const Arguments& arguments, const Shared& shared, double seconds) {
  std::error_code ignored;
  const bool is_new = !std::filesystem::exists(arguments.ledger, ignored);
  std::ofstream ledger(arguments.ledger, std::ios::app);
  if (is_new) ledger << "date,commit,runtime,cases,first_seed,seeds,crashes,transactions,committed,seconds,failures\n";
  char date[32] = "";
  const std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
  char text[32] = "";
  std::snprintf(text, sizeof text, "%.1f", seconds);
  ledger << date << ',' << arguments.commit << ','
         << (arguments.threads == 0 ? "simulation" : std::to_string(arguments.threads) + " threads") << ','
         << (arguments.cases.empty() ? "all" : arguments.cases) << ',' << arguments.start << ',' << shared.runs.load()
         << ',' << shared.crashes.load() << ',' << shared.transactions.load() << ',' << shared.committed.load() << ','
         << text << ',' << shared.failures.load() << '\n';
}

int run(const Arguments& arguments) {
  const std::vector<Case> chosen = chosen_cases(arguments);
  if (chosen.empty()) {
    std::fputs("history_sim: no case is called so\n", stderr);
    return 2;
  }
  if (arguments.list) {
    for (const Case& each : chosen) std::printf("%-40s %s\n", each.name().c_str(), each.workload->what);
    return 0;
  }
  auto* const made = lightning::sim::make_share<Shared>();
  if (made == nullptr) return 2;
  Shared& shared = *made;
  const auto start = std::chrono::steady_clock::now();
  const bool ran = lightning::sim::run_processes(
      shared, arguments.jobs, [&] { work(shared, arguments, chosen); }, [&] { return is_done(shared, arguments); },
      [&] { return "somewhere before seed " + std::to_string(arguments.start + shared.next.load()); });
  if (!ran) return 2;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (arguments.seen) print_seen(shared);
  if (shared.failures.load() > 0)
    std::printf("the first failure is of seed %llu\n", static_cast<unsigned long long>(shared.first_failure));
  std::printf("%llu seeds, %llu lives, %llu crashes, %llu transactions (%llu committed), %llu failures in %.1f s\n",
              static_cast<unsigned long long>(shared.runs), static_cast<unsigned long long>(shared.lives),
              static_cast<unsigned long long>(shared.crashes), static_cast<unsigned long long>(shared.transactions),
              static_cast<unsigned long long>(shared.committed), static_cast<unsigned long long>(shared.failures),
              seconds);
  if (!arguments.ledger.empty()) write_ledger(arguments, shared, seconds);
  return shared.failures.load() == 0 ? 0 : 1;
}

bool parse_plant(const std::string& name, PlantedBug& bug) {
  constexpr std::pair<const char*, PlantedBug> kBugs[] = {
      {"skip-validation", PlantedBug::kSkipValidation},    {"release-locks-early", PlantedBug::kReleaseLocksEarly},
      {"ignore-own-writes", PlantedBug::kIgnoreOwnWrites}, {"lose-phantoms", PlantedBug::kLosePhantoms},
      {"ignore-intents", PlantedBug::kIgnoreIntents},      {"move-on-after-reads", PlantedBug::kMoveOnAfterReads}};
  for (const auto& [known, planted] : kBugs)
    if (name == known) bug = planted;
  return bug != PlantedBug::kNone && lightning::base::kPlantedBugs;
}

bool parse(const std::string& word, Arguments& arguments) {
  const auto equals = word.find('=');
  const std::string name = word.substr(0, equals), value = equals == std::string::npos ? "" : word.substr(equals + 1);
  const auto number = [&](const char* expected, std::uint64_t& into) {
    if (name != expected || value.empty()) return false;
    char* end = nullptr;
    into = std::strtoull(value.c_str(), &end, 10);
    return *end == '\0';
  };
  const auto text = [&](const char* expected, std::string& into) {
    if (name != expected || value.empty()) return false;
    into = value;
    return true;
  };
  const auto flag = [&](const char* expected, bool& into) { return word == expected && (into = true); };
  if (number("--seed", arguments.start)) return arguments.seeds = 1, true;
  if (name == "--plant") return parse_plant(value, arguments.plant);
  return number("--seeds", arguments.seeds) || number("--start", arguments.start) || number("--jobs", arguments.jobs) ||
         number("--transactions", arguments.transactions) || number("--threads", arguments.threads) ||
         number("--each", arguments.each) || text("--cases", arguments.cases) || text("--ledger", arguments.ledger) ||
         text("--commit", arguments.commit) || flag("--twice", arguments.twice) || flag("--seen", arguments.seen) ||
         flag("--verbose", arguments.verbose) || flag("--list", arguments.list);
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i)
    if (!parse(words[i], arguments)) {
      std::fputs(kUsage, stderr);
      return 2;
    }
  return run(arguments);
}
