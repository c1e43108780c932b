// BlobWriter: makes one blob file, record by record, a chunk in memory at a time.
//
//   BlobWriter writer(std::move(file), store_id, uid, number, {});
//   LIGHTNING_TRY(writer.begin(key));
//   while (...) LIGHTNING_TRY(writer.append(bytes));
//   LIGHTNING_ASSIGN(const Reference reference, writer.end());
//   LIGHTNING_ASSIGN(const FileMeta meta, writer.finish());
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "blob/layout.h"
#include "env/env.h"
#include "lightning/config.h"
#include "sstable/codec.h"

namespace lightning::blob {

// What the manifest remembers about a blob file, and all that is needed to open it safely.
struct FileMeta {
  format::FileNumber number = 0;
  format::Uid uid;
  std::uint64_t file_bytes = 0;
  base::TagAlgorithm tags = base::TagAlgorithm::kBlake3;
  base::Tag root;  // tag of the footer, which holds that of the index
  std::uint64_t records = 0, record_bytes = 0;
  // Files whose records were moved here, ascending. Empty: its own records.
  std::vector<format::FileNumber> origins = {};
  // False: of a file that only the log knew of no more than number and records, with their bytes. What the file says of
  // itself is believed then: the references vouch for the records.
  bool has_identity() const { return uid != format::Uid{}; }
  bool operator==(const FileMeta&) const = default;
};

struct WriterOptions {
  Compression compression = Compression::kLz4;  // a chunk that does not shrink by 1/8 is stored as it is
  base::TagAlgorithm tags = base::TagAlgorithm::kBlake3;
  std::uint64_t created_ns = 0;  // wall time; 0 = not said
};

// Threads: one at a time. After an error of the disk the file is of no use. Memory: one chunk, and 32 bytes per record.
class BlobWriter {
 public:
  BlobWriter(std::unique_ptr<env::WritableFile> file, const format::Uid& store_id, const format::Uid& uid,
             format::FileNumber number, const WriterOptions& options);
  ~BlobWriter();

  // A record, from its key through the pieces of its value to its end. A value has at least one byte.
  // Errors: kValueTooLarge; kInternal out of turn.
  Status begin(std::string_view key);
  Status append(std::string_view bytes);
  Result<Reference> end();
  Result<Reference> add(std::string_view key, std::string_view value);

  // A record of another file, byte for byte, whose id is above all before it. A file holds either moved records or its
  // own.
  Status begin_moved(const RecordId& id, std::uint64_t stored_bytes);
  Status append_moved(std::string_view bytes);
  Status end_moved();

  std::uint64_t file_bytes() const { return offset_ + index_.size() + kFooterBytes; }
  std::uint64_t records() const { return records_; }
  format::FileNumber number() const { return number_; }

  // Writes index and footer, syncs, closes. The directory is synced by the caller. At least one record was written.
  Result<FileMeta> finish();

 private:
  Status put(std::string_view bytes);
  Status put_chunk(std::string_view raw);
  Status align();
  void close_record(const RecordId& id);

  const std::unique_ptr<env::WritableFile> file_;
  const format::Uid store_id_, uid_;
  const format::FileNumber number_;
  const WriterOptions options_;
  sstable::Compressor compressor_;
  bool header_written_ = false, in_record_ = false;
  std::uint64_t offset_ = 0, records_ = 0, record_bytes_ = 0;
  std::string index_;
  std::vector<format::FileNumber> origins_;

  // The record that is being written.
  std::uint64_t start_ = 0, value_bytes_ = 0, moved_bytes_ = 0;
  std::string head_, chunk_;
  std::vector<ChunkEntry> chunks_;
  bool plain_ = true;
  RecordId moved_, last_moved_;
};

}  // namespace lightning::blob
