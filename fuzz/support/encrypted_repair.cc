#include "fuzz/support/encrypted_repair.h"

#include <algorithm>

#include "base/coding.h"
#include "base/hash.h"
#include "crypto/keyring_slot.h"
#include "crypto/page_format.h"
#include "fuzz/make_seeds/must.h"

namespace lightning::fuzz {

namespace {

constexpr std::size_t kNonceOffset = 4048, kSealOffset = 4064, kTagOffset = 4080;

// As keyring_slot.cc does, of a slot that says it is of the known store.
void repair_slot(char* slot) {
  const auto wrapping = must(crypto::WrappingKeys::of(known_key(), known_store()));
  std::ranges::copy(base::as_bytes(known_store().bytes), slot + 16);
  std::ranges::copy(wrapping.check, slot + 48);
  crypto::Nonce nonce;
  auto wrap = must(crypto::Cipher::with(wrapping.wrap));
  const std::size_t keys = std::min<std::size_t>(base::load_le<std::uint32_t>(slot + 12), crypto::kDataKeysMax);
  for (std::size_t i = 0; i < keys; ++i) {
    char* const entry = slot + 96 + i * 96;
    std::copy_n(entry + 32, nonce.size(), nonce.begin());
    must(wrap.seal(nonce, {entry, 32}, {entry + 48, crypto::kKeyBytes}, entry + 48));
  }
  std::copy_n(slot + kNonceOffset, nonce.size(), nonce.begin());
  auto seal = must(crypto::Cipher::with(wrapping.seal));
  must(seal.seal(nonce, {slot, kSealOffset}, {}, slot + kSealOffset));
  const base::Tag tag = base::tag_of(base::TagAlgorithm::kBlake3, {slot, kTagOffset});
  std::ranges::copy(base::as_bytes(tag.bytes), slot + kTagOffset);
}

}  // namespace

crypto::Key known_key() { return must(KnownEntropy().key()); }

format::Uid known_store() {
  format::Uid uid;
  uid.bytes.fill(9);
  return uid;
}

std::unique_ptr<crypto::Keyring> known_keyring(env::FileSystem& files, crypto::Entropy& entropy) {
  auto keyring = must(crypto::Keyring::create(files, "/KEYRING", known_store(), known_key(), entropy, 1));
  must(keyring->add_data_key(2));
  return keyring;
}

void repair_keyring(std::string& bytes) {
  for (std::size_t at = 0; at + crypto::kSlotBytes <= bytes.size() && at < crypto::kKeyringBytes;
       at += crypto::kSlotBytes)
    repair_slot(bytes.data() + at);
}

void repair_encrypted_file(std::string& bytes, const crypto::Keyring& keyring) {
  using namespace crypto;
  if (bytes.size() < kPageBytes) return;
  const DataKey data_key = keyring.active();
  EncryptedFileHeader header{.data_key = data_key.info.id};
  std::copy_n(bytes.data() + 32, 16, reinterpret_cast<char*>(header.file_uid.bytes.data()));
  Cipher cipher = must(Cipher::with(must(file_key_of(data_key.key, header.file_uid))));
  std::string first = encode_header_page(header);
  must(seal_header_page(cipher, first));
  bytes.replace(0, kPageBytes, first);
  for (std::size_t at = kPageBytes; at + kPageBytes <= bytes.size(); at += kPageBytes) {
    char* const page = bytes.data() + at;
    const PageHead head{.start = base::load_le<std::uint64_t>(page),
                        .bytes = base::load_le<std::uint32_t>(page + 8),
                        .durable = base::load_le<std::uint64_t>(page + 16)};
    must(seal_page(cipher, at / kPageBytes - 1, head, page));
  }
}

}  // namespace lightning::fuzz
