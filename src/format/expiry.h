// The value of a kPutExpiring entry: when it expires, then what was put (docs/format/batch.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/coding.h"

namespace lightning::format {

inline constexpr std::size_t kExpiryBytes = 8;
// Milliseconds since 1970. Beyond: the bytes are damaged, or of a batch that is not settled yet.
inline constexpr std::uint64_t kExpiryMax = (std::uint64_t{1} << 62) - 1;

struct Expiring {
  std::uint64_t expires_ms = 0;  // gone from this moment on
  std::string_view value;
};

// False if `stored` is too short.
inline bool split_expiring(std::string_view stored, Expiring& to) {
  if (stored.size() < kExpiryBytes) return false;
  to.expires_ms = base::load_le<std::uint64_t>(stored.data());
  to.value = stored.substr(kExpiryBytes);
  return true;
}

inline void append_expiring(std::string& to, const Expiring& expiring) {
  base::append_le(to, expiring.expires_ms);
  to += expiring.value;
}

}  // namespace lightning::format
