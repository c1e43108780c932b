// Bytes on their way out of a command: to standard output, or to a file that appears under its name only when it is
// whole.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "lightning/result.h"

namespace lightning::cli {

// Threads: one at a time.
class Output {
 public:
  // Standard output; commit() flushes it.
  static Output& standard();
  // A regular file is written beside its name and renamed by commit(): what was
  // there before stays until then, and for ever if the command fails.
  static Result<std::unique_ptr<Output>> create(const std::string& path);

  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output();  // without commit(): removes what was written

  // kCancelled if the reader of the pipe has gone: the command ends, and that is no failure (see reader_gone()).
  Status write(std::string_view bytes);
  Status commit();
  bool reader_gone() const { return reader_gone_; }
  bool is_terminal() const;

 private:
  Output(std::FILE* file, std::string name, std::string temporary);
  Status failed(int os_error);

  std::FILE* file_;
  std::string name_;       // for messages, and what commit() renames to
  std::string temporary_;  // empty: written in place
  bool reader_gone_ = false;
};

bool stderr_is_terminal();
bool use_color();  // standard error is a terminal, NO_COLOR is empty or unset, TERM is not "dumb"

// Talk for people, on standard error, with a line end.
void say(std::string_view text);

}  // namespace lightning::cli
