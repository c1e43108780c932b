// What the tests of this layer share: chance that repeats itself, and a key.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "crypto/keyring.h"
#include "env/simulated_world.h"
#include "support/expect.h"
#include "support/must.h"

namespace lightning::crypto {

// A test must be repeatable, so that here keys and nonces can be foretold.
class SeededEntropy final : public Entropy {
 public:
  explicit SeededEntropy(std::uint64_t seed = 1) : random_(seed) {}
  Status fill(std::span<char> into) override {
    for (char& c : into) c = static_cast<char>(random_.next());
    return {};
  }

 private:
  env::SeededRandom random_;
};

inline Key key_of(char c) { return Key(std::string(kKeyBytes, c)); }
inline format::Uid uid_of(std::uint8_t c) {
  format::Uid uid;
  uid.bytes.fill(c);
  return uid;
}

inline const format::Uid kStore = uid_of(7);
inline constexpr std::uint64_t kNow = 1'767'225'600'000'000'000;

inline std::unique_ptr<Keyring> create_keyring(env::FileSystem& files, Entropy& entropy, const Key& key = key_of('k'),
                                               const std::string& path = "/KEYRING") {
  return must(Keyring::create(files, path, kStore, key, entropy, kNow));
}
inline Result<std::unique_ptr<Keyring>> open_keyring(env::FileSystem& files, Entropy& entropy,
                                                     const Key& key = key_of('k'),
                                                     const std::string& path = "/KEYRING") {
  return Keyring::open(files, path, {.store_id = kStore}, key, entropy);
}

}  // namespace lightning::crypto
