// What every command shares: the global options, the configuration, the ways to open the database, the ways to report.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/exit_code.h"
#include "cli/output.h"
#include "lightning/config_file.h"
#include "lightning/database.h"

namespace lightning::cli {

struct GlobalOptions {
  ConfigSources config;
  std::string keyspace;  // empty: the default one
  bool json = false;
};

using CommandResult = Result<ExitCode>;

// Threads: one.
class Context {
 public:
  GlobalOptions options;
  // What the command line asked for; set while it is parsed.
  std::function<CommandResult()> command;

  // The effective configuration. Deprecated settings are told on standard error once.
  Result<LoadedConfig> load();
  // Of a database that need not exist yet.
  Result<std::string> database_path();
  // Never creates anything and works beside a writer in another process.
  Result<Database> open_for_reading(const OpenOptions& open_options = {});
  // The same for who looks for damage: none is a reason not to open, nor to stop reading.
  Result<Database> open_to_look();
  // kOneOperation: if nobody says otherwise, with the smallest log segments, which are allocated in no time.
  enum class Writing : std::uint8_t { kOneOperation, kManyOperations };
  Result<Database> open_for_writing(Writing writing, bool create_if_missing, const OpenOptions& open_options = {});
  // The one named by --keyspace.
  Result<Keyspace> keyspace(const Database& db) const;
  Result<Keyspace> keyspace_to_write(Database& db) const;  // made if it is new

  // An error in the command line that only shows when the command runs. Ends with ExitCode::kUsage.
  Error usage_error(std::string message);
  ExitCode exit_code_of_error(const Error& error) const;
  // On standard error: text, or one JSON object with --json.
  void report(const Error& error) const;

  // One line of data on standard output.
  Status print(std::string_view line) const;

 private:
  Result<LoadedConfig> load_with_path();

  bool usage_failed_ = false;
  bool warned_ = false;
};

}  // namespace lightning::cli
