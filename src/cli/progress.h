// A line that tells how far a long command has come: on a terminal one line that is rewritten, else nothing or, when
// asked for, a new line now and then.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lightning/result.h"

namespace lightning::cli {

enum class ProgressMode : std::uint8_t { kAuto, kAlways, kNever };
Result<ProgressMode> progress_mode_named(std::string_view name);

// Threads: one.
class Progress {
 public:
  // `verb` begins each line: "imported". `json`: lines are JSON objects.
  Progress(ProgressMode mode, bool json, std::string verb);
  ~Progress();  // clears the line

  // `bytes` of `total_bytes` (0: unknown) are behind us, and `records`. Cheap: speaks five times a second at most.
  void report(std::uint64_t records, std::uint64_t bytes, std::uint64_t total_bytes);
  // Makes room for another line on the terminal.
  void clear();
  double seconds() const;

 private:
  std::string verb_;
  bool json_, on_terminal_, silent_;
  bool line_is_shown_ = false;
  std::uint64_t start_ns_, next_ns_;
};

}  // namespace lightning::cli
