// The formats of import and export: every byte comes back, every damage is named, nothing is read twice or lost.
#include "cli/records.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "base/hash.h"
#include "cli/support/process.h"

namespace lightning::cli {
namespace {

using testing::read_file;
using testing::TempDir;
using Records = std::vector<std::tuple<std::string, std::string, std::string>>;  // keyspace, key, value

std::string write_all(Format format, const Records& records, const FormatOptions& options = {}) {
  TempDir files;
  auto output = Output::create(files / "out");
  EXPECT_TRUE(output) << output.error().to_string();
  const auto writer = make_writer(format, **output, options);
  std::string keyspace;
  for (const auto& [name, key, value] : records) {
    const bool begins = name != keyspace;
    EXPECT_TRUE(!begins || writer->begin_keyspace(keyspace = name));
    EXPECT_TRUE(writer->write(key, value, {}));
  }
  EXPECT_TRUE(writer->finish());
  EXPECT_TRUE((*output)->commit());
  return read_file(files / "out");
}

struct ReadAll {
  Records records;
  std::vector<std::string> errors;
};

// Reads to the end, going on behind malformed records where the format can.
ReadAll read_all(Format format, std::string bytes, std::size_t piece = 1 << 16, const FormatOptions& options = {}) {
  const auto input = memory_input(std::move(bytes), piece);
  const auto reader = make_reader(format, *input, options).value();
  ReadAll all;
  Record record;
  for (;;) {
    const auto more = reader->next(record);
    if (!more) all.errors.push_back(more.error().to_string());
    if (more && !*more) return all;
    if (!more && !reader->can_resume()) return all;
    if (more) all.records.emplace_back(record.keyspace, record.key, record.value);
  }
}

// Sorted keys; a third of all bytes strings is text, the others are anything.
Records random_records(std::mt19937& random, std::size_t count) {
  std::map<std::string, std::string> sorted;
  const auto bytes = [&](std::size_t size) {
    const bool text = random() % 3 == 0;
    std::string s(size, '\0');
    for (char& c : s) c = text ? "ab,\"\n\r\t {}\\"[random() % 12] : static_cast<char>(random());
    return s;
  };
  while (sorted.size() < count) sorted[bytes(1 + random() % 40)] = bytes(random() % 3 == 0 ? 0 : random() % 300);
  Records records;
  for (const auto& [key, value] : sorted) records.emplace_back("default", key, value);
  return records;
}

TEST(Records, EveryFormatGivesBackEveryByte) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const Records records = random_records(random, 500);
  for (const Format format : {Format::kJsonl, Format::kCsv, Format::kTsv, Format::kDump})
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1} << 16}) {
      Records expected = records;
      if (format != Format::kDump)
        for (auto& record : expected) std::get<0>(record).clear();
      const ReadAll all = read_all(format, write_all(format, records), piece);
      EXPECT_EQ(all.errors, std::vector<std::string>{});
      EXPECT_TRUE(all.records == expected) << "format " << static_cast<int>(format) << ", pieces of " << piece;
    }
}

TEST(Records, FormatsAreKnownByNameAndByExtension) {
  EXPECT_EQ(format_of_path("a/b.jsonl").value(), Format::kJsonl);
  EXPECT_EQ(format_of_path("x.tsv").value(), Format::kTsv);
  EXPECT_EQ(format_of_path("backup.db").value(), Format::kDump);
  EXPECT_FALSE(format_of_path("x.txt"));
  EXPECT_FALSE(format_named("xml"));
}

// --- JSONL --------------------------------------------------------------------------------------------------

TEST(Jsonl, KeyspacesAndBinaryBytesHaveTheirFields) {
  EXPECT_EQ(write_all(Format::kJsonl, {{"default", "a", "1"}, {"b", "\xff", "x\n"}}),
            "{\"key\":\"a\",\"value\":\"1\"}\n{\"keyspace\":\"b\",\"key_base64\":\"/w==\",\"value\":\"x\\n\"}\n");
  EXPECT_EQ(read_all(Format::kJsonl, "{\"keyspace\":\"b\",\"value_base64\":\"/w==\",\"key\":\"k\"}\n\n").records,
            (Records{{"b", "k", "\xff"}}));
}

