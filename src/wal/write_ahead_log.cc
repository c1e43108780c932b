#include <algorithm>
#include <utility>

#include "wal/log_impl.h"

namespace lightning::wal {

namespace {

constexpr std::uint64_t kSegmentBytesMin = 2 * kHeaderPageBytes;

// What replay() read from the segments of earlier lives may have been in the operating system's memory only (after the
// death of a process, not of the machine). The new life takes it for durable, so it has to be.
Result<format::FileNumber> sync_earlier_segments(env::FileSystem& files, const std::string& directory) {
  LIGHTNING_ASSIGN(const std::vector<std::string> names, files.list(directory));
  format::FileNumber last = 0;
  for (const std::string& name : names) {
    const auto number = segment_number(name);
    if (!number) continue;
    last = std::max(last, *number);
    const std::string path = directory + "/" + name;
    LIGHTNING_ASSIGN(const env::FileInfo info, files.info(path));
    if (info.is_directory || info.bytes == 0) continue;
    LIGHTNING_ASSIGN(const auto file, files.open_updatable(path, env::FileClass::kLog, info.bytes));
    LIGHTNING_TRY(file->sync());
  }
  return last;
}

}  // namespace

Result<std::unique_ptr<WriteAheadLog>> WriteAheadLog::create(env::Env& env, std::string directory,
                                                             const format::Uid& store_id, format::Epoch epoch,
                                                             LogPosition start, const LogOptions& options,
                                                             base::MemoryBudget& budget) {
  if (options.segment_bytes < kSegmentBytesMin)
    return Error(ErrorCode::kInvalidArgument, "a log segment of " + std::to_string(options.segment_bytes) +
                                                  " bytes is too small: at least " + std::to_string(kSegmentBytesMin));
  LIGHTNING_ASSIGN(const format::FileNumber last, sync_earlier_segments(env.files, directory));
  internal::Life life{.env = env,
                      .directory = std::move(directory),
                      .store_id = store_id,
                      .epoch = epoch,
                      .segment_bytes = options.segment_bytes / kHeaderPageBytes * kHeaderPageBytes,
                      .first_segment = last + 1,
                      .budget = budget};
  auto impl = std::make_unique<Impl>(std::move(life), start, options);
  LIGHTNING_TRY(impl->start());
  return std::unique_ptr<WriteAheadLog>(new WriteAheadLog(std::move(impl)));
}

WriteAheadLog::WriteAheadLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WriteAheadLog::~WriteAheadLog() { (void)impl_->close(); }
Status WriteAheadLog::close() { return impl_->close(); }

Result<WriteAheadLog::Ticket> WriteAheadLog::reserve(const Commit& commit) { return impl_->reserve(commit); }
void WriteAheadLog::copy(const Ticket& ticket, std::string_view payload) { impl_->copy(ticket, payload); }
void WriteAheadLog::complete(const Ticket& ticket) { impl_->complete(ticket); }
Status WriteAheadLog::wait_durable(const Ticket& ticket) { return impl_->wait_durable(ticket); }
Status WriteAheadLog::sync() { return impl_->sync(); }

LogPosition WriteAheadLog::position() const { return impl_->position(); }
Sequence WriteAheadLog::last_reserved() const { return impl_->last_reserved(); }
Sequence WriteAheadLog::last_completed() const { return impl_->last_completed(); }
Sequence WriteAheadLog::last_durable() const { return impl_->last_durable(); }
LossWindow WriteAheadLog::loss_window() const { return impl_->loss_window(); }
LogCounters WriteAheadLog::counters() const { return impl_->counters(); }
std::uint64_t WriteAheadLog::live_bytes() const { return impl_->live_bytes(); }
Sequence WriteAheadLog::oldest_live_sequence() const { return impl_->oldest_live_sequence(); }
format::FileNumber WriteAheadLog::first_live_segment() const { return impl_->first_live_segment(); }

void WriteAheadLog::note_manifest(ManifestPosition position) { impl_->note_manifest(position); }
void WriteAheadLog::release_up_to(Sequence sequence) { impl_->release_up_to(sequence); }
void WriteAheadLog::keep_behind(Sequence sequence) { impl_->keep_behind(sequence); }
std::uint64_t WriteAheadLog::kept_bytes() const { return impl_->kept_bytes(); }
Status WriteAheadLog::remove_older_segments() { return impl_->remove_older_segments(); }

}  // namespace lightning::wal
