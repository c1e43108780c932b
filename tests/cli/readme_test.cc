// What the README prints is what works: its program is the example that is built and run, its commands run as they
// stand.
#include <gtest/gtest.h>

#include <sstream>

#include "cli/support/process.h"

namespace lightning::cli::testing {
namespace {

std::string source_file(const std::string& name) { return read_file(std::string(LIGHTNING_SOURCE_DIR "/") + name); }

// The first fenced block below a heading.
std::string block_below(const std::string& text, const std::string& heading) {
  const std::size_t at = text.find("\n" + heading + "\n");
  if (at == std::string::npos) return "";
  const std::size_t begin = text.find('\n', text.find("```", at)) + 1;
  return text.substr(begin, text.find("```", begin) - begin);
}

TEST(Readme, ItsProgramIsTheExampleThatIsBuiltAndRun) {
  const std::string program = block_below(source_file("README.md"), "## In a program");
  ASSERT_NE(program.find("Database::open"), std::string::npos) << program;
  EXPECT_NE(source_file("examples/quick_start.cc").find("\n" + program + "\nint main("), std::string::npos)
      << "examples/quick_start.cc and the README's program differ:\n"
      << program;
}

TEST(Readme, ItsCommandsRunAsPrinted) {
  TempDir files;
  write_file(files / "people.csv", "id,name\n7,Ada\n");
  std::istringstream lines(block_below(source_file("README.md"), "## On the command line"));
  std::string script = "cd " + files.path() + "; set -e -o pipefail; lightning_db() { \"$LDB\" \"$@\"; }\n" +
                       "command -v jq > /dev/null || jq() { python3 -c 'import json, sys\n" +
                       "for line in sys.stdin: print(json.dumps(json.loads(line)[\"value\"]))'; }\n";
  int commands = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("lightning_db ")) continue;
    script += line + "\n";
    ++commands;
  }
  ASSERT_GE(commands, 6);
  const Outcome outcome = run_shell(script);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.out.rfind("paid\n\"paid\"\n", 0), 0u) << outcome.out;
}

}  // namespace
}  // namespace lightning::cli::testing