TEST(Jsonl, MalformedLinesAreNamedAndPassedOver) {
  const ReadAll all = read_all(Format::kJsonl,
                               "{\"key\":\"a\",\"value\":\"1\"}\n"
                               "not json\n"
                               "{\"key\":\"b\"}\n"
                               "{\"key\":\"c\",\"value\":3}\n"
                               "{\"key\":\"d\",\"value\":\"4\",\"extra\":1}\n"
                               "{\"key\":\"e\",\"value\":\"\xff\"}\n"
                               "{\"key\":\"f\",\"value_base64\":\"*\"}\n"
                               "{\"key\":\"g\",\"key_base64\":\"\",\"value\":\"\"}\n"
                               "[1]\n"
                               "{\"key\":\"h\",\"value\":\"1\"} trailing\n"
                               "{\"key\":\"i\",\"val");
  EXPECT_EQ(all.records, (Records{{"", "a", "1"}}));
  ASSERT_EQ(all.errors.size(), 10u);
  for (std::size_t i = 0; i < all.errors.size(); ++i)
    EXPECT_NE(all.errors[i].find("line " + std::to_string(i + 2) + ": "), std::string::npos) << all.errors[i];
  EXPECT_NE(all.errors[0].find("LDB-1015"), std::string::npos);
}

TEST(Jsonl, DeepNestingIsAnErrorNotACrash) {
  EXPECT_EQ(read_all(Format::kJsonl, std::string(1'000'000, '[') + "\n").errors.size(), 1u);
}

// --- CSV ----------------------------------------------------------------------------------------------------

TEST(Csv, ReadsColumnsByNameInAnyOrder) {
  FormatOptions options;
  options.key_column = "id";
  options.value_column = "name";
  const ReadAll all = read_all(Format::kCsv,
                               "\xef\xbb\xbf"
                               "name,born,id\r\nAda,1815,7\r\n\"Grace, \"\"Amazing\"\"\",1906,8\r\n",
                               1 << 16, options);
  EXPECT_EQ(all.records, (Records{{"", "7", "Ada"}, {"", "8", "Grace, \"Amazing\""}}));
  EXPECT_TRUE(all.errors.empty());
}

TEST(Csv, QuotedFieldsHoldLineEndsAndKeepTheirCarriageReturns) {
  EXPECT_EQ(read_all(Format::kCsv, "key,value\n\"a\r\nb\",\"c\r\"\r\nd,e").records,
            (Records{{"", "a\r\nb", "c\r"}, {"", "d", "e"}}));
}

TEST(Csv, MalformedRowsAreNamedByTheirFirstLine) {
  const ReadAll all = read_all(Format::kCsv,
                               "key,value\n"
                               "a,1\n"
                               "only\n"
                               "\"x\ny\"tail,2\n"
                               "b,2,3\n"
                               "c,\xff\n"
                               "d,4\n"
                               "\"open,5\n");
  EXPECT_EQ(all.records, (Records{{"", "a", "1"}, {"", "d", "4"}}));
  ASSERT_EQ(all.errors.size(), 5u);
  const int lines[] = {3, 4, 6, 7, 9};
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_NE(all.errors[i].find("line " + std::to_string(lines[i]) + ": "), std::string::npos) << all.errors[i];
}

// Each separator of a row took 32 bytes of memory, up to 32 GiB.
TEST(Csv, RowsOfManyFieldsAreMalformedAndPassedOver) {
  const ReadAll all = read_all(Format::kCsv, "key,value\n" + std::string(5000, ',') + "\na,1\n");
  EXPECT_EQ(all.records, (Records{{"", "a", "1"}}));
  ASSERT_EQ(all.errors.size(), 1u);
  EXPECT_NE(all.errors[0].find("more than 4096 fields"), std::string::npos) << all.errors[0];
}

TEST(Csv, AMissingColumnIsNamedWithANearMiss) {
  const ReadAll all = read_all(Format::kCsv, "keys,value\na,1\n");
  ASSERT_EQ(all.errors.size(), 1u) << "without its columns nothing can be read";
  EXPECT_NE(all.errors[0].find("no column \"key\""), std::string::npos);
  EXPECT_NE(all.errors[0].find("did you mean \"keys\"?"), std::string::npos);
}

TEST(Csv, TextColumnsAloneRefuseBinaryBytes) {
  FormatOptions options;
  options.base64_columns = false;
  EXPECT_EQ(write_all(Format::kCsv, {{"default", "a", "1,2"}}, options), "key,value\na,\"1,2\"\n");
  TempDir files;
  const auto output = Output::create(files / "out").value();
  EXPECT_EQ(make_writer(Format::kCsv, *output, options)->write("k", "\xff", {}).error().code(),
            ErrorCode::kInvalidArgument);
}

