// Journal: the history of one life, as its clients write it while they go, and the tables that they share.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "lightning/database.h"
#include "sim/history/history.h"

namespace lightning::sim::history {

// What outlives a life: versions and rows are never given out twice.
struct Counters {
  std::atomic<Version> versions{0};
  std::atomic<std::uint32_t> group{0};  // of rows in use now (workloads.cc)
  static constexpr std::size_t kGroups = 1 << 14;
  std::array<std::atomic<std::uint8_t>, kGroups> rows_used{};
};

// Where keys lie: kSums in a keyspace that adds, the others by turns in two that append.
class Tables {
 public:
  // What the database is to be opened with.
  static OpenOptions options();
  static Result<Tables> open(Database& db);
  const Keyspace& keyspace(Key key) const { return keyspaces_[table_of(key) == kSums ? 2 : table_of(key) % 2]; }
  static std::string name(Key key);
  static std::optional<Key> key(std::string_view name);
  // Everything there is, at one moment.
  Result<std::map<Key, Found>> content(Database& db) const;

 private:
  std::array<Keyspace, 3> keyspaces_;
};

// Values are text: version, number, list, and bytes that only take room; then the versions that were merged into it. In
// kSums they are 8 bytes.
std::string encode(const Found& found, std::size_t padding);
std::string encode_operand(Version version);
std::string encode_number(std::int64_t number);
std::optional<Found> decode(Key key, std::string_view value);

// Threads: each client adds to its own entries; the rest from any.
class Journal {
 public:
  Journal(std::size_t clients, Counters& shared) : counters(shared) { history.clients.resize(clients); }

  Moment now() { return clock_.fetch_add(1) + 1; }
  Version fresh() { return counters.versions.fetch_add(1) + 1; }
  // A call answered what it must never answer: the first is kept.
  void fail(const std::string& text) {
    if (failed_.exchange(true)) return;
    failure_ = text;
    told_.store(true);
  }
  bool failed() const { return failed_.load(std::memory_order_relaxed); }
  std::string failure() const { return told_.load() ? failure_ : std::string(); }

  History history;
  Counters& counters;

 private:
  std::atomic<Moment> clock_{0};
  std::atomic<bool> failed_{false}, told_{false};
  std::string failure_;
};

}  // namespace lightning::sim::history
