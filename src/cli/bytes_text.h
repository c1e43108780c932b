// Bytes as people type and read them: text, hex, base64, JSON strings, escapes for a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "lightning/result.h"

namespace lightning::cli {

std::string to_hex(std::string_view bytes);
std::string to_base64(std::string_view bytes);  // RFC 4648, section 4, padded
// kInvalidArgument names the first character that does not belong.
Result<std::string> from_hex(std::string_view text);
Result<std::string> from_base64(std::string_view text);

// A key or value on the command line: "hex:00ff", "base64:AP8=", "text:hex:" for what would else be taken for one of
// these, anything else as it stands.
Result<std::string> parse_bytes(std::string_view argument);

// RFC 3629: no over-long forms, no surrogates, at most U+10FFFF.
bool is_utf8(std::string_view bytes);

// Appends `text`, which must be UTF-8, as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);
// Appends ,"name":"text" or, where the bytes are not UTF-8 (or too many for escapes), ,"name_base64":"...".
// The comma is left out behind { and behind another comma.
void append_json_bytes(std::string& out, std::string_view name, std::string_view bytes);

// Printable UTF-8 as it is; everything else as \n, \t, \\ or \xNN.
std::string escaped(std::string_view bytes);

// Whether append_json_bytes and the CSV writer give these bytes as text.
bool fits_text(std::string_view bytes);

// "64.0 KiB"
std::string human_bytes(double bytes);
// "1,234,567"
std::string human_count(std::uint64_t count);

// "250ms", "30s", "15m", "12h", "7d"; no sign, no fraction.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace lightning::cli
