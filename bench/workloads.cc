#include "workloads.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "data.h"

namespace lightning::bench {
namespace {

constexpr unsigned kSampling = 8;        // of operations below a few microseconds, one in eight is timed
constexpr std::size_t kDraws = 1 << 22;  // Zipf ranks per thread

std::uint64_t seed_of(const Worker& w, std::uint64_t row) { return mix(w.parameters.seed) ^ (row << 32) ^ w.index; }

// Fails the trial if a record that was loaded is missing or another one's value came back.
void expect_record(const Trial& trial, bool found, std::string_view value, std::uint64_t n) {
  if (trial.answers_count() && !(found && value_belongs_to(value, n))) fail("a read returned a wrong answer");
}

// --- writing into a new store -----------------------------------------------------------------------------------

template <bool kSequential>
void fill(Trial& trial) {
  trial.measure(1, trial.by_count(trial.parameters().num), kSampling, [](Worker& w) -> Operation {
    return [&w, keys = KeyMaker(w.parameters.key_prefix),
            values = ValueMaker()](std::uint64_t n) mutable -> std::uint64_t {
      w.session.put(kSequential ? keys.sequential(n) : keys.random(n), values.make(n, 0));
      w.user_bytes += kRecordBytes;
      return 1;
    };
  });
}

void fill_batch(Trial& trial) {
  constexpr std::uint64_t kBatch = 1000;
  trial.measure(
      1, trial.by_count(std::max<std::uint64_t>(1, trial.parameters().num / kBatch)), 1, [](Worker& w) -> Operation {
        return [&w, keys = KeyMaker(w.parameters.key_prefix), values = ValueMaker()](std::uint64_t call) mutable {
          for (std::uint64_t n = call * kBatch; n < (call + 1) * kBatch; ++n) {
            w.session.batch_put(keys.random(n), values.make(n, 0));
          }
          w.session.batch_commit();
          w.user_bytes += kBatch * kRecordBytes;
          return kBatch;
        };
      });
}

template <unsigned kThreads>
void put_sync(Trial& trial) {
  trial.measure(kThreads, trial.by_time(), 1, [](Worker& w) -> Operation {
    return [&w, keys = KeyMaker(w.parameters.key_prefix),
            values = ValueMaker()](std::uint64_t call) mutable -> std::uint64_t {
      const std::uint64_t n = call * kThreads + w.index;
      w.session.put(keys.random(n), values.make(n, 0));
      w.user_bytes += kRecordBytes;
      return 1;
    };
  });
}

void overwrite(Trial& trial) {
  trial.measure(1, trial.by_count(trial.parameters().num), kSampling, [](Worker& w) -> Operation {
    return [&w, random = Random(seed_of(w, 1)), keys = KeyMaker(w.parameters.key_prefix),
            values = ValueMaker()](std::uint64_t) mutable -> std::uint64_t {
      const std::uint64_t n = random.below(w.parameters.num);
      w.session.put(keys.random(n), values.make(n, random.next()));
      w.user_bytes += kRecordBytes;
      return 1;
    };
  });
}

// Each record is written five times: what is left of the old ones shows in the disk column.
void large_put(Trial& trial) {
  const std::uint64_t records = std::max<std::uint64_t>(1, trial.parameters().num / 1000);
  trial.measure(1, trial.by_count(records * 5), 1, [records](Worker& w) -> Operation {
    return [&w, records, random = Random(seed_of(w, 9)), keys = KeyMaker(w.parameters.key_prefix),
            values = LargeValueMaker()](std::uint64_t) mutable -> std::uint64_t {
      const std::uint64_t n = random.below(records);
      w.session.put(keys.random(n), values.make(n, random.next()));
      w.user_bytes += kKeyBytes + LargeValueMaker::kBytes;
      return 1;
    };
  });
}

// --- reading ------------------------------------------------------------------------------------------------------

void get_on(Trial& trial, unsigned threads) {
  trial.measure(threads, trial.by_time(), kSampling, [&trial](Worker& w) -> Operation {
    return [&trial, &w, random = Random(seed_of(w, 2)),
            keys = KeyMaker(w.parameters.key_prefix)](std::uint64_t) mutable -> std::uint64_t {
      const std::uint64_t n = random.below(w.parameters.num);
      std::string_view value;
      const bool found = w.session.get(keys.random(n), value);
      expect_record(trial, found, value, n);
      w.touched = w.touched + touch(value);
      return 1;
    };
  });
}

void get_one_thread(Trial& trial) { get_on(trial, 1); }
void get_many_threads(Trial& trial) { get_on(trial, trial.parameters().threads); }

void get_missing(Trial& trial) {
  constexpr std::uint64_t kNeverWritten = 1ull << 48;
  trial.measure(1, trial.by_time(), kSampling, [&trial](Worker& w) -> Operation {
    return [&trial, &w, random = Random(seed_of(w, 3)),
            keys = KeyMaker(w.parameters.key_prefix)](std::uint64_t) mutable -> std::uint64_t {
      std::string_view value;
      if (w.session.get(keys.random(kNeverWritten + random.below(w.parameters.num)), value) && trial.answers_count()) {
        fail("a key that was never written was found");
      }
      ++w.absent;
      return 1;
    };
  });
}

void multi_get(Trial& trial) {
  constexpr std::size_t kKeys = 16;
  trial.measure(1, trial.by_time(), 2, [&trial](Worker& w) -> Operation {
    return [&trial, &w, random = Random(seed_of(w, 4)),
            makers = std::vector<KeyMaker>(kKeys, KeyMaker(w.parameters.key_prefix))](
               std::uint64_t) mutable -> std::uint64_t {
      std::array<std::string_view, kKeys> keys, values;
      std::array<std::uint64_t, kKeys> numbers;
      for (std::size_t i = 0; i < kKeys; ++i) {
        numbers[i] = random.below(w.parameters.num);
        keys[i] = makers[i].random(numbers[i]);
      }
      w.session.multi_get(keys, values);
      for (std::size_t i = 0; i < kKeys; ++i) {
        expect_record(trial, values[i].data() != nullptr, values[i], numbers[i]);
        w.touched = w.touched + touch(values[i]);
      }
      return kKeys;
    };
  });
}

void get_zipf(Trial& trial) {
  trial.measure(1, trial.by_time(), kSampling, [&trial](Worker& w) -> Operation {
    auto ranks = std::make_shared<ZipfRanks>(w.parameters.num, 0.99, kDraws, seed_of(w, 5));
    return [&trial, &w, ranks, keys = KeyMaker(w.parameters.key_prefix)](std::uint64_t) mutable -> std::uint64_t {
      const std::uint64_t n = ranks->next();  // the key's hash scatters the popular records over the key space
      std::string_view value;
      const bool found = w.session.get(keys.random(n), value);
      expect_record(trial, found, value, n);
      w.touched = w.touched + touch(value);
      return 1;
    };
  });
}

void seek_50(Trial& trial) {
  trial.measure(1, trial.by_time(), 1, [](Worker& w) -> Operation {
    return [&w, random = Random(seed_of(w, 6)),
            keys = KeyMaker(w.parameters.key_prefix)](std::uint64_t) mutable -> std::uint64_t {
      const ScanSum sum = w.session.scan(keys.random(random.below(w.parameters.num)), 50, Direction::kForward);
      w.touched = w.touched + sum.touched;
      return 1;
    };
  });
}

template <Direction kDirection>
void scan_all(Trial& trial) {
  const std::uint64_t records = trial.records();
  trial.measure(1, trial.by_time(), 1, [&trial, records](Worker& w) -> Operation {
    return [&trial, &w, records](std::uint64_t) -> std::uint64_t {
      const ScanSum sum = w.session.scan({}, records + 1, kDirection);
      if (trial.answers_count() && sum.entries != records) fail("a full scan missed or repeated records");
      w.touched = w.touched + sum.touched;
      return sum.entries;
    };
  });
}

// --- transactions ---------------------------------------------------------------------------------------------------

// Reads and changes the records `numbers`, again and again until nobody comes in between.
class TransactionThread {
 public:
  TransactionThread(Trial& trial, Worker& w, std::uint64_t row)
      : trial_(trial),
        w_(w),
        random_(seed_of(w, row)),
        key_makers_{KeyMaker(w.parameters.key_prefix), KeyMaker(w.parameters.key_prefix)} {}

