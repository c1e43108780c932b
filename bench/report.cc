#include "report.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

namespace lightning::bench {
namespace {

constexpr double kLossAllowed = 0.10;
constexpr const char* kOurs = "lightning";
constexpr const char* kReference = "rocksdb";

template <class... Args>
std::string text(const char* format, Args... args) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, format, args...);
  return buffer;
}

std::string short_rate(double v) {
  if (v >= 1e7) return text("%.1fM", v / 1e6);
  if (v >= 1e6) return text("%.2fM", v / 1e6);
  if (v >= 1e5) return text("%.0fk", v / 1e3);
  if (v >= 1e3) return text("%.1fk", v / 1e3);
  return text("%.0f", v);
}

std::string short_time(double us) {
  if (us == 0) return "-";
  if (us >= 1e6) return text("%.2fs", us / 1e6);
  if (us >= 1e4) return text("%.0fms", us / 1e3);
  if (us >= 1e3) return text("%.1fms", us / 1e3);
  if (us >= 10) return text("%.0fus", us);
  return text("%.2fus", us);
}

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

// The yardsticks are no engines to be compared with.
bool is_yardstick(const std::string& engine) { return engine == "null" || engine == "fdatasync"; }

std::string family_of(const std::string& engine) {
  for (const Engine& each : engines())
    if (each.name == engine && !each.family.empty()) return each.family;
  return engine;
}

template <class T>
T median(std::vector<T> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// The value of "name": in one line of our own JSON; empty if it is not there.
std::string json_field(const std::string& line, const std::string& name) {
  const std::string label = "\"" + name + "\": ";
  std::size_t at = line.find(label);
  if (at == std::string::npos) return {};
  at += label.size();
  if (at < line.size() && line[at] == '"') {
    const std::size_t end = line.find('"', at + 1);
    return end == std::string::npos ? std::string{} : line.substr(at + 1, end - at - 1);
  }
  return line.substr(at, line.find_first_of(",}", at) - at);
}

std::string quoted(const std::string& in) {
  std::string out = "\"";
  for (const char c : in) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + '"';
}

}  // namespace

Measurement median_of(const Series& series) {
  const auto of = [&series](auto field) {
    using T = std::remove_cvref_t<decltype(series.samples[0].*field)>;
    std::vector<T> values;
    values.reserve(series.samples.size());
    for (const auto& sample : series.samples) values.push_back(sample.*field);
    return median(std::move(values));
  };
  using M = Measurement;
  M m;
  m.ok = true;
  for (const auto field : {&M::seconds, &M::ops_per_second, &M::p50_us, &M::p99_us, &M::p999_us, &M::max_us,
                           &M::cpu_us_per_operation, &M::settle_seconds}) {
    m.*field = of(field);
  }
  for (const auto field : {&M::operations, &M::latency_samples, &M::absent, &M::rss_bytes, &M::rss_file_bytes,
                           &M::disk_bytes, &M::user_bytes, &M::write_bytes}) {
    m.*field = of(field);
  }
  return m;
}

void Report::add(const Row& row, const Engine& engine, const Measurement& measurement) {
  for (auto& series : series_) {
    if (series.row == row.name && series.engine == engine.name) {
      series.samples.push_back(measurement);
      return;
    }
  }
  series_.push_back({row.name, row.unit, engine.name, {measurement}});
}

const Series* Report::find(const std::string& row, const std::string& engine) const {
  for (const auto& series : series_) {
    if (series.row == row && series.engine == engine) return &series;
  }
  return nullptr;
}

std::vector<std::string> Report::row_names() const {
  std::vector<std::string> names;
  for (const auto& series : series_) {
    if (std::ranges::find(names, series.row) == names.end()) names.push_back(series.row);
  }
  return names;
}

std::vector<std::string> Report::engine_names() const {
  std::vector<std::string> names;
  for (const auto& engine : engines()) {
    if (std::ranges::find(series_, engine.name, &Series::engine) != series_.end()) names.push_back(engine.name);
  }
  return names;
}

