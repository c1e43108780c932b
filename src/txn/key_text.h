// Keys in messages: printable, bounded, and still telling two long keys apart.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sstable/table.h"

namespace lightning::txn {

// 'account:1', or for long keys their beginning and hash: 'user:00000000000000000000000000...'#9ae16a3b2f90404f. Bytes
// that are not printable ASCII appear as \xNN.
std::string key_text(std::string_view key);

// The one hash of a key that this layer computes: tables' filters use it as it is, lock table and latches with the
// keyspace mixed in.
inline std::uint64_t key_hash(std::string_view key) { return sstable::filter_hash(key); }
inline std::uint64_t in_keyspace(std::uint64_t key_hash, std::uint32_t keyspace) {
  return (key_hash ^ (std::uint64_t{keyspace} << 32 | keyspace)) * 0x9e3779b97f4a7c15u;
}

}  // namespace lightning::txn
