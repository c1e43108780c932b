// The commands, each group in its own file. Every add_ function declares options and says what runs.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/context.h"

namespace lightning::cli {

// Bounds that scan, count, export and compact understand; texts as parse_bytes() reads them.
struct RangeOptions {
  std::string prefix, start, end;
};
void add_range_options(Command& command, RangeOptions& range);
// kInvertedRange if the start sorts after the end.
Result<IterateOptions> iterate_options(const RangeOptions& range);
Result<KeyRange> key_range(const RangeOptions& range);

void add_point_commands(CommandLine& line);    // put get delete merge ttl
void add_keyspace_command(CommandLine& line);  // keyspace
void add_scan_commands(CommandLine& line);     // scan count
void add_import_command(CommandLine& line);    // import
void add_export_command(CommandLine& line);    // export
void add_index_command(CommandLine& line);     // index
void add_upkeep_commands(CommandLine& line);   // check compact
void add_recover_command(CommandLine& line);   // recover
void add_repair_command(CommandLine& line);    // repair
void add_backup_commands(CommandLine& line);   // backup restore
void add_archive_command(CommandLine& line);   // archive
void add_stats_command(CommandLine& line);     // stats
void add_config_command(CommandLine& line);    // config
void add_bench_command(CommandLine& line);     // bench
void add_inspect_command(CommandLine& line);   // inspect
void add_about_commands(CommandLine& line);    // version help completion

// Completions for "bash", "zsh" or "fish".
Result<std::string> completion_script(const std::vector<CommandWords>& commands, const std::string& shell);

// Runs one command line and gives the exit code. The whole program but main().
int run_command_line(int argc, const char* const* argv);

}  // namespace lightning::cli
