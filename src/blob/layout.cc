#include "blob/layout.h"

#include "base/coding.h"
#include "lightning/config.h"

namespace lightning::blob {

namespace {

using base::append_le;
using base::load_le;

constexpr std::string_view kHeaderMagic{"LDBBLB1\0", 8};
constexpr std::string_view kFooterMagic{"LDBBLBE\0", 8};
constexpr std::uint32_t kHeadMagic = 0x3152'424C;  // "LBR1"
constexpr std::uint32_t kTailMagic = 0x4552'424C;  // "LBRE"

// Flags of a reference.
constexpr std::uint8_t kExpires = 1, kCompressed = 2;

bool known(base::TagAlgorithm algorithm) {
  return algorithm == base::TagAlgorithm::kXxh3 || algorithm == base::TagAlgorithm::kBlake3;
}

format::Uid load_uid(const char* from) {
  format::Uid uid;
  __builtin_memcpy(uid.bytes.data(), from, uid.bytes.size());
  return uid;
}

base::Tag load_tag(std::string_view from) {
  base::Tag tag;
  __builtin_memcpy(tag.bytes.data(), from.data(), tag.bytes.size());
  return tag;
}

// Several pieces as one, without joining them where the hash can take them one by one.
base::Tag tag_of_pieces(base::TagAlgorithm algorithm, std::initializer_list<std::string_view> pieces) {
  if (algorithm == base::TagAlgorithm::kXxh3) {
    std::string whole;
    for (const std::string_view piece : pieces) whole += piece;
    return base::tag_of(algorithm, whole);
  }
  base::DigestBuilder digest;
  for (const std::string_view piece : pieces) digest.add(piece);
  const base::Digest whole = digest.finish();
  base::Tag tag;
  __builtin_memcpy(tag.bytes.data(), whole.data(), tag.bytes.size());
  return tag;
}

}  // namespace

Error corrupt(std::string message) { return Error(ErrorCode::kBlobCorrupt, std::move(message)); }

// --- references -----------------------------------------------------------------------------------------------------

std::string encode(const Reference& reference) {
  std::string to;
  to.reserve(kReferenceBytesMax);
  to += static_cast<char>((reference.expiry_ms ? kExpires : 0) | (reference.plain ? 0 : kCompressed));
  base::append_varint(to, reference.id.origin);
  base::append_varint(to, reference.id.ordinal);
  base::append_varint(to, reference.offset);
  base::append_varint(to, reference.stored_bytes);
  base::append_varint(to, reference.value_bytes);
  to += static_cast<char>(reference.tags);
  to += base::as_bytes(reference.tag.bytes);
  if (reference.expiry_ms) append_le(to, *reference.expiry_ms);
  return to;
}

Result<Reference> decode_reference(std::string_view bytes) {
  const auto malformed = [](std::string_view what) {
    return Error(ErrorCode::kCorruption, "a reference to a blob file " + std::string(what));
  };
  Reference reference;
  std::uint8_t flags = 0, tags = 0;
  std::string_view tag;
  if (!base::get_le(bytes, flags) || !base::get_varint(bytes, reference.id.origin) ||
      !base::get_varint(bytes, reference.id.ordinal) || !base::get_varint(bytes, reference.offset) ||
      !base::get_varint(bytes, reference.stored_bytes) || !base::get_varint(bytes, reference.value_bytes) ||
      !base::get_le(bytes, tags) || !base::get_bytes(bytes, 16, tag))
    return malformed("is cut short");
  if ((flags & ~(kExpires | kCompressed)) != 0)
    return Error(ErrorCode::kFormatUnsupported, "a reference to a blob file has flags that this version does not know");
  if ((flags & kExpires) != 0) {
    std::uint64_t expiry = 0;
    if (!base::get_le(bytes, expiry)) return malformed("is cut short");
    reference.expiry_ms = expiry;
  }
  if (!bytes.empty()) return malformed("has bytes behind its end");
  reference.plain = (flags & kCompressed) == 0;
  reference.tags = static_cast<base::TagAlgorithm>(tags);
  if (!known(reference.tags))
    return Error(ErrorCode::kFormatUnsupported, "a reference to a blob file names an unknown tag algorithm");
  reference.tag = load_tag(tag);
  // With these bounds no sum of them wraps around.
  const std::uint64_t stored_max = plain_record_bytes(kKeyBytesMax, kValueBytesMax);
  if (reference.value_bytes == 0 || reference.value_bytes > kValueBytesMax || reference.stored_bytes > stored_max ||
      reference.stored_bytes <= kHeadBytes + kTailBytes + table_bytes(reference.value_bytes) ||
      reference.offset < kHeaderBytes || reference.offset >= kFileBytesMax || reference.offset % kAlignment != 0 ||
      reference.id.ordinal > ~std::uint32_t{0})
    return malformed("holds impossible sizes");
  return reference;
}

// --- records --------------------------------------------------------------------------------------------------------

std::string encode(RecordHead head, std::string_view key) {
  std::string to;
  to.reserve(kHeadBytes + key.size());
  append_le(to, kHeadMagic);
  append_le(to, static_cast<std::uint32_t>(key.size()));
  append_le(to, head.id.origin);
  append_le(to, head.id.ordinal);
  to += static_cast<char>(head.tags);
  to += static_cast<char>(head.compression);
  to.append(2, '\0');
  append_le(to, static_cast<std::uint32_t>(kChunkBytes));
  append_le(to, base::hash64(key, base::hash64(to)));
  to += key;
  return to;
}

Result<RecordHead> decode_head(std::string_view bytes) {
  if (bytes.size() < kHeadBytes || load_le<std::uint32_t>(bytes.data()) != kHeadMagic)
    return corrupt("no record begins here");
  RecordHead head;
  head.key_bytes = load_le<std::uint32_t>(bytes.data() + 4);
  head.id.origin = load_le<std::uint64_t>(bytes.data() + 8);
  head.id.ordinal = load_le<std::uint64_t>(bytes.data() + 16);
  head.tags = static_cast<base::TagAlgorithm>(bytes[24]);
  head.compression = static_cast<std::uint8_t>(bytes[25]);
  if (head.key_bytes == 0 || head.key_bytes > kKeyBytesMax || !known(head.tags) ||
      head.compression > static_cast<std::uint8_t>(Compression::kZstd) ||
      load_le<std::uint16_t>(bytes.data() + 26) != 0 || load_le<std::uint32_t>(bytes.data() + 28) != kChunkBytes)
    return corrupt("a record's head holds impossible values");
  return head;
}

bool head_verifies(std::string_view bytes) {
  if (bytes.size() <= kHeadBytes) return false;
  const std::uint64_t check = base::hash64(bytes.substr(kHeadBytes), base::hash64(bytes.substr(0, 32)));
  return check == load_le<std::uint64_t>(bytes.data() + 32);
}

std::string encode_tail(std::uint64_t value_bytes, std::span<const ChunkEntry> chunks) {
  std::string to;
  to.reserve(chunks.size() * kChunkEntryBytes + kTailBytes);
  for (const ChunkEntry& chunk : chunks) {
    append_le(to, chunk.stored_bytes);
    to += base::as_bytes(chunk.tag.bytes);
  }
  append_le(to, value_bytes);
  append_le(to, static_cast<std::uint32_t>(chunks.size()));
  append_le(to, kTailMagic);
  append_le(to, base::hash64(to));
  return to;
}

base::Tag tag_of_record(base::TagAlgorithm algorithm, std::string_view head, std::string_view tail) {
  return tag_of_pieces(algorithm, {head, tail});
}

Result<RecordShape> decode_shape(std::string_view head, std::string_view tail, std::uint64_t stored_bytes) {
  RecordShape shape;
  LIGHTNING_ASSIGN(shape.head, decode_head(head));
  if (head.size() != kHeadBytes + shape.head.key_bytes || !head_verifies(head))
    return corrupt("a record's head does not match its check value");
  if (tail.size() < kTailBytes || (tail.size() - kTailBytes) % kChunkEntryBytes != 0)
    return corrupt("a record's tail is cut short");
  const char* end = tail.data() + tail.size();
  if (load_le<std::uint32_t>(end - 12) != kTailMagic ||
      load_le<std::uint64_t>(end - 8) != base::hash64(tail.substr(0, tail.size() - 8)))
    return corrupt("a record's tail does not match its check value");
  const std::uint64_t count = (tail.size() - kTailBytes) / kChunkEntryBytes;
  shape.value_bytes = load_le<std::uint64_t>(end - 24);
  if (load_le<std::uint32_t>(end - 16) != count || shape.value_bytes > kValueBytesMax ||
      chunks_of(shape.value_bytes) != count)
    return corrupt("a record's tail contradicts itself");
  shape.chunks_offset = head.size();
  shape.chunks.reserve(count);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const char* entry = tail.data() + i * kChunkEntryBytes;
    ChunkEntry chunk{load_le<std::uint32_t>(entry), load_tag({entry + 4, sizeof(base::Tag::bytes)})};
    if (chunk.stored_bytes == 0 || chunk.stored_bytes > shape.chunk_raw_bytes(i))
      return corrupt("a record's chunk has an impossible size");
    sum += chunk.stored_bytes;
    shape.chunks.push_back(chunk);
  }
  if (head.size() + sum + tail.size() != stored_bytes) return corrupt("a record's parts do not follow one another");
  return shape;
}

