#include "fuzz/support/table_repair.h"

#include <algorithm>

#include "base/coding.h"
#include "base/hash.h"

namespace lightning::fuzz {

namespace {

using base::load_le;
using base::store_le;
using sstable::BlockKind;

constexpr std::size_t kHandlesOffset = 88, kHandleBytes = 48, kTagInHandle = 24;

class TableRepair {
 public:
  explicit TableRepair(std::string& file)
      : file_(file), footer_(file.size() - sstable::kFooterBytes - sstable::kTrailerBytes) {
    __builtin_memcpy(uid_.bytes.data(), file.data() + 56, uid_.bytes.size());
  }

  void run() {
    char* const trailer = file_.data() + file_.size() - sstable::kTrailerBytes;
    tags_ = load_le<std::uint32_t>(trailer + 12) == 2 ? base::TagAlgorithm::kBlake3 : base::TagAlgorithm::kXxh3;
    repair_index();
    repair_handle(1, BlockKind::kFilter);
    repair_handle(2, BlockKind::kProperties);
    repair_handle(3, BlockKind::kRangeTombstones);

    store_le(file_.data() + 88, base::hash64({file_.data(), 88}));
    char* const footer = file_.data() + footer_;
    footer[4] = static_cast<char>(tags_);
    std::copy_n(file_.data() + 40, 40, footer + 16);  // store, file and number
    store_le<std::uint64_t>(trailer, footer_);
    store_le(trailer + 8, static_cast<std::uint32_t>(sstable::kFooterBytes));
    store_le(trailer + 12, static_cast<std::uint32_t>(tags_));
    store_le(trailer + 16, base::hash64({trailer, 16}, file_.size()));
  }

 private:
  // Of a block that lies in the file; else nothing.
  void put_tag(std::size_t at, BlockKind kind, std::uint64_t offset, std::uint64_t bytes) {
    if (at + 16 > file_.size() || offset > file_.size() || bytes > file_.size() - offset) return;
    const base::Tag tag =
        sstable::tag_of_block(tags_, uid_, kind, offset, std::string_view(file_).substr(offset, bytes));
    std::ranges::copy(base::as_bytes(tag.bytes), file_.data() + at);
  }
  void repair_handle(std::size_t number, BlockKind kind) {
    const std::size_t at = footer_ + kHandlesOffset + number * kHandleBytes;
    put_tag(at + kTagInHandle, kind, load_le<std::uint64_t>(file_.data() + at),
            load_le<std::uint64_t>(file_.data() + at + 8));
  }
  // The data blocks' tags in the leaves, then the leaves' in the top, then the top's.
  void repair_index() {
    const std::uint64_t leaves_offset = load_le<std::uint64_t>(file_.data() + footer_ + 72);
    const std::uint64_t top_offset = load_le<std::uint64_t>(file_.data() + footer_ + kHandlesOffset);
    const std::uint64_t top_bytes = load_le<std::uint64_t>(file_.data() + footer_ + kHandlesOffset + 8);
    if (leaves_offset > footer_ || top_offset > footer_ || top_bytes > footer_ - top_offset) return;
    std::string_view top = std::string_view(file_).substr(top_offset, top_bytes);
    std::uint64_t leaf_at = leaves_offset, numbers = 0;
    if (!base::get_le(top, numbers)) return;
    for (std::uint64_t blocks = 0, bytes = 0; base::get_varint(top, blocks) && base::get_varint(top, bytes);) {
      const auto tag_at = static_cast<std::size_t>(top.data() - file_.data());
      std::string_view tag, separator;
      if (!base::get_bytes(top, 16, tag) || !base::get_length_prefixed(top, separator)) break;
      if (leaf_at > footer_ || bytes > footer_ - leaf_at) break;
      const LeafWalk leaf = walk_leaf(std::string_view(file_).substr(leaf_at, bytes));
      for (const LeafWalk::Block& block : leaf.blocks)
        put_tag(leaf_at + block.tag_at, BlockKind::kData, block.offset, block.stored_bytes);
      put_tag(tag_at, BlockKind::kIndexLeaf, leaf_at, bytes);
      leaf_at += bytes;
    }
    repair_handle(0, BlockKind::kIndexTop);
  }

  std::string& file_;
  const std::size_t footer_;
  format::Uid uid_;
  base::TagAlgorithm tags_ = base::TagAlgorithm::kXxh3;
};

}  // namespace

LeafWalk walk_leaf(std::string_view leaf) {
  constexpr std::uint8_t kSpills = 16;
  LeafWalk walk;
  std::string_view rest = leaf;
  std::uint64_t counts = 0;
  if (!base::get_le(rest, counts) || !base::get_le(rest, walk.first_offset)) return walk;
  while (!rest.empty()) {
    std::uint64_t shared = 0, stored = 0, raw = 0, sequence = 0;
    std::string_view unshared, flags, tag;
    if (!base::get_varint(rest, shared) || !base::get_length_prefixed(rest, unshared) ||
        !base::get_varint(rest, stored) || !base::get_varint(rest, raw) || !base::get_bytes(rest, 1, flags))
      break;
    if ((static_cast<std::uint8_t>(flags.front()) & kSpills) != 0 && !base::get_varint(rest, sequence)) break;
    const auto tag_at = static_cast<std::size_t>(rest.data() - leaf.data());
    if (!base::get_bytes(rest, 16, tag)) break;
    walk.blocks.push_back({walk.first_offset + walk.data_bytes, stored, tag_at});
    walk.data_bytes += stored;
  }
  return walk;
}

void repair_table(std::string& file) {
  if (file.size() < sstable::kHeaderBytes + sstable::kFooterBytes + sstable::kTrailerBytes) return;
  TableRepair(file).run();
}

}  // namespace lightning::fuzz
