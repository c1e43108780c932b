// Lives and deaths of a simulated database: from a seed, programs run, the machine dies in the middle, and what
// recovery brings back is compared with what may be (truth.h).
//
// Everything of a run follows from its seed: the same seed gives the same calls, the same interleaving, the same hash.
// What the threads of a killed world owned is never freed: run some hundred seeds per process (children.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/tuning.h"
#include "env/simulated_world.h"
#include "lightning/config.h"
#include "sim/client.h"

namespace lightning::sim {

// A bug of the machine that the engine cannot know of, to see whether runs find it.
struct Planted {
  std::vector<env::FileClass> ignored_syncs{};
  bool ignore_directory_syncs = false;
};

struct RunResult {
  std::string failure;  // empty: none
  std::uint64_t crashes = 0, recoveries = 0, calls = 0, errors = 0, hash = 0;
  RunResult& operator+=(const RunResult& other);
};

// Small in everything, so that short programs flush, compact, and change log segments.
LightningDbConfig small_config();

// Several lives of one database under random programs, each ended at a random moment: in 1 of 5 seeds, recoveries too.
RunResult run_seed(std::uint64_t seed, const Planted& planted = {},
                   const std::function<void(const std::string&)>& tell = {});

// --- every moment of a given program ------------------------------------------------------------------------------

// A short program with fixed calls. `prepare` is run to its end first, and its store closed.
struct Scenario {
  const char* name;
  std::function<void(Database&, Client&)> prepare;  // null: nothing; the store does not exist before
  std::function<void(Database&, Client&)> run;      // null: only the opening
  std::function<void(LightningDbConfig&)> configure{};
  engine::Tuning tuning{};
};
const std::vector<Scenario>& scenarios();

// Dies at every `stride`th I/O of the scenario, from `first` on, before, during and after it, and there in every way.
// `on_failure` gets a line to replay it by.
RunResult run_scenario(const Scenario& scenario, std::uint64_t first, std::uint64_t stride,
                       const std::function<void(const std::string&)>& on_failure);

// --- every fault --------------------------------------------------------------------------------------------------

// One program that meets every layer, on a disk with a fault; then again without it, and compared. With `power_cut`,
// what was not synced is lost between the two.
RunResult run_with_fault(const env::Fault& fault, WalSyncMode mode, bool power_cut);

}  // namespace lightning::sim
