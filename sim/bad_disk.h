// Runs on a disk that does worse than to lose what was not synced: it refuses calls, fills up, loses or misplaces
// writes that it acknowledged, gives other bytes than it holds, and rots; and power and process end in between.
//
// Whatever it does, an answer is right or an error that names what is damaged: never wrong data, never something left
// out in silence, never a store that takes its damaged self for an empty one. A disk that merely refuses (EIO, ENOSPC)
// costs nothing that was acknowledged.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sim/crash_run.h"

namespace lightning::sim {

// Everything follows from the seed, as in run_seed(). RunResult::errors counts the errors that calls met.
RunResult run_seed_on_bad_disk(std::uint64_t seed, const std::function<void(const std::string&)>& tell = {});

}  // namespace lightning::sim
