// Workloads: what clients do, each made to bring out some anomalies, and what their tables must always say.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sim/history/client.h"

namespace lightning::sim::history {

struct Workload {
  const char* name;
  const char* what;
  std::uint32_t table;
  std::uint32_t rows;                                     // there at the start
  std::function<std::int64_t(std::uint32_t row)> number;  // of each
  std::function<void(Client&)> step;                      // one call, mostly a transaction
  // What is wrong with the rows that somebody found, perhaps not all; empty: nothing. Null: anything may be.
  std::function<std::string(const std::map<std::uint32_t, std::int64_t>& rows)> invariant;
  bool holds_only_if_serializable = false;  // the invariant
  bool lists = false;                       // the judge takes the order of versions from lists
  bool mixes_levels = false;
};

const std::vector<Workload>& workloads();

// Looks at everything that was read. Empty: the invariant holds.
std::string broken_invariant(const Workload& workload, const History& history);

}  // namespace lightning::sim::history
