// The fixed parts of a table file and the tags that bind its blocks to their places: docs/format/sstable.md as
// constants.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "format/ids.h"
#include "lightning/config.h"
#include "lightning/result.h"
#include "lightning/types.h"

namespace lightning::sstable {

inline constexpr std::size_t kHeaderBytes = 96;
inline constexpr std::size_t kFooterBytes = 400;
inline constexpr std::size_t kTrailerBytes = 32;
// What the largest entry needs, and room for the parts of a block around it: no writer makes a larger block.
inline constexpr std::uint64_t kBlockRawBytesMax = kValueBytesMax + kKeyBytesMax + (4u << 20);

// kTableCorrupt; names no file yet.
Error corrupt(std::string message);

enum class BlockKind : std::uint8_t {
  kData = 1,
  kIndexLeaf = 2,
  kIndexTop = 3,
  kFilter = 4,
  kProperties = 5,
  kFooter = 6,
  kRangeTombstones = 7,
  kBlobReferences = 8,  // reserved
  kParity = 9,
};
std::string_view name_of(BlockKind kind);

// The tag of `stored` as a block of this kind at this offset of this file, and of no other place.
base::Tag tag_of_block(base::TagAlgorithm algorithm, const format::Uid& file, BlockKind kind, std::uint64_t offset,
                       std::string_view stored);

// Where a block lies and what it must be.
struct BlockHandle {
  std::uint64_t offset = 0, stored_bytes = 0, raw_bytes = 0;
  base::Tag tag;
  Compression compression = Compression::kNone;
  bool present() const { return stored_bytes != 0; }
};

struct Header {
  format::FeatureMasks features;
  format::Uid store_id, uid;
  format::FileNumber number = 0;
  std::uint32_t key_id = 0;
};
std::string encode(const Header& header);
// Errors: kTableCorrupt, kFormatUnsupported; neither names the file yet.
Result<Header> decode_header(std::string_view bytes);

// The parity blocks (parity.h): all of them, one after the other.
struct ParityHandle {
  std::uint64_t offset = 0, bytes = 0;
  std::uint32_t blocks = 0, data_blocks = 0;  // data_blocks: per parity block
  base::Tag tag;                              // of all of them as one; a block that is rebuilt has a tag of its own
  bool present() const { return blocks != 0; }
};

struct Footer {
  base::TagAlgorithm tags = base::TagAlgorithm::kBlake3;
  format::Uid store_id, uid;
  format::FileNumber number = 0;
  std::uint64_t data_offset = 0, data_bytes = 0, leaves_offset = 0, leaves_bytes = 0;
  BlockHandle index_top, filter, properties, ranges;
  ParityHandle parity;
};
std::string encode(const Footer& footer);
// Checks the fields against each other and against the place of the footer: parts follow one another without gaps.
Result<Footer> decode_footer(std::string_view bytes, std::uint64_t footer_offset);

struct Trailer {
  std::uint64_t footer_offset = 0;
  base::TagAlgorithm tags = base::TagAlgorithm::kBlake3;
};
std::string encode(const Trailer& trailer, std::uint64_t file_bytes);
Result<Trailer> decode_trailer(std::string_view bytes, std::uint64_t file_bytes);

// A key for messages: quoted, bytes that do not print as \xNN, long ones cut.
std::string printable_key(std::string_view key);

}  // namespace lightning::sstable
