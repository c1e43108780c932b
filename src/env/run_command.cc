// A command of the user's, run by the shell for a bounded time.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "env/env.h"

namespace lightning::env {

namespace {

Error failed(const std::string& what, const std::string& command) {
  return {ErrorCode::kIo, "the command `" + command.substr(0, 200) + "` " + what};
}

class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, STDERR_FILENO, STDOUT_FILENO);
    sigset_t none, ignored;
    ::sigemptyset(&none);
    ::sigemptyset(&ignored);
    ::sigaddset(&ignored, SIGPIPE);
    ::sigaddset(&ignored, SIGXFSZ);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &ignored);
    ::posix_spawnattr_setpgroup(&attributes_, 0);  // a group of its own, so that all of it can be ended
    ::posix_spawnattr_setflags(
        &attributes_, static_cast<short>(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  }
  ~SpawnSettings() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  int spawn(pid_t& child, const std::string& command) const {
    std::string shell = "/bin/sh", option = "-c", text = command;
    char* const arguments[] = {shell.data(), option.data(), text.data(), nullptr};
    return ::posix_spawn(&child, shell.c_str(), &actions_, &attributes_, arguments, ::environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

Status run_command(const std::string& command, std::chrono::milliseconds timeout) {
  constexpr std::chrono::milliseconds kStep{5};
  pid_t child = 0;
  if (const int error = SpawnSettings().spawn(child, command); error != 0)
    return failed(std::string("could not be started: ") + std::strerror(error), command).with_os_error(error);
  const std::uint64_t began_ns = base::monotonic_now_ns();
  const auto limit_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(timeout).count());
  for (bool killed = false;;) {
    int ended = 0;
    const pid_t done = ::waitpid(child, &ended, WNOHANG);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0)
      return failed("cannot be waited for, since this process lets the system forget its children (SIGCHLD): " +
                        std::string(std::strerror(errno)),
                    command)
          .with_os_error(errno);
    if (done == child) {
      if (killed) return failed("took longer than " + std::to_string(timeout.count()) + " ms and was killed", command);
      if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) return {};
      return failed(WIFEXITED(ended) ? "ended with " + std::to_string(WEXITSTATUS(ended))
                                     : "was ended by signal " + std::to_string(WTERMSIG(ended)),
                    command);
    }
    if (!killed && base::monotonic_now_ns() - began_ns >= limit_ns) {
      ::kill(-child, SIGKILL);
      killed = true;
    }
    base::sleep_for(kStep);
  }
}

}  // namespace lightning::env
