// AES-256-GCM, HKDF-SHA256 and chance that nobody can foretell, as OpenSSL has them: nothing here is of our own making.
//
// GCM is broken by two messages under one key and one nonce. So whoever seals says, beside the nonce, why it is fresh:
// files count pages under a key of their own, the keyring draws 96 bits by lot for each of its few slots.
#pragma once

#include <openssl/types.h>

#include <array>
#include <memory>
#include <span>
#include <string_view>

#include "crypto/secret.h"
#include "format/ids.h"
#include "lightning/result.h"

namespace lightning::crypto {

inline constexpr std::size_t kNonceBytes = 12;
inline constexpr std::size_t kSealBytes = 16;
using Nonce = std::array<char, kNonceBytes>;

// Seals and opens under one key. Errors of all: kInsufficientResources if OpenSSL refuses (no memory, or a
// configuration that forbids the cipher). Threads: one at a time; a context costs about a microsecond to make.
class Cipher {
 public:
  static Result<Cipher> with(const Key& key);

  // Writes plain.size() + kSealBytes bytes to `sealed`, which may be where `plain` lies.
  Status seal(const Nonce& nonce, std::string_view associated, std::string_view plain, char* sealed);
  // Writes sealed.size() - kSealBytes bytes to `plain`. False if the bytes, the nonce or what is associated are not
  // those that were sealed under this key: then `plain` holds zeros.
  Result<bool> open(const Nonce& nonce, std::string_view associated, std::string_view sealed, char* plain);

 private:
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const;
  };
  explicit Cipher(std::unique_ptr<EVP_CIPHER_CTX, Free> context) : context_(std::move(context)) {}

  std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
};

// HKDF-SHA256 (RFC 5869) of `from`: keys for different salts or purposes say nothing about each other.
Result<Key> derive(const Key& from, std::string_view salt, std::string_view purpose);

// Where keys, nonces and identities come from. Not env::Random, whose stream a seed tells. Threads: any.
class Entropy {
 public:
  virtual ~Entropy() = default;
  virtual Status fill(std::span<char> into) = 0;
  Result<Key> key();
  Result<format::Uid> uid();
  Result<Nonce> nonce();

  // OpenSSL's generator, seeded by the operating system. Lives for ever.
  static Entropy& system();
};

}  // namespace lightning::crypto