// --- dump ---------------------------------------------------------------------------------------------------

TEST(Dump, HasTheDocumentedBytes) {
  const std::string dump = write_all(Format::kDump, {{"default", "k", "v"}});
  EXPECT_EQ(dump.substr(0, 16), std::string("LDBDUMP\n\x01\0\0\0\0\0\0\0", 16));
  EXPECT_EQ(dump.substr(16, 5), std::string("\x01\x07\0\0\0", 5)) << "chunk: keyspace, 7 bytes";
  EXPECT_EQ(dump.substr(29, 7), "default");
  EXPECT_EQ(dump.substr(36, 5), std::string("\x02\x04\0\0\0", 5)) << "chunk: records, 4 bytes";
  EXPECT_EQ(dump.substr(49, 4), "\x01\x01kv");
  EXPECT_EQ(dump.size(), 16u + 13 + 7 + 13 + 4 + 13 + 56);
  EXPECT_EQ(dump.substr(dump.size() - 32), base::as_bytes(base::digest_of(dump.substr(0, dump.size() - 13 - 56))));
}

TEST(Dump, KeepsKeyspacesApart) {
  const Records records{{"default", "a", "1"}, {"other", "a", "2"}, {"third", "\xff", ""}};
  EXPECT_EQ(read_all(Format::kDump, write_all(Format::kDump, records)).records, records);
}

TEST(Dump, EveryTruncationIsAnErrorThatNamesItsOffset) {
  const std::string dump =
      write_all(Format::kDump, {{"default", "a", "1"}, {"default", "b", "2"}, {"other", "c", "3"}});
  for (std::size_t size = 0; size < dump.size(); ++size) {
    const ReadAll all = read_all(Format::kDump, dump.substr(0, size));
    ASSERT_EQ(all.errors.size(), 1u) << "cut at " << size;
    EXPECT_NE(all.errors[0].find("offset"), std::string::npos) << all.errors[0];
  }
}

TEST(Dump, EveryChangedByteIsFoundBeforeItsChunkIsUsed) {
  const Records records{{"default", "a", "1"}, {"default", "b", "2"}, {"other", "c", "3"}};
  const std::string dump = write_all(Format::kDump, records);
  for (std::size_t at = 0; at < dump.size(); ++at)
    for (const int bit : {0, 7}) {
      std::string broken = dump;
      broken[at] = static_cast<char>(broken[at] ^ 1 << bit);
      const ReadAll all = read_all(Format::kDump, broken);
      EXPECT_EQ(all.errors.size(), 1u) << "changed at " << at;
      ASSERT_LE(all.records.size(), records.size());
      EXPECT_TRUE(std::equal(all.records.begin(), all.records.end(), records.begin())) << "changed at " << at;
    }
}

TEST(Dump, ChunksThatWereMovedOrLeftOutOrAddedAreFound) {
  const std::string dump = write_all(Format::kDump, {{"a", "k", "1"}, {"b", "k", "2"}});
  const std::size_t header = 16, chunks = 13 + 1 + 13 + 4;  // keyspace a and its record; the same for b
  const std::string first = dump.substr(header, chunks), second = dump.substr(header + chunks, chunks);
  const std::string trailer = dump.substr(header + 2 * chunks);
  for (const std::string& body :
       {second + first + trailer, first + trailer, first + second + second + trailer, dump.substr(header) + "x"})
    EXPECT_EQ(read_all(Format::kDump, dump.substr(0, header) + body).errors.size(), 1u);
}

TEST(Dump, AHugeDeclaredLengthAllocatesNothing) {
  std::string dump = write_all(Format::kDump, {{"default", "a", "1"}}).substr(0, 16);
  dump += std::string("\x02\xff\xff\xff\xff", 5) + std::string(8, '\0') + "short";
  EXPECT_NE(read_all(Format::kDump, dump).errors.at(0).find("cannot have 4294967295 bytes"), std::string::npos);
}

TEST(Dump, ANewerVersionIsNotGuessedAt) {
  std::string dump = write_all(Format::kDump, {{"default", "a", "1"}});
  dump[8] = 2;
  EXPECT_NE(read_all(Format::kDump, dump).errors.at(0).find("LDB-3006"), std::string::npos);
}

}  // namespace
}  // namespace lightning::cli
