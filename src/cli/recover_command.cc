// recover: opens a database as every command does, and tells what each stage of recovery found and did; or makes one as
// it was at a moment, from a backup and an archive.

#include <charconv>

#include "base/utc_time.h"
#include "cli/bytes_text.h"
#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/progress.h"
#include "lightning/archive.h"

namespace lightning::cli {

namespace {

double milliseconds(std::chrono::nanoseconds took) { return static_cast<double>(took.count()) / 1e6; }

std::string report_json(const RecoveryReport& report) {
  JsonText json;
  json.begin_object().field("path", report.path).field("opened", !report.error.has_value());
  json.field("created", report.created).field("read_only", report.read_only).field("ms", milliseconds(report.took));
  json.field("failed_attempts", report.failed_attempts).field("commits", report.commits);
  json.field("last_sequence", report.last_sequence).field("epoch", report.epoch);
  json.field("generation", report.generation).begin_array("stages");
  for (const RecoveryStageReport& stage : report.stages) {
    json.begin_object().field("stage", name_of(stage.stage)).field("outcome", name_of(stage.outcome));
    json.field("ms", milliseconds(stage.took)).field("items", stage.items).field("bytes", stage.bytes);
    json.field("checked", stage.checked).end_object();
  }
  json.end_array().begin_array("notes");
  for (const RecoveryNote& note : report.notes) {
    json.begin_object().field("kind", name_of(note.kind)).field("stage", name_of(note.stage));
    json.field("text", note.text).field("file", note.file).end_object();
  }
  json.end_array().field("notes_left_out", report.notes_left_out);
  if (report.error)
    json.field("error", "LDB-" + std::to_string(static_cast<unsigned>(report.error->code())))
        .field("error_name", name_of(report.error->code()))
        .field("error_message", report.error->message());
  json.end_object();
  return json.text();
}

CommandResult recover(Context& context, bool dry_run) {
  Progress progress(ProgressMode::kAuto, context.options.json, "recovered");
  RecoveryReport report;
  OpenOptions options;
  options.recovery_report = &report;
  options.recovery_progress = [&](const RecoveryProgress& at) {
    if (at.stage == RecoveryStage::kWalValidation || at.stage == RecoveryStage::kTransactionRecovery)
      progress.report(0, at.done, at.total);
    return true;
  };
  auto db = dry_run ? context.open_for_reading(options)
                    : context.open_for_writing(Context::Writing::kManyOperations, false, options);
  progress.clear();
  if (!report.path.empty()) {
    std::string text = report.to_string();
    text.pop_back();
    LIGHTNING_TRY(context.print(context.options.json ? report_json(report) : text));
  }
  if (!db) return std::move(db).error();
  LIGHTNING_TRY(db->close());
  return ExitCode::kOk;
}

// --- to a moment
// ------------------------------------------------------------------------------------------------------

struct RecoverCommand {
  bool dry_run = false;
  std::string repository, archive, to;
};

// "4711", "2026-11-23T10:00:00Z", "latest". False: none of them.
bool parse_target(std::string_view text, RecoverOptions& options) {
  if (text == "latest") return true;
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos) {
    Sequence sequence = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sequence);
    options.to_sequence = sequence;
    return error == std::errc{} && end == text.data() + text.size();
  }
  options.to_time = base::parse_utc(text);
  return options.to_time.has_value();
}

std::string plan_json(const RecoveryPlan& plan, bool dry_run) {
  JsonText json;
  json.begin_object().field("dry_run", dry_run).field("sequence", plan.sequence);
  json.field("time", base::utc_text(plan.time)).begin_object("backup").field("number", plan.backup);
  json.field("sequence", plan.backup_sequence).field("created_at", base::utc_text(plan.backup_time));
  json.field("bytes", plan.backup_bytes).end_object().begin_array("archive_files");
  for (const std::string& name : plan.archive_files) json.begin_object().field("name", name).end_object();
  json.end_array().field("archive_bytes", plan.archive_bytes).field("commits", plan.commits);
  json.field("keyspace_changes", plan.keyspace_changes).field("blob_files", plan.blob_files);
  json.field("blob_bytes", plan.blob_bytes).begin_object("range");
  json.field("first_sequence", plan.range.first_sequence).field("last_sequence", plan.range.last_sequence);
  json.field("first_time", base::utc_text(plan.range.first_time));
  json.field("last_time", base::utc_text(plan.range.last_time)).end_object().end_object();
  return json.text();
}

