#include "wal/salvage.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "wal/segment_reader.h"

namespace lightning::wal {

namespace {

Error unverified(const std::string& path, std::uint64_t offset) {
  return Error(ErrorCode::kWalCorrupt, "a log record does not verify").at_file(path, offset);
}

// As read_segment_info(), but one of the two blocks that name a segment's uid is enough.
Result<SegmentInfo> look_at_segment(env::Env& env, const std::string& path, format::FileNumber number,
                                    const format::Uid& store_id, std::optional<Error>& damage) {
  auto info = read_segment_info(env, path, number, &store_id);
  if (info || info.error().code() != ErrorCode::kWalCorrupt) return info;
  damage = info.error();
  SegmentInfo found;
  found.number = number;
  found.path = path;
  LIGHTNING_ASSIGN(const auto file, env.files.open_random_access(path, env::FileClass::kLog));
  found.file_bytes = file->size();
  if (found.file_bytes < kHeaderPageBytes) return found;
  std::string page(kHeaderPageBytes, '\0');
  LIGHTNING_TRY(file->read(0, page));
  const auto belongs = [&](const auto& block) {
    return block && block->number == number && block->store_id == store_id;
  };
  const auto prepared = decode_prepared(page);
  const auto start = decode_start(std::string_view(page).substr(kStartBlockOffset));
  if (belongs(prepared) && prepared->segment_bytes >= kHeaderPageBytes) found.prepared = prepared;
  if (!belongs(start)) return found;
  if (!found.prepared) {
    found.prepared = PreparedBlock{.store_id = store_id,
                                   .segment_uid = start->segment_uid,
                                   .number = number,
                                   .segment_bytes = found.file_bytes,
                                   .life = start->life};
  }
  if (found.prepared->segment_uid == start->segment_uid) found.start = start;
  const auto seal = decode_seal(std::string_view(page).substr(kSealBlockOffset));
  if (found.start && seal && seal->segment_uid == start->segment_uid && seal->number == number &&
      seal->end >= kHeaderPageBytes && seal->end <= found.prepared->segment_bytes)
    found.seal = seal;
  return found;
}

class Salvager {
 public:
  using Apply = std::function<Status(const RecoveredCommit&)>;
  Salvager(env::Env& env, const ReplayOptions& options, bool start_known, const Apply& apply)
      : env_(env), options_(options), start_known_(start_known), apply_(apply), applied_(options.start) {
    expect_durable(options.known_durable);
    expect_durable(options.anchor.last_sequence);
  }

  Status find_segments(const std::string& directory, const format::Uid& store_id);
  Result<SalvagedLog> run();
  // After run(): the log is not the one that the anchor lies in.
  const std::optional<Error>& foreign() const { return foreign_; }
  Sequence durable() const { return durable_; }

 private:
  struct Partial {
    RecordHeader first;
    std::string payload;
  };

  void mark_cuts();
  void expect_durable(Sequence sequence) { durable_ = std::max(durable_, sequence); }
  void blame(Error error) { blamed_ = std::move(error); }
  Status read(const SegmentInfo& segment);
  Status take(const SegmentInfo& segment, SegmentReader& reader, const SegmentReader::Record& record);
  Status complete(const SegmentInfo& segment, const SegmentReader::Record& record, std::string_view payload);
  void note_tail(const SegmentInfo& segment, SegmentReader& reader, std::uint64_t offset);
  void lose(Sequence first, Sequence last);

