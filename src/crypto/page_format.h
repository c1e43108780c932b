// The bytes of an encrypted file (docs/format/encryption.md): its header page and its pages, sealed and opened, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/cipher.h"

namespace lightning::crypto {

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kPageHeadBytes = 32;
inline constexpr std::size_t kPagePlainBytes = kPageBytes - kPageHeadBytes - kSealBytes;  // 4048

struct EncryptedFileHeader {
  format::Uid data_key{}, file_uid{};
};
// What is sealed under the data key of that header is sealed under this one.
Result<Key> file_key_of(const Key& data_key, const format::Uid& file_uid);

std::string encode_header_page(const EncryptedFileHeader& header);
// To be called once: the header's seal takes a nonce that no page has.
Status seal_header_page(Cipher& cipher, std::string& page);
enum class HeaderContent : std::uint8_t { kForeign, kNewer, kHeader };
// kHeader: `header` is what it says, and nothing of it is known to be true before header_is_genuine().
HeaderContent decode_header_page(std::string_view page, EncryptedFileHeader& header);
Result<bool> header_is_genuine(Cipher& cipher, std::string_view page);

struct PageHead {
  std::uint64_t start = 0;    // where its bytes begin in the file that was encrypted
  std::uint32_t bytes = 0;    // how many of kPagePlainBytes they are; the rest is zeros
  std::uint64_t durable = 0;  // pages before this one were durable when it was sealed
};
// Makes the page `number` (from 0) of what lies in page[kPageHeadBytes, ...), kPagePlainBytes. Once for each number.
Status seal_page(Cipher& cipher, std::uint64_t number, const PageHead& head, char* page);
// Opens into `plain`, kPagePlainBytes. None if these are not the bytes that were sealed as this page of this file.
Result<std::optional<PageHead>> open_page(Cipher& cipher, std::uint64_t number, std::string_view page, char* plain);

}  // namespace lightning::crypto
