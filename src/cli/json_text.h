// Builds one JSON value as text, field by field. Commas and quotes are its business; nesting is the caller's.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "cli/bytes_text.h"

namespace lightning::cli {

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

}  // namespace lightning::cli
