// export: a consistent view of the database as a stream of records.

#include "cli/bytes_text.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/records.h"

namespace lightning::cli {

namespace {

struct ExportOptions {
  std::string output = "-", format, progress = "auto";
  FormatOptions columns;
  RangeOptions range;
  bool text_columns = false;
};

Result<Format> choose_format(const ExportOptions& options) {
  if (!options.format.empty()) return format_named(options.format);
  return options.output == "-" ? Format::kJsonl : format_of_path(options.output);
}

// All keyspaces, or the one that was named; a table without a column for the keyspace holds one.
std::vector<std::string> choose_keyspaces(const Context& context, const Database& db, Format format) {
  if (!context.options.keyspace.empty()) return {context.options.keyspace};
  std::vector<std::string> all = db.keyspaces();
  if (format == Format::kJsonl || format == Format::kDump) return all;
  if (all.size() > 1)
    say("note: only the default keyspace is exported; this format cannot tell keyspaces apart (see --keyspace)");
  return {std::string(kDefaultKeyspaceName)};
}

struct Exported {
  std::uint64_t records = 0, bytes = 0;
};

Status export_keyspace(const Database& db, const Keyspace& keyspace, const IterateOptions& bounds, RecordWriter& writer,
                       Progress& progress, Exported& done) {
  LIGHTNING_TRY(writer.begin_keyspace(keyspace.name()));
  Iterator it = db.iterate(keyspace, bounds);
  for (it.seek_to_first(); it.valid(); it.next()) {
    LIGHTNING_TRY(writer.write(it.key(), it.value(), it.expires_at()));
    ++done.records;
    done.bytes += it.key().size() + it.value().size();
    progress.report(done.records, done.bytes, 0);
  }
  return it.status();
}

CommandResult export_records(Context& context, ExportOptions options) {
  options.columns.base64_columns = !options.text_columns;
  LIGHTNING_ASSIGN(const ProgressMode mode, progress_mode_named(options.progress));
  LIGHTNING_ASSIGN(const Format format, choose_format(options));
  LIGHTNING_ASSIGN(IterateOptions bounds, iterate_options(options.range));
  if (format == Format::kDump && options.output == "-" && Output::standard().is_terminal())
    return context.usage_error("a dump is not text: give --output FILE, or redirect standard output");
  LIGHTNING_ASSIGN(const Database db, context.open_for_reading());
  const Snapshot snapshot = db.snapshot();  // one moment for all keyspaces
  bounds.snapshot = &snapshot;

  std::unique_ptr<Output> file;
  if (options.output != "-") {
    LIGHTNING_ASSIGN(file, Output::create(options.output));
  }
  Output& output = file ? *file : Output::standard();
  const auto writer = make_writer(format, output, options.columns);
  Progress progress(mode, context.options.json, "exported");
  Exported done;
  for (const std::string& name : choose_keyspaces(context, db, format)) {
    LIGHTNING_ASSIGN(const Keyspace keyspace, db.keyspace(name));
    LIGHTNING_TRY(export_keyspace(db, keyspace, bounds, *writer, progress, done));
  }
  LIGHTNING_TRY(writer->finish());
  LIGHTNING_TRY(output.commit());
  progress.clear();
  if (writer->lifetimes_lost() > 0)
    say("note: " + human_count(writer->lifetimes_lost()) +
        " records expire, and this format does not say so (jsonl and dump do)");
  if (stderr_is_terminal() || options.output != "-")
    say("exported " + human_count(done.records) + " records, " + human_bytes(static_cast<double>(done.bytes)));
  return ExitCode::kOk;
}

}  // namespace

void add_export_command(CommandLine& line) {
  auto options = std::make_shared<ExportOptions>();
  Command command = line.add("export", "Writes all records, as of one moment, to a file or to standard output.",
                             "lightning_db export --path orders --output orders.jsonl\n"
                             "lightning_db export --path orders --output orders.dump\n"
                             "lightning_db export --path orders --format csv --prefix id: | gzip > ids.csv.gz");
  command.text("--output,output", options->output, "FILE", "file to write, - for standard output");
  command.text("--format", options->format, "FORMAT",
               "jsonl, csv, tsv or dump; else by extension, jsonl for standard output");
  add_range_options(command, options->range);
  command.text("--key-column", options->columns.key_column, "NAME", "column of the key (csv, tsv)");
  command.text("--value-column", options->columns.value_column, "NAME", "column of the value (csv, tsv)");
  command.flag("--text-columns", options->text_columns,
               "no base64 columns: bytes that are not UTF-8 are an error (csv, tsv)");
  command.choice("--progress", options->progress, {"auto", "always", "never"},
                 "on a terminal, a line now and then, or not at all");
  command.runs([&line, options] { return export_records(line.context(), *options); });
}

}  // namespace lightning::cli
