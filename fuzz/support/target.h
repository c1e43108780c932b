// What a fuzz target is made of.
//
//   LIGHTNING_FUZZ_TARGET(filter) {            // `input`: any bytes, with nothing readable around them
//     const auto filter = parse(input);
//     if (!filter) return false;               // refused
//     FUZZ_EXPECT(what then must hold);
//     return true;                             // taken
//   }
//
// In the preset `fuzz` each file of targets/ is a program for libFuzzer. Together with the tests all of them are one
// program, which runs the seeds; what a valid seed's name promises there is that it is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace lightning::fuzz {

using Target = bool (*)(std::string_view input);

// Of this program, by name.
std::map<std::string, Target>& targets();

struct Registration {
  Registration(const char* name, Target target) { targets()[name] = target; }
};

// Says what does not hold, and where; then the process dies, which is what a fuzzer sees.
[[noreturn]] void broken(const char* what, const char* file, int line);

}  // namespace lightning::fuzz

#define FUZZ_EXPECT(condition) \
  ((condition) ? static_cast<void>(0) : lightning::fuzz::broken(#condition, __FILE__, __LINE__))

#ifdef LIGHTNING_FUZZ_ALONE
#define LIGHTNING_FUZZ_TARGET(name)                                                            \
  static bool fuzz_##name(std::string_view input);                                             \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);           \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {          \
    fuzz_##name(size == 0 ? "" : std::string_view(reinterpret_cast<const char*>(data), size)); \
    return 0;                                                                                  \
  }                                                                                            \
  static bool fuzz_##name(std::string_view input)
#else
#define LIGHTNING_FUZZ_TARGET(name)                                                   \
  static bool fuzz_##name(std::string_view input);                                    \
  static const lightning::fuzz::Registration kRegistered_##name(#name, &fuzz_##name); \
  static bool fuzz_##name(std::string_view input)
#endif
