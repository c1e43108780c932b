// bench: how fast is this machine with this configuration? One line per workload.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "api/near_miss.h"
#include "base/sync.h"
#include "cli/bench_data.h"
#include "cli/bench_run.h"
#include "cli/bytes_text.h"
#include "cli/commands.h"

namespace lightning::cli {

namespace {

constexpr const char* kBenchKeyspace = "bench";

struct BenchOptions {
  BenchPlan plan;
  std::string sync;
};

// A directory that is gone with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::error_code error;
    path_ =
        std::filesystem::temp_directory_path(error) / ("lightning_bench-" + std::to_string(base::monotonic_now_ns()));
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::uint64_t resident_bytes() {
  std::uint64_t kib = 0;
  char line[256];
  if (std::FILE* status = std::fopen("/proc/self/status", "re")) {
    while (std::fgets(line, sizeof line, status) != nullptr)
      if (std::sscanf(line, "VmRSS: %lu", &kib) == 1) break;
    std::fclose(status);
  }
  return kib * 1024;
}

Status check_plan(Context& context, const BenchPlan& plan) {
  const std::vector<std::string> names = workload_names();
  if (std::ranges::find(names, plan.workload) == names.end()) {
    std::string known;
    for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
    const std::string close = api::near_miss(plan.workload, names);
    return context.usage_error("unknown workload " + plan.workload + "; " +
                               (close.empty() ? "there are " + known : "did you mean " + close + "?"));
  }
  // ycsbd and ycsbe insert beyond the records; every operation could.
  const std::size_t needed = KeyMaker::bytes_needed(plan.records * 2);
  if (plan.key_bytes < needed || plan.key_bytes > kKeyBytesMax)
    return context.usage_error("--key-size must be " + std::to_string(needed) + " .. " + std::to_string(kKeyBytesMax) +
                               " for " + std::to_string(plan.records) + " records");
  return {};
}

// An empty keyspace of our own: data of others in the same database is not touched.
Result<Keyspace> fresh_keyspace(Context& context, Database& db) {
  const std::string name = context.options.keyspace.empty() ? kBenchKeyspace : context.options.keyspace;
  auto existing = db.keyspace(name);
  if (!existing && existing.error().code() == ErrorCode::kKeyspaceNotFound) return db.create_keyspace(name);
  if (!existing) return std::move(existing).error();
  if (name != kBenchKeyspace)
    return Error(ErrorCode::kKeyspaceExists, "the keyspace " + name + " exists; a benchmark would overwrite it")
        .with_advice("leave --keyspace out: the keyspace \"bench\" is used, and made anew each time");
  LIGHTNING_TRY(db.drop_keyspace(name));
  return db.create_keyspace(name);
}

Status print_result(Context& context, const BenchPlan& plan, const std::string& sync, const BenchResult& result,
                    const Statistics& statistics) {
  const std::uint64_t resident = resident_bytes();
  if (context.options.json) {
    JsonText json;
    json.begin_object().field("workload", plan.workload).field("num", plan.records).field("threads", plan.threads);
    json.field("key_size", plan.key_bytes).field("value_size", plan.value_bytes).field("sync", sync);
    json.field("operations", result.operations).field("found", result.found).field("seconds", result.seconds);
    json.field("ops_per_second", result.ops_per_second).field("mean_us", result.mean_us).field("p50_us", result.p50_us);
    json.field("p95_us", result.p95_us).field("p99_us", result.p99_us).field("p999_us", result.p999_us);
    json.field("max_us", result.max_us).field("bytes_on_disk", statistics.bytes_on_disk).field("rss_bytes", resident);
    json.field("write_amplification", statistics.write_amplification).end_object();
    return context.print(json.text());
  }
  char line[256];
  std::snprintf(line, sizeof line, "%-17s %12s ops/s   p50 %.2f us   p99 %.2f us   p99.9 %.2f us   disk %s   memory %s",
                plan.workload.c_str(), human_count(static_cast<std::uint64_t>(result.ops_per_second)).c_str(),
                result.p50_us, result.p99_us, result.p999_us,
                human_bytes(static_cast<double>(statistics.bytes_on_disk)).c_str(),
                human_bytes(static_cast<double>(resident)).c_str());
  return context.print(line);
}

std::string sync_name(const LightningDbConfig& config) {
  for (const SettingValue& setting : list_settings(config, ""))
    if (setting.name == "wal_sync_mode") return setting.value;
  return "";
}

CommandResult bench(Context& context, const BenchOptions& options) {
  LIGHTNING_TRY(check_plan(context, options.plan));
  if (!options.sync.empty()) context.options.config.assignments.push_back("wal_sync_mode=" + options.sync);
  LIGHTNING_ASSIGN(const LoadedConfig loaded, context.load());
  std::optional<TemporaryDirectory> temporary;
  if (loaded.path.empty()) temporary.emplace();

  LIGHTNING_ASSIGN(Database db, Database::open(temporary ? temporary->path() : loaded.path, loaded.config));
  LIGHTNING_ASSIGN(const Keyspace keyspace, fresh_keyspace(context, db));
  if (needs_records(options.plan.workload)) LIGHTNING_TRY(load_records(db, keyspace, options.plan));
  LIGHTNING_ASSIGN(const BenchResult result, run_workload(db, keyspace, options.plan));
  LIGHTNING_TRY(db.flush());
  LIGHTNING_TRY(print_result(context, options.plan, sync_name(loaded.config), result, db.stats()));
  LIGHTNING_TRY(db.close());
  return ExitCode::kOk;
}

}  // namespace

void add_bench_command(CommandLine& line) {
  auto options = std::make_shared<BenchOptions>();
  BenchPlan& plan = options->plan;
  plan.workload = "fillrandom";
  std::string names;
  for (const std::string& name : workload_names()) names += (names.empty() ? "" : ", ") + name;
  Command command =
      line.add("bench", "Measures speed in a temporary directory, or in the keyspace \"bench\" of --path.",
               "lightning_db bench --workload fillrandom --num 1000000 --threads 4\n"
               "lightning_db bench --workload readrandom --num 1000000 --json\n"
               "lightning_db bench --workload fillseq --sync sync --path /mnt/disk/bench");
  command.text("--workload", plan.workload, "NAME", names);
  command.number("--num", plan.records, "N", "records, and operations", 1, 10'000'000'000);
  command.number("--threads", plan.threads, "T", "threads at work", 1, 256);
  command.number("--key-size", plan.key_bytes, "B", "bytes of a key", 1, kKeyBytesMax);
  command.number("--value-size", plan.value_bytes, "B", "bytes of a value, half compressible", 0, 64 << 20);
  command.number("--batch-size", plan.batch, "N", "records per batch of fillbatch", 1, 1'000'000);
  command.text("--sync", options->sync, "MODE", "sync, periodic or async: as --set wal_sync_mode");
  command.number("--seed", plan.seed, "N", "of the random choices", 0, ~std::uint64_t{0});
  command.runs([&line, options] { return bench(line.context(), *options); });
}

}  // namespace lightning::cli
