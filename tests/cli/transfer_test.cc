// import and export as processes: whole round trips, bad input, sudden death.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "cli/bytes_text.h"
#include "cli/support/process.h"

namespace lightning::cli::testing {
namespace {

class Transfer : public ::testing::Test {
 protected:
  Outcome import(const std::string& db, Arguments rest, std::string_view input = "") {
    return command("import", db, std::move(rest), input);
  }
  Outcome export_to(const std::string& db, Arguments rest) { return command("export", db, std::move(rest)); }
  Outcome command(const std::string& name, const std::string& db, Arguments rest, std::string_view input = "") {
    rest.insert(rest.begin(), {name, "--path", files / db});
    return run(rest, input);
  }
  std::string everything(const std::string& db) { return export_to(db, {"--format", "jsonl"}).out; }

  TempDir files;
};

std::string random_jsonl(unsigned seed, int count) {
  std::mt19937 random(seed);
  std::string lines;
  for (int i = 0; i < count; ++i) {
    std::string key = std::to_string(i), value(random() % 200, '\0');
    for (char& c : value) c = static_cast<char>(random());
    if (i % 3 == 0) key += static_cast<char>(0x80 + random() % 100);
    lines += "{\"key_base64\":\"" + to_base64(key) + "\",\"value_base64\":\"" + to_base64(value) + "\"}\n";
  }
  return lines;
}

TEST_F(Transfer, EveryFormatCarriesADatabaseByteForByte) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  ASSERT_EQ(import("source", {}, random_jsonl(seed, 3000)).exit_code, 0);
  const std::string expected = everything("source");
  ASSERT_EQ(std::count(expected.begin(), expected.end(), '\n'), 3000);
  for (const std::string extension : {"jsonl", "csv", "tsv", "dump"}) {
    const std::string file = files / ("out." + extension);
    const Outcome exported = export_to("source", {"--output", file});
    ASSERT_EQ(exported.exit_code, 0) << exported.err;
    EXPECT_EQ(exported.out, "");
    const Outcome imported = import("copy-" + extension, {"--input", file, "--json"});
    ASSERT_EQ(imported.exit_code, 0) << imported.err;
    EXPECT_EQ(imported.out.rfind("{\"records\":3000,\"skipped\":0,", 0), 0u) << imported.out;
    EXPECT_EQ(imported.err, "") << "silent in a pipe";
    EXPECT_TRUE(everything("copy-" + extension) == expected) << extension;
  }
}

TEST_F(Transfer, DumpsAndJsonlCarryWhenRecordsExpire) {
  const std::string lines =
      "{\"key\":\"a\",\"value\":\"1\"}\n"
      "{\"key\":\"b\",\"value\":\"2\",\"expires_at\":253402300799999}\n"
      "{\"key\":\"c\",\"value\":\"3\"}\n";
  const std::string expired = "{\"key\":\"d\",\"value\":\"4\",\"expires_at\":1000}\n";
  const Outcome imported = import("source", {}, lines + expired);
  ASSERT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_EQ(everything("source"), lines);
  for (const std::string extension : {"jsonl", "dump"}) {
    const std::string file = files / ("out." + extension);
    ASSERT_EQ(export_to("source", {"--output", file}).exit_code, 0);
    ASSERT_EQ(import("copy-" + extension, {"--input", file}).exit_code, 0);
    EXPECT_EQ(everything("copy-" + extension), lines) << extension;
  }
  EXPECT_NE(export_to("source", {"--format", "csv"}).err.find("1 records expire"), std::string::npos);
  for (const char* wrong : {"-1", "\"soon\"", "1.5", "253402300800000"})
    EXPECT_EQ(
        import("other", {}, "{\"key\":\"k\",\"value\":\"v\",\"expires_at\":" + std::string(wrong) + "}\n").exit_code, 5)
        << wrong;
}

TEST_F(Transfer, DumpsAndJsonlCarryAllKeyspaces) {
  command("put", "a", {"k", "1"});
  command("put", "a", {"--keyspace", "other", "k", "2"});
  for (const std::string file : {"all.dump", "all.jsonl"}) {
    ASSERT_EQ(export_to("a", {"--output", files / file}).exit_code, 0);
    ASSERT_EQ(import("b-" + file, {"--input", files / file}).exit_code, 0);
    EXPECT_EQ(command("get", "b-" + file, {"k"}).out, "1\n");
    EXPECT_EQ(command("get", "b-" + file, {"--keyspace", "other", "k"}).out, "2\n");
  }
  EXPECT_NE(export_to("a", {"--format", "csv"}).err.find("only the default keyspace"), std::string::npos);
  EXPECT_EQ(export_to("a", {"--keyspace", "other", "--format", "csv"}).out,
            "key,value,key_base64,value_base64\nk,2,,\n");
}

TEST_F(Transfer, DumpsGoThroughPipes) {
  command("put", "a", {"k", "v"});
  const Outcome piped =
      run_shell("$LDB export --path " + (files / "a") + " --format dump | $LDB import --path " + (files / "b"));
  EXPECT_EQ(piped.exit_code, 0) << piped.err;
  EXPECT_EQ(command("get", "b", {"k"}).out, "v\n");
}

TEST_F(Transfer, AColumnOfACsvFileIsTheKey) {
  write_file(files / "people.csv", "id,name,born\n7,Ada,1815\n8,\"Grace \"\"Amazing\"\" Hopper\",1906\n");
  EXPECT_EQ(import("db", {"--input", files / "people.csv", "--key-column", "id", "--value-column", "name"}).exit_code,
            0);
  EXPECT_EQ(command("get", "db", {"8"}).out, "Grace \"Amazing\" Hopper\n");
  const Outcome wrong =
      import("db", {"--input", files / "people.csv", "--key-column", "idd", "--value-column", "name"});
  EXPECT_EQ(wrong.exit_code, 5);
  EXPECT_NE(wrong.err.find("did you mean \"id\"?"), std::string::npos) << wrong.err;
}

TEST_F(Transfer, MalformedLinesStopWithTheirNumberOrAreSkippedAndCounted) {
  const std::string lines =
      "{\"key\":\"a\",\"value\":\"1\"}\nbroken\n{\"key\":\"b\",\"value\":\"\xff\"}\n{\"key\":\"\",\"value\":\"x\"}\n{"
      "\"key\":\"c\",\"value\":\"3\"}\n";
  const Outcome stopped = import("stop", {}, lines);
  EXPECT_EQ(stopped.exit_code, 5);
  EXPECT_NE(stopped.err.find("LDB-1015"), std::string::npos);
  EXPECT_NE(stopped.err.find("line 2: "), std::string::npos) << stopped.err;
  EXPECT_NE(stopped.err.find("imported 1 records"), std::string::npos) << stopped.err;
  EXPECT_EQ(command("count", "stop", {}).out, "1\n") << "what came before is kept";

  const Outcome skipped = import("skip", {"--on-error", "skip"}, lines);
  EXPECT_EQ(skipped.exit_code, 0) << skipped.err;
  for (const char* part : {"line 2: ", "line 3: ", "line 4: the key is empty", "skipped 3"})
    EXPECT_NE(skipped.err.find(part), std::string::npos) << part << " in " << skipped.err;
  EXPECT_EQ(command("scan", "skip", {"--keys-only"}).out, "a\nc\n");
}

TEST_F(Transfer, ADamagedDumpIsNamedByOffsetAndNothingBadIsApplied) {
  ASSERT_EQ(import("source", {}, random_jsonl(1, 20'000)).exit_code, 0);
  ASSERT_EQ(export_to("source", {"--output", files / "all.dump"}).exit_code, 0);
  const std::string dump = read_file(files / "all.dump"), good = everything("source");
  std::string flipped = dump;
  flipped[dump.size() - 1000] ^= 1;
  for (const std::string& broken : {dump.substr(0, dump.size() / 2), dump.substr(0, dump.size() - 1), flipped}) {
    TempDir target;
    write_file(files / "broken.dump", broken);
    const Outcome outcome =
        run({"import", "--path", target / "db", "--input", files / "broken.dump", "--on-error", "skip"});
    EXPECT_EQ(outcome.exit_code, 5) << "damage of a dump is never skipped";
    EXPECT_NE(outcome.err.find("offset "), std::string::npos) << outcome.err;
    const std::string kept = run({"export", "--path", target / "db"}).out;
    for (std::size_t begin = 0, lines = 0; begin < kept.size() && lines < 100; ++lines) {
      const std::size_t end = kept.find('\n', begin);
      EXPECT_NE(good.find(kept.substr(begin, end - begin)), std::string::npos) << "a record that was never there";
      begin = end + 1;
    }
  }
}

std::string numbered(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(12 - digits.size(), '0') + digits;
}

TEST_F(Transfer, EveryReportedRecordSurvivesSigkill) {
  const std::string value(100, 'v');
  for (const char* mode : {"async", "periodic", "sync"}) {
    const std::string db = files / (std::string("db-") + mode);
    Child importer(
        {"import", "--path", db, "--progress", "always", "--json", "--set", std::string("wal_sync_mode=") + mode});
    std::uint64_t written = 0, reported = 0;
    std::string piece;
    // Feeds records until three reports were made; each says how many records are acknowledged.
    for (int reports = 0; reports < 3;) {
      piece.clear();
      for (int i = 0; i < 1000; ++i, ++written)
        piece += "{\"key\":\"" + numbered(written) + "\",\"value\":\"" + value + "\"}\n";
      ASSERT_TRUE(importer.write(piece));
      if (!importer.has_error_line()) continue;
      const std::string line = importer.read_error_line();
      const std::size_t at = line.find("\"records\":");
      ASSERT_NE(at, std::string::npos) << line;
      reported = std::stoull(line.substr(at + 10));
      ++reports;
    }
    importer.kill();
    const Outcome counted = run({"count", "--path", db});
    ASSERT_EQ(counted.exit_code, 0) << counted.err;
    EXPECT_GE(std::stoull(counted.out), reported) << mode;
    ASSERT_GT(reported, 0u);
    EXPECT_EQ(run({"get", "--path", db, numbered(reported - 1)}).out, value + "\n");
    EXPECT_EQ(run({"check", "--path", db}).exit_code, 0);
    EXPECT_EQ(run({"put", "--path", db, "after", "v"}).exit_code, 0) << "it opens for writing again";
  }
}

TEST_F(Transfer, MissingInputAndUnknownFormatsAreNamed) {
  EXPECT_EQ(import("db", {"--input", files / "none.jsonl"}).exit_code, 7);
  write_file(files / "data.txt", "x");
  EXPECT_EQ(import("db", {"--input", files / "data.txt"}).exit_code, 5);
  EXPECT_EQ(import("db", {"--input", files / "data.txt", "--format", "xml"}).exit_code, 5);
  EXPECT_EQ(import("db", {"--on-error", "ignore"}).exit_code, 2);
}

TEST_F(Transfer, AFailedExportLeavesTheOldFileAlone) {
  write_file(files / "out.jsonl", "precious\n");
  EXPECT_EQ(export_to("nowhere", {"--output", files / "out.jsonl"}).exit_code, 3);
  EXPECT_EQ(read_file(files / "out.jsonl"), "precious\n");
  command("put", "a", {"k", "v"});
  EXPECT_EQ(export_to("a", {"--output", files / "missing-directory/out.jsonl"}).exit_code, 7);
  EXPECT_EQ(export_to("a", {"--output", files / "out.jsonl"}).exit_code, 0);
  EXPECT_EQ(read_file(files / "out.jsonl"), "{\"key\":\"k\",\"value\":\"v\"}\n");
}

}  // namespace
}  // namespace lightning::cli::testing