Result<RecordShape> decode_shape(std::string_view head, std::string_view tail, std::string_view key,
                                 const Reference& reference) {
  LIGHTNING_ASSIGN(RecordShape shape, decode_shape(head, tail, reference.stored_bytes));
  if (head.substr(kHeadBytes) != key || shape.head.id != reference.id || shape.value_bytes != reference.value_bytes)
    return corrupt("another record lies where the reference points");
  if (tag_of_record(reference.tags, head, tail) != reference.tag)
    return corrupt("a record does not match the tag that its reference holds");
  return shape;
}

// --- index, header, footer
// --------------------------------------------------------------------------------------------

void append_entry(std::string& to, const IndexEntry& entry) {
  append_le(to, entry.id.origin);
  append_le(to, entry.id.ordinal);
  append_le(to, entry.offset);
  append_le(to, entry.stored_bytes);
}

IndexEntry load_entry(const char* from) {
  IndexEntry entry;
  entry.id.origin = load_le<std::uint64_t>(from);
  entry.id.ordinal = load_le<std::uint64_t>(from + 8);
  entry.offset = load_le<std::uint64_t>(from + 16);
  entry.stored_bytes = load_le<std::uint64_t>(from + 24);
  return entry;
}

std::string encode(const Header& header) {
  std::string to;
  to.reserve(kHeaderBytes);
  to += kHeaderMagic;
  append_le(to, format::kFormatVersion);
  append_le(to, static_cast<std::uint32_t>(kHeaderBytes));
  append_le(to, format::kKnownFeatures.incompatible);
  append_le(to, format::kKnownFeatures.write_compatible);
  append_le(to, format::kKnownFeatures.compatible);
  to += base::as_bytes(header.store_id.bytes);
  to += base::as_bytes(header.uid.bytes);
  append_le(to, header.number);
  append_le(to, std::uint64_t{0});  // key id, zero
  append_le(to, base::hash64(to));
  return to;
}

