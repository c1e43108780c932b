// When the bytes of a table's expiring records expire: a few moments, each with the bytes that are gone by then.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lightning::sstable {

// Exact for up to kPoints distinct moments; beyond that, neighbours are joined at the later one, so that what is said
// to have expired always has.
class ExpirySummary {
 public:
  static constexpr std::size_t kPoints = 32;

  void add(std::uint64_t expires_ms, std::uint64_t bytes);
  bool empty() const { return points_.empty(); }
  std::uint64_t bytes() const;                              // of all records that expire some day
  std::uint64_t expired_bytes(std::uint64_t now_ms) const;  // at least so many of them have

  std::string encode() const;
  // False if the bytes are none of encode()'s.
  bool decode(std::string_view bytes);

 private:
  struct Point {
    std::uint64_t until_ms = 0, bytes = 0;
  };
  std::vector<Point> points_;  // ascending
};

}  // namespace lightning::sstable
