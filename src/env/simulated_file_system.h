// SimulatedFileSystem: a disk in memory that does what real ones may: loses what was not synced, tears, fills up,
// fails.
//
//   SimulatedFileSystem files(seed);
//   ... the engine runs on it ...
//   files.crash(CrashMode::kRandom);      // what a power cut leaves; every open file and lock is gone
//   ... the engine recovers on it ...
//
// Every call is a scheduling point of the fiber world it runs in, if any; in the same order of calls, the same seed
// does the same. Calls that change something are counted, and a crash can be asked for at each of them.
//
// After crash(), process_death() or halt() the files that were open fail every call with kClosed, and stores into log
// segments go nowhere, so that an engine abandoned in mid-flight can do no harm to the next one.
//
// Threads: any; hooks are called without a lock held.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "env/file_system.h"
#include "env/simulated_disk.h"

namespace lightning::env {

enum class IoKind : std::uint8_t {
  // Counted by io_count().
  kCreate,
  kWrite,
  kLogWrite,
  kSync,
  kRename,
  kRemove,
  kLink,
  kCreateDirectory,
  kSyncDirectory,
  kLock,
  // Counted if options.count_reads.
  kOpen,
  kRead,
  kLook,  // kLook: exists, info, list, is_locked, free_bytes
};
inline constexpr std::size_t kIoKinds = static_cast<std::size_t>(IoKind::kLook) + 1;

// kBefore: nothing of the call happened. kDuring: part of it did (a write: some of its bytes; a sync: some sectors are
// on the disk). kAfter: all of it did, but the caller was not told.
enum class CrashStage : std::uint8_t { kBefore, kDuring, kAfter };

// What becomes of everything that was not synced. kRandom: each sector and each directory draws its own fate. kKeepOne,
// kLoseOne: a single sector, appended end of a file or change of a directory, drawn by lot, fares otherwise than all
// others.
enum class CrashMode : std::uint8_t { kRandom, kDropAll, kKeepAll, kKeepOne, kLoseOne };

// What a fault does to the call that it meets. All but kFail say nothing about it: the disk lies.
enum class FaultEffect : std::uint8_t {
  kFail,            // a write has written some of its bytes; a sync loses for ever what it should have written
  kStoreWrong,      // a write stores one bit otherwise than it was told
  kStoreNothing,    // a write arrives nowhere: what was there stays, and where nothing was there are zeros
  kStoreElsewhere,  // a write arrives somewhere else in its file, as far as the file reaches
  kReadWrong,       // a read gives one bit otherwise than it is stored
  kReadElsewhere,   // a read gives what lies somewhere else in the file
};

// Meets the nth call that matches, counted from when the fault was added; a sticky one meets all later ones too.
struct Fault {
  std::optional<IoKind> kind{};           // none: any
  std::optional<FileClass> file_class{};  // none: any
  std::string path_part{};                // of the path, if not empty
  std::uint64_t nth = 1;
  bool sticky = false;
  int os_error = 5;  // EIO; of a call that fails
  FaultEffect effect = FaultEffect::kFail;
};

struct SimulatedDiskOptions {
  std::uint64_t capacity_bytes = std::uint64_t{1} << 40;
  std::uint32_t open_files_max = 1u << 20;
  // Appended bytes are held back up to this many, as the interface allows: they die with the process.
  std::uint64_t append_buffer_bytes = 32 << 10;
  bool count_reads = false;
  // A power cut may keep any subset of a directory's changes instead of a prefix.
  bool reorder_names = false;
  // Now and then, the kernel writes back some of what is pending, so that a power cut can leave states between two
  // syncs.
  bool write_back = false;
  // Time that passes in a fiber world.
  std::chrono::nanoseconds io_latency{0}, sync_latency{0};

  // Planted bugs, for tests that show such bugs are found: syncs that do nothing and say they did.
  std::vector<FileClass> ignored_syncs{};
  bool ignore_directory_syncs = false;
};

class SimulatedFileSystem final : public FileSystem {
 public:
  using Options = SimulatedDiskOptions;
  explicit SimulatedFileSystem(std::uint64_t seed, Options options = {});
  ~SimulatedFileSystem() override;

  // --- The end of a process, and of the power.
  void crash(CrashMode mode);
  // Like SIGKILL: everything written stays, buffered appends are lost, locks are released.
  void process_death();
  // The machine stands still: every call fails, and no store arrives, until crash() or process_death().
  void halt();

  // `at_crash` is called at the nth counted call from now (1 is the next), once. On a fiber it calls
  // FiberScheduler::kill_world(); elsewhere halt(). Without a function: halt().
  void set_crash_at(std::uint64_t nth, CrashStage stage, std::function<void()> at_crash = {});
  void cancel_crash();
  std::uint64_t io_count() const;
  std::uint64_t io_count(IoKind kind) const;
  // Of every counted call so far: equal for equal runs.
  std::uint64_t trace_hash() const;

  // --- Faults.
  void add_fault(Fault fault);
  void clear_faults();
  Options& options() { return options_; }  // may be changed between calls
  void set_capacity(std::uint64_t bytes);

