// Reading large values: from a reference in a view to the value.
#include <algorithm>

#include "engine/engine.h"
#include "sstable/layout.h"

namespace lightning::engine {

namespace {

Error naming(std::string_view key, const Error& error) {
  return Error(error).in_key_range("[" + sstable::printable_key(key) + "]");
}

}  // namespace

Error Engine::large_damage(const manifest::Version& version, std::string_view key, const Error& error) {
  note_damage(version, error);
  return naming(key, error);
}

Result<Engine::LargeValue> Engine::find_large(const manifest::Version& version, std::string_view encoded) {
  LargeValue large;
  LIGHTNING_ASSIGN(large.reference, blob::decode_reference(encoded));
  large.blob = version.blob_of(large.reference.id.origin);
  if (large.blob == nullptr)
    return Error(ErrorCode::kInconsistentState, "a value lies in blob file " +
                                                    std::to_string(large.reference.id.origin) +
                                                    ", which the database does not name");
  return large;
}

Status Engine::load_large(const manifest::Version& version, std::string_view key, std::string_view encoded,
                          std::string& value) {
  LIGHTNING_ASSIGN(const LargeValue large, find_large(version, encoded));
  // Head and tail confirm what the reference says of the size before so much memory is taken.
  const auto cursor = blob::ValueCursor::open(*large.blob->file, key, large.reference);
  if (!cursor) return naming(key, cursor.error());
  value.resize(cursor->size());
  const Status status = large.blob->file->read_into(key, large.reference, value);
  if (!status) return naming(key, status.error());
  return {};
}

cache::Block* Engine::find_large_cached(const ReadView& view, std::string_view key, std::string_view encoded,
                                        std::string_view& value) {
  const auto large = find_large(*view.version, encoded);
  cache::Block* block =
      large && !large->reference.expiry_ms ? large->blob->file->find_cached(large->reference) : nullptr;
  if (block != nullptr) value = blob::BlobFile::value_in(*block, key, large->reference);
  return block;
}

Result<cache::Block*> Engine::pin_large(const ReadView& view, std::string_view key, std::string_view encoded, bool fill,
                                        std::string_view& value) {
  LIGHTNING_ASSIGN(const LargeValue large, find_large(*view.version, encoded));
  auto block = large.blob->file->read(key, large.reference, fill);
  if (!block) return large_damage(*view.version, key, block.error());
  value = blob::BlobFile::value_in(**block, key, large.reference);
  return block;
}

Status Engine::read_large(const ReadView& view, std::string_view key, std::string_view encoded, bool fill,
                          std::string& value) {
  LIGHTNING_ASSIGN(const LargeValue large, find_large(*view.version, encoded));
  if (large.reference.stored_bytes <= blob::kCachedRecordBytesMax) {
    std::string_view bytes;
    LIGHTNING_ASSIGN(cache::Block * block, pin_large(view, key, encoded, fill, bytes));
    value.assign(bytes);
    cache::BlockCache::release(block);
    return {};
  }
  const Status status = load_large(*view.version, key, encoded, value);
  if (!status) note_damage(*view.version, status.error());
  return status;
}

// Reads that wait for the same file are in flight together.
Status Engine::pin_many_large(const ReadView& view, std::span<LargeRead> reads, bool fill) {
  std::vector<LargeValue> values(reads.size());
  std::map<format::FileNumber, std::vector<std::size_t>> by_file;
  for (std::size_t i = 0; i < reads.size(); ++i) {
    LIGHTNING_ASSIGN(values[i], find_large(*view.version, reads[i].encoded));
    by_file[values[i].blob->meta().number].push_back(i);
  }
  Status status;
  for (const auto& [number, indexes] : by_file) {
    std::vector<blob::BlobFile::Load> loads;
    loads.reserve(indexes.size());
    for (const std::size_t i : indexes) loads.push_back({.key = reads[i].key, .reference = &values[i].reference});
    values[indexes.front()].blob->file->read_many(loads, fill);
    for (std::size_t n = 0; n < loads.size(); ++n) {
      LargeRead& read = reads[indexes[n]];
      if (!loads[n].block) {
        note_damage(*view.version, loads[n].block.error());
        if (status) status = naming(read.key, loads[n].block.error());
        continue;
      }
      read.block = *loads[n].block;
      read.value = blob::BlobFile::value_in(*read.block, read.key, *loads[n].reference);
    }
  }
  return status;
}

}  // namespace lightning::engine
