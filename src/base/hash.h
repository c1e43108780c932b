// Check values: XXH3 where speed matters and chance is the enemy, BLAKE3 where the tag anchors a tree.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lightning::base {

// 64-bit XXH3 (https://github.com/Cyan4973/xxHash), seeded.
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

// 128-bit tag of a stored block, kept by its parent. Which function made it is recorded beside it.
struct Tag {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const Tag&) const = default;
};
enum class TagAlgorithm : std::uint8_t { kXxh3 = 1, kBlake3 = 2 };  // stored on disk
Tag tag_of(TagAlgorithm algorithm, std::string_view bytes);

// 256-bit BLAKE3 digest (https://github.com/BLAKE3-team/BLAKE3-specs), incremental.
using Digest = std::array<std::uint8_t, 32>;
class DigestBuilder {
 public:
  DigestBuilder();
  void add(std::string_view bytes);
  Digest finish() const;  // of everything added so far

 private:
  alignas(8) std::array<unsigned char, 1920> state_;
};
Digest digest_of(std::string_view bytes);

std::string to_hex(std::string_view bytes);
inline std::string_view as_bytes(const auto& array) {
  return {reinterpret_cast<const char*>(array.data()), array.size()};
}

}  // namespace lightning::base
