// Compression of one block: LZ4 and zstd, as far as the build has them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "lightning/config.h"
#include "lightning/result.h"

namespace lightning::sstable {

std::string_view name_of(Compression compression);

// Compresses blocks one after another with working memory of its own. Threads: one at a time.
class Compressor {
 public:
  explicit Compressor(Compression compression);
  ~Compressor();
  // Errors: kNotSupported if the build lacks the algorithm.
  Status ready() const;
  // The compressed bytes, good until the next call, or `raw` itself where compression is off or does not save an
  // eighth.
  std::string_view compress(std::string_view raw);
  // How the bytes that compress() returned last are to be read.
  Compression used() const { return used_; }

 private:
  struct Zstd;
  const Compression compression_;
  Compression used_ = Compression::kNone;
  std::unique_ptr<char[]> lz4_state_;
  std::unique_ptr<Zstd> zstd_;
  std::unique_ptr<char[]> output_;
  std::size_t output_bytes_ = 0;
};

// Whether `stored_bytes` can be the compressed form of `raw_bytes` at all: asked before memory is taken for them.
bool plausible_sizes(Compression compression, std::uint64_t stored_bytes, std::uint64_t raw_bytes);

// Fills all of `raw` from `stored`, which must give exactly that many bytes. Total over hostile input. Threads: any.
// Errors: kTableCorrupt, kNotSupported, kOutOfMemory.
Status decompress(Compression compression, std::string_view stored, std::span<char> raw);

}  // namespace lightning::sstable
