// Replay: the log's commits in order, up to the torn tail; and the search for evidence that a bad record is no torn
// tail but damage (docs/format/wal.md, "Torn or corrupt").
//
//   for each segment from the one that holds the start position:
//     read records until the seal's end, the cut of a later life, or a record that does not verify
//     does the next segment start exactly here?  then go on there
//     else the log ends here: is there evidence that more was durable?  damage, else a torn or clean end
#include <algorithm>
#include <tuple>
#include <utility>

#include "wal/segment_reader.h"

namespace lightning::wal {

namespace {

// Where reading a segment stopped.
struct Stop {
  enum class Why : std::uint8_t { kCut, kSealed, kBadRecord } why = Why::kBadRecord;
  std::uint64_t offset = kHeaderPageBytes;
};

// A commit of which some fragments have been read.
struct PartialCommit {
  std::string file;
  std::uint64_t offset = 0, bytes = 0;  // of its first fragment; of all
  format::FileNumber segment = 0;       // with its latest fragment
  RecordHeader first;
  std::string payload;
};

// What speaks for sequence numbers having been durable, and what lies behind the place where reading stopped.
struct Evidence {
  Sequence durable = 0;
  std::string file;  // that says so; empty: the caller
  std::uint64_t offset = 0;
  std::uint64_t valid_end = 0;  // end of the last valid record behind the stop, in the same segment
  bool records_behind = false;  // valid ones, in the same or a later segment of the life

  void add(Sequence sequence, const std::string& path, std::uint64_t at) {
    if (sequence <= durable) return;
    durable = sequence;
    file = path;
    offset = at;
  }
};

class Replayer {
 public:
  using Apply = std::function<Status(const RecoveredCommit&)>;
  Replayer(env::Env& env, const ReplayOptions& options, const std::vector<SegmentInfo>& segments, const Apply& apply)
      : env_(env),
        options_(options),
        apply_(apply),
        segments_(segments),
        position_(start_position()),
        chain_known_(start_is_anchored()) {}

  Result<ReplayReport> run();
  Result<LogInventory> take_inventory();

 private:
  bool start_is_anchored() const { return options_.anchor.last_sequence == options_.start; }
  LogPosition start_position() const {
    return start_is_anchored() ? options_.anchor : LogPosition{.last_sequence = options_.start};
  }
  Status pick_first();
  Status enter(const SegmentInfo& segment);
  Result<Stop> read(const SegmentInfo& segment, std::uint64_t offset);
  // Takes the record at `reader`'s place into account. False: it does not verify as what comes next.
  Result<bool> take(const SegmentInfo& segment, SegmentReader& reader, const SegmentReader::Record& record);
  Result<bool> take_fragment(const SegmentInfo& segment, const SegmentReader::Record& record, std::string_view payload);
  Status complete(const SegmentInfo& segment, const SegmentReader::Record& record, std::uint64_t payload_hash,
                  std::string_view payload);
  Result<std::optional<std::uint64_t>> find_start_behind(SegmentReader& reader, std::uint64_t offset);
  Status check_seal(const SegmentInfo& segment, SegmentReader& reader);
  Status check_anchor(const SegmentInfo& segment, std::uint64_t offset) const;
  bool connects(const SegmentInfo& segment, const SegmentInfo& next) const;

  Result<ReplayReport> end_at(const SegmentInfo& segment, Stop stop, const SegmentInfo* next);
  Status check_history(const SegmentInfo& next) const;
  Status check_not_missing(const SegmentInfo* segment, const SegmentInfo& next, Stop stop) const;
  Result<Evidence> gather_evidence(const SegmentInfo* segment, Stop stop);
  Status search_records(const SegmentInfo& segment, std::uint64_t offset, Evidence& evidence, bool same_segment);
  Error damage(const SegmentInfo* segment, Stop stop, const Evidence& evidence) const;
  Result<bool> verifies_now(const SegmentInfo& segment, Stop stop);
  Status report_tail(const SegmentInfo& segment, Stop stop, const Evidence& evidence);
  Error contradiction(const SegmentInfo& segment, std::uint64_t offset, const std::string& what) const;
  // The first sequence that is neither in tables nor read.
  Sequence wanted() const { return std::max(position_.last_sequence, options_.start) + 1; }

