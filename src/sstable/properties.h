// What a table says about itself, beside its entries.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "format/range_tombstones.h"
#include "lightning/config.h"
#include "lightning/result.h"
#include "lightning/types.h"
#include "sstable/expiry_summary.h"
#include "sstable/table.h"

namespace lightning::sstable {

struct StoredProperties {
  std::uint64_t entries = 0, tombstones = 0, key_bytes = 0, value_bytes = 0, distinct_keys = 0, blocks = 0;
  std::uint64_t data_stored_bytes = 0, index_bytes = 0, filter_bytes = 0, created_ns = 0;
  std::uint64_t range_tombstones = 0, tombstone_run = 0;
  Sequence smallest_sequence = 0, largest_sequence = 0;
  std::uint32_t block_bytes = 0, filter_bits_per_key = 0;
  Compression compression = Compression::kNone;
  std::string smallest_key, largest_key;  // of entries, like the sequences; range tombstones speak for themselves
  ExpirySummary expiring;
  std::optional<TableOrigin> origin;

  // Keys, sequences and counts, as the manifest remembers them, which knows of `ranges`, too; null: there are none.
  void describe(TableMeta& meta, const format::RangeTombstones* ranges) const;
};
std::string encode(const StoredProperties& properties);
// Errors: kTableCorrupt, not naming the file.
Result<StoredProperties> decode_properties(std::string_view bytes);

}  // namespace lightning::sstable
