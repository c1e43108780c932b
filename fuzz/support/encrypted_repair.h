// Keyrings and encrypted files with their check values and seals put right, so that what is behind them is reached.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "crypto/keyring.h"
#include "env/simulated_world.h"

namespace lightning::fuzz {

// The keys of all that the targets and seeds seal: always the same ones.
class KnownEntropy final : public crypto::Entropy {
 public:
  explicit KnownEntropy(std::uint64_t seed = 1) : random_(seed) {}
  Status fill(std::span<char> into) override {
    for (char& c : into) c = static_cast<char>(random_.next());
    return {};
  }

 private:
  env::SeededRandom random_;
};
crypto::Key known_key();
format::Uid known_store();
// A keyring in `files`, under "/KEYRING", with two data keys.
std::unique_ptr<crypto::Keyring> known_keyring(env::FileSystem& files, crypto::Entropy& entropy);

// The tag of each slot, and its seals, as the known key makes them.
void repair_keyring(std::string& bytes);
// The header, as of a file under the keyring's active key, and each page sealed as it lies there.
void repair_encrypted_file(std::string& bytes, const crypto::Keyring& keyring);

}  // namespace lightning::fuzz
