#include "wal/layout.h"

#include <cstdio>

#include "base/coding.h"
#include "format/entry.h"

namespace lightning::wal {

namespace {

using base::load_le;
using base::store_le;

constexpr std::size_t kCheckOffset = kBlockBytes - 8;
constexpr std::string_view kPreparedMagic{"LDBLOG1\0", 8}, kStartMagic{"LDBSTART", 8}, kSealMagic{"LDBSEAL\0", 8};

void store_uid(char* to, const format::Uid& uid) { std::memcpy(to, uid.bytes.data(), uid.bytes.size()); }
format::Uid load_uid(const char* from) {
  format::Uid uid;
  std::memcpy(uid.bytes.data(), from, uid.bytes.size());
  return uid;
}

Block begin(std::string_view magic) {
  Block block{};
  std::memcpy(block.data(), magic.data(), magic.size());
  return block;
}
const Block& finish(Block& block) {
  store_le(block.data() + kCheckOffset, base::hash64({block.data(), kCheckOffset}));
  return block;
}
bool verifies(std::string_view bytes, std::string_view magic) {
  return bytes.size() >= kBlockBytes && bytes.substr(0, magic.size()) == magic &&
         load_le<std::uint64_t>(bytes.data() + kCheckOffset) == base::hash64(bytes.substr(0, kCheckOffset));
}

}  // namespace

std::string segment_name(format::FileNumber number) {
  char name[32];
  std::snprintf(name, sizeof name, "%020llu.log", static_cast<unsigned long long>(number));
  return name;
}

std::optional<format::FileNumber> segment_number(std::string_view name) {
  if (name.size() != 24 || !name.ends_with(".log")) return std::nullopt;
  format::FileNumber number = 0;
  for (const char c : name.substr(0, 20)) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<unsigned>(c - '0');
    if (__builtin_mul_overflow(number, 10u, &number) || __builtin_add_overflow(number, digit, &number))
      return std::nullopt;
  }
  return number;
}

std::string_view name_of(RecordKind kind) {
  switch (kind) {
    case RecordKind::kFull:
      return "full";
    case RecordKind::kFirst:
      return "first";
    case RecordKind::kMiddle:
      return "middle";
    case RecordKind::kLast:
      return "last";
    case RecordKind::kMark:
      return "mark";
  }
  return "unknown";
}

Block encode(const PreparedBlock& from) {
  Block block = begin(kPreparedMagic);
  char* const b = block.data();
  store_le(b + 8, from.format_version);
  store_le(b + 12, static_cast<std::uint32_t>(kHeaderPageBytes));
  store_le(b + 16, from.features.incompatible);
  store_le(b + 24, from.features.write_compatible);
  store_le(b + 32, from.features.compatible);
  store_uid(b + 40, from.store_id);
  store_uid(b + 56, from.segment_uid);
  store_le(b + 72, from.number);
  store_le(b + 80, from.epoch);
  store_le(b + 88, from.segment_bytes);
  store_le(b + 96, from.life);
  store_le(b + 104, from.key_id);
  store_le(b + 106, from.parity_scheme);
  store_le(b + 107, static_cast<std::uint8_t>(from.recycled ? 1 : 0));
  store_le(b + 112, from.time_ns);
  return finish(block);
}

std::optional<PreparedBlock> decode_prepared(std::string_view bytes) {
  if (!verifies(bytes, kPreparedMagic)) return std::nullopt;
  const char* const b = bytes.data();
  PreparedBlock block;
  block.format_version = load_le<std::uint32_t>(b + 8);
  block.features = {load_le<std::uint64_t>(b + 16), load_le<std::uint64_t>(b + 24), load_le<std::uint64_t>(b + 32)};
  block.store_id = load_uid(b + 40);
  block.segment_uid = load_uid(b + 56);
  block.number = load_le<std::uint64_t>(b + 72);
  block.epoch = load_le<std::uint64_t>(b + 80);
  block.segment_bytes = load_le<std::uint64_t>(b + 88);
  block.life = load_le<std::uint64_t>(b + 96);
  block.key_id = load_le<std::uint16_t>(b + 104);
  block.parity_scheme = load_le<std::uint8_t>(b + 106);
  block.recycled = (load_le<std::uint8_t>(b + 107) & 1) != 0;
  block.time_ns = load_le<std::uint64_t>(b + 112);
  return block;
}

Block encode(const StartBlock& from) {
  Block block = begin(kStartMagic);
  char* const b = block.data();
  store_uid(b + 8, from.segment_uid);
  store_le(b + 24, from.number);
  store_le(b + 32, from.start.last_sequence);
  store_le(b + 40, from.start.chain);
  store_le(b + 48, from.durable);
  store_le(b + 56, from.time_ns);
  store_le(b + 64, from.previous);
  store_le(b + 72, from.life);
  store_le(b + 80, from.continues);
  store_uid(b + 88, from.store_id);
  store_le(b + 104, from.manifest.generation);
  store_le(b + 112, from.manifest.records);
  return finish(block);
}

