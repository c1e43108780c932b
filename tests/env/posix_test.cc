// What only the operating system can do to files, and what the rest of the real environment promises.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/sync.h"
#include "env/env.h"
#include "env/machine_limits.h"
#include "env/os_error.h"
#include "env/posix_files.h"
#include "env/posix_log_file.h"
#include "place.h"

namespace lightning::env {
namespace {

class PosixFiles : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return place_->path(name); }
  std::unique_ptr<Place> place_ = make_posix_place();
  FileSystem& files_ = place_->files();
};

// Lowers a limit of this process while it lives.
class LimitGuard {
 public:
  LimitGuard(decltype(RLIMIT_NOFILE) which, rlim_t value) : which_(which) {
    ::getrlimit(which_, &former_);
    rlimit lowered = former_;
    lowered.rlim_cur = value;
    EXPECT_EQ(::setrlimit(which_, &lowered), 0);
  }
  ~LimitGuard() { ::setrlimit(which_, &former_); }

 private:
  const decltype(RLIMIT_NOFILE) which_;
  rlimit former_{};
};

// Runs `body` in a child process, which then kills itself.
void in_a_process_that_dies(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
}

// --- failures -----------------------------------------------------------------------------------------------------

TEST_F(PosixFiles, AFailedSyncPoisonsTheFile) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Descriptor reader(ends[0]);
  PosixWritableFile file{Descriptor(ends[1]), "pipe"};  // takes bytes, cannot be synced
  EXPECT_OK(file.append("x"));
  EXPECT_OK(file.flush());
  const Status failed = file.sync();
  EXPECT_CODE(kSyncFailed, failed);
  EXPECT_EQ(failed.error().outcome(), WriteOutcome::kUnknown);
  EXPECT_CODE(kSyncFailed, file.append("y"));
  EXPECT_CODE(kSyncFailed, file.flush());
  EXPECT_CODE(kSyncFailed, file.sync());
  EXPECT_CODE(kSyncFailed, file.close());
}

TEST_F(PosixFiles, AFailedSyncPoisonsAnUpdatableFile) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Descriptor reader(ends[0]);
  PosixUpdatableFile file{Descriptor(ends[1]), "pipe", 100};
  EXPECT_CODE(kSyncFailed, file.sync());
  EXPECT_CODE(kSyncFailed, file.write(0, "x"));
  EXPECT_CODE(kSyncFailed, file.sync());
}

TEST_F(PosixFiles, AFailedSyncPoisonsALogSegment) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  void* const mapping = ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(mapping, MAP_FAILED);
  ASSERT_EQ(::munmap(static_cast<char*>(mapping) + page, page), 0);  // a hole: syncing it fails
  PosixLogFile log(Descriptor(), "hole", static_cast<char*>(mapping), 2 * page);
  EXPECT_OK(log.sync(0, page));
  EXPECT_CODE(kSyncFailed, log.sync(page, 1));
  EXPECT_CODE(kSyncFailed, log.sync(0, page));
}

TEST_F(PosixFiles, AFullDeviceIsNoSpaceAndPoisonsTheFile) {
  PosixWritableFile file(must(open_file("/dev/full", O_WRONLY, "cannot open the file")), "/dev/full");
  EXPECT_OK(file.append("held back"));
  EXPECT_CODE(kNoSpace, file.flush());
  EXPECT_CODE(kNoSpace, file.append("more"));
  EXPECT_CODE(kNoSpace, file.sync());
  EXPECT_CODE(kNoSpace, file.close());
}

