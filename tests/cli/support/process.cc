#include "cli/support/process.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace lightning::cli::testing {

namespace {

constexpr const char* kBinary = LIGHTNING_DB_BINARY;

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> all;
  for (std::string& string : strings) all.push_back(string.data());
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> environment_with(const Environment& extra) {
  std::vector<std::string> environment{std::string("LDB=") + kBinary};
  for (const char* name : {"PATH", "HOME", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"})
    if (const char* value = ::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  // Small segments: hundreds of short processes need not allocate 64 MiB each.
  environment.emplace_back("LIGHTNING_WAL_SEGMENT_BYTES=1MiB");
  environment.insert(environment.end(), extra.begin(), extra.end());
  return environment;
}

int exit_code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return exit_code_of(status);
}

// In the child. The binary may lie where nobody else can go, so it is opened before.
void enter(const Surroundings& surroundings) {
  if (surroundings.file_bytes_max != 0) {
    const rlimit limit{.rlim_cur = surroundings.file_bytes_max, .rlim_max = surroundings.file_bytes_max};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(125);
  }
  constexpr unsigned kNobody = 65534;
  if (surroundings.unprivileged && ::geteuid() == 0 &&
      (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
       ::setresuid(kNobody, kNobody, kNobody) != 0))
    ::_exit(125);
}

// fork and exec with the three descriptors given.
pid_t spawn(std::vector<std::string> arguments, const Surroundings& surroundings, int in, int out, int err) {
  std::vector<std::string> variables = environment_with(surroundings.environment);
  const std::vector<char*> argv = pointers(arguments), envp = pointers(variables);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  for (int fd = 3; fd < 256; ++fd) ::close(fd);
  ::signal(SIGPIPE, SIG_DFL);
  const int binary = ::open(argv[0], O_RDONLY | O_CLOEXEC);
  enter(surroundings);
  ::fexecve(binary, argv.data(), envp.data());
  ::_exit(126);
}

std::vector<std::string> with_binary(const Arguments& arguments) {
  std::vector<std::string> all{kBinary};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

Outcome run_program(const std::vector<std::string>& arguments, std::string_view input,
                    const Surroundings& surroundings) {
  TempDir files;
  write_file(files / "in", input);
  const int in = ::open((files / "in").c_str(), O_RDONLY);
  const int out = ::open((files / "out").c_str(), O_WRONLY | O_CREAT, 0600);
  const int err = ::open((files / "err").c_str(), O_WRONLY | O_CREAT, 0600);
  Outcome outcome;
  outcome.exit_code = wait_for(spawn(arguments, surroundings, in, out, err));
  for (int fd : {in, out, err}) ::close(fd);
  outcome.out = read_file(files / "out");
  outcome.err = read_file(files / "err");
  return outcome;
}

}  // namespace

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "lightning_cli_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << "mkdtemp: " << errno;
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

void write_file(const std::string& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  ASSERT_TRUE(file.flush().good()) << path;
}

Outcome run(const Arguments& arguments, std::string_view input, const Environment& environment) {
  return run_in({.environment = environment}, arguments, input);
}

Outcome run_in(const Surroundings& surroundings, const Arguments& arguments, std::string_view input) {
  return run_program(with_binary(arguments), input, surroundings);
}

Outcome run_on_terminal(const Arguments& arguments, const Environment& environment) {
  int terminal = -1, screen = -1;
  if (::openpty(&screen, &terminal, nullptr, nullptr, nullptr) != 0) ADD_FAILURE() << "openpty: " << errno;
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t pid = spawn(with_binary(arguments), {.environment = environment}, nothing, terminal, terminal);
  for (int fd : {nothing, terminal}) ::close(fd);
  Outcome outcome;
  char bytes[4096];
  for (ssize_t n = 0; (n = ::read(screen, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR);)
    if (n > 0) outcome.out.append(bytes, static_cast<std::size_t>(n));
  ::close(screen);
  outcome.exit_code = wait_for(pid);
  for (std::size_t at = 0; (at = outcome.out.find("\r\n", at)) != std::string::npos;) outcome.out.erase(at, 1);
  return outcome;
}

Outcome run_shell(const std::string& command, const Environment& environment) {
  return run_program({"/bin/bash", "-c", command}, "", {.environment = environment});
}

Child::Child(const Arguments& arguments) {
  ::signal(SIGPIPE, SIG_IGN);
  int input[2], error[2];
  if (::pipe2(input, O_CLOEXEC) != 0 || ::pipe2(error, O_CLOEXEC) != 0) ADD_FAILURE() << "pipe: " << errno;
  const int nothing = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  pid_ = spawn(with_binary(arguments), {}, input[0], nothing, error[1]);
  for (int fd : {input[0], error[1], nothing}) ::close(fd);
  input_ = input[1];
  error_ = error[0];
}

Child::~Child() {
  if (pid_ > 0) kill();
  close_input();
  if (error_ >= 0) ::close(error_);
}

bool Child::write(std::string_view input) {
  while (!input.empty()) {
    const ssize_t n = ::write(input_, input.data(), input.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    input.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void Child::close_input() {
  if (input_ >= 0) ::close(input_);
  input_ = -1;
}

bool Child::has_error_line() const {
  pollfd descriptor{.fd = error_, .events = POLLIN, .revents = 0};
  return buffered_.find('\n') != std::string::npos || ::poll(&descriptor, 1, 0) == 1;
}

std::string Child::read_error_line() {
  for (;;) {
    if (const std::size_t end = buffered_.find('\n'); end != std::string::npos) {
      const std::string line = buffered_.substr(0, end);
      buffered_.erase(0, end + 1);
      return line;
    }
    char bytes[4096];
    const ssize_t n = ::read(error_, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::exchange(buffered_, {});
    buffered_.append(bytes, static_cast<std::size_t>(n));
  }
}

void Child::kill() {
  ::kill(pid_, SIGKILL);
  wait();
}

int Child::wait() {
  const int code = wait_for(pid_);
  pid_ = -1;
  return code;
}

}  // namespace lightning::cli::testing
