// What the world may do to the program: no permission, no space, damage, a newer store, input that is cut or broken.
// Each gets an error of the taxonomy and its exit code; nothing is lost, nothing aborts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>

#include "base/coding.h"
#include "base/hash.h"
#include "cli/support/process.h"

namespace lightning::cli::testing {
namespace {

namespace fs = std::filesystem;

std::string record(int number, const std::string& value) {
  std::string digits = std::to_string(number);
  digits.insert(0, 8 - digits.size(), '0');
  return "{\"key\":\"" + digits + "\",\"value\":\"" + value + "\"}\n";
}

// Values that no compression makes smaller.
std::string random_records(int count, std::size_t value_bytes) {
  std::mt19937 random(7);
  std::string lines, value(value_bytes, ' ');
  for (int i = 0; i < count; ++i) {
    for (char& c : value) c = static_cast<char>('0' + random() % 75 % 10 + (random() % 2 == 0 ? 49 : 0));
    lines += record(i, value);
  }
  return lines;
}

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override { fs::permissions(files.path(), fs::perms(0755)); }
  void TearDown() override { allow(db); }

  Outcome ldb(const std::string& command, const Arguments& rest = {}, std::string_view input = "",
              const Surroundings& surroundings = {}) {
    Arguments arguments{command, "--path", db};
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    return run_in(surroundings, arguments, input);
  }
  Outcome as_nobody(const std::string& command, const Arguments& rest = {}) {
    return ldb(command, rest, "", {.unprivileged = true});
  }
  // One table and a log with a record.
  void make_database() {
    ASSERT_EQ(ldb("import", {}, random_records(2000, 50)).exit_code, 0);
    ASSERT_EQ(ldb("compact").exit_code, 0);
    ASSERT_EQ(ldb("put", {"k", "v"}).exit_code, 0);
  }
  std::vector<std::string> files_of(const std::string& folder) {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(db + "/" + folder)) all.push_back(entry.path().string());
    return all;
  }
  static void allow(const std::string& path) {
    std::error_code ignored;
    fs::permissions(path, fs::perms(0755), ignored);
    for (const auto& entry : fs::recursive_directory_iterator(path, ignored))
      fs::permissions(entry.path(), fs::perms(entry.is_directory() ? 0755 : 0644), ignored);
  }
  static void flip_bit_in(const std::string& path, double where) {
    std::string bytes = read_file(path);
    bytes[static_cast<std::size_t>(static_cast<double>(bytes.size()) * where)] ^= 1;
    write_file(path, bytes);
  }

  TempDir files;
  const std::string db = files / "db";
};

void expect_failure(const Outcome& outcome, int exit_code, const std::string& code, const std::string& place = "") {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  EXPECT_EQ(outcome.err.rfind("error[" + code + "]", 0), 0u) << outcome.err;
  EXPECT_NE(outcome.err.find(place), std::string::npos) << "missing \"" << place << "\" in: " << outcome.err;
}

// --- permission: 6 --------------------------------------------------------------------------------------------

TEST_F(BadInput, ADirectoryWithoutPermissionIsExitCodeSix) {
  make_database();
  fs::permissions(db, fs::perms(0));
  expect_failure(as_nobody("get", {"k"}), 6, "LDB-3003", db);
  expect_failure(as_nobody("put", {"k", "w"}), 6, "LDB-3003", db);
  fs::permissions(db, fs::perms(0755));
  EXPECT_EQ(ldb("get", {"k"}).out, "v\n");
}

TEST_F(BadInput, AFileWithoutPermissionIsNamed) {
  make_database();
  allow(db);
  const std::string table = files_of("tables").front();
  fs::permissions(table, fs::perms(0));
  expect_failure(as_nobody("get", {"k"}), 6, "LDB-3003", table);
  expect_failure(as_nobody("check"), 6, "LDB-3003", table);
  fs::permissions(table, fs::perms(0644));
  EXPECT_EQ(ldb("check").exit_code, 0);
}

TEST_F(BadInput, WhoMayReadButNotWriteReads) {
  make_database();
  allow(db);
  for (const auto& entry : fs::recursive_directory_iterator(db))
    fs::permissions(entry.path(), fs::perms(entry.is_directory() ? 0555 : 0444));
  fs::permissions(db, fs::perms(0555));
  EXPECT_EQ(as_nobody("get", {"k"}).out, "v\n");
  EXPECT_EQ(as_nobody("count").out, "2001\n");
  EXPECT_EQ(as_nobody("check").exit_code, 0);
  expect_failure(as_nobody("put", {"k", "w"}), 6, "LDB-3003", "LOCK");
  expect_failure(as_nobody("export", {"--output", db + "/out.jsonl"}), 6, "LDB-3003", "out.jsonl");
}

