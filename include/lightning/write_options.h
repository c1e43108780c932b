// How durable a write is when its call returns.
#pragma once

#include <cstdint>

namespace lightning {

// When a single write is on disk. kDefault follows config.wal_sync_mode; the others may only be asked for by name.
enum class Durability : std::uint8_t { kDefault, kAsync, kSync };

struct WriteOptions {
  Durability durability = Durability::kDefault;
};

}  // namespace lightning
