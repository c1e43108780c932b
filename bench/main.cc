// lightning_bench: Lightning DB beside RocksDB, LMDB and LevelDB, in one run. See docs/benchmarks.md.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "data.h"
#include "report.h"
#include "workloads.h"

namespace lightning::bench {
namespace {

constexpr int kUsageError = 2;

constexpr const char* kUsage =
    R"(usage: lightning_bench [options]
  --engines A,B     engines to run (default: all but null)
  --rows X,Y        rows to run; a name ending in * stands for all that begin so (default: all)
  --num N           records; k and M are understood (default 1M)
  --threads N       threads of the *_mt and ycsb rows (default 2)
  --seconds S       length of rows that run by time (default 2)
  --ops N           operations per row, instead of their time or count
  --repeat R        repetitions, of which the medians count (default 3)
  --cache MIB       cache of each engine (default: enough for all data)
  --key-prefix TEXT what all keys begin with (default user)
  --seed N          of the random choices (default 1)
  --dir DIR         where the stores are made (default: lightning-bench-PID in the current directory); removed afterwards
  --json FILE       write the results
  --compare FILE    compare with an earlier --json; exit status 1 if a row lost more than 10 %
  --quick           200k records, half a second per row, one repetition
  --list            the engines and rows
)";

struct CommandLine {
  Parameters parameters;
  std::vector<Engine> engines;
  std::vector<Row> rows;
  int repeat = 3;
  std::string json, compare;
  bool list = false;
};

[[noreturn]] void usage_error(const std::string& what) {
  std::fprintf(stderr, "lightning_bench: %s\n%s", what.c_str(), kUsage);
  std::exit(kUsageError);
}

double number(const std::string& option, const std::string& given) {
  char* end = nullptr;
  double value = std::strtod(given.c_str(), &end);
  const std::string suffix = end;
  if (suffix == "k") value *= 1e3;
  if (suffix == "M") value *= 1e6;
  if (given.empty() || !(suffix.empty() || suffix == "k" || suffix == "M") || !(value > 0) || value > 1e12) {
    usage_error(option + ": not a positive number: " + given);
  }
  return value;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    parts.push_back(list.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

// Those of `all` that `list` names, in the order of `all`.
template <class T>
std::vector<T> chosen(const std::vector<T>& all, const std::string& list, const char* kind) {
  std::vector<bool> wanted(all.size());
  for (const auto& name : split(list)) {
    bool known = false;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool matches =
          name.ends_with('*') ? all[i].name.starts_with(name.substr(0, name.size() - 1)) : all[i].name == name;
      if (matches) wanted[i] = known = true;
    }
    if (!known) usage_error(std::string("no such ") + kind + " in this build: " + name + " (see --list)");
  }
  std::vector<T> result;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (wanted[i]) result.push_back(all[i]);
  }
  return result;
}

CommandLine parse(int argc, char** argv) {
  CommandLine line;
  Parameters& p = line.parameters;
  p.cores = std::max(1u, std::thread::hardware_concurrency());
  p.directory = "lightning-bench-" + std::to_string(::getpid());
  for (const auto& engine : engines()) {
    if (engine.serves != Serves::kNothing) line.engines.push_back(engine);
  }
  line.rows = rows();
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 == argc) usage_error(option + ": a value is missing");
      return argv[++i];
    };
    const auto integer = [&] { return static_cast<std::uint64_t>(std::llround(number(option, value()))); };
    if (option == "--engines") {
      line.engines = chosen(engines(), value(), "engine");
    } else if (option == "--rows") {
      line.rows = chosen(rows(), value(), "row");
    } else if (option == "--num") {
      p.num = integer();
      if (p.num < 1000 || p.num > 0xffffffff) usage_error("--num: between 1000 and 4294967295");
    } else if (option == "--threads") {
      p.threads = static_cast<unsigned>(std::min<std::uint64_t>(integer(), 128));
    } else if (option == "--seconds") {
      p.seconds = number(option, value());
    } else if (option == "--ops") {
      p.ops = integer();
    } else if (option == "--repeat") {
      line.repeat = static_cast<int>(std::min<std::uint64_t>(integer(), 1000));
    } else if (option == "--cache") {
      p.memory_bytes = integer() << 20;
    } else if (option == "--key-prefix") {
      p.key_prefix = value();
      if (p.key_prefix.size() > kPrefixBytesMax) usage_error("--key-prefix: too long");
    } else if (option == "--seed") {
      p.seed = integer();
    } else if (option == "--dir") {
      p.directory = value();
    } else if (option == "--json") {
      line.json = value();
    } else if (option == "--compare") {
      line.compare = value();
    } else if (option == "--quick") {
      p.num = 200'000;
      p.seconds = 0.5;
      line.repeat = 1;
    } else if (option == "--list") {
      line.list = true;
    } else if (option == "--help" || option == "-h") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    } else {
      usage_error("unknown option: " + option);
    }
  }
  return line;
}

