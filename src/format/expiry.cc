#include "format/expiry.h"

#include <algorithm>

namespace lightning::format {

namespace {

// Besides moments, which are small: a time from now on, and two that stand for themselves.
constexpr std::uint64_t kRelative = std::uint64_t{1} << 63;
constexpr std::uint64_t kNever = ~std::uint64_t{0};
constexpr std::uint64_t kWrong = kRelative;  // a time of nothing

}  // namespace

std::uint64_t ask(const Lifetime& lifetime) {
  if (lifetime.ttl && lifetime.expires_at) return kWrong;
  if (lifetime.ttl) {
    const std::int64_t ms = lifetime.ttl->count();
    return ms < 1 || static_cast<std::uint64_t>(ms) > kExpiryMax ? kWrong : kRelative | static_cast<std::uint64_t>(ms);
  }
  if (!lifetime.expires_at) return 0;
  if (*lifetime.expires_at == kNeverExpires) return kNever;
  const std::int64_t ms = lifetime.expires_at->count();
  if (ms < 0 || static_cast<std::uint64_t>(ms) > kExpiryMax) return kWrong;
  return std::max<std::uint64_t>(static_cast<std::uint64_t>(ms), 1);
}

Result<std::uint64_t> settle(std::uint64_t asked, std::uint64_t now_ms, std::chrono::milliseconds default_ttl) {
  if (asked == kNever) return 0;
  if (asked == 0) {
    if (default_ttl.count() <= 0) return 0;
    return std::min(now_ms + static_cast<std::uint64_t>(default_ttl.count()), kExpiryMax);
  }
  if (asked <= kExpiryMax) return asked;
  const std::uint64_t ttl = asked & ~kRelative;
  if ((asked & kRelative) == 0 || ttl == 0 || ttl > kExpiryMax || now_ms + ttl > kExpiryMax)
    return Error(ErrorCode::kInvalidArgument,
                 "the lifetime of a record is a ttl of at least 1 ms or a moment from 1970 on, not both, and ends "
                 "before the year 10000");
  return now_ms + ttl;
}

}  // namespace lightning::format