TEST_F(BadInput, InputWithoutPermissionIsExitCodeSix) {
  allow(files.path());
  write_file(files / "in.jsonl", record(1, "v"));
  fs::permissions(files / "in.jsonl", fs::perms(0));
  expect_failure(as_nobody("import", {"--input", files / "in.jsonl"}), 6, "LDB-3003", "in.jsonl");
  EXPECT_FALSE(fs::exists(db));
}

// --- space: 7 -------------------------------------------------------------------------------------------------

std::uint64_t told_as_imported(const Outcome& outcome) {
  const std::string_view words = "imported ";
  std::string digits;
  for (std::size_t at = outcome.err.find(words) + words.size(); at < outcome.err.size(); ++at) {
    if (outcome.err[at] == ' ') break;
    if (outcome.err[at] != ',') digits += outcome.err[at];
  }
  return digits.empty() ? 0 : std::stoull(digits);
}

TEST_F(BadInput, AnImportThatNoFileCanHoldEndsWithWhatWasAcknowledged) {
  const Surroundings quota{.file_bytes_max = 2 << 20};  // the log's segments fit; a table does not
  const Outcome import = ldb("import", {"--set", "memtable_bytes=4MiB"}, random_records(40'000, 300), quota);
  expect_failure(import, 7, "LDB-3002", "tables/");
  const std::uint64_t told = told_as_imported(import);
  EXPECT_GT(told, 0u) << import.err;
  EXPECT_GE(std::stoull(ldb("count", {}, "", quota).out), told) << "reading works while there is no space";
  EXPECT_EQ(ldb("check").exit_code, 0);
  EXPECT_EQ(ldb("put", {"k", "v"}).exit_code, 0) << "with space, it goes on";
  EXPECT_EQ(ldb("get", {"k"}).out, "v\n");
  EXPECT_EQ(ldb("check").exit_code, 0);
}

TEST_F(BadInput, ADatabaseThatCannotBeCreatedForWantOfSpaceIsCreatedLater) {
  const Outcome refused = ldb("put", {"k", "v"}, "", {.file_bytes_max = 64 << 10});
  expect_failure(refused, 7, "LDB-3002", "wal/");
  EXPECT_EQ(ldb("count").out, "0\n");
  EXPECT_EQ(ldb("put", {"k", "v"}).exit_code, 0);
  EXPECT_EQ(ldb("count").out, "1\n");
}

TEST_F(BadInput, AFullDiskLosesNothingThatWasAcknowledged) {
  fs::create_directory(files / "disk");
  write_file(files / "in.jsonl", random_records(40'000, 300));
  const Outcome outcome = run_shell(
      "unshare --mount bash -c '"
      "mount -t tmpfs -o size=6m none " +
      (files / "disk") +
      " || exit 77; "
      "D=" +
      (files / "disk") +
      "/db; "
      "$LDB import --path $D --set memtable_bytes=2MiB --input " +
      (files / "in.jsonl") +
      "; echo rc $?; "
      "$LDB count --path $D; "
      "$LDB put --path $D k v 2> /dev/null; echo rc $?; "
      "mount -o remount,size=60m " +
      (files / "disk") +
      "; "
      "$LDB put --path $D k v; echo rc $?; "
      "$LDB count --path $D; $LDB check --quick --path $D > /dev/null; echo rc $?'");
  if (outcome.out.empty()) GTEST_SKIP() << "may not mount a small disk here: " << outcome.err;
  expect_failure(outcome, 0, "LDB-3002", "No space left on device");
  const std::uint64_t told = told_as_imported(outcome);
  EXPECT_GT(told, 0u);
  unsigned long long before = 0, after = 0;
  int import = 0, full = 0, put = -1, check = -1;
  ASSERT_EQ(std::sscanf(outcome.out.c_str(), "rc %d\n%llu\nrc %d\nrc %d\n%llu\nrc %d\n", &import, &before, &full, &put,
                        &after, &check),
            6)
      << outcome.out;
  EXPECT_EQ(import, 7);
  EXPECT_GE(before, told);
  EXPECT_TRUE(full == 7 || full == 0) << full;
  EXPECT_EQ(put, 0);
  EXPECT_EQ(after, before + 1);
  EXPECT_EQ(check, 0);
}

// --- the database itself: 8 -------------------------------------------------------------------------------------

TEST_F(BadInput, ADatabaseOfANewerFormatIsLeftAlone) {
  make_database();
  std::string superblock = read_file(db + "/SUPERBLOCK");
  constexpr std::size_t kSlotBytes = 4096, kTagBytes = 16;
  for (std::size_t slot = 0; slot < superblock.size(); slot += kSlotBytes) {
    const auto body = std::string_view(superblock).substr(slot, kSlotBytes - kTagBytes);
    const base::Tag old = base::tag_of(base::TagAlgorithm::kBlake3, body);
    if (std::memcmp(superblock.data() + slot + body.size(), old.bytes.data(), kTagBytes) != 0) continue;
    base::store_le(superblock.data() + slot + 8, std::uint32_t{2});
    const base::Tag tag = base::tag_of(base::TagAlgorithm::kBlake3, body);
    std::memcpy(superblock.data() + slot + body.size(), tag.bytes.data(), kTagBytes);
  }
  write_file(db + "/SUPERBLOCK", superblock);
  for (const char* command : {"count", "check", "compact", "stats", "export"})
    expect_failure(ldb(command), 8, "LDB-3006", "format version 2");
  expect_failure(ldb("put", {"k", "w"}), 8, "LDB-3006", db);
  EXPECT_EQ(read_file(db + "/SUPERBLOCK"), superblock);
}

// --- damage: 10 ---------------------------------------------------------------------------------------------------

TEST_F(BadInput, ADamagedTableIsExitCodeTenAndNamesFileAndOffset) {
  make_database();
  const std::string table = files_of("tables").front();
  flip_bit_in(table, 0.3);
  const Outcome scan = ldb("scan", {"--keys-only"});
  expect_failure(scan, 10, "LDB-4004", table + ", offset ");
  EXPECT_EQ(ldb("count").exit_code, 10);
  EXPECT_EQ(ldb("export", {"--output", files / "out.jsonl"}).exit_code, 10);
  EXPECT_FALSE(fs::exists(files / "out.jsonl")) << "an export that is not complete has no name";
  EXPECT_EQ(ldb("get", {"k"}).out, "v\n") << "what is elsewhere can be read";
}

TEST_F(BadInput, AMissingTableIsExitCodeTenForWhatItHolds) {
  make_database();
  const std::string table = files_of("tables").front();
  fs::rename(table, files / "moved");
  expect_failure(ldb("scan", {"--keys-only"}), 10, "LDB-4003", table);
  EXPECT_EQ(ldb("check").exit_code, 10);
  EXPECT_EQ(ldb("get", {"k"}).out, "v\n") << "what is elsewhere can be read";
  EXPECT_EQ(ldb("put", {"k", "w"}).exit_code, 0) << "and written";
  EXPECT_EQ(ldb("get", {"k"}).out, "w\n");
  fs::rename(files / "moved", table);
  EXPECT_EQ(ldb("check").exit_code, 0);
  EXPECT_EQ(ldb("get", {"k"}).out, "w\n");
}

TEST_F(BadInput, ADamagedLogIsExitCodeTenAndIsNotCut) {
  ASSERT_EQ(ldb("import", {}, random_records(3000, 300)).exit_code, 0);
  const std::vector<std::string> segments = files_of("wal");
  ASSERT_FALSE(segments.empty());
  const std::string& segment = *std::ranges::min_element(segments);
  flip_bit_in(segment, 0.1);
  const std::string damaged = read_file(segment);
  expect_failure(ldb("count"), 10, "LDB-4006", segment);
  expect_failure(ldb("put", {"k", "v"}), 10, "LDB-4006", segment);
  EXPECT_NE(run({"inspect", "wal", segment}).out.find("record offset=4096 type=bad"), std::string::npos);
  EXPECT_TRUE(read_file(segment) == damaged);
}

TEST_F(BadInput, ADamagedManifestIsExitCodeTen) {
  make_database();
  for (const auto& entry : fs::directory_iterator(db))
    if (entry.path().filename().string().starts_with("MANIFEST-")) flip_bit_in(entry.path().string(), 0.05);
  expect_failure(ldb("count"), 10, "LDB-4007", "MANIFEST-");
  expect_failure(ldb("put", {"k", "w"}), 10, "LDB-4007", "MANIFEST-");
}

// --- records: 5 ---------------------------------------------------------------------------------------------------

struct Malformed {
  const char* format;
  std::string input, place;
  std::string keys;  // what `--on-error skip` keeps
};

TEST_F(BadInput, EachMalformedRecordIsNamedAndSkippedWhenAsked) {
  const std::string good = "{\"key\":\"a\",\"value\":\"1\"}\n", later = "{\"key\":\"z\",\"value\":\"9\"}\n";
  const std::string header = "key,value\na,1\n", tsv = "key\tvalue\na\t1\n";
  const Malformed all[] = {
      {"jsonl", good + "{\"key\":\"b\",\"va\n" + later, "line 2", "a\nz\n"},
      {"jsonl", good + "\n\n[1]\n" + later, "line 4", "a\nz\n"},
      {"jsonl", good + "{\"key\":\"b\"}\n" + later, "line 2", "a\nz\n"},
      {"jsonl", good + "{\"key\":\"b\\xff\",\"value\":\"\"}\n" + later, "line 2", "a\nz\n"},
      {"jsonl", good + "{\"key\":\"b\xff\",\"value\":\"\"}\n" + later, "line 2", "a\nz\n"},
      {"jsonl", good + "{\"key_base64\":\"?\",\"value\":\"\"}\n" + later, "line 2", "a\nz\n"},
      {"jsonl", good + "{\"key\":\"" + std::string(65537, 'k') + "\",\"value\":\"\"}\n" + later, "line 2", "a\nz\n"},
      {"jsonl", good + std::string(1, '\0') + "\n" + later, "line 2", "a\nz\n"},
      {"jsonl", good + later + "{\"key\":\"cut", "line 3", "a\nz\n"},
      {"csv", header + "b\nz,9\n", "line 3", "a\nz\n"},
      {"csv", header + "b,2,3\nz,9\n", "line 3", "a\nz\n"},
      {"csv", header + ",2\nz,9\n", "line 3", "a\nz\n"},
      {"csv", header + "b,\"two\nlines\"x\nz,9\n", "line 3", "a\nz\n"},
      {"csv", header + "z,9\nb,\"never closed\n", "line 4", "a\nz\n"},
      {"tsv", tsv + "b\nz\t9\n", "line 3", "a\nz\n"},
  };
  int number = 0;
  for (const Malformed& bad : all) {
    SCOPED_TRACE(std::string(bad.format) + ": " + bad.input.substr(0, 80));
    const std::string stop = files / ("stop" + std::to_string(++number)),
                      skip = files / ("skip" + std::to_string(number));
    const Outcome stopped = run({"import", "--path", stop, "--format", bad.format}, bad.input);
    expect_failure(stopped, 5, "LDB-1015", bad.place + ":");
    EXPECT_EQ(run({"get", "--path", stop, "a"}).out, "1\n") << "what came before is kept";
    const Outcome skipped = run({"import", "--path", skip, "--format", bad.format, "--on-error", "skip"}, bad.input);
    EXPECT_EQ(skipped.exit_code, 0) << skipped.err;
    EXPECT_NE(skipped.err.find(bad.place + ":"), std::string::npos) << skipped.err;
    EXPECT_EQ(run({"scan", "--path", skip, "--keys-only"}).out, bad.keys);
    for (const std::string& used : {stop, skip}) fs::remove_all(used);
  }
}

TEST_F(BadInput, ATruncatedDumpKeepsWhatWasWholeAndSaysWhereItEnds) {
  ASSERT_EQ(ldb("import", {}, random_records(5000, 100)).exit_code, 0);
  ASSERT_EQ(ldb("export", {"--output", files / "all.dump"}).exit_code, 0);
  const std::string dump = read_file(files / "all.dump");
  for (const std::size_t kept : {std::size_t{0}, std::size_t{1}, std::size_t{15}, dump.size() / 2, dump.size() - 1}) {
    const std::string copy = files / ("copy-" + std::to_string(kept));
    const Outcome outcome = run({"import", "--path", copy, "--format", "dump"}, dump.substr(0, kept));
    expect_failure(outcome, 5, "LDB-1015", "offset " + std::to_string(kept));
    fs::remove_all(copy);
  }
}

}  // namespace
}  // namespace lightning::cli::testing
