// Bytes as people type and read them: text, hex, base64, JSON strings, escapes for a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_text.h"
#include "lightning/result.h"

namespace lightning::cli {

using base::append_json_bytes;
using base::append_json_string;
using base::fits_text;
using base::is_utf8;
using base::JsonText;
using base::to_base64;

std::string to_hex(std::string_view bytes);
// kInvalidArgument names the first character that does not belong.
Result<std::string> from_hex(std::string_view text);
Result<std::string> from_base64(std::string_view text);

// A key or value on the command line: "hex:00ff", "base64:AP8=", "text:hex:" for what would else be taken for one of
// these, anything else as it stands.
Result<std::string> parse_bytes(std::string_view argument);

// Printable UTF-8 as it is; everything else as \n, \t, \\ or \xNN.
std::string escaped(std::string_view bytes);

// "64.0 KiB"
std::string human_bytes(double bytes);
// "1,234,567"
std::string human_count(std::uint64_t count);

// "250ms", "30s", "15m", "12h", "7d"; no sign, no fraction.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace lightning::cli
