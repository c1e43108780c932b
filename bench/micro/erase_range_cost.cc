// What erased ranges cost and save: erasing as a range beside key by key, readers beside and across what was erased.
//
//   erase_range_cost DIRECTORY [records]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
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
  std::fprintf(stderr, "erase_range_cost: %s\n", status.error().to_string().c_str());
  std::exit(1);
}
template <class T>
T must(Result<T> result) {
  if (!result) must(Status(result.error()));
  return std::move(*result);
}

// Nanoseconds of one step.
template <class Step>
double measure(std::uint64_t count, const Step& step) {
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < count; ++i) step(i);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  return took.count() / static_cast<double>(count);
}

std::string key(std::uint64_t i) {
  char text[24];
  std::snprintf(text, sizeof(text), "key%012llu", static_cast<unsigned long long>(i));
  return text;
}
KeyRange range(std::uint64_t from, std::uint64_t to) { return {.start = key(from), .end = key(to)}; }

// A database of `records` records, in tables.
struct Place {
  explicit Place(bool compact = true) {
    std::filesystem::remove_all(path);
    LightningDbConfig config;
    config.cache_size = 1ull << 30;
    config.memtable_bytes = 256ull << 20;
    config.table_bytes = 4ull << 20;
    config.wal_sync_mode = WalSyncMode::kAsync;
    db.emplace(must(Database::open(path, config)));
    const std::string value(100, 'v');
    for (std::uint64_t i = 0; i < records; ++i) must(db->put(key(i), value));
    if (compact) settle();
  }
  ~Place() {
    must(db->close());
    db.reset();
    std::filesystem::remove_all(path);
  }
  void settle() {
    must(db->compact_range());
    must(db->wait_for_background_work());
  }
  const std::string path = directory + "/erase_range_cost";
  std::optional<Database> db;
};

// Nine tenths of the records go; what that takes, and a walk across it afterwards.
void erasing(const char* name, bool as_range) {
  Place place;
  Database& db = *place.db;
  const std::uint64_t from = records / 20, to = records - records / 20;
  const std::uint64_t logged = db.stats().wal_bytes;
  const double erased = measure(1, [&](std::uint64_t) {
    if (as_range) {
      must(db.erase_range(range(from, to)));
    } else {
      for (std::uint64_t i = from; i < to; ++i) must(db.erase(key(i)));
    }
  });
  const std::uint64_t log_bytes = db.stats().wal_bytes - logged;
  const auto seek = [&] {
    auto it = db.iterate();
    const double took = measure(1, [&](std::uint64_t) { it.seek(key(from)); });
    if (!it.valid() || it.key() != key(to)) std::abort();
    std::printf(" %.1f us, %llu passed |", took / 1000, static_cast<unsigned long long>(it.tombstones_passed()));
  };
  std::printf("| %s | %.3f ms | %llu |", name, erased / 1e6, static_cast<unsigned long long>(log_bytes));
  seek();
  must(db.flush());
  const double reclaimed = measure(1, [&](std::uint64_t) { must(db.wait_for_background_work()); });
  seek();
  const Statistics stats = db.stats();
  std::printf(" %.0f ms, %llu tables unread |\n", reclaimed / 1e6,
              static_cast<unsigned long long>(stats.tables_erased));
}

// Reads beside `ranges` ranges of one key each, which lie where nobody reads.
void reading(std::uint64_t ranges, bool in_tables) {
  Place place(in_tables);
  Database& db = *place.db;
  const Snapshot holds = db.snapshot();  // keeps ranges and what they hide
  for (std::uint64_t i = 0; i < ranges; ++i) must(db.erase_range(range(2 * i, 2 * i + 1)));
  if (in_tables) place.settle();
  std::string value;
  const std::uint64_t beyond = std::min<std::uint64_t>(2 * ranges, records / 2), rest = records - beyond;
  const auto get = [&](std::uint64_t i) {
    if (!must(db.get(db.default_keyspace(), key(beyond + i * 7919 % rest), value))) std::abort();
  };
  const auto hidden = [&](std::uint64_t i) {
    if (must(db.get(db.default_keyspace(), key(2 * (i * 7919 % std::max<std::uint64_t>(ranges, 1))), value)) !=
        (ranges == 0))
      std::abort();
  };
  measure(rest, get);
  const double there = measure(rest, get), gone = measure(rest, hidden);
  auto it = db.iterate();
  const double seek = measure(rest / 4, [&](std::uint64_t i) { it.seek(key(beyond + i * 7919 % rest)); });
  it.seek(key(beyond));
  const double next = measure(rest - 1, [&](std::uint64_t) { it.next(); });
  if (!it.valid()) std::abort();
  std::printf("| %llu, %s | %.0f | %.0f | %.0f | %.0f |\n", static_cast<unsigned long long>(ranges),
              in_tables ? "in tables" : "in memory", there, gone, seek, next);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: erase_range_cost DIRECTORY [records]\n");
    return 2;
  }
  directory = argv[1];
  if (argc > 2) records = std::max<std::uint64_t>(10'000, std::strtoull(argv[2], nullptr, 10));
  std::printf(
      "| nine tenths of %llu records | takes | log bytes | seek across, in memory | seek across, flushed | "
      "background work after the flush |\n|---|---:|---:|---:|---:|---:|\n",
      static_cast<unsigned long long>(records));
  erasing("erase, key by key", false);
  erasing("erase_range", true);
  std::printf(
      "\n| ns per operation, ranges | get | get of what is hidden | seek | next |\n|---|---:|---:|---:|---:|\n");
  for (const bool in_tables : {false, true})
    for (const std::uint64_t ranges : {0, 1, 1000}) reading(ranges, in_tables);
  return 0;
}