Result<Header> decode_header(std::string_view bytes) {
  if (bytes.size() != kHeaderBytes) return corrupt("the header is cut short");
  if (bytes.substr(0, 8) != kHeaderMagic)
    return corrupt("this is not a Lightning DB blob file: its first 8 bytes differ");
  if (load_le<std::uint64_t>(bytes.data() + 88) != base::hash64(bytes.substr(0, 88)))
    return corrupt("the header does not match its check value");
  if (const auto version = load_le<std::uint32_t>(bytes.data() + 8); version != format::kFormatVersion)
    return Error(ErrorCode::kFormatUnsupported, "blob file of format version " + std::to_string(version) +
                                                    ", this program reads version " +
                                                    std::to_string(format::kFormatVersion));
  if ((load_le<std::uint64_t>(bytes.data() + 16) & ~format::kKnownFeatures.incompatible) != 0)
    return Error(ErrorCode::kFormatUnsupported, "the blob file needs features that this program does not know");
  if (load_le<std::uint64_t>(bytes.data() + 80) != 0)
    return Error(ErrorCode::kFormatUnsupported, "the blob file is encrypted");
  Header header;
  header.store_id = load_uid(bytes.data() + 40);
  header.uid = load_uid(bytes.data() + 56);
  header.number = load_le<std::uint64_t>(bytes.data() + 72);
  return header;
}

