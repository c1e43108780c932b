// backup and restore as processes: round trips, beside a writer, sudden death, bad input.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "cli/support/process.h"

namespace lightning::cli::testing {
namespace {

class Backups : public ::testing::Test {
 protected:
  Outcome import(const std::string& db, const std::string& lines) {
    return run({"import", "--path", files / db, "--format", "jsonl", "--input", "-"}, lines);
  }
  Outcome backup(Arguments rest) {
    rest.insert(rest.begin(), "backup");
    return run(rest);
  }
  Outcome create() { return backup({"create", "--path", files / "db", "--to", files / "backups", "--json"}); }
  Outcome restore(const std::string& db, Arguments rest = {}) {
    rest.insert(rest.begin(), {"restore", "--from", files / "backups", "--path", files / db});
    return run(rest);
  }
  std::string everything(const std::string& db) {
    const Outcome exported = run({"export", "--path", files / db, "--format", "jsonl", "--output", "-"});
    EXPECT_EQ(exported.exit_code, 0) << exported.err;
    return exported.out;
  }
  static std::string lines(int from, int to, std::size_t value_bytes = 20) {
    std::string all;
    for (int i = from; i < to; ++i)
      all += "{\"key\":\"" + std::to_string(1'000'000 + i) + "\",\"value\":\"" + std::string(value_bytes, 'v') +
             std::to_string(i) + "\"}\n";
    return all;
  }

