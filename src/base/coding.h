// Little-endian integers and LEB128 varints over byte strings.
//
// Readers are total: they never read past the given bytes and report truncation, so they are safe on hostile input.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace lightning::base {

static_assert(std::endian::native == std::endian::little, "the on-disk formats are little-endian");

template <class T>
T load_le(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void store_le(void* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

template <class T>
void append_le(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// First 8 bytes of `s` as a big-endian number, short strings padded with zeros: orders as the strings do, up to ties.
inline std::uint64_t head_of(std::string_view s) {
  std::uint64_t raw = 0;
  if (s.size() >= 8) {
    std::memcpy(&raw, s.data(), 8);
  } else {
    std::memcpy(&raw, s.data(), s.size());
  }
  return __builtin_bswap64(raw);
}

inline constexpr std::size_t kVarint64BytesMax = 10;

inline std::size_t varint_bytes(std::uint64_t value) {
  std::size_t n = 1;
  while (value >= 0x80) value >>= 7, ++n;
  return n;
}

inline char* put_varint(char* to, std::uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}

inline void append_varint(std::string& to, std::uint64_t value) {
  char buffer[kVarint64BytesMax];
  to.append(buffer, static_cast<std::size_t>(put_varint(buffer, value) - buffer));
}

// Consumes from the front of `from`. False, with `from` unspecified, if it is truncated or over-long.
inline bool get_varint(std::string_view& from, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (from.empty()) return false;
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    if (shift == 63 && byte > 1) return false;
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

template <class T>
bool get_le(std::string_view& from, T& value) {
  if (from.size() < sizeof value) return false;
  value = load_le<T>(from.data());
  from.remove_prefix(sizeof value);
  return true;
}

inline bool get_bytes(std::string_view& from, std::uint64_t size, std::string_view& bytes) {
  if (from.size() < size) return false;
  bytes = from.substr(0, size);
  from.remove_prefix(size);
  return true;
}

inline void append_length_prefixed(std::string& to, std::string_view bytes) {
  append_varint(to, bytes.size());
  to.append(bytes);
}

inline bool get_length_prefixed(std::string_view& from, std::string_view& bytes) {
  std::uint64_t size = 0;
  return get_varint(from, size) && get_bytes(from, size, bytes);
}

}  // namespace lightning::base
