// blob/blob_file.h: a whole blob file, as it is and with its check values put right: described, opened, checked, its
// records read by reference.
#include "blob/blob_file.h"

#include <algorithm>

#include "base/coding.h"
#include "base/epoch.h"
#include "env/simulated_world.h"
#include "fuzz/support/target.h"

namespace lightning::blob {

namespace {

using base::load_le;
using base::store_le;

struct Pieces {
  std::string head, tail;  // with key; with chunk table
};

// Of the record that lies there, as it says itself; empty if it says nothing possible.
Pieces pieces_of(std::string_view file, const IndexEntry& entry) {
  if (entry.offset > file.size() || entry.stored_bytes > file.size() - entry.offset) return {};
  const std::string_view record = file.substr(entry.offset, entry.stored_bytes);
  if (record.size() < kHeadBytes + kTailBytes) return {};
  const std::uint64_t head_bytes = kHeadBytes + load_le<std::uint32_t>(record.data() + 4);
  const std::uint64_t table =
      std::uint64_t{load_le<std::uint32_t>(record.data() + record.size() - 16)} * kChunkEntryBytes;
  if (head_bytes + table + kTailBytes > record.size()) return {};
  return {std::string(record.substr(0, head_bytes)), std::string(record.substr(record.size() - kTailBytes - table))};
}

void repair_record(std::string& file, const IndexEntry& entry) {
  Pieces pieces = pieces_of(file, entry);
  if (pieces.head.empty()) return;
  char* const record = file.data() + entry.offset;
  char* const tail = record + entry.stored_bytes - pieces.tail.size();
  const auto tags = static_cast<base::TagAlgorithm>(record[24] == 1 ? 1 : 2);
  char* chunk = record + pieces.head.size();
  for (std::size_t at = 0; at + kTailBytes < pieces.tail.size(); at += kChunkEntryBytes) {
    const auto stored = load_le<std::uint32_t>(tail + at);
    if (stored > static_cast<std::uint64_t>(tail - chunk)) break;
    std::ranges::copy(base::as_bytes(base::tag_of(tags, {chunk, stored}).bytes), tail + at + 4);
    chunk += stored;
  }
  store_le(record + 32,
           base::hash64({record + kHeadBytes, pieces.head.size() - kHeadBytes}, base::hash64({record, 32})));
  store_le(tail + pieces.tail.size() - 8, base::hash64({tail, pieces.tail.size() - 8}));
}

// Records, index, footer and header; what is out of place stays so.
void repair_blob_file(std::string& file) {
  if (file.size() < kHeaderBytes + kFooterBytes) return;
  store_le(file.data() + 88, base::hash64(std::string_view(file).substr(0, 88)));
  char* const footer = file.data() + file.size() - kFooterBytes;
  std::copy_n(file.data() + 40, 40, footer + 8);  // store, file and number
  const std::uint64_t index_offset = load_le<std::uint64_t>(footer + 64), end = file.size() - kFooterBytes;
  if (index_offset <= end) {
    for (std::uint64_t at = index_offset; at + kIndexEntryBytes <= end; at += kIndexEntryBytes)
      repair_record(file, load_entry(file.data() + at));
    format::Uid uid;
    std::copy_n(file.data() + 56, 16, reinterpret_cast<char*>(uid.bytes.data()));
    const auto tags = static_cast<base::TagAlgorithm>(footer[4] == 1 ? 1 : 2);
    const base::Tag tag = tag_of_index(tags, uid, std::string_view(file).substr(index_offset, end - index_offset));
    std::ranges::copy(base::as_bytes(tag.bytes), footer + 80);
  }
  store_le(footer + 112, base::hash64({footer, 112}, file.size()));
}

// The reference to a record, from what the record says.
std::optional<Reference> reference_to(std::string_view file, const IndexEntry& entry) {
  const Pieces pieces = pieces_of(file, entry);
  if (pieces.head.empty()) return std::nullopt;
  const auto shape = decode_shape(pieces.head, pieces.tail, entry.stored_bytes);
  if (!shape || shape->value_bytes == 0) return std::nullopt;
  Reference reference{.id = entry.id,
                      .offset = entry.offset,
                      .stored_bytes = entry.stored_bytes,
                      .value_bytes = shape->value_bytes,
                      .tags = shape->head.tags,
                      .tag = tag_of_record(shape->head.tags, pieces.head, pieces.tail),
                      .expiry_ms = {}};
  reference.plain = entry.stored_bytes == plain_record_bytes(pieces.head.size() - kHeadBytes, shape->value_bytes);
  return reference;
}

void read_record(const BlobFile& file, std::string_view bytes, const IndexEntry& entry, bool sound) {
  const auto key = file.key_of(entry);
  std::uint64_t copied = 0;
  const Status copy = file.copy_record(entry, nullptr, [&](std::string_view piece) -> Status {
    copied += piece.size();
    return {};
  });
  if (copy) FUZZ_EXPECT(copied == entry.stored_bytes);
  const auto reference = reference_to(bytes, entry);
  if (sound) FUZZ_EXPECT(key && copy && reference);
  if (!key || !reference || reference->value_bytes > (8u << 20)) return;
  FUZZ_EXPECT(decode_reference(encode(*reference)));
  const auto block = file.read(*key, *reference, true);
  std::string value(reference->value_bytes, '\0');
  const Status read = file.read_into(*key, *reference, value);
  FUZZ_EXPECT(block.has_value() == read.has_value());
  if (sound && reference->plain) FUZZ_EXPECT(read);  // that chunks decompress is for readers to find out
  if (!block) return;
  FUZZ_EXPECT(BlobFile::value_in(**block, *key, *reference) == value);
  cache::BlockCache::release(*block);
}

bool fuzz_file(const std::string& bytes) {
  env::SimulatedWorld world(1);
  FUZZ_EXPECT(world.files.put_file("/b.blob", bytes));
  (void)is_complete(world.env, "/b.blob");
  const auto described = describe(world.env, "/b.blob");
  if (!described) return false;
  base::MemoryBudget budget(16 << 20);
  base::EpochDomain epochs;
  cache::BlockCache cache(budget, epochs);
  const auto file = BlobFile::open(world.env, "/b.blob", described->store_id, described->meta, cache, budget);
  if (!file) return false;
  bool sound = true;
  (*file)->check([&](const Error& finding) { return sound = false, !finding.to_string().empty(); }, {});
  std::uint64_t records = 0;
  const Status listed = (*file)->for_each([&](const IndexEntry& entry) -> Status {
    ++records;
    read_record(**file, bytes, entry, sound);
    return {};
  });
  if (sound) FUZZ_EXPECT(listed && records == (*file)->meta().records);
  return sound;
}

}  // namespace

LIGHTNING_FUZZ_TARGET(blob_file) {
  std::string bytes(input);
  const bool taken = fuzz_file(bytes);
  repair_blob_file(bytes);
  return bytes == input ? taken : fuzz_file(bytes) || taken;
}

}  // namespace lightning::blob
