#include "base/hash.h"

#include <blake3.h>

#include <new>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lightning::base {

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Tag tag_of(TagAlgorithm algorithm, std::string_view bytes) {
  Tag tag;
  if (algorithm == TagAlgorithm::kXxh3) {
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    __builtin_memcpy(tag.bytes.data(), &hash.low64, 8);
    __builtin_memcpy(tag.bytes.data() + 8, &hash.high64, 8);
    return tag;
  }
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  blake3_hasher_finalize(&hasher, tag.bytes.data(), tag.bytes.size());
  return tag;
}

static_assert(sizeof(blake3_hasher) <= 1920 && alignof(blake3_hasher) <= 8);

DigestBuilder::DigestBuilder() { blake3_hasher_init(new (state_.data()) blake3_hasher); }

void DigestBuilder::add(std::string_view bytes) {
  blake3_hasher_update(std::launder(reinterpret_cast<blake3_hasher*>(state_.data())), bytes.data(), bytes.size());
}

Digest DigestBuilder::finish() const {
  Digest digest;
  blake3_hasher_finalize(std::launder(reinterpret_cast<const blake3_hasher*>(state_.data())), digest.data(),
                         digest.size());
  return digest;
}

Digest digest_of(std::string_view bytes) {
  DigestBuilder builder;
  builder.add(bytes);
  return builder.finish();
}

std::string to_hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

}  // namespace lightning::base
