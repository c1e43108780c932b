// Workloads: one operation at a time, by several threads, with the latencies of a sample of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lightning/database.h"
#include "lightning/result.h"

namespace lightning::cli {

struct BenchPlan {
  std::string workload;
  std::uint64_t records = 100'000;  // keys 0 .. records-1, and operations of the workload
  std::uint64_t threads = 1;
  std::uint64_t key_bytes = 16, value_bytes = 100;
  std::uint64_t batch = 1000;  // operations per batch of fillbatch
  std::uint64_t seed = 1;
};

struct BenchResult {
  std::uint64_t operations = 0;
  std::uint64_t found = 0;  // reads that found their key, entries that scans passed
  double seconds = 0, ops_per_second = 0;
  double mean_us = 0, p50_us = 0, p95_us = 0, p99_us = 0, p999_us = 0, max_us = 0;
};

std::vector<std::string> workload_names();
// Whether the records have to be there before the clock starts.
bool needs_records(const std::string& workload);
// Writes all records in order, in large batches.
Status load_records(Database& db, const Keyspace& keyspace, const BenchPlan& plan);
Result<BenchResult> run_workload(Database& db, const Keyspace& keyspace, const BenchPlan& plan);

}  // namespace lightning::cli
