#include "crypto/page_format.h"

#include <algorithm>

#include "base/coding.h"
#include "base/hash.h"

namespace lightning::crypto {

namespace {

using base::load_le;
using base::store_le;

constexpr std::string_view kFileMagic{"LDBENC1\0", 8};
constexpr std::uint32_t kEncryptedVersion = 1;
constexpr std::size_t kCheckOffset = 48;  // tells a newer version from a damaged one, without a key
constexpr std::size_t kHeaderSealOffset = kPageBytes - kSealBytes;
constexpr std::uint64_t kHeaderNumber = ~std::uint64_t{0};  // of no page: a file ends long before

// Fresh for as long as the key is one file's and each page is sealed once: files are only appended to, and after a
// failure not at all.
Nonce nonce_of(std::uint64_t number) {
  Nonce nonce{};
  store_le(nonce.data(), number);
  return nonce;
}

}  // namespace

Result<Key> file_key_of(const Key& data_key, const format::Uid& file_uid) {
  return derive(data_key, base::as_bytes(file_uid.bytes), "lightning file 1");
}

std::string encode_header_page(const EncryptedFileHeader& header) {
  std::string page(kPageBytes, '\0');
  std::ranges::copy(kFileMagic, page.data());
  store_le(page.data() + 8, kEncryptedVersion);
  store_le(page.data() + 12, static_cast<std::uint32_t>(kPageBytes));
  std::ranges::copy(base::as_bytes(header.data_key.bytes), page.data() + 16);
  std::ranges::copy(base::as_bytes(header.file_uid.bytes), page.data() + 32);
  store_le(page.data() + kCheckOffset, base::hash64({page.data(), kCheckOffset}));
  return page;
}

Status seal_header_page(Cipher& cipher, std::string& page) {
  return cipher.seal(nonce_of(kHeaderNumber), std::string_view(page).substr(0, kHeaderSealOffset), {},
                     page.data() + kHeaderSealOffset);
}

HeaderContent decode_header_page(std::string_view page, EncryptedFileHeader& header) {
  if (page.size() != kPageBytes || !page.starts_with(kFileMagic) ||
      load_le<std::uint64_t>(page.data() + kCheckOffset) != base::hash64(page.substr(0, kCheckOffset)))
    return HeaderContent::kForeign;
  if (load_le<std::uint32_t>(page.data() + 8) > kEncryptedVersion) return HeaderContent::kNewer;
  if (load_le<std::uint32_t>(page.data() + 8) != kEncryptedVersion ||
      load_le<std::uint32_t>(page.data() + 12) != kPageBytes)
    return HeaderContent::kForeign;
  std::copy_n(page.data() + 16, 16, reinterpret_cast<char*>(header.data_key.bytes.data()));
  std::copy_n(page.data() + 32, 16, reinterpret_cast<char*>(header.file_uid.bytes.data()));
  return HeaderContent::kHeader;
}

Result<bool> header_is_genuine(Cipher& cipher, std::string_view page) {
  return cipher.open(nonce_of(kHeaderNumber), page.substr(0, kHeaderSealOffset), page.substr(kHeaderSealOffset),
                     nullptr);
}

Status seal_page(Cipher& cipher, std::uint64_t number, const PageHead& head, char* page) {
  store_le(page, head.start);
  store_le(page + 8, head.bytes);
  store_le(page + 12, std::uint32_t{0});
  store_le(page + 16, head.durable);
  store_le(page + 24, std::uint64_t{0});
  return cipher.seal(nonce_of(number), {page, kPageHeadBytes}, {page + kPageHeadBytes, kPagePlainBytes},
                     page + kPageHeadBytes);
}

Result<std::optional<PageHead>> open_page(Cipher& cipher, std::uint64_t number, std::string_view page, char* plain) {
  LIGHTNING_ASSIGN(const bool genuine,
                   cipher.open(nonce_of(number), page.substr(0, kPageHeadBytes), page.substr(kPageHeadBytes), plain));
  const PageHead head{.start = load_le<std::uint64_t>(page.data()),
                      .bytes = load_le<std::uint32_t>(page.data() + 8),
                      .durable = load_le<std::uint64_t>(page.data() + 16)};
  // What is genuine was possible when it was sealed; who has the key may still have sealed what is not.
  if (!genuine || head.bytes == 0 || head.bytes > kPagePlainBytes || head.start > number * kPagePlainBytes ||
      head.durable > number)
    return std::nullopt;
  return head;
}

}  // namespace lightning::crypto
