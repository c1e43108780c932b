// WriteAheadLog's inside: the position where the next record goes, the segments around it, and the thread that keeps
// segments coming and going (log_upkeep.cc).
//
// A commit meets one lock, mutex_, for the few instructions that give it a place, and one line of shared memory when it
// completes. Whatever is slow (files, syncs, digests) happens on the upkeep thread or on the leader of a group commit,
// without mutex_.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/sync.h"
#include "wal/completion_order.h"
#include "wal/group_commit.h"
#include "wal/segment.h"
#include "wal/wal.h"

namespace lightning::wal {

class WriteAheadLog::Impl {
 public:
  using Segment = internal::Segment;

  Impl(internal::Life life, LogPosition start, const LogOptions& options);
  // The first segment, durable, and the thread.
  Status start();
  Status close();

  Result<Ticket> reserve(const Commit& commit);
  void copy(const Ticket& ticket, std::string_view payload);
  void complete(const Ticket& ticket);
  Status wait_durable(const Ticket& ticket) {
    return group_.wait(ticket.sync ? ticket.last_sequence : ticket.sync_barrier);
  }
  Status sync() { return group_.wait(last_completed()); }

  LogPosition position() const {
    base::MutexLock lock(mutex_);
    return tail_.position;
  }
  Sequence last_reserved() const { return reserved_.load(std::memory_order_relaxed); }
  Sequence last_completed() const { return completed_.sequence.load(std::memory_order_acquire); }
  Sequence last_durable() const { return group_.durable(); }
  LossWindow loss_window() const;
  LogCounters counters() const;
  std::uint64_t live_bytes() const;
  Sequence oldest_live_sequence() const;
  format::FileNumber first_live_segment() const;
  void note_manifest(ManifestPosition position) {
    base::MutexLock lock(mutex_);
    manifest_ = position;
  }
  void release_up_to(Sequence sequence);
  void keep_behind(Sequence sequence);
  std::uint64_t kept_bytes() const;
  Status remove_older_segments();

 private:
  // Where the next record goes.
  struct Tail {
    Segment* segment = nullptr;
    std::uint64_t offset = 0;
    LogPosition position;
    Sequence last_sync = 0;
    std::uint64_t last_time_ns = 0;
    std::uint64_t order = 0;  // tickets given
    Sequence held = 0;        // highest sequence of which something lies in `segment`, or before it
  };

  // --- giving places (log_impl.cc) ---
  bool fits(std::uint64_t payload_bytes) const LIGHTNING_REQUIRES(mutex_);
  std::uint64_t payload_room() const LIGHTNING_REQUIRES(mutex_);
  std::uint64_t payload_capacity() const;  // of an empty segment, for a fragment
  std::uint64_t segments_needed(std::uint64_t payload_bytes) const LIGHTNING_REQUIRES(mutex_);
  Status wait_for_segments(std::uint64_t count) LIGHTNING_REQUIRES(mutex_);
  void wake_all();
  void number(Ticket& ticket, const Commit& commit, std::uint64_t now_ns) LIGHTNING_REQUIRES(mutex_);
  void place(Ticket& ticket, std::uint64_t payload_bytes) LIGHTNING_REQUIRES(mutex_);
  void place_across(Ticket& ticket, std::uint64_t payload_bytes) LIGHTNING_REQUIRES(mutex_);
  std::uint64_t take(Ticket& ticket, std::uint64_t payload_bytes) LIGHTNING_REQUIRES(mutex_);
  void move_on(LogPosition position, Sequence continues, std::uint64_t last_order) LIGHTNING_REQUIRES(mutex_);
  Error refusal() const LIGHTNING_EXCLUDES(mutex_);
  void write_record(const Ticket& ticket, const Ticket::Extent& extent, RecordKind kind, std::string_view payload,
                    std::uint64_t payload_hash);
  void complete_extent(const Ticket::Extent& extent);
  void finish_commit(const Ticket& ticket);

  // --- syncing: by the leader of a round ---
  Sequence begin_round();
  Status sync_segments(const Segment* until);  // older ones first; null: all

