// The same promises on real threads and real files.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>

#include "lightning/database_pool.h"
#include "txn/world.h"

namespace lightning::txn {
namespace {

class Threads : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "lightning-txn-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    config_ = sim::small_config();
    config_.memtable_bytes = 256 << 10;
    config_.wal_segment_bytes = 1 << 20;
    config_.wal_bytes_max = 4 << 20;
    config_.lock_timeout = std::chrono::milliseconds(10'000);
    config_.block_bytes = 1 << 10;
    config_.table_bytes = 256 << 10;
    config_.open_files_max = 8;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  LightningDbConfig config_;
};

int number(const std::optional<std::string>& text) { return text ? std::stoi(*text) : 0; }

TEST_F(Threads, KeepTheSumWhateverKindOfTransactionTheyRun) {
  constexpr int kThreads = 8, kEach = 250, kAccounts = 12, kStart = 100;
  auto db = Database::open(directory_ + "/store", config_);
  ASSERT_OK(db);
  const auto account = [](std::uint64_t i) { return "account:" + std::to_string(i); };
  for (std::uint64_t i = 0; i < kAccounts; ++i) ASSERT_OK(db->put(account(i), std::to_string(kStart)));
  std::atomic<int> wrong_sums{0}, errors{0}, duties{0}, running{kThreads};
  DatabasePool pool(*db, kThreads / 2);
  std::vector<base::Thread> threads;
  for (std::uint64_t t = 0; t < kThreads; ++t)
    threads.push_back(spawn([&, t] {
      env::Dice dice(t + 1);
      for (int i = 0; i < kEach; ++i) {
        TransactionOptions options;
        options.isolation = dice.one_in(2) ? Isolation::kSnapshot : Isolation::kSerializable;
        options.concurrency = dice.one_in(2) ? Concurrency::kOptimistic : Concurrency::kPessimistic;
        options.durability = dice.one_in(50) ? Durability::kSync : Durability::kAsync;
        const std::string from = account(dice.below(kAccounts)), to = account(dice.below(kAccounts));
        auto session = pool.acquire();
        if (!session) {
          ++errors;
          continue;
        }
        Status done;
        if (dice.one_in(8)) {
          options.isolation = Isolation::kSerializable;
          done = (*session)->run_transaction(
              [&](Transaction& txn) -> Status {
                auto it = txn.iterate({.prefix = "duty:"});
                it.seek_to_first();
                if (it.valid()) return txn.erase(it.key());
                LIGHTNING_TRY(it.status());
                return txn.put("duty:" + std::to_string(t), "1");
              },
              options, {.retries = 10'000});
        } else if (dice.one_in(8)) {
          done = (*session)->run_transaction(
              [&](Transaction& txn) -> Status {
                int sum = 0, on_duty = 0;
                auto it = txn.iterate();
                for (it.seek_to_first(); it.valid(); it.next()) {
                  if (it.key().starts_with("account:")) sum += std::stoi(std::string(it.value()));
                  if (it.key().starts_with("duty:")) ++on_duty;
                }
                LIGHTNING_TRY(it.status());
                wrong_sums += sum == kAccounts * kStart ? 0 : 1;
                duties += on_duty > 1 ? 1 : 0;
                return {};
              },
              {.read_only = true});
        } else {
          done = (*session)->run_transaction(
              [&](Transaction& txn) -> Status {
                LIGHTNING_ASSIGN(const auto a, txn.get_for_update(from));
                LIGHTNING_TRY(txn.put(from, std::to_string(number(a) - 1)));
                LIGHTNING_ASSIGN(const auto b, txn.get(to));
                return txn.put(to, std::to_string(number(b) + 1));
              },
              options, {.retries = 10'000});
        }
        if (!done) {
          ++errors;
          ADD_FAILURE() << done.error().to_string();
        }
      }
      --running;
    }));
  threads.push_back(spawn([&] {
    while (running > 0) {
      errors += db->flush() ? 0 : 1;
      (void)db->transactions().size();
      (void)db->snapshots().size();
      base::sleep_for(std::chrono::milliseconds(2));
    }
  }));
  threads.clear();
  EXPECT_EQ(wrong_sums, 0);
  EXPECT_EQ(duties, 0);
  EXPECT_EQ(errors, 0);
  int sum = 0;
  for (std::uint64_t i = 0; i < kAccounts; ++i) sum += number(*db->get(account(i)));
  EXPECT_EQ(sum, kAccounts * kStart);
  const Statistics stats = db->stats();
  EXPECT_EQ(stats.transactions.active, 0u);
  EXPECT_EQ(stats.transactions.locked_keys, 0u);
  EXPECT_EQ(stats.live_snapshots, 0u);
}

// Plain writers of every sort beside the first transactions ever begun: from the switch on nobody slips through.
TEST_F(Threads, PlainWritersNeverSlipBetweenValidationAndApply) {
  constexpr int kThreads = 6, kEach = 400;
  for (int round = 0; round < 4; ++round) {
    auto db = Database::open(directory_ + "/store" + std::to_string(round), config_);
    ASSERT_OK(db);
    ASSERT_OK(db->put("n", "0"));
    std::atomic<int> applied{0}, begun{0};
    std::vector<base::Thread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.push_back(spawn([&, t] {
        const bool optimistic = t % 2 == 0;
        for (int i = 0; i < kEach; ++i) {
          ASSERT_OK(db->put("other" + std::to_string(t), std::to_string(i)));
          if (t == 0 && i == 5) begun = 1;
          if (begun == 0 && t != 0) continue;
          if (t % 3 == 2) {
            for (;;) {
              const std::string now = value_or(db->get("n"));
              const auto set = db->compare_and_set("n", now, std::to_string(std::stoi(now) + 1));
              ASSERT_OK(set);
              if (set->applied) break;
            }
          } else {
            ASSERT_OK(db->run_transaction(
                [](Transaction& txn) -> Status {
                  LIGHTNING_ASSIGN(const auto now, txn.get_for_update("n"));
                  return txn.put("n", std::to_string(number(now) + 1));
                },
                {.concurrency = optimistic ? Concurrency::kOptimistic : Concurrency::kPessimistic},
                {.retries = 100'000}));
          }
          ++applied;
        }
      }));
    threads.clear();
    EXPECT_EQ(number(*db->get("n")), applied);
  }
}

}  // namespace
}  // namespace lightning::txn
