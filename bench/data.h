// What every engine is fed with: keys, values and the order in which they are asked for.
//
// Key n (50 bytes):   prefix, then hexadecimal digits of three 64-bit hashes of n, most significant digit first.
//                     With the prefix "user" (as in YCSB): 4 + 46 digits. The hash of n is a bijection, so keys are
//                     unique, and numbers in rising order give keys in random order.
//                     A sequential key has the digits of n itself in place of the first hash.
// Value n (200 bytes): 8 bytes that belong to n, 92 random bytes, then the same 100 bytes again: a compressor
//                     halves it. The first 8 bytes let each read check that it got the right record.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace lightning::bench {

inline constexpr std::size_t kKeyBytes = 50;
inline constexpr std::size_t kValueBytes = 200;
inline constexpr std::size_t kRecordBytes = kKeyBytes + kValueBytes;
inline constexpr std::size_t kPrefixBytesMax = kKeyBytes - 16;

// The finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
inline std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Eight hexadecimal digits at once: spread the nibbles over the bytes, then turn each into its character.
inline void write_hex(std::uint64_t x, char* out) {
  for (int half = 0; half < 2; ++half) {
    std::uint64_t v = half == 0 ? x >> 32 : x & 0xffffffff;
    v = ((v & 0xffff0000) << 16) | (v & 0xffff);
    v = ((v & 0x0000ff000000ff00) << 8) | (v & 0x000000ff000000ff);
    v = ((v & 0x00f000f000f000f0) << 4) | (v & 0x000f000f000f000f);
    const std::uint64_t letters = ((v + 0x0606060606060606) >> 4) & 0x0101010101010101;
    v = __builtin_bswap64(v + 0x3030303030303030 + letters * ('a' - '9' - 1));
    std::memcpy(out + half * 8, &v, 8);
  }
}

class KeyMaker {
 public:
  explicit KeyMaker(std::string_view prefix) : prefix_bytes_(prefix.size()) {
    buffer_.fill('0');
    std::memcpy(buffer_.data(), prefix.data(), prefix.size());
  }
  // The view is good until the next call.
  std::string_view random(std::uint64_t n) { return make(mix(n), n); }
  std::string_view sequential(std::uint64_t n) { return make(n, n); }

 private:
  std::string_view make(std::uint64_t head, std::uint64_t n) {
    char* out = buffer_.data() + prefix_bytes_;
    write_hex(head, out);
    write_hex(mix(n ^ 0x5bd1e995a5a5a5a5), out + 16);
    write_hex(mix(n ^ 0xc2b2ae3d27d4eb4f), out + 32);
    return {buffer_.data(), kKeyBytes};
  }

  std::size_t prefix_bytes_;
  std::array<char, kKeyBytes + 48> buffer_;
};

inline std::uint64_t value_tag(std::uint64_t n) { return mix(n ^ 0x7461677461677461); }

class ValueMaker {
 public:
  // The view is good until the next call. Another `version` gives other bytes for the same record.
  std::string_view make(std::uint64_t n, std::uint64_t version) {
    const std::uint64_t tag = value_tag(n);
    std::memcpy(buffer_.data(), &tag, 8);
    std::uint64_t s = mix(tag + version);
    for (std::size_t at = 8; at < kHalf; at += 8) {
      s = s * 6364136223846793005 + 1442695040888963407;
      const std::uint64_t word = s ^ (s >> 29);
      std::memcpy(buffer_.data() + at, &word, 8);
    }
    std::memcpy(buffer_.data() + kHalf, buffer_.data(), kHalf);
    return {buffer_.data(), kValueBytes};
  }

 private:
  static constexpr std::size_t kHalf = kValueBytes / 2;
  std::array<char, kValueBytes + 8> buffer_;
};

// Values of 64 KiB, made alike: the second half is the first one again.
class LargeValueMaker {
 public:
  static constexpr std::size_t kBytes = 64 << 10;
  std::string_view make(std::uint64_t n, std::uint64_t version) {
    std::uint64_t s = mix(value_tag(n) + version);
    for (std::size_t at = 0; at < kBytes / 2; at += 8) {
      s = s * 6364136223846793005 + 1442695040888963407;
      const std::uint64_t word = s ^ (s >> 29);
      std::memcpy(buffer_.data() + at, &word, 8);
    }
    std::memcpy(buffer_.data() + kBytes / 2, buffer_.data(), kBytes / 2);
    return buffer_;
  }

 private:
  std::string buffer_ = std::string(kBytes, '\0');
};

inline bool value_belongs_to(std::string_view value, std::uint64_t n) {
  std::uint64_t tag;
  if (value.size() != kValueBytes) return false;
  std::memcpy(&tag, value.data(), 8);
  return tag == value_tag(n);
}

// Reads one byte of every cache line, so that an engine which hands out a pointer pays for the bytes like one that
// copies.
inline std::uint64_t touch(std::string_view bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 64) sum += static_cast<unsigned char>(bytes[i]);
  return sum;
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(mix(seed)) {}
  std::uint64_t next() { return mix(state_++); }
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }

 private:
  std::uint64_t state_;
};

// Ranks 0 .. items-1 with Zipf's law, drawn in advance (a draw takes a pow()) and handed out in a circle.
// The method is YCSB's (Gray et al.: "Quickly generating billion-record synthetic databases", 1994).
class ZipfRanks {
 public:
  ZipfRanks(std::uint64_t items, double theta, std::size_t draws, std::uint64_t seed) : ranks_(draws) {
    const auto n = static_cast<double>(items);
    double zeta = 0;
    for (std::uint64_t i = 1; i <= items; ++i) zeta += 1 / std::pow(static_cast<double>(i), theta);
    const double zeta2 = 1 + std::pow(0.5, theta);
    const double alpha = 1 / (1 - theta);
    const double eta = (1 - std::pow(2 / n, 1 - theta)) / (1 - zeta2 / zeta);
    Random random(seed);
    for (auto& rank : ranks_) {
      const double u = static_cast<double>(random.next() >> 11) * 0x1p-53;
      const double uz = u * zeta;
      double r = uz < 1 ? 0 : uz < zeta2 ? 1 : n * std::pow(eta * u - eta + 1, alpha);
      if (r > n - 1) r = n - 1;
      rank = static_cast<std::uint32_t>(r);
    }
  }
  std::uint64_t next() {
    if (at_ == ranks_.size()) at_ = 0;
    return ranks_[at_++];
  }

 private:
  std::vector<std::uint32_t> ranks_;
  std::size_t at_ = 0;
};

}  // namespace lightning::bench
