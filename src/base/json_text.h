// Text that machines read: JSON, and bytes in it as UTF-8 or base64.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lightning::base {

// Length of the well-formed UTF-8 character at the front of `text`, which is not empty; 0 if there is none (RFC 3629,
// section 4: no over-long forms, no surrogates, at most U+10FFFF).
std::size_t utf8_length(std::string_view text);
bool is_utf8(std::string_view bytes);

// RFC 4648, section 4, padded.
inline constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
std::string to_base64(std::string_view bytes);

// Appends `text`, which must be UTF-8, as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);
// Appends ,"name":"text" or, where the bytes are not UTF-8 (or too many for escapes), ,"name_base64":"...".
// The comma is left out behind { and behind another comma.
void append_json_bytes(std::string& out, std::string_view name, std::string_view bytes);
// Whether append_json_bytes gives these bytes as text.
bool fits_text(std::string_view bytes);

// Builds one JSON value as text, field by field. Commas and quotes are its business; nesting is the caller's.
class JsonText {
 public:
  JsonText& begin_object(std::string_view name = {}) { return open(name, '{'); }
  JsonText& end_object() { return close('}'); }
  JsonText& begin_array(std::string_view name = {}) { return open(name, '['); }
  JsonText& end_array() { return close(']'); }

  JsonText& field(std::string_view name, std::string_view text) {
    separate();
    append_json_bytes(text_, name, text);
    return *this;
  }
  JsonText& field(std::string_view name, const char* text) { return field(name, std::string_view(text)); }
  template <std::unsigned_integral T>
  JsonText& field(std::string_view name, T value) {
    if constexpr (std::same_as<T, bool>) return raw(name, value ? "true" : "false");
    return raw(name, std::to_string(value));
  }
  // What is JSON already.
  JsonText& literal(std::string_view name, std::string_view value) { return raw(name, value); }
  // Three digits behind the point.
  JsonText& field(std::string_view name, double value);

  const std::string& text() const { return text_; }

 private:
  JsonText& raw(std::string_view name, std::string_view value) {
    separate();
    append_json_string(text_, name);
    text_ += ':';
    text_ += value;
    return *this;
  }
  JsonText& open(std::string_view name, char bracket) {
    separate();
    if (!name.empty()) {
      append_json_string(text_, name);
      text_ += ':';
    }
    text_ += bracket;
    return *this;
  }
  JsonText& close(char bracket) {
    text_ += bracket;
    return *this;
  }
  void separate() {
    if (!text_.empty() && text_.back() != '{' && text_.back() != '[' && text_.back() != ',') text_ += ',';
  }

  std::string text_;
};

}  // namespace lightning::base