std::string encode(const Footer& footer, std::uint64_t file_bytes) {
  std::string to;
  to.reserve(kFooterBytes);
  append_le(to, format::kFormatVersion);
  append_le(to, static_cast<std::uint32_t>(footer.tags));
  to += base::as_bytes(footer.store_id.bytes);
  to += base::as_bytes(footer.uid.bytes);
  append_le(to, footer.number);
  append_le(to, footer.records);
  append_le(to, footer.record_bytes);
  append_le(to, footer.index_offset);
  append_le(to, footer.index_bytes());
  to += base::as_bytes(footer.index_tag.bytes);
  append_le(to, footer.created_ns);
  append_le(to, std::uint64_t{0});
  append_le(to, base::hash64(to, file_bytes));
  to += kFooterMagic;
  return to;
}

Result<Footer> decode_footer(std::string_view bytes, std::uint64_t file_bytes) {
  if (bytes.size() != kFooterBytes || bytes.substr(kFooterBytes - 8) != kFooterMagic)
    return corrupt("the blob file does not end as one does: it is cut short or overwritten");
  if (load_le<std::uint64_t>(bytes.data() + 112) != base::hash64(bytes.substr(0, 112), file_bytes))
    return corrupt("the footer does not match its check value");
  const auto tags = load_le<std::uint32_t>(bytes.data() + 4);
  Footer footer;
  footer.tags = static_cast<base::TagAlgorithm>(tags);
  if (load_le<std::uint32_t>(bytes.data()) != format::kFormatVersion || tags > 0xff || !known(footer.tags))
    return Error(ErrorCode::kFormatUnsupported, "the blob file's footer is of a kind that this program cannot read");
  footer.store_id = load_uid(bytes.data() + 8);
  footer.uid = load_uid(bytes.data() + 24);
  footer.number = load_le<std::uint64_t>(bytes.data() + 40);
  footer.records = load_le<std::uint64_t>(bytes.data() + 48);
  footer.record_bytes = load_le<std::uint64_t>(bytes.data() + 56);
  footer.index_offset = load_le<std::uint64_t>(bytes.data() + 64);
  footer.index_tag = load_tag(bytes.substr(80));
  footer.created_ns = load_le<std::uint64_t>(bytes.data() + 96);
  const std::uint64_t before = file_bytes - kFooterBytes;
  if (footer.records > before / kIndexEntryBytes || load_le<std::uint64_t>(bytes.data() + 72) != footer.index_bytes() ||
      footer.index_offset < kHeaderBytes || footer.index_offset > before ||
      before - footer.index_offset != footer.index_bytes() || footer.record_bytes > footer.index_offset - kHeaderBytes)
    return corrupt("the footer contradicts the size of the file");
  return footer;
}

base::Tag tag_of_index(base::TagAlgorithm algorithm, const format::Uid& file, std::string_view index) {
  return tag_of_pieces(algorithm, {index, base::as_bytes(file.bytes)});
}

base::Tag tag_of_footer(base::TagAlgorithm algorithm, std::string_view footer) {
  return base::tag_of(algorithm, footer);
}

}  // namespace lightning::blob
