// LargeValueReader: the values that references stand for, from blob files in whatever state they are.
//
// A reference holds all that is needed to find and verify a record in the file that it was first written to, be header,
// footer and index of the file damaged or not. Only a file of moved records is read through its index.
//
// Threads: one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/epoch.h"
#include "base/memory_budget.h"
#include "blob/blob_file.h"
#include "cache/block_cache.h"
#include "salvage/source.h"

namespace lightning::salvage {

class LargeValueReader {
 public:
  // `source` and `cache` outlive it.
  LargeValueReader(env::Env& env, const Source& source, cache::BlockCache& cache, base::MemoryBudget& budget);
  // The verified value. Errors: kBlobMissing, kBlobCorrupt, kIo, kOutOfMemory.
  Status read(std::string_view key, const blob::Reference& reference, std::string& value);

 private:
  Result<std::shared_ptr<blob::BlobFile>> file_of(format::FileNumber origin);
  void find_moved_records();

  static constexpr std::uint64_t kOpenFilesMax = 64;

  env::Env& env_;
  const Source& source_;
  cache::BlockCache& cache_;
  base::MemoryBudget& budget_;
  env::OpenFiles pool_;
  std::map<format::FileNumber, blob::FileMeta> metas_;                           // by origin
  std::map<format::FileNumber, Result<std::shared_ptr<blob::BlobFile>>> files_;  // by origin
};

}  // namespace lightning::salvage
