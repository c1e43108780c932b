// Small types and limits shared by the public headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lightning {

// Position of an operation in the one order of all writes. 0 is before the first write.
using Sequence = std::uint64_t;

inline constexpr std::size_t kKeyBytesMax = 64 * 1024;                // 64 KiB; the minimum is 1 byte
inline constexpr std::size_t kValueBytesMax = 512ull * 1024 * 1024;   // 512 MiB; the minimum is 0 bytes
inline constexpr std::size_t kBatchBytesMax = 1024ull * 1024 * 1024;  // 1 GiB encoded
inline constexpr std::size_t kKeyspaceNameBytesMax = 255;

struct KeyRange {
  std::optional<std::string> start = {};  // inclusive; none: the first key
  std::optional<std::string> end = {};    // exclusive; none: after the last key
  // The keys that begin with `prefix`.
  static KeyRange of_prefix(std::string_view prefix);
};

// Name of the keyspace that every database has.
inline constexpr std::string_view kDefaultKeyspaceName = "default";

}  // namespace lightning
