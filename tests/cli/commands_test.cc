// lightning_db as a process: what it prints, where, and with which exit code.
#include <gtest/gtest.h>

#include <filesystem>

#include "cli/support/process.h"
#include "lightning/config.h"

namespace lightning::cli::testing {
namespace {

// A directory with a database in it that every test can write to.
class Commands : public ::testing::Test {
 protected:
  Outcome ldb(const std::string& command, Arguments rest = {}, std::string_view input = "",
              const Environment& environment = {}) {
    Arguments arguments{command, "--path", db};
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    return run(arguments, input, environment);
  }
  void put(const std::string& key, const std::string& value) {
    const Outcome outcome = ldb("put", {key, value});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }

  TempDir files;
  const std::string db = files / "db";
};

void expect_failure(const Outcome& outcome, int exit_code, std::string_view part) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  EXPECT_NE(outcome.err.find(part), std::string::npos) << "missing \"" << part << "\" in: " << outcome.err;
  EXPECT_EQ(outcome.out, "") << "standard output is for data";
}

// --- point commands -----------------------------------------------------------------------------------------

TEST_F(Commands, PutGetDelete) {
  put("id:7", "paid");
  EXPECT_EQ(ldb("get", {"id:7"}).out, "paid\n");
  EXPECT_EQ(ldb("get", {"id:7", "--json"}).out, "{\"key\":\"id:7\",\"value\":\"paid\"}\n");
  EXPECT_EQ(ldb("get", {"id:7", "--raw"}).out, "paid");
  EXPECT_EQ(ldb("get", {"id:7", "--hex"}).out, "70616964\n");
  EXPECT_EQ(ldb("delete", {"id:7"}).exit_code, 0);
  expect_failure(ldb("get", {"id:7"}), 12, "error[LDB-1017]");
  EXPECT_EQ(ldb("delete", {"id:7"}).exit_code, 0) << "absence is no error";
}

TEST_F(Commands, DeleteTakesARangeToo) {
  for (const char* key : {"a1", "a2", "b1", "b2", "c1"}) put(key, "v");
  const auto keys = [&] { return ldb("scan", {"--keys-only"}).out; };
  EXPECT_EQ(ldb("delete", {"--start", "a2", "--end", "b2"}).exit_code, 0);
  EXPECT_EQ(keys(), "a1\nb2\nc1\n");
  EXPECT_EQ(ldb("delete", {"--prefix", "b", "--start", "b0"}).exit_code, 0);
  EXPECT_EQ(ldb("delete", {"--prefix", "a", "--start", "b"}).exit_code, 0) << "no key is in both";
  EXPECT_EQ(keys(), "a1\nc1\n");
  expect_failure(ldb("delete", {"--start", "c", "--end", "a"}), 5, "LDB-1006");
  expect_failure(ldb("delete", {}), 2, "--all");
  expect_failure(ldb("delete", {"a1", "--all"}), 2, "either a key");
  expect_failure(ldb("delete", {"a1", "--prefix", "a"}), 2, "either a key");
  EXPECT_EQ(keys(), "a1\nc1\n");
  EXPECT_EQ(ldb("delete", {"--all", "--sync"}).exit_code, 0);
  EXPECT_EQ(keys(), "");
}

TEST_F(Commands, DeleteOfARangeKeepsCountsAndIndexesInStep) {
  EXPECT_EQ(ldb("keyspace", {"create", "people", "--counted"}).exit_code, 0);
  const auto in_people = [&](const char* command, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--keyspace", "people"});
    return ldb(command, arguments);
  };
  for (const char* name : {"ann", "bob", "cid"}) EXPECT_EQ(in_people("put", {name, R"({"city":"Oslo"})"}).exit_code, 0);
  EXPECT_EQ(in_people("index", {"create", "by_city", "--json-pointer", "/city"}).exit_code, 0);
  EXPECT_EQ(in_people("delete", {"--start", "b"}).exit_code, 0);
  EXPECT_EQ(in_people("index", {"query", "by_city", "--equals", "Oslo"}).out, "Oslo\tann\n");
  EXPECT_EQ(in_people("count", {}).out, "1\n");
  EXPECT_EQ(ldb("check", {}).exit_code, 0);
}

TEST_F(Commands, BinaryKeysAndValuesGoInAndOut) {
  put("hex:00ff", "base64:AP8B");
  EXPECT_EQ(ldb("get", {"base64:AP8=", "--hex"}).out, "00ff01\n");
  EXPECT_EQ(ldb("get", {"hex:00ff", "--raw"}).out, std::string("\x00\xff\x01", 3));
  EXPECT_EQ(ldb("scan", {"--json"}).out, "{\"key_base64\":\"AP8=\",\"value_base64\":\"AP8B\"}\n");
  EXPECT_EQ(ldb("scan", {"--escape"}).out, "\\x00\\xff\t\\x00\\xff\\x01\n");
}

TEST_F(Commands, ValuesMayComeFromStandardInput) {
  const std::string value("a\nb\0c", 5);
  EXPECT_EQ(ldb("put", {"k", "--value-file", "-"}, value).exit_code, 0);
  EXPECT_EQ(ldb("get", {"k", "--raw"}).out, value);
  expect_failure(ldb("put", {"k"}), 2, "value");
  expect_failure(ldb("put", {"k", "v", "--value-file", "-"}), 2, "either");
}

TEST_F(Commands, MergesByTheKeyspacesOperator) {
  EXPECT_EQ(ldb("keyspace", {"create", "hits", "--merge-operator", "add"}).exit_code, 0);
  EXPECT_EQ(ldb("keyspace", {"create", "sessions", "--default-ttl", "30m"}).exit_code, 0);
  EXPECT_EQ(ldb("keyspace", {"list"}).out, "default\nhits  merge-operator=add\nsessions  default-ttl=1800000ms\n");
  EXPECT_EQ(ldb("keyspace", {"list", "--json"}).out,
            "{\"name\":\"default\"}\n{\"name\":\"hits\",\"merge_operator\":\"add\"}\n"
            "{\"name\":\"sessions\",\"default_ttl_ms\":1800000}\n");
  for (const char* operand : {"5", "+3", "-10"})
    EXPECT_EQ(ldb("merge", {"--keyspace", "hits", "--", "page", operand}).exit_code, 0);
  EXPECT_EQ(ldb("get", {"--keyspace", "hits", "--number", "page"}).out, "-2\n");
  expect_failure(ldb("merge", {"--keyspace", "hits", "page", "two"}), 5, "64-bit integer");
  expect_failure(ldb("merge", {"page", "1"}), 5, "no merge operator");
  expect_failure(ldb("keyspace", {"create", "odd", "--merge-operator", "multiply"}), 5, "add, append, max, min");
  expect_failure(ldb("keyspace", {"drop"}), 2, "missing");
  expect_failure(ldb("keyspace", {"rename", "a"}), 2, "create, list and drop");
  EXPECT_EQ(ldb("keyspace", {"drop", "hits"}).exit_code, 0);
  EXPECT_EQ(ldb("keyspace", {"list"}).out, "default\nsessions  default-ttl=1800000ms\n");
}

TEST_F(Commands, KeysWithATimeToLiveSayHowLongTheyLive) {
  EXPECT_EQ(ldb("put", {"k", "v", "--ttl", "7d"}).exit_code, 0);
  EXPECT_EQ(ldb("put", {"short", "v", "--ttl", "1ms"}).exit_code, 0);
  put("ever", "v");
  const std::string left = ldb("ttl", {"k"}).out;
  EXPECT_GT(std::stoll(left), 6 * 86'400'000ll) << left;
  EXPECT_LE(std::stoll(left), 7 * 86'400'000ll) << left;
  EXPECT_EQ(ldb("ttl", {"ever"}).out, "never\n");
  EXPECT_EQ(ldb("ttl", {"ever", "--json"}).out, "{\"expires_at\":null,\"remaining_ms\":null}\n");
  expect_failure(ldb("ttl", {"none"}), 12, "no key");
  expect_failure(ldb("get", {"short"}), 12, "no key");  // processes later
  expect_failure(ldb("put", {"k", "v", "--ttl", "soon"}), 5, "not a duration");
  expect_failure(ldb("put", {"k", "v", "--ttl", "0s"}), 5, "at least 1 ms");
  for (const char* wrong : {"-1s", "9223372036854775807ms", "9000y", "99999999999999999999d", "3000000d"})
    EXPECT_EQ(ldb("put", {"k", "w", "--ttl", wrong}).exit_code, 5) << wrong;
  for (const char* wrong : {"-1s", "9223372036854775807ms"})
    EXPECT_EQ(ldb("keyspace", {"create", "odd", "--default-ttl", wrong}).exit_code, 5) << wrong;
  EXPECT_EQ(ldb("get", {"k"}).out, "v\n");
  EXPECT_EQ(ldb("keyspace", {"list"}).out, "default\n");
}

TEST_F(Commands, RecoverTellsWhatEachStageFound) {
  put("k", "v");
  const Outcome looked = ldb("recover", {"--dry-run", "--json"});
  EXPECT_EQ(looked.exit_code, 0) << looked.err;
  EXPECT_NE(looked.out.find(R"("read_only":true)"), std::string::npos) << looked.out;
  EXPECT_NE(looked.out.find(R"("commits":1,)"), std::string::npos) << "the dry run left the record in the log";
  const Outcome recovered = ldb("recover");
  EXPECT_EQ(recovered.exit_code, 0) << recovered.err;
  for (const char* stage : {"Initialization", "WalValidation", "Finalization"})
    EXPECT_NE(recovered.out.find(stage), std::string::npos) << recovered.out;
  EXPECT_NE(ldb("recover", {"--json"}).out.find(R"("commits":0,)"), std::string::npos) << "it is in a table now";
  EXPECT_EQ(ldb("get", {"k"}).out, "v\n");
}

TEST_F(Commands, RecoverNamesTheStageThatFailed) {
  const Outcome failed = ldb("recover", {"--json"});  // there is no database, and none is made
  EXPECT_EQ(failed.exit_code, 3);
  EXPECT_NE(failed.out.find(R"({"stage":"Initialization","outcome":"failed")"), std::string::npos) << failed.out;
  EXPECT_NE(failed.out.find(R"("error_name":"DatabaseNotFound")"), std::string::npos) << failed.out;
  expect_failure(ldb("get", {"k"}), 3, "LDB-1011");
}

TEST_F(Commands, EmptyAndOversizedKeysAreRefused) {
  expect_failure(ldb("put", {"", "v"}), 5, "LDB-1002");
  expect_failure(ldb("put", {std::string(65537, 'k'), "v"}), 5, "LDB-1003");
  EXPECT_EQ(ldb("put", {std::string(65536, 'k'), "v"}).exit_code, 0);
  expect_failure(ldb("put", {"hex:0", "v"}), 5, "LDB-1001");
}

TEST_F(Commands, KeyspacesAreSeparate) {
  put("k", "default");
  EXPECT_EQ(ldb("put", {"--keyspace", "other", "k", "other"}).exit_code, 0);
  EXPECT_EQ(ldb("get", {"k"}).out, "default\n");
  EXPECT_EQ(ldb("get", {"--keyspace", "other", "k"}).out, "other\n");
  expect_failure(ldb("get", {"--keyspace", "third", "k"}), 3, "LDB-1009");
}

// --- ranges -------------------------------------------------------------------------------------------------

TEST_F(Commands, ScanWalksRangesBothWays) {
  for (const char* key : {"a1", "a2", "b1", "b2", "c1"}) put(key, "v");
  EXPECT_EQ(ldb("scan", {"--keys-only"}).out, "a1\na2\nb1\nb2\nc1\n");
  EXPECT_EQ(ldb("scan", {"--prefix", "b"}).out, "b1\tv\nb2\tv\n");
  EXPECT_EQ(ldb("scan", {"--start", "a2", "--end", "b2", "--keys-only"}).out, "a2\nb1\n");
  EXPECT_EQ(ldb("scan", {"--reverse", "--limit", "2", "--keys-only"}).out, "c1\nb2\n");
  EXPECT_EQ(ldb("scan", {"--start", "b", "--end", "b"}).out, "");
  EXPECT_EQ(ldb("count").out, "5\n");
  EXPECT_EQ(ldb("count", {"--prefix", "a", "--json"}).out, "{\"count\":2,\"exact\":true}\n");
  EXPECT_EQ(ldb("count", {"--estimate", "--json"}).out, "{\"count\":5,\"exact\":false}\n");
  EXPECT_EQ(ldb("count", {"--exact"}).out, "5\n");
  EXPECT_GT(std::stoull(ldb("count", {"--prefix", "a", "--bytes"}).out), 0u);
  EXPECT_EQ(ldb("count", {"--estimate", "--prefix", "a"}).exit_code, 2);
  expect_failure(ldb("scan", {"--start", "z", "--end", "a"}), 5, "LDB-1006");
  expect_failure(ldb("count", {"--start", "z", "--end", "a"}), 5, "LDB-1006");
}

// --- indexes ------------------------------------------------------------------------------------------------

TEST_F(Commands, IndexesAreMadeAskedRebuiltAndDropped) {
  put("ann", R"({"city":"Oslo","age":31})");
  put("bob", R"({"city":"Bergen","age":9})");
  put("cid", R"({"city":"Oslo","age":100})");
  EXPECT_EQ(ldb("index", {"create", "by_city", "--json-pointer", "/city"}).exit_code, 0);
  EXPECT_EQ(ldb("index", {"create", "by_age", "--json-pointer", "/age", "--unique"}).exit_code, 0);
  EXPECT_EQ(ldb("index", {"query", "by_city", "--equals", "Oslo"}).out, "Oslo\tann\nOslo\tcid\n");
  EXPECT_EQ(ldb("index", {"query", "by_city", "--prefix", "B"}).out, "Bergen\tbob\n");
  EXPECT_EQ(ldb("index", {"query", "by_age", "--from", "10", "--reverse"}).out, "100\tcid\n31\tann\n");
  EXPECT_EQ(ldb("index", {"query", "by_age", "--to", "9", "--json"}).out, "{\"value\":9,\"key\":\"bob\"}\n");
  const Outcome first = ldb("index", {"query", "by_age", "--limit", "2"});
  EXPECT_EQ(first.out, "9\tbob\n31\tann\n");
  const std::string token = first.err.substr(first.err.find("--after ") + 8);
  EXPECT_EQ(ldb("index", {"query", "by_age", "--after", token.substr(0, token.find('\n'))}).out, "100\tcid\n");
  expect_failure(ldb("put", {"dan", R"({"age":9})"}), 5, "LDB-1042");
  expect_failure(ldb("put", {"dan", "not json"}), 5, "LDB-1043");
  EXPECT_EQ(ldb("check").exit_code, 0);
  EXPECT_EQ(ldb("index", {"rebuild", "by_age"}).exit_code, 0);
  EXPECT_NE(ldb("index", {"list"}).out.find("by_age\tready, unique\tjson /age"), std::string::npos);
  EXPECT_EQ(ldb("index", {"drop", "by_age"}).exit_code, 0);
  expect_failure(ldb("index", {"query", "by_age"}), 3, "LDB-1040");
  expect_failure(ldb("index", {"create", "by_city", "--field", "0"}), 4, "LDB-1041");
  EXPECT_EQ(ldb("index", {"create", "x"}).exit_code, 2);
  EXPECT_EQ(ldb("index", {"create", "x", "--bytes", "1+"}).exit_code, 2);
  EXPECT_EQ(ldb("index", {"frob", "x"}).exit_code, 2);
}

TEST_F(Commands, WhatCannotBeIndexedIsRefusedOrLeftOutAsTheIndexSays) {
  put("ann", R"({"city":"Oslo"})");
  EXPECT_EQ(ldb("index", {"create", "by_city", "--json-pointer", "/city"}).exit_code, 0);
  expect_failure(ldb("put", {"bob", "not json"}), 5, "LDB-1043");
  expect_failure(ldb("get", {"bob"}), 12, "no key");
  EXPECT_EQ(ldb("index", {"drop", "by_city"}).exit_code, 0);
  put("bob", "not json");
  expect_failure(ldb("index", {"create", "by_city", "--json-pointer", "/city"}), 5, "LDB-1043");
  EXPECT_EQ(ldb("index", {"list"}).out, "");
  EXPECT_EQ(ldb("index", {"create", "by_city", "--json-pointer", "/city", "--leave-out"}).exit_code, 0);
  put("cid", "nor this");
  EXPECT_EQ(ldb("index", {"query", "by_city"}).out, "Oslo\tann\n");
  for (const char* action : {"query", "rebuild", "drop"})
    expect_failure(ldb("index", {action, "by_age"}), 3, "LDB-1040");
  EXPECT_EQ(ldb("check").exit_code, 0);
}

TEST_F(Commands, AClosedPipeEndsQuietly) {
  std::string lines;
  for (int i = 0; i < 50'000; ++i)
    lines += "{\"key\":\"" + std::to_string(i) + "\",\"value\":\"" + std::string(50, 'x') + "\"}\n";
  ASSERT_EQ(ldb("import", {}, lines).exit_code, 0);
  for (const char* command : {"scan", "export", "export --format csv"}) {
    const Outcome outcome =
        run_shell(std::string("$LDB ") + command + " --path " + db + " | head -1 | wc -l; echo ${PIPESTATUS[0]}");
    EXPECT_EQ(outcome.out, "1\n0\n") << command;
    EXPECT_EQ(outcome.err, "") << command;
  }
}

TEST_F(Commands, AFullDiskUnderTheOutputIsAnError) {
  put("k", "v");
  const Outcome outcome = run_shell("$LDB scan --path " + db + " > /dev/full");
  EXPECT_EQ(outcome.exit_code, 7);
  EXPECT_NE(outcome.err.find("LDB-3002"), std::string::npos) << outcome.err;
}

// --- the database itself --------------------------------------------------------------------------------------

TEST_F(Commands, ReadingNeverCreatesADatabase) {
  for (const char* command : {"scan", "count", "stats", "check", "compact", "export"}) {
    expect_failure(ldb(command), 3, "LDB-1011");
    EXPECT_FALSE(std::filesystem::exists(db)) << command;
  }
  expect_failure(ldb("get", {"k"}), 3, "LDB-1011");
  expect_failure(ldb("delete", {"k"}), 3, "LDB-1011");
  EXPECT_FALSE(std::filesystem::exists(db));
}

TEST_F(Commands, WhatIsNotADatabaseIsLeftAlone) {
  std::filesystem::create_directory(db);
  write_file(db + "/letter.txt", "dear");
  expect_failure(ldb("put", {"k", "v"}), 8, "LDB-1013");
  EXPECT_EQ(read_file(db + "/letter.txt"), "dear");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(db), {}), 1);
}

