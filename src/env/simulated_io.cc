// What every call of the simulated file system goes through, the contents of open files, and the ends of a process.
#include <algorithm>
#include <cerrno>

#include "base/hash.h"
#include "base/sync.h"
#include "env/os_error.h"
#include "env/simulated_file_system.h"

namespace lightning::env {

using Guard = std::lock_guard<std::mutex>;

namespace {

bool changes_something(IoKind kind) { return kind < IoKind::kOpen; }

bool is_sync(IoKind kind) { return kind == IoKind::kSync || kind == IoKind::kSyncDirectory; }

void flip_some_bit(std::span<char> bytes, Dice& dice) {
  if (!bytes.empty()) bytes[dice.below(bytes.size())] ^= static_cast<char>(1u << dice.below(8));
}

void pass_time(std::chrono::nanoseconds latency) {
  if (latency.count() > 0 && base::in_simulation()) base::sleep_for(latency);
}

}  // namespace

// --- every call ---------------------------------------------------------------------------------------------------

Result<SimulatedFileSystem::Entered> SimulatedFileSystem::enter(const Io& io) {
  base::scheduling_point();
  if (!is_sync(io.kind)) pass_time(options_.io_latency);
  Entered entered;
  {
    Guard guard(mutex_);
    if (halted_) return dead_error(*io.path);
    entered.life = life_;
    ++counts_[static_cast<std::size_t>(io.kind)];
    inject_fault(io, entered);
    if (!changes_something(io.kind) && !options_.count_reads) return entered;
    ++count_;
    const std::uint64_t facts[] = {trace_, static_cast<std::uint64_t>(io.kind), io.offset, io.bytes};
    trace_ = base::hash64(*io.path, base::hash64({reinterpret_cast<const char*>(facts), sizeof facts}));
    if (armed_ && armed_->at == count_) entered.crash = std::exchange(armed_, std::nullopt);
  }
  if (entered.crash && entered.crash->stage == CrashStage::kBefore) {
    LIGHTNING_TRY(leave(entered, io));
  }
  return entered;
}

Status SimulatedFileSystem::leave(Entered& entered, const Io& io) {
  if (entered.crash) {
    const std::function<void()> call = std::move(entered.crash->call);
    entered.crash.reset();
    call ? call() : halt();
  }
  Guard guard(mutex_);
  if (halted_ || entered.life != life_) return dead_error(*io.path);
  return {};
}

void SimulatedFileSystem::inject_fault(const Io& io, Entered& entered) {
  if (io.kind == IoKind::kLogWrite) return;  // a store into memory cannot fail
  std::erase_if(faults_, [&](Fault& fault) {
    if (fault.kind && *fault.kind != io.kind) return false;
    if (fault.file_class && *fault.file_class != io.file_class) return false;
    if (!fault.path_part.empty() && io.path->find(fault.path_part) == std::string::npos) return false;
    if (fault.nth > 1) {
      --fault.nth;
      return false;
    }
    if (fault.effect == FaultEffect::kFail) {
      entered.os_error = fault.os_error;
    } else {
      entered.lie = fault.effect;
    }
    return !fault.sticky;
  });
}

Error SimulatedFileSystem::dead_error(std::string_view path) const {
  return Error(ErrorCode::kClosed, "the process that had this file open is dead")
      .at_file(path)
      .with_outcome(WriteOutcome::kUnknown);
}

// --- open files ---------------------------------------------------------------------------------------------------

SimulatedFileSystem::Open* SimulatedFileSystem::find_open(const Handle& handle) {
  return halted_ || handle.life != life_ ? nullptr : &opens_[handle.slot];
}

void SimulatedFileSystem::release(std::uint32_t slot) {
  disk_.closed(*opens_[slot].node);
  opens_[slot] = Open{};
  free_slots_.push_back(slot);
}

void SimulatedFileSystem::close(const Handle& handle) {
  Guard guard(mutex_);
  if (handle.life == life_) release(handle.slot);
}

std::uint64_t SimulatedFileSystem::size(const Handle& handle) {
  Guard guard(mutex_);
  const Open* const open = find_open(handle);
  return open == nullptr ? 0 : open->node->content.size();
}

Status SimulatedFileSystem::read(const Handle& handle, std::uint64_t offset, std::span<char> into) {
  const Io io{.kind = IoKind::kRead,
              .file_class = handle.file_class,
              .path = &handle.path,
              .offset = offset,
              .bytes = into.size()};
  LIGHTNING_ASSIGN(Entered entered, enter(io));
  Status done = [&]() -> Status {
    if (entered.os_error != 0) return system_error(entered.os_error, "cannot read the file", handle.path, offset);
    Guard guard(mutex_);
    const Open* const open = find_open(handle);
    if (open == nullptr) return dead_error(handle.path);
    const SimulatedContent& content = open->node->content;
    if (offset > content.size() || into.size() > content.size() - offset)
      return short_file_error(handle.path, offset, into.size(), content.size());
    if (entered.lie == FaultEffect::kReadElsewhere) offset = dice_.below(content.size() - into.size() + 1);
    content.read(offset, into);
    if (entered.lie == FaultEffect::kReadWrong) flip_some_bit(into, dice_);
    return {};
  }();
  LIGHTNING_TRY(leave(entered, io));
  return done;
}

Status SimulatedFileSystem::append(const Handle& handle, std::string_view bytes) {
  {
    Guard guard(mutex_);
    Open* const open = find_open(handle);
    if (open == nullptr) return dead_error(handle.path);
    if (open->poison) return *open->poison;
    open->buffer.append(bytes);
    if (open->buffer.size() < options_.append_buffer_bytes) return {};
  }
  return flush(handle);
}

Status SimulatedFileSystem::flush(const Handle& handle) {
  std::string bytes;
  std::uint64_t offset = 0;
  {
    Guard guard(mutex_);
    Open* const open = find_open(handle);
    if (open == nullptr) return dead_error(handle.path);
    if (open->poison) return *open->poison;
    if (open->buffer.empty()) return {};
    bytes.swap(open->buffer);
    offset = open->node->content.size();
  }
  Status written = write_out(handle, offset, bytes);
  Guard guard(mutex_);
  if (Open* const open = find_open(handle); open != nullptr) {
    if (!written) open->poison = written.error();
    bytes.clear();
    open->buffer.swap(bytes);  // keeps its memory
  }
  return written;
}

Status SimulatedFileSystem::write(const Handle& handle, std::uint64_t offset, std::string_view bytes) {
  {
    Guard guard(mutex_);
    Open* const open = find_open(handle);
    if (open == nullptr) return dead_error(handle.path);
    if (open->poison) return *open->poison;
  }
  return write_out(handle, offset, bytes);
}

Status SimulatedFileSystem::write_out(const Handle& handle, std::uint64_t offset, std::string_view bytes) {
  const Io io{.kind = IoKind::kWrite,
              .file_class = handle.file_class,
              .path = &handle.path,
              .offset = offset,
              .bytes = bytes.size()};
  LIGHTNING_ASSIGN(Entered entered, enter(io));
  int error = entered.os_error;
  std::uint64_t written = 0;
  {
    Guard guard(mutex_);
    Open* const open = find_open(handle);
    if (open == nullptr) return dead_error(handle.path);
    const std::uint64_t wanted = entered.cut_short() ? dice_.below(bytes.size() + 1) : bytes.size();
    written = store(*open, offset, bytes.substr(0, wanted), entered.lie);
    if (error == 0 && written < wanted) error = ENOSPC;
    write_back_some(handle, *open);
  }
  LIGHTNING_TRY(leave(entered, io));
  if (error != 0) return system_error(error, "cannot write the file", handle.path, offset + written);
  return {};
}

// Returns how many bytes fitted, or what a lie says.
std::uint64_t SimulatedFileSystem::store(Open& open, std::uint64_t offset, std::string_view bytes,
                                         std::optional<FaultEffect> lie) {
  if (!lie || bytes.empty()) return disk_.write(open.node, offset, bytes);
  const SimulatedContent& content = open.node->content;
  std::string instead(bytes);
  if (lie == FaultEffect::kStoreWrong) {
    flip_some_bit(instead, dice_);
  } else if (lie == FaultEffect::kStoreNothing || lie == FaultEffect::kStoreElsewhere) {
    const std::uint64_t there = content.size() > offset ? std::min(content.size() - offset, bytes.size()) : 0;
    std::fill(instead.begin(), instead.end(), '\0');
    content.read(offset, {instead.data(), there});
  }
  const std::uint64_t size_before = content.size();
  const std::uint64_t written = disk_.write(open.node, offset, instead);
  if (lie == FaultEffect::kStoreElsewhere && size_before > 0) {
    const std::uint64_t elsewhere = dice_.below(size_before);
    (void)disk_.write(open.node, elsewhere, bytes.substr(0, size_before - elsewhere));
  }
  return written;
}

void SimulatedFileSystem::log_write(const Handle& handle, std::uint64_t offset, std::string_view bytes) {
  const Io io{.kind = IoKind::kLogWrite,
              .file_class = handle.file_class,
              .path = &handle.path,
              .offset = offset,
              .bytes = bytes.size()};
  Result<Entered> entered = enter(io);
  if (!entered) return;
  {
    Guard guard(mutex_);
    Open* const open = find_open(handle);
    if (open == nullptr) return;
    if (entered->cut_short()) bytes = bytes.substr(0, dice_.below(bytes.size() + 1));
    (void)disk_.write(open->node, offset, bytes);  // within the segment: takes no space
    write_back_some(handle, *open);
  }
  (void)leave(*entered, io);
}

void SimulatedFileSystem::write_back_some(const Handle& handle, Open& open) {
  if (options_.write_back && dice_.one_in(16) && !ignores_sync_of(handle.file_class))
    open.node->content.sync_partly(dice_);
}

bool SimulatedFileSystem::ignores_sync_of(FileClass file_class) const {
  return std::find(options_.ignored_syncs.begin(), options_.ignored_syncs.end(), file_class) !=
         options_.ignored_syncs.end();
}

// What the caller stored before is durable from here on; then others run. What they store is not, though this call has
// not returned yet: the promise is about what came before it.
Status SimulatedFileSystem::sync(const Handle& handle, std::uint64_t offset, std::uint64_t bytes) {
  LIGHTNING_TRY(flush(handle));
  const Io io{
      .kind = IoKind::kSync, .file_class = handle.file_class, .path = &handle.path, .offset = offset, .bytes = bytes};
  LIGHTNING_ASSIGN(Entered entered, enter(io));
  {
    Guard guard(mutex_);
    Open* const open = find_open(handle);
    if (open == nullptr) return dead_error(handle.path);
    SimulatedContent& content = open->node->content;
    if (open->poison) {
      return *open->poison;  // another thread's sync failed while this one waited
    } else if (entered.os_error != 0) {
      content.fail_sync();
      open->poison = sync_error(entered.os_error, handle.path);
    } else if (ignores_sync_of(handle.file_class)) {
      // A planted bug.
    } else if (entered.cut_short()) {
      content.sync_partly(dice_);
    } else if (bytes == 0) {
      content.sync();
    } else {
      content.sync(offset, bytes);
    }
  }
  LIGHTNING_TRY(leave(entered, io));
  pass_time(options_.sync_latency);
  base::scheduling_point();
  if (entered.os_error != 0) return sync_error(entered.os_error, handle.path);
  return {};
}

// --- the ends of a process ----------------------------------------------------------------------------------------

void SimulatedFileSystem::end_process() {
  ++life_;
  halted_ = false;
  armed_.reset();
  for (const Open& open : opens_)
    if (open.used) disk_.closed(*open.node);
  opens_.clear();
  free_slots_.clear();
}

void SimulatedFileSystem::crash(CrashMode mode) {
  Guard guard(mutex_);
  end_process();
  const SectorFate most =
      mode == CrashMode::kKeepAll || mode == CrashMode::kLoseOne ? SectorFate::kNew : SectorFate::kOld;
  const bool one = mode == CrashMode::kKeepOne || mode == CrashMode::kLoseOne;
  PowerCut cut = mode == CrashMode::kRandom ? PowerCut(dice_)
                 : one                      ? PowerCut(dice_, most, dice_.below(disk_.pending() + 1))
                                            : PowerCut(dice_, most);
  disk_.cut_power(cut, options_.reorder_names);
}

void SimulatedFileSystem::process_death() {
  Guard guard(mutex_);
  end_process();
}

void SimulatedFileSystem::halt() {
  Guard guard(mutex_);
  halted_ = true;
}

void SimulatedFileSystem::set_crash_at(std::uint64_t nth, CrashStage stage, std::function<void()> at_crash) {
  Guard guard(mutex_);
  armed_ = Armed{count_ + nth, stage, std::move(at_crash)};
}

void SimulatedFileSystem::cancel_crash() {
  Guard guard(mutex_);
  armed_.reset();
}

std::uint64_t SimulatedFileSystem::io_count() const {
  Guard guard(mutex_);
  return count_;
}

std::uint64_t SimulatedFileSystem::io_count(IoKind kind) const {
  Guard guard(mutex_);
  return counts_[static_cast<std::size_t>(kind)];
}

std::uint64_t SimulatedFileSystem::trace_hash() const {
  Guard guard(mutex_);
  return trace_;
}

void SimulatedFileSystem::add_fault(Fault fault) {
  Guard guard(mutex_);
  faults_.push_back(std::move(fault));
}

void SimulatedFileSystem::clear_faults() {
  Guard guard(mutex_);
  faults_.clear();
}

void SimulatedFileSystem::set_capacity(std::uint64_t bytes) {
  Guard guard(mutex_);
  disk_.set_capacity(bytes);
}

}  // namespace lightning::env
