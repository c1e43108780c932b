// The log's own thread: prepares segments ahead, seals full ones, recycles released ones, syncs in Periodic mode, and
// leaves a mark in the log after the last sync before a pause.
#include <algorithm>
#include <utility>

#include "wal/log_impl.h"

namespace lightning::wal {

namespace {

constexpr std::chrono::nanoseconds kMarkDelay = std::chrono::milliseconds(100);
constexpr std::uint64_t kNever = 0;

std::uint64_t earlier(std::uint64_t a, std::uint64_t b) {
  if (a == kNever) return b;
  return b == kNever ? a : std::min(a, b);
}

}  // namespace

void WriteAheadLog::Impl::upkeep() {
  base::MutexLock lock(mutex_);
  for (;;) {
    if (retire_released()) continue;
    if (settle_next()) continue;
    if (prepare_ahead()) continue;
    if (drop_surplus()) continue;
    if (seal_next()) continue;
    if (finishing_) return;
    if (serve_timers()) continue;
    sleep();
  }
}

// No ticket with a place in the segment is in anybody's hands.
bool WriteAheadLog::Impl::drained(const Segment& segment) const {
  return segment.full && order_.completed() >= segment.last_order;
}

bool WriteAheadLog::Impl::retire_released() {
  // The last one stays, so that there is always a segment that tells where the log is.
  if (live_.size() < 2 || !released(*live_.front()) || !drained(*live_.front())) return false;
  if (live_.front()->held > keep_behind_) return false;
  const std::shared_ptr<Segment> segment = std::move(live_.front());
  live_.pop_front();
  std::shared_ptr<env::LogFile> file = segment->give_up_file();
  mutex_.unlock();
  file.reset();
  keep_or_remove(life_.path_of(segment->number));
  mutex_.lock();
  return true;
}

void WriteAheadLog::Impl::keep_or_remove(std::string path) {
  {
    base::MutexLock lock(mutex_);
    if (free_.size() < options_.free_segments_max && !finishing_) {
      free_.push_back(std::move(path));
      return;
    }
  }
  // Best effort: what stays is below the tables' position, and remove_older_segments() comes by after the next open.
  if (life_.env.files.remove(path)) (void)life_.env.files.sync_directory(life_.directory);
}

bool WriteAheadLog::Impl::prepare_ahead() {
  if (finishing_ || attempt_blocked_ || group_.poisoned()) return false;
  if (ready_.size() >= std::max(ready_target_, wanted_)) return false;
  const format::FileNumber number = next_number_++;
  std::string recycled;
  if (!free_.empty()) {
    recycled = std::move(free_.back());
    free_.pop_back();
  }
  mutex_.unlock();
  auto segment = Segment::prepare(life_, number, recycled);
  mutex_.lock();
  if (segment) {
    ready_.push_back(std::move(*segment));
  } else if (!recycled.empty()) {
    return true;  // again, with another one or with a new file
  } else {
    // Until somebody asks again: a full disk is not tried in a loop.
    attempt_error_ = std::move(segment).error();
    attempt_blocked_ = true;
    ++failed_attempts_;
  }
  segments_changed_.notify_all();
  return true;
}

// A batch larger than a segment may have asked for many and then not taken them.
bool WriteAheadLog::Impl::drop_surplus() {
  if (wanted_ != 0 || ready_.size() <= ready_target_) return false;
  const std::shared_ptr<Segment> segment = std::move(ready_.back());
  ready_.pop_back();
  std::shared_ptr<env::LogFile> file = segment->give_up_file();
  mutex_.unlock();
  file.reset();
  keep_or_remove(life_.path_of(segment->number));
  mutex_.lock();
  return true;
}

// Full segments leave the memory at once; making them durable may take the disk a while.
bool WriteAheadLog::Impl::settle_next() {
  for (const auto& candidate : live_) {
    if (!candidate->full || !drained(*candidate)) return false;
    if (!candidate->file || candidate->settled) continue;
    const std::shared_ptr<Segment> segment = candidate;
    mutex_.unlock();
    segment->settle(options_.integrity != IntegrityLevel::kBasic);
    mutex_.lock();
    return true;
  }
  return false;
}

bool WriteAheadLog::Impl::seal_next() {
  if (group_.poisoned()) return false;
  for (const auto& candidate : live_) {
    if (!candidate->full) return false;
    if (!candidate->file) continue;  // sealed
    if (!drained(*candidate)) return false;
    const std::shared_ptr<Segment> segment = candidate;
    mutex_.unlock();
    const Status sealed = seal(*segment);
    mutex_.lock();
    if (!sealed) return true;  // the log is poisoned, and close() says so
    std::shared_ptr<env::LogFile> file = segment->give_up_file();
    mutex_.unlock();
    file.reset();
    mutex_.lock();
    return true;
  }
  return false;
}

Status WriteAheadLog::Impl::seal(Segment& segment) {
  // Its records and all before them; not the segments behind it, which in Async mode nobody has asked to sync.
  LIGHTNING_TRY(
      group_.run({[&] { return segment.end_position.last_sequence; }, [&] { return sync_segments(&segment); }}));
  Status sealed = segment.seal(group_.durable());
  if (!sealed) group_.poison(sealed.error());
  return sealed;
}

// --- timers -------------------------------------------------------------------------------------------------------

void WriteAheadLog::Impl::arm_sync() {
  if (sync_armed_.exchange(true, std::memory_order_seq_cst)) return;
  base::MutexLock lock(mutex_);
  // Half of the interval, so that the sync has the other half.
  sync_due_ns_ = life_.env.clock.monotonic_ns() +
                 static_cast<std::uint64_t>(std::chrono::nanoseconds(options_.sync_interval).count()) / 2;
  upkeep_wake_.notify_one();
}

void WriteAheadLog::Impl::arm_mark() {
  if (mark_armed_.exchange(true, std::memory_order_relaxed)) return;
  base::MutexLock lock(mutex_);
  mark_due_ns_ = life_.env.clock.monotonic_ns() + static_cast<std::uint64_t>(kMarkDelay.count());
  upkeep_wake_.notify_one();
}

bool WriteAheadLog::Impl::serve_timers() {
  if (group_.poisoned() || earlier(sync_due_ns_, mark_due_ns_) == kNever) return false;
  const std::uint64_t now_ns = life_.env.clock.monotonic_ns();
  if (sync_due_ns_ != kNever && now_ns >= sync_due_ns_) {
    sync_due_ns_ = kNever;
    sync_armed_.exchange(false, std::memory_order_seq_cst);  // before the round asks what is completed: see complete()
    mutex_.unlock();
    (void)group_.run();  // an error has poisoned the log, and every later call says so
    mutex_.lock();
    return true;
  }
  if (mark_due_ns_ == kNever || now_ns < mark_due_ns_) return false;
  const std::uint64_t due_ns =
      last_sync_ns_.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(kMarkDelay.count());
  const bool busy = order_.completed() != tail_.order;
  if (now_ns < due_ns || busy) {  // no pause yet
    mark_due_ns_ = std::max(due_ns, now_ns + static_cast<std::uint64_t>(kMarkDelay.count()) / 2);
    return true;
  }
  mark_due_ns_ = kNever;
  mark_armed_.store(false, std::memory_order_relaxed);
  if (group_.durable() > recorded_.load(std::memory_order_relaxed)) write_mark();
  return true;
}

void WriteAheadLog::Impl::sleep() {
  const std::uint64_t due_ns = group_.poisoned() ? kNever : earlier(sync_due_ns_, mark_due_ns_);
  if (due_ns == kNever) return upkeep_wake_.wait(mutex_);
  const std::uint64_t now_ns = life_.env.clock.monotonic_ns();
  if (due_ns > now_ns) (void)upkeep_wake_.wait_for(mutex_, std::chrono::nanoseconds(due_ns - now_ns));
}

// The log is idle: nothing stands between the last record and this one.
void WriteAheadLog::Impl::write_mark() {
  if (!accepting_ || !fits(0)) return;  // the seal or the next segment's start will say it
  Ticket ticket;
  const LogPosition position = tail_.position;
  ticket.first_sequence = position.last_sequence + 1;
  ticket.last_sequence = position.last_sequence;
  ticket.commit_time_ns = tail_.last_time_ns;
  ticket.durable_before = group_.durable();
  ticket.chain = ticket.chain_before = position.chain;
  ticket.payload_hash = base::hash64({});
  ticket.order = ++tail_.order;
  ticket.extent = {tail_.segment, tail_.offset, 0};
  tail_.offset += record_bytes(0, with_tag_);
  mutex_.unlock();
  copy(ticket, {});
  complete(ticket);
  (void)group_.run();
  mutex_.lock();
}

// --- the end ------------------------------------------------------------------------------------------------------

Status WriteAheadLog::Impl::close() {
  {
    base::MutexLock lock(mutex_);
    if (closed_) return *closed_;
    accepting_ = false;
    segments_changed_.notify_all();
  }
  Status status = finish();
  base::MutexLock lock(mutex_);
  closed_ = status;
  return status;
}

Status WriteAheadLog::Impl::finish() {
  std::vector<std::string> unused;
  {
    base::MutexLock lock(mutex_);
    for (base::Backoff backoff; order_.completed() != tail_.order;) {
      mutex_.unlock();
      backoff.pause();
      mutex_.lock();
    }
    if (tail_.segment != nullptr && !tail_.segment->full)
      tail_.segment->end(tail_.offset, tail_.position, tail_.held, tail_.order, tail_.last_time_ns);
    finishing_ = true;
    upkeep_wake_.notify_one();
  }
  thread_.join();
  {
    base::MutexLock lock(mutex_);
    for (const auto& segment : ready_) unused.push_back(life_.path_of(segment->number));
    ready_.clear();
    unused.insert(unused.end(), free_.begin(), free_.end());
    free_.clear();
  }
  // Best effort: they mean nothing to anybody, and the next life removes them.
  for (const std::string& path : unused) (void)life_.env.files.remove(path);
  if (!unused.empty()) (void)life_.env.files.sync_directory(life_.directory);
  return group_.health();
}

Status WriteAheadLog::Impl::remove_older_segments() {
  env::FileSystem& files = life_.env.files;
  LIGHTNING_ASSIGN(const std::vector<std::string> names, files.list(life_.directory));
  bool removed = false;
  for (const std::string& name : names) {
    const auto number = segment_number(name);
    if (!number || *number >= life_.first_segment) continue;
    const std::string path = life_.directory + "/" + name;
    LIGHTNING_ASSIGN(const env::FileInfo info, files.info(path));
    base::MutexLock lock(mutex_);
    if (info.bytes == life_.segment_bytes && free_.size() < options_.free_segments_max) {
      if (std::find(free_.begin(), free_.end(), path) == free_.end()) free_.push_back(path);
      continue;
    }
    lock.unlock();
    LIGHTNING_TRY(files.remove(path));
    removed = true;
  }
  if (removed) LIGHTNING_TRY(files.sync_directory(life_.directory));
  return {};
}

}  // namespace lightning::wal