void Report::print_table() const {
  const auto names = engine_names();
  const bool with_ours = std::ranges::find(names, kOurs, family_of) != names.end();
  // RocksDB; where it has several columns, the faster one.
  const auto reference_of = [&](const std::string& row) {
    const Series* fastest = nullptr;
    for (const auto& name : names) {
      const Series* series = family_of(name) == kReference ? find(row, name) : nullptr;
      if (series == nullptr) continue;
      if (fastest == nullptr || median_of(*series).ops_per_second > median_of(*fastest).ops_per_second)
        fastest = series;
    }
    return fastest;
  };
  std::printf("\nOperations per second, and the ratio to %s\n\n%-14s %-6s", kReference, "row", "unit");
  for (const auto& name : names) std::printf(" %16s", name.c_str());
  std::printf(with_ours ? " %15s\n" : "\n", "ours/best peer");
  for (const auto& row : row_names()) {
    const Series* reference = reference_of(row);
    double ours = 0, best = 0;
    std::string cells, unit;
    for (const auto& name : names) {
      const Series* series = find(row, name);
      if (series == nullptr) {
        cells += text(" %16s", "-");
        continue;
      }
      unit = series->unit;
      const double rate = median_of(*series).ops_per_second;
      if (family_of(name) == kOurs) {
        ours = std::max(ours, rate);
      } else if (!is_yardstick(name)) {
        best = std::max(best, rate);
      }
      const std::string ratio =
          reference == nullptr || name == "null" ? "" : text("%.2fx", rate / median_of(*reference).ops_per_second);
      cells += text(" %8s %7s", short_rate(rate).c_str(), ratio.c_str());
    }
    if (with_ours) cells += ours > 0 && best > 0 ? text(" %14.2fx", ours / best) : text(" %15s", "-");
    std::printf("%-14s %-6s%s\n", row.c_str(), unit.c_str(), cells.c_str());
  }
}

void Report::print_details() const {
  std::printf(
      "\nMedians. Latency is that of a call; rss counts mapped files; w-amp = bytes sent to the disk / bytes put\n\n");
  std::printf("%-14s %-11s %9s %8s %8s %8s %8s %9s %9s %6s %8s %7s %7s\n", "row", "engine", "ops/s", "p50", "p99",
              "p99.9", "max", "rss MiB", "disk MiB", "w-amp", "cpu/op", "settle", "spread");
  for (const auto& row : row_names()) {
    for (const auto& name : engine_names()) {
      const Series* series = find(row, name);
      if (series == nullptr) continue;
      const Measurement m = median_of(*series);
      const auto [low, high] = std::ranges::minmax(series->samples, {}, &Measurement::ops_per_second);
      const std::string amplification =
          m.user_bytes == 0 || is_yardstick(name) ? "-" : text("%.2f", m.write_amplification());
      const std::string spread =
          series->samples.size() < 2
              ? "-"
              : text("%.0f%%", (high.ops_per_second - low.ops_per_second) / m.ops_per_second * 100);
      const std::string settle = m.settle_seconds == 0 ? "-" : text("%.1fs", m.settle_seconds);
      std::printf("%-14s %-11s %9s %8s %8s %8s %8s %9.0f %9.0f %6s %8s %7s %7s\n", row.c_str(), name.c_str(),
                  short_rate(m.ops_per_second).c_str(), short_time(m.p50_us).c_str(), short_time(m.p99_us).c_str(),
                  short_time(m.p999_us).c_str(), short_time(m.max_us).c_str(), mib(m.rss_bytes), mib(m.disk_bytes),
                  amplification.c_str(), short_time(m.cpu_us_per_operation).c_str(), settle.c_str(), spread.c_str());
    }
  }
}

