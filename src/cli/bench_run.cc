#include "cli/bench_run.h"

#include <atomic>
#include <memory>
#include <optional>

#include "base/histogram.h"
#include "base/sync.h"
#include "cli/bench_data.h"

namespace lightning::cli {

namespace {

constexpr std::uint64_t kSeekEntries = 10;  // seekrandom walks over this many
constexpr std::uint64_t kYcsbScanEntriesMax = 100;
constexpr std::uint64_t kSampleAllBelow = 200'000;  // operations per thread up to which each is timed; else one in 16

// State that all threads of a run share.
struct Shared {
  Database& db;
  const Keyspace& keyspace;
  const BenchPlan& plan;
  std::optional<Zipf> zipf{};
  base::Histogram latency{};
  std::atomic<bool> started{false}, stop{false};
  std::atomic<std::uint64_t> inserted{0};  // keys 0 .. inserted-1 exist
};

// One thread's view: its own random numbers and buffers.
class Worker {
 public:
  Worker(Shared& shared, std::uint64_t number, std::uint64_t first, std::uint64_t operations)
      : shared_(shared),
        random_(shared.plan.seed * 1000 + number),
        keys_(shared.plan.key_bytes),
        values_(shared.plan.value_bytes, shared.plan.seed + number),
        first_(first),
        operations_(operations) {}

  using Operation = Status (Worker::*)(std::uint64_t number);

  void run(Operation operation) {
    const std::uint64_t sample_mask = operations_ <= kSampleAllBelow ? 0 : 15;
    for (base::Backoff backoff; !shared_.started.load(std::memory_order_acquire);) backoff.pause();
    for (std::uint64_t i = 0; i < operations_ && !shared_.stop.load(std::memory_order_relaxed); ++i) {
      const bool timed = (i & sample_mask) == 0;
      const std::uint64_t before = timed ? base::monotonic_now_ns() : 0;
      if (Status status = (this->*operation)(first_ + i); !status) {
        failure = std::move(status);
        shared_.stop = true;
        return;
      }
      if (timed) shared_.latency.record(base::monotonic_now_ns() - before);
      ++done;
    }
  }

  // --- operations; `number` counts this thread's through, from its first record on
  Status put_next(std::uint64_t number) { return put(number); }
  Status put_random(std::uint64_t) { return put(random_.below(shared_.plan.records)); }
  Status put_batch(std::uint64_t number) {
    batch_.clear();
    const std::uint64_t end = std::min((number + 1) * shared_.plan.batch, shared_.plan.records);
    for (std::uint64_t i = number * shared_.plan.batch; i < end; ++i)
      batch_.put(shared_.keyspace, keys_.key(i), values_.next());
    auto written = shared_.db.write(batch_);
    return written ? Status{} : Status(std::move(written).error());
  }
  Status get_random(std::uint64_t) { return get(keys_.key(random_.below(shared_.plan.records))); }
  Status get_missing(std::uint64_t) { return get(keys_.absent_key(random_.below(shared_.plan.records))); }
  Status read_next(std::uint64_t number) {
    if (!iterator_) {
      IterateOptions options;
      options.fill_cache = false;
      iterator_.emplace(shared_.db.iterate(shared_.keyspace, options));
      iterator_->seek(keys_.key(number));
    }
    if (!iterator_->valid()) return iterator_->status();
    found += !iterator_->key().empty() && iterator_->value().size() == shared_.plan.value_bytes;
    iterator_->next();
    return {};
  }
  Status seek_random(std::uint64_t) { return scan(keys_.key(random_.below(shared_.plan.records)), kSeekEntries); }
  Status ycsb_a(std::uint64_t) { return random_.below(100) < 50 ? get_popular() : put(popular()); }
  Status ycsb_b(std::uint64_t) { return random_.below(100) < 95 ? get_popular() : put(popular()); }
  Status ycsb_c(std::uint64_t) { return get_popular(); }
  Status ycsb_d(std::uint64_t) { return random_.below(100) < 95 ? get_latest() : insert(); }
  Status ycsb_e(std::uint64_t) {
    return random_.below(100) < 95 ? scan(keys_.key(popular()), 1 + random_.below(kYcsbScanEntriesMax)) : insert();
  }
  Status ycsb_f(std::uint64_t) {
    if (random_.below(100) < 50) return get_popular();
    const std::uint64_t key = popular();
    if (Status read = get(keys_.key(key)); !read) return read;
    return put(key);
  }

  std::uint64_t done = 0, found = 0;
  Status failure;

 private:
  std::uint64_t popular() { return shared_.zipf->pick(random_); }
  Status get_popular() { return get(keys_.key(popular())); }
  Status get_latest() {
    const std::uint64_t inserted = shared_.inserted.load(std::memory_order_relaxed);
    return get(keys_.key(inserted - 1 - std::min(shared_.zipf->rank(random_), inserted - 1)));
  }
  Status insert() { return put(shared_.inserted.fetch_add(1, std::memory_order_relaxed)); }

  Status put(std::uint64_t number) { return shared_.db.put(shared_.keyspace, keys_.key(number), values_.next()); }
  Status get(std::string_view key) {
    PinnedValue value;
    Status status = shared_.db.get(shared_.keyspace, key, value);
    found += value.found();
    return status;
  }
  Status scan(std::string_view start, std::uint64_t entries) {
    Iterator it = shared_.db.iterate(shared_.keyspace);
    for (it.seek(start); it.valid() && entries > 0; it.next(), --entries) ++found;
    return it.status();
  }

