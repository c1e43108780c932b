// Takes an input apart: numbers from its front, pieces with a length before them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/coding.h"

namespace lightning::fuzz {

// What is not there is zero, or empty: every input can be taken apart.
template <class T>
T take_number(std::string_view& from) {
  T value{};
  const std::size_t bytes = std::min(sizeof value, from.size());
  std::memcpy(&value, from.data(), bytes);
  from.remove_prefix(bytes);
  return value;
}

// A length of two bytes, then that many, or all there is.
inline std::string_view take_piece(std::string_view& from) {
  const std::size_t bytes = take_number<std::uint16_t>(from);
  const std::string_view piece = from.substr(0, bytes);
  from.remove_prefix(piece.size());
  return piece;
}
inline void append_piece(std::string& to, std::string_view piece) {
  base::append_le(to, static_cast<std::uint16_t>(piece.size()));
  to += piece;
}

// Bytes on the heap, alone: a read beyond them is seen.
class Alone {
 public:
  explicit Alone(std::string_view bytes) : size_(bytes.size()), bytes_(new char[bytes.size()]) {
    std::copy(bytes.begin(), bytes.end(), bytes_.get());
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> bytes_;
};

}  // namespace lightning::fuzz
