// A file system of strings, for tests that cut, flip and swap bytes of a table by the thousand.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "env/env.h"

namespace lightning::sstable {

class MemoryFiles final : public env::FileSystem {
 public:
  using Content = std::shared_ptr<std::string>;

  Content& operator[](const std::string& path) { return files_[path]; }

  // Reads are counted, and those of bytes [flip_at] give one wrong bit while flips_left is above 0.
  struct Log {
    std::atomic<std::uint64_t> reads = 0, read_many_calls = 0, prefetched_bytes = 0, prefetches = 0;
    std::atomic<std::uint64_t> flip_at = 0, flips_left = 0;
    bool fail_reads = false;
  };
  const std::shared_ptr<Log> log = std::make_shared<Log>();

  Result<std::unique_ptr<env::RandomAccessFile>> open_random_access(const std::string& path, env::FileClass) override;
  Result<std::unique_ptr<env::WritableFile>> create_writable(const std::string& path, env::FileClass) override;

  Result<std::unique_ptr<env::UpdatableFile>> open_updatable(const std::string&, env::FileClass,
                                                             std::uint64_t) override {
    return unused();
  }
  Result<std::unique_ptr<env::LogFile>> create_log(const std::string&, std::uint64_t) override { return unused(); }
  Result<std::unique_ptr<env::LogFile>> reuse_log(const std::string&) override { return unused(); }
  Result<std::string> read_file(const std::string&, std::uint64_t) override { return unused(); }
  Result<bool> exists(const std::string&) override { return unused(); }
  Result<env::FileInfo> info(const std::string&) override { return unused(); }
  Result<std::vector<std::string>> list(const std::string&) override { return unused(); }
  Status create_directories(const std::string&) override { return unused(); }
  Status rename(const std::string&, const std::string&) override { return unused(); }
  Status remove(const std::string&) override { return unused(); }
  Status link(const std::string&, const std::string&) override { return unused(); }
  Status sync_directory(const std::string&) override { return unused(); }
  Result<std::unique_ptr<env::FileLock>> lock(const std::string&, const std::string&) override { return unused(); }
  Result<bool> is_locked(const std::string&) override { return unused(); }
  Result<std::uint64_t> free_bytes(const std::string&) override { return unused(); }
  Status reserve_space(const std::string&, std::uint64_t) override { return unused(); }

 private:
  static Error unused() { return Error(ErrorCode::kNotSupported, "not part of this test"); }
  std::map<std::string, Content> files_;
};

}  // namespace lightning::sstable
