// sstable/index.h: top and leaves of a table's index. Input: a piece that is taken for the top, then for the only leaf.
#include "sstable/index.h"

#include "format/entry.h"
#include "fuzz/support/bytes.h"
#include "fuzz/support/table_repair.h"
#include "fuzz/support/target.h"

namespace lightning::sstable {

namespace {

bool fuzz_top(std::string_view top, std::uint64_t leaves_bytes) {
  const auto leaves = decode_index_top(top, leaves_bytes);
  if (!leaves) return false;
  std::uint64_t sum = 0;
  for (const IndexLeaf& leaf : *leaves) sum += leaf.stored_bytes;
  FUZZ_EXPECT(sum == leaves_bytes);
  return true;
}

bool fuzz_leaf(std::string_view leaf) {
  if (leaf.size() < 16) return false;
  // As its parent would have it.
  const IndexLeaf shape{.stored_bytes = leaf.size(), .blocks = base::load_le<std::uint32_t>(leaf.data()), .tag = {}};
  const fuzz::LeafWalk walk = fuzz::walk_leaf(leaf);
  const auto index = Index::decode(leaf, {shape}, walk.first_offset, walk.data_bytes);
  if (!index) return false;
  FUZZ_EXPECT(index->blocks() == shape.blocks);
  std::uint64_t at = walk.first_offset, separators = 0, raw = 0;
  for (std::uint32_t block = 0; block < index->blocks(); ++block) {
    const BlockHandle handle = index->handle(block);
    FUZZ_EXPECT(handle.offset == at && index->offset(block) == at);
    at += handle.stored_bytes;
    raw += handle.raw_bytes;
    const std::string separator = index->separator(block);
    separators += separator.size();
    FUZZ_EXPECT(separator.size() <= kKeyBytesMax);
    // The fence is the last place of its block.
    const std::uint32_t newest = index->locate(separator, format::kSequenceMax), oldest = index->locate(separator, 0);
    FUZZ_EXPECT(newest <= block && block <= oldest);
    FUZZ_EXPECT(index->compare_fence(block, separator, format::kSequenceMax) >= 0);
    if (newest > 0) FUZZ_EXPECT(index->compare_fence(newest - 1, separator, format::kSequenceMax) < 0);
    FUZZ_EXPECT(index->compare_fence(oldest, separator, 0) >= 0);
  }
  FUZZ_EXPECT(at == walk.first_offset + walk.data_bytes);
  FUZZ_EXPECT(separators <= raw);  // what is kept in memory is bounded by what blocks can hold
  (void)index->locate("", format::kSequenceMax);
  FUZZ_EXPECT(index->locate(std::string(kKeyBytesMax, '\xff'), 0) <= index->blocks());
  index->prefetch();
  (void)index->memory_bytes();
  return true;
}

}  // namespace

LIGHTNING_FUZZ_TARGET(index) {
  const std::string_view top = fuzz::take_piece(input);
  bool taken = fuzz_top(top, input.size());
  taken |= fuzz_leaf(input);
  return taken;
}

}  // namespace lightning::sstable
