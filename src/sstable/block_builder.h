// Builds one data block at a time. No allocation per entry: buffers are reused from block to block.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "format/entry.h"

namespace lightning::sstable {

// Threads: one at a time.
class BlockBuilder {
 public:
  // `target_bytes`: keys, values and what an entry costs beside them.
  explicit BlockBuilder(std::uint32_t target_bytes);

  bool empty() const { return records_.empty(); }
  std::string_view last_key() const { return records_.back().key; }
  Sequence last_sequence() const { return format::trailer_sequence(records_.back().trailer); }
  // Whether the block stays within its target with `entry`.
  bool fits(const format::Entry& entry) const { return cost_ + cost_of(entry) <= target_bytes_; }
  // Copies `entry`, which fits and follows the last one in entry order.
  void add(const format::Entry& entry, std::uint64_t key_hash);
  // The block's bytes, good until the next call of any kind; the builder is empty again. Requires !empty().
  std::string_view finish();
  // A block of `entry` alone, without copying it first: for entries beyond the target. Requires empty().
  std::string_view finish_single(const format::Entry& entry, std::uint64_t key_hash);

 private:
  struct Record {
    std::string_view key, value;
    std::uint64_t trailer;
    std::uint8_t fingerprint;
  };
  static std::uint64_t cost_of(const format::Entry& entry) {
    return entry.key.size() + entry.value.size() + kEntryCost;
  }
  static constexpr std::uint64_t kEntryCost = 12;  // length, trailer, offset, fingerprint, head
  std::string_view encode();

  const std::uint64_t target_bytes_;
  std::unique_ptr<char[]> staged_;  // keys and values that records_ point to; target_bytes_ long, never moves
  std::size_t staged_bytes_ = 0;
  std::uint64_t cost_ = 0;
  std::vector<Record> records_;
  std::unique_ptr<char[]> output_;
  std::size_t output_bytes_ = 0;
};

// How many bytes two keys begin with alike.
std::size_t shared_prefix_bytes(std::string_view a, std::string_view b);

}  // namespace lightning::sstable