  Random& random() { return random_; }
  void change(std::span<const std::uint64_t> numbers) {
    std::array<std::string_view, kKeysMax> keys;
    for (std::size_t i = 0; i < numbers.size(); ++i) keys[i] = key_makers_[i].random(numbers[i]);
    const Change change = [&](std::size_t i, std::string_view before) {
      expect_record(trial_, !before.empty(), before, numbers[i]);
      w_.touched = w_.touched + touch(before);
      return values_.make(numbers[i], random_.next());
    };
    while (!w_.session.transact({keys.data(), numbers.size()}, change)) ++w_.absent;  // counted as tries in vain
    w_.user_bytes += numbers.size() * kRecordBytes;
  }
  void read(std::uint64_t n) {
    std::string_view value;
    const bool found = w_.session.get(key_makers_[0].random(n), value);
    expect_record(trial_, found, value, n);
    w_.touched = w_.touched + touch(value);
  }

 private:
  static constexpr std::size_t kKeysMax = 2;
  Trial& trial_;
  Worker& w_;
  Random random_;
  std::array<KeyMaker, kKeysMax> key_makers_;
  ValueMaker values_;
};

// From one account to another. Of 100 transfers, `contended` have one of eight accounts that are in everybody's way.
std::function<void(Trial&)> bank(unsigned threads, unsigned contended) {
  return [threads, contended](Trial& trial) {
    trial.measure(threads, trial.by_time(), 2, [&trial, contended](Worker& w) -> Operation {
      auto thread = std::make_shared<TransactionThread>(trial, w, 9);
      return [thread, &w, contended](std::uint64_t) -> std::uint64_t {
        constexpr std::uint64_t kInTheWay = 8;
        Random& random = thread->random();
        std::array<std::uint64_t, 2> accounts{random.below(w.parameters.num), random.below(w.parameters.num)};
        if (random.below(100) < contended) accounts[random.below(2)] = random.below(kInTheWay);
        if (accounts[0] == accounts[1]) accounts[1] = (accounts[0] + 1) % w.parameters.num;
        thread->change(accounts);
        return 1;
      };
    });
  };
}

// YCSB's F with its read-modify-writes as transactions.
std::function<void(Trial&)> ycsb_f_as_transactions(unsigned threads) {
  return [threads](Trial& trial) {
    trial.measure(threads, trial.by_time(), kSampling, [&trial](Worker& w) -> Operation {
      auto thread = std::make_shared<TransactionThread>(trial, w, 10);
      auto ranks = std::make_shared<ZipfRanks>(w.parameters.num, 0.99, kDraws, seed_of(w, 11));
      return [thread, ranks](std::uint64_t) -> std::uint64_t {
        const std::uint64_t n = ranks->next();
        if (thread->random().below(2) == 0) {
          thread->read(n);
        } else {
          thread->change({&n, 1});
        }
        return 1;
      };
    });
  };
}

// --- YCSB (Cooper et al.: "Benchmarking cloud serving systems with YCSB", 2010) ------------------------------------

struct Mix {
  unsigned read, update, insert, scan, modify;  // percent
  bool latest = false;                          // popular are the newest records, not scattered ones
};

class YcsbThread {
 public:
  YcsbThread(Trial& trial, Worker& w, Mix mix)
      : trial_(trial),
        w_(w),
        mix_(mix),
        random_(seed_of(w, 7)),
        keys_(w.parameters.key_prefix),
        ranks_(w.parameters.num, 0.99, kDraws, seed_of(w, 8)) {}

