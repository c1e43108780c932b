// PosixLogFile: a log segment as a shared mapping of a file.
//
// A store into the mapping is a store into the page cache: it survives the death of the process and costs no system
// call. Blocks are allocated and written once with zeros when the segment is made, so no store can run out of space
// (which would raise SIGBUS) and no sync has metadata to write.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "env/file_system.h"
#include "env/posix_descriptor.h"

namespace lightning::env {

class PosixLogFile final : public LogFile {
 public:
  static Result<std::unique_ptr<LogFile>> create(const std::string& path, std::uint64_t size);
  static Result<std::unique_ptr<LogFile>> reuse(const std::string& path);

  // Takes over `mapping`. For create(), reuse() and tests.
  PosixLogFile(Descriptor file, std::string path, char* mapping, std::uint64_t size);
  ~PosixLogFile() override;

  Status sync(std::uint64_t offset, std::uint64_t bytes) override;
  void release_pages() override;

 private:
  static Result<std::unique_ptr<LogFile>> map(Descriptor file, const std::string& path, std::uint64_t size);

  const Descriptor file_;
  const std::string path_;
  std::atomic<int> poison_{0};  // errno of the first failed sync
};

}  // namespace lightning::env
