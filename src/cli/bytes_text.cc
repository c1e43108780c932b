#include "cli/bytes_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>

namespace lightning::cli {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr auto kBase64Values = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < base::kBase64Digits.size(); ++i)
    values[static_cast<unsigned char>(base::kBase64Digits[i])] = static_cast<std::int8_t>(i);
  return values;
}();

Error bad_character(std::string_view encoding, std::string_view text, std::size_t at) {
  return Error(ErrorCode::kInvalidArgument, "not " + std::string(encoding) + ": character " + std::to_string(at + 1) +
                                                " is \"" + escaped(text.substr(at, 1)) + "\"");
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char c : bytes) {
    out += kHexDigits[c >> 4];
    out += kHexDigits[c & 15];
  }
  return out;
}

Result<std::string> from_hex(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    if (high < 0) return bad_character("hexadecimal", text, i);
    if (i + 1 == text.size()) return Error(ErrorCode::kInvalidArgument, "not hexadecimal: an odd number of digits");
    const int low = hex_value(text[i + 1]);
    if (low < 0) return bad_character("hexadecimal", text, i + 1);
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

Result<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return Error(ErrorCode::kInvalidArgument, "not base64: the length is not a multiple of 4");
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_padding = i >= text.size() - padding;
    const int value = is_padding ? 0 : kBase64Values[static_cast<unsigned char>(text[i])];
    if (value < 0) return bad_character("base64", text, i);
    group = group << 6 | static_cast<std::uint32_t>(value);
    if (i % 4 != 3) continue;
    for (int shift = 16; shift >= 0; shift -= 8) out += static_cast<char>(group >> shift & 255);
    group = 0;
  }
  out.erase(out.size() - std::min(padding, out.size()));
  if (padding > 0) {  // bits under the padding must be zero, so that every byte string has one encoding only
    const auto last =
        static_cast<unsigned char>(kBase64Values[static_cast<unsigned char>(text[text.size() - 1 - padding])]);
    if ((last & (padding == 1 ? 3 : 15)) != 0) return bad_character("base64", text, text.size() - 1 - padding);
  }
  return out;
}

Result<std::string> parse_bytes(std::string_view argument) {
  if (argument.starts_with("hex:")) return from_hex(argument.substr(4));
  if (argument.starts_with("base64:")) return from_base64(argument.substr(7));
  if (argument.starts_with("text:")) return std::string(argument.substr(5));
  return std::string(argument);
}

std::string escaped(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const auto c = static_cast<unsigned char>(bytes.front());
    const std::size_t length = base::utf8_length(bytes);
    // U+0080 to U+009F steer some terminals like ESC does.
    const bool control =
        c < 0x20 || c == 0x7f || (c == 0xc2 && length == 2 && static_cast<unsigned char>(bytes[1]) < 0xa0);
    if (length != 0 && !control && c != '\\') {
      out.append(bytes, 0, length);
      bytes.remove_prefix(length);
      continue;
    }
    bytes.remove_prefix(1);
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\x";
        out += kHexDigits[c >> 4];
        out += kHexDigits[c & 15];
    }
  }
  return out;
}

std::string human_bytes(double bytes) {
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(kUnits)) bytes /= 1024, ++unit;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f " : "%.1f ", bytes);
  return text + std::string(kUnits[unit]);
}

std::string human_count(std::uint64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::uint64_t ms;
  };
  constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  constexpr std::uint64_t kMsMax = 1ull << 62;
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view name(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
  for (const Unit& unit : kUnits)
    if (error == std::errc() && name == unit.name && number <= kMsMax / unit.ms)
      return std::chrono::milliseconds(static_cast<std::int64_t>(number * unit.ms));
  return Error(ErrorCode::kInvalidArgument, "'" + escaped(text.substr(0, 40)) + "' is not a duration")
      .with_advice("give a whole number with its unit: 250ms, 30s, 15m, 12h or 7d");
}

}  // namespace lightning::cli