  Shared& shared_;
  BenchRandom random_;
  KeyMaker keys_;
  ValueMaker values_;
  WriteBatch batch_;
  std::optional<Iterator> iterator_;
  const std::uint64_t first_, operations_;
};

struct Workload {
  std::string_view name;
  Worker::Operation operation;
  bool needs_records, is_skewed = false;
};

constexpr Workload kWorkloads[] = {
    {"fillseq", &Worker::put_next, false},           {"fillrandom", &Worker::put_random, false},
    {"fillbatch", &Worker::put_batch, false},        {"overwrite", &Worker::put_random, true},
    {"readrandom", &Worker::get_random, true},       {"readmissing", &Worker::get_missing, true},
    {"readseq", &Worker::read_next, true},           {"seekrandom", &Worker::seek_random, true},
    {"readwhilewriting", &Worker::get_random, true}, {"ycsba", &Worker::ycsb_a, true, true},
    {"ycsbb", &Worker::ycsb_b, true, true},          {"ycsbc", &Worker::ycsb_c, true, true},
    {"ycsbd", &Worker::ycsb_d, true, true},          {"ycsbe", &Worker::ycsb_e, true, true},
    {"ycsbf", &Worker::ycsb_f, true, true},
};

const Workload* find_workload(const std::string& name) {
  for (const Workload& workload : kWorkloads)
    if (workload.name == name) return &workload;
  return nullptr;
}

double microseconds(double nanoseconds) { return nanoseconds / 1000; }

void summarize(const base::Histogram& latency, BenchResult& result) {
  result.mean_us = microseconds(latency.mean());
  result.p50_us = microseconds(static_cast<double>(latency.quantile(0.5)));
  result.p95_us = microseconds(static_cast<double>(latency.quantile(0.95)));
  result.p99_us = microseconds(static_cast<double>(latency.quantile(0.99)));
  result.p999_us = microseconds(static_cast<double>(latency.quantile(0.999)));
  result.max_us = microseconds(static_cast<double>(latency.max()));
}

// Divides the operations among the threads: thread t takes [first, first + operations).
std::vector<std::unique_ptr<Worker>> make_workers(Shared& shared, std::uint64_t operations) {
  std::vector<std::unique_ptr<Worker>> workers;
  const std::uint64_t threads = shared.plan.threads;
  for (std::uint64_t t = 0; t < threads; ++t) {
    const std::uint64_t first = operations * t / threads, end = operations * (t + 1) / threads;
    workers.push_back(std::make_unique<Worker>(shared, t, first, end - first));
  }
  return workers;
}

}  // namespace

std::vector<std::string> workload_names() {
  std::vector<std::string> names;
  for (const Workload& workload : kWorkloads) names.emplace_back(workload.name);
  return names;
}

bool needs_records(const std::string& workload) {
  const Workload* found = find_workload(workload);
  return found != nullptr && found->needs_records;
}

Status load_records(Database& db, const Keyspace& keyspace, const BenchPlan& plan) {
  KeyMaker keys(plan.key_bytes);
  ValueMaker values(plan.value_bytes, plan.seed);
  WriteBatch batch;
  for (std::uint64_t i = 0; i < plan.records; ++i) {
    batch.put(keyspace, keys.key(i), values.next());
    if (batch.bytes() < (1 << 18) && i + 1 < plan.records) continue;
    LIGHTNING_TRY(db.write(batch));
    batch.clear();
  }
  LIGHTNING_TRY(db.flush());
  return db.wait_for_background_work();
}

Result<BenchResult> run_workload(Database& db, const Keyspace& keyspace, const BenchPlan& plan) {
  const Workload* workload = find_workload(plan.workload);
  if (workload == nullptr) return Error(ErrorCode::kInvalidArgument, "unknown workload " + plan.workload);
  Shared shared{.db = db, .keyspace = keyspace, .plan = plan, .inserted = plan.records};
  if (workload->is_skewed) shared.zipf.emplace(plan.records);
  const bool batches = plan.workload == "fillbatch";
  auto workers = make_workers(shared, batches ? (plan.records + plan.batch - 1) / plan.batch : plan.records);

  // The writer beside readwhilewriting writes until the readers are done; its own latencies do not count.
  std::atomic<bool> writing{plan.workload == "readwhilewriting"};
  Status writer_failure;
  base::Thread writer;
  if (writing)
    writer = base::Thread::spawn("bench-writer", [&] {
      Worker background(shared, plan.threads, 0, 0);
      for (base::Backoff backoff; !shared.started.load(std::memory_order_acquire);) backoff.pause();
      while (writing.load(std::memory_order_relaxed) && writer_failure) writer_failure = background.put_random(0);
    });
  std::vector<base::Thread> threads;
  threads.reserve(workers.size());
  for (auto& worker : workers)
    threads.push_back(base::Thread::spawn("bench", [&worker, workload] { worker->run(workload->operation); }));

  const std::uint64_t start_ns = base::monotonic_now_ns();
  shared.started.store(true, std::memory_order_release);
  for (base::Thread& thread : threads) thread.join();
  const std::uint64_t end_ns = base::monotonic_now_ns();
  writing = false;
  if (writer.joinable()) writer.join();

  BenchResult result;
  for (auto& worker : workers) {
    LIGHTNING_TRY(worker->failure);
    result.operations += worker->done;
    result.found += worker->found;
  }
  LIGHTNING_TRY(writer_failure);
  if (batches) result.operations = plan.records;
  result.seconds = static_cast<double>(end_ns - start_ns) / 1e9;
  result.ops_per_second = static_cast<double>(result.operations) / result.seconds;
  summarize(shared.latency, result);
  return result;
}

}  // namespace lightning::cli
