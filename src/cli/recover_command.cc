// recover: opens a database as every command does, and tells what each stage of recovery found and did.

#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/progress.h"

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

}  // namespace

void add_recover_command(CommandLine& line) {
  auto dry_run = std::make_shared<bool>(false);
  Command command = line.add("recover", "Opens the database as after a crash and reports each stage of recovery.",
                             "lightning_db recover --path orders\n"
                             "lightning_db recover --path orders --dry-run --json");
  command.flag("--dry-run", *dry_run, "look only: change nothing, take no lock; works beside a writer");
  command.runs([&line, dry_run] { return recover(line.context(), *dry_run); });
}

}  // namespace lightning::cli
