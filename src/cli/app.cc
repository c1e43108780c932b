// From the command line to a command and from its result to the exit code.
#include <csignal>
#include <exception>

#include "cli/commands.h"

namespace lightning::cli {

namespace {

ExitCode finish(Context& context, CommandResult result) {
  Output& output = Output::standard();
  if (auto flushed = output.commit(); !flushed && result) result = std::move(flushed).error();
  if (output.reader_gone()) return ExitCode::kOk;  // as `scan | head` means it
  if (result) return *result;
  context.report(result.error());
  return context.exit_code_of_error(result.error());
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  // Writing to a closed pipe, or beyond the size that a file may have (ulimit -f), is an error value like any other.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  Context context;
  CommandLine line(context);
  add_point_commands(line);
  add_keyspace_command(line);
  add_scan_commands(line);
  add_import_command(line);
  add_export_command(line);
  add_index_command(line);
  add_upkeep_commands(line);
  add_recover_command(line);
  add_repair_command(line);
  add_backup_commands(line);
  add_archive_command(line);
  add_stats_command(line);
  add_config_command(line);
  add_bench_command(line);
  add_inspect_command(line);
  add_about_commands(line);
  if (const auto done = line.parse(argc, argv)) return static_cast<int>(*done);
  try {
    return static_cast<int>(finish(context, context.command()));
  } catch (const std::exception& e) {
    context.report(Error(ErrorCode::kInternal, std::string("an exception escaped: ") + e.what()));
    return static_cast<int>(ExitCode::kInternal);
  }
}

}  // namespace lightning::cli
