// The value of a kPutExpiring entry: when it expires, then what was put (docs/format/batch.md).
//
// A batch that a caller fills may say so in other ways, which are settled before it is logged: "in so many ms", "never,
// whatever the keyspace says".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "lightning/result.h"
#include "lightning/write_options.h"

namespace lightning::format {

inline constexpr std::size_t kExpiryBytes = 8;
// Milliseconds since 1970, the end of the year 9999. What lies beyond is damage, or not settled yet.
inline constexpr std::uint64_t kExpiryMax = 253'402'300'799'999;

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
  to.reserve(to.size() + kExpiryBytes + expiring.value.size());
  base::append_le(to, expiring.expires_ms);
  to += expiring.value;
}

// Whether `stored` is as a log or table holds it.
inline bool is_settled(std::string_view stored) {
  Expiring expiring;
  return split_expiring(stored, expiring) && expiring.expires_ms - 1 < kExpiryMax;
}

// What was asked for, in a word; 0: nothing was. Any lifetime has one, wrong ones too.
std::uint64_t ask(const Lifetime& lifetime);
// The moment that follows, where the time is now_ms; 0: never. kInvalidArgument for what makes no sense.
Result<std::uint64_t> settle(std::uint64_t asked, std::uint64_t now_ms, std::chrono::milliseconds default_ttl);

}  // namespace lightning::format