  std::uint64_t operator()() {
    auto dice = static_cast<unsigned>(random_.below(100));
    const auto is = [&dice](unsigned percent) {
      const bool chosen = dice < percent;
      dice -= percent;
      return chosen;
    };
    if (is(mix_.read)) {
      read(choose());
    } else if (is(mix_.update)) {
      write(choose());
    } else if (is(mix_.insert)) {
      write(std::atomic_ref(trial_.records()).fetch_add(1, std::memory_order_relaxed));
    } else if (is(mix_.scan)) {
      w_.touched =
          w_.touched + w_.session.scan(keys_.random(choose()), 1 + random_.below(100), Direction::kForward).touched;
    } else {
      const std::uint64_t n = choose();
      read(n);
      write(n);
    }
    return 1;
  }

 private:
  std::uint64_t choose() {
    const std::uint64_t rank = ranks_.next();
    return mix_.latest ? std::atomic_ref(trial_.records()).load(std::memory_order_relaxed) - 1 - rank : rank;
  }
  void read(std::uint64_t n) {
    std::string_view value;
    const bool found = w_.session.get(keys_.random(n), value);
    // The newest record may still be on its way in another thread.
    if (found || !mix_.latest) {
      expect_record(trial_, found, value, n);
    } else {
      ++w_.absent;
    }
    w_.touched = w_.touched + touch(value);
  }
  void write(std::uint64_t n) {
    w_.session.put(keys_.random(n), values_.make(n, random_.next()));
    w_.user_bytes += kRecordBytes;
  }

