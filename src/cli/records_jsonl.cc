// JSONL: one object per line, {"key": ..., "value": ...}, with key_base64 and value_base64 for bytes that are not UTF-8
// and optionally "keyspace" and "expires_at", in ms since 1970 (null: never). https://jsonlines.org, RFC 8259.
#include <boost/json.hpp>

#include "cli/bytes_text.h"
#include "cli/records.h"

namespace lightning::cli {

namespace {

namespace json = boost::json;

class JsonlReader final : public RecordReader {
 public:
  explicit JsonlReader(Input& input) : input_(input) {}

  Result<bool> next(Record& record) override {
    for (;;) {
      LIGHTNING_ASSIGN(const bool more, read_line());
      if (!more) return false;
      if (line_.find_first_not_of(" \t\r") == std::string::npos) continue;  // a blank line separates nothing
      if (auto parsed = parse(record); !parsed) return std::move(parsed).error();
      return true;
    }
  }
  std::string place() const override { return "line " + std::to_string(line_number_); }

 private:
  Error malformed(const std::string& what) const {
    return Error(ErrorCode::kInputMalformed, place() + ": " + what).at_file(input_.name());
  }

  // Takes the next line, without its end, into line_. Over-long lines are passed over, so that reading can go on.
  Result<bool> read_line() {
    line_.clear();
    bool any = false, too_long = false;
    for (;;) {
      LIGHTNING_ASSIGN(const std::string_view bytes, input_.peek());
      if (bytes.empty()) break;
      if (!any) ++line_number_;
      any = true;
      const std::size_t end = bytes.find('\n');
      const std::size_t taken = std::min(end, bytes.size());
      too_long |= line_.size() + taken > kTextRecordBytesMax;
      if (!too_long) line_.append(bytes, 0, taken);
      input_.consume(end == std::string_view::npos ? taken : taken + 1);
      if (end != std::string_view::npos) break;
    }
    if (too_long) return malformed("longer than " + human_bytes(kTextRecordBytesMax));
    if (line_number_ == 1 && line_.starts_with("\xef\xbb\xbf")) line_.erase(0, 3);  // byte order mark
    return any;
  }

  Status parse(Record& record) {
    parser_.reset();
    json::error_code error;
    const std::size_t read = parser_.write_some(line_, error);
    if (error) return malformed("not JSON at column " + std::to_string(read + 1) + " (" + error.message() + ")");
    if (line_.find_first_not_of(" \t\r", read) != std::string::npos)
      return malformed("something follows the object at column " + std::to_string(read + 1));
    const json::value value = parser_.release();
    if (!value.is_object()) return malformed("not an object {\"key\": ..., \"value\": ...}");
    return take_fields(value.get_object(), record);
  }

  Status take_fields(const json::object& object, Record& record) {
    record.keyspace.clear();
    for (const auto& field : object) {
      const std::string_view name = field.key();
      if (name != "key" && name != "key_base64" && name != "value" && name != "value_base64" && name != "keyspace" &&
          name != "expires_at")
        return malformed("unknown field \"" + escaped(name.substr(0, 60)) +
                         "\"; there are key, value, key_base64, value_base64, keyspace, expires_at");
    }
    if (const json::value* keyspace = object.if_contains("keyspace")) {
      if (!keyspace->is_string() || keyspace->get_string().empty()) return malformed("\"keyspace\" is not a name");
      record.keyspace = std::string_view(keyspace->get_string());
    }
    record.lifetime = {};
    if (const json::value* expires_at = object.if_contains("expires_at")) {
      const std::int64_t* ms = expires_at->if_int64();
      if (ms == nullptr && !expires_at->is_null()) return malformed("\"expires_at\" is not ms since 1970, nor null");
      if (ms != nullptr && (*ms < 0 || *ms > kLatestMs)) return malformed("\"expires_at\" is not within 1970 .. 9999");
      record.lifetime.expires_at = ms == nullptr ? kNeverExpires : std::chrono::milliseconds(*ms);
    }
    LIGHTNING_TRY(take_bytes(object, "key", "key_base64", record.key));
    return take_bytes(object, "value", "value_base64", record.value);
  }

  Status take_bytes(const json::object& object, const char* name, const char* base64_name, std::string& into) const {
    const json::value* text = object.if_contains(name);
    const json::value* base64 = object.if_contains(base64_name);
    if ((text == nullptr) == (base64 == nullptr))
      return malformed(std::string(text == nullptr ? "neither" : "both") + " \"" + name + "\" and \"" + base64_name +
                       "\"");
    const json::value& value = text != nullptr ? *text : *base64;
    if (!value.is_string())
      return malformed(std::string("\"") + (text != nullptr ? name : base64_name) + "\" is not a string");
    if (text != nullptr) {
      into.assign(value.get_string().data(), value.get_string().size());
      return {};
    }
    auto bytes = from_base64(std::string_view(value.get_string()));
    if (!bytes) return malformed(std::string(base64_name) + " is " + bytes.error().message());
    into = std::move(*bytes);
    return {};
  }

  Input& input_;
  std::string line_;
  std::uint64_t line_number_ = 0;
  json::parser parser_;
};

class JsonlWriter final : public RecordWriter {
 public:
  explicit JsonlWriter(Output& output) : output_(output) {}
  Status begin_keyspace(std::string_view name) override {
    keyspace_ = name;
    return {};
  }
  Status write(std::string_view key, std::string_view value,
               std::optional<std::chrono::milliseconds> expires_at) override {
    line_.clear();
    append_jsonl(line_, keyspace_, key, value, expires_at);
    line_ += '\n';
    return output_.write(line_);
  }
  Status finish() override { return {}; }

 private:
  Output& output_;
  std::string keyspace_, line_;
};

}  // namespace

std::unique_ptr<RecordReader> make_jsonl_reader(Input& input) { return std::make_unique<JsonlReader>(input); }
std::unique_ptr<RecordWriter> make_jsonl_writer(Output& output) { return std::make_unique<JsonlWriter>(output); }

}  // namespace lightning::cli
