// Whether indexes say what their records say, and counts what is there.
#pragma once

#include "engine/engine.h"

namespace lightning::index {

// Adds to `report` what does not hold: kInconsistentState, and what cannot be compared. At most 100 findings for one
// index. What the answers depend on is read at one moment, so writers may go on. False if options.progress asked to
// stop.
Result<bool> verify(engine::Engine& engine, const CheckOptions& options, CheckReport& report);

}  // namespace lightning::index
