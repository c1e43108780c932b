// What machine_limits() (env.h) is made of, for tests.
#pragma once

#include <cstdint>
#include <string>

namespace lightning::env {

struct CgroupLimits {
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  std::uint64_t memory_bytes = kNone;
  std::uint64_t cores = kNone;  // CPU quota, rounded up
};

// The tightest limits on the way from this process's control group up to the root, versions 1 and 2.
// `membership`: content of /proc/self/cgroup. `mount`: "/sys/fs/cgroup", or a test's imitation of it.
CgroupLimits cgroup_limits(const std::string& membership, const std::string& mount);

}  // namespace lightning::env
