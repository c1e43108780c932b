// Puts the check values of a table right, from the blocks up to the footer, and says where an index has what.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sstable/index.h"
#include "sstable/layout.h"

namespace lightning::fuzz {

// Entries of an index's leaves as far as they parse, by nobody's rules.
struct LeafWalk {
  struct Block {
    std::uint64_t offset = 0, stored_bytes = 0;
    std::size_t tag_at = 0;  // in the leaves
  };
  std::uint64_t first_offset = 0, data_bytes = 0;
  std::vector<Block> blocks;
};
LeafWalk walk_leaf(std::string_view leaf);

// No effect on what is too short to be a table. Only check values, tags and the place of the footer change, and what
// the parts say of one another: identity, and which tags.
void repair_table(std::string& file);

}  // namespace lightning::fuzz
