// The dump: our own portable format (docs/format/dump.md). Byte-exact, checked chunk by chunk and as a whole.
#include <utility>

#include "base/coding.h"
#include "base/hash.h"
#include "cli/bytes_text.h"
#include "cli/records.h"
#include "lightning/types.h"

namespace lightning::cli {

namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 16, kChunkHeaderBytes = 13;
constexpr std::size_t kChunkBytes = 1 << 20;  // a chunk is closed when it has reached this
constexpr std::uint64_t kPayloadBytesMax = kChunkBytes + kKeyBytesMax + kValueBytesMax + 3 * base::kVarint64BytesMax;
constexpr std::size_t kTrailerBytes = 3 * 8 + 32;

enum class ChunkType : std::uint8_t { kKeyspace = 1, kRecords = 2, kTrailer = 3, kExpiringRecords = 4 };

// Over type and length, then the payload; the seed tells where in the dump the chunk stands.
std::uint64_t check_of(std::string_view type_and_length, std::string_view payload, std::uint64_t chunk_number) {
  return base::hash64(payload, base::hash64(type_and_length, chunk_number));
}

struct Totals {
  std::uint64_t keyspaces = 0, records = 0, bytes = 0;
  bool operator==(const Totals&) const = default;
};

std::string encode(const Totals& totals, const base::Digest& digest) {
  std::string payload;
  base::append_le(payload, totals.keyspaces);
  base::append_le(payload, totals.records);
  base::append_le(payload, totals.bytes);
  payload += base::as_bytes(digest);
  return payload;
}

class DumpWriter final : public RecordWriter {
 public:
  explicit DumpWriter(Output& output) : output_(output) {}

  Status begin_keyspace(std::string_view name) override {
    LIGHTNING_TRY(write_records());
    ++totals_.keyspaces;
    expiring_ = false;
    return write_chunk(ChunkType::kKeyspace, name);
  }

  // From the first record that expires on, those of its keyspace say when.
  Status write(std::string_view key, std::string_view value,
               std::optional<std::chrono::milliseconds> expires_at) override {
    if (expires_at && !expiring_) {
      LIGHTNING_TRY(write_records());
      expiring_ = true;
    }
    base::append_varint(records_, key.size());
    base::append_varint(records_, value.size());
    if (expiring_) base::append_varint(records_, expires_at ? static_cast<std::uint64_t>(expires_at->count()) : 0);
    records_ += key;
    records_ += value;
    ++totals_.records;
    totals_.bytes += key.size() + value.size();
    return records_.size() < kChunkBytes ? Status{} : write_records();
  }

  Status finish() override {
    LIGHTNING_TRY(write_records());
    LIGHTNING_TRY(write_header());
    return write_chunk(ChunkType::kTrailer, encode(totals_, digest_.finish()));
  }

 private:
  Status write_records() {
    if (records_.empty()) return {};
    LIGHTNING_TRY(write_chunk(expiring_ ? ChunkType::kExpiringRecords : ChunkType::kRecords, records_));
    records_.clear();
    return {};
  }

  Status write_header() {
    if (header_written_) return {};
    header_written_ = true;
    std::string header(kDumpMagic);
    base::append_le(header, kVersion);
    base::append_le(header, std::uint32_t{0});
    return put(header);
  }

  Status write_chunk(ChunkType type, std::string_view payload) {
    LIGHTNING_TRY(write_header());
    std::string header(1, static_cast<char>(type));
    base::append_le(header, static_cast<std::uint32_t>(payload.size()));
    base::append_le(header, check_of(header, payload, chunk_number_++));
    LIGHTNING_TRY(put(header));
    return put(payload);
  }

  Status put(std::string_view bytes) {
    digest_.add(bytes);
    return output_.write(bytes);
  }

  Output& output_;
  base::DigestBuilder digest_;
  std::string records_;
  Totals totals_;
  std::uint64_t chunk_number_ = 0;
  bool header_written_ = false, expiring_ = false;
};

class DumpReader final : public RecordReader {
 public:
  explicit DumpReader(Input& input) : input_(input) {}

  Result<bool> next(Record& record) override {
    if (chunk_number_ == 0) LIGHTNING_TRY(read_header());
    while (rest_.empty()) {
      if (ended_) return false;
      LIGHTNING_TRY(read_chunk());
    }
    return take_record(record);
  }
  bool can_resume() const override { return false; }
  std::string place() const override { return "offset " + std::to_string(chunk_offset_); }

 private:
  Error damaged(const std::string& what) const {
    return Error(ErrorCode::kInputMalformed, "the dump is damaged: " + what)
        .at_file(input_.name(), chunk_offset_)
        .with_advice("take an undamaged copy of the dump; what stood before this offset was sound");
  }

