// backup and restore: copies of a database, and databases from copies.
#include "lightning/backup.h"

#include <algorithm>

#include "base/utc_time.h"
#include "cli/bytes_text.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/json_text.h"
#include "cli/progress.h"

namespace lightning::cli {

namespace {

struct BackupCommand {
  std::string action, repository;
  std::uint64_t number = 0, keep = 0, bytes_per_second = 0;
  bool check_shared = false, replace = false;
  std::vector<std::string> only;
};

BackupProgressFunction with(Progress& progress) {
  return [&progress](const BackupProgress& now) {
    progress.report(0, now.done_bytes, now.total_bytes);
    return true;
  };
}

Status print(Context& context, const BackupInfo& info) {
  if (context.options.json) {
    JsonText json;
    json.begin_object().field("backup", info.number);
    if (info.damage) {
      json.begin_object("damage");
      append(json, *info.damage);
      return context.print(json.end_object().end_object().text());
    }
    json.field("created_at", base::utc_text(info.created_at))
        .field("sequence", info.sequence)
        .field("files", info.files);
    json.field("bytes", info.bytes).field("new_files", info.new_files).field("new_bytes", info.new_bytes);
    json.field("store", info.store_id).begin_array("keyspaces");
    for (const std::string& name : info.keyspaces) json.begin_object().field("name", name).end_object();
    return context.print(json.end_array().end_object().text());
  }
  if (info.damage) return context.print(std::to_string(info.number) + "\tdamaged\t" + info.damage->to_string());
  return context.print(std::to_string(info.number) + "\t" + base::utc_text(info.created_at) + "\tsequence " +
                       std::to_string(info.sequence) + "\t" + human_bytes(static_cast<double>(info.bytes)) + "\tnew " +
                       human_bytes(static_cast<double>(info.new_bytes)));
}

CommandResult send(Context& context, Database& db, const BackupOptions& options, Progress& progress) {
  Output& output = Output::standard();
  if (output.is_terminal())
    return context.usage_error("a backup is no text for a terminal: send it to a file or through a pipe");
  LIGHTNING_ASSIGN(const BackupInfo sent,
                   db.stream_backup([&](std::string_view bytes) { return output.write(bytes); }, options));
  progress.clear();
  LIGHTNING_TRY(output.commit());
  if (stderr_is_terminal())
    say("sequence " + std::to_string(sent.sequence) + ", " + human_bytes(static_cast<double>(sent.bytes)));
  return ExitCode::kOk;
}

CommandResult create(Context& context, const BackupCommand& asked) {
  LIGHTNING_ASSIGN(Database db, context.open_for_reading());
  Progress progress(ProgressMode::kAuto, context.options.json, "backed up");
  BackupOptions options;
  options.bytes_per_second = asked.bytes_per_second;
  options.check_shared = asked.check_shared;
  options.progress = with(progress);
  if (asked.repository == "-") return send(context, db, options, progress);
  LIGHTNING_ASSIGN(const BackupInfo made, db.create_backup(asked.repository, options));
  progress.clear();
  LIGHTNING_TRY(print(context, made));
  return ExitCode::kOk;
}

CommandResult list(Context& context, const BackupCommand& asked) {
  LIGHTNING_ASSIGN(const auto backups, list_backups(asked.repository));
  bool damaged = false;
  for (const BackupInfo& info : backups) {
    LIGHTNING_TRY(print(context, info));
    damaged = damaged || info.damage.has_value();
  }
  return damaged ? ExitCode::kIntegrity : ExitCode::kOk;
}

CommandResult verify(Context& context, const BackupCommand& asked) {
  Progress progress(ProgressMode::kAuto, context.options.json, "verified");
  BackupCheckOptions options;
  options.number = asked.number;
  options.bytes_per_second = asked.bytes_per_second;
  options.progress = with(progress);
  LIGHTNING_ASSIGN(const BackupCheckReport report, check_backups(asked.repository, options));
  progress.clear();
  if (context.options.json) {
    JsonText json;
    json.begin_object().field("damaged", !report.findings.empty());
    json.field("backups", std::uint64_t{report.backups.size()}).field("files", report.files);
    json.field("bytes", report.bytes).begin_array("findings");
    for (const Error& finding : report.findings) {
      json.begin_object();
      append(json, finding);
      json.end_object();
    }
    json.end_array().begin_array("damaged_backups");
    for (const std::uint64_t number : report.damaged) json.begin_object().field("backup", number).end_object();
    LIGHTNING_TRY(context.print(json.end_array().end_object().text()));
  } else {
    for (const Error& finding : report.findings) LIGHTNING_TRY(context.print(finding.to_string()));
    for (const std::uint64_t number : report.damaged)
      LIGHTNING_TRY(context.print("backup " + std::to_string(number) + " cannot be restored"));
    const std::string looked = human_count(report.backups.size()) + " backups, " + human_count(report.files) +
                               " files, " + human_bytes(static_cast<double>(report.bytes));
    LIGHTNING_TRY(context.print(report.findings.empty()
                                    ? "no damage found (" + looked + ")"
                                    : human_count(report.findings.size()) + " findings (" + looked + ")"));
  }
  return report.findings.empty() ? ExitCode::kOk : ExitCode::kIntegrity;
}

CommandResult prune(Context& context, const BackupCommand& asked) {
  LIGHTNING_ASSIGN(const BackupPruneReport report, prune_backups(asked.repository, asked.keep));
  if (!context.options.json) {
    say("removed " + human_count(report.removed.size()) + " backups, " +
        human_bytes(static_cast<double>(report.bytes)) + " that only they needed");
    return ExitCode::kOk;
  }
  JsonText json;
  json.begin_object().begin_array("removed");
  for (const std::uint64_t number : report.removed) json.begin_object().field("backup", number).end_object();
  json.end_array().field("files", report.files).field("bytes", report.bytes).end_object();
  LIGHTNING_TRY(context.print(json.text()));
  return ExitCode::kOk;
}

CommandResult run(Context& context, const BackupCommand& asked, const Command& command) {
  if (asked.action == "create") {
    if (!command.given("--to")) return context.usage_error("backup create takes --to, the directory of the backups");
    return create(context, asked);
  }
  if (asked.action != "list" && asked.action != "verify" && asked.action != "prune")
    return context.usage_error("there is no backup " + asked.action + "; choose create, list, verify or prune");
  if (!command.given("--from"))
    return context.usage_error("backup " + asked.action + " takes --from, the directory of the backups");
  if (asked.action == "list") return list(context, asked);
  if (asked.action == "verify") return verify(context, asked);
  if (!command.given("--keep")) return context.usage_error("backup prune takes --keep, how many backups stay");
  return prune(context, asked);
}

CommandResult restore(Context& context, const BackupCommand& asked) {
  LIGHTNING_ASSIGN(const std::string path, context.database_path());
  Progress progress(ProgressMode::kAuto, context.options.json, "restored");
  RestoreOptions options;
  options.number = asked.number;
  for (const std::string& only : asked.only) {
    const std::size_t equals = only.find('=');
    options.keyspaces.push_back({.name = only.substr(0, equals)});
    if (equals != std::string::npos) options.keyspaces.back().as = only.substr(equals + 1);
  }
  options.replace = asked.replace;
  options.bytes_per_second = asked.bytes_per_second;
  options.progress = with(progress);
  const auto restored = [&]() -> Result<BackupInfo> {
    if (asked.repository != "-") return restore_backup(asked.repository, path, options);
    LIGHTNING_ASSIGN(const auto input, open_input("-"));
    return restore_backup_stream(
        [&](std::span<char> into) -> Result<std::size_t> {
          LIGHTNING_ASSIGN(const std::string_view bytes, input->peek());
          const std::size_t taken = std::min(bytes.size(), into.size());
          std::ranges::copy(bytes.substr(0, taken), into.begin());
          input->consume(taken);
          return taken;
        },
        path, options);
  }();
  if (!restored) return Error(restored.error());
  progress.clear();
  LIGHTNING_TRY(print(context, *restored));
  return ExitCode::kOk;
}

}  // namespace

void add_backup_commands(CommandLine& line) {
  auto asked = std::make_shared<BackupCommand>();
  Command backup = line.add("backup", "Makes and looks after backups: create, list, verify, prune.",
                            "lightning_db backup create --path orders --to /backups/orders\n"
                            "lightning_db backup list --from /backups/orders\n"
                            "lightning_db backup verify --from /backups/orders --json\n"
                            "lightning_db backup prune --from /backups/orders --keep 7\n"
                            "lightning_db backup create --path orders --to - | zstd > orders.backup.zst");
  backup.argument("action", asked->action, "create|list|verify|prune", "what to do");
  backup.text("--to", asked->repository, "DIR",
              "create: the directory of the backups, made if need be; -: a stream on standard output", "Create");
  backup.flag("--check-shared", asked->check_shared,
              "create: read what earlier backups hold, too, and copy anew what is damaged", "Create");
  backup.text("--from", asked->repository, "DIR", "list, verify, prune: the directory of the backups", "Others");
  backup.number("--number", asked->number, "N", "verify: one backup, not all", 1, ~std::uint64_t{0}, "Others");
  backup.number("--keep", asked->keep, "N", "prune: how many stay, the newest", 1, ~std::uint64_t{0}, "Others");
  backup.number("--rate", asked->bytes_per_second, "BYTES", "create, verify: read at most so much a second", 1,
                ~std::uint64_t{0});
  backup.runs([&line, asked, backup] { return run(line.context(), *asked, backup); });

  auto wanted = std::make_shared<BackupCommand>();
  Command restoring = line.add("restore", "Makes a database from a backup, in a new directory.",
                               "lightning_db restore --from /backups/orders --path orders-again\n"
                               "lightning_db restore --from /backups/orders --number 12 --path orders --replace\n"
                               "zstdcat orders.backup.zst | lightning_db restore --from - --path orders-again");
  restoring.text("--from", wanted->repository, "DIR", "the directory of the backups; -: a stream on standard input");
  restoring.number("--number", wanted->number, "N", "which backup, if not the newest", 1, ~std::uint64_t{0});
  restoring.texts("--only", wanted->only, "NAME[=NEW]",
                  "a keyspace to restore, and what to call it; may be repeated; all if not given");
  restoring.flag("--replace", wanted->replace, "put it in the place of the database that is there");
  restoring.number("--rate", wanted->bytes_per_second, "BYTES", "write at most so much a second", 1, ~std::uint64_t{0});
  restoring.runs([&line, wanted, restoring]() -> CommandResult {
    if (!restoring.given("--from"))
      return line.context().usage_error("restore takes --from, the directory of the backups");
    return restore(line.context(), *wanted);
  });
}

}  // namespace lightning::cli
