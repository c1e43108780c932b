// CSV and TSV: RFC 4180 with a header line. Fields that begin with a quote may hold separators, line ends and doubled
// quotes; lines may end in LF or CRLF; a quote inside a bare field is an ordinary character.
//
// Bytes that are not UTF-8 stand in a column <name>_base64; the plain column is empty then.
#include <algorithm>
#include <optional>
#include <vector>

#include "api/near_miss.h"
#include "cli/bytes_text.h"
#include "cli/records.h"

namespace lightning::cli {

namespace {

class CsvReader final : public RecordReader {
 public:
  CsvReader(Input& input, char separator, const FormatOptions& options)
      : input_(input), separator_(separator), options_(options) {}

  Result<bool> next(Record& record) override {
    if (!header_read_) {
      LIGHTNING_ASSIGN(const bool any, read_row());
      if (!any) return false;
      LIGHTNING_TRY(read_header());
      header_read_ = true;
    }
    LIGHTNING_ASSIGN(const bool more, read_row());
    if (!more) return false;
    if (fields_ != columns_)
      return malformed(std::to_string(fields_) + " fields where the header has " + std::to_string(columns_));
    record.keyspace.clear();
    LIGHTNING_TRY(take(key_, options_.key_column, record.key));
    LIGHTNING_TRY(take(value_, options_.value_column, record.value));
    return true;
  }
  // Without its columns nothing in the file means anything.
  bool can_resume() const override { return header_read_; }
  std::string place() const override { return "line " + std::to_string(row_line_); }

 private:
  static constexpr std::size_t kFieldsMax = 4096;  // what more there is would be kept, 32 bytes for each separator
  struct Column {
    std::optional<std::size_t> text, base64;
  };

  Error malformed(const std::string& what) const {
    return Error(ErrorCode::kInputMalformed, place() + ": " + what).at_file(input_.name());
  }

  // Fields beyond the limit are counted, and their bytes go where the last one's did.
  std::string& next_field() {
    if (fields_ == row_.size() && fields_ < kFieldsMax) row_.emplace_back();
    std::string& field = row_[std::min(fields_++, kFieldsMax - 1)];
    field.clear();
    return field;
  }

  // The next row that is not blank, into row_[0, fields_). A malformed row is read to its end first.
  Result<bool> read_row() {
    for (;;) {
      fields_ = 0;
      row_bytes_ = 0;
      row_line_ = line_number_ + 1;
      LIGHTNING_ASSIGN(std::string_view bytes, input_.peek(3));
      if (bytes.empty()) return false;
      if (input_.offset() == 0 && bytes.starts_with("\xef\xbb\xbf")) input_.consume(3);  // byte order mark
      std::string problem;
      bool row_ends = false;
      while (!row_ends) LIGHTNING_TRY(read_field(next_field(), problem, row_ends));
      if (fields_ > kFieldsMax) return malformed("more than " + std::to_string(kFieldsMax) + " fields");
      if (!problem.empty()) return malformed(problem);
      if (fields_ > 1 || !row_[0].empty()) return true;
    }
  }

  Status read_field(std::string& field, std::string& problem, bool& row_ends) {
    LIGHTNING_ASSIGN(const std::string_view start, input_.peek());
    const bool is_quoted = start.starts_with('"');
    if (is_quoted) {
      input_.consume(1);
      LIGHTNING_TRY(read_quoted(field, problem));
    }
    const std::size_t quoted_bytes = field.size();
    LIGHTNING_TRY(read_bare(field, row_ends));
    // Of CRLF; a carriage return inside quotes is data.
    if (row_ends && field.size() > quoted_bytes && field.back() == '\r') field.pop_back();
    if (is_quoted && field.size() != quoted_bytes && problem.empty()) problem = "something follows a closing quote";
    if (row_bytes_ > kTextRecordBytesMax && problem.empty())
      problem = "longer than " + human_bytes(kTextRecordBytesMax);
    return {};
  }

  void append(std::string& field, std::string_view bytes) {
    row_bytes_ += bytes.size();
    if (row_bytes_ <= kTextRecordBytesMax) field.append(bytes);
  }

  // From behind the opening quote to behind the closing one.
  Status read_quoted(std::string& field, std::string& problem) {
    for (;;) {
      LIGHTNING_ASSIGN(const std::string_view bytes, input_.peek(2));
      if (bytes.empty()) {
        problem = "a quoted field is not closed before the end of the input";
        return {};
      }
      const std::size_t quote = bytes.find('"');
      const std::string_view plain = bytes.substr(0, quote);
      line_number_ += static_cast<std::uint64_t>(std::ranges::count(plain, '\n'));
      append(field, plain);
      if (quote == std::string_view::npos) {
        input_.consume(plain.size());
        continue;
      }
      if (quote + 1 == bytes.size() && quote > 0) {  // is the quote doubled? look again with it in front
        input_.consume(quote);
        continue;
      }
      const bool doubled = quote + 1 < bytes.size() && bytes[quote + 1] == '"';
      input_.consume(quote + (doubled ? 2 : 1));
      if (!doubled) return {};
      append(field, "\"");
    }
  }

