#include "sstable/index.h"

#include <algorithm>

#include "base/coding.h"
#include "base/compare.h"
#include "format/entry.h"
#include "sstable/block_builder.h"
#include "sstable/codec.h"

namespace lightning::sstable {

namespace {

constexpr std::size_t kLeafBytes = 16 * 1024;
constexpr std::uint8_t kSpills = 16, kCompressionMask = 15;
constexpr std::size_t kLeafEntryBytesMin = 20;  // four one-byte fields and the tag

Error corrupt_index(std::string message) { return Error(ErrorCode::kTableCorrupt, "index: " + std::move(message)); }

}  // namespace

std::string shortest_separator(std::string_view a, std::string_view b) {
  const std::size_t shared = shared_prefix_bytes(a, b);
  if (shared == a.size()) return std::string(a);  // a is a prefix of b: nothing shorter is not before a
  // Cutting b behind the first difference gives a string between the two, unless it is b itself.
  if (shared + 1 < b.size()) return std::string(b.substr(0, shared + 1));
  // Else raise the first byte behind the difference that can be raised.
  for (std::size_t i = shared; i < a.size(); ++i) {
    const auto byte = static_cast<unsigned char>(a[i]);
    const unsigned below = i == shared ? static_cast<unsigned char>(b[i]) : 0x100u;
    if (byte + 1u < below) {
      std::string separator(a.substr(0, i + 1));
      separator.back() = static_cast<char>(byte + 1);
      return separator;
    }
  }
  return std::string(a);
}

void IndexBuilder::add(std::string_view separator, Sequence sequence, const BlockHandle& data) {
  if (leaf_blocks_ == 0) {
    leaf_begin_ = leaves_.size();
    base::append_le<std::uint32_t>(leaves_, 0);  // count, filled in when the leaf is closed
    base::append_le<std::uint32_t>(leaves_, blocks_);
    base::append_le(leaves_, data.offset);
    last_separator_.clear();
  }
  const std::size_t shared = shared_prefix_bytes(last_separator_, separator);
  base::append_varint(leaves_, shared);
  base::append_length_prefixed(leaves_, separator.substr(shared));
  base::append_varint(leaves_, data.stored_bytes);
  base::append_varint(leaves_, data.raw_bytes);
  leaves_ += static_cast<char>(static_cast<std::uint8_t>(data.compression) | (sequence != 0 ? kSpills : 0));
  if (sequence != 0) base::append_varint(leaves_, sequence);
  leaves_ += base::as_bytes(data.tag.bytes);
  last_separator_.assign(separator);
  ++leaf_blocks_;
  ++blocks_;
  if (leaves_.size() - leaf_begin_ >= kLeafBytes) close_leaf();
}

void IndexBuilder::close_leaf() {
  if (leaf_blocks_ == 0) return;
  base::store_le(leaves_.data() + leaf_begin_, leaf_blocks_);
  closed_.push_back({leaf_begin_, leaves_.size(), leaf_blocks_, last_separator_});
  leaf_blocks_ = 0;
}

std::string_view IndexBuilder::finish_leaves() {
  close_leaf();
  return leaves_;
}

std::string IndexBuilder::top(base::TagAlgorithm tags, const format::Uid& file, std::uint64_t leaves_offset) const {
  std::string top;
  base::append_le(top, static_cast<std::uint32_t>(closed_.size()));
  base::append_le(top, blocks_);
  for (const Leaf& leaf : closed_) {
    const auto bytes = std::string_view(leaves_).substr(leaf.begin, leaf.end - leaf.begin);
    base::append_varint(top, leaf.blocks);
    base::append_varint(top, bytes.size());
    top += base::as_bytes(tag_of_block(tags, file, BlockKind::kIndexLeaf, leaves_offset + leaf.begin, bytes).bytes);
    base::append_length_prefixed(top, leaf.last_separator);
  }
  return top;
}

Result<std::vector<IndexLeaf>> decode_index_top(std::string_view bytes, std::uint64_t leaves_bytes) {
  std::uint32_t leaf_count = 0, block_count = 0;
  if (!base::get_le(bytes, leaf_count) || !base::get_le(bytes, block_count))
    return corrupt_index("its top is cut short");
  std::vector<IndexLeaf> leaves;
  std::uint64_t blocks = 0, left = leaves_bytes;
  for (std::uint32_t i = 0; i < leaf_count; ++i) {
    IndexLeaf leaf;
    std::uint64_t leaf_blocks = 0;
    std::string_view tag, last_separator;
    if (!base::get_varint(bytes, leaf_blocks) || !base::get_varint(bytes, leaf.stored_bytes) ||
        !base::get_bytes(bytes, 16, tag) || !base::get_length_prefixed(bytes, last_separator))
      return corrupt_index("its top is cut short");
    if (leaf.stored_bytes > left || leaf_blocks == 0 || leaf_blocks > leaf.stored_bytes / kLeafEntryBytesMin)
      return corrupt_index("its top gives impossible sizes");
    left -= leaf.stored_bytes;
    blocks += leaf_blocks;
    leaf.blocks = static_cast<std::uint32_t>(leaf_blocks);
    __builtin_memcpy(leaf.tag.bytes.data(), tag.data(), 16);
    leaf.last_separator = last_separator;
    leaves.push_back(std::move(leaf));
  }
  if (!bytes.empty() || left != 0 || blocks != block_count) return corrupt_index("its top contradicts itself");
  return leaves;
}

Result<Index> Index::decode(std::string_view leaves, const std::vector<IndexLeaf>& shape, std::uint64_t data_offset,
                            std::uint64_t data_bytes) {
  Index index;
  index.separator_ends_.push_back(0);
  std::uint64_t data_at = data_offset;
  for (const IndexLeaf& leaf : shape) {
    if (leaf.stored_bytes > leaves.size()) return corrupt_index("its leaves are cut short");
    LIGHTNING_TRY(index.decode_leaf(leaves.substr(0, leaf.stored_bytes), leaf.blocks, data_at));
    leaves.remove_prefix(leaf.stored_bytes);
  }
  if (!leaves.empty() || data_at != data_offset + data_bytes) return corrupt_index("it does not cover the data blocks");
  LIGHTNING_TRY(index.build_heads());
  return index;
}

Result<Index> Index::unknown(std::string_view last_key, std::uint64_t bytes) {
  Index index;
  index.separator_ends_ = {0, last_key.size()};
  index.separators_ = last_key;
  const auto size = static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, ~std::uint32_t{0}));
  index.places_.push_back({0, size, size, {}});
  LIGHTNING_TRY(index.build_heads());
  return index;
}

