#include "sstable/parity.h"

#include <algorithm>

namespace lightning::sstable {

void xor_into(std::span<char> into, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) into[i] = static_cast<char>(into[i] ^ bytes[i]);
}

void ParityBuilder::add(std::string_view stored) {
  if (in_group_ == kBlocksPerParity) close_group();
  if (group_.size() < stored.size()) group_.resize(stored.size(), '\0');
  xor_into(group_, stored);
  ++in_group_;
}

std::string_view ParityBuilder::finish() {
  if (in_group_ != 0) close_group();
  return parity_;
}

void ParityBuilder::close_group() {
  parity_ += group_;
  group_.clear();
  in_group_ = 0;
  ++blocks_;
}

ParityPlace parity_place(const Index& index, std::uint32_t blocks_per_parity, std::uint32_t group) {
  ParityPlace place;
  const auto longest_of = [&](std::uint64_t number) {
    std::uint64_t longest = 0;
    const std::uint64_t first = number * blocks_per_parity;
    for (std::uint64_t block = first; block < std::min<std::uint64_t>(first + blocks_per_parity, index.blocks());
         ++block)
      longest = std::max(longest, index.handle(static_cast<std::uint32_t>(block)).stored_bytes);
    return longest;
  };
  for (std::uint32_t before = 0; before < group; ++before) place.offset += longest_of(before);
  place.bytes = longest_of(group);
  return place;
}

}  // namespace lightning::sstable
