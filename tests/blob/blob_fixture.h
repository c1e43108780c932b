// A blob file in memory with everything a test needs around it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/epoch.h"
#include "blob/blob_file.h"
#include "sstable/memory_files.h"

namespace lightning::blob {

struct Blob {
  std::string key, value;
};

class TestBlobs {
 public:
  ~TestBlobs() {
    file.reset();
    epochs.collect();
  }
  static format::Uid uid_of(std::uint8_t n) {
    format::Uid id;
    id.bytes.fill(n);
    return id;
  }
  std::unique_ptr<BlobWriter> writer(const std::string& path, format::FileNumber number,
                                     const WriterOptions& options = {}) {
    auto created = env.files.create_writable(path, env::FileClass::kBlob);
    EXPECT_TRUE(created.has_value());
    return std::make_unique<BlobWriter>(std::move(*created), store_id, uid_of(static_cast<std::uint8_t>(number)),
                                        number, options);
  }
  // Writes `blobs` as file 7, named "b", and opens it.
  void write(const std::vector<Blob>& blobs, const WriterOptions& options = {}) {
    const auto to = writer("b", 7, options);
    references.clear();
    for (const Blob& blob : blobs) {
      const auto reference = to->add(blob.key, blob.value);
      ASSERT_TRUE(reference.has_value()) << reference.error().to_string();
      references.push_back(*reference);
    }
    const auto finished = to->finish();
    ASSERT_TRUE(finished.has_value()) << finished.error().to_string();
    meta = *finished;
    const Status opened = open("b", meta);
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
  }
  Status open(const std::string& path, const FileMeta& of) {
    file.reset();
    cache = std::make_unique<cache::BlockCache>(budget, epochs);
    LIGHTNING_ASSIGN(file, BlobFile::open(env, path, store_id, of, *cache, budget));
    return {};
  }
  Result<std::string> read(std::string_view key, const Reference& reference, bool fill = true) const {
    LIGHTNING_ASSIGN(cache::Block * block, file->read(key, reference, fill));
    std::string value(BlobFile::value_in(*block, key, reference));
    cache::BlockCache::release(block);
    return value;
  }
  std::vector<Error> check() const {
    std::vector<Error> findings;
    file->check(
        [&](const Error& error) {
          findings.push_back(error);
          return true;
        },
        {});
    return findings;
  }
  std::string& bytes() { return *files["b"]; }

  sstable::MemoryFiles files;
  env::Env env{files, env::Env::real().clock, env::Env::real().random};
  base::MemoryBudget budget{64 << 20};
  base::EpochDomain epochs;
  std::unique_ptr<cache::BlockCache> cache;
  format::Uid store_id = uid_of(1);
  FileMeta meta;
  std::vector<Reference> references;
  std::shared_ptr<BlobFile> file;
};

inline std::string noise(std::size_t bytes, std::uint64_t seed) {
  std::string value(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    value[i] = static_cast<char>(seed >> 56);
  }
  return value;
}

// Values of all kinds: short, long, compressible or not, at the edges of chunks.
inline std::vector<Blob> mixed_blobs() {
  return {{"a", "x"},
          {"b", noise(5000, 1)},
          {"c", std::string(5000, 'c')},
          {"d", noise(kChunkBytes, 2)},
          {"e", noise(kChunkBytes + 1, 3)},
          {"f", std::string(3 * kChunkBytes, 'f') + noise(100, 4)},
          {std::string(300, 'k'), noise(777, 5)},
          {"z", noise(kCachedRecordBytesMax + 12345, 6)}};
}

}  // namespace lightning::blob
