#include "crypto/keyring_slot.h"

#include <algorithm>

#include "base/coding.h"
#include "base/hash.h"

namespace lightning::crypto {

namespace {

using base::load_le;
using base::store_le;

constexpr std::string_view kSlotMagic{"LDBKEYS\0", 8};
constexpr std::uint32_t kKeyringVersion = 1;
constexpr std::uint64_t kGenerationMax = std::uint64_t{1} << 62;  // so that one more is always possible
constexpr std::size_t kKeysOffset = 96, kWrappedKeyBytes = 96;
constexpr std::size_t kNonceOffset = 4048, kSealOffset = 4064, kTagOffset = 4080;
static_assert(kKeysOffset + kDataKeysMax * kWrappedKeyBytes <= kNonceOffset);

// Of a data key: what its wrapping is bound to, beside the store that the wrapping keys are bound to.
std::string associated_with(const char* entry) { return std::string(entry, 32); }

void store_info(char* entry, const DataKeyInfo& info) {
  std::ranges::copy(base::as_bytes(info.id.bytes), entry);
  store_le(entry + 16, info.generation);
  store_le(entry + 20, static_cast<std::uint32_t>(info.state));
  store_le(entry + 24, info.created_ns);
}

// False if it says what cannot be.
bool load_info(const char* entry, DataKeyInfo& info) {
  std::copy_n(entry, 16, reinterpret_cast<char*>(info.id.bytes.data()));
  info.generation = load_le<std::uint32_t>(entry + 16);
  const auto state = load_le<std::uint32_t>(entry + 20);
  info.state = static_cast<DataKeyState>(state);
  info.created_ns = load_le<std::uint64_t>(entry + 24);
  return info.generation != 0 && (state == 1 || state == 2);
}

// One is active, the newest; generations rise; no id comes twice.
bool keys_are_possible(const std::vector<KeyringSlot::WrappedKey>& keys) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool newest = i + 1 == keys.size();
    if (newest != (keys[i].info.state == DataKeyState::kActive)) return false;
    if (!newest && keys[i].info.generation >= keys[i + 1].info.generation) return false;
    for (std::size_t j = 0; j < i; ++j)
      if (keys[j].info.id == keys[i].info.id) return false;
  }
  return !keys.empty();
}

}  // namespace

Result<WrappingKeys> WrappingKeys::of(const Key& key, const format::Uid& store_id) {
  const std::string_view salt = base::as_bytes(store_id.bytes);
  WrappingKeys made;
  LIGHTNING_ASSIGN(made.wrap, derive(key, salt, "lightning keyring 1: wrap"));
  LIGHTNING_ASSIGN(made.seal, derive(key, salt, "lightning keyring 1: seal"));
  LIGHTNING_ASSIGN(const Key check, derive(key, salt, "lightning keyring 1: check"));
  std::ranges::copy(check.view().substr(0, made.check.size()), made.check.begin());
  return made;
}

SlotContent decode_slot(std::string_view bytes, std::size_t index, KeyringSlot& slot) {
  if (bytes.size() != kSlotBytes) return SlotContent::kDamaged;
  if (bytes.find_first_not_of('\0') == std::string_view::npos) return SlotContent::kBlank;
  const char* const b = bytes.data();
  const base::Tag tag = base::tag_of(base::TagAlgorithm::kBlake3, bytes.substr(0, kTagOffset));
  if (bytes.substr(kTagOffset) != base::as_bytes(tag.bytes) || !bytes.starts_with(kSlotMagic))
    return SlotContent::kDamaged;
  slot = {};
  if (const auto version = load_le<std::uint32_t>(b + 8); version > kKeyringVersion) {
    slot.generation = version;
    return SlotContent::kNewer;
  }
  const auto keys = load_le<std::uint32_t>(b + 12);
  std::copy_n(b + 16, 16, reinterpret_cast<char*>(slot.store_id.bytes.data()));
  slot.generation = load_le<std::uint64_t>(b + 32);
  slot.written_ns = load_le<std::uint64_t>(b + 40);
  std::copy_n(b + 48, slot.key_check.size(), slot.key_check.begin());
  if (load_le<std::uint32_t>(b + 8) != kKeyringVersion || keys > kDataKeysMax || slot.generation == 0 ||
      slot.generation > kGenerationMax || slot.generation % 2 != index)
    return SlotContent::kDamaged;
  for (std::size_t i = 0; i < keys; ++i) {
    const char* const entry = b + kKeysOffset + i * kWrappedKeyBytes;
    KeyringSlot::WrappedKey key;
    if (!load_info(entry, key.info)) return SlotContent::kDamaged;
    std::copy_n(entry + 32, kNonceBytes, key.nonce.begin());
    std::copy_n(entry + 48, key.wrapped.size(), key.wrapped.begin());
    slot.keys.push_back(key);
  }
  if (!keys_are_possible(slot.keys)) return SlotContent::kDamaged;
  std::copy_n(b + kNonceOffset, kNonceBytes, slot.nonce.begin());
  std::copy_n(b + kSealOffset, kSealBytes, slot.seal.begin());
  slot.sealed = bytes.substr(0, kSealOffset);
  return SlotContent::kWhole;
}

