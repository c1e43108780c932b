// What is behind the opaque handles of c.h, and the one way in which arguments become C++ values.
//
// Every handle that needs the database holds a share of its OpenDatabase, so that handles may be freed in any order.
// Those that must be gone before the engine closes also count (LiveHandle), and lightning_close() looks at the count.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "capi/errors.h"
#include "lightning/database.h"

namespace lightning::capi {

struct OpenDatabase {
  explicit OpenDatabase(Database opened)
      : database(std::move(opened)), default_keyspace(database.default_keyspace()), path(database.path()) {}
  Database database;
  const Keyspace default_keyspace;
  const std::string path;
  std::atomic<bool> closed{false};
  std::atomic<std::size_t> live_handles{0};
};

class LiveHandle {
 public:
  explicit LiveHandle(std::shared_ptr<OpenDatabase> home) : home_(std::move(home)) { home_->live_handles.fetch_add(1); }
  ~LiveHandle() { home_->live_handles.fetch_sub(1); }
  LiveHandle(const LiveHandle& other) : LiveHandle(other.home_) {}
  LiveHandle& operator=(const LiveHandle&) = delete;
  const std::shared_ptr<OpenDatabase>& home() const { return home_; }

 private:
  std::shared_ptr<OpenDatabase> home_;
};

}  // namespace lightning::capi

struct lightning_config {
  lightning::LightningDbConfig config;
  std::string path;
};
struct lightning_open_options {
  lightning::OpenOptions options;
};
struct lightning_buffer {
  std::string& bytes;
};
struct lightning_db {
  std::shared_ptr<lightning::capi::OpenDatabase> home;
};
struct lightning_keyspace {
  std::shared_ptr<lightning::capi::OpenDatabase> home;
  lightning::Keyspace keyspace;
};
// In the following `live` comes first: it is destroyed last.
struct lightning_snapshot {
  lightning::capi::LiveHandle live;
  lightning::Snapshot snapshot;
};
struct lightning_values {
  lightning::capi::LiveHandle live;
  std::vector<lightning::PinnedValue> pinned;           // of the database,
  std::vector<std::optional<std::string>> copies = {};  // or of a transaction
};
struct lightning_transaction {
  lightning::capi::LiveHandle live;
  lightning::Transaction transaction;
  bool lent = false;  // to a callback, which cannot free it
};
struct lightning_iterator {
  lightning::capi::LiveHandle live;
  lightning::Iterator iterator;
  lightning_error* failure = nullptr;  // of a move that did not come as far as the iterator; ours
  ~lightning_iterator() { lightning_error_free(failure); }
};
struct lightning_value_writer {
  lightning::capi::LiveHandle live;
  lightning::ValueWriter writer;
};
struct lightning_value_reader {
  lightning::capi::LiveHandle live;
  lightning::ValueReader reader;
};
struct lightning_batch {
  std::weak_ptr<lightning::capi::OpenDatabase> home;  // of the keyspaces that are named; none: only the default one is
  bool has_home = false;
  lightning::WriteBatch batch;
};
struct lightning_index_page {
  lightning::IndexPage page;
};
struct lightning_check_report {
  lightning::CheckReport report;
  std::vector<std::unique_ptr<lightning_error>> findings;
};

namespace lightning::capi {

Status required(const void* pointer, std::string_view what);

// Gives an out-parameter its value for failure, and demands that it is there.
template <class T>
Status cleared(T* out, const char* what) {
  LIGHTNING_TRY(required(static_cast<const void*>(out), what));
  *out = T();
  return {};
}

Result<std::string_view> bytes_of(const void* data, std::size_t size, std::string_view what);
// Lengths are looked at before anything is copied: a length of -1 must not become a huge read.
Result<std::string_view> key_of(const void* data, std::size_t size);
Result<std::string_view> value_of(const void* data, std::size_t size);

Result<std::vector<std::string_view>> keys_of(const lightning_bytes* keys, std::size_t count);

// The database, if it may be worked with.
Result<std::shared_ptr<OpenDatabase>> home_of(const lightning_db* db);
Result<const Keyspace*> keyspace_of(const std::shared_ptr<OpenDatabase>& home, const lightning_keyspace* keyspace);

inline constexpr std::size_t kStructSizeMax = 4096;  // far beyond any version: what is larger was never set

// `given` as far as both sides know its fields, the rest from `defaults`. `first_size`: in the first version.
template <class Options>
Result<Options> options_of(const Options* given, const Options& defaults, std::size_t first_size) {
  Options options = defaults;
  if (given == nullptr) return options;
  const std::size_t size = given->struct_size;
  if (size < first_size || size > kStructSizeMax)
    return invalid("struct_size of the options is " + std::to_string(size) + ": use the INIT macro");
  const char* const bytes = reinterpret_cast<const char*>(given);
  for (std::size_t at = sizeof(Options); at < size; ++at)
    if (bytes[at] != 0) return invalid("the options have a field that this version of the library does not know");
  std::memcpy(static_cast<void*>(&options), bytes, std::min(size, sizeof(Options)));
  options.struct_size = sizeof(Options);
  return options;
}

// The other way: as much of `from` as the caller's version of the struct holds.
template <class Struct>
Status fill(Struct& to, std::size_t size, const std::type_identity_t<Struct>& from, std::size_t first_size) {
  if (size < first_size || size > kStructSizeMax)
    return invalid("no version of the struct has the size " + std::to_string(size));
  char* const bytes = reinterpret_cast<char*>(&to);
  std::memset(bytes, 0, size);
  std::memcpy(bytes, &from, std::min(size, sizeof(Struct)));
  return {};
}

template <class Enum>
Result<Enum> choice_of(std::int32_t value, Enum largest, const char* what) {
  if (value < 0 || value > static_cast<std::int32_t>(largest))
    return invalid(std::string(what) + " has no value " + std::to_string(value));
  return static_cast<Enum>(value);
}

Result<WriteOptions> write_options_of(const lightning_write_options* options);
Result<KeyspaceOptions> keyspace_options_of(const lightning_keyspace_options* options);
Result<std::optional<IndexValue>> index_value_of(const lightning_index_value& value, const char* what);
Lifetime lifetime_of(int64_t ttl_ms, int64_t expires_at_ms);
// 0: there is no such record.
int64_t moment_of(bool found, const std::optional<std::chrono::milliseconds>& expires_at);
Result<ReadOptions> read_options_of(const std::shared_ptr<OpenDatabase>& home, const lightning_read_options* options);
Result<IterateOptions> iterate_options_of(const std::shared_ptr<OpenDatabase>& home,
                                          const lightning_iterate_options* options);
// One piece of memory for lightning_free().
lightning_bytes* list_of(const std::vector<std::string>& names);
Result<KeyRange> range_of(const lightning_bytes* start, const lightning_bytes* end);

// Memory for lightning_free().
void* allocate(std::size_t bytes);
void hand_over(std::string_view bytes, void*& value, std::size_t& size);

}  // namespace lightning::capi