TEST_F(Commands, AFileInTheWayIsNamed) {
  write_file(db, "a file");
  const Outcome writing = ldb("put", {"k", "v"}), reading = ldb("get", {"k"});
  EXPECT_TRUE(writing.exit_code == 8 || writing.exit_code == 7) << writing.err;
  EXPECT_TRUE(reading.exit_code == 8 || reading.exit_code == 7 || reading.exit_code == 3) << reading.err;
  EXPECT_NE(writing.err.find(db), std::string::npos) << writing.err;
  EXPECT_EQ(read_file(db), "a file");
}

TEST_F(Commands, AnExistingDatabaseCanBeRefused) {
  put("k", "v");
  expect_failure(ldb("put", {"--set", "error_if_exists=true", "k", "v"}), 4, "LDB-1012");
}

TEST_F(Commands, ASecondWriterIsToldWhoHoldsTheDatabase) {
  put("k", "before");
  Child writer({"import", "--path", db, "--progress", "always", "--set", "wal_sync_mode=async"});
  // The first report tells that the writer has opened the database; then it waits for more input.
  while (!writer.has_error_line()) ASSERT_TRUE(writer.write("{\"key\":\"a\",\"value\":\"b\"}\n"));
  const Outcome second = ldb("put", {"k", "v"});
  expect_failure(second, 8, "LDB-2001");
  EXPECT_NE(second.err.find(std::to_string(writer.pid())), std::string::npos) << second.err;
  EXPECT_EQ(ldb("get", {"k"}).out, "before\n") << "reading works beside a writer";
  EXPECT_EQ(ldb("count").exit_code, 0);
  EXPECT_EQ(ldb("stats").exit_code, 0);
  writer.close_input();
  EXPECT_EQ(writer.wait(), 0);
}

