#include "cli/progress.h"

#include <cstdio>

#include "base/sync.h"
#include "cli/bytes_text.h"
#include "cli/output.h"

namespace lightning::cli {

namespace {

constexpr std::uint64_t kIntervalNs = 200'000'000;

std::string fixed(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace

Result<ProgressMode> progress_mode_named(std::string_view name) {
  if (name == "auto") return ProgressMode::kAuto;
  if (name == "always") return ProgressMode::kAlways;
  if (name == "never") return ProgressMode::kNever;
  return Error(ErrorCode::kInvalidArgument, "unknown progress mode " + std::string(name))
      .with_advice("choose auto, always or never");
}

Progress::Progress(ProgressMode mode, bool json, std::string verb)
    : verb_(std::move(verb)),
      json_(json),
      on_terminal_(stderr_is_terminal() && !json),
      silent_(mode == ProgressMode::kNever || (mode == ProgressMode::kAuto && !on_terminal_)),
      start_ns_(base::monotonic_now_ns()),
      next_ns_(start_ns_ + kIntervalNs) {}

Progress::~Progress() { clear(); }

double Progress::seconds() const { return static_cast<double>(base::monotonic_now_ns() - start_ns_) / 1e9; }

void Progress::clear() {
  if (line_is_shown_) std::fputs("\r\x1b[K", stderr);
  line_is_shown_ = false;
}

void Progress::report(std::uint64_t records, std::uint64_t bytes, std::uint64_t total_bytes) {
  if (silent_ || base::monotonic_now_ns() < next_ns_) return;
  next_ns_ = base::monotonic_now_ns() + kIntervalNs;
  const double elapsed = seconds();
  const double rate = static_cast<double>(records) / elapsed;
  const double done = total_bytes == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(total_bytes);
  const double remaining = done > 0 ? elapsed / done - elapsed : 0;
  if (json_) {
    std::string line = "{\"event\":\"progress\",\"records\":" + std::to_string(records) +
                       ",\"bytes\":" + std::to_string(bytes) + ",\"records_per_second\":" + fixed(rate, 0);
    if (total_bytes != 0) line += ",\"percent\":" + fixed(done * 100, 1) + ",\"seconds_left\":" + fixed(remaining, 1);
    return say(line + "}");
  }
  std::string line = verb_ + " " + human_count(records) + " records, " + human_bytes(static_cast<double>(bytes)) +
                     ", " + human_count(static_cast<std::uint64_t>(rate)) + " records/s";
  if (total_bytes != 0) line += ", " + fixed(done * 100, 0) + " %, " + fixed(remaining, 0) + " s left";
  if (!on_terminal_) return say(line);
  std::fputs(("\r\x1b[K" + line).c_str(), stderr);
  line_is_shown_ = true;
}

}  // namespace lightning::cli