  // Exactly `bytes` to the end of `into`; memory grows only with what is there.
  Status read_exactly(std::uint64_t bytes, std::string& into) {
    while (bytes > 0) {
      LIGHTNING_ASSIGN(const std::string_view some, input_.peek());
      if (some.empty()) return damaged("it ends in the middle, at offset " + std::to_string(input_.offset()));
      const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, some.size()));
      into.append(some, 0, taken);
      input_.consume(taken);
      bytes -= taken;
    }
    return {};
  }

  Status read_header() {
    std::string header;
    LIGHTNING_TRY(read_exactly(kHeaderBytes, header));
    if (!header.starts_with(kDumpMagic))
      return Error(ErrorCode::kInputMalformed, "this is not a dump")
          .at_file(input_.name(), 0)
          .with_advice("check --format");
    const auto version = base::load_le<std::uint32_t>(header.data() + 8),
               flags = base::load_le<std::uint32_t>(header.data() + 12);
    if (version != kVersion || flags != 0)
      return Error(ErrorCode::kFormatUnsupported, "the dump has version " + std::to_string(version) + " and flags " +
                                                      std::to_string(flags) +
                                                      "; this program reads version 1 without flags")
          .at_file(input_.name(), 8);
    digest_.add(header);
    return {};
  }

  Status read_chunk() {
    chunk_offset_ = input_.offset();
    std::string header;
    LIGHTNING_TRY(read_exactly(kChunkHeaderBytes, header));
    const auto type = static_cast<ChunkType>(header[0]);
    const auto length = base::load_le<std::uint32_t>(header.data() + 1);
    if (type < ChunkType::kKeyspace || type > ChunkType::kExpiringRecords) return damaged("unknown kind of chunk");
    if (length == 0 || length > kPayloadBytesMax)
      return damaged("a chunk cannot have " + std::to_string(length) + " bytes");
    payload_.clear();
    LIGHTNING_TRY(read_exactly(length, payload_));
    if (check_of(std::string_view(header).substr(0, 5), payload_, chunk_number_++) !=
        base::load_le<std::uint64_t>(header.data() + 5))
      return damaged("a chunk does not match its check value");
    if (type == ChunkType::kTrailer) return check_trailer();
    digest_.add(header);
    digest_.add(payload_);
    if (type == ChunkType::kKeyspace) return begin_keyspace();
    expiring_ = type == ChunkType::kExpiringRecords;
    return begin_records();
  }

  Status begin_keyspace() {
    if (payload_.size() > kKeyspaceNameBytesMax) return damaged("the name of a keyspace is too long");
    keyspace_ = payload_;
    last_key_.clear();
    ++totals_.keyspaces;
    return {};
  }

  // Parses the whole chunk once before any of it is given out.
  Status begin_records() {
    if (keyspace_.empty()) return damaged("records before the first keyspace");
    std::string_view bytes = payload_, key, value;
    std::uint64_t expires_ms = 0;
    while (!bytes.empty()) {
      if (!split(bytes, key, value, expires_ms)) return damaged("a record does not parse");
      if (key <= last_key_) return damaged("keys are out of order");
      last_key_ = key;
      ++totals_.records;
      totals_.bytes += key.size() + value.size();
    }
    rest_ = payload_;
    return {};
  }

  bool split(std::string_view& bytes, std::string_view& key, std::string_view& value, std::uint64_t& expires_ms) const {
    std::uint64_t key_bytes = 0, value_bytes = 0;
    return base::get_varint(bytes, key_bytes) && base::get_varint(bytes, value_bytes) &&
           (!expiring_ || (base::get_varint(bytes, expires_ms) && expires_ms <= std::uint64_t{kLatestMs})) &&
           key_bytes >= 1 && key_bytes <= kKeyBytesMax && value_bytes <= kValueBytesMax &&
           base::get_bytes(bytes, key_bytes, key) && base::get_bytes(bytes, value_bytes, value);
  }

  Status check_trailer() {
    if (payload_.size() != kTrailerBytes) return damaged("the trailer does not parse");
    if (payload_ != encode(totals_, digest_.finish())) return damaged("counts or digest of the trailer do not match");
    LIGHTNING_ASSIGN(const std::string_view more, input_.peek());
    if (!more.empty()) return damaged("something follows the trailer");
    ended_ = true;
    return {};
  }

  Result<bool> take_record(Record& record) {
    std::string_view key, value;
    std::uint64_t expires_ms = 0;
    if (!split(rest_, key, value, expires_ms)) return Error(ErrorCode::kInternal, "a checked record does not parse");
    record.keyspace = keyspace_;
    record.key = key;
    record.value = value;
    // As it was: where nothing is said, for ever, whatever the keyspace says.
    record.lifetime.expires_at =
        expires_ms == 0 ? kNeverExpires : std::chrono::milliseconds(static_cast<std::int64_t>(expires_ms));
    return true;
  }

  Input& input_;
  base::DigestBuilder digest_;
  std::string payload_, keyspace_, last_key_;
  std::string_view rest_;  // of payload_, not given out yet
  Totals totals_;
  std::uint64_t chunk_number_ = 0, chunk_offset_ = 0;
  bool ended_ = false, expiring_ = false;
};

}  // namespace

std::unique_ptr<RecordReader> make_dump_reader(Input& input) { return std::make_unique<DumpReader>(input); }
std::unique_ptr<RecordWriter> make_dump_writer(Output& output) { return std::make_unique<DumpWriter>(output); }

}  // namespace lightning::cli
