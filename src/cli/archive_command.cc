// archive: looks after the archive of a database's log.
#include "lightning/archive.h"

#include "base/utc_time.h"
#include "cli/bytes_text.h"
#include "cli/commands.h"
#include "cli/json_text.h"

namespace lightning::cli {

namespace {

std::string json_of(const ArchiveFile& file) {
  JsonText json;
  json.begin_object().field("file", file.name);
  if (file.damage) {
    json.begin_object("damage");
    append(json, *file.damage);
    return json.end_object().end_object().text();
  }
  json.field("after", file.after).field("last", file.last).field("first_time", base::utc_text(file.first_time));
  json.field("last_time", base::utc_text(file.last_time)).field("commits", file.commits);
  json.field("keyspace_changes", file.keyspace_changes).field("bytes", file.bytes).field("store", file.store_id);
  return json.end_object().text();
}

std::string text_of(const ArchiveFile& file) {
  if (file.damage) return file.name + "\tdamaged\t" + file.damage->to_string();
  return file.name + "\tsequences " + std::to_string(file.after + 1) + " to " + std::to_string(file.last) + "\t" +
         base::utc_text(file.first_time) + " to " + base::utc_text(file.last_time) + "\t" +
         human_bytes(static_cast<double>(file.bytes));
}

CommandResult list_files(Context& context, const std::string& directory) {
  LIGHTNING_ASSIGN(const auto files, list_archive(directory));
  bool damaged = false;
  for (const ArchiveFile& file : files) {
    LIGHTNING_TRY(context.print(context.options.json ? json_of(file) : text_of(file)));
    damaged = damaged || file.damage;
  }
  return damaged ? ExitCode::kIntegrity : ExitCode::kOk;
}

CommandResult verify_files(Context& context, const std::string& directory) {
  LIGHTNING_ASSIGN(const ArchiveCheckReport report, check_archive(directory));
  if (context.options.json) {
    JsonText json;
    json.begin_object().field("damaged", !report.findings.empty()).field("files", report.files);
    json.field("commits", report.commits).field("bytes", report.bytes).begin_array("findings");
    for (const Error& finding : report.findings) {
      json.begin_object();
      append(json, finding);
      json.end_object();
    }
    LIGHTNING_TRY(context.print(json.end_array().end_object().text()));
  } else {
    for (const Error& finding : report.findings) LIGHTNING_TRY(context.print(finding.to_string()));
    const std::string looked = human_count(report.files) + " files, " + human_count(report.commits) + " commits, " +
                               human_bytes(static_cast<double>(report.bytes));
    LIGHTNING_TRY(context.print(report.findings.empty()
                                    ? "one unbroken history (" + looked + ")"
                                    : human_count(report.findings.size()) + " findings (" + looked + ")"));
  }
  return report.findings.empty() ? ExitCode::kOk : ExitCode::kIntegrity;
}

}  // namespace

void add_archive_command(CommandLine& line) {
  struct Asked {
    std::string action, directory;
  };
  auto asked = std::make_shared<Asked>();
  Command command = line.add("archive", "Looks after the archive of a database's log: list, verify.",
                             "lightning_db archive list /archive/orders\n"
                             "lightning_db archive verify /archive/orders --json");
  command.argument("action", asked->action, "list|verify", "what to do");
  command.argument("directory", asked->directory, "DIR", "the directory of the archive");
  command.runs([&line, asked]() -> CommandResult {
    if (asked->action == "list") return list_files(line.context(), asked->directory);
    if (asked->action == "verify") return verify_files(line.context(), asked->directory);
    return line.context().usage_error("there is no archive " + asked->action + "; choose list or verify");
  });
}

}  // namespace lightning::cli