TEST_F(Commands, CheckFindsDamage) {
  std::string lines;
  for (int i = 0; i < 2000; ++i)
    lines += "{\"key\":\"" + std::to_string(i) + "\",\"value\":\"" + std::string(100, 'x') + "\"}\n";
  ASSERT_EQ(ldb("import", {}, lines).exit_code, 0);
  ASSERT_EQ(ldb("compact").exit_code, 0);
  const Outcome sound = ldb("check", {"--json"});
  EXPECT_EQ(sound.exit_code, 0) << sound.out << sound.err;
  EXPECT_NE(sound.out.find("\"damaged\":false"), std::string::npos) << sound.out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(db))
    if (entry.path().extension() == ".sst") {
      std::string bytes = read_file(entry.path());
      bytes[bytes.size() / 3] ^= 1;
      write_file(entry.path(), bytes);
    }
  const Outcome damaged = ldb("check");
  EXPECT_EQ(damaged.exit_code, 10) << damaged.out << damaged.err;
}

TEST_F(Commands, StatsAndCompactAndInspectSpeakJson) {
  for (int i = 0; i < 3; ++i) put("k" + std::to_string(i), "v");
  const Outcome compacted = ldb("compact", {"--json"});
  EXPECT_EQ(compacted.exit_code, 0) << compacted.err;
  EXPECT_EQ(compacted.out.rfind("{\"bytes_before\":", 0), 0u) << compacted.out;
  const Outcome stats = ldb("stats", {"--json"});
  EXPECT_EQ(stats.exit_code, 0) << stats.err;
  for (const char* field : {"\"bytes_on_disk\":", "\"keyspaces\":[{\"name\":\"default\"",
                            "\"loss_window\":", "\"cache_hit_rate\":", "\"p999_us\":"})
    EXPECT_NE(stats.out.find(field), std::string::npos) << field << " in " << stats.out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(db)) {
    const std::string name = entry.path().filename().string();
    const bool is_table = entry.path().extension() == ".sst";
    if (!is_table && name.rfind("MANIFEST-", 0) != 0) continue;
    const Outcome inspected =
        run({"inspect", is_table ? "sst" : "manifest", entry.path().string(), "--json", "--entries"});
    EXPECT_EQ(inspected.exit_code, 0) << name << inspected.err;
    EXPECT_NE(inspected.out.find(is_table ? "\"fact\":\"entry\",\"key\":\"k1\"" : "\"fact\":\"record\""),
              std::string::npos)
        << inspected.out;
  }
}

