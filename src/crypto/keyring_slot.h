// The bytes of a keyring's slot (docs/format/encryption.md): encoding and verified decoding, no I/O.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/cipher.h"
#include "crypto/keyring.h"

namespace lightning::crypto {

inline constexpr std::size_t kSlotBytes = 4096;
inline constexpr std::size_t kKeyringBytes = 2 * kSlotBytes;

// A slot as anybody can read it: the keys are still wrapped.
struct KeyringSlot {
  struct WrappedKey {
    DataKeyInfo info;
    Nonce nonce{};
    std::array<char, kKeyBytes + kSealBytes> wrapped{};
  };
  format::Uid store_id{};
  std::uint64_t generation = 0, written_ns = 0;
  std::array<char, 16> key_check{};  // tells whether a key is the right one, and nothing else about it
  std::vector<WrappedKey> keys;
  Nonce nonce{};
  std::array<char, kSealBytes> seal{};
  std::string sealed;  // the bytes that the seal is over
};

// What is made of the key-encryption key for one store: none of them says anything about the others.
struct WrappingKeys {
  static Result<WrappingKeys> of(const Key& key, const format::Uid& store_id);
  Key wrap, seal;
  std::array<char, 16> check{};
};

enum class SlotContent : std::uint8_t { kBlank, kDamaged, kNewer, kWhole };
// `index`: 0 or 1. kWhole: `slot` is set, and what it says is possible. kNewer: `slot.generation` holds the version.
SlotContent decode_slot(std::string_view bytes, std::size_t index, KeyringSlot& slot);

// Of slot.generation % 2. Wraps and seals with nonces drawn by lot.
Result<std::string> encode_slot(const format::Uid& store_id, std::uint64_t generation, std::uint64_t written_ns,
                                const std::vector<DataKey>& keys, const WrappingKeys& wrapping, Entropy& entropy);
// The data keys; none if the seal, or that of one key, is not that of these wrapping keys.
Result<std::optional<std::vector<DataKey>>> unwrap(const KeyringSlot& slot, const WrappingKeys& wrapping);

}  // namespace lightning::crypto
