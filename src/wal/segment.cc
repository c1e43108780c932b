#include "wal/segment.h"

#include <utility>

namespace lightning::wal::internal {

namespace {

std::string_view view(const Block& block) { return {block.data(), block.size()}; }

Status write_prepared(const Life& life, env::LogFile& file, format::FileNumber number, const format::Uid& uid,
                      bool recycled) {
  std::string page(kHeaderPageBytes, '\0');  // takes an earlier use's start and seal away
  const Block block = encode(PreparedBlock{.store_id = life.store_id,
                                           .segment_uid = uid,
                                           .number = number,
                                           .epoch = life.epoch,
                                           .segment_bytes = life.segment_bytes,
                                           .life = life.first_segment,
                                           .recycled = recycled,
                                           .time_ns = life.env.clock.wall_ns()});
  page.replace(0, block.size(), view(block));
  file.write(0, page);
  return file.sync(0, kHeaderPageBytes);
}

}  // namespace

Result<std::shared_ptr<Segment>> Segment::prepare(const Life& life, format::FileNumber number,
                                                  const std::string& recycled) {
  env::FileSystem& files = life.env.files;
  const std::string path = life.path_of(number);
  // Its pages are resident before there is a Segment to charge them.
  const base::MemoryCharge mapped(life.budget, base::MemoryOwner::kLogBuffers, life.segment_bytes);
  const auto make = [&]() -> Result<std::shared_ptr<Segment>> {
    const format::Uid uid = life.env.random.uid();
    std::shared_ptr<env::LogFile> file;
    if (recycled.empty()) {
      LIGHTNING_ASSIGN(file, files.create_log(path, life.segment_bytes));
    } else {
      // The new name first, durably: half a header under the old one would look like damage.
      LIGHTNING_TRY(files.rename(recycled, path));
      LIGHTNING_TRY(files.sync_directory(life.directory));
      LIGHTNING_ASSIGN(file, files.reuse_log(path));
      if (file->size() != life.segment_bytes)
        return Error(ErrorCode::kIo, "a released log segment has another size than it was given").at_file(path);
    }
    LIGHTNING_TRY(write_prepared(life, *file, number, uid, !recycled.empty()));
    if (recycled.empty()) LIGHTNING_TRY(files.sync_directory(life.directory));
    return std::make_shared<Segment>(life, number, uid, std::move(file));
  };
  auto segment = make();
  if (!segment) {
    (void)files.remove(path);  // best effort: unstarted, it means nothing to anybody
    Error error = std::move(segment).error();
    // Nothing of the log is in doubt: only this file is, and it is not used.
    if (error.code() == ErrorCode::kSyncFailed)
      error = Error(ErrorCode::kIo, error.message()).at_file(path).with_os_error(error.context().os_error);
    return std::move(error).while_doing("preparing a log segment");
  }
  return segment;
}

Segment::Segment(const Life& segment_life, format::FileNumber segment_number, const format::Uid& segment_uid,
                 std::shared_ptr<env::LogFile> segment_file)
    : life(segment_life),
      number(segment_number),
      uid(segment_uid),
      seed(segment_seed(segment_uid)),
      size(segment_file->size()),
      file(std::move(segment_file)) {
  charge(static_cast<std::int64_t>(size));
}

Segment::~Segment() { (void)give_up_file(); }

void Segment::charge(std::int64_t bytes) const { life.budget.charge(base::MemoryOwner::kLogBuffers, bytes); }

std::shared_ptr<env::LogFile> Segment::give_up_file() {
  if (file && !settled) charge(-static_cast<std::int64_t>(size));
  return std::exchange(file, nullptr);
}

void Segment::begin(LogPosition segment_start, format::FileNumber previous_number, Sequence continues_until,
                    ManifestPosition manifest_then) {
  start = segment_start;
  previous = previous_number;
  continues = continues_until;
  manifest = manifest_then;
}

void Segment::write_start(Sequence durable) {
  const Block block = encode(StartBlock{.store_id = life.store_id,
                                        .segment_uid = uid,
                                        .number = number,
                                        .start = start,
                                        .durable = durable,
                                        .time_ns = life.env.clock.wall_ns(),
                                        .previous = previous,
                                        .life = life.first_segment,
                                        .continues = continues,
                                        .manifest = manifest});
  file->write(kStartBlockOffset, view(block));
}

void Segment::end(std::uint64_t offset, LogPosition position, Sequence held_sequence, std::uint64_t order,
                  std::uint64_t time_ns) {
  full = true;
  end_offset = offset;
  end_position = position;
  held = held_sequence;
  last_order = order;
  end_time_ns = time_ns;
}

void Segment::settle(bool with_digest) {
  settled = true;
  if (with_digest)
    digest =
        base::digest_of({file->data() + kHeaderPageBytes, static_cast<std::size_t>(end_offset - kHeaderPageBytes)});
  file->release_pages();
  charge(-static_cast<std::int64_t>(size));
}

Status Segment::seal(Sequence durable) {
  const SealBlock seal{.segment_uid = uid,
                       .number = number,
                       .end = end_offset,
                       .position = end_position,
                       .durable = durable,
                       .time_ns = life.env.clock.wall_ns(),
                       .digest = digest,
                       .records = records.load(std::memory_order_relaxed)};
  const Block block = encode(seal);
  file->write(kSealBlockOffset, view(block));
  return file->sync(kSealBlockOffset, block.size());
}

}  // namespace lightning::wal::internal