TEST_F(Commands, InspectShowsALogRecordByRecord) {
  std::string lines;
  for (int i = 1000; i < 2500; ++i) lines += "{\"key\":\"" + std::to_string(i) + "\",\"value\":\"\"}\n";
  ASSERT_EQ(ldb("import", {}, lines).exit_code, 0);  // in two batches
  std::string records, segments;
  for (const auto& entry : std::filesystem::directory_iterator(db + "/wal")) {
    const Outcome inspected = run({"inspect", "wal", entry.path().string(), "--json"});
    EXPECT_EQ(inspected.exit_code, 0) << inspected.err;
    const std::size_t segment = inspected.out.find("{\"fact\":\"segment\"");
    ASSERT_NE(segment, std::string::npos) << inspected.out;
    records += inspected.out.substr(0, segment);
    segments += inspected.out.substr(segment);
    EXPECT_NE(run({"inspect", "wal", entry.path().string()}).out.find("segment number="), std::string::npos);
  }
  for (const char* batch : {"\"first_sequence\":1,\"operations\":1000,", "\"first_sequence\":1001,\"operations\":500,"})
    EXPECT_NE(records.find(batch), std::string::npos) << batch << " in " << records;
  EXPECT_NE(segments.find("\"sealed\":\"yes\""), std::string::npos) << segments;
  expect_failure(run({"inspect", "wal", db + "/SUPERBLOCK"}), 5, "SUPERBLOCK");
}

