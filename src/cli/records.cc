#include "cli/records.h"

#include <array>
#include <utility>

#include "cli/bytes_text.h"
#include "lightning/types.h"

namespace lightning::cli {

namespace {

constexpr std::array<std::pair<std::string_view, Format>, 4> kNames{
    {{"jsonl", Format::kJsonl}, {"csv", Format::kCsv}, {"tsv", Format::kTsv}, {"dump", Format::kDump}}};
constexpr std::array<std::pair<std::string_view, Format>, 9> kExtensions{{{".jsonl", Format::kJsonl},
                                                                          {".ndjson", Format::kJsonl},
                                                                          {".json", Format::kJsonl},
                                                                          {".csv", Format::kCsv},
                                                                          {".tsv", Format::kTsv},
                                                                          {".tab", Format::kTsv},
                                                                          {".dump", Format::kDump},
                                                                          {".ldb", Format::kDump},
                                                                          {".db", Format::kDump}}};

}  // namespace

Result<Format> format_named(std::string_view name) {
  for (const auto& [known, format] : kNames)
    if (known == name) return format;
  return Error(ErrorCode::kInvalidArgument, "unknown format " + std::string(name))
      .with_advice("choose jsonl, csv, tsv or dump");
}

Result<Format> format_of_path(const std::string& path) {
  for (const auto& [extension, format] : kExtensions)
    if (path.ends_with(extension)) return format;
  return Error(ErrorCode::kInvalidArgument, "the name " + path + " does not say which format it has")
      .with_advice("add --format jsonl, csv, tsv or dump");
}

Result<std::unique_ptr<RecordReader>> make_reader(Format format, Input& input, const FormatOptions& options) {
  switch (format) {
    case Format::kJsonl:
      return make_jsonl_reader(input);
    case Format::kCsv:
      return make_csv_reader(input, ',', options);
    case Format::kTsv:
      return make_csv_reader(input, '\t', options);
    case Format::kDump:
      return make_dump_reader(input);
  }
  return Error(ErrorCode::kInternal, "unknown format");
}

std::unique_ptr<RecordWriter> make_writer(Format format, Output& output, const FormatOptions& options) {
  switch (format) {
    case Format::kJsonl:
      return make_jsonl_writer(output);
    case Format::kCsv:
      return make_csv_writer(output, ',', options);
    case Format::kTsv:
      return make_csv_writer(output, '\t', options);
    case Format::kDump:
      return make_dump_writer(output);
  }
  return nullptr;
}

void append_jsonl(std::string& out, std::string_view keyspace, std::string_view key, std::string_view value,
                  std::optional<std::chrono::milliseconds> expires_at) {
  out += '{';
  if (!keyspace.empty() && keyspace != kDefaultKeyspaceName) append_json_bytes(out, "keyspace", keyspace);
  append_json_bytes(out, "key", key);
  append_json_bytes(out, "value", value);
  if (expires_at) out += ",\"expires_at\":" + std::to_string(expires_at->count());
  out += '}';
}

}  // namespace lightning::cli
