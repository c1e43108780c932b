// That the ciphers are the ones that they are called.
#include "crypto/cipher.h"

#include <set>

#include "keyed.h"

namespace lightning::crypto {
namespace {

std::string unhex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}
Key key_from(std::string_view hex) { return Key(unhex(hex)); }
Nonce nonce_from(std::string_view hex) {
  Nonce nonce;
  std::ranges::copy(unhex(hex), nonce.begin());
  return nonce;
}

struct Vector {
  const char *key, *nonce, *associated, *plain, *sealed, *tag;
};

// Test cases 13 to 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega), which NIST's submission holds.
constexpr Vector kVectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "", "",
     "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
     "ba637b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
     "bcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
     "ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
     "bcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

TEST(Cipher, SealsAndOpensThePublishedVectorsInAnyOrder) {
  for (const Vector& vector : kVectors) {
    Cipher cipher = must(Cipher::with(key_from(vector.key)));
    const std::string plain = unhex(vector.plain), associated = unhex(vector.associated);
    const Nonce nonce = nonce_from(vector.nonce);
    for (int round = 0; round < 2; ++round) {  // one context does both, in turn
      std::string sealed(plain.size() + kSealBytes, '\0');
      ASSERT_OK(cipher.seal(nonce, associated, plain, sealed.data()));
      EXPECT_EQ(sealed, unhex(std::string(vector.sealed) + vector.tag));
      std::string opened(plain.size(), 'x');
      EXPECT_TRUE(must(cipher.open(nonce, associated, sealed, opened.data())));
      EXPECT_EQ(opened, plain);
    }
  }
}

TEST(Cipher, SealsWhereThePlainBytesLie) {
  Cipher cipher = must(Cipher::with(key_of('k')));
  std::string apart(40 + kSealBytes, '\0'), in_place(40, 'p');
  in_place.resize(40 + kSealBytes);
  ASSERT_OK(cipher.seal({}, "a", std::string(40, 'p'), apart.data()));
  ASSERT_OK(cipher.seal({}, "a", std::string_view(in_place).substr(0, 40), in_place.data()));
  EXPECT_EQ(apart, in_place);
}

TEST(Cipher, RefusesWhateverIsNotWhatWasSealedAndGivesNothingOfIt) {
  Cipher cipher = must(Cipher::with(key_of('k')));
  const std::string plain(40, 'p');
  std::string sealed(plain.size() + kSealBytes, '\0'), opened(plain.size(), 'x');
  ASSERT_OK(cipher.seal({}, "context", plain, sealed.data()));
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string turned = sealed;
    turned[bit / 8] = static_cast<char>(turned[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(must(cipher.open({}, "context", turned, opened.data()))) << bit;
    EXPECT_EQ(opened, std::string(plain.size(), '\0'));
  }
  EXPECT_FALSE(must(cipher.open({}, "contexT", sealed, opened.data())));
  EXPECT_FALSE(must(cipher.open({1}, "context", sealed, opened.data())));
  EXPECT_FALSE(must(cipher.open({}, "context", sealed.substr(0, sealed.size() - 1), opened.data())));
  EXPECT_FALSE(must(cipher.open({}, "context", "short", opened.data())));
  EXPECT_FALSE(must(must(Cipher::with(key_of('K'))).open({}, "context", sealed, opened.data())));
  EXPECT_TRUE(must(cipher.open({}, "context", sealed, opened.data()))) << "a refusal leaves the context as it was";
}

TEST(Cipher, DerivesKeysAsHkdfDoes) {
  // By Python's hmac and hashlib, after the steps of RFC 5869.
  std::string bytes(kKeyBytes, '\0');
  for (std::size_t i = 0; i < kKeyBytes; ++i) bytes[i] = static_cast<char>(i);
  const Key from(bytes);
  EXPECT_TRUE(must(derive(from, "salt", "purpose")) ==
              key_from("94667bce5e44fbfb519b064d97bb4a4e6714993a9e0f99c8485e090a33876fa8"));
  EXPECT_FALSE(must(derive(from, "salt", "other")) == must(derive(from, "salt", "purpose")));
  EXPECT_FALSE(must(derive(from, "Salt", "purpose")) == must(derive(from, "salt", "purpose")));
}

TEST(Entropy, OfTheSystemGivesOtherBytesEachTime) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(std::string(must(Entropy::system().key()).view()));
  EXPECT_EQ(seen.size(), 100u);
}

}  // namespace
}  // namespace lightning::crypto
