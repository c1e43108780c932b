// What lifetimes and merges cost, beside plain puts and gets, in nanoseconds per operation on one thread.
//
//   value_cost DIRECTORY [records]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>

#include "lightning/database.h"

namespace {

using namespace lightning;

std::uint64_t records = 500'000;
std::string directory;

void must(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "value_cost: %s\n", status.error().to_string().c_str());
  std::exit(1);
}
template <class T>
T must(Result<T> result) {
  if (!result) must(Status(result.error()));
  return std::move(*result);
}

template <class Step>
double measure(std::uint64_t count, const Step& step) {
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < count; ++i) step(i);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  return took.count() / static_cast<double>(count);
}

// The i-th of all numbers below 2^64, in an order that looks random.
struct Key {
  explicit Key(std::uint64_t i) {
    i *= 0x9E3779B97F4A7C15ull;
    i ^= i >> 32;
    std::memcpy(bytes, &i, sizeof(i));
    std::memcpy(bytes + sizeof(i), "........", 8);
  }
  std::string_view view() const { return {bytes, sizeof(bytes)}; }
  char bytes[16];
};

struct Place {
  explicit Place(const char* name) : path(directory + "/value_cost_" + name) {
    std::filesystem::remove_all(path);
    LightningDbConfig config;
    config.cache_size = 1ull << 30;
    config.memtable_bytes = 256ull << 20;
    config.wal_sync_mode = WalSyncMode::kAsync;
    config.enable_statistics = false;
    db.emplace(must(Database::open(path, config)));
  }
  ~Place() {
    must(db->close());
    db.reset();
    std::filesystem::remove_all(path);
  }
  std::string path;
  std::optional<Database> db;
};

struct Costs {
  double put = 0, get_memory = 0, get_table = 0, next = 0;
};

Costs of_records(const char* name, const WriteOptions& options) {
  Place place(name);
  Database& db = *place.db;
  const Keyspace in = db.default_keyspace();
  const std::string value(100, 'v');
  PinnedValue found;
  const auto get = [&](std::uint64_t i) { must(db.get(in, Key(i * 7919 % records).view(), found)); };
  Costs costs;
  costs.put = measure(records, [&](std::uint64_t i) { must(db.put(in, Key(i).view(), value, options)); });
  costs.get_memory = measure(records, get);
  found = {};
  must(db.compact_range());
  measure(records, get);  // into the cache
  costs.get_table = measure(records, get);
  found = {};
  auto it = db.iterate(in);
  it.seek_to_first();
  costs.next = measure(records, [&](std::uint64_t) { it.next(); });
  must(it.status());
  return costs;
}

std::string number(std::uint64_t value) { return {reinterpret_cast<const char*>(&value), sizeof(value)}; }

struct CounterCosts {
  double put = 0, merge = 0, get = 0, get_folded = 0;
};

// `rounds` times one more for each of so many counters.
CounterCosts of_counters(std::uint64_t rounds) {
  Place place("counters");
  Database& db = *place.db;
  const Keyspace plain = db.default_keyspace();
  const Keyspace in = must(db.create_keyspace("counters", {.merge_operator = "add"}));
  const std::uint64_t counters = records / rounds;
  const std::string one = number(1);
  std::string value;
  CounterCosts costs;
  costs.put = measure(records, [&](std::uint64_t i) {  // what a program does that has no merges
    const Key key(i % counters);
    std::uint64_t sum = 0;
    if (must(db.get(plain, key.view(), value))) std::memcpy(&sum, value.data(), sizeof(sum));
    must(db.put(plain, key.view(), number(sum + 1)));
  });
  costs.merge = measure(records, [&](std::uint64_t i) { must(db.merge(in, Key(i % counters).view(), one)); });
  const auto get = [&](std::uint64_t i) {
    if (!must(db.get(in, Key(i * 7919 % counters).view(), value)) || value != number(rounds)) std::abort();
  };
  costs.get = measure(counters, get);
  must(db.compact_range(in));
  measure(counters, get);
  costs.get_folded = measure(counters, get);
  return costs;
}

void print(const char* what, double plain, double with) {
  std::printf("| %s | %.0f | %.0f | %+.1f %% |\n", what, plain, with, 100 * (with / plain - 1));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: value_cost DIRECTORY [records]\n");
    return 2;
  }
  directory = argv[1];
  if (argc > 2) records = std::max<std::uint64_t>(1000, std::strtoull(argv[2], nullptr, 10));
  const Costs plain = of_records("plain", {});
  const Costs expiring = of_records("expiring", {.ttl = std::chrono::hours(24)});
  std::printf("| ns per operation | plain | with a ttl | more |\n|---|---:|---:|---:|\n");
  print("put", plain.put, expiring.put);
  print("get, from memory", plain.get_memory, expiring.get_memory);
  print("get, from a cached table", plain.get_table, expiring.get_table);
  print("next, over cached tables", plain.next, expiring.next);
  std::printf(
      "\n| ns per operation | get and put | merge | get of the operands | get after a compaction |\n"
      "|---|---:|---:|---:|---:|\n");
  for (const std::uint64_t rounds : {1, 10, 100}) {
    const CounterCosts costs = of_counters(rounds);
    std::printf("| counters, %3llu steps each | %.0f | %.0f | %.0f | %.0f |\n", static_cast<unsigned long long>(rounds),
                costs.put, costs.merge, costs.get, costs.get_folded);
  }
  return 0;
}
