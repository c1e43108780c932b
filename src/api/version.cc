#include "lightning/version.h"

#include "format/ids.h"

namespace lightning {

namespace {

#ifdef LIGHTNING_WITH_LZ4
constexpr bool kLz4 = true;
#else
constexpr bool kLz4 = false;
#endif
#ifdef LIGHTNING_WITH_ZSTD
constexpr bool kZstd = true;
#else
constexpr bool kZstd = false;
#endif
#ifdef LIGHTNING_WITH_URING
constexpr bool kUring = true;
#else
constexpr bool kUring = false;
#endif
#ifdef LIGHTNING_WITH_YAML
constexpr bool kYaml = true;
#else
constexpr bool kYaml = false;
#endif

#ifdef LIGHTNING_WITH_JSON
constexpr bool kJson = true;
#else
constexpr bool kJson = false;
#endif

std::vector<std::string> cpu_features() {
  std::vector<std::string> found;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) found.emplace_back("sse4.2");
  if (__builtin_cpu_supports("avx2")) found.emplace_back("avx2");
  if (__builtin_cpu_supports("avx512f")) found.emplace_back("avx512f");
#elif defined(__ARM_NEON)
  found.emplace_back("neon");
#endif
  return found;
}

}  // namespace

BuildInfo build_info() {
  BuildInfo info;
  info.version = LIGHTNING_VERSION;
  info.format_version = format::kFormatVersion;
#if defined(__clang__)
  info.compiler = "clang " __clang_version__;
#else
  info.compiler = "gcc " __VERSION__;
#endif
  info.features = {{"LIGHTNING_WITH_LZ4", kLz4},
                   {"LIGHTNING_WITH_ZSTD", kZstd},
                   {"LIGHTNING_WITH_URING", kUring},
                   {"LIGHTNING_WITH_YAML", kYaml},
                   {"LIGHTNING_WITH_JSON", kJson}};
  info.cpu = cpu_features();
  return info;
}

}  // namespace lightning
