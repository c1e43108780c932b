#include "table_fixture.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace lightning::sstable {

const Row* newest(const std::vector<Row>& rows, std::string_view key, Sequence at) {
  const auto found = std::lower_bound(rows.begin(), rows.end(), Row{std::string(key), at, {}, {}});
  return found == rows.end() || found->key != key ? nullptr : &*found;
}

TestTable::~TestTable() {
  table.reset();
  cache.reset();
  EXPECT_EQ(budget.held(base::MemoryOwner::kFiltersAndIndexes), 0u);
}

void TestTable::write(const std::vector<Row>& rows, const TableOptions& options, const std::string& path) {
  auto file = files.create_writable(path, env::FileClass::kTable);
  TableWriter writer(std::move(*file), store_id, uid, 7, options);
  for (const Row& row : rows) {
    const Status added = writer.add(entry_of(row));
    ASSERT_TRUE(added) << added.error().to_string();
  }
  auto finished = writer.finish();
  ASSERT_TRUE(finished) << finished.error().to_string();
  meta = *finished;
  EXPECT_EQ(meta.file_bytes, files[path]->size());
  const Status opened = open(path);
  ASSERT_TRUE(opened) << opened.error().to_string();
}

Status TestTable::open(const std::string& path) {
  table.reset();
  auto opened = Table::open(env, path, store_id, meta, *cache, budget);
  if (!opened) return std::move(opened).error();
  table = std::move(*opened);
  return {};
}

Result<TestTable::Answer> TestTable::find(std::string_view key, Sequence at, bool fill_cache) {
  TableLookup result;
  LIGHTNING_ASSIGN(const bool found, table->find(key, filter_hash(key), at, {.fill_cache = fill_cache}, result));
  if (!found) return Answer{};
  EXPECT_TRUE(result.pinned);
  Answer answer{true, result.sequence, result.type, std::string(result.value)};
  cache->release(result.block);
  return answer;
}

TestTable::Answer TestTable::answer(const Row* row) {
  return row == nullptr ? Answer{} : Answer{true, row->sequence, row->type, row->value};
}

Result<std::vector<Row>> TestTable::scan() {
  std::vector<Row> rows;
  const auto cursor = table->iterator({});
  for (cursor->seek_to_first(); cursor->valid(); cursor->next()) {
    const format::Entry& entry = cursor->entry();
    rows.push_back({std::string(entry.key), entry.sequence, entry.type, std::string(entry.value)});
  }
  LIGHTNING_TRY(cursor->status());
  return rows;
}

std::vector<Error> TestTable::check() {
  std::vector<Error> findings;
  table->check(
      [&](const Error& error) {
        findings.push_back(error);
        return true;
      },
      {});
  return findings;
}

std::uint64_t test_seed() {
  const char* given = std::getenv("LIGHTNING_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("LIGHTNING_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

std::vector<Row> plain_rows(std::size_t count, std::size_t value_bytes) {
  std::vector<Row> rows;
  char key[32];
  for (std::size_t i = 0; i < count; ++i) {
    std::snprintf(key, sizeof key, "key%08zu", i);
    std::string value = std::string(key) + "=";
    value.resize(value_bytes, static_cast<char>('a' + i % 26));
    rows.push_back({key, i + 1, format::EntryType::kPut, std::move(value)});
  }
  return rows;
}

}  // namespace lightning::sstable
