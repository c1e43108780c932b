#include "sstable/layout.h"

#include "base/coding.h"

namespace lightning::sstable {

namespace {

using base::append_le;
using base::load_le;

constexpr std::string_view kHeaderMagic{"LDBSST1\0", 8};
constexpr std::string_view kTrailerMagic{"LDBSSTE\0", 8};
constexpr std::size_t kHandleBytes = 48;
constexpr std::size_t kHandlesOffset = 88;
constexpr std::size_t kHandles = 5;
constexpr std::size_t kParityOffset = kHandlesOffset + kHandles * kHandleBytes;
constexpr std::size_t kParityHandleBytes = 32;
constexpr std::uint32_t kDataBlocksMax = 4096;  // per parity block

Error unsupported(std::string message) { return Error(ErrorCode::kFormatUnsupported, std::move(message)); }

bool known(base::TagAlgorithm algorithm) {
  return algorithm == base::TagAlgorithm::kXxh3 || algorithm == base::TagAlgorithm::kBlake3;
}

bool all_zero(std::string_view bytes) { return bytes.find_first_not_of('\0') == std::string_view::npos; }

format::Uid load_uid(const char* from) {
  format::Uid uid;
  __builtin_memcpy(uid.bytes.data(), from, uid.bytes.size());
  return uid;
}

void append_handle(std::string& to, const BlockHandle& handle) {
  append_le(to, handle.offset);
  append_le(to, handle.stored_bytes);
  append_le(to, handle.raw_bytes);
  to += base::as_bytes(handle.tag.bytes);
  to += static_cast<char>(handle.compression);
  to.append(7, '\0');
}

Result<BlockHandle> load_plain_handle(std::string_view bytes) {
  BlockHandle handle;
  handle.offset = load_le<std::uint64_t>(bytes.data());
  handle.stored_bytes = load_le<std::uint64_t>(bytes.data() + 8);
  handle.raw_bytes = load_le<std::uint64_t>(bytes.data() + 16);
  __builtin_memcpy(handle.tag.bytes.data(), bytes.data() + 24, 16);
  if (!all_zero(bytes.substr(40))) return unsupported("the footer holds a handle of a kind this version cannot read");
  if (handle.stored_bytes != handle.raw_bytes) return corrupt("the footer gives a block two sizes");
  return handle;
}

void append_parity(std::string& to, const ParityHandle& parity) {
  append_le(to, parity.offset);
  append_le(to, parity.blocks);
  append_le(to, parity.data_blocks);
  to += base::as_bytes(parity.tag.bytes);
}

// Parity ends where `next` begins, the part behind it.
Result<ParityHandle> load_parity(std::string_view bytes, std::uint64_t next) {
  ParityHandle parity;
  if (all_zero(bytes)) return parity;
  parity.offset = load_le<std::uint64_t>(bytes.data());
  parity.blocks = load_le<std::uint32_t>(bytes.data() + 8);
  parity.data_blocks = load_le<std::uint32_t>(bytes.data() + 12);
  __builtin_memcpy(parity.tag.bytes.data(), bytes.data() + 16, 16);
  if (parity.blocks == 0 || parity.data_blocks == 0 || parity.data_blocks > kDataBlocksMax || parity.offset > next)
    return corrupt("the footer describes parity blocks that can't be");
  parity.bytes = next - parity.offset;
  return parity;
}

}  // namespace

Error corrupt(std::string message) { return Error(ErrorCode::kTableCorrupt, std::move(message)); }

std::string_view name_of(BlockKind kind) {
  switch (kind) {
    case BlockKind::kData:
      return "data block";
    case BlockKind::kIndexLeaf:
      return "index leaf";
    case BlockKind::kIndexTop:
      return "index top";
    case BlockKind::kFilter:
      return "filter";
    case BlockKind::kProperties:
      return "properties";
    case BlockKind::kFooter:
      return "footer";
    case BlockKind::kRangeTombstones:
      return "range tombstones";
    case BlockKind::kBlobReferences:
      return "blob references";
    case BlockKind::kParity:
      return "parity block";
  }
  return "block";
}

base::Tag tag_of_block(base::TagAlgorithm algorithm, const format::Uid& file, BlockKind kind, std::uint64_t offset,
                       std::string_view stored) {
  // Behind the content, not before it: so the content keeps its alignment to BLAKE3's chunks, which are hashed many at
  // a time.
  std::array<char, 48> place{};
  char* binding = place.data() + 16;
  __builtin_memcpy(binding, file.bytes.data(), 16);
  binding[16] = static_cast<char>(kind);
  base::store_le(binding + 24, offset);
  if (algorithm == base::TagAlgorithm::kXxh3) {
    const base::Tag content = base::tag_of(algorithm, stored);
    __builtin_memcpy(place.data(), content.bytes.data(), 16);
    return base::tag_of(algorithm, base::as_bytes(place));
  }
  base::DigestBuilder digest;
  digest.add(stored);
  digest.add({binding, 32});
  const base::Digest whole = digest.finish();
  base::Tag tag;
  __builtin_memcpy(tag.bytes.data(), whole.data(), tag.bytes.size());
  return tag;
}

std::string encode(const Header& header) {
  std::string bytes;
  bytes.reserve(kHeaderBytes);
  bytes += kHeaderMagic;
  append_le<std::uint32_t>(bytes, format::kFormatVersion);
  append_le<std::uint32_t>(bytes, kHeaderBytes);
  append_le(bytes, header.features.incompatible);
  append_le(bytes, header.features.write_compatible);
  append_le(bytes, header.features.compatible);
  bytes += base::as_bytes(header.store_id.bytes);
  bytes += base::as_bytes(header.uid.bytes);
  append_le(bytes, header.number);
  append_le(bytes, header.key_id);
  append_le<std::uint32_t>(bytes, 0);
  append_le(bytes, base::hash64(bytes));
  return bytes;
}

Result<Header> decode_header(std::string_view bytes) {
  if (bytes.size() != kHeaderBytes) return corrupt("the header is cut short");
  if (bytes.substr(0, 8) != kHeaderMagic) return corrupt("this is not a Lightning DB table: its first 8 bytes differ");
  if (load_le<std::uint64_t>(bytes.data() + 88) != base::hash64(bytes.substr(0, 88)))
    return corrupt("the header does not match its check value");
  const auto version = load_le<std::uint32_t>(bytes.data() + 8);
  if (version != format::kFormatVersion)
    return unsupported("table format version " + std::to_string(version) + ", this program reads version " +
                       std::to_string(format::kFormatVersion));
  Header header;
  header.features = {load_le<std::uint64_t>(bytes.data() + 16), load_le<std::uint64_t>(bytes.data() + 24),
                     load_le<std::uint64_t>(bytes.data() + 32)};
  if ((header.features.incompatible & ~format::kKnownFeatures.incompatible) != 0)
    return unsupported("the table needs features that this program does not know");
  header.store_id = load_uid(bytes.data() + 40);
  header.uid = load_uid(bytes.data() + 56);
  header.number = load_le<std::uint64_t>(bytes.data() + 72);
  header.key_id = load_le<std::uint32_t>(bytes.data() + 80);
  if (header.key_id != 0) return unsupported("the table is encrypted");
  if (load_le<std::uint32_t>(bytes.data() + 12) != kHeaderBytes || load_le<std::uint32_t>(bytes.data() + 84) != 0)
    return corrupt("the header's fixed fields are wrong");
  return header;
}

std::string encode(const Footer& footer) {
  std::string bytes;
  bytes.reserve(kFooterBytes);
  append_le<std::uint32_t>(bytes, format::kFormatVersion);
  append_le<std::uint32_t>(bytes, static_cast<std::uint32_t>(footer.tags));
  append_le<std::uint64_t>(bytes, 0);  // key id, zero
  bytes += base::as_bytes(footer.store_id.bytes);
  bytes += base::as_bytes(footer.uid.bytes);
  append_le(bytes, footer.number);
  append_le(bytes, footer.data_offset);
  append_le(bytes, footer.data_bytes);
  append_le(bytes, footer.leaves_offset);
  append_le(bytes, footer.leaves_bytes);
  append_handle(bytes, footer.index_top);
  append_handle(bytes, footer.filter);
  append_handle(bytes, footer.properties);
  append_handle(bytes, footer.ranges);
  bytes.resize(kParityOffset, '\0');  // blob references: none
  append_parity(bytes, footer.parity);
  bytes.resize(kFooterBytes, '\0');
  return bytes;
}

Result<Footer> decode_footer(std::string_view bytes, std::uint64_t footer_offset) {
  if (bytes.size() != kFooterBytes) return corrupt("the footer is cut short");
  if (load_le<std::uint32_t>(bytes.data()) != format::kFormatVersion)
    return unsupported("the footer is of another format version");
  Footer footer;
  footer.tags = static_cast<base::TagAlgorithm>(bytes[4]);
  if (!known(footer.tags)) return unsupported("the footer names an unknown tag algorithm");
  if (!all_zero(bytes.substr(5, 11))) return unsupported("the table is encrypted");
  footer.store_id = load_uid(bytes.data() + 16);
  footer.uid = load_uid(bytes.data() + 32);
  footer.number = load_le<std::uint64_t>(bytes.data() + 48);
  footer.data_offset = load_le<std::uint64_t>(bytes.data() + 56);
  footer.data_bytes = load_le<std::uint64_t>(bytes.data() + 64);
  footer.leaves_offset = load_le<std::uint64_t>(bytes.data() + 72);
  footer.leaves_bytes = load_le<std::uint64_t>(bytes.data() + 80);
  LIGHTNING_ASSIGN(footer.index_top, load_plain_handle(bytes.substr(kHandlesOffset, kHandleBytes)));
  LIGHTNING_ASSIGN(footer.filter, load_plain_handle(bytes.substr(kHandlesOffset + kHandleBytes, kHandleBytes)));
  LIGHTNING_ASSIGN(footer.properties, load_plain_handle(bytes.substr(kHandlesOffset + 2 * kHandleBytes, kHandleBytes)));
  LIGHTNING_ASSIGN(footer.ranges, load_plain_handle(bytes.substr(kHandlesOffset + 3 * kHandleBytes, kHandleBytes)));
  static_assert(kParityOffset + kParityHandleBytes <= kFooterBytes);
  if (!all_zero(bytes.substr(kHandlesOffset + 4 * kHandleBytes, kHandleBytes)) ||
      !all_zero(bytes.substr(kParityOffset + kParityHandleBytes)))
    return unsupported("the table holds blob references, or what a later version has added");
  LIGHTNING_ASSIGN(footer.parity, load_parity(bytes.substr(kParityOffset, kParityHandleBytes),
                                              footer.filter.present() ? footer.filter.offset : footer.leaves_offset));

  // Each part begins where the one before it ends. A sum that wraps around cannot meet the next part's offset and the
  // footer's at once, because every part must also end at or before the footer.
  std::uint64_t at = kHeaderBytes;
  const auto follows = [&](std::uint64_t offset, std::uint64_t size) {
    if (offset != at || size > footer_offset - at) return false;
    at += size;
    return true;
  };
  const bool in_place = footer_offset >= kHeaderBytes && follows(footer.data_offset, footer.data_bytes) &&
                        (!footer.parity.present() || follows(footer.parity.offset, footer.parity.bytes)) &&
                        (!footer.filter.present() || follows(footer.filter.offset, footer.filter.stored_bytes)) &&
                        follows(footer.leaves_offset, footer.leaves_bytes) &&
                        follows(footer.index_top.offset, footer.index_top.stored_bytes) &&
                        (!footer.ranges.present() || follows(footer.ranges.offset, footer.ranges.stored_bytes)) &&
                        follows(footer.properties.offset, footer.properties.stored_bytes) && at == footer_offset;
  if (!in_place) return corrupt("the footer's parts do not follow one another");
  return footer;
}

std::string encode(const Trailer& trailer, std::uint64_t file_bytes) {
  std::string bytes;
  append_le(bytes, trailer.footer_offset);
  append_le<std::uint32_t>(bytes, kFooterBytes);
  append_le<std::uint32_t>(bytes, static_cast<std::uint32_t>(trailer.tags));
  append_le(bytes, base::hash64(bytes, file_bytes));
  bytes += kTrailerMagic;
  return bytes;
}

Result<Trailer> decode_trailer(std::string_view bytes, std::uint64_t file_bytes) {
  if (bytes.size() != kTrailerBytes || bytes.substr(24) != kTrailerMagic)
    return corrupt("the table does not end as a table does: it is cut short or overwritten");
  if (load_le<std::uint64_t>(bytes.data() + 16) != base::hash64(bytes.substr(0, 16), file_bytes))
    return corrupt("the trailer does not match its check value");
  Trailer trailer;
  trailer.footer_offset = load_le<std::uint64_t>(bytes.data());
  trailer.tags = static_cast<base::TagAlgorithm>(load_le<std::uint32_t>(bytes.data() + 12));
  if (!known(trailer.tags) || load_le<std::uint32_t>(bytes.data() + 12) > 0xff)
    return unsupported("the trailer names an unknown tag algorithm");
  if (load_le<std::uint32_t>(bytes.data() + 8) != kFooterBytes || trailer.footer_offset > file_bytes ||
      file_bytes - trailer.footer_offset != kFooterBytes + kTrailerBytes)
    return corrupt("the trailer points to no footer");
  return trailer;
}

std::string printable_key(std::string_view key) {
  constexpr std::size_t kShownMax = 40;
  std::string text = "\"";
  for (const char c : key.substr(0, kShownMax)) {
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      text += c;
    } else {
      text += "\\x";
      text += base::to_hex({&c, 1});
    }
  }
  text += '"';
  if (key.size() > kShownMax) text += "... (" + std::to_string(key.size()) + " bytes)";
  return text;
}

}  // namespace lightning::sstable