  env::Env& env_;
  const ReplayOptions& options_;
  const bool start_known_;
  const Apply& apply_;
  std::vector<SegmentInfo> segments_;
  SalvagedLog report_;
  LogPosition seen_;  // after the newest whole commit, applied or not
  bool seen_any_ = false;
  Sequence applied_;      // all up to here is applied, lost, or in tables
  Sequence durable_ = 0;  // something says that so much was
  std::optional<Partial> partial_;
  std::optional<Error> blamed_;  // the damage met last: the likely reason for what is missing
  std::optional<Error> foreign_;
};

Status Salvager::find_segments(const std::string& directory, const format::Uid& store_id) {
  LIGHTNING_ASSIGN(const std::vector<std::string> names, env_.files.list(directory));
  for (const std::string& name : names) {
    const auto number = segment_number(name);
    if (!number) continue;
    std::optional<Error> damage;
    auto info = look_at_segment(env_, directory + "/" + name, *number, store_id, damage);
    if (!info && info.error().code() != ErrorCode::kCorruption && info.error().code() != ErrorCode::kIo)
      return std::move(info).error();
    if (damage) blame(*damage);
    if (!info) blame(info.error());
    if (info && info->prepared) segments_.push_back(std::move(*info));
  }
  std::ranges::sort(segments_, {}, &SegmentInfo::number);
  mark_cuts();
  return {};
}

// What an earlier recovery has cut stays cut.
void Salvager::mark_cuts() {
  Sequence limit = std::numeric_limits<Sequence>::max();
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    segment->limit = limit;
    if (!segment->start) continue;
    const StartBlock& start = *segment->start;
    segment->abandoned = start.start.last_sequence >= limit;
    if (start.life == segment->number) limit = std::min(limit, start.start.last_sequence);
    if (segment->abandoned) continue;
    expect_durable(start.start.last_sequence);
    expect_durable(std::min(start.durable, segment->limit));
    if (segment->seal) expect_durable(std::min(segment->seal->position.last_sequence, segment->limit));
    if (std::tie(start.manifest.generation, start.manifest.records) >
        std::tie(report_.manifest.generation, report_.manifest.records))
      report_.manifest = start.manifest;
  }
}

void Salvager::lose(Sequence first, Sequence last) {
  const Error reason = blamed_.value_or(Error(ErrorCode::kWalMissing, "no segment of the log holds these writes"));
  report_.lost.push_back({first, last, reason});
}

Result<SalvagedLog> Salvager::run() {
  for (const SegmentInfo& segment : segments_)
    if (!segment.abandoned && !foreign_) LIGHTNING_TRY(read(segment));
  if (durable_ > applied_ && (start_known_ || seen_any_)) lose(applied_ + 1, durable_);
  report_.last_sequence = std::max(applied_, seen_.last_sequence);
  return std::move(report_);
}

Status Salvager::read(const SegmentInfo& segment) {
  auto opened = SegmentReader::open(env_, segment);
  if (!opened) {
    blame(opened.error());
    return {};
  }
  SegmentReader& reader = *opened;
  for (std::uint64_t offset = kHeaderPageBytes; !foreign_;) {
    const auto record = reader.find_record(offset);
    if (!record) {  // the disk refuses to give the rest
      blame(record.error());
      return {};
    }
    if (!*record) {
      note_tail(segment, reader, offset);
      return {};
    }
    if ((*record)->offset != offset) blame(unverified(segment.path, offset));
    LIGHTNING_TRY(take(segment, reader, **record));
    offset = (*record)->end();
  }
  return {};
}

// Bytes behind the last record are one that was cut short or damaged, or, in a segment that was used before, nothing.
void Salvager::note_tail(const SegmentInfo& segment, SegmentReader& reader, std::uint64_t offset) {
  if (segment.prepared->recycled || (segment.seal && offset >= segment.seal->end)) return;
  const auto end = reader.end_of_content(offset);
  if (end && *end <= offset) return;
  blame(unverified(segment.path, offset));
  report_.torn_tail = TornTail{.file = segment.path,
                               .offset = offset,
                               .bytes = end ? *end - offset : segment.records_end() - offset,
                               .last_sequence = seen_.last_sequence};
}

Status Salvager::take(const SegmentInfo& segment, SegmentReader& reader, const SegmentReader::Record& record) {
  const RecordHeader& header = record.header;
  expect_durable(std::min(header.durable, segment.limit));
  if (header.kind == RecordKind::kMark) return {};
  if (header.last_sequence() > segment.limit || header.epoch < static_cast<std::uint32_t>(options_.epoch)) return {};
  const auto payload = reader.payload_of(record);
  if (!payload || !*payload) {
    blame(payload ? unverified(segment.path, record.offset) : payload.error());
    if (header.kind != RecordKind::kFull) partial_.reset();
    return {};
  }
  if (header.kind == RecordKind::kFull) return complete(segment, record, **payload);
  if (header.kind == RecordKind::kFirst) {
    partial_ = Partial{.first = header, .payload = std::string(**payload)};
    return {};
  }
  if (!partial_ || partial_->first.first_sequence != header.first_sequence ||
      partial_->first.operations != header.operations || partial_->first.commit_time_ns != header.commit_time_ns) {
    partial_.reset();
    return {};
  }
  partial_->payload += **payload;
  if (header.kind != RecordKind::kLast) return {};
  const Partial whole = std::move(*partial_);
  partial_.reset();
  // The chain says whether a fragment in between is missing.
  const std::uint64_t chain = extend_chain(whole.first.chain, {.payload_hash = base::hash64(whole.payload),
                                                               .first_sequence = header.first_sequence,
                                                               .commit_time_ns = header.commit_time_ns,
                                                               .payload_bytes = whole.payload.size(),
                                                               .operations = header.operations,
                                                               .epoch = header.epoch});
  if (chain == header.chain) return complete(segment, record, whole.payload);
  blame(unverified(segment.path, record.offset));
  return {};
}

Status Salvager::complete(const SegmentInfo& segment, const SegmentReader::Record& record, std::string_view payload) {
  const RecordHeader& header = record.header;
  const Sequence last = header.last_sequence();
  if (seen_any_ && header.first_sequence <= seen_.last_sequence) return {};  // of a history that was left
  if (seen_any_ && header.first_sequence == seen_.last_sequence + 1) {
    const std::uint64_t chain = extend_chain(seen_.chain, {.payload_hash = base::hash64(payload),
                                                           .first_sequence = header.first_sequence,
                                                           .commit_time_ns = header.commit_time_ns,
                                                           .payload_bytes = payload.size(),
                                                           .operations = header.operations,
                                                           .epoch = header.epoch});
    if (chain != header.chain) {
      blame(Error(ErrorCode::kWalCorrupt, "a log record is of another history").at_file(segment.path, record.offset));
      return {};
    }
  }
  seen_ = {last, header.chain};
  seen_any_ = true;
  const LogPosition& anchor = options_.anchor;
  if (start_known_ && last == anchor.last_sequence && last >= options_.start && last > 0 &&
      header.chain != anchor.chain) {
    foreign_ = Error(ErrorCode::kWalCorrupt, "this is the log of another history of the store")
                   .at_file(segment.path, record.offset);
    return {};
  }
  if (last <= applied_) return {};  // in tables
  if (header.first_sequence > applied_ + 1 && (start_known_ || applied_ > 0))
    lose(applied_ + 1, header.first_sequence - 1);
  applied_ = last;
  ++report_.commits;
  report_.operations += header.operations;
  report_.bytes += payload.size();
  report_.torn_tail.reset();  // what was behind the commit before lies in a gap
  return apply_({.first_sequence = header.first_sequence,
                 .operations = header.operations,
                 .commit_time_ns = header.commit_time_ns,
                 .payload = payload});
}

bool is_damage(const Error& error) {
  return error.code() == ErrorCode::kWalCorrupt || error.code() == ErrorCode::kWalMissing ||
         error.code() == ErrorCode::kCorruption || error.code() == ErrorCode::kIo ||
         error.code() == ErrorCode::kStorageUnavailable;
}

SalvagedLog as_salvaged(const ReplayReport& report) {
  return {.last_sequence = report.end.last_sequence,
          .commits = report.commits,
          .operations = report.operations,
          .bytes = report.bytes,
          .lost = {},
          .torn_tail = report.torn_tail,
          .manifest = report.manifest};
}

}  // namespace

