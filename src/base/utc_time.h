// Moments as people write them: "2026-11-23T10:00:00.123Z".
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace lightning::base {

// With milliseconds, always.
std::string utc_text(std::chrono::milliseconds since_1970);
// A date and a time of UTC, with a 'T' or a space between them and a 'Z' at the end; the time may end with the seconds,
// a fraction of them, or with the minutes. Nullopt for anything else.
std::optional<std::chrono::milliseconds> parse_utc(std::string_view text);

}  // namespace lightning::base
