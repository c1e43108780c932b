// sstable/filter.h: a stored filter is taken over as it is.
#include "sstable/filter.h"

#include <algorithm>

#include "fuzz/support/target.h"
#include "sstable/table.h"

namespace lightning::sstable {

LIGHTNING_FUZZ_TARGET(filter) {
  auto stored = base::LargeBuffer::allocate(input.size());
  if (stored.data() == nullptr) return false;
  std::ranges::copy(input, stored.data());
  const auto filter = Filter::adopt(std::move(stored));
  if (!filter) return false;
  FUZZ_EXPECT(filter->bytes() == input);
  std::vector<std::uint64_t> hashes{0, ~std::uint64_t{0}};
  for (std::size_t i = 0; i + 8 <= input.size(); i += 64) hashes.push_back(filter_hash(input.substr(i, 8)));
  for (const std::uint64_t hash : hashes) {
    filter->prefetch(hash);
    (void)filter->may_contain(hash);
  }
  (void)filter->keys();
  // Whatever is put in passes.
  const Filter built = Filter::build(hashes, 1 + static_cast<std::uint8_t>(input[16]) % 30);
  for (const std::uint64_t hash : hashes) FUZZ_EXPECT(built.may_contain(hash));
  return true;
}

}  // namespace lightning::sstable
