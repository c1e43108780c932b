#include "crypto/cipher.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <string>

namespace lightning::crypto {

namespace {

Error openssl_error(std::string_view what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return Error(ErrorCode::kInsufficientResources, "OpenSSL refuses to " + std::string(what) + ": " + text.data())
      .with_advice("free memory; see that OpenSSL's configuration allows AES-256-GCM and HKDF");
}

const unsigned char* in(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* out(char* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

// Its lengths are ints: what is sealed here are pages, keys and slots.
bool feed(EVP_CIPHER_CTX* context, std::string_view bytes, char* to) {
  int written = 0;
  return bytes.empty() || EVP_CipherUpdate(context, to == nullptr ? nullptr : out(to), &written, in(bytes),
                                           static_cast<int>(bytes.size())) == 1;
}

bool begin_message(EVP_CIPHER_CTX* context, const Nonce& nonce, std::string_view associated, bool seal) {
  const auto* const iv = reinterpret_cast<const unsigned char*>(nonce.data());
  return EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, iv, seal ? 1 : 0) == 1 &&
         feed(context, associated, nullptr);
}

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

class SystemEntropy final : public Entropy {
 public:
  Status fill(std::span<char> into) override {
    if (RAND_priv_bytes(out(into.data()), static_cast<int>(into.size())) != 1)
      return openssl_error("give random bytes");
    return {};
  }
};

}  // namespace

void Cipher::Free::operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }

Result<Cipher> Cipher::with(const Key& key) {
  std::unique_ptr<EVP_CIPHER_CTX, Free> context(EVP_CIPHER_CTX_new());
  if (context == nullptr ||
      EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, in(key.view()), nullptr, 1) != 1)
    return openssl_error("begin AES-256-GCM");
  return Cipher(std::move(context));
}

Status Cipher::seal(const Nonce& nonce, std::string_view associated, std::string_view plain, char* sealed) {
  EVP_CIPHER_CTX* const context = context_.get();
  int written = 0;
  std::array<unsigned char, kSealBytes> seal;
  if (!begin_message(context, nonce, associated, true) || !feed(context, plain, sealed) ||
      EVP_CipherFinal_ex(context, seal.data(), &written) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kSealBytes, seal.data()) != 1)
    return openssl_error("seal");
  std::ranges::copy(seal, sealed + plain.size());
  return {};
}

Result<bool> Cipher::open(const Nonce& nonce, std::string_view associated, std::string_view sealed, char* plain) {
  if (sealed.size() < kSealBytes) return false;
  EVP_CIPHER_CTX* const context = context_.get();
  const std::string_view body = sealed.substr(0, sealed.size() - kSealBytes);
  std::array<unsigned char, kSealBytes> seal;
  std::ranges::copy(sealed.substr(body.size()), seal.begin());
  int written = 0;
  if (!begin_message(context, nonce, associated, false) || !feed(context, body, plain) ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kSealBytes, seal.data()) != 1)
    return openssl_error("open what is sealed");
  if (EVP_CipherFinal_ex(context, seal.data(), &written) == 1) return true;
  ERR_clear_error();
  std::fill_n(plain, body.size(), '\0');
  return false;
}

Result<Key> derive(const Key& from, std::string_view salt, std::string_view purpose) {
  const std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(kdf == nullptr ? nullptr : EVP_KDF_CTX_new(kdf.get()));
  if (context == nullptr) return openssl_error("derive a key");
  // OpenSSL takes them as not constant, and changes nothing.
  const auto octets = [](const char* name, std::string_view bytes) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(bytes.data()), bytes.size());
  };
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 5> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
      octets(OSSL_KDF_PARAM_KEY, from.view()), octets(OSSL_KDF_PARAM_SALT, salt), octets(OSSL_KDF_PARAM_INFO, purpose),
      OSSL_PARAM_construct_end()};
  Key key;
  if (EVP_KDF_derive(context.get(), out(key.bytes().data()), kKeyBytes, parameters.data()) != 1)
    return openssl_error("derive a key");
  return key;
}

Result<Key> Entropy::key() {
  Key key;
  LIGHTNING_TRY(fill(key.bytes()));
  return key;
}

Result<format::Uid> Entropy::uid() {
  format::Uid uid;
  LIGHTNING_TRY(fill({reinterpret_cast<char*>(uid.bytes.data()), uid.bytes.size()}));
  return uid;
}

Result<Nonce> Entropy::nonce() {
  Nonce nonce;
  LIGHTNING_TRY(fill(nonce));
  return nonce;
}

Entropy& Entropy::system() {
  static SystemEntropy entropy;
  return entropy;
}

}  // namespace lightning::crypto
