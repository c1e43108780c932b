#include "env/machine_limits.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>

#include "env/env.h"
#include "env/posix_descriptor.h"

namespace lightning::env {

namespace {

// Files of /proc and /sys have no size to ask for: reads until the end, at most 64 KiB.
std::string read_text(const std::string& path) {
  std::string text;
  auto file = open_file(path, O_RDONLY, "cannot open the file");
  if (!file) return text;
  char piece[4096];
  while (text.size() < (64u << 10)) {
    const ssize_t got = ::read(file->get(), piece, sizeof piece);
    if (got <= 0) break;
    text.append(piece, static_cast<std::size_t>(got));
  }
  return text;
}

std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t at = std::min(text.find(separator), text.size());
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return head;
}

// Nothing for "max", -1 and other words.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

void lower_cores(CgroupLimits& limits, std::optional<std::uint64_t> quota, std::optional<std::uint64_t> period) {
  if (quota && period && *quota > 0 && *period > 0)
    limits.cores = std::min(limits.cores, (*quota + *period - 1) / *period);
}

void lower_by_group(CgroupLimits& limits, const std::string& group, bool memory, bool cpu) {
  if (memory) {
    for (const char* name : {"/memory.max", "/memory.limit_in_bytes"})
      if (const auto bytes = number(read_text(group + name)))
        limits.memory_bytes = std::min(limits.memory_bytes, *bytes);
  }
  if (cpu) {
    const std::string quota_and_period = read_text(group + "/cpu.max");
    std::string_view rest = quota_and_period;
    const auto quota = number(take_until(rest, ' '));
    lower_cores(limits, quota, number(rest));
    lower_cores(limits, number(read_text(group + "/cpu.cfs_quota_us")),
                number(read_text(group + "/cpu.cfs_period_us")));
  }
}

}  // namespace

CgroupLimits cgroup_limits(const std::string& membership, const std::string& mount) {
  CgroupLimits limits;
  std::string_view lines = membership;
  while (!lines.empty()) {
    std::string_view line = take_until(lines, '\n');  // "4:memory:/user.slice", version 2: "0::/user.slice"
    take_until(line, ':');
    const std::string controllers = "," + std::string(take_until(line, ':')) + ",";
    const bool unified = controllers == ",,";
    const bool memory = unified || controllers.find(",memory,") != std::string::npos;
    const bool cpu = unified || controllers.find(",cpu,") != std::string::npos;
    if (!memory && !cpu) continue;
    const std::string hierarchy = unified ? mount : mount + (memory ? "/memory" : "/cpu");
    // In a container the path may be the host's, which is not mounted here: the walk then ends at what is, the root.
    for (std::string path(line);; path.resize(path.rfind('/'))) {
      if (path == "/") path.clear();
      lower_by_group(limits, hierarchy + path, memory, cpu);
      if (path.rfind('/') == std::string::npos) break;
    }
  }
  return limits;
}

void raise_open_files_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &files);
}

MachineLimits machine_limits() {
  MachineLimits limits;
  const CgroupLimits group = cgroup_limits(read_text("/proc/self/cgroup"), "/sys/fs/cgroup");

  cpu_set_t cores;
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  std::uint64_t usable = ::sched_getaffinity(0, sizeof cores, &cores) == 0
                             ? static_cast<std::uint64_t>(CPU_COUNT(&cores))
                             : static_cast<std::uint64_t>(std::max(online, 1l));
  limits.cores = static_cast<std::uint32_t>(std::max<std::uint64_t>(std::min(usable, group.cores), 1));

  const auto pages = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PHYS_PAGES), 0l));
  const std::uint64_t physical = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  limits.memory_bytes = std::min(physical, group.memory_bytes);

  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) limits.open_files_max = files.rlim_cur;
  return limits;
}

}  // namespace lightning::env
