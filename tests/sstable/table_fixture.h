// A table in memory with everything a test needs around it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/epoch.h"
#include "cache/block_cache.h"
#include "memory_files.h"
#include "sstable/table.h"
#include "support/row.h"

namespace lightning::sstable {

using testing_support::entry_of;
using testing_support::Row;

// What a look-up in the model says: the newest version at or before `at`.
const Row* newest(const std::vector<Row>& rows, std::string_view key, Sequence at);

class TestTable {
 public:
  explicit TestTable(std::uint64_t budget_bytes = 64 << 20) : budget(budget_bytes) {}
  ~TestTable();

  // Writes `rows`, which are in entry order, as `path`, and opens them.
  void write(const std::vector<Row>& rows, const TableOptions& options = {}, const std::string& path = "t");
  // Opens `path` again, with an empty cache.
  Status open(const std::string& path = "t");
  std::string& bytes(const std::string& path = "t") { return *files[path]; }

  struct Answer {
    bool found = false;
    Sequence sequence = 0;
    format::EntryType type = format::EntryType::kPut;
    std::string value;
    bool operator==(const Answer&) const = default;
  };
  Result<Answer> find(std::string_view key, Sequence at = format::kSequenceMax, bool fill_cache = true);
  static Answer answer(const Row* row);
  // Everything the iterator gives, forwards, until it ends or fails.
  Result<std::vector<Row>> scan();
  std::vector<Error> check();

  MemoryFiles files;
  env::Env env{files, env::Env::real().clock, env::Env::real().random};
  base::MemoryBudget budget;
  base::EpochDomain epochs;
  std::unique_ptr<cache::BlockCache> cache = std::make_unique<cache::BlockCache>(budget, epochs);
  format::Uid store_id = uid_of(1), uid = uid_of(2);
  TableMeta meta;
  std::shared_ptr<Table> table;

  static format::Uid uid_of(std::uint8_t n) {
    format::Uid id;
    id.bytes.fill(n);
    return id;
  }
};

// A seed for this run, printed; LIGHTNING_TEST_SEED gives one back.
std::uint64_t test_seed();

// Rows "key00000000".. with values of `value_bytes`, all distinct.
std::vector<Row> plain_rows(std::size_t count, std::size_t value_bytes = 40);

}  // namespace lightning::sstable
