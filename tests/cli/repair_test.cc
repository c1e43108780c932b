// repair as a process: what it saves, what it says, how it ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "cli/support/process.h"

namespace lightning::cli::testing {
namespace {

class RepairCommand : public ::testing::Test {
 protected:
  RepairCommand() {
    std::string lines;
    for (int i = 0; i < 3000; ++i)
      lines += "{\"key\":\"" + std::to_string(100'000 + i) + "\",\"value\":\"" + std::string(50, 'v') + "\"}\n";
    EXPECT_EQ(run({"import", "--path", files / "db", "--format", "jsonl", "--input", "-"}, lines).exit_code, 0);
    EXPECT_EQ(run({"compact", "--path", files / "db", "--rewrite"}).exit_code, 0);
  }
  std::string everything(const std::string& db) {
    return run({"export", "--path", files / db, "--format", "jsonl", "--output", "-"}).out;
  }
  std::string table() {
    for (const auto& entry : std::filesystem::directory_iterator(files / "db/tables"))
      if (entry.path().extension() == ".sst") return entry.path();
    return "";
  }
  void flip_byte(const std::string& path, std::size_t at) {
    std::string bytes = read_file(path);
    ASSERT_LT(at, bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    write_file(path, bytes);
  }

  TempDir files;
};

TEST_F(RepairCommand, SavesAWholeDatabaseAndEndsWithZero) {
  const Outcome repaired = run({"repair", files / "db", "--to", files / "new"});
  EXPECT_EQ(repaired.exit_code, 0) << repaired.err;
  EXPECT_NE(repaired.out.find("saved: 3000 records of 1 keyspaces"), std::string::npos) << repaired.out;
  EXPECT_NE(repaired.out.find("nothing was lost"), std::string::npos) << repaired.out;
  EXPECT_EQ(everything("new"), everything("db"));
  EXPECT_EQ(run({"check", "--path", files / "new"}).exit_code, 0);
}

TEST_F(RepairCommand, NamesWhatIsLostAndEndsWithAStatusOfItsOwn) {
  const std::string whole = everything("db");
  flip_byte(table(), 400);
  const Outcome repaired = run({"repair", "--path", files / "db", "--to", files / "new"});
  EXPECT_EQ(repaired.exit_code, 13) << repaired.out << repaired.err;
  EXPECT_NE(repaired.out.find("lost: keyspace 'default', keys [\"100000\", "), std::string::npos) << repaired.out;
  EXPECT_NE(repaired.out.find("not everything could be saved"), std::string::npos) << repaired.out;
  const std::string saved = everything("new");
  EXPECT_NE(saved, "");
  EXPECT_LT(saved.size(), whole.size());
  EXPECT_TRUE(whole.ends_with(saved));

  const Outcome json = run({"repair", files / "db", "--to", files / "again", "--json"});
  EXPECT_EQ(json.exit_code, 13);
  EXPECT_NE(json.out.find("\"complete\":false"), std::string::npos) << json.out;
  EXPECT_NE(json.out.find("\"lost_keys\":[{\"keyspace\":\"default\",\"start\":\"100000\""), std::string::npos)
      << json.out;
}

TEST_F(RepairCommand, RefusesWhatItShould) {
  EXPECT_EQ(run({"repair", files / "db"}).exit_code, 2) << "--to is missing";
  EXPECT_EQ(run({"repair", "--to", files / "new"}).exit_code, 2) << "the database is missing";
  EXPECT_EQ(run({"repair", files / "db", "--to", files / "db"}).exit_code, 5);
  EXPECT_EQ(run({"repair", files / "nothing", "--to", files / "new"}).exit_code, 3);
  write_file(files / "a file", "no database");
  EXPECT_EQ(run({"repair", files / "a file", "--to", files / "new"}).exit_code, 8);
  EXPECT_FALSE(std::filesystem::exists(files / "new"));

  Child writer({"import", "--path", files / "db", "--format", "jsonl", "--input", "-", "--progress", "always"});
  ASSERT_TRUE(writer.write("{\"key\":\"k\",\"value\":\"v\"}\n"));
  Outcome refused;
  for (int i = 0; i < 500; ++i) {  // until it has opened the database
    std::filesystem::remove_all(files / "new");
    refused = run({"repair", files / "db", "--to", files / "new"});
    if (refused.exit_code != 0) break;
  }
  EXPECT_EQ(refused.exit_code, 8) << refused.err;
  EXPECT_NE(refused.err.find("the database is open"), std::string::npos) << refused.err;
  writer.close_input();
}

}  // namespace
}  // namespace lightning::cli::testing
