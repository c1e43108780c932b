// How durable a write is when its call returns, and how long what it writes lives.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace lightning {

// When a single write is on disk. kDefault follows config.wal_sync_mode; the others may only be asked for by name.
enum class Durability : std::uint8_t { kDefault, kAsync, kSync };

// An expires_at: for ever, whatever the keyspace's default_ttl says.
inline constexpr std::chrono::milliseconds kNeverExpires = std::chrono::milliseconds::max();

// How long a record lives. From its moment on no read finds it, with whatever snapshot, by the database's clock
// (docs/guarantees.md); its space is reclaimed later. Neither field: as the keyspace's default_ttl says.
// Errors, when it is written: kInvalidArgument for both fields, a ttl below 1 ms or one that leads beyond the year
// 10000, a negative expires_at; kNotSupported in a counted keyspace. A moment that has passed is none: such a record is
// never found.
struct Lifetime {
  std::optional<std::chrono::milliseconds> ttl = {};         // from the write on
  std::optional<std::chrono::milliseconds> expires_at = {};  // since 1970-01-01 00:00 UTC, or kNeverExpires
};

//   db.put("session:7", token, {.ttl = std::chrono::minutes(30)});
struct WriteOptions {
  Durability durability = Durability::kDefault;
  // A Lifetime for what is put: the value of put(), of a conditional write, every put of a batch that has none of its
  // own. Of no other call (kInvalidArgument).
  std::optional<std::chrono::milliseconds> ttl = {};
  std::optional<std::chrono::milliseconds> expires_at = {};

  Lifetime lifetime() const { return {ttl, expires_at}; }
  bool has_lifetime() const { return ttl || expires_at; }
};

}  // namespace lightning
