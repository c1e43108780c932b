// The fence index: which block may hold a key, found in two or three cache misses.
//
// Between two blocks stands a fence (separator, sequence). The first fence that is not before (key, sequence) belongs
// to the only block that can hold the newest version of the key at that sequence. In memory the fences are an implicit
// tree of 8-byte heads with 8 children per node, one cache line each (a static B-tree: Khuong, Morin, Array Layouts for
// Comparison-Based Searching, 2017); strings are looked at only where heads are equal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/large_buffer.h"
#include "lightning/result.h"
#include "sstable/layout.h"

namespace lightning::sstable {

// The shortest string s with a <= s < b. Requires a < b.
std::string shortest_separator(std::string_view a, std::string_view b);

// Collects one entry per data block and encodes leaves and top. Threads: one at a time.
class IndexBuilder {
 public:
  // `sequence` is 0 unless the next block goes on with the same key: then `separator` is that key and `sequence` that
  // of the block's last entry.
  void add(std::string_view separator, Sequence sequence, const BlockHandle& data);
  std::uint64_t blocks() const { return blocks_; }
  std::uint64_t bytes() const { return leaves_.size(); }

  // The leaves' bytes, to be stored at `offset`; then the top's, which holds their tags.
  std::string_view finish_leaves();
  std::string top(base::TagAlgorithm tags, const format::Uid& file, std::uint64_t leaves_offset) const;

 private:
  struct Leaf {
    std::uint64_t begin, end;  // in leaves_
    std::uint32_t blocks;
    std::string last_separator = {};
  };
  void close_leaf();

  std::string leaves_;
  std::vector<Leaf> closed_;
  std::uint64_t leaf_begin_ = 0;
  std::uint32_t leaf_blocks_ = 0;
  std::string last_separator_;
  std::uint32_t blocks_ = 0;
};

// One leaf as the top describes it.
struct IndexLeaf {
  std::uint64_t stored_bytes = 0;
  std::uint32_t blocks = 0;
  base::Tag tag;
  std::string last_separator = {};
};
// Leaves in order; their sizes sum up to `leaves_bytes`. Errors: kTableCorrupt, not naming the file.
Result<std::vector<IndexLeaf>> decode_index_top(std::string_view bytes, std::uint64_t leaves_bytes);

// The blocks of one leaf, one after the other. Total over hostile bytes: what it gives is possible for a block, taken
// by itself. Errors: kTableCorrupt, kFormatUnsupported, not naming the file. Threads: one at a time.
class LeafReader {
 public:
  // `bytes` outlives the reader.
  static Result<LeafReader> open(std::string_view bytes);
  std::uint32_t blocks() const { return blocks_; }
  std::uint32_t first_block() const { return first_block_; }
  std::uint64_t first_offset() const { return first_offset_; }

  // Moves to the next block; false at the end of the leaf.
  Result<bool> next();
  // The fence behind it.
  const std::string& separator() const { return separator_; }
  Sequence sequence() const { return sequence_; }
  const BlockHandle& handle() const { return handle_; }

 private:
  std::string_view rest_;
  std::uint32_t blocks_ = 0, first_block_ = 0, done_ = 0;
  std::uint64_t first_offset_ = 0, data_at_ = 0;
  std::string separator_;
  Sequence sequence_ = 0;
  BlockHandle handle_;
};

// Immutable once decoded. Threads: any.
class Index {
 public:
  // Decodes verified leaves (`leaves`: all of them, one after the other). Data blocks must lie within
  // [data_offset, data_offset + data_bytes) without gaps, fences in order. Errors: kTableCorrupt, kOutOfMemory.
  static Result<Index> decode(std::string_view leaves, const std::vector<IndexLeaf>& shape, std::uint64_t data_offset,
                              std::uint64_t data_bytes);

  // One block of `bytes` at offset 0 that may hold every key up to `last_key`: what is known of a table whose own index
  // can't be read. Errors: kOutOfMemory.
  static Result<Index> unknown(std::string_view last_key, std::uint64_t bytes);

  std::uint32_t blocks() const { return static_cast<std::uint32_t>(places_.size()); }
  // The block for (key, sequence), or blocks() if it lies behind the last fence.
  std::uint32_t locate(std::string_view key, Sequence sequence) const;
  BlockHandle handle(std::uint32_t block) const;
  std::uint64_t offset(std::uint32_t block) const { return places_[block].offset & kOffsetMask; }
  std::string separator(std::uint32_t block) const;
  // Compares the fence behind `block` with (key, sequence), in entry order.
  int compare_fence(std::uint32_t block, std::string_view key, Sequence sequence) const;
  std::uint64_t memory_bytes() const;
  void prefetch() const { __builtin_prefetch(heads_.data() + top_offset_); }

 private:
  static constexpr std::uint32_t kFanout = 8;
  static constexpr std::uint64_t kOffsetMask = (std::uint64_t{1} << 56) - 1;
  struct Place {           // 32 bytes: a handle, packed
    std::uint64_t offset;  // compression in the top byte
    std::uint32_t stored_bytes, raw_bytes;
    base::Tag tag;
  };

  Status decode_leaf(std::string_view bytes, std::uint32_t blocks, std::uint64_t& data_at);
  Status build_heads();
  std::string_view suffix(std::uint32_t block) const {
    return std::string_view(separators_)
        .substr(separator_ends_[block], separator_ends_[block + 1] - separator_ends_[block]);
  }
  Sequence fence_sequence(std::uint32_t block) const { return sequences_.empty() ? 0 : sequences_[block]; }
  std::uint32_t heads_before(std::uint64_t wanted) const;
  std::uint64_t head(std::uint32_t block) const { return reinterpret_cast<const std::uint64_t*>(heads_.data())[block]; }

  std::string prefix_;                        // of all separators
  base::LargeBuffer heads_;                   // levels of the tree, leaves first
  std::vector<std::uint64_t> level_offsets_;  // in bytes, leaves first
  std::uint64_t top_offset_ = 0, top_count_ = 0;
  std::string separators_;                     // behind the prefix, one after the other
  std::vector<std::uint64_t> separator_ends_;  // [0] = 0
  std::vector<Sequence> sequences_;            // empty if no key spills
  std::vector<Place> places_;
};

}  // namespace lightning::sstable
