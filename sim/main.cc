// engine_sim: runs crash simulations by seed, and replays one.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "sim/crash_run.h"

namespace {

using lightning::sim::RunResult;

constexpr const char* kUsage =
    "engine_sim: kills simulated databases and compares what comes back with what must\n"
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

// Between the parent and its children.
struct Shared {
  std::atomic<std::uint64_t> next{0}, crashes{0}, recoveries{0}, calls{0}, failures{0};
};

void report(Shared& shared, const std::string& line) {
  shared.failures.fetch_add(1);
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void add(Shared& shared, const RunResult& result) {
  shared.crashes += result.crashes;
  shared.recoveries += result.recoveries;
  shared.calls += result.calls;
}

void run_one_seed(Shared& shared, std::uint64_t seed, bool twice, bool verbose) {
  std::function<void(const std::string&)> tell;
  if (verbose) tell = [](const std::string& line) { std::printf("%s\n", line.c_str()); };
  const RunResult result = lightning::sim::run_seed(seed, {}, tell);
  add(shared, result);
  if (!result.failure.empty()) report(shared, "seed " + std::to_string(seed) + ": " + result.failure);
  if (!twice) return;
  const RunResult again = lightning::sim::run_seed(seed);
  add(shared, again);
  if (again.hash != result.hash) report(shared, "seed " + std::to_string(seed) + ": a second run was another one");
}

// Some work in a process of its own, since killed worlds do not give back their memory.
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
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 2;
  Shared& shared = *new (memory) Shared;
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t running = 0;
  while (running > 0 || !is_done(shared, arguments)) {
    if (running < arguments.jobs && !is_done(shared, arguments)) {
      const std::uint64_t before = shared.next.load();
      const pid_t child = ::fork();
      if (child == 0) {
        work(shared, arguments);
        ::_exit(0);
      }
      if (child < 0) return 2;
      ++running;
      while (shared.next.load() == before) ::usleep(200);  // until it has taken its share
      continue;
    }
    int status = 0;
    if (::wait(&status) < 0) return 2;
    --running;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      report(shared, "a process ended with status " + std::to_string(status) + ", somewhere before seed " +
                         std::to_string(arguments.start + shared.next.load()));
  }
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
