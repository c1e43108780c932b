#include "blob/blob_writer.h"

namespace lightning::blob {

namespace {

Error out_of_turn(std::string_view what) {
  return Error(ErrorCode::kInternal, "a blob file was given " + std::string(what) + " out of turn");
}

}  // namespace

BlobWriter::BlobWriter(std::unique_ptr<env::WritableFile> file, const format::Uid& store_id, const format::Uid& uid,
                       format::FileNumber number, const WriterOptions& options)
    : file_(std::move(file)),
      store_id_(store_id),
      uid_(uid),
      number_(number),
      options_(options),
      compressor_(options.compression) {}

BlobWriter::~BlobWriter() = default;

Status BlobWriter::put(std::string_view bytes) {
  LIGHTNING_TRY(file_->append(bytes));
  offset_ += bytes.size();
  return {};
}

Status BlobWriter::align() {
  if (!header_written_) {
    header_written_ = true;
    LIGHTNING_TRY(compressor_.ready());
    LIGHTNING_TRY(put(encode(Header{store_id_, uid_, number_})));
  }
  if (offset_ % kAlignment != 0) LIGHTNING_TRY(put(std::string(kAlignment - offset_ % kAlignment, '\0')));
  if (offset_ >= kFileBytesMax) return Error(ErrorCode::kInternal, "a blob file has grown beyond its limit");
  return {};
}

Status BlobWriter::begin(std::string_view key) {
  if (in_record_ || !origins_.empty()) return out_of_turn("a record");
  if (key.empty() || key.size() > kKeyBytesMax) return Error(ErrorCode::kInternal, "a blob has a key of no valid size");
  LIGHTNING_TRY(align());
  in_record_ = true;
  start_ = offset_;
  value_bytes_ = 0;
  plain_ = true;
  chunks_.clear();
  chunk_.clear();
  RecordHead head;
  head.id = {number_, records_};
  head.tags = options_.tags;
  head.compression = static_cast<std::uint8_t>(options_.compression);
  head_ = encode(head, key);
  return put(head_);
}

Status BlobWriter::put_chunk(std::string_view raw) {
  const std::string_view stored = compressor_.compress(raw);
  if (stored.size() < raw.size()) plain_ = false;
  chunks_.push_back({static_cast<std::uint32_t>(stored.size()), base::tag_of(options_.tags, stored)});
  return put(stored);
}

Status BlobWriter::append(std::string_view bytes) {
  if (!in_record_) return out_of_turn("a piece of a value");
  if (bytes.size() > kValueBytesMax - value_bytes_)
    return Error(ErrorCode::kValueTooLarge, "the value has more than " + std::to_string(kValueBytesMax) + " bytes");
  value_bytes_ += bytes.size();
  if (!chunk_.empty()) {
    const std::string_view piece = bytes.substr(0, kChunkBytes - chunk_.size());
    chunk_ += piece;
    bytes.remove_prefix(piece.size());
    if (chunk_.size() < kChunkBytes) return {};
    LIGHTNING_TRY(put_chunk(chunk_));
    chunk_.clear();
  }
  for (; bytes.size() >= kChunkBytes; bytes.remove_prefix(kChunkBytes))
    LIGHTNING_TRY(put_chunk(bytes.substr(0, kChunkBytes)));
  chunk_ = bytes;
  return {};
}

Result<Reference> BlobWriter::end() {
  if (!in_record_ || value_bytes_ == 0) return out_of_turn("the end of a value");
  if (!chunk_.empty()) LIGHTNING_TRY(put_chunk(chunk_));
  const std::string tail = encode_tail(value_bytes_, chunks_);
  LIGHTNING_TRY(put(tail));
  Reference reference;
  reference.id = {number_, records_};
  reference.offset = start_;
  reference.stored_bytes = offset_ - start_;
  reference.value_bytes = value_bytes_;
  reference.plain = plain_;
  reference.tags = options_.tags;
  reference.tag = tag_of_record(options_.tags, head_, tail);
  close_record(reference.id);
  return reference;
}

Result<Reference> BlobWriter::add(std::string_view key, std::string_view value) {
  LIGHTNING_TRY(begin(key));
  // In whole chunks from where they lie: only the last one is copied.
  LIGHTNING_TRY(append(value));
  return end();
}

void BlobWriter::close_record(const RecordId& id) {
  append_entry(index_, {id, start_, offset_ - start_});
  record_bytes_ += offset_ - start_;
  ++records_;
  in_record_ = false;
}

Status BlobWriter::begin_moved(const RecordId& id, std::uint64_t stored_bytes) {
  if (in_record_ || (records_ > 0 && (origins_.empty() || id <= last_moved_))) return out_of_turn("a moved record");
  LIGHTNING_TRY(align());
  in_record_ = true;
  start_ = offset_;
  moved_ = id;
  moved_bytes_ = stored_bytes;
  if (origins_.empty() || origins_.back() != id.origin) origins_.push_back(id.origin);
  return {};
}

Status BlobWriter::append_moved(std::string_view bytes) {
  if (!in_record_ || origins_.empty()) return out_of_turn("a piece of a moved record");
  return put(bytes);
}

Status BlobWriter::end_moved() {
  if (!in_record_ || origins_.empty() || offset_ - start_ != moved_bytes_)
    return out_of_turn("the end of a moved record");
  last_moved_ = moved_;
  close_record(moved_);
  return {};
}

Result<FileMeta> BlobWriter::finish() {
  if (in_record_ || records_ == 0) return out_of_turn("its end");
  LIGHTNING_TRY(align());
  Footer footer;
  footer.tags = options_.tags;
  footer.store_id = store_id_;
  footer.uid = uid_;
  footer.number = number_;
  footer.records = records_;
  footer.record_bytes = record_bytes_;
  footer.index_offset = offset_;
  footer.index_tag = tag_of_index(options_.tags, uid_, index_);
  footer.created_ns = options_.created_ns;
  LIGHTNING_TRY(put(index_));
  FileMeta meta;
  meta.file_bytes = offset_ + kFooterBytes;
  const std::string encoded = encode(footer, meta.file_bytes);
  LIGHTNING_TRY(put(encoded));
  LIGHTNING_TRY(file_->sync());
  LIGHTNING_TRY(file_->close());
  meta.number = number_;
  meta.uid = uid_;
  meta.tags = options_.tags;
  meta.root = tag_of_footer(options_.tags, encoded);
  meta.records = records_;
  meta.record_bytes = record_bytes_;
  meta.origins = std::move(origins_);
  return meta;
}

}  // namespace lightning::blob