Result<LeafReader> LeafReader::open(std::string_view bytes) {
  LeafReader reader;
  reader.rest_ = bytes;
  if (!base::get_le(reader.rest_, reader.blocks_) || !base::get_le(reader.rest_, reader.first_block_) ||
      !base::get_le(reader.rest_, reader.first_offset_))
    return corrupt_index("a leaf is cut short");
  reader.data_at_ = reader.first_offset_;
  return reader;
}

Result<bool> LeafReader::next() {
  if (done_ == blocks_) {
    if (!rest_.empty()) return corrupt_index("a leaf is longer than its entries");
    return false;
  }
  ++done_;
  std::uint64_t shared = 0, stored = 0, raw = 0;
  std::string_view unshared, flags, tag;
  if (!base::get_varint(rest_, shared) || !base::get_length_prefixed(rest_, unshared) ||
      !base::get_varint(rest_, stored) || !base::get_varint(rest_, raw) || !base::get_bytes(rest_, 1, flags))
    return corrupt_index("a leaf is cut short");
  const auto flag_bits = static_cast<std::uint8_t>(flags.front());
  const bool spills = (flag_bits & kSpills) != 0;
  sequence_ = 0;
  if (spills && !base::get_varint(rest_, sequence_)) return corrupt_index("a leaf is cut short");
  if (!base::get_bytes(rest_, 16, tag)) return corrupt_index("a leaf is cut short");
  const auto compression = static_cast<Compression>(flag_bits & kCompressionMask);
  if ((flag_bits & ~(kSpills | kCompressionMask)) != 0 || compression > Compression::kZstd)
    return Error(ErrorCode::kFormatUnsupported, "index: a block is stored in a way that this program does not know");
  if (shared > separator_.size() || shared + unshared.size() > kKeyBytesMax || sequence_ > format::kSequenceMax ||
      spills != (sequence_ != 0) || !plausible_sizes(compression, stored, raw))
    return corrupt_index("a leaf holds impossible values");
  // A separator is no longer than its block's last key: what shared bytes make of a few is bounded by the blocks.
  if (shared + unshared.size() > raw) return corrupt_index("a fence is longer than its block");
  separator_.resize(shared);
  separator_ += unshared;
  handle_ = {.offset = data_at_, .stored_bytes = stored, .raw_bytes = raw, .tag = {}, .compression = compression};
  __builtin_memcpy(handle_.tag.bytes.data(), tag.data(), 16);
  data_at_ += stored;
  return true;
}

// Appends the leaf's blocks. separators_ holds whole separators until build_heads() takes the common prefix out.
Status Index::decode_leaf(std::string_view bytes, std::uint32_t blocks, std::uint64_t& data_at) {
  LIGHTNING_ASSIGN(LeafReader leaf, LeafReader::open(bytes));
  if (leaf.blocks() != blocks || leaf.first_block() != places_.size() || leaf.first_offset() != data_at)
    return corrupt_index("a leaf contradicts its parent");
  for (;;) {
    LIGHTNING_ASSIGN(const bool more, leaf.next());
    if (!more) return {};
    const auto n = static_cast<std::uint32_t>(places_.size());
    if (n > 0 && format::compare_entries(suffix(n - 1), fence_sequence(n - 1), leaf.separator(), leaf.sequence()) >= 0)
      return corrupt_index("its fences are out of order");
    separators_ += leaf.separator();
    separator_ends_.push_back(separators_.size());
    const bool spills = leaf.sequence() != 0;
    if (spills && sequences_.empty()) sequences_.resize(n, 0);
    if (spills || !sequences_.empty()) sequences_.push_back(leaf.sequence());
    const BlockHandle& handle = leaf.handle();
    places_.push_back({data_at | static_cast<std::uint64_t>(handle.compression) << 56,
                       static_cast<std::uint32_t>(handle.stored_bytes), static_cast<std::uint32_t>(handle.raw_bytes),
                       handle.tag});
    data_at += handle.stored_bytes;
    if (data_at > kOffsetMask) return corrupt_index("a leaf holds impossible values");
  }
}

