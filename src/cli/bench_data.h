// What benchmarks write and in which order: keys, values, random numbers, skewed choices.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lightning::cli {

// SplitMix64 (Steele, Lea, Flood 2014): fast, seeded, good enough to pick keys.
class BenchRandom {
 public:
  explicit BenchRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(next()) * bound >> 64);
  }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1)

 private:
  std::uint64_t state_;
};

// The n-th key: decimal digits, filled with zeros from the left to the size asked for, so that order is that of
// numbers.
class KeyMaker {
 public:
  explicit KeyMaker(std::size_t bytes) : key_(bytes, '0') {}
  std::string_view key(std::uint64_t number);
  // A key that no key(n) is equal to, next to key(number) in the order.
  std::string_view absent_key(std::uint64_t number);
  // Digits that `count` different keys need.
  static std::size_t bytes_needed(std::uint64_t count) { return std::to_string(count).size() + 1; }

 private:
  std::string key_;
};

// Values about half of which a compressor can take away, as in RocksDB's db_bench.
class ValueMaker {
 public:
  ValueMaker(std::size_t bytes, std::uint64_t seed);
  std::string_view next();

 private:
  const std::size_t bytes_;
  std::string pool_;
  std::size_t at_ = 0;
};

// Zipfian choice among `items` with exponent 0.99, the most wanted spread over the whole range: J. Gray et al., Quickly
// Generating Billion-Record Synthetic Databases, SIGMOD 1994, as in YCSB's ScrambledZipfianGenerator.
class Zipf {
 public:
  explicit Zipf(std::uint64_t items);
  std::uint64_t rank(BenchRandom& random) const;  // 0 is the most wanted
  std::uint64_t pick(BenchRandom& random) const;  // scattered
 private:
  std::uint64_t items_;
  double zeta_, alpha_, eta_;
};

}  // namespace lightning::cli
