// What fdatasync allows: threads append records of 256 bytes to a file that is already there, zeros and all, and the
// records that arrive during one fdatasync share the next. No index, no checksum, nothing to read back: a store whose
// group commit comes near this has nothing left to win there.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "adapter.h"

namespace lightning::bench {
namespace {

constexpr std::size_t kRecordBytesOnDisk = 256;
constexpr std::uint64_t kFileBytes = 64ull << 20;

class RawLog final : public Store {
 public:
  explicit RawLog(const std::string& path) {
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) fail("raw log: " + path + ": " + std::strerror(errno));
    // Written, not only allocated: else each sync would also have to record that a block now holds data.
    const std::string zeros(1 << 20, '\0');
    for (std::uint64_t at = 0; at < kFileBytes; at += zeros.size()) write_all(zeros.data(), zeros.size(), at);
    if (::fdatasync(fd_) != 0) fail("raw log: fdatasync failed");
  }
  ~RawLog() override { ::close(fd_); }

  std::unique_ptr<Session> session() override;
  void flush() override {}

  // The first of the waiting threads becomes the leader of all that have arrived by then.
  void append(const char* record) {
    std::uint64_t mine;
    {
      const std::lock_guard lock(mutex_);
      pending_.insert(pending_.end(), record, record + kRecordBytesOnDisk);
      mine = ++appended_;
    }
    for (;;) {
      const std::uint32_t round = round_.load(std::memory_order_acquire);
      if (durable_.load(std::memory_order_acquire) >= mine) return;
      if (leading_.exchange(true, std::memory_order_acquire)) {
        round_.wait(round, std::memory_order_acquire);
        continue;
      }
      if (durable_.load(std::memory_order_acquire) < mine) write_and_sync();
      leading_.store(false, std::memory_order_release);
      // After the store above: whoever found a leader has read the round before, and so does not sleep through this.
      round_.fetch_add(1, std::memory_order_release);
      round_.notify_all();
    }
  }

 private:
  void write_and_sync() {
    std::uint64_t last;
    {
      const std::lock_guard lock(mutex_);
      writing_.swap(pending_);
      pending_.clear();
      last = appended_;
    }
    if (offset_ + writing_.size() > kFileBytes) offset_ = 0;
    write_all(writing_.data(), writing_.size(), offset_);
    offset_ += writing_.size();
    if (::fdatasync(fd_) != 0) fail("raw log: fdatasync failed");
    durable_.store(last, std::memory_order_release);
  }

  void write_all(const char* data, std::size_t bytes, std::uint64_t at) {
    if (::pwrite(fd_, data, bytes, static_cast<off_t>(at)) != static_cast<ssize_t>(bytes)) fail("raw log: short write");
  }

  int fd_ = -1;
  std::mutex mutex_;
  std::vector<char> pending_;
  std::uint64_t appended_ = 0;
  std::atomic<bool> leading_{false};
  std::vector<char> writing_;  // the leader's
  std::uint64_t offset_ = 0;   // the leader's
  std::atomic<std::uint64_t> durable_{0};
  std::atomic<std::uint32_t> round_{0};
};

class RawSession final : public Session {
 public:
  explicit RawSession(RawLog& log) : log_(log) {}
  void put(std::string_view key, std::string_view value) override {
    std::memcpy(record_, key.data(), key.size());
    std::memcpy(record_ + key.size(), value.data(), value.size());
    log_.append(record_);
  }
  void batch_put(std::string_view, std::string_view) override { fail("raw log: serves synced puts only"); }
  void batch_commit() override { fail("raw log: serves synced puts only"); }
  bool get(std::string_view, std::string_view&) override { fail("raw log: serves synced puts only"); }
  void multi_get(std::span<const std::string_view>, std::span<std::string_view>) override {
    fail("raw log: serves synced puts only");
  }
  ScanSum scan(std::string_view, std::uint64_t, Direction) override { fail("raw log: serves synced puts only"); }

 private:
  RawLog& log_;
  char record_[kRecordBytesOnDisk] = {};
};

std::unique_ptr<Session> RawLog::session() { return std::make_unique<RawSession>(*this); }

}  // namespace

Engine raw_log_engine() {
  return {"fdatasync", "-", Serves::kSyncedPuts, [](const StoreOptions& options) -> std::unique_ptr<Store> {
            return std::make_unique<RawLog>(options.path + "/log");
          }};
}

}  // namespace lightning::bench
