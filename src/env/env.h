// The outside world, passed to constructors: no globals.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/sync.h"
#include "env/file_system.h"
#include "format/ids.h"

namespace lightning::env {

// Threads: any.
class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes back, does not count suspension. For durations.
  virtual std::uint64_t monotonic_ns() const = 0;
  // Nanoseconds since 1970 (UTC), never going back within one process even if the system clock does. For stamps, never
  // for order.
  virtual std::uint64_t wall_ns() const = 0;
};

// Threads: any.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
  format::Uid uid() {
    format::Uid uid;
    for (int i = 0; i < 2; ++i) {
      const std::uint64_t word = next();
      __builtin_memcpy(uid.bytes.data() + 8 * i, &word, 8);
    }
    return uid;
  }
};

struct Env {
  FileSystem& files;
  Clock& clock;
  Random& random;

  // The operating system's. Lives for ever.
  static Env& real();
};

// Number of cores and bytes of memory this process may use (cgroup limits count).
struct MachineLimits {
  std::uint32_t cores = 1;
  std::uint64_t memory_bytes = 0;
  std::uint64_t open_files_max = 0;  // soft RLIMIT_NOFILE
};
MachineLimits machine_limits();
// Lets this process open as many files as it may: raises its soft RLIMIT_NOFILE to the hard one. Best effort.
void raise_open_files_limit();

// "pid 4711 (lightning_db import) on host db1": who a lock's owner is, for the process that finds it held.
std::string process_description();

// Has the shell run `command`, with nothing to read and its output on standard error. After `timeout` it is killed,
// with all that it began. kIo unless it ends with 0; the message says how it ended.
Status run_command(const std::string& command, std::chrono::milliseconds timeout);

}  // namespace lightning::env
