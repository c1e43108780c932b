// Streams of records in the formats that import and export speak. Memory: one record, or one chunk of a dump.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cli/input.h"
#include "cli/output.h"
#include "lightning/result.h"
#include "lightning/write_options.h"

namespace lightning::cli {

enum class Format : std::uint8_t { kJsonl, kCsv, kTsv, kDump };

// "jsonl", "csv", "tsv", "dump"; kInvalidArgument lists them.
Result<Format> format_named(std::string_view name);
// From the extension: .jsonl .ndjson .json, .csv, .tsv .tab, .dump .ldb .db. kInvalidArgument if it is another.
Result<Format> format_of_path(const std::string& path);

inline constexpr std::int64_t kLatestMs = 253'402'300'799'999;  // the end of the year 9999

struct Record {
  std::string keyspace;  // empty: the record names none
  std::string key, value;
  Lifetime lifetime;  // as the record says; nothing: as the keyspace does
};

struct FormatOptions {
  std::string key_column = "key", value_column = "value";  // CSV and TSV
  bool base64_columns = true;  // written CSV and TSV also have <key>_base64 and <value>_base64 for what is not UTF-8
};

// Threads: one at a time.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // False at the end. kInputMalformed names line or offset; if can_resume() the next call goes on behind what is
  // broken.
  virtual Result<bool> next(Record& record) = 0;
  virtual bool can_resume() const { return true; }
  // "line 12" or "offset 4096": where the last record began.
  virtual std::string place() const = 0;
};
Result<std::unique_ptr<RecordReader>> make_reader(Format format, Input& input, const FormatOptions& options);

// Threads: one at a time.
class RecordWriter {
 public:
  virtual ~RecordWriter() = default;
  // Announces the keyspace of the records that follow. Formats without keyspaces ignore it.
  virtual Status begin_keyspace(std::string_view name) = 0;
  virtual Status write(std::string_view key, std::string_view value,
                       std::optional<std::chrono::milliseconds> expires_at) = 0;
  virtual Status finish() = 0;
  // Records whose moment was left out, since the format has no place for it.
  virtual std::uint64_t lifetimes_lost() const { return 0; }
};
std::unique_ptr<RecordWriter> make_writer(Format format, Output& output, const FormatOptions& options);

// One line of JSONL without its line end: {"keyspace":...,"key":...,"value":...,"expires_at":...}; the default keyspace
// is not named, nor a moment that does not come.
void append_jsonl(std::string& out, std::string_view keyspace, std::string_view key, std::string_view value,
                  std::optional<std::chrono::milliseconds> expires_at = {});

// The formats, each in its own file.
std::unique_ptr<RecordReader> make_jsonl_reader(Input& input);
std::unique_ptr<RecordWriter> make_jsonl_writer(Output& output);
std::unique_ptr<RecordReader> make_csv_reader(Input& input, char separator, const FormatOptions& options);
std::unique_ptr<RecordWriter> make_csv_writer(Output& output, char separator, const FormatOptions& options);
std::unique_ptr<RecordReader> make_dump_reader(Input& input);
std::unique_ptr<RecordWriter> make_dump_writer(Output& output);

// The first bytes of every dump (docs/format/dump.md).
inline constexpr std::string_view kDumpMagic = "LDBDUMP\n";

// A line or quoted record that is longer than this is malformed, whatever it holds: larger than any that export writes.
inline constexpr std::size_t kTextRecordBytesMax = 1024ull << 20;

}  // namespace lightning::cli
