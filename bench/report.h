// Medians over the repetitions, the tables, and the JSON file that a later run can be compared with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness.h"

namespace lightning::bench {

struct Series {
  std::string row, unit, engine;
  std::vector<Measurement> samples;  // one per repetition that succeeded
};

// The median of each field by itself.
Measurement median_of(const Series& series);

class Report {
 public:
  void add(const Row& row, const Engine& engine, const Measurement& measurement);
  bool empty() const { return series_.empty(); }

  // Rows by engines: operations per second and the ratio to RocksDB (to the best peer if it is not there).
  void print_table() const;
  // One line per row and engine: latency, memory, disk, write amplification, processor time, spread.
  void print_details() const;

  // One result per line. False if the file could not be written.
  bool write_json(const std::string& path, const Parameters& parameters, int repeat) const;
  // Prints what changed against a file written by write_json(). False if a row of ours (of any engine if ours did not
  // run) lost more than a tenth, or if the file has nothing to compare with.
  bool compare(const std::string& path) const;

 private:
  const Series* find(const std::string& row, const std::string& engine) const;
  std::vector<std::string> engine_names() const;
  std::vector<std::string> row_names() const;

  std::vector<Series> series_;
};

// Processor, cores, memory: what numbers mean nothing without.
std::string machine_line();

}  // namespace lightning::bench
