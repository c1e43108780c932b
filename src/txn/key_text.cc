#include "txn/key_text.h"

#include <algorithm>

namespace lightning::txn {

namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

void append_printable(std::string& text, std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\' && c != '\'') {
      text += c;
    } else {
      text += "\\x";
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
  }
}

}  // namespace

std::string key_text(std::string_view key) {
  constexpr std::size_t kShownMax = 40;
  std::string text = "'";
  append_printable(text, key.substr(0, kShownMax));
  if (key.size() <= kShownMax) return text += '\'';
  text += "...'#";
  const std::uint64_t hash = key_hash(key);
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[hash >> shift & 15];
  return text;
}

}  // namespace lightning::txn
