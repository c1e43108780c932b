// Secrets in memory: wiped when they die, never printed, never compared byte by byte.
#pragma once

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>

namespace lightning::crypto {

inline constexpr std::size_t kKeyBytes = 32;

// 256 bits that nobody else may know.
class Key {
 public:
  Key() = default;  // zeros, to be filled
  // `bytes`: kKeyBytes of them.
  explicit Key(std::string_view bytes) { std::ranges::copy(bytes.substr(0, kKeyBytes), bytes_.begin()); }
  Key(const Key&) = default;
  Key& operator=(const Key&) = default;
  ~Key() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }
  std::span<char, kKeyBytes> bytes() { return bytes_; }
  // Takes the same time whatever the bytes are.
  friend bool operator==(const Key& a, const Key& b) {
    return CRYPTO_memcmp(a.bytes_.data(), b.bytes_.data(), kKeyBytes) == 0;
  }

 private:
  std::array<char, kKeyBytes> bytes_{};
};

// Empties a buffer that held a secret when the scope ends, on every way out of it.
class WipedAtEnd {
 public:
  explicit WipedAtEnd(std::string& bytes) : bytes_(bytes) {}
  WipedAtEnd(const WipedAtEnd&) = delete;
  WipedAtEnd& operator=(const WipedAtEnd&) = delete;
  ~WipedAtEnd() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

 private:
  std::string& bytes_;
};

}  // namespace lightning::crypto
