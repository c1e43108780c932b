#include "sstable/properties.h"

#include <algorithm>

#include "base/coding.h"
#include "sstable/table.h"

namespace lightning::sstable {

namespace {

// The numbers at the front of the block, in their order on disk.
constexpr std::uint64_t StoredProperties::* kNumbers[] = {
    &StoredProperties::entries,           &StoredProperties::tombstones,        &StoredProperties::key_bytes,
    &StoredProperties::value_bytes,       &StoredProperties::distinct_keys,     &StoredProperties::blocks,
    &StoredProperties::data_stored_bytes, &StoredProperties::index_bytes,       &StoredProperties::filter_bytes,
    &StoredProperties::created_ns,        &StoredProperties::smallest_sequence, &StoredProperties::largest_sequence,
    &StoredProperties::range_tombstones,  &StoredProperties::tombstone_run};

// What only some tables have to say, behind the keys: field number, length, body. On disk: never reused. Below 128 a
// reader must understand the field; from 128 on it may skip it.
enum Field : std::uint64_t { kExpiring = 128, kOrigin = 129 };
constexpr std::uint64_t kFirstOptionalField = 128;

std::string encode_origin(const TableOrigin& origin) {
  std::string bytes;
  base::append_varint(bytes, origin.keyspace);
  base::append_length_prefixed(bytes, origin.name);
  base::append_length_prefixed(bytes, origin.options);
  return bytes;
}

bool decode_origin(std::string_view bytes, TableOrigin& origin) {
  std::uint64_t keyspace = 0;
  std::string_view name, options;
  if (!base::get_varint(bytes, keyspace) || keyspace >= format::kNoKeyspace ||
      !base::get_length_prefixed(bytes, name) || !base::get_length_prefixed(bytes, options) || !bytes.empty())
    return false;
  origin = {static_cast<std::uint32_t>(keyspace), std::string(name), std::string(options)};
  return true;
}

}  // namespace

void StoredProperties::describe(TableMeta& meta, const format::RangeTombstones* ranges) const {
  meta.smallest_key = smallest_key;
  meta.largest_key = largest_key;
  meta.smallest_sequence = smallest_sequence;
  meta.largest_sequence = largest_sequence;
  meta.entries = entries;
  meta.tombstones = tombstones;
  meta.data_bytes = key_bytes + value_bytes;
  meta.range_tombstones = range_tombstones;
  meta.tombstone_run = tombstone_run;
  if (ranges == nullptr || ranges->empty()) return;
  const std::string_view start = (*ranges)[0].start;
  const format::UpperBound end{(*ranges)[ranges->size() - 1].end, true};
  const bool alone = entries == 0;
  if (alone || start < meta.smallest_key) meta.smallest_key = start;
  if (alone || meta.largest() < end) meta.largest_key = end.key, meta.largest_open = true;
  meta.smallest_sequence =
      alone ? ranges->smallest_sequence() : std::min(smallest_sequence, ranges->smallest_sequence());
  meta.largest_sequence = std::max(largest_sequence, ranges->largest_sequence());
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
  if (!properties.expiring.empty()) {
    base::append_varint(bytes, kExpiring);
    base::append_length_prefixed(bytes, properties.expiring.encode());
  }
  if (properties.origin) {
    base::append_varint(bytes, kOrigin);
    base::append_length_prefixed(bytes, encode_origin(*properties.origin));
  }
  return bytes;
}

Result<StoredProperties> decode_properties(std::string_view bytes) {
  StoredProperties properties;
  bool whole = true;
  for (const auto number : kNumbers) whole = whole && base::get_le(bytes, properties.*number);
  whole = whole && base::get_le(bytes, properties.block_bytes) && base::get_le(bytes, properties.filter_bits_per_key);
  std::string_view compression, smallest, largest;
  whole = whole && base::get_bytes(bytes, 8, compression) && base::get_length_prefixed(bytes, smallest) &&
          base::get_length_prefixed(bytes, largest);
  while (whole && !bytes.empty()) {
    std::uint64_t field = 0;
    std::string_view body;
    whole = base::get_varint(bytes, field) && base::get_length_prefixed(bytes, body);
    if (whole && field == kExpiring) whole = properties.expiring.decode(body);
    if (whole && field == kOrigin) whole = decode_origin(body, properties.origin.emplace());
    if (whole && field < kFirstOptionalField)
      return Error(ErrorCode::kFormatUnsupported,
                   "the properties have field " + std::to_string(field) + ", which this version does not know");
  }
  if (!whole || smallest.size() > kKeyBytesMax || largest.size() > kKeyBytesMax)
    return Error(ErrorCode::kTableCorrupt, "the properties do not have the form they should");
  properties.compression = static_cast<Compression>(compression.front());
  properties.smallest_key = smallest;
  properties.largest_key = largest;
  return properties;
}

}  // namespace lightning::sstable