TEST_F(Commands, LargeValuesGoThroughFilesAndLieInBlobFiles) {
  std::string value;
  for (int i = 0; i < 400'000; ++i) value += std::to_string(i);
  write_file(files / "in", value);
  EXPECT_EQ(ldb("put", {"film", "--value-file", files / "in"}).exit_code, 0);
  EXPECT_EQ(ldb("get", {"film", "--output", files / "out"}).out, "");
  EXPECT_TRUE(read_file(files / "out") == value);
  EXPECT_TRUE(ldb("get", {"film", "--output", "-"}).out == value);
  EXPECT_TRUE(ldb("get", {"film", "--raw"}).out == value);
  expect_failure(ldb("get", {"none", "--output", files / "out"}), 12, "error[LDB-1017]");
  EXPECT_TRUE(read_file(files / "out") == value) << "what was there stays";
  expect_failure(ldb("put", {"k", "--value-file", files / "absent"}), 7, "absent");

  ASSERT_EQ(ldb("compact").exit_code, 0);
  const Outcome stats = ldb("stats", {"--json"});
  EXPECT_NE(stats.out.find("\"blobs\":{\"files\":1,"), std::string::npos) << stats.out;
  EXPECT_NE(stats.out.find("\"space_amplification\":1."), std::string::npos) << stats.out;
  EXPECT_NE(ldb("stats").out.find("1 large values"), std::string::npos);
  EXPECT_NE(ldb("check").out.find("1 large values"), std::string::npos);
  for (const char* format : {"dump", "jsonl"}) {
    const std::string copy = files / ("copy-" + std::string(format)), exported = files / format;
    EXPECT_EQ(ldb("export", {"--output", exported, "--format", format}).exit_code, 0);
    EXPECT_EQ(run({"import", "--path", copy, "--input", exported, "--format", format}).exit_code, 0);
    EXPECT_TRUE(run({"get", "--path", copy, "film", "--raw"}).out == value) << format;
  }
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(db + "/blobs")) {
    const std::string file = entry.path().string();
    const Outcome inspected = run({"inspect", "blob", file, "--json", "--entries"});
    EXPECT_EQ(inspected.exit_code, 0) << inspected.err;
    EXPECT_NE(inspected.out.find("\"fact\":\"record\",\"key\":\"film\""), std::string::npos) << inspected.out;
    std::string bytes = read_file(entry.path());
    bytes[bytes.size() / 2] ^= 1;
    write_file(entry.path(), bytes);
    const Outcome damaged = ldb("check");
    EXPECT_EQ(damaged.exit_code, 10) << damaged.out << damaged.err;
    EXPECT_NE(damaged.out.find(file), std::string::npos) << damaged.out;
    expect_failure(ldb("get", {"film", "--output", files / "new"}), 10, file);
    EXPECT_FALSE(std::filesystem::exists(files / "new"));
    ++found;
  }
  EXPECT_EQ(found, 1);
  EXPECT_EQ(ldb("keyspace", {"create", "inline", "--blob-threshold", "never"}).exit_code, 0);
  EXPECT_NE(ldb("keyspace", {"list"}).out.find("blob-threshold=never"), std::string::npos);
  EXPECT_NE(ldb("keyspace", {"create", "k", "--blob-threshold", "3"}).exit_code, 0);
}

