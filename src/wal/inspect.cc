#include "wal/segment_reader.h"

namespace lightning::wal {

namespace {

RecordFacts facts_of(const SegmentReader::Record& record, std::string_view payload, bool whole) {
  const RecordHeader& header = record.header;
  return {.offset = record.offset,
          .payload_bytes = header.payload_bytes,
          .kind = std::string(whole ? name_of(header.kind) : "bad"),
          .first_sequence = header.first_sequence,
          .durable_sequence = header.durable,
          .operations = header.operations,
          .commit_time_ns = header.commit_time_ns,
          .chain = header.chain,
          .payload = payload};
}

}  // namespace

Result<SegmentFacts> inspect_segment(env::Env& env, const std::string& path,
                                     const std::function<bool(const RecordFacts&)>& visit) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  const auto number = segment_number(name);
  if (!number) return Error(ErrorCode::kInvalidArgument, "not the name of a log segment").at_file(path);
  LIGHTNING_ASSIGN(const SegmentInfo info, read_segment_info(env, path, *number, nullptr));
  if (!info.prepared)
    return Error(ErrorCode::kWalCorrupt, "log segment has no valid first block, or one of another segment")
        .at_file(path, 0);
  SegmentFacts facts{.number = info.number,
                     .store_id = info.prepared->store_id,
                     .segment_uid = info.prepared->segment_uid,
                     .epoch = info.prepared->epoch,
                     .start = info.start ? info.start->start : LogPosition{},
                     .sealed = info.seal.has_value()};
  LIGHTNING_ASSIGN(SegmentReader reader, SegmentReader::open(env, info));
  for (std::uint64_t offset = kHeaderPageBytes;;) {
    LIGHTNING_ASSIGN(const auto record, reader.find_record(offset));
    if (!record) break;
    if (record->offset != offset &&
        !visit({.offset = offset, .payload_bytes = record->offset - offset, .kind = "bad", .payload = {}}))
      return facts;
    LIGHTNING_ASSIGN(const auto payload, reader.payload_of(*record));
    if (!visit(facts_of(*record, payload.value_or(std::string_view()), payload.has_value()))) return facts;
    offset = record->end();
  }
  if (info.seal)
    visit({.offset = kSealBlockOffset,
           .kind = "seal",
           .first_sequence = info.seal->position.last_sequence,
           .durable_sequence = info.seal->durable,
           .commit_time_ns = info.seal->time_ns,
           .chain = info.seal->position.chain,
           .payload = {}});
  return facts;
}

}  // namespace lightning::wal
