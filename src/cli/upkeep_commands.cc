// check and compact: looking after a database.

#include "cli/bytes_text.h"
#include "cli/commands.h"
#include "cli/progress.h"

namespace lightning::cli {

namespace {

Status print_check_json(Context& context, const CheckReport& report) {
  JsonText json;
  json.begin_object()
      .field("damaged", !report.findings.empty())
      .field("tables", report.tables)
      .field("blocks", report.blocks);
  json.field("entries", report.entries)
      .field("blob_files", report.blob_files)
      .field("blob_records", report.blob_records);
  json.field("bytes", report.bytes).field("rebuilt_blocks", report.rebuilt_blocks).begin_array("findings");
  for (const CheckFinding& finding : report.findings) {
    const ErrorContext& where = finding.error.context();
    json.begin_object().field("code", "LDB-" + std::to_string(static_cast<unsigned>(finding.error.code())));
    json.field("name", name_of(finding.error.code()))
        .field("message", finding.error.message())
        .field("file", where.file);
    if (where.offset != ErrorContext::kNoOffset) json.field("offset", where.offset);
    if (!where.key_range.empty()) json.field("keys", where.key_range);
    json.field("advice", finding.error.advice()).end_object();
  }
  json.end_array().begin_array("not_compared");
  for (const std::string& what : report.not_compared) json.begin_object().field("message", what).end_object();
  json.end_array().end_object();
  return context.print(json.text());
}

Status print_check_text(Context& context, const CheckReport& report) {
  for (const std::string& what : report.not_compared) LIGHTNING_TRY(context.print(what));
  for (const CheckFinding& finding : report.findings) LIGHTNING_TRY(context.print(finding.error.to_string()));
  if (report.rebuilt_blocks != 0)
    LIGHTNING_TRY(context.print(human_count(report.rebuilt_blocks) +
                                " blocks were damaged and could be rebuilt from parity: nothing is lost"));
  const std::string looked = human_count(report.tables) + " tables, " + human_count(report.blocks) + " blocks, " +
                             human_count(report.entries) + " entries, " +
                             (report.blob_files == 0 ? "" : human_count(report.blob_records) + " large values, ") +
                             human_bytes(static_cast<double>(report.bytes));
  return context.print(report.findings.empty() ? "no damage found (" + looked + ")"
                                               : human_count(report.findings.size()) + " findings (" + looked + ")");
}

CommandResult check(Context& context, bool quick, std::uint32_t threads) {
  LIGHTNING_ASSIGN(const Database db, context.open_to_look());
  Progress progress(ProgressMode::kAuto, context.options.json, "checked");
  CheckOptions options;
  options.full = !quick;
  options.threads = threads;
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    progress.report(0, done, total);
    return true;
  };
  LIGHTNING_ASSIGN(const CheckReport report, db.check(options));
  progress.clear();
  LIGHTNING_TRY(context.options.json ? print_check_json(context, report) : print_check_text(context, report));
  return report.findings.empty() ? ExitCode::kOk : ExitCode::kIntegrity;
}

CommandResult compact(Context& context, const RangeOptions& range, bool rewrite) {
  LIGHTNING_ASSIGN(const IterateOptions bounds, iterate_options(range));
  LIGHTNING_ASSIGN(Database db, context.open_for_writing(Context::Writing::kManyOperations, false));
  std::vector<std::string> names = db.keyspaces();
  if (!context.options.keyspace.empty()) names = {context.options.keyspace};
  LIGHTNING_TRY(db.flush());
  const std::uint64_t before = db.stats().bytes_on_disk;
  for (const std::string& name : names) {
    LIGHTNING_ASSIGN(const Keyspace keyspace, db.keyspace(name));
    LIGHTNING_TRY(db.compact_range(keyspace, {.start = bounds.lower_bound, .end = bounds.upper_bound},
                                   {.bottom = rewrite ? BottomLevel::kRewrite : BottomLevel::kReclaim}));
  }
  LIGHTNING_TRY(db.wait_for_background_work());
  const std::uint64_t after = db.stats().bytes_on_disk;
  LIGHTNING_TRY(db.close());
  if (!context.options.json) {
    say("compacted " + human_bytes(static_cast<double>(before)) + " to " + human_bytes(static_cast<double>(after)));
    return ExitCode::kOk;
  }
  JsonText json;
  json.begin_object().field("bytes_before", before).field("bytes_after", after).end_object();
  LIGHTNING_TRY(context.print(json.text()));
  return ExitCode::kOk;
}

}  // namespace

void add_upkeep_commands(CommandLine& line) {
  auto quick = std::make_shared<bool>(false);
  Command checking = line.add("check", "Verifies what is on disk. Exit status 10: damage was found.",
                              "lightning_db check --path orders\n"
                              "lightning_db check --path orders --quick --json");
  checking.flag("--quick", *quick, "manifest, file sizes and table roots only, not every block");
  auto threads = std::make_shared<std::uint64_t>(0);
  checking.number("--threads", *threads, "N", "files read side by side, if not one for each core (at most 8)", 1, 64);
  checking.runs(
      [&line, quick, threads] { return check(line.context(), *quick, static_cast<std::uint32_t>(*threads)); });

  auto range = std::make_shared<RangeOptions>();
  Command compacting = line.add("compact", "Rewrites tables until each range lies in one level; reclaims space.",
                                "lightning_db compact --path orders\n"
                                "lightning_db compact --path orders --start a --end b");
  compacting.text("--start", range->start, "KEY", "first key, inclusive", "Range");
  compacting.text("--end", range->end, "KEY", "last key, exclusive", "Range");
  auto rewrite = std::make_shared<bool>(false);
  compacting.flag("--rewrite", *rewrite, "write every table anew, even where that reclaims nothing");
  compacting.runs([&line, range, rewrite] { return compact(line.context(), *range, *rewrite); });
}

}  // namespace lightning::cli
