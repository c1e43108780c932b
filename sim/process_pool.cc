#include "sim/process_pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace lightning::sim {

void report(PoolShare& share, const std::string& line) {
  share.failures.fetch_add(1);
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

namespace {

// Waits until the child has raised `next`, or is dead (still to be waited for).
bool took_work(const PoolShare& share, std::uint64_t before, pid_t child) {
  while (share.next.load() == before) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child)
      return share.next.load() != before;
    ::usleep(200);
  }
  return true;
}

}  // namespace

bool run_processes(PoolShare& share, std::uint64_t jobs, const std::function<void()>& work,
                   const std::function<bool()>& is_done, const std::function<std::string()>& where) {
  std::uint64_t running = 0;
  while (running > 0 || !is_done()) {
    if (running < jobs && !is_done()) {
      const std::uint64_t before = share.next.load();
      const pid_t child = ::fork();
      if (child == 0) {
        work();
        std::fflush(nullptr);
        ::_exit(0);
      }
      if (child < 0) return false;
      ++running;
      if (!took_work(share, before, child)) {
        report(share, "a process died before it had work");
        return false;
      }
      continue;
    }
    int status = 0;
    if (::wait(&status) < 0) return false;
    --running;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      report(share, "a process ended with status " + std::to_string(status) + ", " + where());
  }
  return true;
}

}  // namespace lightning::sim
