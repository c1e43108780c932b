// Parity: for each group of data blocks one more block, the exclusive or of what is stored of them, shorter ones
// continued with zeros. Out of it and the others of its group a single block comes back that can no longer be read; the
// tag that its parent holds says whether it is the block that was written. The idea is that of RAID's (Patterson,
// Gibson, Katz: A Case for Redundant Arrays of Inexpensive Disks, 1988), within a file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sstable/index.h"

namespace lightning::sstable {

inline constexpr std::uint32_t kBlocksPerParity = 16;

// `into` is at least as long as `bytes`.
void xor_into(std::span<char> into, std::string_view bytes);

// Collects the parity of data blocks as they are written. Memory: what it has collected, a sixteenth of the data where
// blocks are of one size, and never more than the data.
class ParityBuilder {
 public:
  // The stored bytes of the next data block.
  void add(std::string_view stored);
  // All parity blocks, one after the other. Nothing is added afterwards.
  std::string_view finish();
  std::uint32_t blocks() const { return blocks_; }
  std::uint64_t bytes() const { return parity_.size() + group_.size(); }

 private:
  void close_group();

  std::string parity_, group_;
  std::uint32_t blocks_ = 0, in_group_ = 0;
};

// Where the parity block of a group lies, from the first one on. It is as long as the longest data block of the group.
struct ParityPlace {
  std::uint64_t offset = 0, bytes = 0;
};
// `group`: from 0; behind the last group, the end of all parity blocks.
ParityPlace parity_place(const Index& index, std::uint32_t blocks_per_parity, std::uint32_t group);

}  // namespace lightning::sstable
