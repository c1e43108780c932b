// run_command(): a child in a process group of its own, a pipe, and a deadline over both.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <optional>

#include "env/os_error.h"
#include "env/posix_descriptor.h"
#include "env/process.h"

namespace lightning::env {

namespace {

using std::chrono::milliseconds;

class Deadline {
 public:
  explicit Deadline(milliseconds time_max) : end_(std::chrono::steady_clock::now() + time_max) {}
  milliseconds left() const {
    const auto left = std::chrono::duration_cast<milliseconds>(end_ - std::chrono::steady_clock::now());
    return left > milliseconds(0) ? left : milliseconds(0);
  }

 private:
  std::chrono::steady_clock::time_point end_;
};

// What posix_spawn() wants beside the program, released whatever happens.
class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // 0 or errno. A group of its own, so that all it starts can be killed; signals as a new program expects them.
  int prepare(int output) {
    sigset_t none, defaults;
    ::sigemptyset(&none);
    ::sigemptyset(&defaults);
    ::sigaddset(&defaults, SIGPIPE);
    int error = ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0) error = ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (error == 0) error = ::posix_spawnattr_setpgroup(&attributes, 0);
    if (error == 0) error = ::posix_spawnattr_setsigmask(&attributes, &none);
    if (error == 0) error = ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    if (error == 0)
      error = ::posix_spawnattr_setflags(&attributes,
                                         POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return error;
  }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

// A running child; killed with all it started unless it was seen to end.
class Child {
 public:
  explicit Child(pid_t id) : id_(id) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (ended_) return;
    ::kill(-id_, SIGKILL);
    while (::waitpid(id_, nullptr, 0) < 0 && errno == EINTR) {}
  }

  // Its wait status once it has ended; none if the deadline passes before. 0 where the process ignores SIGCHLD, and so
  // is never told.
  std::optional<int> wait(const Deadline& deadline) {
    for (;;) {
      int status = 0;
      const pid_t found = ::waitpid(id_, &status, WNOHANG);
      if (found == id_ || (found < 0 && errno == ECHILD)) {
        ended_ = true;
        return found == id_ ? status : 0;
      }
      if (deadline.left() == milliseconds(0)) return std::nullopt;
      const timespec pause{.tv_sec = 0, .tv_nsec = 2'000'000};
      ::nanosleep(&pause, nullptr);
    }
  }

 private:
  const pid_t id_;
  bool ended_ = false;
};

Error command_error(const std::string& what) {
  return Error(ErrorCode::kIo, "the command " + what).with_advice("run it by hand and see what it does");
}
Error out_of_time(milliseconds time_max) {
  return command_error("ran longer than " + std::to_string(time_max.count()) + " ms and was killed");
}

Status read_until_end(const Descriptor& pipe, const Deadline& deadline, milliseconds time_max, std::size_t bytes_max,
                      std::string& output) {
  output.reserve(bytes_max + 1);  // never moved: what it holds may be a secret
  for (;;) {
    pollfd waiting{.fd = pipe.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(deadline.left().count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return system_error(errno, "cannot wait for the command", "/bin/sh");
    if (ready == 0) return out_of_time(time_max);
    std::array<char, 512> piece;
    const ssize_t bytes = ::read(pipe.get(), piece.data(), piece.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return system_error(errno, "cannot read what the command writes", "/bin/sh");
    if (bytes == 0) return {};
    if (static_cast<std::size_t>(bytes) > bytes_max - output.size())
      return command_error("writes more than " + std::to_string(bytes_max) + " bytes and was killed");
    output.append(piece.data(), static_cast<std::size_t>(bytes));
    ::explicit_bzero(piece.data(), piece.size());
  }
}

}  // namespace

Result<std::string> run_command(const std::string& command, milliseconds time_max, std::size_t output_bytes_max) {
  const Deadline deadline(time_max);
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error(errno, "cannot make a pipe for the command", "/bin/sh");
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  SpawnPlan plan;
  std::string shell = "sh", option = "-c", text = command;
  const std::array<char*, 4> arguments = {shell.data(), option.data(), text.data(), nullptr};
  pid_t id = 0;
  int error = plan.prepare(writing.get());
  if (error == 0) error = ::posix_spawn(&id, "/bin/sh", &plan.actions, &plan.attributes, arguments.data(), ::environ);
  if (error != 0) return system_error(error, "cannot run the command", "/bin/sh");
  Child child(id);
  (void)writing.close();

  std::string output;
  LIGHTNING_TRY(read_until_end(reading, deadline, time_max, output_bytes_max, output));
  const std::optional<int> status = child.wait(deadline);
  if (!status) return out_of_time(time_max);
  if (WIFSIGNALED(*status)) return command_error("was ended by signal " + std::to_string(WTERMSIG(*status)));
  if (WEXITSTATUS(*status) != 0) return command_error("ended with status " + std::to_string(WEXITSTATUS(*status)));
  return output;
}

}  // namespace lightning::env
