// The memtable against a skip list: nanoseconds of processor time per insert, get and scanned
// entry; bytes per entry beyond key and value. "x2": two threads at once, time per operation of both together.
//
//   memtable_bench [entries] [repeats]        default 250000 3; the least disturbed figure of each is printed
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "memtable/memtable.h"
#include "skip_list.h"

namespace lightning::bench {
namespace {

constexpr std::size_t kKeyBytes = 50, kValueBytes = 200;
enum class Shape { kRandomFirst, kSharedPrefix, kSequential };

std::uint64_t mix(std::uint64_t x) {  // SplitMix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

void make_key(Shape shape, std::uint64_t i, std::uint64_t entries, char* to) {
  char text[kKeyBytes + 1];
  if (shape == Shape::kRandomFirst) {
    std::snprintf(text, sizeof text, "k%016llx%033d", static_cast<unsigned long long>(mix(i)), 0);
  } else {  // an odd multiplier visits every number below a power of two, in scattered order
    std::uint64_t bits = 1;
    while (bits < entries) bits <<= 1;
    const std::uint64_t n = shape == Shape::kSequential ? i : (i * 0x9e3779b97f4a7c15 ^ 0x5bd1e995) & (bits - 1);
    std::snprintf(text, sizeof text, "user%046llu", static_cast<unsigned long long>(n));
  }
  std::copy(text, text + kKeyBytes, to);
}

struct Tree {
  static constexpr const char* kName = "b+-tree";
  explicit Tree(base::MemoryBudget& budget) : table(budget) {}
  void add(const format::Entry& e) {
    if (!table.reserve(1, e.key.size() + e.value.size())) std::abort();
    table.add(e);
  }
  bool get(std::string_view key) const { return table.get(key, format::kSequenceMax).has_value(); }
  std::uint64_t scan() const {
    std::uint64_t sum = 0;
    const auto it = table.iterator();
    for (it->seek_to_first(); it->valid(); it->next())
      sum += it->entry().sequence + static_cast<unsigned char>(it->entry().key[20]);
    return sum;
  }
  std::uint64_t bytes() const { return table.memory_bytes(); }
  memtable::MemTable table;
};

struct List {
  static constexpr const char* kName = "skip list";
  explicit List(base::MemoryBudget& budget) : list(budget) {}
  void add(const format::Entry& e) { list.add(e); }
  bool get(std::string_view key) const { return list.find_version({key, format::kSequenceMax}) != nullptr; }
  std::uint64_t scan() const {
    std::uint64_t sum = 0;
    list.scan([&](const memtable::Record& r) { sum += r.sequence() + static_cast<unsigned char>(r.key()[20]); });
    return sum;
  }
  std::uint64_t bytes() const { return list.bytes(); }
  SkipList list;
};

// Processor time, all threads together: other load on the machine then shows only through the shared cache.
template <class F>
double ns_per(std::uint64_t n, F&& work) {
  const auto now = [] {
    timespec t;
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
  };
  const double begin = now();
  work();
  return (now() - begin) / static_cast<double>(n);
}

struct Row {
  double insert, insert2, get, get2, scan, overhead;
};

template <class F>
void on_two_threads(F&& half) {
  std::thread other([&] { half(1); });
  half(0);
  other.join();
}

template <class Store>
Row measure(const std::vector<char>& keys, std::uint64_t n) {
  const std::string value(kValueBytes, 'v');
  const auto key = [&](std::uint64_t i) { return std::string_view(&keys[i * kKeyBytes], kKeyBytes); };
  std::vector<char> shuffled(keys.size());  // so that reading the key to look for is no cache miss of its own
  for (std::uint64_t i = 0; i < n; ++i) std::ranges::copy(key(mix(i) % n), &shuffled[i * kKeyBytes]);
  const auto looked_for = [&](std::uint64_t i) { return std::string_view(&shuffled[i * kKeyBytes], kKeyBytes); };
  const auto entry = [&](std::uint64_t i) { return format::Entry{key(i), i + 1, format::EntryType::kPut, value}; };
  Row row{};
  std::uint64_t found = 0;
  {
    base::MemoryBudget budget(1 << 30);
    Store store(budget);
    row.insert = ns_per(n, [&] {
      for (std::uint64_t i = 0; i < n; ++i) store.add(entry(i));
    });
    row.overhead = static_cast<double>(store.bytes()) / static_cast<double>(n) - kKeyBytes - kValueBytes;
    row.get = ns_per(n, [&] {
      for (std::uint64_t i = 0; i < n; ++i) found += store.get(looked_for(i));
    });
    row.get2 = ns_per(2 * n, [&] {
      on_two_threads([&](std::uint64_t t) {
        std::uint64_t mine = 0;
        for (std::uint64_t i = 0; i < n; ++i) mine += store.get(looked_for((i + t * n / 2) % n));
        if (mine != n) std::abort();
      });
    });
    row.scan = ns_per(n, [&] { found += store.scan() == 0 ? 1 : 0; });
  }
  {
    base::MemoryBudget budget(1 << 30);
    Store store(budget);
    row.insert2 = ns_per(n, [&] {
      on_two_threads([&](std::uint64_t t) {
        for (std::uint64_t i = t; i < n; i += 2) store.add(entry(i));
      });
    });
  }
  if (found != n) std::abort();
  return row;
}

template <class Store>
void report(const char* shape, const std::vector<char>& keys, std::uint64_t n, int repeats) {
  std::vector<Row> rows;
  rows.reserve(static_cast<std::size_t>(repeats));
  for (int i = 0; i < repeats; ++i) rows.push_back(measure<Store>(keys, n));
  const auto least = [&](double Row::* field) {
    double value = rows[0].*field;
    for (const Row& row : rows) value = std::min(value, row.*field);
    return value;
  };
  std::printf("%-14s %-10s %9llu %9.0f %9.0f %8.0f %8.0f %8.1f %8.1f\n", shape, Store::kName,
              static_cast<unsigned long long>(n), least(&Row::insert), least(&Row::insert2), least(&Row::get),
              least(&Row::get2), least(&Row::scan), least(&Row::overhead));
  std::fflush(stdout);
}

}  // namespace
}  // namespace lightning::bench

int main(int argc, char** argv) {
  using namespace lightning::bench;
  const std::uint64_t n = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 250000;
  const int repeats = argc > 2 ? std::atoi(argv[2]) : 3;
  std::printf("%-14s %-10s %9s %9s %9s %8s %8s %8s %8s\n", "keys", "structure", "entries", "insert", "insert x2", "get",
              "get x2", "scan", "+bytes");
  for (const auto& [shape, name] : {std::pair{Shape::kRandomFirst, "random first"},
                                    {Shape::kSharedPrefix, "shared prefix"},
                                    {Shape::kSequential, "sequential"}}) {
    std::vector<char> keys(n * kKeyBytes);
    for (std::uint64_t i = 0; i < n; ++i) make_key(shape, i, n, &keys[i * kKeyBytes]);
    report<Tree>(name, keys, n, repeats);
    report<List>(name, keys, n, repeats);
  }
}
