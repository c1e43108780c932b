// What the harness asks of a storage engine. One adapter per engine in adapters/.
//
// An adapter uses its engine as an expert would: the cheapest call that keeps the promise written here.
// A failure of an engine ends the trial: see fail().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lightning::bench {

struct StoreOptions {
  std::string path;     // a directory that exists; empty for a new store
  bool sync = false;    // put() returns when the record is on disk; else when the death of the process cannot take it
  bool append = false;  // keys will come in rising order
  std::uint64_t memory_bytes = 0;  // for the engine's cache; enough for all data
  std::uint64_t data_bytes = 0;    // upper bound of what will be stored, before compression
  unsigned cores = 1;
};

enum class Direction : std::uint8_t { kForward, kBackward };

struct ScanSum {
  std::uint64_t entries = 0;
  std::uint64_t touched = 0;  // sum of the bytes that were read, so that no read can be left out
};

// The new value of keys[i], good until the next call. `before` is empty if there was none.
using Change = std::function<std::string_view(std::size_t i, std::string_view before)>;

// One thread's way to a store.
class Session {
 public:
  virtual ~Session() = default;

  virtual void put(std::string_view key, std::string_view value) = 0;
  // Collects, and writes what was collected as one atomic batch.
  virtual void batch_put(std::string_view key, std::string_view value) = 0;
  virtual void batch_commit() = 0;

  // Without a copy where the engine allows; `value` is good until the next call on this session.
  virtual bool get(std::string_view key, std::string_view& value) = 0;
  // As get(); values[i].data() is null where keys[i] is absent.
  virtual void multi_get(std::span<const std::string_view> keys, std::span<std::string_view> values) = 0;

  // As one transaction: reads `keys`, and writes to each what `change` makes of it, unless somebody else has changed
  // one of them meanwhile: then nothing happens, and the answer is false. What was read is exact when it commits (the
  // engine's calls "for update"). Only engines that serve transactions.
  virtual bool transact(std::span<const std::string_view> keys, const Change& change);

  // Visits up to `limit` entries from the first key >= `from` (from the first key of all if empty), or, backward,
  // from the last key of all. Sees everything that was written before the call. touch()es each key and value.
  virtual ScanSum scan(std::string_view from, std::uint64_t limit, Direction direction) = 0;
};

// Threads: session() from any thread; the sessions end before the store, whose destructor closes it.
class Store {
 public:
  virtual ~Store() = default;
  virtual std::unique_ptr<Session> session() = 0;
  // Moves what is in memory only to its place on disk, if the engine has a call for that.
  virtual void flush() = 0;
};

enum class Serves : std::uint8_t {
  kEverything,
  kAllButTransactions,
  kTransactions,
  kPuts,        // puts without sync
  kSyncedPuts,  // a yardstick for the disk
  kNothing,     // accepts every call and keeps nothing: the cost of the harness itself
};

struct Engine {
  std::string name;
  std::string version;
  Serves serves;
  std::unique_ptr<Store> (*open)(const StoreOptions&);
  std::string family = {};  // columns of one family are ways to use one engine, and no peers of each other
};

// Those that this build contains, in the order of the table's columns.
const std::vector<Engine>& engines();

// Ends the process (a trial runs in its own) with this message on stderr.
[[noreturn]] void fail(const std::string& what);

Engine lightning_engine();
Engine lightning_pessimistic_engine();
Engine lightning_indexed_engine();
Engine lightning_expiring_engine();
Engine lightning_counted_engine();
Engine rocksdb_engine();
Engine rocksdb_optimistic_engine();
Engine rocksdb_pessimistic_engine();
Engine lmdb_engine();
Engine leveldb_engine();
Engine raw_log_engine();
Engine null_engine();

}  // namespace lightning::bench
