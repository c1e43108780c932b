#include "wal/segment_reader.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "base/planted_bug.h"

namespace lightning::wal {

namespace {

constexpr std::uint64_t kWindowBytes = 1 << 20;

Error corrupt(const std::string& what, const std::string& path, std::uint64_t offset) {
  return Error(ErrorCode::kWalCorrupt, what).at_file(path, offset);
}

Status check_supported(const PreparedBlock& prepared, const std::string& path) {
  const bool features = (prepared.features.incompatible & ~format::kKnownFeatures.incompatible) != 0;
  if (prepared.format_version > format::kFormatVersion || features || prepared.key_id != 0 ||
      prepared.parity_scheme != 0)
    return Error(ErrorCode::kFormatUnsupported, "log segment of format version " +
                                                    std::to_string(prepared.format_version) +
                                                    " uses features that this version does not know")
        .at_file(path, 0);
  return {};
}

// Recoveries of earlier lives cut tails; what lies behind a cut is nobody's, for ever. A life whose first segment is
// gone has released it, so what the lives before it left is in tables, or cut.
Status mark_cut_tails(std::vector<SegmentInfo>& segments) {
  Sequence limit = std::numeric_limits<Sequence>::max();
  format::FileNumber life = 0;  // the latest seen, going back
  bool first_seen = true;       // of that life
  for (auto it = segments.rbegin(); it != segments.rend(); ++it) {
    if (!it->prepared) continue;
    if (it->prepared->life != life) {
      if (!first_seen) limit = 0;
      life = it->prepared->life;
      first_seen = false;
      it->last_of_life = true;
    }
    it->limit = limit;
    it->abandoned = it->start ? it->start->start.last_sequence >= limit : limit == 0;
    if (it->number != life) continue;
    first_seen = true;
    if (it->start) {
      limit = std::min(limit, it->start->start.last_sequence);
    } else if (!it->last_of_life) {  // it was durable before the second segment was prepared
      return corrupt("the start block of a life's first log segment does not verify", it->path, kStartBlockOffset);
    }
  }
  return {};
}

}  // namespace

Result<SegmentInfo> read_segment_info(env::Env& env, const std::string& path, format::FileNumber number,
                                      const format::Uid* store_id) {
  SegmentInfo info;
  info.number = number;
  info.path = path;
  LIGHTNING_ASSIGN(const auto file, env.files.open_random_access(path, env::FileClass::kLog));
  info.file_bytes = file->size();
  if (info.file_bytes < kHeaderPageBytes) return info;  // the log never got that far
  std::string page(kHeaderPageBytes, '\0');
  LIGHTNING_TRY(file->read(0, page));
  const std::string_view bytes = page;

  auto start = decode_start(bytes.substr(kStartBlockOffset));
  if (start && start->number != number) start.reset();
  if (start && store_id != nullptr && start->store_id != *store_id)
    return corrupt("log segment belongs to another store", path, kStartBlockOffset);
  auto prepared = decode_prepared(bytes);
  if (!prepared) {
    // The prepared block was durable before the start block was written.
    if (start) return corrupt("the first block of a log segment in use does not verify", path, 0);
    return info;
  }
  LIGHTNING_TRY(check_supported(*prepared, path));
  if (prepared->number != number) return info;  // renamed, not yet prepared
  if (store_id != nullptr && prepared->store_id != *store_id)
    return corrupt("log segment belongs to another store", path, 0);
  if (prepared->segment_bytes < kHeaderPageBytes) return corrupt("log segment with an impossible size", path, 0);
  info.prepared = prepared;
  if (start && start->segment_uid == prepared->segment_uid) info.start = start;
  auto seal = decode_seal(bytes.substr(kSealBlockOffset));
  if (info.start && seal && seal->segment_uid == prepared->segment_uid && seal->number == number &&
      seal->end >= kHeaderPageBytes && seal->end <= prepared->segment_bytes)
    info.seal = seal;
  if (info.file_bytes < (info.seal ? info.seal->end : prepared->segment_bytes)) {
    if (info.start)
      return corrupt(
          "log segment is shorter than the " + std::to_string(prepared->segment_bytes) + " bytes it was made of", path,
          info.file_bytes);
    info.prepared.reset();
  }
  return info;
}

Result<std::vector<SegmentInfo>> read_directory(env::Env& env, const std::string& directory,
                                                const format::Uid& store_id) {
  LIGHTNING_ASSIGN(const std::vector<std::string> names, env.files.list(directory));
  std::vector<SegmentInfo> segments;
  for (const std::string& name : names) {
    const auto number = segment_number(name);
    if (!number) continue;
    auto info = read_segment_info(env, directory + "/" + name, *number, &store_id);
    if (!info && info.error().code() == ErrorCode::kStorageUnavailable)
      return Error(ErrorCode::kBusy, "a log segment was removed while the log was read")
          .at_file(directory + "/" + name);
    LIGHTNING_TRY(info);
    segments.push_back(std::move(*info));
  }
  std::sort(segments.begin(), segments.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  LIGHTNING_TRY(mark_cut_tails(segments));
  return segments;
}

Result<SegmentReader> SegmentReader::open(env::Env& env, const SegmentInfo& info) {
  LIGHTNING_ASSIGN(auto file, env.files.open_random_access(info.path, env::FileClass::kLog));
  const std::uint64_t end = std::min(info.records_end(), file->size());
  return SegmentReader(std::move(file), info.seed(), end);
}

Result<std::string_view> SegmentReader::view(std::uint64_t offset, std::uint64_t bytes, bool all) {
  if (offset >= end_) return std::string_view{};
  bytes = std::min(bytes, end_ - offset);
  if (offset < window_offset_ || offset + bytes > window_offset_ + window_.size()) {
    const std::uint64_t size = std::min(std::max(bytes, kWindowBytes), end_ - offset);
    window_.resize(size);
    window_offset_ = offset;
    if (Status read = file_->read(offset, window_); !read) {
      window_.clear();
      return std::move(read).error();
    }
  }
  const std::string_view found = std::string_view(window_).substr(offset - window_offset_);
  return all ? found : found.substr(0, bytes);
}

Result<std::optional<SegmentReader::Record>> SegmentReader::record_at(std::uint64_t offset) {
  LIGHTNING_ASSIGN(const std::string_view bytes, view(offset, kRecordHeaderBytes));
  const auto header = decode_record(bytes, seed_, offset, end_);
  if (!header) return std::optional<Record>{};
  return std::optional<Record>{Record{*header, offset}};
}

Result<std::optional<SegmentReader::Record>> SegmentReader::find_record(std::uint64_t offset) {
  for (offset = (offset + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
       offset + kRecordHeaderBytes <= end_;) {
    LIGHTNING_ASSIGN(const std::string_view bytes, view(offset, kRecordHeaderBytes, true));
    std::uint64_t at = 0;
    for (; at + kRecordHeaderBytes <= bytes.size(); at += kRecordAlignment) {
      // Most places fail here: zeros, and payload bytes.
      if (static_cast<unsigned char>(bytes[at + 12] - 1) >= static_cast<unsigned char>(RecordKind::kMark)) continue;
      if (const auto header = decode_record(bytes.substr(at), seed_, offset + at, end_))
        return std::optional<Record>{Record{*header, offset + at}};
    }
    offset += at;
  }
  return std::optional<Record>{};
}

Result<std::optional<std::string_view>> SegmentReader::payload_of(const Record& record) {
  LIGHTNING_ASSIGN(const std::string_view bytes, view(record.offset, record_bytes(record.header)));
  const std::string_view payload = bytes.substr(kRecordHeaderBytes, record.header.payload_bytes);
  if (base::planted(base::PlantedBug::kIgnoreLogChecksums)) return std::optional<std::string_view>{payload};
  if (base::hash64(payload) != record.header.payload_hash) return std::optional<std::string_view>{};
  if (record.header.has_tag()) {
    RecordHeaderBytes header;
    std::ranges::copy(bytes.substr(0, header.size()), header.begin());
    const base::Tag tag = record_tag(header, payload);
    if (bytes.substr(kRecordHeaderBytes + payload.size(), kTagBytes) != base::as_bytes(tag.bytes))
      return std::optional<std::string_view>{};
  }
  return std::optional<std::string_view>{payload};
}

Result<std::uint64_t> SegmentReader::end_of_content(std::uint64_t offset) {
  std::uint64_t end = offset;
  while (offset < end_) {
    LIGHTNING_ASSIGN(const std::string_view bytes, view(offset, kWindowBytes));
    if (const std::size_t at = bytes.find_last_not_of('\0'); at != std::string_view::npos) end = offset + at + 1;
    offset += bytes.size();
  }
  return end;
}

Result<bool> SegmentReader::agrees_with(const base::Digest& digest, std::uint64_t end) {
  base::DigestBuilder builder;
  for (std::uint64_t offset = kHeaderPageBytes; offset < end;) {
    LIGHTNING_ASSIGN(const std::string_view bytes, view(offset, std::min(kWindowBytes, end - offset)));
    if (bytes.empty()) return false;
    builder.add(bytes);
    offset += bytes.size();
  }
  return builder.finish() == digest;
}

}  // namespace lightning::wal
