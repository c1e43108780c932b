// Runs the real lightning_db binary, as a shell would.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lightning::cli::testing {

// A directory that is gone with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string read_file(const std::string& path);
void write_file(const std::string& path, std::string_view content);

struct Outcome {
  int exit_code = -1;  // 128 + signal if one ended it, as in a shell
  std::string out, err;
};

using Arguments = std::vector<std::string>;
// "NAME=value" each; of the test's own environment only PATH and HOME are passed on.
using Environment = std::vector<std::string>;

// What a process finds around it.
struct Surroundings {
  Environment environment{};
  bool unprivileged = false;         // nobody, where the tests run as root: root ignores permissions
  std::uint64_t file_bytes_max = 0;  // what a file of it may hold (RLIMIT_FSIZE); 0: no limit
};

// Runs to the end.
Outcome run(const Arguments& arguments, std::string_view input = "", const Environment& environment = {});
Outcome run_in(const Surroundings& surroundings, const Arguments& arguments, std::string_view input = "");
// With both outputs on one terminal: `out` is all that it was sent, with its "\r\n" as "\n".
Outcome run_on_terminal(const Arguments& arguments, const Environment& environment = {});
// A command line of a shell, in which $LDB is the binary.
Outcome run_shell(const std::string& command, const Environment& environment = {});

// A child that runs beside the test: its input is a pipe, its standard error another.
class Child {
 public:
  explicit Child(const Arguments& arguments);
  ~Child();  // kills it if it still runs
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  // False if the child has closed its input.
  bool write(std::string_view input);
  void close_input();
  // Whether read_error_line() would return at once.
  bool has_error_line() const;
  // The next line of standard error, without its end; empty at the end.
  std::string read_error_line();
  void kill();  // SIGKILL, and waits
  int wait();   // exit code, as in Outcome

 private:
  pid_t pid_ = -1;
  int input_ = -1, error_ = -1;
  std::string buffered_;
};

}  // namespace lightning::cli::testing
