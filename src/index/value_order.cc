#include "index/value_order.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "txn/key_text.h"

namespace lightning::index {

namespace {

// Stored: never reused.
enum Tag : char { kFalse = 0x02, kTrue = 0x03, kNumber = 0x04, kString = 0x05 };
constexpr char kEscape = 0x00, kEscapedZero = '\xff', kEndOfString = 0x01;

constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
constexpr int kResidualBias = 0x8000;
constexpr std::size_t kNumberBytes = 10;

void append_big_endian(std::string& to, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) to.push_back(static_cast<char>(value >> shift));
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// A number as the nearest double, whose bits are turned so that they sort, and how far an integer lies from it: at most
// 1024, since rounding to 53 bits moves a 64-bit integer no further.
void append_number(std::string& to, double nearest, int residual) {
  if (nearest == 0) nearest = 0;  // minus zero is zero
  const auto bits = std::bit_cast<std::uint64_t>(nearest);
  to.push_back(kNumber);
  append_big_endian(to, (bits & kSign) != 0 ? ~bits : bits | kSign, 8);
  append_big_endian(to, static_cast<std::uint64_t>(std::int64_t{residual} + kResidualBias), 2);
}

// 2^64 as a double is exact, and more than any integer: differences are taken without overflow.
int residual_of(std::uint64_t value, double nearest) {
  if (nearest >= 18446744073709551616.0) return -static_cast<int>(~value + 1);
  const auto rounded = static_cast<std::uint64_t>(nearest);
  return static_cast<int>(static_cast<std::int64_t>(value - rounded));
}
int residual_of(std::int64_t value, double nearest) {
  if (nearest >= 9223372036854775808.0)
    return -static_cast<int>((std::uint64_t{1} << 63) - static_cast<std::uint64_t>(value));
  return static_cast<int>(value - static_cast<std::int64_t>(nearest));
}

IndexValue number_of(double nearest, int residual) {
  const bool whole = nearest == std::trunc(nearest) && std::abs(nearest) <= 18446744073709551616.0;
  if (!whole) return nearest;
  if (nearest < 0) {
    if (nearest < -9223372036854775808.0) return nearest;
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(static_cast<std::int64_t>(nearest)) +
                                     static_cast<std::uint64_t>(std::int64_t{residual}));
  }
  if (nearest >= 18446744073709551616.0) {
    if (residual >= 0) return nearest;
    return std::uint64_t{0} - static_cast<std::uint64_t>(-residual);
  }
  const std::uint64_t value = static_cast<std::uint64_t>(nearest) + static_cast<std::uint64_t>(std::int64_t{residual});
  if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return static_cast<std::int64_t>(value);
  return value;
}

void append_escaped(std::string& to, std::string_view bytes) {
  for (std::size_t zero; (zero = bytes.find(kEscape)) != std::string_view::npos; bytes.remove_prefix(zero + 1)) {
    to.append(bytes.substr(0, zero + 1));
    to.push_back(kEscapedZero);
  }
  to.append(bytes);
}

std::optional<IndexValue> take_string(std::string_view& from) {
  std::string text;
  for (;;) {
    const std::size_t zero = from.find(kEscape);
    if (zero == std::string_view::npos || zero + 1 == from.size()) return std::nullopt;
    text.append(from.substr(0, zero));
    const char what = from[zero + 1];
    from.remove_prefix(zero + 2);
    if (what == kEndOfString) return IndexValue(std::move(text));
    if (what != kEscapedZero) return std::nullopt;
    text.push_back('\0');
  }
}

}  // namespace

bool append_value(std::string& to, const IndexValue& value) {
  const auto append = [&](const auto& any) {
    using Any = std::decay_t<decltype(any)>;
    if constexpr (std::is_same_v<Any, bool>) {
      to.push_back(any ? kTrue : kFalse);
    } else if constexpr (std::is_same_v<Any, double>) {
      if (std::isnan(any)) return false;
      append_number(to, any, 0);
    } else if constexpr (std::is_same_v<Any, std::string>) {
      to.push_back(kString);
      append_escaped(to, any);
      to.push_back(kEscape);
      to.push_back(kEndOfString);
    } else {
      const auto nearest = static_cast<double>(any);
      append_number(to, nearest, residual_of(any, nearest));
    }
    return true;
  };
  return std::visit(append, value.any());
}

std::optional<IndexValue> take_value(std::string_view& from) {
  if (from.empty()) return std::nullopt;
  const char tag = from.front();
  from.remove_prefix(1);
  switch (tag) {
    case kFalse:
      return IndexValue(false);
    case kTrue:
      return IndexValue(true);
    case kNumber: {
      if (from.size() < kNumberBytes) return std::nullopt;
      const std::uint64_t turned = big_endian(from.substr(0, 8));
      const auto residual = static_cast<int>(big_endian(from.substr(8, 2))) - kResidualBias;
      const std::string_view bytes = from.substr(0, kNumberBytes);
      from.remove_prefix(kNumberBytes);
      const auto nearest = std::bit_cast<double>((turned & kSign) != 0 ? turned & ~kSign : ~turned);
      if (std::isnan(nearest) || residual < -1024 || residual > 1024) return std::nullopt;
      IndexValue number = number_of(nearest, residual);
      // Each number has one encoding: what is left over of none, or of a fraction, belongs to nobody's.
      std::string canonical;
      if (!append_value(canonical, number) || std::string_view(canonical).substr(1) != bytes) return std::nullopt;
      return number;
    }
    case kString:
      return take_string(from);
    default:
      return std::nullopt;
  }
}

void append_string_prefix(std::string& to, std::string_view prefix) {
  to.push_back(kString);
  append_escaped(to, prefix);
}

Kind kind_of(const IndexValue& value) {
  const auto between = [](char first, char last) {
    return Kind{std::string(1, first), std::string(1, static_cast<char>(last + 1))};
  };
  if (std::holds_alternative<bool>(value.any())) return between(kFalse, kTrue);
  if (std::holds_alternative<std::string>(value.any())) return between(kString, kString);
  return between(kNumber, kNumber);
}

std::optional<std::string> after_prefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

std::string value_text(const IndexValue& value) {
  const auto text = [](const auto& any) -> std::string {
    using Any = std::decay_t<decltype(any)>;
    if constexpr (std::is_same_v<Any, bool>) {
      return any ? "true" : "false";
    } else if constexpr (std::is_same_v<Any, std::string>) {
      return txn::key_text(any);
    } else {
      char buffer[32];
      const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, any);
      return error == std::errc{} ? std::string(buffer, end) : std::string();
    }
  };
  return std::visit(text, value.any());
}

}  // namespace lightning::index