Status Index::build_heads() {
  const std::uint32_t n = blocks();  // none, in a table of range tombstones alone
  // Fences rise, so what the first and the last share, all share.
  if (n > 0) prefix_ = suffix(0).substr(0, shared_prefix_bytes(suffix(0), suffix(n - 1)));
  std::string stripped;
  stripped.reserve(separators_.size() - n * prefix_.size());
  std::vector<std::uint64_t> ends{0};
  ends.reserve(n + 1);
  for (std::uint32_t i = 0; i < n; ++i) {
    stripped += suffix(i).substr(prefix_.size());
    ends.push_back(stripped.size());
  }
  separators_ = std::move(stripped);
  separator_ends_ = std::move(ends);
  places_.shrink_to_fit();
  sequences_.shrink_to_fit();

  std::vector<std::uint64_t> counts{n};
  while (counts.back() > kFanout) counts.push_back((counts.back() + kFanout - 1) / kFanout);
  std::uint64_t bytes = 0;
  for (const std::uint64_t count : counts) {
    level_offsets_.push_back(bytes);
    bytes += std::max<std::uint64_t>((count + kFanout - 1) / kFanout, 1) * kFanout * sizeof(std::uint64_t);
  }
  heads_ = base::LargeBuffer::allocate(bytes);
  if (heads_.data() == nullptr) return Error(ErrorCode::kOutOfMemory, "no memory for the table's index");
  top_offset_ = level_offsets_.back();
  top_count_ = counts.back();
  auto* const all = reinterpret_cast<std::uint64_t*>(heads_.data());
  std::fill_n(all, bytes / sizeof(std::uint64_t), ~std::uint64_t{0});  // places behind the last never count as before
  for (std::uint32_t i = 0; i < n; ++i) all[i] = base::head_of(suffix(i));
  for (std::size_t level = 1; level < counts.size(); ++level) {
    const std::uint64_t* const below = all + level_offsets_[level - 1] / 8;
    for (std::uint64_t i = 0; i < counts[level]; ++i)
      all[level_offsets_[level] / 8 + i] = below[std::min(i * kFanout + kFanout, counts[level - 1]) - 1];
  }
  return {};
}

// Number of fences whose head is below `wanted`: one node of eight per level.
std::uint32_t Index::heads_before(std::uint64_t wanted) const {
  std::uint64_t at = 0;
  for (std::size_t level = level_offsets_.size(); level-- > 0;) {
    const auto* const node =
        reinterpret_cast<const std::uint64_t*>(heads_.data() + level_offsets_[level]) + at * kFanout;
    std::uint64_t before = 0;
    for (std::uint32_t i = 0; i < kFanout; ++i) before += node[i] < wanted;
    at = at * kFanout + before;
    // Only the top can say "behind all": below it, the parent's head vouches for one that is not before.
    if (level + 1 == level_offsets_.size() && at >= top_count_) return blocks();
  }
  return static_cast<std::uint32_t>(at);
}

std::uint32_t Index::locate(std::string_view key, Sequence sequence) const {
  const std::uint32_t n = blocks();
  if (const int c = base::compare(key.substr(0, prefix_.size()), prefix_); c != 0) return c < 0 ? 0 : n;
  const std::string_view wanted_suffix = key.substr(prefix_.size());
  const std::uint64_t wanted = base::head_of(wanted_suffix);
  std::uint32_t first = heads_before(wanted);
  if (first == n || head(first) != wanted) return first;
  std::uint32_t last = first + 1;
  if (last < n && head(last) == wanted) last = wanted == ~std::uint64_t{0} ? n : heads_before(wanted + 1);
  while (first < last) {
    const std::uint32_t middle = first + (last - first) / 2;
    if (format::compare_entries(suffix(middle), fence_sequence(middle), wanted_suffix, sequence) < 0)
      first = middle + 1;
    else
      last = middle;
  }
  return first;
}

BlockHandle Index::handle(std::uint32_t block) const {
  const Place& place = places_[block];
  return {place.offset & kOffsetMask, place.stored_bytes, place.raw_bytes, place.tag,
          static_cast<Compression>(place.offset >> 56)};
}

std::string Index::separator(std::uint32_t block) const { return prefix_ + std::string(suffix(block)); }

int Index::compare_fence(std::uint32_t block, std::string_view key, Sequence sequence) const {
  return format::compare_entries(separator(block), fence_sequence(block), key, sequence);
}

std::uint64_t Index::memory_bytes() const {
  return sizeof *this + prefix_.capacity() + heads_.size() + separators_.capacity() +
         (separator_ends_.capacity() + sequences_.capacity()) * sizeof(std::uint64_t) +
         places_.capacity() * sizeof(Place);
}

}  // namespace lightning::sstable
