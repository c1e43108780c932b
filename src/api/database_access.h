// Opening a database on any Env, for tests and tools inside the project.
#pragma once

#include "engine/tuning.h"
#include "env/env.h"
#include "lightning/database.h"
#include "lightning/open_options.h"

namespace lightning {

class DatabaseAccess {
 public:
  static Result<Database> open(env::Env& env, const std::string& path, const LightningDbConfig& config,
                               bool read_only = false, const OpenOptions& options = {});
  // Without checking the ranges of `config`: for simulations, which want everything small.
  static Result<Database> open_as_given(env::Env& env, const std::string& path, const LightningDbConfig& config,
                                        bool read_only = false, const engine::Tuning& tuning = {},
                                        const OpenOptions& options = {});
  // What `database` was opened on.
  static env::Env& env(const Database& database);
};

class WriteBatchAccess {
 public:
  static std::string_view encoded(const WriteBatch& batch) { return batch.rep_; }
  static bool simple(const WriteBatch& batch) { return batch.simple_; }
};

}  // namespace lightning
