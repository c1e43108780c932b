// import: a stream of records into the database, in batches, with bounded memory.
#include <map>
#include <optional>

#include "cli/bytes_text.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/records.h"

namespace lightning::cli {

namespace {

constexpr std::size_t kBatchOperations = 1000, kBatchBytes = 1 << 20;
constexpr std::uint64_t kToldLinesMax = 20;  // of those that were passed over, one line each

struct ImportOptions {
  std::string input = "-", format, on_error = "stop", progress = "auto";
  FormatOptions columns;
};

// Collects records into batches and writes them. What written() counts has been acknowledged by the database.
class BatchImporter {
 public:
  BatchImporter(Database& db, Keyspace standard) : db_(db), standard_(std::move(standard)) {}

  Status add(const Record& record) {
    LIGHTNING_ASSIGN(const Keyspace* keyspace, keyspace_of(record.keyspace));
    batch_.put(*keyspace, record.key, record.value, record.lifetime);
    return batch_.len() >= kBatchOperations || batch_.bytes() >= kBatchBytes ? flush() : Status{};
  }

  Status flush() {
    if (batch_.empty()) return {};
    LIGHTNING_TRY(db_.write(batch_));
    written_ += batch_.len();
    batch_.clear();
    return {};
  }

  std::uint64_t written() const { return written_; }

 private:
  Result<const Keyspace*> keyspace_of(const std::string& name) {
    if (name.empty()) return &standard_;
    if (const auto found = keyspaces_.find(name); found != keyspaces_.end()) return &found->second;
    LIGHTNING_ASSIGN(Keyspace keyspace, db_.get_or_create_keyspace(name));
    return &keyspaces_.emplace(name, std::move(keyspace)).first->second;
  }

  Database& db_;
  Keyspace standard_;
  std::map<std::string, Keyspace> keyspaces_;
  WriteBatch batch_;
  std::uint64_t written_ = 0;
};

// What a batch would refuse as a whole is refused here, where the line is known.
Status check_record(const Record& record, const RecordReader& reader, const Input& input) {
  const auto malformed = [&](const std::string& what) {
    return Error(ErrorCode::kInputMalformed, reader.place() + ": " + what).at_file(input.name());
  };
  if (record.key.empty()) return malformed("the key is empty");
  if (record.key.size() > kKeyBytesMax) return malformed("the key is longer than " + human_bytes(kKeyBytesMax));
  if (record.value.size() > kValueBytesMax) return malformed("the value is longer than " + human_bytes(kValueBytesMax));
  if (record.keyspace.size() > kKeyspaceNameBytesMax) return malformed("the name of the keyspace is too long");
  return {};
}

Result<Format> choose_format(const ImportOptions& options, Input& input) {
  if (!options.format.empty()) return format_named(options.format);
  LIGHTNING_ASSIGN(const std::string_view start, input.peek(kDumpMagic.size()));
  if (start.starts_with(kDumpMagic)) return Format::kDump;
  return options.input == "-" ? Format::kJsonl : format_of_path(options.input);
}

class Import {
 public:
  Import(Context& context, const ImportOptions& options, ProgressMode mode)
      : context_(context), skip_(options.on_error == "skip"), progress_(mode, context.options.json, "imported") {}

  CommandResult run(Input& input, RecordReader& reader) {
    LIGHTNING_ASSIGN(Database db, context_.open_for_writing(Context::Writing::kManyOperations, true));
    LIGHTNING_ASSIGN(const Keyspace keyspace, context_.keyspace_to_write(db));
    BatchImporter importer(db, keyspace);
    const Status copied = copy(input, reader, importer);
    progress_.clear();
    if (!copied) {
      // What came before the bad place was sound: it stays, and is told.
      Status kept = importer.flush();
      if (kept) kept = db.close();
      return Error(kept ? copied.error() : kept.error())
          .while_doing("imported " + human_count(importer.written()) + " records, then");
    }
    LIGHTNING_TRY(db.close());  // durable in every mode
    LIGHTNING_TRY(summarize(input, importer.written()));
    return ExitCode::kOk;
  }

 private:
  Status copy(Input& input, RecordReader& reader, BatchImporter& importer) {
    Record record;
    for (;;) {
      auto more = reader.next(record);
      Status checked = more && *more ? check_record(record, reader, input) : Status{};
      if (more && !*more) return importer.flush();
      if (more && checked) {
        LIGHTNING_TRY(importer.add(record));
        progress_.report(importer.written(), input.offset(), input.total_bytes());
        continue;
      }
      Error error = more ? std::move(checked).error() : std::move(more).error();
      if (!skip_ || error.code() != ErrorCode::kInputMalformed || !reader.can_resume()) return error;
      tell_skipped(error);
    }
  }

  void tell_skipped(const Error& error) {
    if (++skipped_ > kToldLinesMax) return;
    progress_.clear();
    if (context_.options.json) {
      std::string line = "{\"event\":\"skipped\"";
      append_json_bytes(line, "message", error.message());
      say(line + "}");
    } else {
      say("skipped " + error.message());
    }
    if (skipped_ == kToldLinesMax) say("further records that are skipped are only counted");
  }

  Status summarize(const Input& input, std::uint64_t records) {
    const double seconds = progress_.seconds();
    char time[32];
    std::snprintf(time, sizeof time, "%.3f", seconds);
    if (context_.options.json)
      return context_.print("{\"records\":" + std::to_string(records) + ",\"skipped\":" + std::to_string(skipped_) +
                            ",\"bytes\":" + std::to_string(input.offset()) + ",\"seconds\":" + time + "}");
    say("imported " + human_count(records) + " records" + (skipped_ > 0 ? ", skipped " + human_count(skipped_) : "") +
        ", " + human_bytes(static_cast<double>(input.offset())) + " in " + time + " s");
    return {};
  }

  Context& context_;
  const bool skip_;
  Progress progress_;
  std::uint64_t skipped_ = 0;
};

CommandResult import(Context& context, const ImportOptions& options) {
  LIGHTNING_ASSIGN(const ProgressMode mode, progress_mode_named(options.progress));
  LIGHTNING_ASSIGN(const auto input, open_input(options.input));
  LIGHTNING_ASSIGN(const Format format, choose_format(options, *input));
  if (format == Format::kDump && !context.options.keyspace.empty())
    return context.usage_error("--keyspace does not go with a dump: it names its keyspaces itself");
  LIGHTNING_ASSIGN(const auto reader, make_reader(format, *input, options.columns));
  return Import(context, options, mode).run(*input, *reader);
}

}  // namespace

void add_import_command(CommandLine& line) {
  auto options = std::make_shared<ImportOptions>();
  Command command =
      line.add("import", "Stores the records of a file or of standard input.",
               "lightning_db import --path orders --input orders.jsonl\n"
               "lightning_db import --path people --input people.csv --key-column id --value-column name\n"
               "lightning_db export --path a --format dump | lightning_db import --path b");
  command.text("--input,input", options->input, "FILE", "file to read, - for standard input");
  command.text("--format", options->format, "FORMAT",
               "jsonl, csv, tsv or dump; else by extension, jsonl for standard input");
  command.choice("--on-error", options->on_error, {"stop", "skip"},
                 "at a malformed record: stop, or skip and report it");
  command.text("--key-column", options->columns.key_column, "NAME", "column of the key (csv, tsv)");
  command.text("--value-column", options->columns.value_column, "NAME", "column of the value (csv, tsv)");
  command.choice("--progress", options->progress, {"auto", "always", "never"},
                 "on a terminal, a line now and then, or not at all");
  command.runs([&line, options] { return import(line.context(), *options); });
}

}  // namespace lightning::cli