  Trial& trial_;
  Worker& w_;
  Mix mix_;
  Random random_;
  KeyMaker keys_;
  ValueMaker values_;
  ZipfRanks ranks_;
};

std::function<void(Trial&)> ycsb(Mix mix) {
  return [mix](Trial& trial) {
    trial.measure(trial.parameters().threads, trial.by_time(), mix.scan != 0 ? 1 : kSampling,
                  [&trial, mix](Worker& w) -> Operation {
                    auto thread = std::make_shared<YcsbThread>(trial, w, mix);
                    return [thread](std::uint64_t) { return (*thread)(); };
                  });
  };
}

std::vector<Row> make_rows() {
  const Row fresh{.name = "",
                  .unit = "put",
                  .description = "",
                  .data = Data::kNew,
                  .writes = true,
                  .sync = false,
                  .append = false,
                  .run = {}};
  const auto new_store = [&fresh](std::string name, std::string description, std::function<void(Trial&)> run) {
    Row row = fresh;
    row.name = std::move(name);
    row.description = std::move(description);
    row.run = std::move(run);
    return row;
  };
  const auto loaded = [](std::string name, std::string unit, std::string description, bool writes,
                         std::function<void(Trial&)> run) {
    Row row;
    row.name = std::move(name);
    row.unit = std::move(unit);
    row.description = std::move(description);
    row.writes = writes;
    row.run = std::move(run);
    return row;
  };
  std::vector<Row> all = {
      new_store("fill_seq", "single puts in key order into a new store, no sync", fill<true>),
      new_store("fill_random", "single puts in random order into a new store, no sync", fill<false>),
      new_store("fill_batch", "batches of 1000 in random order into a new store, no sync", fill_batch),
      new_store("large_put", "puts of 64 KiB over num/1000 keys, each five times, no sync", large_put),
      new_store("sync_1", "synced single puts, 1 thread", put_sync<1>),
      new_store("sync_16", "synced single puts, 16 threads", put_sync<16>),
      new_store("sync_64", "synced single puts, 64 threads", put_sync<64>),
      loaded("get", "get", "random reads of loaded records, cached, 1 thread", false, get_one_thread),
      loaded("get_mt", "get", "the same, --threads threads", false, get_many_threads),
      loaded("get_missing", "get", "reads of keys that are not there, 1 thread", false, get_missing),
      loaded("multi_get", "key", "random reads, 16 keys per call, 1 thread", false, multi_get),
      loaded("get_zipf", "get", "reads by Zipf's law (0.99), 1 thread", false, get_zipf),
      loaded("seek_50", "seek", "seek to a random key and read 50 entries, 1 thread", false, seek_50),
      loaded("scan", "entry", "all entries, first to last", false, scan_all<Direction::kForward>),
      loaded("scan_back", "entry", "all entries, last to first", false, scan_all<Direction::kBackward>),
      loaded("ycsb_c", "op", "100 % reads, Zipf, --threads threads", false, ycsb({100, 0, 0, 0, 0})),
      loaded("ycsb_b", "op", "95 % reads, 5 % updates, Zipf, --threads threads", true, ycsb({95, 5, 0, 0, 0})),
      loaded("ycsb_a", "op", "50 % reads, 50 % updates, Zipf, --threads threads", true, ycsb({50, 50, 0, 0, 0})),
      loaded("ycsb_f", "op", "50 % reads, 50 % read-modify-writes, Zipf, --threads threads", true,
             ycsb({50, 0, 0, 0, 50})),
      loaded("ycsb_d", "op", "95 % reads of the latest, 5 % inserts, --threads threads", true,
             ycsb({95, 0, 5, 0, 0, true})),
      loaded("ycsb_e", "op", "95 % scans of 1 to 100 entries, 5 % inserts, --threads threads", true,
             ycsb({0, 0, 5, 95, 0})),
      loaded("overwrite", "put", "single puts over random loaded records, no sync", true, overwrite),
  };
  for (const unsigned threads : {1u, 4u, 16u}) {
    const std::string on = ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
    const std::string number = std::to_string(threads);
    all.push_back(loaded("txn_f_" + number, "op", "YCSB F with its read-modify-writes as transactions" + on, true,
                         ycsb_f_as_transactions(threads)));
    all.push_back(
        loaded("txn_bank1_" + number, "txn", "transfers, 1 % of them contended" + on, true, bank(threads, 1)));
    all.push_back(
        loaded("txn_bank50_" + number, "txn", "transfers, 50 % of them contended" + on, true, bank(threads, 50)));
    all.push_back(loaded("txn_sync_" + number, "txn", "transfers, 1 % contended, synced" + on, true, bank(threads, 1)));
  }
  for (Row& row : all) {
    row.transactions = row.name.starts_with("txn_");
    row.sync = row.name.starts_with("sync_") || row.name.starts_with("txn_sync_");
    row.append = row.name == "fill_seq";
  }
  return all;
}

}  // namespace

const std::vector<Row>& rows() {
  static const std::vector<Row> all = make_rows();
  return all;
}

}  // namespace lightning::bench
