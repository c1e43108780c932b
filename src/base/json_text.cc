#include "base/json_text.h"

#include <algorithm>
#include <cstdio>

namespace lightning::base {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
// Escapes can make text six times as long; longer bytes go as base64, so that no line outgrows a reader's bound.
constexpr std::size_t kTextBytesMax = 64ull << 20;

}  // namespace

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

JsonText& JsonText::field(std::string_view name, double value) {
  char number[64];
  std::snprintf(number, sizeof number, "%.3f", value);
  return raw(name, number);
}

}  // namespace lightning::base