Result<std::string> encode_slot(const format::Uid& store_id, std::uint64_t generation, std::uint64_t written_ns,
                                const std::vector<DataKey>& keys, const WrappingKeys& wrapping, Entropy& entropy) {
  std::string bytes(kSlotBytes, '\0');
  char* const b = bytes.data();
  std::ranges::copy(kSlotMagic, b);
  store_le(b + 8, kKeyringVersion);
  store_le(b + 12, static_cast<std::uint32_t>(keys.size()));
  std::ranges::copy(base::as_bytes(store_id.bytes), b + 16);
  store_le(b + 32, generation);
  store_le(b + 40, written_ns);
  std::ranges::copy(wrapping.check, b + 48);
  LIGHTNING_ASSIGN(Cipher wrap, Cipher::with(wrapping.wrap));
  char* entry = b + kKeysOffset;
  for (const DataKey& key : keys) {
    store_info(entry, key.info);
    LIGHTNING_ASSIGN(const Nonce drawn, entropy.nonce());
    std::ranges::copy(drawn, entry + 32);
    LIGHTNING_TRY(wrap.seal(drawn, associated_with(entry), key.key.view(), entry + 48));
    entry += kWrappedKeyBytes;
  }
  LIGHTNING_ASSIGN(const Nonce nonce, entropy.nonce());
  std::ranges::copy(nonce, b + kNonceOffset);
  LIGHTNING_ASSIGN(Cipher seal, Cipher::with(wrapping.seal));
  LIGHTNING_TRY(seal.seal(nonce, std::string_view(bytes).substr(0, kSealOffset), {}, b + kSealOffset));
  const base::Tag tag = base::tag_of(base::TagAlgorithm::kBlake3, std::string_view(bytes).substr(0, kTagOffset));
  std::ranges::copy(base::as_bytes(tag.bytes), b + kTagOffset);
  return bytes;
}

Result<std::optional<std::vector<DataKey>>> unwrap(const KeyringSlot& slot, const WrappingKeys& wrapping) {
  LIGHTNING_ASSIGN(Cipher seal, Cipher::with(wrapping.seal));
  LIGHTNING_ASSIGN(const bool genuine,
                   seal.open(slot.nonce, slot.sealed, {slot.seal.data(), slot.seal.size()}, nullptr));
  if (!genuine) return std::nullopt;
  LIGHTNING_ASSIGN(Cipher wrap, Cipher::with(wrapping.wrap));
  std::vector<DataKey> keys(slot.keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const KeyringSlot::WrappedKey& from = slot.keys[i];
    keys[i].info = from.info;
    const std::string associated = associated_with(slot.sealed.data() + kKeysOffset + i * kWrappedKeyBytes);
    LIGHTNING_ASSIGN(const bool unwrapped, wrap.open(from.nonce, associated, {from.wrapped.data(), from.wrapped.size()},
                                                     keys[i].key.bytes().data()));
    if (!unwrapped) return std::nullopt;
  }
  return keys;
}

}  // namespace lightning::crypto