// --- usage --------------------------------------------------------------------------------------------------

TEST(Usage, MistakesAreExitCodeTwoWithASuggestion) {
  expect_failure(run({}), 2, "a command is missing");
  expect_failure(run({"scna"}), 2, "did you mean scan?");
  expect_failure(run({"scan", "--prefx", "a"}), 2, "did you mean --prefix?");
  expect_failure(run({"get"}), 2, "key");
  expect_failure(run({"get", "k"}), 2, "--path");
  expect_failure(run({"bench", "--workload", "fillsek"}), 2, "did you mean fillseq?");
  expect_failure(run({"get", "k", "--json"}), 2, "\"exit_code\":2");
}

TEST(Usage, HelpBeginsWithExamples) {
  const Outcome outcome = run({"scan", "-h"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_LT(outcome.out.find("Examples:"), outcome.out.find("--prefix"));
  EXPECT_EQ(run({"help", "scan"}).out, outcome.out);
  EXPECT_NE(run({"--help"}).out.find("import"), std::string::npos);
  EXPECT_EQ(run({"--version"}).out, run({"version"}).out);
  EXPECT_NE(run({"version", "--features"}).out.find("LIGHTNING_WITH_YAML=ON"), std::string::npos);
}

TEST(Usage, CompletionsAreValidAndKnowEveryCommand) {
  const Outcome bash = run_shell("$LDB completion bash | bash -n && $LDB completion bash");
  EXPECT_EQ(bash.exit_code, 0) << bash.err;
  for (const char* command : {"put", "get", "delete", "scan", "count", "import", "export", "check", "backup", "restore",
                              "stats", "compact", "config", "bench", "inspect", "version", "help", "completion"}) {
    EXPECT_NE(bash.out.find(std::string("    ") + command + ") words="), std::string::npos) << command;
    EXPECT_NE(run({"completion", "fish"}).out.find(std::string("-a ") + command + " "), std::string::npos) << command;
    EXPECT_NE(run({"completion", "zsh"}).out.find(std::string("'") + command + ":"), std::string::npos) << command;
  }
  expect_failure(run({"completion", "csh"}), 2, "bash, zsh and fish");
}

TEST(Usage, TheCompletionsThatAreInstalledAreTheProgramsOwn) {
  const std::string folder = LIGHTNING_SOURCE_DIR "/completions/";
  EXPECT_EQ(read_file(folder + "lightning_db.bash"), run({"completion", "bash"}).out)
      << "write it again with `completion bash`";
  EXPECT_EQ(read_file(folder + "_lightning_db"), run({"completion", "zsh"}).out)
      << "write it again with `completion zsh`";
  EXPECT_EQ(read_file(folder + "lightning_db.fish"), run({"completion", "fish"}).out)
      << "write it again with `completion fish`";
}

TEST(Usage, ErrorsAreJsonWhenAsked) {
  const Outcome outcome = run({"get", "--path", "/nonexistent/db", "k", "--json"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.err.rfind("{\"error\":{\"code\":\"LDB-1011\",\"name\":\"DatabaseNotFound\"", 0), 0u) << outcome.err;
  EXPECT_NE(outcome.err.find("\"exit_code\":3}}"), std::string::npos);
}

// --- configuration --------------------------------------------------------------------------------------------

TEST(ConfigCommand, ShowsValuesAndTheirOrigins) {
  TempDir files;
  write_file(files / "prod.yaml", "path: /var/lib/orders\nmemtables_max: 6\n");
  const Outcome outcome =
      run({"config", "--config", files / "prod.yaml", "--preset", "production", "--set", "block_bytes=8KiB"}, "",
          {"LIGHTNING_CACHE_SIZE=1GiB"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto shows = [&](const std::string& setting, const std::string& origin) {
    const std::size_t at = outcome.out.find(setting);
    const std::string line = at == std::string::npos ? "" : outcome.out.substr(at, outcome.out.find('\n', at) - at);
    EXPECT_NE(line.find("# " + origin), std::string::npos) << setting << " in " << outcome.out;
  };
  shows("path: /var/lib/orders", "file " + (files / "prod.yaml") + ":1");
  shows("memtables_max: 6", "file " + (files / "prod.yaml") + ":2");
  shows("cache_size: 1GiB", "environment LIGHTNING_CACHE_SIZE");
  shows("block_bytes: 8KiB", "command line");
  shows("wal_sync_mode: sync", "preset production");
  shows("table_bytes: 64MiB", "default");
}

TEST(ConfigCommand, WhatItPrintsIsAConfigurationFile) {
  TempDir files;
  write_file(files / "a.yaml", run({"config", "--preset", "low_memory"}).out);
  const Outcome outcome = run({"config", "--config", files / "a.yaml"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("cache_size: 64MiB"), std::string::npos);
}

TEST(ConfigCommand, ErrorsNameFileAndLine) {
  TempDir files;
  write_file(files / "bad.yaml", "cache_size: 1GiB\ncach_size: 2GiB\n");
  expect_failure(run({"config", "--config", files / "bad.yaml"}), 5, "bad.yaml:2: unknown setting cach_size");
  expect_failure(run({"config"}, "", {"LIGHTNING_CACHE_SISE=1"}), 5, "did you mean LIGHTNING_CACHE_SIZE?");
  expect_failure(run({"config", "--set", "block_bytes=9GiB"}), 5, "1KiB .. 1MiB");
  expect_failure(run({"config", "--config", files / "none.yaml"}), 7, "none.yaml");
  expect_failure(run({"config", "--preset", "prod"}), 5, "production");
}

TEST(ConfigCommand, TheDirectoryMayComeFromTheEnvironment) {
  TempDir files;
  EXPECT_EQ(run({"put", "k", "v"}, "", {"LIGHTNING_DB_PATH=" + (files / "db")}).exit_code, 0);
  EXPECT_EQ(run({"get", "k"}, "", {"DB_PATH=" + (files / "db")}).out, "v\n");
}

// --- bench ------------------------------------------------------------------------------------------------------

TEST(Bench, EveryWorkloadPrintsOneLineOfJson) {
  TempDir files;
  for (const char* workload :
       {"fillseq", "fillrandom", "fillbatch", "overwrite", "readrandom", "readmissing", "readseq", "seekrandom",
        "readwhilewriting", "ycsba", "ycsbb", "ycsbc", "ycsbd", "ycsbe", "ycsbf"}) {
    const Outcome outcome = run({"bench", "--path", files / "db", "--workload", workload, "--num", "500", "--threads",
                                 "2", "--value-size", "20", "--json"});
    ASSERT_EQ(outcome.exit_code, 0) << workload << ": " << outcome.err;
    EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1);
    for (const char* field :
         {"\"ops_per_second\":", "\"p50_us\":", "\"p99_us\":", "\"p999_us\":", "\"bytes_on_disk\":", "\"rss_bytes\":"})
      EXPECT_NE(outcome.out.find(field), std::string::npos) << workload << " " << field;
    EXPECT_NE(outcome.out.find("\"operations\":500,"), std::string::npos) << workload << ": " << outcome.out;
    const bool finds_all = std::string_view(workload) == "readrandom" || std::string_view(workload) == "readseq";
    const bool finds_none = std::string_view(workload) == "readmissing";
    if (finds_all || finds_none) {
      EXPECT_NE(outcome.out.find(finds_all ? "\"found\":500," : "\"found\":0,"), std::string::npos)
          << workload << ": " << outcome.out;
    }
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their own memory would be counted too
TEST(Bench, MemoryStaysWithinATenthOfASmallBudgetWithMoreDataThanItHolds) {
  TempDir files;
  const Outcome outcome = run({"bench", "--path", files / "db", "--preset", "low_memory", "--workload", "readrandom",
                               "--num", "300000", "--key-size", "50", "--value-size", "200", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  constexpr std::string_view kField = "\"rss_bytes\":";
  const std::size_t at = outcome.out.find(kField);
  ASSERT_NE(at, std::string::npos) << outcome.out;
  const std::uint64_t resident = std::stoull(outcome.out.substr(at + kField.size()));
  const std::uint64_t budget = LightningDbConfig::low_memory().cache_size;
  EXPECT_LE(resident, budget + budget / 10);
  EXPECT_GE(resident, budget / 2) << "it is there to be used";
}
#endif

TEST(Bench, LeavesOtherDataAlone) {
  TempDir files;
  ASSERT_EQ(run({"put", "--path", files / "db", "mine", "v"}).exit_code, 0);
  ASSERT_EQ(run({"put", "--path", files / "db", "--keyspace", "other", "mine", "v"}).exit_code, 0);
  EXPECT_EQ(run({"bench", "--path", files / "db", "--num", "100"}).exit_code, 0);
  EXPECT_EQ(run({"get", "--path", files / "db", "mine"}).out, "v\n");
  expect_failure(run({"bench", "--path", files / "db", "--num", "100", "--keyspace", "other"}), 4, "LDB-1010");
}

}  // namespace
}  // namespace lightning::cli::testing
