// repair: a new database of what can still be read of a damaged one, and a report of what cannot.
#include "lightning/repair.h"

#include "cli/commands.h"
#include "cli/progress.h"

namespace lightning::cli {

namespace {

struct RepairCommand {
  std::string source, target;
};

CommandResult repair(Context& context, const RepairCommand& asked) {
  RepairOptions options;
  LIGHTNING_ASSIGN(const LoadedConfig loaded, context.load());
  options.config = loaded.config;
  std::string source = asked.source;
  if (source.empty()) {
    LIGHTNING_ASSIGN(source, context.database_path());
  }
  Progress progress(ProgressMode::kAuto, context.options.json, "repaired");
  options.progress = [&](const RepairProgress& now) {
    progress.report(0, now.done_bytes, now.total_bytes);
    return true;
  };
  LIGHTNING_ASSIGN(const RepairReport report, repair_database(source, asked.target, options));
  progress.clear();
  std::string text = report.to_string();
  text.pop_back();
  LIGHTNING_TRY(context.print(context.options.json ? to_json(report) : text));
  return report.complete() ? ExitCode::kOk : ExitCode::kLost;
}

}  // namespace

void add_repair_command(CommandLine& line) {
  auto asked = std::make_shared<RepairCommand>();
  Command command = line.add("repair", "Makes a new database of what can still be read of a damaged one.",
                             "lightning_db repair orders --to orders-repaired\n"
                             "lightning_db repair orders --to orders-repaired --json > what-was-lost.json");
  command.optional_argument("source", asked->source, "DIR", "the damaged database, which is only read; or --path");
  command.text("--to", asked->target, "DIR", "the directory of the new database: new, or empty");
  command.runs([&line, asked, command]() -> CommandResult {
    if (!command.given("--to"))
      return line.context().usage_error("repair takes --to, the directory of the new database");
    if (!asked->source.empty() && !line.context().options.config.path.empty())
      return line.context().usage_error("repair takes the damaged database once: as an argument, or with --path");
    return repair(line.context(), *asked);
  });
}

}  // namespace lightning::cli
