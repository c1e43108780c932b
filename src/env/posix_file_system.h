// PosixFileSystem: the operating system's files. Files are made with mode 0600, directories with 0700.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "env/file_system.h"
#include "env/read_rings.h"

namespace lightning::env {

class PosixFileSystem final : public FileSystem {
 public:
  PosixFileSystem();

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

 private:
  ReadRings rings_;
};

}  // namespace lightning::env