  // --- Damage at rest, beyond what any sync protects from. False if there is no such file or byte.
  bool flip_bit(const std::string& path, std::uint64_t offset, unsigned bit = 0);
  bool overwrite(const std::string& path, std::uint64_t offset, std::string_view bytes);
  bool truncate_file(const std::string& path, std::uint64_t size);
  bool delete_file(const std::string& path);
  // Makes the file `path` hold `bytes`, durably; creates it if need be.
  bool put_file(const std::string& path, std::string_view bytes);
  // Every file below `directory`, sorted.
  std::vector<std::string> files_below(const std::string& directory) const;
  // What is in the file now; empty if there is none.
  std::string content(const std::string& path) const;
  // Sectors that a power cut could change now.
  std::uint64_t unsynced_sectors(const std::string& path) const;

  // --- FileSystem.
  Result<std::unique_ptr<RandomAccessFile>> open_random_access(const std::string& path, FileClass file_class) override;
  Result<std::unique_ptr<WritableFile>> create_writable(const std::string& path, FileClass file_class) override;
  Result<std::unique_ptr<UpdatableFile>> open_updatable(const std::string& path, FileClass file_class,
                                                        std::uint64_t size) override;
  Result<std::unique_ptr<LogFile>> create_log(const std::string& path, std::uint64_t size) override;
  Result<std::unique_ptr<LogFile>> reuse_log(const std::string& path) override;
  Result<std::string> read_file(const std::string& path, std::uint64_t bytes_max) override;
  Result<bool> exists(const std::string& path) override;
  Result<FileInfo> info(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Status create_directories(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status link(const std::string& from, const std::string& to) override;
  Status sync_directory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& owner_note) override;
  Result<bool> is_locked(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  Status reserve_space(const std::string& path, std::uint64_t bytes) override;

  // --- For the files that this file system hands out (simulated_files.h).

  // An open file. It belongs to the file system, so that files of a killed fiber world do not keep their contents.
  struct Open {
    SimulatedDisk::NodePtr node;
    std::string buffer;           // appended, not yet written
    std::optional<Error> poison;  // of the first failure
    std::string lock_note;        // of a lock
    bool used = false, is_lock = false;
  };
  struct Handle {
    SimulatedFileSystem* files = nullptr;
    std::uint64_t life = 0;  // of the process that opened it
    std::uint32_t slot = 0;
    FileClass file_class = FileClass::kOther;
    std::string path;
  };
  void close(const Handle& handle);
  Status read(const Handle& handle, std::uint64_t offset, std::span<char> into);
  std::uint64_t size(const Handle& handle);
  Status append(const Handle& handle, std::string_view bytes);
  Status flush(const Handle& handle);
  Status write(const Handle& handle, std::uint64_t offset, std::string_view bytes);
  void log_write(const Handle& handle, std::uint64_t offset, std::string_view bytes);
  // bytes = 0: the whole file.
  Status sync(const Handle& handle, std::uint64_t offset, std::uint64_t bytes);

 private:
  struct Io {
    IoKind kind;
    FileClass file_class = FileClass::kOther;
    const std::string* path = nullptr;
    std::uint64_t offset = ErrorContext::kNoOffset;
    std::uint64_t bytes = 0;
  };
  struct Armed {
    std::uint64_t at;
    CrashStage stage;
    std::function<void()> call;
  };
  // A call in progress: what enter() found out about it.
  struct Entered {
    std::uint64_t life = 0;
    int os_error = 0;  // it shall fail with this
    std::optional<FaultEffect> lie;
    std::optional<Armed> crash;  // it shall crash: kDuring or kAfter
    bool cut_short() const { return os_error != 0 || (crash && crash->stage == CrashStage::kDuring); }
  };
  // Lets others run, counts, and crashes if it is time. Fails if the machine stands still.
  Result<Entered> enter(const Io& io);
  // Fails if the call crashed: its caller must not be told that it succeeded.
  Status leave(Entered& entered, const Io& io);
  void inject_fault(const Io& io, Entered& entered);
  void run_crash(Armed armed);
  Open* find_open(const Handle& handle);  // null if its process is dead
  void release(std::uint32_t slot);
  const Open* lock_holder(const SimulatedDisk::Node& node) const;
  Error dead_error(std::string_view path) const;
  bool ignores_sync_of(FileClass file_class) const;
  void write_back_some(const Handle& handle, Open& open);
  Result<Handle> open_handle(SimulatedDisk::NodePtr node, const std::string& path, FileClass file_class);
  Result<Handle> open_existing(const std::string& path, FileClass file_class, std::string_view what);
  Result<Handle> create(const std::string& path, FileClass file_class, std::string_view what);
  Status allocate_log(const Handle& handle, const std::string& path, std::uint64_t size);
  Status look(const std::string& path, SimulatedDisk::NodePtr& node, std::string_view what);
  Status change_names(const Io& io, std::string_view what, const std::function<int()>& change);
  Status write_out(const Handle& handle, std::uint64_t offset, std::string_view bytes);
  std::uint64_t store(Open& open, std::uint64_t offset, std::string_view bytes, std::optional<FaultEffect> lie);
  void end_process();
  SimulatedDisk::NodePtr file_at(const std::string& path) const;

  Options options_;
  mutable std::mutex mutex_;  // over all below. Not a base::Mutex: taking it must not be a scheduling point
  Dice dice_;
  SimulatedDisk disk_;
  std::uint64_t life_ = 1;
  bool halted_ = false;
  std::vector<Open> opens_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<Fault> faults_;
  std::optional<Armed> armed_;
  std::uint64_t counts_[kIoKinds] = {};
  std::uint64_t count_ = 0;
  std::uint64_t trace_ = 0;
};

}  // namespace lightning::env