void print_list() {
  std::printf("engines\n");
  for (const auto& engine : engines()) std::printf("  %-12s %s\n", engine.name.c_str(), engine.version.c_str());
  std::printf("rows\n");
  for (const auto& row : rows()) std::printf("  %-14s %s\n", row.name.c_str(), row.description.c_str());
}

// What makes the numbers less than they could be.
void warn(const std::vector<Engine>& engines) {
  for (const auto& engine : engines) {
    if (engine.version.ends_with("with assertions")) {
      std::printf("note: this build of %s checks assertions and is slower for it: see docs/benchmarks.md\n",
                  engine.name.c_str());
    }
  }
  double load[1] = {0};
  if (::getloadavg(load, 1) == 1 && load[0] > 0.5) {
    std::printf("note: the machine is not idle (load %.1f): take these numbers as rough\n", load[0]);
  }
}

int run(int argc, char** argv) {
  const CommandLine line = parse(argc, argv);
  if (line.list) {
    print_list();
    return 0;
  }
  const Parameters& p = line.parameters;
  std::printf("%s\n%llu records of %zu + %zu bytes, %u threads where a row says so, median of %d\n",
              machine_line().c_str(), static_cast<unsigned long long>(p.num), kKeyBytes, kValueBytes, p.threads,
              line.repeat);
  for (const auto& engine : line.engines) std::printf("  %-10s %s\n", engine.name.c_str(), engine.version.c_str());
  warn(line.engines);
  std::filesystem::create_directories(p.directory);
  Harness harness(p);
  Report report;
  bool complete = true;
  for (const Row& row : line.rows) {
    for (int round = 0; round < line.repeat; ++round) {
      for (std::size_t i = 0; i < line.engines.size(); ++i) {
        // Another engine goes first each time, so that none always follows the same one.
        const Engine& engine = line.engines[(i + static_cast<std::size_t>(round)) % line.engines.size()];
        if (!row.is_for(engine)) continue;
        if (::isatty(STDERR_FILENO) != 0) {
          std::fprintf(stderr, "\r\033[K%s %d/%d %s", row.name.c_str(), round + 1, line.repeat, engine.name.c_str());
        }
        if (row.data == Data::kLoaded && !harness.load(engine)) {
          complete = false;
          continue;
        }
        const auto measurement = harness.run(row, engine);
        if (measurement) report.add(row, engine, *measurement);
        complete = complete && measurement.has_value();
      }
    }
  }
  if (::isatty(STDERR_FILENO) != 0) std::fputs("\r\033[K", stderr);
  harness.remove_data();
  report.print_table();
  report.print_details();
  if (!line.json.empty() && !report.write_json(line.json, p, line.repeat)) {
    std::fprintf(stderr, "lightning_bench: could not write %s\n", line.json.c_str());
    complete = false;
  }
  if (!complete) std::printf("\nsome trials failed: see above\n");
  if (!line.compare.empty() && !report.compare(line.compare)) return 1;
  return complete ? 0 : 1;
}

}  // namespace
}  // namespace lightning::bench

int main(int argc, char** argv) { return lightning::bench::run(argc, argv); }
