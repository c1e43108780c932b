// Commands that do what they should, and such as never end, never stop, or leave something behind.
#include "env/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "env/posix_file_system.h"
#include "place.h"

namespace lightning::env {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kPlenty(60'000);

TEST(RunCommand, GivesWhatTheCommandWrites) {
  EXPECT_EQ(must(run_command("printf 'two\\nlines'; cat", kPlenty, 100)), "two\nlines") << "there is nothing to read";
  EXPECT_EQ(must(run_command("true", kPlenty, 0)), "");
  EXPECT_EQ(must(run_command("head -c 100000 /dev/zero", kPlenty, 100'000)), std::string(100'000, '\0'));
}

TEST(RunCommand, TellsHowACommandFailed) {
  const auto failed = run_command("echo x; exit 3", kPlenty, 100);
  EXPECT_CODE(kIo, failed);
  EXPECT_NE(failed.error().message().find("status 3"), std::string::npos) << failed.error().to_string();
  const auto killed = run_command("kill -9 $$", kPlenty, 100);
  EXPECT_CODE(kIo, killed);
  EXPECT_NE(killed.error().message().find("signal 9"), std::string::npos) << killed.error().to_string();
  EXPECT_CODE(kIo, run_command("/no/such/program 2> /dev/null", kPlenty, 100));
}

TEST(RunCommand, KillsWhatWritesTooMuch) {
  EXPECT_CODE(kIo, run_command("yes", kPlenty, 1000));
  EXPECT_CODE(kIo, run_command("head -c 101 /dev/zero", kPlenty, 100));
}

TEST(RunCommand, KillsWhatRunsTooLongWithAllThatItStarted) {
  const auto place = make_posix_place();
  // The shell waits for one that is in the background; a second one has let go of the output.
  const std::string note = "echo $! >> " + place->path("ids") + "; ";
  EXPECT_CODE(
      kIo, run_command("sleep 1000 & " + note + "sleep 1000 > /dev/null & " + note + "wait", milliseconds(300), 100));
  std::ifstream ids(place->path("ids"));
  int children = 0;
  for (pid_t id = 0; ids >> id; ++children) {
    // Its new parent may take a moment to see that it is dead.
    for (int i = 0; i < 2000 && ::kill(id, 0) == 0; ++i) {
      std::ifstream status("/proc/" + std::to_string(id) + "/stat");
      std::string number, name, state;
      if (!(status >> number >> name >> state) || state == "Z") break;
      ::usleep(1000);
      EXPECT_LT(i, 1999) << "process " << id << " is alive";
    }
  }
  EXPECT_EQ(children, 2);
  EXPECT_CODE(kIo, run_command("exec > /dev/null; sleep 1000", milliseconds(50), 100));  // it let go of its output
}

TEST(EnvironmentVariable, IsFoundOrNot) {
  ASSERT_EQ(::setenv("LIGHTNING_TEST_VARIABLE", "value", 1), 0);
  EXPECT_EQ(environment_variable("LIGHTNING_TEST_VARIABLE"), "value");
  ASSERT_EQ(::unsetenv("LIGHTNING_TEST_VARIABLE"), 0);
  EXPECT_EQ(environment_variable("LIGHTNING_TEST_VARIABLE"), std::nullopt);
}

}  // namespace
}  // namespace lightning::env
