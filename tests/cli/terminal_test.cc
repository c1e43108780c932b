// What only a person sees: a line that moves, colours, escapes instead of raw bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "cli/support/process.h"

namespace lightning::cli::testing {
namespace {

class Terminal : public ::testing::Test {
 protected:
  TempDir files;
  const std::string db = files / "db";
};

void append_records(const std::string& path, int first, int count) {
  std::ofstream file(path, std::ios::app | std::ios::binary);
  const std::string value(100, 'v');
  for (int i = first; i < first + count; ++i) file << "{\"key\":\"" << i << "\",\"value\":\"" << value << "\"}\n";
  ASSERT_TRUE(file.flush().good());
}

// The line is rewritten a few times a second, so the input grows until an import takes that long.
TEST_F(Terminal, ALongImportShowsRateShareAndRemainingTimeAndTakesTheLineAway) {
  const std::string input = files / "in.jsonl";
  std::string shown;
  for (int records = 0, more = 200'000; records < 10'000'000; records += more, more = records) {
    append_records(input, records, more);
    const Outcome outcome = run_on_terminal({"import", "--path", db, "--input", input});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.out;
    if (shown = outcome.out; shown.find(" left") != std::string::npos) break;
  }
  const std::size_t line = shown.find("\r\x1b[Kimported ");
  ASSERT_NE(line, std::string::npos) << shown;
  const std::string progress = shown.substr(line, shown.find('\r', line + 1) - line);
  for (const char* part : {" records, ", " records/s, ", " %, ", " s left"})
    EXPECT_NE(progress.find(part), std::string::npos) << part << " in " << progress;
  EXPECT_EQ(progress.find('\n'), std::string::npos);
  const std::size_t last = shown.rfind("\r\x1b[K");
  EXPECT_EQ(shown.compare(last + 4, 9, "imported "), 0) << "the summary takes the place of the line: " << shown;
  EXPECT_EQ(shown.back(), '\n');

  const Outcome piped = run({"import", "--path", db, "--input", input});
  EXPECT_EQ(piped.exit_code, 0);
  EXPECT_EQ(piped.out, "");
  EXPECT_EQ(std::count(piped.err.begin(), piped.err.end(), '\n'), 1) << "in a pipe, the summary alone: " << piped.err;
  EXPECT_EQ(piped.err.find('\r'), std::string::npos);
  EXPECT_EQ(run_on_terminal({"import", "--path", db, "--input", input, "--progress", "never"}).out.find('\r'),
            std::string::npos);
}

TEST_F(Terminal, BytesThatCannotBeShownAreEscapedOnATerminalOnly) {
  ASSERT_EQ(run({"put", "--path", db, "hex:1b5b", "hex:00ff"}).exit_code, 0);
  EXPECT_EQ(run_on_terminal({"scan", "--path", db}).out, "\\x1b[\t\\x00\\xff\n");
  EXPECT_EQ(run_on_terminal({"get", "--path", db, "hex:1b5b"}).out, "\\x00\\xff\n");
  EXPECT_EQ(run({"get", "--path", db, "hex:1b5b"}).out, std::string("\x00\xff\n", 3));
  const Outcome dump = run_on_terminal({"export", "--path", db, "--format", "dump"});
  EXPECT_EQ(dump.exit_code, 2) << "a dump is nothing for a terminal";
}

TEST_F(Terminal, ErrorsAreColouredWhereThatIsWanted) {
  const Arguments wrong{"get", "--path", db, "k"};
  EXPECT_NE(run_on_terminal(wrong, {"TERM=xterm"}).out.find("\x1b["), std::string::npos);
  for (const Environment& plain : {Environment{"TERM=xterm", "NO_COLOR=1"}, Environment{"TERM=dumb"}, Environment{}})
    EXPECT_EQ(run_on_terminal(wrong, plain).out.find('\x1b'), std::string::npos);
  EXPECT_EQ(run(wrong, "", {"TERM=xterm"}).err.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace lightning::cli::testing
