// Segments as the reading side sees them: what a directory holds, and records one after the other.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "env/env.h"
#include "wal/layout.h"

namespace lightning::wal {

// What the header page of a file says. Blocks that do not verify, or belong to another use of the file, are absent.
struct SegmentInfo {
  format::FileNumber number = 0;
  std::string path;
  std::uint64_t file_bytes = 0;
  std::optional<PreparedBlock> prepared;
  std::optional<StartBlock> start;  // only with `prepared`
  std::optional<SealBlock> seal;    // only with `start`

  // Set by read_directory(): a later life began at this sequence, so records behind it were cut by the recovery then;
  // and this segment holds nothing else.
  Sequence limit = std::numeric_limits<Sequence>::max();
  bool abandoned = false;
  bool last_of_life = false;

  std::uint64_t seed() const { return segment_seed(prepared->segment_uid); }
  // Where records can end.
  std::uint64_t records_end() const { return seal ? seal->end : prepared->segment_bytes; }
};

// Errors: kFormatUnsupported; kWalCorrupt for a block that is damaged for sure, and for another store's segment.
// `store_id` null: any.
Result<SegmentInfo> read_segment_info(env::Env& env, const std::string& path, format::FileNumber number,
                                      const format::Uid* store_id);
// All segments of a directory, by number.
Result<std::vector<SegmentInfo>> read_directory(env::Env& env, const std::string& directory,
                                                const format::Uid& store_id);

// Reads the records of one segment through a window of bounded size. Threads: one at a time.
class SegmentReader {
 public:
  struct Record {
    RecordHeader header;
    std::uint64_t offset = 0;
    std::uint64_t end() const { return offset + record_bytes(header); }
  };

  static Result<SegmentReader> open(env::Env& env, const SegmentInfo& info);

  // The record at `offset`, if its header verifies and it lies within the segment.
  Result<std::optional<Record>> record_at(std::uint64_t offset);
  // The first record at or after `offset`, wherever it begins.
  Result<std::optional<Record>> find_record(std::uint64_t offset);
  // The payload, if it verifies (hash, and tag where there is one). Good until the next call.
  Result<std::optional<std::string_view>> payload_of(const Record& record);
  // The offset from which on all is zero, or `offset` if that is before it.
  Result<std::uint64_t> end_of_content(std::uint64_t offset);
  // Whether the used bytes agree with the seal.
  Result<bool> agrees_with(const base::Digest& digest, std::uint64_t end);

 private:
  SegmentReader(std::unique_ptr<env::RandomAccessFile> file, std::uint64_t seed, std::uint64_t end)
      : file_(std::move(file)), seed_(seed), end_(end) {}
  // [offset, offset + bytes), or fewer at the end; and as many more as the window holds, if `all`.
  Result<std::string_view> view(std::uint64_t offset, std::uint64_t bytes, bool all = false);

  std::unique_ptr<env::RandomAccessFile> file_;
  std::uint64_t seed_, end_;
  std::string window_;
  std::uint64_t window_offset_ = 0;
};

}  // namespace lightning::wal
