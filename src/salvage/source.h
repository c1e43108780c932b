// Source: what a damaged database says that it is.
//
// The manifest says it, and the superblock says which manifest. Where one of them is damaged, what is left of the
// manifest is taken, and the files that it does not name speak for themselves: each table holds the keyspace that it
// was written for. Then nothing proves that a table is not one that compactions had replaced, and the source says so.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "engine/engine.h"
#include "env/env.h"
#include "lightning/repair.h"
#include "manifest/manifest.h"

namespace lightning::salvage {

struct Source {
  explicit Source(const std::string& path) : paths(path) {}

  const engine::Paths paths;
  format::Uid store_id;
  manifest::State state;
  std::uint64_t manifest_records = 0, generation = 0;  // for comparing with what the log knew
  // Why `state` may not be that of the newest manifest. None: it is.
  std::optional<Error> damage;

  bool trusted() const { return !damage; }
};

// Reads the source's manifest or what stands in for it; what is lost with it goes into `report`.
// Errors: kLockHeld, kDatabaseNotFound, kNotADatabase, kFormatUnsupported, and those of the disk.
Result<Source> look_at_source(env::Env& env, const std::string& path, RepairReport& report);

// For a manifest that verified and has turned out not to be the newest: tables that it does not name join in.
Status distrust(env::Env& env, Source& source, Error damage, RepairReport& report);

}  // namespace lightning::salvage