  // --- upkeep (log_upkeep.cc): each returns whether it did something, having let go of the lock meanwhile ---
  void upkeep();
  bool retire_released() LIGHTNING_REQUIRES(mutex_);
  bool prepare_ahead() LIGHTNING_REQUIRES(mutex_);
  bool drop_surplus() LIGHTNING_REQUIRES(mutex_);
  bool settle_next() LIGHTNING_REQUIRES(mutex_);
  bool seal_next() LIGHTNING_REQUIRES(mutex_);
  bool serve_timers() LIGHTNING_REQUIRES(mutex_);
  void sleep() LIGHTNING_REQUIRES(mutex_);
  Status seal(Segment& segment);
  void write_mark() LIGHTNING_REQUIRES(mutex_);
  void arm_sync();
  void arm_mark();
  bool released(const Segment& segment) const LIGHTNING_REQUIRES(mutex_);
  bool drained(const Segment& segment) const LIGHTNING_REQUIRES(mutex_);
  void keep_or_remove(std::string path) LIGHTNING_EXCLUDES(mutex_);
  Status finish();

  internal::Life life_;
  const LogOptions options_;
  const bool with_tag_;
  const std::uint32_t epoch_;
  base::Thread thread_;

  alignas(64) mutable base::Mutex mutex_{base::LockRank::kWalReserve};
  Tail tail_ LIGHTNING_GUARDED_BY(mutex_);
  bool accepting_ LIGHTNING_GUARDED_BY(mutex_) = true;
  std::atomic<Sequence> reserved_;
  std::deque<std::shared_ptr<Segment>> live_ LIGHTNING_GUARDED_BY(mutex_);   // oldest first; the last is written
  std::deque<std::shared_ptr<Segment>> ready_ LIGHTNING_GUARDED_BY(mutex_);  // prepared
  std::vector<std::string> free_ LIGHTNING_GUARDED_BY(mutex_);               // released files kept for reuse
  format::FileNumber next_number_ LIGHTNING_GUARDED_BY(mutex_) = 0;
  Sequence release_ LIGHTNING_GUARDED_BY(mutex_) = 0;
  Sequence keep_behind_ LIGHTNING_GUARDED_BY(mutex_) = ~Sequence{0};
  ManifestPosition manifest_ LIGHTNING_GUARDED_BY(mutex_);

  // Between those who wait for a segment and the upkeep thread.
  base::CondVar segments_changed_, upkeep_wake_;
  std::uint64_t wanted_ LIGHTNING_GUARDED_BY(mutex_) = 0;        // prepared segments somebody waits for
  std::uint64_t ready_target_ LIGHTNING_GUARDED_BY(mutex_) = 1;  // kept ahead; 2 once somebody had to wait
  std::uint64_t failed_attempts_ LIGHTNING_GUARDED_BY(mutex_) = 0;
  std::optional<Error> attempt_error_ LIGHTNING_GUARDED_BY(mutex_);
  bool attempt_blocked_ LIGHTNING_GUARDED_BY(mutex_) = false;  // an attempt failed, and nobody has asked since
  bool finishing_ LIGHTNING_GUARDED_BY(mutex_) = false;
  std::optional<Status> closed_ LIGHTNING_GUARDED_BY(mutex_);
  std::uint64_t sync_due_ns_ LIGHTNING_GUARDED_BY(mutex_) = 0, mark_due_ns_ LIGHTNING_GUARDED_BY(mutex_) = 0;
  std::uint64_t segment_waits_ LIGHTNING_GUARDED_BY(mutex_) = 0, segment_wait_us_ LIGHTNING_GUARDED_BY(mutex_) = 0;

  // Written by whose turn it is to complete.
  struct alignas(64) Completed {
    std::atomic<Sequence> sequence{0};
    std::atomic<Sequence> watermark{0};  // durable watermark in the last record
    std::atomic<std::uint64_t> bytes{0}, records{0};
    std::atomic<std::uint64_t> undurable_since_ns{0};  // commit time of the first record not durable, about
  };
  Completed completed_;
  internal::CompletionOrder order_;

  // Written by the leader of a round.
  alignas(64) internal::GroupCommit group_;
  std::atomic<Sequence> recorded_{0};  // highest watermark that a durable record carries
  std::atomic<std::uint64_t> last_sync_ns_{0};
  std::atomic<bool> sync_armed_{false}, mark_armed_{false};
  struct Piece {
    std::shared_ptr<Segment> segment;
    std::shared_ptr<env::LogFile> file;
    std::uint64_t begin, end;
  };
  std::vector<Piece> pieces_;  // of the round that runs; kept for its memory
  Sequence round_watermark_ = 0;
  std::uint64_t round_start_ns_ = 0;
};

}  // namespace lightning::wal
