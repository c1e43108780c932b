// engine_sim: runs crash simulations by seed, and replays one.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "sim/bad_disk.h"
#include "sim/crash_run.h"
#include "sim/process_pool.h"

namespace {

using lightning::sim::RunResult;

constexpr const char* kUsage =
    "engine_sim: kills simulated databases and compares what comes back with what must; every fourth seed does so on "
    "a\n"
    "disk that refuses calls, lies and rots\n"
    "  --seed=N       run this seed alone\n"
    "  --seeds=N      run so many (default 100)\n"
    "  --start=N      from this one on (default 1)\n"
    "  --jobs=N       processes at a time (default 1)\n"
    "  --scenarios    instead, kill short programs at each of their I/Os\n"
    "  --one-of=N     of the scenarios, only every Nth I/O\n"
    "  --twice        run each seed twice: both runs must be the same\n"
    "  --verbose      tell what happens\n"
    "Prints a line for each failure, and ends with 1 if there was one.\n";

constexpr std::uint64_t kScenarioParts = 8;  // of each scenario: one per process

struct Arguments {
  std::uint64_t start = 1, seeds = 100, jobs = 1, one_of = 1;
  bool scenarios = false, twice = false, verbose = false;
};

struct Shared : lightning::sim::PoolShare {
  std::atomic<std::uint64_t> crashes{0}, recoveries{0}, calls{0};
};

void add(Shared& shared, const RunResult& result) {
  shared.crashes += result.crashes;
  shared.recoveries += result.recoveries;
  shared.calls += result.calls;
}

RunResult run_seed(std::uint64_t seed, const std::function<void(const std::string&)>& tell) {
  return seed % 4 == 0 ? lightning::sim::run_seed_on_bad_disk(seed, tell) : lightning::sim::run_seed(seed, {}, tell);
}

void run_one_seed(Shared& shared, std::uint64_t seed, bool twice, bool verbose) {
  std::function<void(const std::string&)> tell;
  if (verbose) tell = [](const std::string& line) { std::printf("%s\n", line.c_str()); };
  const RunResult result = run_seed(seed, tell);
  add(shared, result);
  if (!result.failure.empty()) report(shared, "seed " + std::to_string(seed) + ": " + result.failure);
  if (!twice) return;
  const RunResult again = run_seed(seed, {});
  add(shared, again);
  if (again.hash != result.hash) report(shared, "seed " + std::to_string(seed) + ": a second run was another one");
}

// What one process does.
void work(Shared& shared, const Arguments& arguments) {
  constexpr std::uint64_t kSeedsPerProcess = 50;
  if (arguments.scenarios) {
    const std::uint64_t task = shared.next.fetch_add(1), part = task % kScenarioParts;
    const auto& scenario = lightning::sim::scenarios()[task / kScenarioParts];
    add(shared, lightning::sim::run_scenario(scenario, part * arguments.one_of, kScenarioParts * arguments.one_of,
                                             [&](const std::string& line) { report(shared, line); }));
    return;
  }
  const std::uint64_t from = shared.next.fetch_add(kSeedsPerProcess);
  for (std::uint64_t i = from; i < from + kSeedsPerProcess && i < arguments.seeds; ++i)
    run_one_seed(shared, arguments.start + i, arguments.twice, arguments.verbose);
}

bool is_done(const Shared& shared, const Arguments& arguments) {
  return shared.next.load() >=
         (arguments.scenarios ? lightning::sim::scenarios().size() * kScenarioParts : arguments.seeds);
}

int run(const Arguments& arguments) {
  auto* const made = lightning::sim::make_share<Shared>();
  if (made == nullptr) return 2;
  Shared& shared = *made;
  const auto start = std::chrono::steady_clock::now();
  const bool ran = lightning::sim::run_processes(
      shared, arguments.jobs, [&] { work(shared, arguments); }, [&] { return is_done(shared, arguments); },
      [&] { return "somewhere before seed " + std::to_string(arguments.start + shared.next.load()); });
  if (!ran) return 2;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%llu crashes, %llu recoveries, %llu calls, %llu failures in %.1f s (%.0f crashes/s)\n",
              static_cast<unsigned long long>(shared.crashes), static_cast<unsigned long long>(shared.recoveries),
              static_cast<unsigned long long>(shared.calls), static_cast<unsigned long long>(shared.failures), seconds,
              static_cast<double>(shared.crashes) / seconds);
  return shared.failures.load() == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const auto number = [&](const char* name, std::uint64_t& into) {
      const std::string prefix = std::string("--") + name + "=";
      if (!word.starts_with(prefix)) return false;
      char* end = nullptr;
      into = std::strtoull(word.c_str() + prefix.size(), &end, 10);
      return *end == '\0' && end != word.c_str() + prefix.size();
    };
    std::uint64_t seed = 0;
    if (number("seed", seed)) {
      arguments.start = seed;
      arguments.seeds = 1;
    } else if (word == "--scenarios") {
      arguments.scenarios = true;
    } else if (word == "--verbose") {
      arguments.verbose = true;
    } else if (word == "--twice") {
      arguments.twice = true;
    } else if (!number("seeds", arguments.seeds) && !number("start", arguments.start) &&
               !number("jobs", arguments.jobs) && !number("one-of", arguments.one_of)) {
      std::fputs(kUsage, stderr);
      return 2;
    }
  }
  return run(arguments);
}
