// Which Lightning DB this is, and what it was built with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lightning {

struct BuildInfo {
  std::string version;               // "1.0.0"
  std::uint32_t format_version = 0;  // newest version of the stored formats that is read and written
  std::string compiler;              // "gcc 12.2.0"
  struct Feature {
    std::string name;  // CMake option: "LIGHTNING_WITH_ZSTD"
    bool enabled = false;
  };
  std::vector<Feature> features;
  std::vector<std::string> cpu;  // instruction sets of this machine that checksums make use of
};

// Threads: any.
BuildInfo build_info();

}  // namespace lightning
