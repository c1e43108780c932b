#include "harness.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "data.h"
#include "process.h"
#include "ticks.h"

namespace lightning::bench {
namespace {

struct Report {
  Measurement measurement;
  std::uint64_t records = 0;
};

std::uint64_t memory_for(const Parameters& parameters) {
  if (parameters.memory_bytes != 0) return parameters.memory_bytes;
  // All records uncompressed, half as much again for indexes and filters, and the memtables.
  return parameters.num * kRecordBytes * 3 / 2 + (512ull << 20);
}

// Reads every entry once, so that what can be cached is.
void warm_up(Store& store) {
  auto session = store.session();
  session->scan({}, ~std::uint64_t{0}, Direction::kForward);
}

struct ThreadResult {
  Histogram latencies;
  std::uint64_t units = 0, user_bytes = 0, absent = 0;
  std::uint64_t begin = 0, end = 0;
};

void run_thread(const Operation& operation, std::uint64_t calls_max, double seconds, unsigned sampling,
                ThreadResult& out) {
  out.begin = ticks();
  const std::uint64_t deadline = out.begin + static_cast<std::uint64_t>(seconds * ticks_per_second());
  for (std::uint64_t call = 0; call < calls_max;) {
    const std::uint64_t before = ticks();
    out.units += operation(call++);
    const std::uint64_t after = ticks();
    out.latencies.add(after - before);
    if (after >= deadline) break;
    for (unsigned i = 1; i < sampling && call < calls_max; ++i) out.units += operation(call++);
  }
  out.end = ticks();
}

// The child's whole life.
Report run_trial(const Row& row, const Engine& engine, const Parameters& parameters, const std::string& path,
                 std::uint64_t records) {
  ticks_per_second();
  std::uint64_t written_before = written_bytes();
  const ProcessMemory memory_before = resident_memory();
  const bool null = engine.serves == Serves::kNothing;
  StoreOptions options;
  options.path = path;
  options.sync = row.sync;
  options.append = row.append;
  options.memory_bytes = memory_for(parameters);
  options.data_bytes = (parameters.num * 2 + 1'000'000) * kRecordBytes;
  options.cores = parameters.cores;
  auto store = engine.open(options);
  if (!null) wait_until_quiet();
  if (row.data == Data::kLoaded && !null) {
    warm_up(*store);
    // What the row before left behind, written now or deleted later, is not this row's.
    sync_file_system(path);
    written_before = written_bytes();
  }

  Trial trial(parameters, engine, *store, records, memory_before);
  row.run(trial);

  Report report{trial.result(), trial.records()};
  Measurement& m = report.measurement;
  if (row.writes && !null && engine.serves != Serves::kSyncedPuts) {
    const std::uint64_t start = ticks();
    store->flush();
    wait_until_quiet();
    m.settle_seconds = static_cast<double>(ticks() - start) / ticks_per_second();
  }
  store.reset();
  const std::uint64_t written = written_bytes();
  m.write_bytes = written > written_before ? written - written_before : 0;
  m.disk_bytes = allocated_bytes(path);
  m.ok = true;
  return report;
}

}  // namespace

bool Row::is_for(const Engine& engine) const {
  switch (engine.serves) {
    case Serves::kEverything:
      return true;
    case Serves::kAllButTransactions:
      return !transactions;
    case Serves::kTransactions:
      return transactions;
    case Serves::kPuts:
      return unit == "put" && !sync;
    case Serves::kSyncedPuts:
      return sync && !transactions;
    case Serves::kNothing:
      return !sync && !transactions;
  }
  return false;
}

void fail(const std::string& what) {
  std::fprintf(stderr, "lightning_bench: %s\n", what.c_str());
  std::fflush(stderr);
  _exit(1);
}

Limit Trial::by_count(std::uint64_t operations) const {
  return {parameters_.ops != 0 ? std::min(parameters_.ops, operations) : operations, parameters_.seconds_max};
}

Limit Trial::by_time() const {
  if (parameters_.ops != 0) return {parameters_.ops, parameters_.seconds_max};
  return {~std::uint64_t{0}, parameters_.seconds};
}

void Trial::measure(unsigned threads, Limit limit, unsigned sampling, const std::function<Operation(Worker&)>& make) {
  const std::uint64_t anonymous_before = resident_memory().anonymous;
  std::vector<ThreadResult> results(threads);
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<Operation> operations_of(threads);
  for (unsigned i = 0; i < threads; ++i) {
    sessions.push_back(store_.session());
    workers.push_back(std::make_unique<Worker>(*sessions[i], i, parameters_));
  }
  std::barrier ready(static_cast<std::ptrdiff_t>(threads) + 1);
  std::barrier start(static_cast<std::ptrdiff_t>(threads) + 1);
  std::vector<std::thread> pool;
  pool.reserve(threads);
  const std::uint64_t share = limit.operations / threads + (limit.operations % threads != 0);
  for (unsigned i = 0; i < threads; ++i) {
    pool.emplace_back([&, i] {
      operations_of[i] = make(*workers[i]);
      ready.arrive_and_wait();
      start.arrive_and_wait();
      run_thread(operations_of[i], share, limit.seconds, sampling, results[i]);
      results[i].user_bytes = workers[i]->user_bytes;
      results[i].absent = workers[i]->absent;
    });
  }
  ready.arrive_and_wait();
  const std::uint64_t harness_bytes = resident_memory().anonymous - anonymous_before;
  const double cpu_before = cpu_seconds();
  start.arrive_and_wait();
  for (auto& thread : pool) thread.join();
  const double cpu = cpu_seconds() - cpu_before;
  const ProcessMemory memory = resident_memory();
  const auto above = [](std::uint64_t now, std::uint64_t before) { return now > before ? now - before : 0; };
  result_.rss_file_bytes = above(memory.file, memory_at_start_.file);
  result_.rss_bytes = above(memory.anonymous, memory_at_start_.anonymous + harness_bytes) + result_.rss_file_bytes;

  Histogram latencies;
  std::uint64_t begin = ~std::uint64_t{0}, end = 0;
  for (const auto& r : results) {
    latencies.merge(r.latencies);
    result_.operations += r.units;
    result_.user_bytes += r.user_bytes;
    result_.absent += r.absent;
    begin = std::min(begin, r.begin);
    end = std::max(end, r.end);
  }
  const double to_us = 1e6 / ticks_per_second();
  const auto operations = static_cast<double>(std::max<std::uint64_t>(1, result_.operations));
  result_.seconds = static_cast<double>(end - begin) / ticks_per_second();
  result_.ops_per_second = static_cast<double>(result_.operations) / result_.seconds;
  result_.latency_samples = latencies.count();
  result_.p50_us = latencies.percentile(0.5) * to_us;
  result_.p99_us = latencies.percentile(0.99) * to_us;
  result_.p999_us = latencies.percentile(0.999) * to_us;
  result_.max_us = static_cast<double>(latencies.max()) * to_us;
  result_.cpu_us_per_operation = cpu * 1e6 / operations;
}

std::string Harness::path_for(const Row& row, const Engine& engine) const {
  return parameters_.directory + "/" + engine.name + (row.data == Data::kNew ? "/new" : "/loaded");
}

Harness::Loaded* Harness::loaded(const Engine& engine) {
  const auto it = std::ranges::find(loaded_, engine.name, &Loaded::engine);
  return it == loaded_.end() ? nullptr : &*it;
}

std::optional<Measurement> Harness::run(const Row& row, const Engine& engine) {
  if (!row.is_for(engine)) return std::nullopt;
  if (row.data == Data::kLoaded) {
    Loaded* store = loaded(engine);
    return store == nullptr ? std::nullopt : run_in_child(row, engine, store->records);
  }
  const std::string path = path_for(row, engine);
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  std::uint64_t records = 0;
  auto result = run_in_child(row, engine, records);
  std::filesystem::remove_all(path);
  return result;
}

bool Harness::load(const Engine& engine) {
  if (loaded(engine) != nullptr) return true;
  Row row;
  row.name = "load";
  row.writes = true;
  row.run = [](Trial& trial) {
    const std::uint64_t num = trial.parameters().num;
    trial.measure(1, {num / 1000 + (num % 1000 != 0), 1e9}, 1, [num](Worker& w) -> Operation {
      return [&w, num, keys = KeyMaker(w.parameters.key_prefix), values = ValueMaker()](std::uint64_t call) mutable {
        const std::uint64_t first = call * 1000, last = std::min(num, first + 1000);
        for (std::uint64_t n = first; n < last; ++n) w.session.batch_put(keys.random(n), values.make(n, 0));
        w.session.batch_commit();
        return last - first;
      };
    });
    trial.records() = num;
  };
  const std::string path = path_for(row, engine);
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  std::uint64_t records = 0;
  if (!run_in_child(row, engine, records)) return false;
  loaded_.push_back({engine.name, records});
  return true;
}

void Harness::remove_data() {
  std::error_code ignored;
  for (const Engine& engine : engines())
    std::filesystem::remove_all(parameters_.directory + "/" + engine.name, ignored);
  std::filesystem::remove(parameters_.directory, ignored);  // only if it is empty
}

std::optional<Measurement> Harness::run_in_child(const Row& row, const Engine& engine, std::uint64_t& records) {
  const std::string path = path_for(row, engine);
  sync_file_system(path);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe failed");
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) fail("fork failed");
  if (child == 0) {
    ::close(ends[0]);
    const Report report = run_trial(row, engine, parameters_, path, records);
    const bool sent = ::write(ends[1], &report, sizeof report) == static_cast<ssize_t>(sizeof report);
    _exit(sent ? 0 : 1);
  }
  ::close(ends[1]);
  Report report;
  const bool received = ::read(ends[0], &report, sizeof report) == static_cast<ssize_t>(sizeof report);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!received || status != 0) {
    std::fprintf(stderr, "lightning_bench: %s: row %s failed (%s %d)\n", engine.name.c_str(), row.name.c_str(),
                 WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return std::nullopt;
  }
  records = report.records;
  return report.measurement;
}

}  // namespace lightning::bench
