// The anomalies table of docs/guarantees.md: two or more transactions, step by step, at each level and in each mode.
//
// Each program answers whether the anomaly took place. A call that is refused (conflict, lock timeout) ends its
// transaction, which then has no part in any anomaly.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "txn/world.h"

namespace lightning::txn {
namespace {

class Party {
 public:
  Party(Database& db, const TransactionOptions& options) : txn_(std::move(*db.begin(options))) {}
  std::string get(const std::string& key) { return answer(txn_.get(key)); }
  std::string get_for_update(const std::string& key) { return answer(txn_.get_for_update(key)); }
  void put(const std::string& key, const std::string& value) { refused(txn_.put(key, value)); }
  int count(const std::string& prefix) {
    int found = 0;
    auto it = txn_.iterate({.prefix = prefix});
    for (it.seek_to_first(); it.valid(); it.next()) ++found;
    refused(it.status());
    return found;
  }
  void rollback() { refused(txn_.rollback()); }
  bool commit() {
    committed_ = alive_ && txn_.commit().has_value();
    return committed_;
  }
  bool alive() const { return alive_; }

 private:
  std::string answer(const Result<std::optional<std::string>>& found) {
    if (!found) {
      alive_ = false;
      if (txn_.active()) (void)txn_.rollback().has_value();
      return "";
    }
    return found->value_or("-");
  }
  void refused(const Status& status) {
    if (status) return;
    alive_ = false;
    if (txn_.active()) (void)txn_.rollback().has_value();
  }
  Transaction txn_;
  bool alive_ = true, committed_ = false;
};

using Program = bool (*)(Database&, const TransactionOptions&);

void start(Database& db) {
  for (const char* key : {"x", "y"}) ASSERT_OK(db.put(key, "0"));
}

// G0: writes of two transactions interleave.
bool dirty_write(Database& db, const TransactionOptions& options) {
  Party a(db, options), b(db, options);
  a.put("x", "a");
  b.put("x", "b");
  b.put("y", "b");
  a.put("y", "a");
  a.commit();
  b.commit();
  return value_or(db.get("x")) != value_or(db.get("y"));
}

// G1a: something is read that is then rolled back; G1b: something in between.
bool dirty_read(Database& db, const TransactionOptions& options) {
  Party a(db, options), b(db, options);
  a.put("x", "1");
  const std::string between = b.get("x");
  a.put("x", "2");
  const std::string before_end = b.get("x");
  a.rollback();
  const std::string after = b.get("x");
  return b.commit() && (between != "0" || before_end != "0" || after != "0");
}

// G1c: each reads what the other wrote.
bool circular_information(Database& db, const TransactionOptions& options) {
  Party a(db, options), b(db, options);
  a.put("x", "a");
  b.put("y", "b");
  const std::string a_y = a.get("y"), b_x = b.get("x");
  const bool first = a.commit(), second = b.commit();
  return first && second && a_y == "b" && b_x == "a";
}

// What was committed before is not seen, by a point read or in a range.
bool stale_read(Database& db, const TransactionOptions& options) {
  Party a(db, options);
  a.put("x", "1");
  a.put("row1", "1");
  if (!a.commit()) return true;
  Party b(db, options);
  const std::string x = b.get("x");
  const int rows = b.count("row");
  return b.commit() && (x != "1" || rows != 1);
}

bool non_repeatable_read(Database& db, const TransactionOptions& options) {
  Party a(db, options), b(db, options);
  const std::string first = a.get("x");
  b.put("x", "1");
  b.commit();
  const std::string second = a.get("x");
  return a.commit() && first != second;
}

bool phantom(Database& db, const TransactionOptions& options) {
  Party a(db, options), b(db, options);
  const int first = a.count("row");
  b.put("row1", "1");
  b.commit();
  const int second = a.count("row");
  return a.commit() && first != second;
}

// P4: both read, both write what they read, one write is gone.
bool lost_update(Database& db, const TransactionOptions& options) {
  Party a(db, options), b(db, options);
  const std::string read_a = a.get("x"), read_b = b.get("x");
  a.put("x", read_a + "a");
  const bool first = a.commit();
  b.put("x", read_b + "b");
  const bool second = b.commit();
  return first && second && value_or(db.get("x")) == "0b";
}

bool lost_update_of_locked_key(Database& db, const TransactionOptions& options) {
  Party a(db, options), b(db, options);
  const std::string read_a = a.get_for_update("x"), read_b = b.get_for_update("x");
  a.put("x", read_a + "a");
  const bool first = a.commit();
  b.put("x", read_b + "b");
  const bool second = b.commit();
  return first && second && value_or(db.get("x")) == "0b";
}

// G-single: one transaction's writes seen in part.
bool read_skew(Database& db, const TransactionOptions& options) {
  Party a(db, options), b(db, options);
  const std::string x = a.get("x");
  b.put("x", "1");
  b.put("y", "1");
  b.commit();
  const std::string y = a.get("y");
  return a.commit() && x != y;
}

// G2-item: each reads what the other writes.
bool write_skew(Database& db, const TransactionOptions& options) {
  Party a(db, options), b(db, options);
  const std::string a_x = a.get("x"), a_y = a.get("y"), b_x = b.get("x"), b_y = b.get("y");
  if (a_x == "0" && a_y == "0") a.put("x", "1");
  if (b_x == "0" && b_y == "0") b.put("y", "1");
  const bool first = a.commit(), second = b.commit();
  return first && second && value_or(db.get("x")) == "1" && value_or(db.get("y")) == "1";
}

// G2: each counts rows, and adds one that the other did not count.
bool write_skew_by_phantoms(Database& db, const TransactionOptions& options) {
  Party a(db, options), b(db, options);
  const int in_a = a.count("row"), in_b = b.count("row");
  if (in_a == 0) a.put("row1", "1");
  if (in_b == 0) b.put("row2", "1");
  const bool first = a.commit(), second = b.commit();
  return first && second && value_or(db.get("row1")) == "1" && value_or(db.get("row2")) == "1";
}

// Two readers see two independent writes in opposite order.
bool long_fork(Database& db, const TransactionOptions& options) {
  Party c(db, options), d(db, options), a(db, options), b(db, options);
  const std::string c_x = c.get("x"), d_y = d.get("y");
  a.put("x", "1");
  b.put("y", "1");
  const bool written = a.commit() && b.commit();
  const std::string c_y = c.get("y"), d_x = d.get("x");
  return c.commit() && d.commit() && written && c_x == "0" && c_y == "1" && d_y == "0" && d_x == "1";
}

struct Anomaly {
  const char* name;
  Program program;
  bool read_committed, snapshot, serializable;  // whether the level lets it happen
};
constexpr Anomaly kAnomalies[] = {
    {"DirtyWrite", dirty_write, false, false, false},
    {"DirtyRead", dirty_read, false, false, false},
    {"CircularInformation", circular_information, false, false, false},
    {"StaleRead", stale_read, false, false, false},
    {"NonRepeatableRead", non_repeatable_read, true, false, false},
    {"Phantom", phantom, true, false, false},
    {"LostUpdate", lost_update, true, false, false},
    {"LostUpdateOfLockedKey", lost_update_of_locked_key, false, false, false},
    {"ReadSkew", read_skew, true, false, false},
    {"WriteSkew", write_skew, true, true, false},
    {"WriteSkewByPhantoms", write_skew_by_phantoms, true, true, false},
    {"LongFork", long_fork, true, false, false},
};

using Case = std::tuple<Anomaly, Isolation, Concurrency>;

class Anomalies : public testing::TestWithParam<Case> {};

TEST_P(Anomalies, HappenOnlyWhereTheLevelAllowsThem) {
  const auto& [anomaly, isolation, concurrency] = GetParam();
  const bool allowed = isolation == Isolation::kReadCommitted ? anomaly.read_committed
                       : isolation == Isolation::kSnapshot    ? anomaly.snapshot
                                                              : anomaly.serializable;
  World world;
  world.run([&](Database& db) {
    start(db);
    const TransactionOptions options{.isolation = isolation, .concurrency = concurrency};
    EXPECT_EQ(anomaly.program(db, options), allowed);
  });
}

// The same with everything that was there before in tables, and a flush between begin and commit.
TEST_P(Anomalies, AreTheSameWhereDataLiesInTables) {
  const auto& [anomaly, isolation, concurrency] = GetParam();
  if (isolation == Isolation::kReadCommitted) return;
  World world;
  world.run([&](Database& db) {
    start(db);
    ASSERT_OK(db.flush());
    ASSERT_OK(db.compact_range());
    const bool allowed = isolation == Isolation::kSnapshot ? anomaly.snapshot : anomaly.serializable;
    EXPECT_EQ(anomaly.program(db, {.isolation = isolation, .concurrency = concurrency}), allowed);
  });
}

std::string name_of_cell(const Anomaly& anomaly, Isolation isolation, Concurrency concurrency) {
  const char* level = isolation == Isolation::kReadCommitted ? "ReadCommitted"
                      : isolation == Isolation::kSnapshot    ? "Snapshot"
                                                             : "Serializable";
  return std::string(anomaly.name) + level + (concurrency == Concurrency::kOptimistic ? "Optimistic" : "Pessimistic");
}

std::string name_of_case(const testing::TestParamInfo<Case>& tested) { return std::apply(name_of_cell, tested.param); }

INSTANTIATE_TEST_SUITE_P(AtEachLevel, Anomalies,
                         testing::Combine(testing::ValuesIn(kAnomalies),
                                          testing::Values(Isolation::kReadCommitted, Isolation::kSnapshot,
                                                          Isolation::kSerializable),
                                          testing::Values(Concurrency::kOptimistic, Concurrency::kPessimistic)),
                         name_of_case);

// Each cell of the table says what its test says, and there is such a test; and no cell names another.
TEST(TheTable, NamesTheTestOfEachCell) {
  std::ifstream file(LIGHTNING_SOURCE_DIR "/docs/guarantees.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  ASSERT_FALSE(page.empty());
  const auto count = [&](const std::string& text) {
    std::size_t found = 0;
    for (auto at = page.find(text); at != std::string::npos; at = page.find(text, at + 1)) ++found;
    return found;
  };
  std::size_t cells = 0;
  for (const Anomaly& anomaly : kAnomalies)
    for (const Isolation isolation : {Isolation::kReadCommitted, Isolation::kSnapshot, Isolation::kSerializable})
      for (const Concurrency concurrency : {Concurrency::kOptimistic, Concurrency::kPessimistic}) {
        const bool allowed = isolation == Isolation::kReadCommitted ? anomaly.read_committed
                             : isolation == Isolation::kSnapshot    ? anomaly.snapshot
                                                                    : anomaly.serializable;
        const std::string name = name_of_cell(anomaly, isolation, concurrency);
        EXPECT_EQ(count((allowed ? "possible<br>`" : "never<br>`") + name + "`"), 1u) << name;
        ++cells;
        bool is_test = false;
        const auto& all = *testing::UnitTest::GetInstance();
        for (int suite = 0; suite < all.total_test_suite_count(); ++suite)
          for (int test = 0; test < all.GetTestSuite(suite)->total_test_count(); ++test)
            is_test |=
                all.GetTestSuite(suite)->GetTestInfo(test)->name() == "HappenOnlyWhereTheLevelAllowsThem/" + name;
        EXPECT_TRUE(is_test) << name;
      }
  EXPECT_EQ(count("<br>`"), cells);
}

}  // namespace
}  // namespace lightning::txn
