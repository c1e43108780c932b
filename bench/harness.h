// Runs one row of one engine in a process of its own and measures it.
//
// A trial is: fork, open the store (new, or the one that was loaded before), wait until it is quiet, warm up, measure,
// let it settle, close. The child's memory, I/O and processor time are therefore the engine's alone; what the harness
// itself holds is subtracted.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "adapter.h"
#include "histogram.h"
#include "process.h"

namespace lightning::bench {

struct Parameters {
  std::string directory;
  std::string key_prefix = "user";
  std::uint64_t num = 1'000'000;  // records
  unsigned threads = 2;           // of the rows that say so
  unsigned cores = 1;
  double seconds = 2;              // of the rows that run by time
  double seconds_max = 120;        // of the rows that run by count
  std::uint64_t ops = 0;           // per row, instead of both; 0: as the row says
  std::uint64_t memory_bytes = 0;  // cache of each engine; 0: enough for all data
  std::uint64_t seed = 1;
};

// Travels from the child to its parent as bytes.
struct Measurement {
  bool ok = false;
  double seconds = 0;
  std::uint64_t operations = 0;  // in the row's unit
  double ops_per_second = 0;
  std::uint64_t latency_samples = 0;
  double p50_us = 0, p99_us = 0, p999_us = 0, max_us = 0;
  std::uint64_t absent = 0;          // reads that found nothing
  std::uint64_t rss_bytes = 0;       // anonymous and file pages, above what the harness holds
  std::uint64_t rss_file_bytes = 0;  // of these, pages of mapped files, which the system may take back
  std::uint64_t disk_bytes = 0;      // allocated, after the store was closed
  std::uint64_t user_bytes = 0;      // keys and values put
  std::uint64_t write_bytes = 0;     // sent towards the disk, settling and closing included (/proc/self/io)
  double cpu_us_per_operation = 0;   // all threads of the process, background work while measuring included
  double settle_seconds = 0;         // from the last operation until flushes and compactions were done

  double write_amplification() const {
    return user_bytes == 0 ? 0 : static_cast<double>(write_bytes) / static_cast<double>(user_bytes);
  }
};

enum class Data : std::uint8_t {
  kNew,     // an empty store, removed afterwards
  kLoaded,  // the store with all records, kept for the next row
};

class Trial;

struct Row {
  std::string name;
  std::string unit;  // what an operation is
  std::string description;
  Data data = Data::kLoaded;
  bool writes = false;
  bool sync = false;
  bool append = false;
  bool transactions = false;
  std::function<void(Trial&)> run;

  bool is_for(const Engine& engine) const;
};

// One thread's share of the measured phase; counts what it does.
class Worker {
 public:
  Worker(Session& opened, unsigned number, const Parameters& p) : session(opened), index(number), parameters(p) {}
  Session& session;
  unsigned index;
  const Parameters& parameters;
  std::uint64_t user_bytes = 0;
  std::uint64_t absent = 0;
  volatile std::uint64_t touched = 0;
};

// How long the measured phase lasts: whichever comes first.
struct Limit {
  std::uint64_t operations = ~std::uint64_t{0};  // of all threads
  double seconds = 1e9;
};

// One call of an operation: gets its number within the thread, returns how many units it did.
using Operation = std::function<std::uint64_t(std::uint64_t)>;

// What a row's function sees.
class Trial {
 public:
  Trial(const Parameters& parameters, const Engine& engine, Store& store, std::uint64_t records,
        const ProcessMemory& at_start)
      : parameters_(parameters), engine_(engine), store_(store), records_(records), memory_at_start_(at_start) {}

  const Parameters& parameters() const { return parameters_; }
  // False for the engine that keeps nothing, whose answers mean nothing.
  bool answers_count() const { return engine_.serves != Serves::kNothing; }
  // Records in a loaded store; rows that insert advance it, from any thread.
  std::uint64_t& records() { return records_; }

  Limit by_count(std::uint64_t operations) const;
  Limit by_time() const;

  // Runs the operation that `make` returns on each of `threads` threads; one call in `sampling` is timed. Once a trial.
  void measure(unsigned threads, Limit limit, unsigned sampling, const std::function<Operation(Worker&)>& make);

  const Measurement& result() const { return result_; }

 private:
  const Parameters& parameters_;
  const Engine& engine_;
  Store& store_;
  std::uint64_t records_;
  ProcessMemory memory_at_start_;
  Measurement result_;
};

class Harness {
 public:
  explicit Harness(Parameters parameters) : parameters_(std::move(parameters)) {}

  // Nothing if the engine does not serve this row or the trial failed (it says why on stderr).
  std::optional<Measurement> run(const Row& row, const Engine& engine);
  // Loads all records in random order, once per engine; false if that failed.
  bool load(const Engine& engine);
  // Removes everything that was written.
  void remove_data();

 private:
  struct Loaded {
    std::string engine;
    std::uint64_t records;
  };
  Loaded* loaded(const Engine& engine);
  std::optional<Measurement> run_in_child(const Row& row, const Engine& engine, std::uint64_t& records);
  std::string path_for(const Row& row, const Engine& engine) const;

  Parameters parameters_;
  std::vector<Loaded> loaded_;
};

}  // namespace lightning::bench
