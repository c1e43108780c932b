#include "sstable/codec.h"

#include <array>
#include <atomic>
#include <string>

#include "base/sync.h"
#include "sstable/layout.h"

#if LIGHTNING_WITH_LZ4
#include <lz4.h>
#endif
#if LIGHTNING_WITH_ZSTD
#include <zstd.h>
#endif

namespace lightning::sstable {

namespace {

constexpr int kZstdLevel = 3;
constexpr int kLz4Acceleration = 1;

Error not_built(Compression compression) {
  const std::string name(name_of(compression));
  return Error(ErrorCode::kNotSupported, "this build has no " + name + " compression")
      .with_advice("build with LIGHTNING_WITH_" + std::string(compression == Compression::kLz4 ? "LZ4" : "ZSTD") +
                   "=ON");
}

#if LIGHTNING_WITH_ZSTD
// Decompression contexts are 150 KiB each: a few are kept, and taken and put back without a lock.
class DecompressionContexts {
 public:
  ~DecompressionContexts() {
    for (auto& kept : kept_) ZSTD_freeDCtx(kept.load());
  }
  ZSTD_DCtx* take() {
    ZSTD_DCtx* context = place().exchange(nullptr, std::memory_order_acquire);
    return context != nullptr ? context : ZSTD_createDCtx();
  }
  void put_back(ZSTD_DCtx* context) { ZSTD_freeDCtx(place().exchange(context, std::memory_order_acq_rel)); }

 private:
  std::atomic<ZSTD_DCtx*>& place() { return kept_[base::thread_slot() % kept_.size()]; }
  std::array<std::atomic<ZSTD_DCtx*>, 16> kept_{};
};
DecompressionContexts& contexts() {
  static DecompressionContexts all;
  return all;
}
#endif

}  // namespace

std::string_view name_of(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "none";
    case Compression::kLz4:
      return "lz4";
    case Compression::kZstd:
      return "zstd";
  }
  return "unknown";
}

struct Compressor::Zstd {
#if LIGHTNING_WITH_ZSTD
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ~Zstd() { ZSTD_freeCCtx(context); }
#endif
};

Compressor::Compressor(Compression compression) : compression_(compression) {
#if LIGHTNING_WITH_LZ4
  if (compression == Compression::kLz4)
    lz4_state_ = std::make_unique_for_overwrite<char[]>(static_cast<std::size_t>(LZ4_sizeofState()));
#endif
#if LIGHTNING_WITH_ZSTD
  if (compression == Compression::kZstd) zstd_ = std::make_unique<Zstd>();
#endif
}

Compressor::~Compressor() = default;

Status Compressor::ready() const {
  switch (compression_) {
    case Compression::kNone:
      return {};
    case Compression::kLz4:
      if (lz4_state_ == nullptr) return not_built(compression_);
      return {};
    case Compression::kZstd:
      if (zstd_ == nullptr) return not_built(compression_);
#if LIGHTNING_WITH_ZSTD
      if (zstd_->context == nullptr) return Error(ErrorCode::kOutOfMemory, "no memory for a zstd context");
#endif
      return {};
  }
  return Error(ErrorCode::kInvalidArgument, "unknown compression");
}

std::string_view Compressor::compress(std::string_view raw) {
  used_ = Compression::kNone;
  if (compression_ == Compression::kNone) return raw;
  // Giving the codecs just the room that would still pay lets them stop early on what does not compress.
  const std::size_t room = raw.size() - raw.size() / 8;
  if (output_bytes_ < room) {
    output_ = std::make_unique_for_overwrite<char[]>(room);
    output_bytes_ = room;
  }
  std::size_t compressed = 0;
#if LIGHTNING_WITH_LZ4
  if (compression_ == Compression::kLz4 && raw.size() <= LZ4_MAX_INPUT_SIZE) {
    const int n = LZ4_compress_fast_extState(lz4_state_.get(), raw.data(), output_.get(), static_cast<int>(raw.size()),
                                             static_cast<int>(room), kLz4Acceleration);
    compressed = n > 0 ? static_cast<std::size_t>(n) : 0;
  }
#endif
#if LIGHTNING_WITH_ZSTD
  if (compression_ == Compression::kZstd) {
    const std::size_t n = ZSTD_compressCCtx(zstd_->context, output_.get(), room, raw.data(), raw.size(), kZstdLevel);
    compressed = ZSTD_isError(n) ? 0 : n;
  }
#endif
  if (compressed == 0) return raw;
  used_ = compression_;
  return {output_.get(), compressed};
}

bool plausible_sizes(Compression compression, std::uint64_t stored_bytes, std::uint64_t raw_bytes) {
  if (raw_bytes > kBlockRawBytesMax || stored_bytes > raw_bytes || stored_bytes == 0) return false;
  switch (compression) {
    case Compression::kNone:
      return stored_bytes == raw_bytes;
    case Compression::kLz4:
      return raw_bytes / 255 <= stored_bytes;  // one byte of input is at most 255 of output
    case Compression::kZstd:
      return raw_bytes / 32768 <= stored_bytes;  // a block of at most 128 KiB takes 4 bytes; the frame is asked below
  }
  return false;
}

Status decompress(Compression compression, std::string_view stored, std::span<char> raw) {
  switch (compression) {
    case Compression::kNone:
      if (stored.size() != raw.size()) break;
      __builtin_memcpy(raw.data(), stored.data(), raw.size());
      return {};
    case Compression::kLz4: {
#if LIGHTNING_WITH_LZ4
      if (stored.size() > LZ4_MAX_INPUT_SIZE || raw.size() > LZ4_MAX_INPUT_SIZE) break;
      const int n =
          LZ4_decompress_safe(stored.data(), raw.data(), static_cast<int>(stored.size()), static_cast<int>(raw.size()));
      if (n < 0 || static_cast<std::size_t>(n) != raw.size()) break;
      return {};
#else
      return not_built(compression);
#endif
    }
    case Compression::kZstd: {
#if LIGHTNING_WITH_ZSTD
      if (ZSTD_getFrameContentSize(stored.data(), stored.size()) != raw.size()) break;
      ZSTD_DCtx* context = contexts().take();
      if (context == nullptr) return Error(ErrorCode::kOutOfMemory, "no memory for a zstd context");
      const std::size_t n = ZSTD_decompressDCtx(context, raw.data(), raw.size(), stored.data(), stored.size());
      contexts().put_back(context);
      if (ZSTD_isError(n) || n != raw.size()) break;
      return {};
#else
      return not_built(compression);
#endif
    }
  }
  return Error(ErrorCode::kTableCorrupt, "the block does not decompress to the size its index entry gives");
}

}  // namespace lightning::sstable
