// Runs: a workload, at a level and in a mode, in a simulated world or on threads; each life of the database is judged.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "sim/history/check.h"
#include "sim/history/workloads.h"

namespace lightning::sim::history {

enum class Modes : std::uint8_t { kOptimistic, kPessimistic, kBoth };

struct Case {
  const Workload* workload = nullptr;
  Isolation level = Isolation::kSnapshot;
  Modes modes = Modes::kBoth;
  std::string name() const;  // bank/snapshot/optimistic
};
// Every workload at every level in every mode.
const std::vector<Case>& cases();

struct RunResult {
  std::string failure = {};  // empty: none
  std::uint64_t transactions = 0, committed = 0, lives = 0, crashes = 0, hash = 0;
  std::set<Anomaly> seen = {};  // that the level allows, if asked for
};

struct RunOptions {
  bool look_for_allowed = false;  // fill `seen`
  bool crashes = true;
};

// In a world that follows from the seed: some lives of a database, ended by crashes or in order. Run some hundred per
// process: what the threads of a killed world owned is never freed.
RunResult run_simulated(const Case& chosen, std::uint64_t seed, const RunOptions& options = {});

// On threads and files in `directory`, which is new: about `transactions` in all.
RunResult run_threads(const Case& chosen, std::uint64_t seed, const std::string& directory, std::uint32_t threads,
                      std::uint64_t transactions, const RunOptions& options = {});

// Judges one life, after having told what its sums are made of.
std::string judge(const Case& chosen, History& history, RunResult& result, const RunOptions& options);

}  // namespace lightning::sim::history
