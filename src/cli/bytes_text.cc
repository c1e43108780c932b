#include "cli/bytes_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>

namespace lightning::cli {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
// Escapes can make text six times as long; longer bytes go as base64, so that no line outgrows a reader's bound.
constexpr std::size_t kTextBytesMax = 64ull << 20;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr auto kBase64Values = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kBase64Digits.size(); ++i)
    values[static_cast<unsigned char>(kBase64Digits[i])] = static_cast<std::int8_t>(i);
  return values;
}();

Error bad_character(std::string_view encoding, std::string_view text, std::size_t at) {
  return Error(ErrorCode::kInvalidArgument, "not " + std::string(encoding) + ": character " + std::to_string(at + 1) +
                                                " is \"" + escaped(text.substr(at, 1)) + "\"");
}

// Length of the well-formed character at the front, 0 if there is none (RFC 3629, section 4).
std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const auto continues = [&](std::size_t i) { return i < s.size() && (byte(i) & 0xc0) == 0x80; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  if ((lead & 0xf0) == 0xe0) {
    if (!continues(1) || !continues(2)) return 0;
    const bool overlong = lead == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = lead == 0xed && byte(1) > 0x9f;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    const bool overlong = lead == 0xf0 && byte(1) < 0x90;
    const bool beyond = lead == 0xf4 && byte(1) > 0x8f;
    return overlong || beyond ? 0 : 4;
  }
  return 0;
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

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < n ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j) out += j <= n ? kBase64Digits[group >> (18 - 6 * j) & 63] : '=';
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

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    // Eight bytes of ASCII at a time: nearly all text is that.
    std::uint64_t word = 0;
    if (bytes.size() >= sizeof word) {
      __builtin_memcpy(&word, bytes.data(), sizeof word);
      if ((word & 0x8080808080808080u) == 0) {
        bytes.remove_prefix(sizeof word);
        continue;
      }
    }
    const std::size_t length = utf8_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

bool fits_text(std::string_view bytes) { return bytes.size() <= kTextBytesMax && is_utf8(bytes); }

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;  // start of what needs no escape
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHexDigits[c >> 4];
        out += kHexDigits[c & 15];
    }
  }
  out.append(text, plain);
  out += '"';
}

void append_json_bytes(std::string& out, std::string_view name, std::string_view bytes) {
  if (!out.empty() && out.back() != '{' && out.back() != ',') out += ',';
  const bool text = fits_text(bytes);
  append_json_string(out, std::string(name) + (text ? "" : "_base64"));
  out += ':';
  append_json_string(out, text ? bytes : std::string_view(to_base64(bytes)));
}

std::string escaped(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const auto c = static_cast<unsigned char>(bytes.front());
    const std::size_t length = utf8_length(bytes);
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
