// Repair: a new database of what verifies in a damaged one. What it does and does not promise: lightning/repair.h; why
// it does so: docs/decisions/0013-repair.md.
//
//   look at the source; the log into memory; for each keyspace, tables and log merged and written as one sorted run;
//   a manifest of that, and the superblock, which is the commit point
#pragma once

#include <string>

#include "env/env.h"
#include "lightning/repair.h"

namespace lightning::salvage {

Result<RepairReport> repair(env::Env& env, const std::string& source, const std::string& target,
                            const RepairOptions& options);

}  // namespace lightning::salvage
