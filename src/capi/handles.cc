#include "capi/handles.h"

#include <algorithm>
#include <cstdlib>

namespace lightning::capi {

Status required(const void* pointer, std::string_view what) {
  if (pointer == nullptr) return invalid(std::string(what).append(" is null"));
  return {};
}

Result<std::string_view> bytes_of(const void* data, std::size_t size, std::string_view what) {
  if (data == nullptr && size > 0) return invalid(std::string(what).append(" is null, and its length is not 0"));
  return std::string_view(static_cast<const char*>(data), size);
}

Result<std::string_view> key_of(const void* data, std::size_t size) {
  if (size > kKeyBytesMax) return Error(ErrorCode::kKeyTooLarge, "the key has " + std::to_string(size) + " bytes");
  return bytes_of(data, size, "the key");
}

Result<std::string_view> value_of(const void* data, std::size_t size) {
  if (size > kValueBytesMax)
    return Error(ErrorCode::kValueTooLarge, "the value has " + std::to_string(size) + " bytes");
  return bytes_of(data, size, "the value");
}

Result<std::vector<std::string_view>> keys_of(const lightning_bytes* keys, std::size_t count) {
  if (count > 0) LIGHTNING_TRY(required(keys, "keys"));
  std::vector<std::string_view> views;
  for (std::size_t i = 0; i < count; ++i) {
    LIGHTNING_ASSIGN(const auto key, key_of(keys[i].data, keys[i].size));
    views.push_back(key);
  }
  return views;
}

Result<std::shared_ptr<OpenDatabase>> home_of(const lightning_db* db) {
  LIGHTNING_TRY(required(db, "the database"));
  if (db->home->closed.load()) return Error(ErrorCode::kClosed, "the database is closed").at_file(db->home->path);
  return db->home;
}

Result<const Keyspace*> keyspace_of(const std::shared_ptr<OpenDatabase>& home, const lightning_keyspace* keyspace) {
  if (keyspace == nullptr) return &home->default_keyspace;
  if (keyspace->home != home)
    return invalid("the keyspace '" + keyspace->keyspace.name() + "' is of another opening of a database");
  return &keyspace->keyspace;
}

Result<WriteOptions> write_options_of(const lightning_write_options* options) {
  static constexpr lightning_write_options kDefaults = LIGHTNING_WRITE_OPTIONS_INIT;
  LIGHTNING_ASSIGN(const auto known, options_of(options, kDefaults, offsetof(lightning_write_options, ttl_ms)));
  LIGHTNING_ASSIGN(const auto durability, choice_of(known.durability, Durability::kSync, "durability"));
  const Lifetime lifetime = lifetime_of(known.ttl_ms, known.expires_at_ms);
  return WriteOptions{.durability = durability, .ttl = lifetime.ttl, .expires_at = lifetime.expires_at};
}

Lifetime lifetime_of(int64_t ttl_ms, int64_t expires_at_ms) {
  static_assert(LIGHTNING_NEVER_EXPIRES == kNeverExpires.count());
  Lifetime lifetime;
  if (ttl_ms != 0) lifetime.ttl = std::chrono::milliseconds(ttl_ms);
  if (expires_at_ms != 0) lifetime.expires_at = std::chrono::milliseconds(expires_at_ms);
  return lifetime;
}

int64_t moment_of(bool found, const std::optional<std::chrono::milliseconds>& expires_at) {
  return found ? expires_at.value_or(kNeverExpires).count() : 0;
}

Result<ReadOptions> read_options_of(const std::shared_ptr<OpenDatabase>& home, const lightning_read_options* options) {
  static constexpr lightning_read_options kDefaults = LIGHTNING_READ_OPTIONS_INIT;
  LIGHTNING_ASSIGN(const auto known, options_of(options, kDefaults, sizeof(kDefaults)));
  ReadOptions made{.fill_cache = known.fill_cache};
  if (known.snapshot != nullptr) {
    if (known.snapshot->live.home() != home) return invalid("the snapshot is of another opening of a database");
    made.snapshot = &known.snapshot->snapshot;
  }
  return made;
}

Result<IterateOptions> iterate_options_of(const std::shared_ptr<OpenDatabase>& home,
                                          const lightning_iterate_options* options) {
  static constexpr lightning_iterate_options kDefaults = LIGHTNING_ITERATE_OPTIONS_INIT;
  LIGHTNING_ASSIGN(const auto known, options_of(options, kDefaults, sizeof(kDefaults)));
  IterateOptions made{.fill_cache = known.fill_cache};
  if (known.snapshot != nullptr) {
    if (known.snapshot->live.home() != home) return invalid("the snapshot is of another opening of a database");
    made.snapshot = &known.snapshot->snapshot;
  }
  LIGHTNING_ASSIGN(const auto lower, bytes_of(known.lower_bound.data, known.lower_bound.size, "lower_bound"));
  LIGHTNING_ASSIGN(const auto upper, bytes_of(known.upper_bound.data, known.upper_bound.size, "upper_bound"));
  LIGHTNING_ASSIGN(const auto prefix, bytes_of(known.prefix.data, known.prefix.size, "prefix"));
  if (known.lower_bound.data != nullptr) made.lower_bound = lower;
  if (known.upper_bound.data != nullptr) made.upper_bound = upper;
  made.prefix = prefix;
  return made;
}

Result<KeyRange> range_of(const lightning_bytes* start, const lightning_bytes* end) {
  KeyRange range;
  if (start != nullptr) {
    LIGHTNING_ASSIGN(range.start, bytes_of(start->data, start->size, "the start of the range"));
    if (start->data == nullptr) range.start.reset();
  }
  if (end != nullptr) {
    LIGHTNING_ASSIGN(range.end, bytes_of(end->data, end->size, "the end of the range"));
    if (end->data == nullptr) range.end.reset();
  }
  return range;
}

void* allocate(std::size_t bytes) {
  void* const memory = std::malloc(std::max<std::size_t>(bytes, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

lightning_bytes* list_of(const std::vector<std::string>& names) {
  std::size_t bytes = names.size() * sizeof(lightning_bytes);
  for (const std::string& name : names) bytes += name.size();
  auto* const entries = static_cast<lightning_bytes*>(allocate(bytes));
  char* at = reinterpret_cast<char*>(entries + names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    entries[i] = {at, names[i].size()};
    at = std::copy(names[i].begin(), names[i].end(), at);
  }
  return entries;
}

void hand_over(std::string_view bytes, void*& value, std::size_t& size) {
  value = allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(value, bytes.data(), bytes.size());
  size = bytes.size();
}

}  // namespace lightning::capi

void lightning_free(void* memory) { std::free(memory); }