Result<SalvagedLog> salvage(env::Env& env, const std::string& directory, const format::Uid& store_id,
                            const ReplayOptions& options, bool start_known,
                            const std::function<Status(const RecoveredCommit&)>& apply) {
  LIGHTNING_ASSIGN(const bool there, env.files.exists(directory));
  if (!there) {
    SalvagedLog nothing{.last_sequence = options.start};
    const Sequence durable = std::max(options.known_durable, options.anchor.last_sequence);
    if (start_known && durable > options.start)
      nothing.lost.push_back({options.start + 1, durable,
                              Error(ErrorCode::kWalMissing, "the directory of the log is missing").at_file(directory)});
    return nothing;
  }
  if (start_known) {
    // A log that is whole is read as every opening reads it; that it is, is known before any of it is applied.
    auto log = LogReplay::find(env, directory, store_id, options);
    Result<ReplayReport> whole = log ? log->read([](const RecoveredCommit&) { return Status(); }) : log.error();
    if (whole) {
      LIGHTNING_TRY(log->read(apply));
      return as_salvaged(*whole);
    }
    if (!is_damage(whole.error())) return std::move(whole).error();
  }
  const Salvager::Apply nothing = [](const RecoveredCommit&) { return Status(); };
  Salvager looking(env, options, start_known, nothing);
  LIGHTNING_TRY(looking.find_segments(directory, store_id));
  LIGHTNING_TRY(looking.run());
  if (looking.foreign()) {
    SalvagedLog refused{.last_sequence = options.start};
    refused.lost.push_back({options.start + 1, std::max(looking.durable(), options.start + 1), *looking.foreign()});
    return refused;
  }
  Salvager salvager(env, options, start_known, apply);
  LIGHTNING_TRY(salvager.find_segments(directory, store_id));
  return salvager.run();
}

}  // namespace lightning::wal
