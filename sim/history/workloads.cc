#include "sim/history/workloads.h"

#include <algorithm>

namespace lightning::sim::history {

namespace {

constexpr std::uint32_t kLists = 1, kRegisters = 2, kBank = 3, kForks = 4, kPairs = 5, kCounters = 6, kRing = 7,
                        kDuties = 8, kAnything = 9;  // kSums = 10
constexpr std::int64_t kBalance = 100;
constexpr std::uint32_t kAccounts = 6, kRingRows = 7, kRowsOfGroup = 8;

Key any(Client& client, std::uint32_t table, std::uint32_t rows) {
  return key_of(table, static_cast<std::uint32_t>(client.dice().below(rows)));
}
Key any(Recorded& txn, std::uint32_t table, std::uint32_t rows) {
  return key_of(table, static_cast<std::uint32_t>(txn.dice().below(rows)));
}

std::vector<Key> all_keys(env::Dice& dice, std::uint32_t table, std::uint32_t rows) {
  std::vector<Key> keys;
  keys.reserve(rows);
  for (std::uint32_t row = 0; row < rows; ++row) keys.push_back(key_of(table, row));
  for (std::size_t i = keys.size(); i > 1; --i) std::swap(keys[i - 1], keys[dice.below(i)]);
  return keys;
}

// The whole table, by one of three ways.
Status read_all(Recorded& txn, std::uint32_t table, std::uint32_t rows) {
  switch (txn.dice().below(3)) {
    case 0: {
      for (const Key key : all_keys(txn.dice(), table, rows)) LIGHTNING_TRY(txn.get(key));
      return {};
    }
    case 1:
      LIGHTNING_TRY(txn.multi_get(all_keys(txn.dice(), table, rows)));
      return {};
    default:
      LIGHTNING_TRY(txn.scan(key_of(table, 0), key_of(table + 1, 0), {.backward = txn.dice().one_in(2)}));
      return {};
  }
}

// --- lists: appends, and reads of what was appended
// ---------------------------------------------------------------------

constexpr std::uint32_t kListRows = 4;

void step_lists(Client& client) {
  client.transaction([](Recorded& txn) -> Status {
    for (std::uint64_t i = 1 + txn.dice().below(4); i > 0; --i) {
      const Key key = any(txn, kLists, kListRows);
      if (txn.dice().one_in(2)) {
        LIGHTNING_TRY(txn.get(key));
        continue;
      }
      if (txn.dice().one_in(3)) {
        LIGHTNING_TRY(txn.merge(key));
        continue;
      }
      LIGHTNING_ASSIGN(const Found before, txn.get_to_write(key));
      LIGHTNING_TRY(txn.append(before));
    }
    return {};
  });
}

// --- registers: everything that can be done to a few keys
// ---------------------------------------------------------------

constexpr std::uint32_t kRegisterRows = 6;

Status touch_registers(Recorded& txn) {
  env::Dice& dice = txn.dice();
  const Key key = any(txn, kRegisters, kRegisterRows);
  switch (dice.below(12)) {
    case 0:
    case 1:
      LIGHTNING_TRY(txn.get(key));
      return {};
    case 8: {
      const Key other = any(txn, kRegisters, kRegisterRows);
      return txn.erase_range(std::min(key, other), std::max(key, other));
    }
    case 2: {
      auto keys = all_keys(dice, kRegisters, kRegisterRows);
      keys.resize(1 + dice.below(keys.size()));
      LIGHTNING_TRY(txn.multi_get(keys));
      return {};
    }
    case 3: {
      const Key other = any(txn, kRegisters, kRegisterRows);
      LIGHTNING_TRY(
          txn.scan(std::min(key, other), std::max(key, other) + 1,
                   {.backward = dice.one_in(2), .limit = dice.one_in(2) ? 1 + dice.below(3) : ~std::size_t{0}}));
      return {};
    }
    case 4:
      return txn.put(key, 0);
    case 5:
      return txn.erase(key);
    case 9:
      return txn.merge(key);
    case 10: {  // into what it has not looked at, and then looks at
      LIGHTNING_TRY(txn.merge(key));
      LIGHTNING_TRY(txn.merge(key));
      LIGHTNING_TRY(txn.get(key));
      return {};
    }
    case 6: {  // something that is taken back
      LIGHTNING_ASSIGN(const Savepoint savepoint, txn.savepoint());
      const std::size_t mark = txn.mark();
      LIGHTNING_TRY(dice.one_in(3) ? txn.merge(key) : dice.one_in(2) ? txn.put(key, 0) : txn.erase(key));
      LIGHTNING_TRY(txn.get(key));
      LIGHTNING_TRY(txn.undo(savepoint, mark));
      LIGHTNING_TRY(txn.get(key));
      return {};
    }
    default: {
      if (dice.one_in(2)) {
        LIGHTNING_TRY(txn.get(key));
      } else {
        LIGHTNING_TRY(txn.get_for_update(key));
      }
      LIGHTNING_TRY(txn.put(dice.one_in(2) ? key : any(txn, kRegisters, kRegisterRows), 0));
      return {};
    }
  }
}

void step_registers(Client& client) {
  client.transaction([](Recorded& txn) -> Status {
    for (std::uint64_t i = 1 + txn.dice().below(4); i > 0; --i) LIGHTNING_TRY(touch_registers(txn));
    return {};
  });
}

// --- bank: transfers, and audits that find as much as there was
// ---------------------------------------------------------

void step_bank(Client& client) {
  client.transaction([](Recorded& txn) -> Status {
    if (txn.dice().one_in(4)) return read_all(txn, kBank, kAccounts);
    const auto amount = static_cast<std::int64_t>(txn.dice().below(20));
    const auto move = [&](Key account, std::int64_t by) -> Status {
      LIGHTNING_ASSIGN(const Found before, txn.get_to_write(account));
      return txn.put(account, before.number + by);
    };
    const Key via = any(txn, kBank, kAccounts);  // meets its own writes
    LIGHTNING_TRY(move(any(txn, kBank, kAccounts), -amount));
    LIGHTNING_TRY(move(via, amount));
    LIGHTNING_TRY(move(via, -amount));
    return move(any(txn, kBank, kAccounts), amount);
  });
}

std::string check_bank(const std::map<std::uint32_t, std::int64_t>& rows) {
  std::int64_t sum = 0;
  if (rows.size() < kAccounts) return "";  // not all of them were read
  for (const auto& [row, number] : rows) sum += number;
  return sum == kBalance * kAccounts ? "" : "the accounts hold " + std::to_string(sum);
}

// --- forks: independent writes, and readers who look at them in different orders
// ----------------------------------------

constexpr std::uint32_t kForkRows = 3;

void step_forks(Client& client) {
  client.transaction([](Recorded& txn) -> Status {
    if (txn.dice().one_in(2)) return txn.put(any(txn, kForks, kForkRows), 0);
    return read_all(txn, kForks, kForkRows);
  });
}

// --- pairs: one of two may be off, never both
// ---------------------------------------------------------------------------

constexpr std::uint32_t kPairRows = 4;

void step_pairs(Client& client) {
  client.transaction([](Recorded& txn) -> Status {
    const Key first = any(txn, kPairs, kPairRows / 2) * 2 - key_of(kPairs, 0), second = first + 1;
    std::int64_t on[2] = {0, 0};
    if (txn.dice().one_in(3)) {
      LIGHTNING_ASSIGN(const auto both, txn.scan(first, second + 1, {.backward = txn.dice().one_in(2)}));
      for (const Found& found : both) on[found.key - first] = found.number;
    } else {
      for (const Key key : {first, second}) {
        LIGHTNING_ASSIGN(const Found found, txn.get(key));
        on[key - first] = found.number;
      }
    }
    const std::uint32_t which = static_cast<std::uint32_t>(txn.dice().below(2));
    if (on[0] == 1 && on[1] == 1) return txn.put(first + which, 0);
    return txn.put(on[0] == 1 ? second : first, 1);
  });
}

std::string check_pairs(const std::map<std::uint32_t, std::int64_t>& rows) {
  std::vector<std::int64_t> on(kPairRows, 1);
  for (const auto& [row, number] : rows) on[row] = number;
  for (std::size_t row = 0; row < on.size(); row += 2)
    if (rows.contains(static_cast<std::uint32_t>(row)) && rows.contains(static_cast<std::uint32_t>(row + 1)) &&
        on[row] == 0 && on[row + 1] == 0)
      return "both of pair " + std::to_string(row / 2) + " are off";
  return "";
}

// --- counters: they only grow, by one for each commit
// ---------------------------------------------------------------------

constexpr std::uint32_t kCounterRows = 2;

void step_counters(Client& client) {
  client.transaction([](Recorded& txn) -> Status {
    if (txn.dice().one_in(3)) return read_all(txn, kCounters, kCounterRows);
    for (std::uint64_t i = 1 + txn.dice().below(2); i > 0; --i) {
      LIGHTNING_ASSIGN(const Found before, txn.get_to_write(any(txn, kCounters, kCounterRows)));
      LIGHTNING_TRY(txn.put(before.key, before.number + 1));
    }
    return {};
  });
}

// --- ring: each row names the next one, and all are one ring; steps change the order of three
// -----------------------------

void step_ring(Client& client) {
  client.transaction([](Recorded& txn) -> Status {
    if (txn.dice().one_in(4)) return read_all(txn, kRing, kRingRows);
    const auto next = [&](Key key) -> Result<Key> {
      LIGHTNING_ASSIGN(const Found found, txn.get_to_write(key));
      return key_of(kRing, static_cast<std::uint32_t>(found.number));
    };
    const Key first = any(txn, kRing, kRingRows);
    LIGHTNING_ASSIGN(const Key second, next(first));
    LIGHTNING_ASSIGN(const Key third, next(second));
    LIGHTNING_ASSIGN(const Key fourth, next(third));
    LIGHTNING_TRY(txn.put(first, row_of(third)));
    LIGHTNING_TRY(txn.put(third, row_of(second)));
    LIGHTNING_TRY(txn.put(second, row_of(fourth)));
    if (txn.dice().one_in(3)) LIGHTNING_TRY(txn.get(first));
    return {};
  });
}

std::string check_ring(const std::map<std::uint32_t, std::int64_t>& rows) {
  std::uint32_t at = 0;
  if (rows.size() < kRingRows) return "";
  for (std::uint32_t steps = 1; steps <= kRingRows; ++steps) {
    const auto row = rows.find(at);
    if (row == rows.end()) return "the ring leads to row " + std::to_string(at);
    at = static_cast<std::uint32_t>(row->second);
    if (at == 0) return steps == kRingRows ? "" : "the ring closes after " + std::to_string(steps) + " rows";
  }
  return "the ring does not come back";
}

// --- duties: whoever finds a range empty puts a row into it; so there is never more than one
// -------------------------------

// Rows are used once, so that who finds one absent tells what it saw. When all of a group were used, the next one
// begins.
Key first_of_group(Client& client) {
  Counters& counters = client.journal().counters;
  const std::uint32_t group = counters.group.load() % Counters::kGroups;
  return key_of(kDuties, group * kRowsOfGroup);
}

std::optional<Key> unused_row(Journal& journal, Key first) {
  const std::uint32_t group = row_of(first) / kRowsOfGroup;
  const std::uint32_t row = journal.counters.rows_used[group].fetch_add(1);
  if (row < kRowsOfGroup) return first + row;
  journal.counters.rows_used[group].store(kRowsOfGroup);
  std::uint32_t expected = group;
  journal.counters.group.compare_exchange_strong(expected, group + 1);
  return std::nullopt;
}

Status take_turns(Recorded& txn, Journal& journal, Key first) {
  env::Dice& dice = txn.dice();
  LIGHTNING_ASSIGN(const auto found,
                   txn.scan(first, first + kRowsOfGroup,
                            {.backward = dice.one_in(2), .limit = dice.one_in(2) ? 1 : ~std::size_t{0}}));
  if (found.empty()) {
    const auto row = unused_row(journal, first);
    return row ? txn.put(*row, 1) : Status();
  }
  if (dice.one_in(4)) return {};
  return dice.one_in(4) ? txn.put(found.front().key, 1) : txn.erase(found.front().key);
}

void step_duties(Client& client) {
  const Key first = first_of_group(client);
  client.transaction([&](Recorded& txn) { return take_turns(txn, client.journal(), first); });
}

std::string check_duties(const std::map<std::uint32_t, std::int64_t>& rows) {
  std::map<std::uint32_t, int> groups;
  for (const auto& [row, number] : rows)
    if (++groups[row / kRowsOfGroup] > 1) return "two rows in group " + std::to_string(row / kRowsOfGroup);
  return "";
}

// --- sums: transfers by those who never look, and audits
// -----------------------------------------------------------------

constexpr std::uint32_t kSumRows = 5;

void step_sums(Client& client) {
  const auto two = [](env::Dice& dice) {
    const auto from = static_cast<std::uint32_t>(dice.below(kSumRows));
    const auto to = static_cast<std::uint32_t>(from + 1 + dice.below(kSumRows - 1)) % kSumRows;
    return std::pair(key_of(kSums, from), key_of(kSums, to));
  };
  if (client.dice().one_in(6)) {
    const auto [from, to] = two(client.dice());
    return client.plain_transfer(from, to);
  }
  client.transaction([&](Recorded& txn) -> Status {
    if (txn.dice().one_in(3)) return read_all(txn, kSums, kSumRows);
    for (std::uint64_t i = 1 + txn.dice().below(2); i > 0; --i) {
      const auto [from, to] = two(txn.dice());
      if (txn.dice().one_in(4)) LIGHTNING_TRY(txn.get(from));
      LIGHTNING_TRY(txn.transfer(from, to));
      if (txn.dice().one_in(4)) LIGHTNING_TRY(txn.get(to));
    }
    if (!txn.dice().one_in(4)) return {};
    const auto [from, to] = two(txn.dice());
    LIGHTNING_ASSIGN(const Savepoint savepoint, txn.savepoint());
    const std::size_t mark = txn.mark();
    LIGHTNING_TRY(txn.transfer(from, to));
    LIGHTNING_TRY(txn.undo(savepoint, mark));
    LIGHTNING_TRY(txn.get(from));
    return {};
  });
}

std::string check_sums(const std::map<std::uint32_t, std::int64_t>& rows) {
  if (rows.size() < kSumRows) return "";  // not all of them were read
  std::int64_t sum = 0;
  for (const auto& [row, number] : rows) sum += number;
  return sum == kBalance * kSumRows ? "" : "the numbers add up to " + std::to_string(sum);
}

// --- anything: transactions of all levels, and calls that are none
// ---------------------------------------------------------

constexpr std::uint32_t kAnyRows = 5;

void step_anything(Client& client) {
  env::Dice& dice = client.dice();
  switch (dice.below(10)) {
    case 9: {
      auto keys = all_keys(dice, dice.one_in(2) ? kAnything : kRegisters, kAnyRows);
      keys.resize(1 + dice.below(2));
      return client.plain_merge(keys);
    }
    case 0: {
      auto keys = all_keys(dice, kAnything, kAnyRows);
      keys.resize(1 + dice.below(keys.size()));
      return client.plain_read(keys);
    }
    case 1: {
      auto keys = all_keys(dice, dice.one_in(2) ? kAnything : kRegisters, kAnyRows);
      keys.resize(1 + dice.below(2));
      return client.plain_write(keys, dice.one_in(4));
    }
    case 2:
      return client.plain_exchange(any(client, kAnything, kAnyRows));
    case 3: {
      const Key first = first_of_group(client);
      return client.transaction([&](Recorded& txn) { return take_turns(txn, client.journal(), first); });
    }
    default:
      return client.transaction([](Recorded& txn) -> Status {
        for (std::uint64_t i = 1 + txn.dice().below(3); i > 0; --i) {
          const Key key = any(txn, kAnything, kAnyRows);
          if (txn.dice().one_in(2)) {
            LIGHTNING_TRY(touch_registers(txn));
          } else if (txn.dice().one_in(2)) {
            LIGHTNING_TRY(txn.get(key));
          } else {
            LIGHTNING_TRY(txn.put(key, 0));
          }
        }
        return {};
      });
  }
}

}  // namespace

const std::vector<Workload>& workloads() {
  const auto zero = [](std::uint32_t) { return std::int64_t{0}; };
  static const std::vector<Workload> all = {
      {.name = "lists",
       .what = "appends to lists",
       .table = kLists,
       .rows = 0,
       .number = zero,
       .step = step_lists,
       .invariant = {},
       .lists = true},
      {.name = "registers",
       .what = "every call on a few keys",
       .table = kRegisters,
       .rows = kRegisterRows - 2,
       .number = zero,
       .step = step_registers,
       .invariant = {}},
      {.name = "bank",
       .what = "transfers and audits",
       .table = kBank,
       .rows = kAccounts,
       .number = [](std::uint32_t) { return kBalance; },
       .step = step_bank,
       .invariant = check_bank},
      {.name = "forks",
       .what = "independent writes, readers in different orders",
       .table = kForks,
       .rows = kForkRows,
       .number = zero,
       .step = step_forks,
       .invariant = {}},
      {.name = "pairs",
       .what = "write skew",
       .table = kPairs,
       .rows = kPairRows,
       .number = [](std::uint32_t) { return std::int64_t{1}; },
       .step = step_pairs,
       .invariant = check_pairs,
       .holds_only_if_serializable = true},
      {.name = "counters",
       .what = "counters that only grow",
       .table = kCounters,
       .rows = kCounterRows,
       .number = zero,
       .step = step_counters,
       .invariant = {}},
      {.name = "ring",
       .what = "a ring whose order changes",
       .table = kRing,
       .rows = kRingRows,
       .number = [](std::uint32_t row) { return std::int64_t{(row + 1) % kRingRows}; },
       .step = step_ring,
       .invariant = check_ring},
      {.name = "duties",
       .what = "phantoms: rows that come into ranges and go",
       .table = kDuties,
       .rows = 0,
       .number = zero,
       .step = step_duties,
       .invariant = check_duties,
       .holds_only_if_serializable = true},
      {.name = "sums",
       .what = "transfers by merges that never look, and audits",
       .table = kSums,
       .rows = kSumRows,
       .number = [](std::uint32_t) { return kBalance; },
       .step = step_sums,
       .invariant = check_sums},
      {.name = "anything",
       .what = "all levels beside plain calls",
       .table = kAnything,
       .rows = 2,
       .number = zero,
       .step = step_anything,
       .invariant = {},
       .mixes_levels = true},
  };
  return all;
}

std::string broken_invariant(const Workload& workload, const History& history) {
  if (!workload.invariant) return "";
  const auto look = [&](const std::map<std::uint32_t, std::int64_t>& rows, const std::string& who) {
    const std::string wrong = workload.invariant(rows);
    return wrong.empty() ? "" : who + ": " + wrong;
  };
  const auto promised = [&](const Entry& entry) {
    return !workload.holds_only_if_serializable || entry.level == Isolation::kSerializable;
  };
  bool all_promised = true;
  for (const auto& client : history.clients)
    for (const Entry& entry : client) {
      all_promised = all_promised && promised(entry);
      if (!promised(entry)) continue;
      std::map<std::uint32_t, std::int64_t> rows;
      const std::string who = "client " + std::to_string(entry.client) + " at " + std::to_string(entry.begin_invoked);
      for (const Operation& operation : entry.operations) {
        if (operation.writes()) break;
        for (const Found& found : operation.found)
          if (found.version != kAbsent) rows[row_of(found.key)] = found.number;
        if (const std::string wrong = look(rows, who); !wrong.empty()) return wrong;
        if (entry.level == Isolation::kReadCommitted) rows.clear();  // what it reads next is of another moment
      }
    }
  if (!history.after || !all_promised) return "";
  std::map<std::uint32_t, std::int64_t> rows;
  for (const auto& [key, found] : history.after->content)
    if (table_of(key) == workload.table) rows[row_of(key)] = found.number;
  return look(rows, "afterwards");
}

}  // namespace lightning::sim::history
