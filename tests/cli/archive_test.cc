// archive, and recover to a moment, as processes.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "cli/support/process.h"

namespace lightning::cli::testing {
namespace {

class Archives : public ::testing::Test {
 protected:
  Archives() {
    put("first");
    EXPECT_EQ(run({"backup", "create", "--path", files / "db", "--to", files / "backups"}).exit_code, 0);
    put("second");
    put("third");
  }
  void put(const std::string& key) {
    const Outcome put = run({"put", "--path", files / "db", "--set", "archive_directory=" + files / "kept", key, "1"});
    EXPECT_EQ(put.exit_code, 0) << put.err;
  }
  Outcome recover(const std::string& to, const std::string& path, Arguments rest = {}) {
    rest.insert(rest.begin(), {"recover", "--from", files / "backups", "--archive", files / "kept", "--to", to,
                               "--path", files / path});
    return run(rest);
  }
  std::string keys(const std::string& db) {
    const Outcome scanned = run({"scan", "--path", files / db, "--keys-only"});
    EXPECT_EQ(scanned.exit_code, 0) << scanned.err;
    return scanned.out;
  }
  TempDir files;
};

TEST_F(Archives, GoBackToACommitATimeAndTheEnd) {
  ASSERT_EQ(recover("2", "two").exit_code, 0);
  EXPECT_EQ(keys("two"), "first\nsecond\n");
  const Outcome end = recover("latest", "end", {"--json"});
  ASSERT_EQ(end.exit_code, 0) << end.err;
  EXPECT_EQ(end.out.rfind("{\"dry_run\":false,\"sequence\":3,", 0), 0u) << end.out;
  EXPECT_EQ(keys("end"), "first\nsecond\nthird\n");
  const std::size_t at = end.out.find("\"last_time\":\"") + 13;
  const std::string last = end.out.substr(at, end.out.find('"', at) - at);
  ASSERT_EQ(recover(last, "then").exit_code, 0) << last;
  EXPECT_EQ(keys("then"), "first\nsecond\nthird\n");
}

TEST_F(Archives, ADryRunTellsThePlanAndMakesNothing) {
  const Outcome plan = recover("3", "out", {"--dry-run"});
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_EQ(plan.out.rfind("would recover to sequence 3 of 20", 0), 0u) << plan.out;
  EXPECT_NE(plan.out.find("backup 1 of 20"), std::string::npos) << plan.out;
  EXPECT_NE(plan.out.find("there is sequence 1 to 3"), std::string::npos) << plan.out;
  EXPECT_FALSE(std::filesystem::exists(files / "out"));
}

TEST_F(Archives, AreListedAndVerified) {
  const Outcome listed = run({"archive", "list", files / "kept"});
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_EQ(std::count(listed.out.begin(), listed.out.end(), '\n'), 3) << listed.out;
  EXPECT_EQ(listed.out.rfind("000000000001.history\tsequences 1 to 1\t20", 0), 0u) << listed.out;
  const Outcome whole = run({"archive", "verify", files / "kept"});
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_EQ(whole.out.rfind("one unbroken history (3 files, 3 commits, ", 0), 0u) << whole.out;

  std::filesystem::remove(files / "kept" + "/000000000002.history");
  const Outcome gap = run({"archive", "verify", files / "kept"});
  EXPECT_EQ(gap.exit_code, 10);
  EXPECT_NE(gap.out.find("000000000002.history is missing, with sequences 2 to 2"), std::string::npos) << gap.out;
  const Outcome stopped = recover("3", "out");
  EXPECT_EQ(stopped.exit_code, 10) << stopped.err;
  EXPECT_NE(stopped.err.find("before it, sequence 1 ("), std::string::npos) << stopped.err;
  EXPECT_FALSE(std::filesystem::exists(files / "out"));
}

TEST_F(Archives, MistakesAreToldWithWhatToDo) {
  const Outcome late = recover("99", "out");
  EXPECT_EQ(late.exit_code, 5) << late.err;
  EXPECT_NE(late.err.find("there is sequences 1 to 3, 20"), std::string::npos) << late.err;
  const Outcome when = recover("yesterday", "out");
  EXPECT_EQ(when.exit_code, 2) << when.err;
  EXPECT_NE(when.err.find("2026-11-23T10:00:00Z"), std::string::npos) << when.err;
  EXPECT_EQ(run({"recover", "--from", files / "backups", "--path", files / "out"}).exit_code, 2);
  EXPECT_EQ(run({"archive", "burn", files / "kept"}).exit_code, 2);
  const Outcome none = run({"archive", "list", files / "backups"});
  EXPECT_EQ(none.exit_code, 3) << none.err;
  const Outcome both = run(
      {"put", "--path", files / "db", "--set", "archive_directory=a", "--set", "archive_command=cp %p %f", "k", "v"});
  EXPECT_NE(both.err.find("are both given"), std::string::npos) << both.err;
}

}  // namespace
}  // namespace lightning::cli::testing