  TempDir files;
};

TEST_F(Backups, GoAndComeBack) {
  ASSERT_EQ(import("db", lines(0, 2000)).exit_code, 0);
  const std::string first = everything("db");
  const Outcome made = create();
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(made.out.rfind("{\"backup\":1,\"created_at\":\"20", 0), 0u) << made.out;
  EXPECT_NE(made.out.find("\"keyspaces\":[{\"name\":\"default\"}]"), std::string::npos) << made.out;
  ASSERT_EQ(import("db", lines(2000, 2100)).exit_code, 0);
  ASSERT_EQ(create().exit_code, 0);

  const Outcome listed = backup({"list", "--from", files / "backups"});
  EXPECT_EQ(listed.exit_code, 0);
  EXPECT_EQ(std::count(listed.out.begin(), listed.out.end(), '\n'), 2);
  EXPECT_EQ(listed.out.rfind("1\t20", 0), 0u) << listed.out;
  const Outcome verified = backup({"verify", "--from", files / "backups"});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  EXPECT_EQ(verified.out.rfind("no damage found (2 backups, ", 0), 0u) << verified.out;

  ASSERT_EQ(restore("newest").exit_code, 0);
  EXPECT_EQ(everything("newest"), everything("db"));
  ASSERT_EQ(restore("older", {"--number", "1"}).exit_code, 0);
  EXPECT_EQ(everything("older"), first);
  EXPECT_EQ(restore("older").exit_code, 5) << "it is not empty";
  ASSERT_EQ(restore("older", {"--replace"}).exit_code, 0);
  EXPECT_EQ(everything("older"), everything("db"));

  ASSERT_EQ(run({"put", "--path", files / "db", "--keyspace", "extra", "k", "v"}).exit_code, 0);
  ASSERT_EQ(create().exit_code, 0);
  ASSERT_EQ(restore("some", {"--only", "extra=more"}).exit_code, 0);
  EXPECT_EQ(everything("some"), "{\"keyspace\":\"more\",\"key\":\"k\",\"value\":\"v\"}\n");
  EXPECT_EQ(run({"get", "--path", files / "some", "--keyspace", "more", "k"}).out, "v\n");

  const Outcome pruned = backup({"prune", "--from", files / "backups", "--keep", "1", "--json"});
  EXPECT_EQ(pruned.exit_code, 0) << pruned.err;
  EXPECT_EQ(pruned.out.rfind("{\"removed\":[{\"backup\":1},{\"backup\":2}],", 0), 0u) << pruned.out;
  EXPECT_EQ(restore("gone", {"--number", "1"}).exit_code, 3);
  EXPECT_EQ(backup({"verify", "--from", files / "backups"}).exit_code, 0);
}

TEST_F(Backups, AreMadeWhileAnotherProcessWrites) {
  ASSERT_EQ(import("db", lines(0, 1000)).exit_code, 0);
  Child writer({"import", "--path", files / "db", "--format", "jsonl", "--input", "-", "--progress", "never"});
  ASSERT_TRUE(writer.write(lines(1000, 30'000, 500)));
  std::string previous;
  for (int i = 0; i < 3; ++i) {
    const Outcome made = create();
    ASSERT_EQ(made.exit_code, 0) << made.err;
    ASSERT_TRUE(writer.write(lines(30'000 + i * 2000, 32'000 + i * 2000, 500)));
    const std::string to = "restored" + std::to_string(i);
    ASSERT_EQ(restore(to).exit_code, 0);
    const std::string found = everything(to);
    // Keys come in order: each is a beginning of what was written, and of the next one.
    EXPECT_TRUE((lines(0, 1000) + lines(1000, 36'000, 500)).starts_with(found));
    EXPECT_GE(std::count(found.begin(), found.end(), '\n'), 1000);
    EXPECT_TRUE(found.starts_with(previous));
    previous = found;
  }
  writer.close_input();
  EXPECT_EQ(writer.wait(), 0);
}

TEST_F(Backups, ThatAreKilledGoOnWhereTheyWere) {
  // Each opening for writing makes a table of about 1 MiB of what the one before left in the log; none are merged.
  std::uint64_t x = 1;
  for (int part = 0; part < 6; ++part) {
    std::string records;
    for (int i = 0; i < 1000; ++i) {
      records += "{\"key\":\"" + std::to_string(10'000 + part * 1000 + i) + "\",\"value\":\"";
      for (int n = 0; n < 1000; ++n) records += static_cast<char>('a' + (x = x * 6364136223846793005u + 1) % 2611 % 26);
      records += "\"}\n";
    }
    ASSERT_EQ(run({"import", "--path", files / "db", "--format", "jsonl", "--input", "-", "--set",
                   "level0_compaction_trigger=12", "--set", "compression_enabled=false"},
                  records)
                  .exit_code,
              0);
  }
  // What is in the log only, a reader would write anew each time.
  ASSERT_EQ(
      run({"compact", "--path", files / "db", "--start", "zz", "--set", "level0_compaction_trigger=12"}).exit_code, 0);
  const std::string expected = everything("db");
  const std::filesystem::path stored = files / "backups/files";
  const auto whole_files = [&] {
    std::map<std::string, std::filesystem::file_time_type> times;
    std::error_code error;
    for (std::filesystem::directory_iterator it(stored, error), end; it != end; it.increment(error))
      if (it->path().extension() != ".part") times[it->path()] = std::filesystem::last_write_time(it->path(), error);
    return times;
  };
  for (int round = 0; round < 3; ++round) {
    const std::size_t before = whole_files().size();
    Child maker({"backup", "create", "--path", files / "db", "--to", files / "backups", "--rate", "3000000"});
    for (int wait = 0; wait < 500 && whole_files().size() <= before; ++wait)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    maker.kill();
    EXPECT_EQ(backup({"list", "--from", files / "backups"}).out, "");
  }
  const auto kept = whole_files();
  EXPECT_GE(kept.size(), 3u);
  ASSERT_EQ(create().exit_code, 0);
  const auto now = whole_files();
  for (const auto& [path, time] : kept) {
    ASSERT_TRUE(now.contains(path)) << path;
    EXPECT_EQ(now.at(path), time) << path << " was copied again";
  }
  for (const auto& entry : std::filesystem::directory_iterator(stored)) EXPECT_NE(entry.path().extension(), ".part");
  ASSERT_EQ(restore("restored").exit_code, 0);
  EXPECT_TRUE(everything("restored") == expected);
}

TEST_F(Backups, GoThroughPipes) {
  ASSERT_EQ(import("db", lines(0, 3000, 300)).exit_code, 0);
  const Outcome piped = run_shell("$LDB backup create --path " + files / "db" +
                                  " --to - | $LDB restore --from - --path " + files / "restored");
  ASSERT_EQ(piped.exit_code, 0) << piped.err;
  EXPECT_EQ(everything("restored"), everything("db"));
  const Outcome cut = run_shell("$LDB backup create --path " + files / "db" +
                                " --to - | head -c 5000 | $LDB restore --from - --path " + files / "cut");
  EXPECT_EQ(cut.exit_code, 10);
  EXPECT_NE(cut.err.find("ends early, at byte 5000"), std::string::npos) << cut.err;
  EXPECT_EQ(run({"restore", "--from", "-", "--path", files / "none"}, "not a backup at all").exit_code, 10);
  EXPECT_EQ(run({"restore", "--from", "-", "--path", files / "restored"}, "").exit_code, 10);
  EXPECT_EQ(run({"restore", "--from", "-", "--path", files / "x", "--replace"}, "").exit_code, 5);
}

TEST_F(Backups, RefuseWhatMakesNoSense) {
  ASSERT_EQ(import("db", lines(0, 10)).exit_code, 0);
  const auto fails = [&](const Outcome& outcome, int exit_code, const std::string& says) {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_NE(outcome.err.find(says), std::string::npos) << outcome.err;
  };
  fails(backup({"create", "--path", files / "db"}), 2, "--to");
  fails(backup({"list"}), 2, "--from");
  fails(backup({"prune", "--from", files / "backups"}), 2, "--keep");
  fails(backup({"prune", "--from", files / "backups", "--keep", "0"}), 2, "--keep");
  fails(backup({"burn", "--from", files / "backups"}), 2, "choose create, list, verify or prune");
  fails(run({"restore", "--path", files / "db"}), 2, "--from");
  fails(run({"restore", "--from", files / "backups"}), 2, "--path");
  fails(backup({"create", "--path", files / "db", "--to", files / "db"}), 5, "directory of a database");
  fails(backup({"create", "--path", files / "db", "--to", files / "db/wal/x"}), 5, "directory of a database");
  fails(run_shell("cd " + files / "db" + " && mkdir sub && $LDB backup create --path . --to sub/backups"), 5,
        "directory of a database");
  fails(run_shell("ln -s " + files / "db/sub" + " " + files / "link && $LDB backup create --path " + files / "db" +
                  " --to " + files / "link"),
        5, "directory of a database");
  fails(backup({"create", "--path", files / "nothing", "--to", files / "backups"}), 3, "no ");
  EXPECT_FALSE(std::filesystem::exists(files / "backups"));
  fails(backup({"list", "--from", files / "backups"}), 3, "no backup repository");
  ASSERT_EQ(create().exit_code, 0);
  fails(restore("db"), 5, "not empty");
  fails(restore("new", {"--number", "9"}), 3, "no backup 9");
  // An altered one.
  for (const auto& entry : std::filesystem::directory_iterator(files / "backups/files")) {
    std::string bytes = read_file(entry.path());
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_file(entry.path(), bytes);
    fails(restore("new"), 10, entry.path().filename());
    fails(run({"scan", "--path", files / "new"}), 8, "being restored");
    const Outcome verified = backup({"verify", "--from", files / "backups", "--json"});
    EXPECT_EQ(verified.exit_code, 10);
    EXPECT_NE(verified.out.find(entry.path().filename()), std::string::npos) << verified.out;
    EXPECT_NE(verified.out.find("\"damaged_backups\":[{\"backup\":1}]"), std::string::npos) << verified.out;
  }
}

}  // namespace
}  // namespace lightning::cli::testing
