// Statistics as JSON: every field is in it, once, under its own name.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "lightning/statistics.h"

namespace lightning {
namespace {

// The fields of each struct in statistics.h, by reading it.
std::map<std::string, std::set<std::string>> declared() {
  std::ifstream file(LIGHTNING_SOURCE_DIR "/include/lightning/statistics.h");
  std::map<std::string, std::set<std::string>> structs;
  static const std::regex kStruct("struct (\\w+) \\{.*"), kField("(\\w+)( = [^,;]+)?[,;]");
  std::string current, statement;
  for (std::string line; std::getline(file, line);) {
    line = line.substr(0, line.find("//"));
    std::smatch match;
    if (std::regex_match(line, match, kStruct)) {
      current = match[1];
      continue;
    }
    if (line.starts_with("};")) current.clear();
    if (current.empty()) continue;
    statement += line;
    if (statement.find(';') == std::string::npos) continue;
    for (std::sregex_iterator it(statement.begin(), statement.end(), kField), end; it != end; ++it)
      structs[current].insert((*it)[1]);
    statement.clear();
  }
  return structs;
}

// The names of each object's members by its path: "", "keyspaces", "keyspaces/levels". Of arrays with one entry at
// most, and texts without quotes in them.
std::map<std::string, std::set<std::string>> members_of(const std::string& json) {
  std::map<std::string, std::set<std::string>> members;
  std::vector<std::string> path = {""};
  std::string name;
  for (std::size_t at = 0; at < json.size(); ++at) {
    if (json[at] == '"') {
      const std::size_t end = json.find('"', at + 1);
      if (json[end + 1] == ':') {
        name = json.substr(at + 1, end - at - 1);
        EXPECT_TRUE(members[path.back()].insert(name).second) << name << " is there twice";
      }
      at = end;
    } else if (json[at] == '{') {
      path.push_back(path.back().empty() ? name : path.back() + "/" + name);
    } else if (json[at] == '}') {
      path.pop_back();
    }
  }
  EXPECT_EQ(path.size(), 1u);
  return members;
}

Statistics filled() {
  Statistics statistics;
  statistics.puts = 7;
  statistics.cache_hit_rate = 0.25;
  statistics.get_latency.p99_us = 1.5;
  statistics.transactions.deadlocks = 3;
  KeyspaceStatistics& keyspace = statistics.keyspaces.emplace_back();
  keyspace.name = "orders";
  keyspace.expired_bytes = 11;
  keyspace.levels.push_back({.level = 2, .tables = 5});
  DamagedTable& table = statistics.damaged_tables.emplace_back();
  table.smallest_key = "a";
  table.largest_key = "\xff";
  statistics.damaged_blob_files.push_back({.keyspace = "orders", .file = "000001.blob", .error = "torn"});
  return statistics;
}

TEST(StatisticsJson, HasEveryFieldOfEveryStruct) {
  Statistics statistics = filled();
  statistics.damaged_tables[0].largest_key = "z";
  auto members = members_of(to_json(statistics));
  const std::map<std::string, std::string> place = {
      {"LatencySummary", "get_latency"},
      {"LevelStatistics", "keyspaces/levels"},
      {"BlobStatistics", "blobs"},
      {"KeyspaceStatistics", "keyspaces"},
      {"DamagedTable", "damaged_tables"},
      {"DamagedBlobFile", "damaged_blob_files"},
      {"LossWindow", "loss_window"},
      {"StallStatistics", "stalls"},
      {"MemoryStatistics", "memory"},
      {"TransactionStatistics", "transactions"},
      {"ScrubStatistics", "scrub"},
      {"ArchiveStatistics", "archive"},
      {"Statistics", ""},
  };
  members[""].erase("damaged_tables_count");
  for (const auto& [name, fields] : declared()) {
    ASSERT_TRUE(place.contains(name)) << name;
    EXPECT_EQ(members[place.at(name)], fields) << name;
  }
  EXPECT_EQ(declared().size(), place.size());
}

TEST(StatisticsJson, GivesNumbersAndTextsAsTheyAre) {
  Statistics statistics = filled();
  statistics.damaged_blob_files[0].error = "\"torn\"";
  const std::string json = to_json(statistics);
  for (const char* part : {"\"puts\":7,", "\"cache_hit_rate\":0.250,", "\"p99_us\":1.500,", "\"deadlocks\":3,",
                           "\"level\":2,\"tables\":5,", "\"expired_bytes\":11}", "\"smallest_key\":\"a\"",
                           "\"largest_key_base64\":\"/w==\"", "\"error\":\"\\\"torn\\\"\""})
    EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
  EXPECT_EQ(json.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace lightning
