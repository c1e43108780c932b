#include "process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace lightning::bench {
namespace {

// The number after `name` in a file of lines "name: number ...".
std::uint64_t field(const char* file, const std::string& name) {
  std::ifstream in(file);
  std::string word;
  while (in >> word) {
    std::uint64_t value = 0;
    if (word == name && in >> value) return value;
  }
  return 0;
}

}  // namespace

ProcessMemory resident_memory() {
  const char* status = "/proc/self/status";
  return {field(status, "RssAnon:") * 1024, (field(status, "RssFile:") + field(status, "RssShmem:")) * 1024};
}

std::uint64_t written_bytes() {
  const std::uint64_t written = field("/proc/self/io", "write_bytes:");
  const std::uint64_t cancelled = field("/proc/self/io", "cancelled_write_bytes:");
  return written > cancelled ? written - cancelled : 0;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::uint64_t allocated_bytes(const std::string& path) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path, error)) {
    struct stat info{};
    if (::stat(entry.path().c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
      bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
    }
  }
  return bytes;
}

void wait_until_quiet() {
  using namespace std::chrono_literals;
  constexpr int kQuietLooks = 3;
  constexpr double kIdleCpuSeconds = 0.003;  // of the 0.1 s between two looks
  const auto give_up = std::chrono::steady_clock::now() + 120s;
  double cpu = cpu_seconds();
  std::uint64_t written = field("/proc/self/io", "write_bytes:");
  for (int quiet = 0; quiet < kQuietLooks && std::chrono::steady_clock::now() < give_up;) {
    std::this_thread::sleep_for(100ms);
    const double cpu_now = cpu_seconds();
    const std::uint64_t written_now = field("/proc/self/io", "write_bytes:");
    quiet = cpu_now - cpu < kIdleCpuSeconds && written_now == written ? quiet + 1 : 0;
    cpu = cpu_now;
    written = written_now;
  }
}

void sync_file_system(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::syncfs(fd);
  ::close(fd);
}

}  // namespace lightning::bench
