#include "wal/log_impl.h"

#include <algorithm>
#include <utility>

namespace lightning::wal {

namespace {

// A fragment with less payload than this is not worth its header: the log moves on instead.
constexpr std::uint64_t kFragmentPayloadMin = 64;

std::uint64_t align_down(std::uint64_t bytes) { return bytes / kRecordAlignment * kRecordAlignment; }

}  // namespace

WriteAheadLog::Impl::Impl(internal::Life life, LogPosition start, const LogOptions& options)
    : life_(std::move(life)),
      options_(options),
      with_tag_(options.integrity == IntegrityLevel::kParanoid),
      epoch_(static_cast<std::uint32_t>(life_.epoch)),
      reserved_(start.last_sequence),
      group_(
          life_.env.clock, {[this] { return begin_round(); }, [this] { return sync_segments(nullptr); }},
          [this] { wake_all(); }, start.last_sequence) {
  tail_.position = start;
  manifest_ = options.manifest;
  tail_.last_sync = tail_.held = start.last_sequence;
  next_number_ = life_.first_segment;
  completed_.sequence.store(start.last_sequence, std::memory_order_relaxed);
  completed_.watermark.store(start.last_sequence, std::memory_order_relaxed);
  recorded_.store(start.last_sequence, std::memory_order_relaxed);
}

Status WriteAheadLog::Impl::start() {
  LIGHTNING_ASSIGN(std::shared_ptr<Segment> first, Segment::prepare(life_, life_.first_segment));
  {
    base::MutexLock lock(mutex_);
    ++next_number_;
    first->begin(tail_.position, 0, 0, manifest_);
    tail_.segment = first.get();
    tail_.offset = kHeaderPageBytes;
    live_.push_back(first);
  }
  // Durable at once: from here on the tail of the life before is cut, whatever it holds.
  first->write_start(group_.durable());
  LIGHTNING_TRY(first->file->sync(0, kHeaderPageBytes));
  thread_ = base::Thread::spawn("lightning-wal", [this] { upkeep(); });
  if (!thread_.joinable())
    return Error(ErrorCode::kInsufficientResources, "the system has no thread to give for the log");
  return {};
}

// --- a place in the log -------------------------------------------------------------------------------------------

bool WriteAheadLog::Impl::fits(std::uint64_t payload_bytes) const {
  return record_bytes(payload_bytes, with_tag_) <= tail_.segment->size - tail_.offset;
}

// Payload that a fragment in the rest of the segment could take; 0 if that is too little.
std::uint64_t WriteAheadLog::Impl::payload_room() const {
  const std::uint64_t rest = tail_.segment->size - tail_.offset;
  const std::uint64_t header = record_bytes(0, with_tag_);
  return rest >= header + kFragmentPayloadMin ? align_down(rest - header) : 0;
}

std::uint64_t WriteAheadLog::Impl::payload_capacity() const {
  return align_down(life_.segment_bytes - kHeaderPageBytes - record_bytes(0, with_tag_));
}

std::uint64_t WriteAheadLog::Impl::segments_needed(std::uint64_t payload_bytes) const {
  if (fits(payload_bytes)) return 0;
  const std::uint64_t capacity = payload_capacity();
  return (payload_bytes - payload_room() + capacity - 1) / capacity;
}

// Why reserve() takes nothing any more. Without the lock: who syncs may ask for it while holding theirs.
Error WriteAheadLog::Impl::refusal() const {
  Status health = group_.health();
  if (health) return Error(ErrorCode::kClosed, "the log is closed");
  return std::move(health).error().with_outcome(WriteOutcome::kNotApplied);
}

Result<WriteAheadLog::Ticket> WriteAheadLog::Impl::reserve(const Commit& commit) {
  Result<Ticket> result{std::in_place};
  Ticket& ticket = *result;
  ticket.payload_hash = base::hash64(commit.payload);
  ticket.operations = commit.operations;
  ticket.sync = commit.sync;
  const std::uint64_t now_ns = life_.env.clock.wall_ns();
  const Segment* left = nullptr;
  {
    base::MutexLock lock(mutex_);
    for (;;) {
      if (!accepting_ || group_.poisoned()) [[unlikely]] {
        lock.unlock();
        return refusal();
      }
      if (fits(commit.payload.size())) [[likely]] {
        number(ticket, commit, now_ns);
        place(ticket, commit.payload.size());
        return result;
      }
      const std::uint64_t needed = segments_needed(commit.payload.size());
      if (ready_.size() >= needed) {
        ticket.more.reserve(needed);  // before anything is taken
        number(ticket, commit, now_ns);
        left = tail_.segment;
        place_across(ticket, commit.payload.size());
        break;
      }
      LIGHTNING_TRY(wait_for_segments(needed));  // lets go of the lock: all questions again
    }
    upkeep_wake_.notify_one();
  }
  // Nobody completes in these segments before this ticket does, so nothing there is believed before its start is.
  if (ticket.extent.segment != left) ticket.extent.segment->write_start(ticket.durable_before);
  for (const Ticket::Extent& extent : ticket.more) extent.segment->write_start(ticket.durable_before);
  return result;
}

void WriteAheadLog::Impl::number(Ticket& ticket, const Commit& commit, std::uint64_t now_ns) {
  ticket.first_sequence = tail_.position.last_sequence + 1;
  ticket.last_sequence = tail_.position.last_sequence + commit.operations;
  ticket.commit_time_ns = tail_.last_time_ns = std::max(tail_.last_time_ns, now_ns);
  ticket.durable_before = group_.durable();
  ticket.chain_before = tail_.position.chain;
  ticket.chain = extend_chain(ticket.chain_before, {.payload_hash = ticket.payload_hash,
                                                    .first_sequence = ticket.first_sequence,
                                                    .commit_time_ns = ticket.commit_time_ns,
                                                    .payload_bytes = commit.payload.size(),
                                                    .operations = commit.operations,
                                                    .epoch = epoch_});
  ticket.order = ++tail_.order;
  if (commit.sync) tail_.last_sync = ticket.last_sequence;
  ticket.sync_barrier = tail_.last_sync;
  reserved_.store(ticket.last_sequence, std::memory_order_relaxed);
}

void WriteAheadLog::Impl::place(Ticket& ticket, std::uint64_t payload_bytes) {
  ticket.extent = {tail_.segment, tail_.offset, payload_bytes};
  tail_.offset += record_bytes(payload_bytes, with_tag_);
  tail_.position = ticket.end();
  tail_.held = ticket.last_sequence;
}

void WriteAheadLog::Impl::place_across(Ticket& ticket, std::uint64_t payload_bytes) {
  ticket.opens_segment = true;
  const LogPosition before = tail_.position;
  std::uint64_t rest = payload_bytes;
  if (const std::uint64_t room = payload_room(); room > 0) rest -= take(ticket, std::min(room, rest));
  while (rest > 0) {
    const bool continues = rest < payload_bytes;
    move_on(before, continues ? ticket.last_sequence : 0, continues ? ticket.order : ticket.order - 1);
    rest -= take(ticket, std::min(rest, payload_capacity()));
  }
  tail_.position = ticket.end();
}

// The next fragment, here.
std::uint64_t WriteAheadLog::Impl::take(Ticket& ticket, std::uint64_t payload_bytes) {
  const Ticket::Extent extent{tail_.segment, tail_.offset, payload_bytes};
  if (ticket.extent.segment == nullptr) {
    ticket.extent = extent;
  } else {
    ticket.more.push_back(extent);
  }
  tail_.offset += record_bytes(payload_bytes, with_tag_);
  tail_.held = ticket.last_sequence;
  return payload_bytes;
}

void WriteAheadLog::Impl::move_on(LogPosition position, Sequence continues, std::uint64_t last_order) {
  Segment& left = *tail_.segment;
  left.end(tail_.offset, position, tail_.held, last_order, tail_.last_time_ns);
  live_.push_back(std::move(ready_.front()));
  ready_.pop_front();
  Segment& entered = *live_.back();
  entered.begin(position, left.number, continues, manifest_);
  tail_.segment = &entered;
  tail_.offset = kHeaderPageBytes;
}

// Until `count` segments are ready, or the question is open again (closing, poisoned).
Status WriteAheadLog::Impl::wait_for_segments(std::uint64_t count) {
  const std::uint64_t started_ns = life_.env.clock.monotonic_ns();
  const std::uint64_t attempts = failed_attempts_;
  const auto timeout = static_cast<std::uint64_t>(std::chrono::nanoseconds(options_.stall_timeout).count());
  ++segment_waits_;
  ready_target_ = 2;
  Status outcome;
  while (ready_.size() < count && accepting_ && !group_.poisoned()) {
    if (failed_attempts_ != attempts) {
      Error error = *attempt_error_;
      outcome = std::move(error).with_outcome(WriteOutcome::kNotApplied);
      break;
    }
    const std::uint64_t waited = life_.env.clock.monotonic_ns() - started_ns;
    if (timeout != 0 && waited >= timeout) {
      outcome = Error(ErrorCode::kStalled,
                      "no log segment was ready within " + std::to_string(options_.stall_timeout.count()) + " ms");
      break;
    }
    wanted_ = std::max(wanted_, count);
    attempt_blocked_ = false;
    upkeep_wake_.notify_one();
    if (timeout == 0) {
      segments_changed_.wait(mutex_);
    } else {
      (void)segments_changed_.wait_for(mutex_, std::chrono::nanoseconds(timeout - waited));
    }
  }
  wanted_ = 0;  // whoever still waits says so again
  segments_changed_.notify_all();
  segment_wait_us_ += (life_.env.clock.monotonic_ns() - started_ns) / 1000;
  return outcome;
}

// Nothing will become durable any more: who waits for a segment must hear of it.
void WriteAheadLog::Impl::wake_all() {
  base::MutexLock lock(mutex_);
  segments_changed_.notify_all();
  upkeep_wake_.notify_one();
}

// --- filling it ---------------------------------------------------------------------------------------------------

void WriteAheadLog::Impl::write_record(const Ticket& ticket, const Ticket::Extent& extent, RecordKind kind,
                                       std::string_view payload, std::uint64_t payload_hash) {
  Segment& segment = *extent.segment;
  env::LogFile& file = *segment.file;
  const RecordHeaderBytes header =
      encode(RecordHeader{.payload_bytes = static_cast<std::uint32_t>(payload.size()),
                          .kind = kind,
                          .flags = with_tag_ ? kRecordHasTag : std::uint8_t{0},
                          .first_sequence = ticket.first_sequence,
                          .operations = ticket.operations,
                          .epoch = epoch_,
                          .commit_time_ns = ticket.commit_time_ns,
                          .durable = ticket.durable_before,
                          .chain = completes_commit(kind) ? ticket.chain : ticket.chain_before,
                          .payload_hash = payload_hash},
             segment.seed, extent.offset);
  file.write(extent.offset, {header.data(), header.size()});
  file.write(extent.offset + kRecordHeaderBytes, payload);
  if (with_tag_) [[unlikely]] {
    const base::Tag tag = record_tag(header, payload);
    file.write(extent.offset + kRecordHeaderBytes + payload.size(), base::as_bytes(tag.bytes));
  }
}

void WriteAheadLog::Impl::copy(const Ticket& ticket, std::string_view payload) {
  if (ticket.more.empty()) [[likely]] {
    const RecordKind kind = ticket.operations == 0 ? RecordKind::kMark : RecordKind::kFull;
    return write_record(ticket, ticket.extent, kind, payload, ticket.payload_hash);
  }
  const auto write_fragment = [&](const Ticket::Extent& extent, RecordKind kind) {
    const std::string_view fragment = payload.substr(0, extent.payload_bytes);
    payload.remove_prefix(fragment.size());
    write_record(ticket, extent, kind, fragment, base::hash64(fragment));
  };
  write_fragment(ticket.extent, RecordKind::kFirst);
  for (const Ticket::Extent& extent : ticket.more)
    write_fragment(extent, &extent == &ticket.more.back() ? RecordKind::kLast : RecordKind::kMiddle);
}

void WriteAheadLog::Impl::complete_extent(const Ticket::Extent& extent) {
  const std::uint64_t bytes = record_bytes(extent.payload_bytes, with_tag_);
  Segment& segment = *extent.segment;
  segment.completed_end.store(extent.offset + bytes, std::memory_order_release);
  segment.records.store(segment.records.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  completed_.bytes.store(completed_.bytes.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  completed_.records.store(completed_.records.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void WriteAheadLog::Impl::complete(const Ticket& ticket) {
  order_.complete(ticket, [this](const Ticket& next) { finish_commit(next); });
  if (ticket.opens_segment) [[unlikely]] {  // the segments before it can be sealed
    base::MutexLock lock(mutex_);
    upkeep_wake_.notify_one();
  }
}

// It is this ticket's turn: nobody else writes to completed_ meanwhile. What a round finds by reading `sequence`
// (acquire) includes the ends of the segments' records, which are stored before it.
void WriteAheadLog::Impl::finish_commit(const Ticket& ticket) {
  complete_extent(ticket.extent);
  for (const Ticket::Extent& extent : ticket.more) complete_extent(extent);
  if (group_.durable() + 1 >= ticket.first_sequence)
    completed_.undurable_since_ns.store(ticket.commit_time_ns, std::memory_order_relaxed);
  completed_.watermark.store(ticket.durable_before, std::memory_order_relaxed);
  if (options_.sync_mode == WalSyncMode::kPeriodic) {
    // Either the timer sees this commit when it goes idle, or we see that it is: neither load may pass its store.
    completed_.sequence.exchange(ticket.last_sequence, std::memory_order_seq_cst);
    if (!sync_armed_.load(std::memory_order_seq_cst)) [[unlikely]]
      arm_sync();
  } else {
    completed_.sequence.store(ticket.last_sequence, std::memory_order_release);
  }
}

// --- making it durable --------------------------------------------------------------------------------------------

Sequence WriteAheadLog::Impl::begin_round() {
  round_watermark_ = completed_.watermark.load(std::memory_order_relaxed);
  round_start_ns_ = life_.env.clock.wall_ns();
  return completed_.sequence.load(std::memory_order_seq_cst);
}

Status WriteAheadLog::Impl::sync_segments(const Segment* until) {
  {
    base::MutexLock lock(mutex_);
    for (const auto& segment : live_) {
      const std::uint64_t end = segment->completed_end.load(std::memory_order_acquire);
      const std::uint64_t synced_end = segment->synced_end.load(std::memory_order_relaxed);
      if (segment->file && end > kHeaderPageBytes && end > synced_end)
        pieces_.push_back({segment, segment->file, synced_end, end});
      if (segment.get() == until) break;
    }
  }
  Status synced;
  for (Piece& piece : pieces_) {
    synced = piece.file->sync(piece.begin, piece.end - piece.begin);
    if (!synced) break;
    piece.segment->synced_end.store(piece.end, std::memory_order_relaxed);
  }
  pieces_.clear();
  if (!synced) return synced;
  // Later commits may be durable too: the loss window errs on the safe side.
  completed_.undurable_since_ns.store(until != nullptr ? until->end_time_ns : round_start_ns_,
                                      std::memory_order_relaxed);
  if (until != nullptr) return {};
  recorded_.store(round_watermark_, std::memory_order_relaxed);
  last_sync_ns_.store(life_.env.clock.monotonic_ns(), std::memory_order_relaxed);
  if (!mark_armed_.load(std::memory_order_relaxed)) arm_mark();
  return {};
}

// --- what the rest of the engine asks -----------------------------------------------------------------------------

LossWindow WriteAheadLog::Impl::loss_window() const {
  LossWindow window;
  window.last_durable = group_.durable();
  window.last_acknowledged = last_completed();
  if (window.last_acknowledged <= window.last_durable) return window;
  const std::uint64_t since_ns = completed_.undurable_since_ns.load(std::memory_order_relaxed);
  const std::uint64_t now_ns = life_.env.clock.wall_ns();
  window.milliseconds = now_ns > since_ns ? (now_ns - since_ns) / 1'000'000 : 0;
  base::MutexLock lock(mutex_);
  for (const auto& segment : live_) {
    const std::uint64_t end = segment->completed_end.load(std::memory_order_acquire);
    const std::uint64_t durable_end = std::max(segment->synced_end.load(std::memory_order_relaxed), kHeaderPageBytes);
    if (end > durable_end) window.bytes += end - durable_end;
  }
  return window;
}

LogCounters WriteAheadLog::Impl::counters() const {
  LogCounters counters;
  counters.records = completed_.records.load(std::memory_order_relaxed);
  counters.bytes = completed_.bytes.load(std::memory_order_relaxed);
  counters.syncs = group_.rounds();
  base::MutexLock lock(mutex_);
  counters.segment_waits = segment_waits_;
  counters.segment_wait_us = segment_wait_us_;
  return counters;
}

bool WriteAheadLog::Impl::released(const Segment& segment) const { return segment.full && segment.held <= release_; }

std::uint64_t WriteAheadLog::Impl::live_bytes() const {
  base::MutexLock lock(mutex_);
  std::uint64_t bytes = 0;
  for (const auto& segment : live_)
    if (!released(*segment)) bytes += segment->size;
  return bytes;
}

Sequence WriteAheadLog::Impl::oldest_live_sequence() const {
  base::MutexLock lock(mutex_);
  for (const auto& segment : live_)
    if (!released(*segment)) return segment->start.last_sequence + 1;
  return tail_.position.last_sequence + 1;
}

format::FileNumber WriteAheadLog::Impl::first_live_segment() const {
  base::MutexLock lock(mutex_);
  for (const auto& segment : live_)
    if (!released(*segment)) return segment->number;
  return tail_.segment->number;
}

void WriteAheadLog::Impl::keep_behind(Sequence sequence) {
  base::MutexLock lock(mutex_);
  keep_behind_ = sequence;
  upkeep_wake_.notify_one();
}

std::uint64_t WriteAheadLog::Impl::kept_bytes() const {
  base::MutexLock lock(mutex_);
  std::uint64_t bytes = 0;
  for (const auto& segment : live_)
    if (segment->full && segment->held > keep_behind_) bytes += segment->end_offset;
  return bytes;
}

void WriteAheadLog::Impl::release_up_to(Sequence sequence) {
  base::MutexLock lock(mutex_);
  if (sequence <= release_) return;
  release_ = sequence;
  if (released(*live_.front())) upkeep_wake_.notify_one();
}

}  // namespace lightning::wal