std::optional<StartBlock> decode_start(std::string_view bytes) {
  if (!verifies(bytes, kStartMagic)) return std::nullopt;
  const char* const b = bytes.data();
  StartBlock block;
  block.segment_uid = load_uid(b + 8);
  block.number = load_le<std::uint64_t>(b + 24);
  block.start = {load_le<std::uint64_t>(b + 32), load_le<std::uint64_t>(b + 40)};
  block.durable = load_le<std::uint64_t>(b + 48);
  block.time_ns = load_le<std::uint64_t>(b + 56);
  block.previous = load_le<std::uint64_t>(b + 64);
  block.life = load_le<std::uint64_t>(b + 72);
  block.continues = load_le<std::uint64_t>(b + 80);
  block.store_id = load_uid(b + 88);
  block.manifest = {load_le<std::uint64_t>(b + 104), load_le<std::uint64_t>(b + 112)};
  return block;
}

Block encode(const SealBlock& from) {
  Block block = begin(kSealMagic);
  char* const b = block.data();
  store_uid(b + 8, from.segment_uid);
  store_le(b + 24, from.number);
  store_le(b + 32, from.end);
  store_le(b + 40, from.position.last_sequence);
  store_le(b + 48, from.position.chain);
  store_le(b + 56, from.durable);
  store_le(b + 64, from.time_ns);
  if (from.digest) std::memcpy(b + 72, from.digest->data(), from.digest->size());
  store_le(b + 104, std::uint64_t{from.digest ? 1u : 0u});
  store_le(b + 112, from.records);
  return finish(block);
}

std::optional<SealBlock> decode_seal(std::string_view bytes) {
  if (!verifies(bytes, kSealMagic)) return std::nullopt;
  const char* const b = bytes.data();
  SealBlock block;
  block.segment_uid = load_uid(b + 8);
  block.number = load_le<std::uint64_t>(b + 24);
  block.end = load_le<std::uint64_t>(b + 32);
  block.position = {load_le<std::uint64_t>(b + 40), load_le<std::uint64_t>(b + 48)};
  block.durable = load_le<std::uint64_t>(b + 56);
  block.time_ns = load_le<std::uint64_t>(b + 64);
  if ((load_le<std::uint64_t>(b + 104) & 1) != 0) {
    block.digest.emplace();
    std::memcpy(block.digest->data(), b + 72, block.digest->size());
  }
  block.records = load_le<std::uint64_t>(b + 112);
  return block;
}

RecordHeaderBytes encode(const RecordHeader& from, std::uint64_t seed, std::uint64_t offset) {
  RecordHeaderBytes bytes;
  char* const b = bytes.data();
  store_le(b + 8, from.payload_bytes);
  store_le(b + 12, static_cast<std::uint8_t>(from.kind));
  store_le(b + 13, from.flags);
  store_le(b + 14, std::uint16_t{0});
  store_le(b + 16, from.first_sequence);
  store_le(b + 24, from.operations);
  store_le(b + 28, from.epoch);
  store_le(b + 32, from.commit_time_ns);
  store_le(b + 40, from.durable);
  store_le(b + 48, from.chain);
  store_le(b + 56, from.payload_hash);
  store_le(b, base::hash64({b + 8, kRecordHeaderBytes - 8}, seed ^ offset));
  return bytes;
}

std::optional<RecordHeader> decode_record(std::string_view bytes, std::uint64_t seed, std::uint64_t offset,
                                          std::uint64_t limit) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  const char* const b = bytes.data();
  // Cheap questions first: a search asks at every eighth byte of a segment.
  const auto kind = load_le<std::uint8_t>(b + 12);
  if (kind < static_cast<std::uint8_t>(RecordKind::kFull) || kind > static_cast<std::uint8_t>(RecordKind::kMark))
    return std::nullopt;
  RecordHeader header;
  header.payload_bytes = load_le<std::uint32_t>(b + 8);
  header.kind = static_cast<RecordKind>(kind);
  header.flags = load_le<std::uint8_t>(b + 13);
  if (header.flags > kRecordHasTag || load_le<std::uint16_t>(b + 14) != 0) return std::nullopt;
  if (offset > limit || record_bytes(header) > limit - offset) return std::nullopt;
  if (load_le<std::uint64_t>(b) != base::hash64({b + 8, kRecordHeaderBytes - 8}, seed ^ offset)) return std::nullopt;
  header.first_sequence = load_le<std::uint64_t>(b + 16);
  header.operations = load_le<std::uint32_t>(b + 24);
  header.epoch = load_le<std::uint32_t>(b + 28);
  header.commit_time_ns = load_le<std::uint64_t>(b + 32);
  header.durable = load_le<std::uint64_t>(b + 40);
  header.chain = load_le<std::uint64_t>(b + 48);
  header.payload_hash = load_le<std::uint64_t>(b + 56);
  const bool mark = header.kind == RecordKind::kMark;
  if (mark != (header.operations == 0) || (mark && header.payload_bytes != 0)) return std::nullopt;
  // What a trailer has no room for was never given out.
  if (header.first_sequence == 0 || header.first_sequence > format::kSequenceMax ||
      header.operations > format::kSequenceMax - header.first_sequence + 1)
    return std::nullopt;
  return header;
}

base::Tag record_tag(const RecordHeaderBytes& header, std::string_view payload) {
  base::DigestBuilder builder;
  builder.add({header.data() + 8, header.size() - 8});
  builder.add(payload);
  const base::Digest digest = builder.finish();
  base::Tag tag;
  std::memcpy(tag.bytes.data(), digest.data(), tag.bytes.size());
  return tag;
}

}  // namespace lightning::wal