  env::Env& env_;
  const ReplayOptions& options_;
  const Apply& apply_;
  const std::vector<SegmentInfo>& segments_;  // all
  std::vector<const SegmentInfo*> live_;      // started, not abandoned, from the first to read
  const SegmentInfo* too_late_ = nullptr;     // nothing to start from, but this segment starts later
  LogPosition position_;                      // after what has been read
  bool chain_known_;                          // position_.chain is
  bool orphan_ = false;                       // in fragments of a commit that is passed over and began before
  std::optional<PartialCommit> partial_;
  ReplayReport report_;
};

Error Replayer::contradiction(const SegmentInfo& segment, std::uint64_t offset, const std::string& what) const {
  return Error(ErrorCode::kWalCorrupt, what + ", after sequence " + std::to_string(position_.last_sequence))
      .at_file(segment.path, offset);
}

Result<LogInventory> Replayer::take_inventory() {
  LIGHTNING_TRY(pick_first());
  LogInventory inventory{.segments = live_.size(), .others = segments_.size() - live_.size()};
  for (const SegmentInfo* segment : live_)
    inventory.bytes += std::max(segment->records_end(), kHeaderPageBytes) - kHeaderPageBytes;
  return inventory;
}

Result<ReplayReport> Replayer::run() {
  for (const SegmentInfo& segment : segments_) {
    if (!segment.start) continue;
    const ManifestPosition known = segment.start->manifest;
    ManifestPosition& newest = report_.manifest;
    if (std::tie(known.generation, known.records) > std::tie(newest.generation, newest.records)) newest = known;
  }
  LIGHTNING_TRY(pick_first());
  if (live_.empty()) {
    // A segment that starts too late is as good as missing ones, unless its predecessor lies there, never synced.
    if (too_late_ != nullptr) LIGHTNING_TRY(check_not_missing(nullptr, *too_late_, {}));
    LIGHTNING_ASSIGN(const Evidence evidence, gather_evidence(nullptr, {}));
    if (evidence.durable >= wanted()) return damage(nullptr, {}, evidence);
    report_.end = position_;
    return std::move(report_);
  }
  for (std::size_t i = 0;; ++i) {
    const SegmentInfo& segment = *live_[i];
    const SegmentInfo* const next = i + 1 < live_.size() ? live_[i + 1] : nullptr;
    LIGHTNING_TRY(enter(segment));
    LIGHTNING_ASSIGN(Stop stop, read(segment, kHeaderPageBytes));
    for (;;) {
      if (next != nullptr && connects(segment, *next)) break;
      auto ended = end_at(segment, stop, next);
      if (ended) return ended;
      if (ended.error().code() != ErrorCode::kWalCorrupt || stop.why != Stop::Why::kBadRecord) return ended;
      // Beside a writer, the record may have been written while we looked.
      LIGHTNING_ASSIGN(const bool now, verifies_now(segment, stop));
      if (!now) return ended;
      LIGHTNING_ASSIGN(stop, read(segment, stop.offset));
    }
  }
}

// The last segment that begins at or before the start position, and not inside a commit that reaches beyond it.
Status Replayer::pick_first() {
  const Sequence start = options_.start;
  for (const SegmentInfo& segment : segments_) {
    if (!segment.start || segment.abandoned) continue;
    const StartBlock& block = *segment.start;
    if (block.start.last_sequence <= start && block.continues <= start) live_.clear();
    live_.push_back(&segment);
  }
  if (live_.empty()) return {};
  const StartBlock& first = *live_.front()->start;
  if (first.start.last_sequence > start || first.continues > start) {
    too_late_ = live_.front();
    live_.clear();
    return {};
  }
  position_ = first.start;
  chain_known_ = true;
  orphan_ = first.continues != 0;
  return check_anchor(*live_.front(), kStartBlockOffset);
}

// Records may verify, and follow each other, and still be those of another log: a segment from a copy of the store that
// went its own way.
Status Replayer::check_anchor(const SegmentInfo& segment, std::uint64_t offset) const {
  const LogPosition& anchor = options_.anchor;
  if (position_.last_sequence != anchor.last_sequence || anchor.last_sequence < options_.start) return {};
  if (position_.chain == anchor.chain) return {};
  return Error(ErrorCode::kWalCorrupt, "the log does not continue what the manifest knew: up to sequence " +
                                           std::to_string(anchor.last_sequence) +
                                           " it is the log of another history of this store (a segment of a copy of "
                                           "it?). Put back the segments that belong to this store, or restore a backup")
      .at_file(segment.path, offset);
}

Status Replayer::enter(const SegmentInfo& segment) {
  ++report_.segments;
  if (segment.start->life == segment.number) partial_.reset();  // the life before ended inside a commit
  return {};
}

bool Replayer::connects(const SegmentInfo& segment, const SegmentInfo& next) const {
  const StartBlock& start = *next.start;
  if (start.start.last_sequence != position_.last_sequence) return false;
  if (chain_known_ && start.start.chain != position_.chain) return false;
  if (start.life != segment.start->life) return start.life == next.number;
  if (orphan_) return start.previous == segment.number;
  if (!partial_) return start.continues == 0;
  return partial_->segment == segment.number && start.previous == segment.number &&
         start.continues == partial_->first.last_sequence();
}

Result<Stop> Replayer::read(const SegmentInfo& segment, std::uint64_t offset) {
  LIGHTNING_ASSIGN(SegmentReader reader, SegmentReader::open(env_, segment));
  bool whole = offset == kHeaderPageBytes;
  for (;;) {
    if (position_.last_sequence == segment.limit) return Stop{Stop::Why::kCut, offset};
    if (segment.seal && offset == segment.seal->end) {
      if (whole) LIGHTNING_TRY(check_seal(segment, reader));
      return Stop{Stop::Why::kSealed, offset};
    }
    LIGHTNING_ASSIGN(const auto record, reader.record_at(offset));
    bool taken = false;
    if (record) {
      LIGHTNING_ASSIGN(taken, take(segment, reader, *record));
    }
    if (taken) {
      offset = record->end();
      continue;
    }
    if (position_.last_sequence >= options_.start) return Stop{Stop::Why::kBadRecord, offset};
    // What is bad here is in tables; the log may be good again where they end.
    LIGHTNING_ASSIGN(const auto found, find_start_behind(reader, offset));
    if (!found) return Stop{Stop::Why::kBadRecord, offset};
    position_ = start_position();
    chain_known_ = start_is_anchored();
    partial_.reset();
    orphan_ = whole = false;
    offset = *found;
  }
}

// Looks for the record that follows the start.
Result<std::optional<std::uint64_t>> Replayer::find_start_behind(SegmentReader& reader, std::uint64_t offset) {
  for (offset += kRecordAlignment;;) {
    LIGHTNING_ASSIGN(const auto record, reader.find_record(offset));
    if (!record || record->header.first_sequence > options_.start + 1) return std::optional<std::uint64_t>{};
    if (record->header.first_sequence == options_.start + 1 && begins_commit(record->header.kind))
      return std::optional<std::uint64_t>{record->offset};
    offset = record->end();
  }
}

Result<bool> Replayer::take(const SegmentInfo& segment, SegmentReader& reader, const SegmentReader::Record& record) {
  const RecordHeader& header = record.header;
  if (header.first_sequence != position_.last_sequence + 1)
    return contradiction(segment, record.offset, "record of sequence " + std::to_string(header.first_sequence));
  const bool begins = header.kind == RecordKind::kMark || begins_commit(header.kind);
  if (begins && (orphan_ || partial_)) return contradiction(segment, record.offset, "record inside another commit");
  if (header.kind != RecordKind::kFull && header.kind != RecordKind::kLast && !orphan_) {
    // Carries the chain before its commit.
    if (chain_known_ && header.chain != position_.chain)
      return contradiction(segment, record.offset, "record of another history");
    position_.chain = header.chain;
    chain_known_ = true;
  }
  if (header.kind == RecordKind::kMark) return true;
  if (header.last_sequence() > segment.limit)
    return contradiction(segment, record.offset, "commit lies across the end of an earlier recovery");
  const bool pass_over = header.last_sequence() <= options_.start;
  if (orphan_) {
    if (!pass_over) return contradiction(segment, record.offset, "fragment without a beginning");
    if (header.kind == RecordKind::kLast) {
      orphan_ = false;
      LIGHTNING_TRY(complete(segment, record, header.payload_hash, {}));
    }
    return true;
  }
  std::string_view payload;
  if (!pass_over || header.kind != RecordKind::kFull) {
    LIGHTNING_ASSIGN(const auto verified, reader.payload_of(record));
    if (!verified) return false;
    payload = *verified;
  }
  if (header.kind != RecordKind::kFull) return take_fragment(segment, record, payload);
  LIGHTNING_TRY(complete(segment, record, header.payload_hash, payload));
  return true;
}

Result<bool> Replayer::take_fragment(const SegmentInfo& segment, const SegmentReader::Record& record,
                                     std::string_view payload) {
  const RecordHeader& header = record.header;
  if (header.kind == RecordKind::kFirst) {
    partial_.emplace();
    partial_->file = segment.path;
    partial_->offset = record.offset;
    partial_->first = header;
  } else if (!partial_ || partial_->first.operations != header.operations ||
             partial_->first.commit_time_ns != header.commit_time_ns) {
    return contradiction(segment, record.offset, "fragment of another commit");
  }
  partial_->segment = segment.number;
  partial_->bytes += record_bytes(header);
  partial_->payload += payload;
  if (header.kind != RecordKind::kLast) return true;
  const PartialCommit whole = std::move(*partial_);
  partial_.reset();
  LIGHTNING_TRY(complete(segment, record, base::hash64(whole.payload), whole.payload));
  return true;
}

// `record` ends a commit, whose chain and place relative to the start position are checked here.
Status Replayer::complete(const SegmentInfo& segment, const SegmentReader::Record& record, std::uint64_t payload_hash,
                          std::string_view payload) {
  const RecordHeader& header = record.header;
  const Sequence last = header.last_sequence();
  const Sequence start = options_.start, anchor = options_.anchor.last_sequence;
  const bool pass_over = last <= start;
  const bool orphan = pass_over && header.kind == RecordKind::kLast && payload.empty();
  if (chain_known_ && !orphan) {
    const std::uint64_t bytes = header.kind == RecordKind::kFull ? header.payload_bytes : payload.size();
    const std::uint64_t chain = extend_chain(position_.chain, {.payload_hash = payload_hash,
                                                               .first_sequence = header.first_sequence,
                                                               .commit_time_ns = header.commit_time_ns,
                                                               .payload_bytes = bytes,
                                                               .operations = header.operations,
                                                               .epoch = header.epoch});
    if (chain != header.chain) return contradiction(segment, record.offset, "record of another history");
  }
  if (!pass_over && header.first_sequence <= start)
    return contradiction(segment, record.offset, "the start position lies inside a commit");
  if (anchor >= start && header.first_sequence <= anchor && anchor < last)
    return contradiction(segment, record.offset, "the position that the manifest knew lies inside a commit");
  if (!pass_over && header.epoch < static_cast<std::uint32_t>(options_.epoch))
    return contradiction(segment, record.offset, "record of an epoch that the store has left");
  position_ = {last, header.chain};
  chain_known_ = true;
  LIGHTNING_TRY(check_anchor(segment, record.offset));
  if (pass_over) return {};
  ++report_.commits;
  report_.operations += header.operations;
  report_.bytes += payload.size();
  return apply_({.first_sequence = header.first_sequence,
                 .operations = header.operations,
                 .commit_time_ns = header.commit_time_ns,
                 .chain = header.chain,
                 .epoch = header.epoch,
                 .payload = payload});
}

Status Replayer::check_seal(const SegmentInfo& segment, SegmentReader& reader) {
  const SealBlock& seal = *segment.seal;
  if (seal.position.last_sequence != position_.last_sequence || seal.position.chain != position_.chain)
    return contradiction(segment, kSealBlockOffset, "the seal of a log segment does not agree with its records");
  if (!seal.digest) return {};
  LIGHTNING_ASSIGN(const bool agrees, reader.agrees_with(*seal.digest, seal.end));
  if (!agrees) return contradiction(segment, kSealBlockOffset, "a sealed log segment does not agree with its digest");
  return {};
}

// --- the end ------------------------------------------------------------------------------------------------------

Result<ReplayReport> Replayer::end_at(const SegmentInfo& segment, Stop stop, const SegmentInfo* next) {
  if (next != nullptr) {
    LIGHTNING_TRY(check_history(*next));
    LIGHTNING_TRY(check_not_missing(&segment, *next, stop));
  }
  LIGHTNING_ASSIGN(const Evidence evidence, gather_evidence(&segment, stop));
  if (evidence.durable >= wanted()) return damage(&segment, stop, evidence);
  report_.end = position_.last_sequence >= options_.start ? position_ : start_position();
  LIGHTNING_TRY(report_tail(segment, stop, evidence));
  return std::move(report_);
}

// A segment may start behind what was read (then something is lost), but not before it or in another history.
Status Replayer::check_history(const SegmentInfo& next) const {
  const LogPosition& start = next.start->start;
  if (start.last_sequence > position_.last_sequence) return {};
  if (start.last_sequence == position_.last_sequence && (!chain_known_ || start.chain == position_.chain)) return {};
  return contradiction(next, kStartBlockOffset, "log segment continues another history");
}

// The log went from some segment into `next`: was that one here? Its name was durable before.
Status Replayer::check_not_missing(const SegmentInfo* segment, const SegmentInfo& next, Stop stop) const {
  const format::FileNumber previous = next.start->previous;
  const std::string gap = "the log ends at sequence " + std::to_string(wanted() - 1) + " and goes on behind " +
                          std::to_string(next.start->start.last_sequence);
  if (segment != nullptr && previous == segment->number) return {};
  if (previous == 0) {  // first of a life: the recovery before it had read everything up to here
    if (segment != nullptr && stop.why == Stop::Why::kBadRecord) return {};
    if (next.start->start.last_sequence < wanted()) return {};
    return Error(ErrorCode::kWalMissing, "log segments before this one are missing: " + gap).at_file(next.path);
  }
  const auto found =
      std::find_if(segments_.begin(), segments_.end(), [&](const auto& info) { return info.number == previous; });
  if (found == segments_.end())
    return Error(ErrorCode::kWalMissing, "log segment " + segment_name(previous) + " is missing: " + gap)
        .at_file(next.path);
  if (!found->prepared)
    return Error(ErrorCode::kWalCorrupt, "the first block of a log segment in use does not verify")
        .at_file(found->path, 0);
  return {};
}

Result<Evidence> Replayer::gather_evidence(const SegmentInfo* segment, Stop stop) {
  Evidence evidence;
  evidence.durable = std::max(options_.known_durable, options_.anchor.last_sequence);
  format::FileNumber life = 0, number = 0;
  if (segment != nullptr) {
    life = segment->start->life;
    number = segment->number;
    if (stop.why == Stop::Why::kBadRecord) {
      if (segment->seal) evidence.add(segment->seal->position.last_sequence, segment->path, kSealBlockOffset);
      LIGHTNING_TRY(search_records(*segment, stop.offset, evidence, true));
    }
  }
  for (const SegmentInfo& later : segments_) {
    if (later.number <= number || !later.prepared || later.abandoned) continue;
    const bool same_life = segment == nullptr || later.prepared->life == life;
    if (later.start) {
      evidence.add(later.start->durable, later.path, kStartBlockOffset);
      // The recovery before a life had read everything up to its start, and made it durable.
      if (later.start->life == later.number)
        evidence.add(later.start->start.last_sequence, later.path, kStartBlockOffset);
    }
    if (!same_life) continue;
    if (later.seal) evidence.add(later.seal->position.last_sequence, later.path, kSealBlockOffset);
    // Also where there is no start block: it may be what was lost.
    LIGHTNING_TRY(search_records(later, kHeaderPageBytes, evidence, false));
  }
  return evidence;
}

Status Replayer::search_records(const SegmentInfo& segment, std::uint64_t offset, Evidence& evidence,
                                bool same_segment) {
  LIGHTNING_ASSIGN(SegmentReader reader, SegmentReader::open(env_, segment));
  for (;;) {
    LIGHTNING_ASSIGN(const auto record, reader.find_record(offset));
    if (!record) return {};
    evidence.add(record->header.durable, segment.path, record->offset);
    evidence.records_behind = true;
    if (same_segment) evidence.valid_end = record->end();
    offset = record->end();
  }
}

Error Replayer::damage(const SegmentInfo* segment, Stop stop, const Evidence& evidence) const {
  std::string why = "sequence " + std::to_string(evidence.durable) + " was durable";
  if (!evidence.file.empty()) why += " (" + evidence.file + ", offset " + std::to_string(evidence.offset) + ")";
  const std::string end = "the log ends at sequence " + std::to_string(wanted() - 1) + ", but " + why;
  if (segment != nullptr && stop.why == Stop::Why::kBadRecord)
    return Error(ErrorCode::kWalCorrupt, "log record does not verify: " + end).at_file(segment->path, stop.offset);
  // Whole up to here, so what is lost stood in another segment.
  const format::FileNumber number = segment != nullptr ? segment->number : 0;
  for (const SegmentInfo& later : segments_)
    if (later.number > number && !later.abandoned && !later.start && (!evidence.file.empty() || !later.prepared))
      return Error(ErrorCode::kWalCorrupt, "the header of a log segment in use does not verify: " + end)
          .at_file(later.path, later.prepared ? kStartBlockOffset : 0);
  Error error(ErrorCode::kWalMissing, "a log segment is missing: " + end);
  return segment != nullptr ? std::move(error).at_file(segment->path) : std::move(error);
}

Result<bool> Replayer::verifies_now(const SegmentInfo& segment, Stop stop) {
  auto info = read_segment_info(env_, segment.path, segment.number, nullptr);
  if (!info || !info->start || info->prepared->segment_uid != segment.prepared->segment_uid)
    return Error(ErrorCode::kBusy, "a log segment was recycled while the log was read").at_file(segment.path);
  LIGHTNING_ASSIGN(SegmentReader reader, SegmentReader::open(env_, segment));
  LIGHTNING_ASSIGN(const auto record, reader.record_at(stop.offset));
  if (!record) return false;
  LIGHTNING_ASSIGN(const auto payload, reader.payload_of(*record));
  return payload.has_value();
}

// Zeros, or the remains of an earlier use, are a clean end; anything else is a torn tail.
Status Replayer::report_tail(const SegmentInfo& segment, Stop stop, const Evidence& evidence) {
  TornTail tail{.file = segment.path, .offset = stop.offset, .last_sequence = position_.last_sequence};
  bool torn = evidence.records_behind;
  if (evidence.valid_end > stop.offset) tail.bytes = evidence.valid_end - stop.offset;
  if (stop.why == Stop::Why::kBadRecord && !segment.prepared->recycled && !segment.seal) {
    LIGHTNING_ASSIGN(SegmentReader reader, SegmentReader::open(env_, segment));
    LIGHTNING_ASSIGN(const std::uint64_t end, reader.end_of_content(stop.offset));
    torn = torn || end > stop.offset;
    tail.bytes = std::max(tail.bytes, end - stop.offset);
  }
  if (partial_) {
    torn = true;
    tail.bytes += partial_->bytes;
    tail.file = partial_->file;
    tail.offset = partial_->offset;
  }
  if (torn) report_.torn_tail = std::move(tail);
  return {};
}

}  // namespace

namespace internal {
struct FoundLog {
  std::string directory;
  std::vector<SegmentInfo> segments;
};
}  // namespace internal

LogReplay::LogReplay(env::Env& env, const ReplayOptions& options, std::unique_ptr<internal::FoundLog> found)
    : env_(&env), options_(options), found_(std::move(found)) {}
LogReplay::LogReplay(LogReplay&&) noexcept = default;
LogReplay& LogReplay::operator=(LogReplay&&) noexcept = default;
LogReplay::~LogReplay() = default;

Result<LogReplay> LogReplay::find(env::Env& env, const std::string& directory, const format::Uid& store_id,
                                  const ReplayOptions& options) {
  auto found = std::make_unique<internal::FoundLog>();
  found->directory = directory;
  LIGHTNING_ASSIGN(found->segments, read_directory(env, directory, store_id));
  LogReplay log(env, options, std::move(found));
  const Replayer::Apply nothing;
  LIGHTNING_ASSIGN(log.inventory_, Replayer(env, log.options_, log.found_->segments, nothing).take_inventory());
  return log;
}

Result<ReplayReport> LogReplay::read(const std::function<Status(const RecoveredCommit&)>& apply) const {
  auto report = Replayer(*env_, options_, found_->segments, apply).run();
  // Of a segment that is missing, and of which no other knows.
  if (!report && report.error().code() == ErrorCode::kWalMissing && report.error().context().file.empty())
    return std::move(report).error().at_file(found_->directory);
  return report;
}

Result<ReplayReport> replay(env::Env& env, const std::string& directory, const format::Uid& store_id,
                            const ReplayOptions& options, const std::function<Status(const RecoveredCommit&)>& apply) {
  LIGHTNING_ASSIGN(const LogReplay log, LogReplay::find(env, directory, store_id, options));
  return log.read(apply);
}

}  // namespace lightning::wal