std::string plan_text(const RecoveryPlan& plan, bool dry_run) {
  const auto bytes = [](std::uint64_t count) { return human_bytes(static_cast<double>(count)); };
  std::string text = dry_run ? "would recover to" : "recovered to";
  text += " sequence " + std::to_string(plan.sequence) + " of " + base::utc_text(plan.time) + "\n";
  text += "  backup " + std::to_string(plan.backup) + " of " + base::utc_text(plan.backup_time) + ", sequence " +
          std::to_string(plan.backup_sequence) + ", " + bytes(plan.backup_bytes) + "\n";
  text += "  " + human_count(plan.archive_files.size()) + " files of the archive, " + bytes(plan.archive_bytes);
  if (!plan.archive_files.empty()) text += ": " + plan.archive_files.front() + " .. " + plan.archive_files.back();
  text += "\n  " + human_count(plan.commits) + " commits, " + human_count(plan.keyspace_changes) +
          " changes of keyspaces, " + human_count(plan.blob_files) + " streamed values of " + bytes(plan.blob_bytes);
  text += "\n  there is sequence " + std::to_string(plan.range.first_sequence) + " to " +
          std::to_string(plan.range.last_sequence) + ", " + base::utc_text(plan.range.first_time) + " to " +
          base::utc_text(plan.range.last_time);
  return text;
}

CommandResult recover_to(Context& context, const RecoverCommand& asked) {
  RecoverOptions options;
  if (!parse_target(asked.to, options))
    return context.usage_error("--to is \"" + asked.to.substr(0, 80) +
                               "\"; it takes a sequence, a moment such as 2026-11-23T10:00:00Z, or latest");
  LIGHTNING_ASSIGN(const LoadedConfig loaded, context.load());
  if (loaded.path.empty() && !asked.dry_run)
    return context.usage_error("no directory for the database is named: give --path DIR");
  options.config = loaded.config;
  options.dry_run = asked.dry_run;
  Progress progress(ProgressMode::kAuto, context.options.json, "recovered");
  options.progress = [&](const ArchiveProgress& now) {
    progress.report(0, now.done_bytes, now.total_bytes);
    return true;
  };
  LIGHTNING_ASSIGN(const RecoveryPlan plan, lightning::recover(asked.repository, asked.archive, loaded.path, options));
  progress.clear();
  LIGHTNING_TRY(context.print(context.options.json ? plan_json(plan, asked.dry_run) : plan_text(plan, asked.dry_run)));
  return ExitCode::kOk;
}

}  // namespace

void add_recover_command(CommandLine& line) {
  auto asked = std::make_shared<RecoverCommand>();
  Command command = line.add(
      "recover", "Opens a database as after a crash and reports each stage; or makes one as it was at a moment.",
      "lightning_db recover --path orders\n"
      "lightning_db recover --path orders --dry-run --json\n"
      "lightning_db recover --from /backups/orders --archive /archive/orders --to 2026-11-23T10:00:00Z --path then\n"
      "lightning_db recover --from /backups/orders --archive /archive/orders --to latest --dry-run");
  command.flag("--dry-run", asked->dry_run, "look only: change nothing, take no lock; works beside a writer");
  command.text("--from", asked->repository, "DIR", "the directory of the backups", "To a moment");
  command.text("--archive", asked->archive, "DIR", "the directory of the archive", "To a moment");
  command.text("--to", asked->to, "WHEN|SEQ|latest",
               "the moment, UTC, or the sequence of the last commit; the database is made in --path", "To a moment");
  command.runs([&line, asked, command]() -> CommandResult {
    const bool from = command.given("--from"), archive = command.given("--archive"), to = command.given("--to");
    if (!from && !archive && !to) return recover(line.context(), asked->dry_run);
    if (!from || !archive || !to)
      return line.context().usage_error("a recovery to a moment takes --from, --archive and --to");
    return recover_to(line.context(), *asked);
  });
}

}  // namespace lightning::cli
