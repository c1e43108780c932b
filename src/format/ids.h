// Identities written into files.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace lightning::format {

// 128 random bits: a store's identity, or one file's identity for its whole life (never reused, unlike its name).
struct Uid {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const Uid&) const = default;
};

using FileNumber = std::uint64_t;                          // names a file inside its store; rises, never reused
using KeyspaceId = std::uint32_t;                          // 0 is the default keyspace; never reused
inline constexpr KeyspaceId kNoKeyspace = ~KeyspaceId{0};  // of a handle that names none; given to no keyspace
using Epoch = std::uint64_t;                               // reign of one primary; 1 on a store that never had another

// What a reader must know to read (incompatible), to write (write-compatible), or may ignore (compatible).
struct FeatureMasks {
  std::uint64_t incompatible = 0, write_compatible = 0, compatible = 0;
};
inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr FeatureMasks kKnownFeatures{};  // version 1 defines none yet

}  // namespace lightning::format