TEST_F(PosixFiles, AFileSizeLimitIsNoSpaceAndNeverASignal) {
  ::signal(SIGXFSZ, SIG_IGN);
  const LimitGuard limit(RLIMIT_FSIZE, 100'000);
  auto file = must(files_.create_writable(path("a"), FileClass::kTable));
  EXPECT_OK(file->append(pattern(200'000)));
  const Status failed = file->sync();
  EXPECT_CODE(kNoSpace, failed);
  EXPECT_EQ(failed.error().context().offset, 100'000u);
  EXPECT_CODE(kNoSpace, file->append("x"));
  EXPECT_CODE(kNoSpace, files_.create_log(path("log"), 200'000));
  EXPECT_FALSE(must(files_.exists(path("log")))) << "half a segment would only take space";
  EXPECT_CODE(kNoSpace, files_.open_updatable(path("s"), FileClass::kSuperblock, 200'000));
}

TEST_F(PosixFiles, RunningOutOfHandlesIsInsufficientResources) {
  write_whole(files_, path("a"), "x");
  const LimitGuard limit(RLIMIT_NOFILE, 3);
  EXPECT_CODE(kInsufficientResources, files_.open_random_access(path("a"), FileClass::kTable));
  EXPECT_CODE(kInsufficientResources, files_.list(place_->root()));
}

TEST(OsError, MapsEachErrnoToWhatTheCallerCanDo) {
  const std::pair<int, ErrorCode> expected[] = {{ENOSPC, ErrorCode::kNoSpace},
                                                {EDQUOT, ErrorCode::kNoSpace},
                                                {EFBIG, ErrorCode::kNoSpace},
                                                {EACCES, ErrorCode::kPermissionDenied},
                                                {EPERM, ErrorCode::kPermissionDenied},
                                                {EROFS, ErrorCode::kPermissionDenied},
                                                {ENOENT, ErrorCode::kStorageUnavailable},
                                                {ENOTDIR, ErrorCode::kStorageUnavailable},
                                                {EMFILE, ErrorCode::kInsufficientResources},
                                                {ENFILE, ErrorCode::kInsufficientResources},
                                                {ENOMEM, ErrorCode::kOutOfMemory},
                                                {EIO, ErrorCode::kIo},
                                                {EEXIST, ErrorCode::kIo},
                                                {ELOOP, ErrorCode::kIo}};
  for (const auto& [os_error, code] : expected) {
    const Error error = system_error(os_error, "cannot do it", "/some/file", 42);
    EXPECT_EQ(error.code(), code) << os_error;
    EXPECT_EQ(error.context().file, "/some/file");
    EXPECT_EQ(error.context().offset, 42u);
    EXPECT_EQ(error.context().os_error, os_error);
  }
}

// --- files --------------------------------------------------------------------------------------------------------

TEST_F(PosixFiles, AreForTheirOwnerOnlyAndNotInherited) {
  write_whole(files_, path("a"), "x");
  EXPECT_OK(files_.create_directories(path("d")));
  struct stat facts;
  ASSERT_EQ(::stat(path("a").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0600u);
  ASSERT_EQ(::stat(path("d").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0700u);
  const Descriptor file = must(open_file(path("a"), O_RDONLY, "cannot open the file"));
  EXPECT_EQ(::fcntl(file.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(PosixFiles, StoresInALogSegmentSurviveTheDeathOfTheProcess) {
  in_a_process_that_dies([&] {
    auto log = files_.create_log(path("log"), 1 << 16);
    if (log) (*log)->write(12'345, "still here");
  });
  EXPECT_EQ(read_whole(files_, path("log")).substr(12'345, 10), "still here");
}

TEST_F(PosixFiles, ALockIsReleasedByTheDeathOfItsProcess) {
  in_a_process_that_dies([&] {
    auto lock = files_.lock(path("LOCK"), "the dead");
    if (!lock || files_.lock(path("LOCK"), "second")) ::_exit(1);
    ::raise(SIGKILL);  // with the lock held
  });
  EXPECT_FALSE(must(files_.is_locked(path("LOCK"))));
  auto lock = must(files_.lock(path("LOCK"), "the living"));
  const auto second = files_.lock(path("LOCK"), "me");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message().find("dead"), std::string::npos);
}

TEST_F(PosixFiles, ManyThreadsReadManyAtOnce) {
  const std::string bytes = pattern(1 << 20);
  write_whole(files_, path("a"), bytes);
  const auto with_rings = must(files_.open_random_access(path("a"), FileClass::kTable));
  const PosixRandomAccessFile without(must(open_file(path("a"), O_RDONLY, "cannot open the file")), path("a"),
                                      bytes.size(), nullptr);
  std::vector<base::Thread> threads;
  std::atomic<int> wrong{0};
  for (unsigned t = 0; t < 8; ++t)
    threads.push_back(base::Thread::spawn("reader", [&, t] {
      const RandomAccessFile& file = t % 4 == 0 ? static_cast<const RandomAccessFile&>(without) : *with_rings;
      for (unsigned round = 0; round < 20; ++round) {
        std::vector<std::string> buffers(2 + round * 7, std::string(3000, '\0'));
        std::vector<RandomAccessFile::Request> requests;
        for (std::size_t i = 0; i < buffers.size(); ++i)
          requests.push_back({.offset = (t * 977 + round * 31 + i * 4999) % (bytes.size() - 3000), .into = buffers[i]});
        file.read_many(requests);
        for (std::size_t i = 0; i < buffers.size(); ++i)
          if (!requests[i].status || buffers[i] != bytes.substr(requests[i].offset, 3000)) ++wrong;
      }
    }));
  for (base::Thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// --- clocks, chance, limits ---------------------------------------------------------------------------------------

TEST(RealEnv, ClocksNeverGoBack) {
  Clock& clock = Env::real().clock;
  std::uint64_t monotonic = 0, wall = 0;
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_LE(monotonic, clock.monotonic_ns());
    EXPECT_LE(wall, clock.wall_ns());
    monotonic = clock.monotonic_ns();
    wall = clock.wall_ns();
  }
  EXPECT_GT(wall, 1'700'000'000'000'000'000u) << "nanoseconds since 1970";
}

TEST(RealEnv, UidsDoNotRepeat) {
  std::set<std::array<std::uint8_t, 16>> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(Env::real().random.uid().bytes);
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(MachineLimits, AreThoseOfThisProcess) {
  const MachineLimits limits = machine_limits();
  EXPECT_GE(limits.cores, 1u);
  EXPECT_GT(limits.memory_bytes, 16u << 20);
  const LimitGuard limit(RLIMIT_NOFILE, 123);
  EXPECT_EQ(machine_limits().open_files_max, 123u);
}

TEST_F(PosixFiles, CgroupLimitsAreTheTightestOnTheWayUp) {
  const auto write = [&](const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name)) << text;
  };
  // Version 2: one hierarchy.
  write("v2/memory.max", "max\n");
  write("v2/a/memory.max", "3000000\n");
  write("v2/a/b/memory.max", "5000000\n");
  write("v2/a/cpu.max", "150000 100000\n");
  write("v2/a/b/cpu.max", "max 100000\n");
  const CgroupLimits v2 = cgroup_limits("0::/a/b\n", path("v2"));
  EXPECT_EQ(v2.memory_bytes, 3'000'000u);
  EXPECT_EQ(v2.cores, 2u);
  // Version 1: one hierarchy per controller.
  write("v1/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("v1/memory/x/memory.limit_in_bytes", "7000000\n");
  write("v1/cpu/y/cpu.cfs_quota_us", "400000\n");
  write("v1/cpu/y/cpu.cfs_period_us", "100000\n");
  write("v1/cpu/cpu.cfs_quota_us", "-1\n");
  write("v1/cpu/cpu.cfs_period_us", "100000\n");
  const CgroupLimits v1 = cgroup_limits("5:memory:/x\n4:cpu,cpuacct:/y\n3:devices:/z\n0::/\n", path("v1"));
  EXPECT_EQ(v1.memory_bytes, 7'000'000u);
  EXPECT_EQ(v1.cores, 4u);
  // A container whose path is the host's: what is mounted is the root of what counts.
  EXPECT_EQ(cgroup_limits("0::/host/only\n", path("v2/a")).memory_bytes, 3'000'000u);
  // Nothing known.
  EXPECT_EQ(cgroup_limits("garbage", path("v2")).memory_bytes, CgroupLimits::kNone);
  EXPECT_EQ(cgroup_limits("", path("none")).cores, CgroupLimits::kNone);
}

}  // namespace
}  // namespace lightning::env
