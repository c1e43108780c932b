#include "fuzz/support/log_repair.h"

#include <algorithm>

#include "base/coding.h"
#include "wal/layout.h"

namespace lightning::fuzz {

namespace {

using base::load_le;
using base::store_le;

constexpr std::string_view kMagic{"LDBLOG1\0", 8};
constexpr std::size_t kUidBytes = 16;

void repair_check(char* block) { store_le(block + wal::kBlockBytes - 8, base::hash64({block, wal::kBlockBytes - 8})); }

// Blocks without their magic are left alone: a segment may lack them.
bool is_block(const char* block, std::string_view magic) { return std::string_view(block, magic.size()) == magic; }

struct Chain {
  std::uint64_t value = 0;
  std::string payload;  // of the commit whose fragments are being read
};

// The record at `offset`; false if there is none.
bool repair_record(std::string& segment, std::uint64_t offset, std::uint64_t seed, Chain& chain, std::uint64_t& next) {
  if (offset + wal::kRecordHeaderBytes > segment.size()) return false;
  char* const b = segment.data() + offset;
  wal::RecordHeader header;
  header.payload_bytes = load_le<std::uint32_t>(b + 8);
  header.kind = static_cast<wal::RecordKind>(b[12]);
  header.flags = static_cast<std::uint8_t>(b[13]);
  if (wal::record_bytes(header) > segment.size() - offset || b[12] == 0) return false;
  header.first_sequence = load_le<std::uint64_t>(b + 16);
  header.operations = load_le<std::uint32_t>(b + 24);
  header.epoch = load_le<std::uint32_t>(b + 28);
  header.commit_time_ns = load_le<std::uint64_t>(b + 32);
  header.durable = load_le<std::uint64_t>(b + 40);
  const std::string_view payload(b + wal::kRecordHeaderBytes, header.payload_bytes);
  header.payload_hash = base::hash64(payload);
  if (wal::begins_commit(header.kind)) chain.payload.clear();
  if (header.kind != wal::RecordKind::kMark) chain.payload += payload;
  if (wal::completes_commit(header.kind))
    chain.value = wal::extend_chain(chain.value, {.payload_hash = base::hash64(chain.payload),
                                                  .first_sequence = header.first_sequence,
                                                  .commit_time_ns = header.commit_time_ns,
                                                  .payload_bytes = chain.payload.size(),
                                                  .operations = header.operations,
                                                  .epoch = header.epoch});
  header.chain = chain.value;
  const wal::RecordHeaderBytes bytes = wal::encode(header, seed, offset);
  std::ranges::copy(bytes, b);
  if (header.has_tag()) {
    const base::Tag tag = wal::record_tag(bytes, payload);
    std::ranges::copy(base::as_bytes(tag.bytes), b + wal::kRecordHeaderBytes + header.payload_bytes);
  }
  next = offset + wal::record_bytes(header);
  return true;
}

void repair_segment(std::string& segment, std::uint64_t number, const std::string& store, Chain& chain) {
  if (segment.size() < wal::kHeaderPageBytes) return;
  char* const prepared = segment.data();
  std::ranges::copy(kMagic, prepared);
  std::ranges::copy(store, prepared + 40);
  store_le(prepared + 72, number);
  store_le<std::uint64_t>(prepared + 88, segment.size());
  repair_check(prepared);

  char* const start = prepared + wal::kStartBlockOffset;
  std::copy_n(prepared + 56, kUidBytes, start + 8);
  store_le(start + 24, number);
  if (number == 1) chain.value = load_le<std::uint64_t>(start + 40);
  store_le(start + 40, chain.value);
  std::ranges::copy(store, start + 88);
  if (is_block(start, "LDBSTART")) repair_check(start);

  format::Uid uid;
  std::copy_n(prepared + 56, kUidBytes, reinterpret_cast<char*>(uid.bytes.data()));
  const std::uint64_t seed = wal::segment_seed(uid);
  std::uint64_t at = wal::kHeaderPageBytes;
  while (repair_record(segment, at, seed, chain, at)) {}
  char* const seal = prepared + wal::kSealBlockOffset;
  if (!is_block(seal, {"LDBSEAL\0", 8})) return;
  std::copy_n(prepared + 56, kUidBytes, seal + 8);
  store_le(seal + 24, number);
  store_le(seal + 48, chain.value);
  const std::uint64_t end = load_le<std::uint64_t>(seal + 32);
  if (end >= wal::kHeaderPageBytes && end <= segment.size())
    std::ranges::copy(base::as_bytes(base::digest_of(
                          std::string_view(segment).substr(wal::kHeaderPageBytes, end - wal::kHeaderPageBytes))),
                      seal + 72);
  repair_check(seal);
}

}  // namespace

std::vector<std::string> split_segments(std::string_view input) {
  constexpr std::size_t kPlaces = 512, kSegmentsMax = 4;
  std::vector<std::string> segments;
  for (std::size_t at = kPlaces; at < input.size() && segments.size() + 1 < kSegmentsMax;) {
    if (input.substr(at).starts_with(kMagic)) {
      segments.emplace_back(input.substr(0, at));
      input.remove_prefix(at);
      at = 0;
    }
    at += kPlaces;
  }
  segments.emplace_back(input);
  return segments;
}

void repair_segments(std::vector<std::string>& segments) {
  Chain chain;
  const std::string store =
      segments[0].size() < wal::kHeaderPageBytes ? std::string() : segments[0].substr(40, kUidBytes);
  for (std::size_t i = 0; i < segments.size(); ++i) repair_segment(segments[i], i + 1, store, chain);
}

}  // namespace lightning::fuzz
