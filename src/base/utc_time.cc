#include "base/utc_time.h"

#include <cstdint>
#include <cstdio>

namespace lightning::base {

namespace {

// So many digits from the front of `text`, and then `end`, if it is not 0.
bool take(std::string_view& text, std::size_t digits, char end, unsigned& value) {
  if (text.size() < digits + (end != 0 ? 1 : 0)) return false;
  value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  text.remove_prefix(digits);
  if (end == 0) return true;
  if (text.front() != end) return false;
  text.remove_prefix(1);
  return true;
}

// ".5", ".123456": down to the millisecond.
bool take_fraction(std::string_view& text, unsigned& milliseconds) {
  unsigned scale = 100;
  std::size_t digits = 0;
  for (text.remove_prefix(1); !text.empty() && text.front() >= '0' && text.front() <= '9'; ++digits, scale /= 10) {
    milliseconds += scale * static_cast<unsigned>(text.front() - '0');
    text.remove_prefix(1);
  }
  return digits > 0;
}

}  // namespace

std::string utc_text(std::chrono::milliseconds since_1970) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{since_1970};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

std::optional<std::chrono::milliseconds> parse_utc(std::string_view text) {
  using namespace std::chrono;
  unsigned y = 0, mon = 0, d = 0, h = 0, min = 0, s = 0, ms = 0;
  if (!take(text, 4, '-', y) || !take(text, 2, '-', mon) || !take(text, 2, 0, d)) return std::nullopt;
  if (text.empty() || (text.front() != 'T' && text.front() != ' ')) return std::nullopt;
  text.remove_prefix(1);
  if (!take(text, 2, ':', h) || !take(text, 2, 0, min)) return std::nullopt;
  if (text.starts_with(':')) {
    text.remove_prefix(1);
    if (!take(text, 2, 0, s)) return std::nullopt;
    if (text.starts_with('.') && !take_fraction(text, ms)) return std::nullopt;
  }
  const year_month_day date{year(static_cast<int>(y)), month(mon), day(d)};
  if (text != "Z" || !date.ok() || y < 1970 || h > 23 || min > 59 || s > 59) return std::nullopt;
  return duration_cast<milliseconds>(sys_days(date).time_since_epoch()) + hours(h) + minutes(min) + seconds(s) +
         milliseconds(ms);
}

}  // namespace lightning::base