bool Report::write_json(const std::string& path, const Parameters& parameters, int repeat) const {
  std::ofstream out(path);
  out << "{\n\"machine\": " << quoted(machine_line()) << ",\n";
  out << "\"num\": " << parameters.num << ", \"threads\": " << parameters.threads
      << ", \"seconds\": " << parameters.seconds << ", \"repeat\": " << repeat
      << ", \"key_prefix\": " << quoted(parameters.key_prefix) << ",\n\"engines\": {";
  const char* comma = "";
  for (const auto& engine : engines()) {
    out << comma << quoted(engine.name) << ": " << quoted(engine.version);
    comma = ", ";
  }
  out << "},\n\"results\": [\n";
  for (std::size_t i = 0; i < series_.size(); ++i) {
    const Series& s = series_[i];
    const Measurement m = median_of(s);
    out << "{\"row\": " << quoted(s.row) << ", \"engine\": " << quoted(s.engine) << ", \"unit\": " << quoted(s.unit)
        << ", \"ops_per_second\": " << text("%.1f", m.ops_per_second) << ", \"samples\": [";
    for (std::size_t k = 0; k < s.samples.size(); ++k)
      out << (k ? ", " : "") << text("%.1f", s.samples[k].ops_per_second);
    out << "], \"p50_us\": " << text("%.3f", m.p50_us) << ", \"p99_us\": " << text("%.3f", m.p99_us)
        << ", \"p999_us\": " << text("%.3f", m.p999_us) << ", \"max_us\": " << text("%.3f", m.max_us)
        << ", \"operations\": " << m.operations << ", \"absent\": " << m.absent << ", \"rss_bytes\": " << m.rss_bytes
        << ", \"rss_file_bytes\": " << m.rss_file_bytes << ", \"bytes_on_disk\": " << m.disk_bytes
        << ", \"user_bytes\": " << m.user_bytes << ", \"write_bytes\": " << m.write_bytes
        << ", \"write_amplification\": " << text("%.3f", m.write_amplification())
        << ", \"cpu_us_per_operation\": " << text("%.4f", m.cpu_us_per_operation)
        << ", \"settle_seconds\": " << text("%.2f", m.settle_seconds) << "}" << (i + 1 < series_.size() ? ",\n" : "\n");
  }
  out << "]\n}\n";
  out.flush();
  return out.good();
}

bool Report::compare(const std::string& path) const {
  std::ifstream in(path);
  const auto names = engine_names();
  const bool ours_ran = std::ranges::find(names, kOurs, family_of) != names.end();
  int compared = 0, lost = 0;
  std::printf("\nAgainst %s\n\n%-14s %-11s %10s %10s %8s\n", path.c_str(), "row", "engine", "then", "now", "change");
  for (std::string line; std::getline(in, line);) {
    const Series* series = find(json_field(line, "row"), json_field(line, "engine"));
    const double then = std::strtod(json_field(line, "ops_per_second").c_str(), nullptr);
    if (series == nullptr || !(then > 0)) continue;
    const double now = median_of(*series).ops_per_second;
    const bool counts = !ours_ran || family_of(series->engine) == kOurs;
    const bool loss = counts && now < then * (1 - kLossAllowed);
    compared += counts;
    lost += loss;
    std::printf("%-14s %-11s %10s %10s %+7.1f%%%s\n", series->row.c_str(), series->engine.c_str(),
                short_rate(then).c_str(), short_rate(now).c_str(), (now / then - 1) * 100, loss ? "  LOSS" : "");
  }
  if (compared == 0) {
    std::printf("nothing to compare: the file cannot be read or has none of these rows\n");
    return false;
  }
  std::printf("\n%d rows compared, %d lost more than %.0f %%\n", compared, lost, kLossAllowed * 100);
  return lost == 0;
}

std::string machine_line() {
  const auto after = [](const char* file, const std::string& label) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with(label)) return line.substr(line.find(':') + 1);
    }
    return std::string(" unknown");
  };
  const double memory_kib = std::strtod(after("/proc/meminfo", "MemTotal").c_str(), nullptr);
  return after("/proc/cpuinfo", "model name").substr(1) + ", " + std::to_string(std::thread::hardware_concurrency()) +
         " cores, " + text("%.0f GiB", memory_kib / (1 << 20));
}

}  // namespace lightning::bench
