#include "sstable/properties.h"

#include "base/coding.h"
#include "sstable/table.h"

namespace lightning::sstable {

namespace {

// The numbers at the front of the block, in their order on disk.
constexpr std::uint64_t StoredProperties::* kNumbers[] = {
    &StoredProperties::entries,           &StoredProperties::tombstones,        &StoredProperties::key_bytes,
    &StoredProperties::value_bytes,       &StoredProperties::distinct_keys,     &StoredProperties::blocks,
    &StoredProperties::data_stored_bytes, &StoredProperties::index_bytes,       &StoredProperties::filter_bytes,
    &StoredProperties::created_ns,        &StoredProperties::smallest_sequence, &StoredProperties::largest_sequence};

}  // namespace

void StoredProperties::describe(TableMeta& meta) const {
  meta.smallest_key = smallest_key;
  meta.largest_key = largest_key;
  meta.smallest_sequence = smallest_sequence;
  meta.largest_sequence = largest_sequence;
  meta.entries = entries;
  meta.tombstones = tombstones;
  meta.data_bytes = key_bytes + value_bytes;
}

std::string encode(const StoredProperties& properties) {
  std::string bytes;
  for (const auto number : kNumbers) base::append_le(bytes, properties.*number);
  base::append_le(bytes, properties.block_bytes);
  base::append_le(bytes, properties.filter_bits_per_key);
  bytes += static_cast<char>(properties.compression);
  bytes.append(7, '\0');
  base::append_length_prefixed(bytes, properties.smallest_key);
  base::append_length_prefixed(bytes, properties.largest_key);
  return bytes;
}

Result<StoredProperties> decode_properties(std::string_view bytes) {
  StoredProperties properties;
  bool whole = true;
  for (const auto number : kNumbers) whole = whole && base::get_le(bytes, properties.*number);
  whole = whole && base::get_le(bytes, properties.block_bytes) && base::get_le(bytes, properties.filter_bits_per_key);
  std::string_view compression, smallest, largest;
  whole = whole && base::get_bytes(bytes, 8, compression) && base::get_length_prefixed(bytes, smallest) &&
          base::get_length_prefixed(bytes, largest) && bytes.empty();
  if (!whole || smallest.size() > kKeyBytesMax || largest.size() > kKeyBytesMax)
    return Error(ErrorCode::kTableCorrupt, "the properties do not have the form they should");
  properties.compression = static_cast<Compression>(compression.front());
  properties.smallest_key = smallest;
  properties.largest_key = largest;
  return properties;
}

}  // namespace lightning::sstable
