// Segments, built field by field: what the log writes in one go is larger than a seed should be. Check values are put
// right at the end.
#include "fuzz/make_seeds/seeds.h"
#include "fuzz/support/log_repair.h"
#include "wal/layout.h"

namespace lightning::fuzz {

namespace {

using wal::RecordKind;

class SegmentBuilder {
 public:
  SegmentBuilder(format::FileNumber number, Sequence after, Sequence continues = 0) {
    bytes_.resize(wal::kHeaderPageBytes);
    wal::PreparedBlock prepared;
    prepared.store_id.bytes.fill(1);
    prepared.segment_uid.bytes.fill(static_cast<std::uint8_t>(number));
    prepared.number = number;
    prepared.epoch = prepared.life = 1;
    prepared.segment_bytes = wal::kHeaderPageBytes;
    put(0, wal::encode(prepared));
    wal::StartBlock start;
    start.number = number;
    start.start.last_sequence = after;
    start.previous = number - 1;
    start.life = 1;
    start.continues = continues;
    put(wal::kStartBlockOffset, wal::encode(start));
  }
  SegmentBuilder& add(RecordKind kind, Sequence first, std::uint32_t operations, std::string_view payload,
                      bool tag = false, Sequence durable = 0) {
    wal::RecordHeader header;
    header.payload_bytes = static_cast<std::uint32_t>(payload.size());
    header.kind = kind;
    header.flags = tag ? wal::kRecordHasTag : 0;
    header.first_sequence = first;
    header.operations = operations;
    header.epoch = 1;
    header.commit_time_ns = 1'700'000'000'000'000'000;
    header.durable = durable;
    const std::size_t end = bytes_.size() + wal::record_bytes(header);
    bytes_ += base::as_bytes(wal::encode(header, 0, 0));
    bytes_ += payload;
    bytes_.resize(end);
    return *this;
  }
  SegmentBuilder& seal(Sequence last, bool with_digest) {
    wal::SealBlock seal;
    seal.end = bytes_.size();
    seal.position.last_sequence = seal.durable = last;
    if (with_digest) seal.digest.emplace();
    put(wal::kSealBlockOffset, wal::encode(seal));
    return *this;
  }
  SegmentBuilder& garbage(std::size_t bytes) { return bytes_.append(bytes, '\x55'), *this; }
  // To where another may begin.
  std::string padded() const {
    std::string whole = bytes_;
    whole.resize((whole.size() + 511) / 512 * 512);
    return whole;
  }

 private:
  void put(std::size_t at, const wal::Block& block) { bytes_.replace(at, block.size(), base::as_bytes(block)); }
  std::string bytes_;
};

std::string repaired(std::vector<std::string> segments) {
  repair_segments(segments);
  std::string all;
  for (const std::string& segment : segments) all += segment;
  return all;
}

}  // namespace

void add_log_seeds(Seeds& seeds) {
  SeedsOfTarget& log = seeds["log"];
  log["valid-records"] = repaired({SegmentBuilder(1, 0)
                                       .add(RecordKind::kFull, 1, 1, "first")
                                       .add(RecordKind::kFull, 2, 3, std::string("a batch of three"), true)
                                       .add(RecordKind::kMark, 5, 0, "", false, 4)
                                       .add(RecordKind::kFull, 5, 1, std::string(200, 'x'))
                                       .padded()});
  log["valid-torn-tail"] = repaired({SegmentBuilder(1, 0).add(RecordKind::kFull, 1, 2, "whole").garbage(100).padded()});
  log["valid-sealed-and-next"] =
      repaired({SegmentBuilder(1, 0).add(RecordKind::kFull, 1, 1, "sealed").seal(1, true).padded(),
                SegmentBuilder(2, 1).add(RecordKind::kFull, 2, 1, "next", true).padded()});
  log["valid-fragments"] = repaired({SegmentBuilder(1, 0)
                                         .add(RecordKind::kFull, 1, 1, "before")
                                         .add(RecordKind::kFirst, 2, 2, "begins here, ")
                                         .padded(),
                                     SegmentBuilder(2, 1, 3)
                                         .add(RecordKind::kMiddle, 2, 2, "goes on, ")
                                         .add(RecordKind::kLast, 2, 2, "ends here")
                                         .padded()});
  log["hostile-wrong-seal"] =
      repaired({SegmentBuilder(1, 0).add(RecordKind::kFull, 1, 1, "sealed").seal(9, false).padded()});
  log["hostile-cut"] = log["valid-records"].substr(0, 4200);
  // A sequence that a trailer has no room for, and a commit that ends beyond the last one.
  log["hostile-sequences"] = repaired({SegmentBuilder(1, ~Sequence{0} - 5)
                                           .add(RecordKind::kFull, ~Sequence{0} - 4, 1, "late")
                                           .add(RecordKind::kFull, ~Sequence{0} - 3, 3, "later")
                                           .padded()});
}

}  // namespace lightning::fuzz
