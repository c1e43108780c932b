// A table's file and the one function through which all its blocks come in: read, verify, decompress, check.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/large_buffer.h"
#include "cache/block_cache.h"
#include "env/env.h"
#include "env/open_files.h"
#include "sstable/filter.h"
#include "sstable/index.h"
#include "sstable/layout.h"
#include "sstable/properties.h"
#include "sstable/table.h"

namespace lightning::sstable {

// Range tombstones and the bytes that their keys point into.
struct RangeBlock {
  std::string bytes;
  format::RangeTombstones set;
};

// Threads: any, once open() is through.
class TableFile {
 public:
  // Everything but the data blocks, verified.
  struct Contents {
    Footer footer;
    StoredProperties properties;
    Index index;
    Filter filter;
    std::unique_ptr<const RangeBlock> ranges;  // null: none
  };

  // Opens the file and reads its trailer and header, not yet vouched for. Errors: kTableMissing, kTableCorrupt, ...
  // With `pool`, the file may be closed and opened again whenever it is not read.
  static Result<std::unique_ptr<TableFile>> open(env::Env& env, const std::string& path, env::OpenFiles* pool);
  // The file of the table that `meta` describes; its header and trailer say nothing that `meta` does not, and are not
  // looked at. For salvage.
  static Result<std::unique_ptr<TableFile>> open_as(env::Env& env, const std::string& path, const format::Uid& store_id,
                                                    const TableMeta& meta);
  // Reads and verifies the footer (against `root`, or for itself if null) and all below it but the data blocks.
  Result<Contents> read_contents(const base::Tag* root, const format::Uid* store_id);
  // The footer alone; `store_id` null: of any store.
  Result<Footer> read_footer(const base::Tag* root, const format::Uid* store_id);
  // Properties, index top: what hangs below the footer and is not compressed, verified.
  Result<std::string> read_plain(BlockKind kind, const BlockHandle& handle) const;
  // The whole index, verified.
  Result<Index> read_index(const Footer& footer) const;
  // One leaf of it, verified, which lies at `offset`.
  Result<std::string> read_leaf(const IndexLeaf& leaf, std::uint64_t offset) const;

  // The range tombstones, verified; null if there are none.
  Result<std::unique_ptr<const RangeBlock>> read_ranges(const Footer& footer, const StoredProperties& properties) const;

  // A data block's stored bytes, verified and decoded into a block that the caller owns (cache.release or
  // cache.insert). A block that does not match its tag is read once more. Errors: kTableCorrupt, kIo, kOutOfMemory.
  Result<cache::Block*> read_block(const BlockHandle& handle, cache::BlockCache& cache) const;
  // The same for stored bytes that are already here, without a second read.
  Result<cache::Block*> decode_block(const BlockHandle& handle, std::string_view stored,
                                     cache::BlockCache& cache) const;

  // The stored bytes of a data block that can't be read any more, out of the rest of its group and their parity block.
  // What comes out is not compared with the block's own tag. Errors: kTableCorrupt, kIo, where more of the group is
  // damaged.
  Result<std::string> rebuild_block(const Index& index, const ParityHandle& parity, std::uint32_t block) const;
  // Whether all parity blocks are as they were written.
  bool parity_is_whole(const ParityHandle& parity) const;

  const env::RandomAccessFile& file() const { return *file_; }
  const std::string& path() const { return path_; }
  const Header& header() const { return header_; }
  const Trailer& trailer() const { return trailer_; }
  std::uint64_t file_bytes() const { return file_->size(); }
  base::Tag footer_tag() const { return footer_tag_; }
  // Completes an error about this file.
  Error at(Error error, std::uint64_t offset) const;

 private:
  TableFile(std::string path, std::unique_ptr<env::RandomAccessFile> file)
      : path_(std::move(path)), file_(std::move(file)) {}
  Status read(std::uint64_t offset, std::span<char> into) const;
  bool matches(BlockKind kind, const base::Tag& tag, std::uint64_t offset, std::string_view stored) const;
  // Reads stored bytes and compares them with their tag, twice if need be.
  Status read_verified(BlockKind kind, const base::Tag& tag, std::uint64_t offset, std::span<char> into) const;
  // Decompresses verified bytes into `block`, which this consumes, and checks its structure.
  Result<cache::Block*> open_block(const BlockHandle& handle, std::string_view stored, cache::Block* block,
                                   cache::BlockCache& cache) const;

  const std::string path_;
  const std::unique_ptr<env::RandomAccessFile> file_;
  Header header_;
  Trailer trailer_;
  base::TagAlgorithm tags_ = base::TagAlgorithm::kBlake3;
  base::Tag footer_tag_;
};

}  // namespace lightning::sstable