  // Up to and over the next separator or line end.
  Status read_bare(std::string& field, bool& row_ends) {
    const char stops[] = {separator_, '\n'};
    for (;;) {
      LIGHTNING_ASSIGN(const std::string_view bytes, input_.peek());
      const std::size_t stop = bytes.find_first_of(std::string_view(stops, 2));
      append(field, bytes.substr(0, stop));
      if (bytes.empty() || stop != std::string_view::npos) {
        row_ends = bytes.empty() || bytes[stop] == '\n';
        if (!bytes.empty()) input_.consume(stop + 1);
        if (row_ends) ++line_number_;
        return {};
      }
      input_.consume(bytes.size());
    }
  }

  Status read_header() {
    columns_ = fields_;
    LIGHTNING_TRY(find_column(options_.key_column, key_));
    return find_column(options_.value_column, value_);
  }

  Status find_column(const std::string& name, Column& column) {
    const std::vector<std::string> names(row_.begin(), row_.begin() + static_cast<std::ptrdiff_t>(fields_));
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == name) column.text = i;
      if (names[i] == name + "_base64") column.base64 = i;
    }
    if (column.text || column.base64) return {};
    const std::string close = api::near_miss(name, names);
    return malformed("the header has no column \"" + name + "\"")
        .with_advice(close.empty() ? "name the columns with --key-column and --value-column"
                                   : "did you mean \"" + close + "\"?");
  }

  Status take(const Column& column, const std::string& name, std::string& into) {
    if (column.base64 && !row_[*column.base64].empty()) {
      if (column.text && !row_[*column.text].empty()) return malformed("both " + name + " and " + name + "_base64");
      auto bytes = from_base64(row_[*column.base64]);
      if (!bytes) return malformed(name + "_base64 is " + bytes.error().message());
      into = std::move(*bytes);
      return {};
    }
    if (!column.text) {
      into.clear();
      return {};
    }
    if (!is_utf8(row_[*column.text]))
      return malformed(name + " is not UTF-8; give such bytes in a column " + name + "_base64");
    std::swap(into, row_[*column.text]);
    return {};
  }

  Input& input_;
  const char separator_;
  const FormatOptions options_;
  std::vector<std::string> row_;  // fields of the current row; strings are reused
  std::size_t fields_ = 0, columns_ = 0, row_bytes_ = 0;
  std::uint64_t line_number_ = 0, row_line_ = 0;
  bool header_read_ = false;
  Column key_, value_;
};

class CsvWriter final : public RecordWriter {
 public:
  CsvWriter(Output& output, char separator, const FormatOptions& options)
      : output_(output), separator_(separator), options_(options) {}

  Status begin_keyspace(std::string_view) override { return write_header(); }

  Status write(std::string_view key, std::string_view value,
               std::optional<std::chrono::milliseconds> expires_at) override {
    lifetimes_lost_ += expires_at ? 1 : 0;
    LIGHTNING_TRY(write_header());
    const bool key_fits = fits_text(key), value_fits = fits_text(value);
    if (!options_.base64_columns && !(key_fits && value_fits))
      return Error(ErrorCode::kInvalidArgument, "key or value is not UTF-8")
          .in_key_range(escaped(key.substr(0, 64)))
          .with_advice("export without --text-columns, or as jsonl or dump");
    row_.clear();
    append_field(key_fits ? key : "", true);
    append_field(value_fits ? value : "");
    if (options_.base64_columns) {
      append_field(key_fits ? "" : to_base64(key));
      append_field(value_fits ? "" : to_base64(value));
    }
    row_ += '\n';
    return output_.write(row_);
  }

  Status finish() override { return write_header(); }

  std::uint64_t lifetimes_lost() const override { return lifetimes_lost_; }

 private:
  Status write_header() {
    if (header_written_) return {};
    header_written_ = true;
    append_field(options_.key_column, true);
    append_field(options_.value_column);
    if (options_.base64_columns) append_field(options_.key_column + "_base64");
    if (options_.base64_columns) append_field(options_.value_column + "_base64");
    row_ += '\n';
    return output_.write(row_);
  }

  void append_field(std::string_view field, bool first = false) {
    if (!first) row_ += separator_;
    const char special[] = {separator_, '"', '\n', '\r'};
    if (field.find_first_of(std::string_view(special, sizeof special)) == std::string_view::npos) {
      row_ += field;
      return;
    }
    row_ += '"';
    for (char c : field) {
      if (c == '"') row_ += '"';
      row_ += c;
    }
    row_ += '"';
  }

  Output& output_;
  const char separator_;
  const FormatOptions options_;
  std::string row_;
  std::uint64_t lifetimes_lost_ = 0;
  bool header_written_ = false;
};

}  // namespace

std::unique_ptr<RecordReader> make_csv_reader(Input& input, char separator, const FormatOptions& options) {
  return std::make_unique<CsvReader>(input, separator, options);
}
std::unique_ptr<RecordWriter> make_csv_writer(Output& output, char separator, const FormatOptions& options) {
  return std::make_unique<CsvWriter>(output, separator, options);
}

}  // namespace lightning::cli
