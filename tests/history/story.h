// Story: a history told by hand, call by call.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/history/check.h"

namespace lightning::sim::history {

inline constexpr Key kX = key_of(1, 1), kY = key_of(1, 2), kZ = key_of(1, 3), kTableEnd = key_of(2, 0);

// Transactions are named by their client: one at a time of each. Sequences are given in the order of commits.
class Story {
 public:
  explicit Story(Isolation level, Concurrency mode = Concurrency::kOptimistic) : level_(level), mode_(mode) {
    history_.clients.resize(10);
  }

  Story& there_was(Key key, Version version) {
    history_.start[key] = {.key = key, .version = version};
    return *this;
  }
  Story& begin(std::uint32_t client) {
    Entry& entry = history_.clients[client].emplace_back();
    entry.client = client;
    entry.level = level_;
    entry.mode = mode_;
    entry.begin_invoked = ++now_;
    entry.begin_completed = ++now_;
    return *this;
  }
  Story& read(std::uint32_t client, Key key, Version version, std::vector<Version> list = {}) {
    operation(client, Operation::Kind::kRead).found = {{key, version, 0, std::move(list)}};
    return *this;
  }
  Story& read_for_update(std::uint32_t client, Key key, Version version) {
    operation(client, Operation::Kind::kReadForUpdate).found = {{key, version}};
    return *this;
  }
  // Of the whole table.
  Story& scan(std::uint32_t client, const std::map<Key, Version>& content) {
    Operation& scan = operation(client, Operation::Kind::kScan);
    scan.from = key_of(1, 0);
    scan.to = kTableEnd;
    for (const auto& [key, version] : content) scan.found.push_back({key, version});
    return *this;
  }
  Story& write(std::uint32_t client, Key key, Version version) {
    operation(client, Operation::Kind::kWrite).found = {{key, version}};
    return *this;
  }
  Story& merge(std::uint32_t client, Key key, Version version) {
    operation(client, Operation::Kind::kMerge).found = {{key, version}};
    return *this;
  }
  // In kSums.
  Story& there_was_number(Key key, std::int64_t number) {
    history_.start[key] = {.key = key, .version = kUnresolved, .number = number};
    return *this;
  }
  Story& add(std::uint32_t client, Key key, Version version, std::int64_t amount) {
    operation(client, Operation::Kind::kAdd).found = {{key, version, amount}};
    return *this;
  }
  Story& read_number(std::uint32_t client, Key key, std::int64_t number) {
    operation(client, Operation::Kind::kRead).found = {{key, kUnresolved, number}};
    return *this;
  }
  Story& erase(std::uint32_t client, Key key, Version version) {
    operation(client, Operation::Kind::kErase).found = {{key, version}};
    return *this;
  }
  Story& undo(std::uint32_t client, std::size_t from) {
    operation(client, Operation::Kind::kUndo).undone_from = from;
    return *this;
  }
  Story& commit(std::uint32_t client, bool durable = false) { return end(client, Outcome::kCommitted, durable); }
  Story& abort(std::uint32_t client) { return end(client, Outcome::kAborted, false); }
  // It asked to commit and never heard.
  Story& commit_without_answer(std::uint32_t client) {
    last(client).end_invoked = ++now_;
    return *this;
  }
  Story& lists() {
    history_.lists = true;
    return *this;
  }
  Story& found_after(const std::map<Key, Version>& content, bool crash = false) {
    history_.after.emplace();
    history_.after->crash = crash;
    for (const auto& [key, version] : content) history_.after->content[key] = {.key = key, .version = version};
    return *this;
  }
  Entry& last(std::uint32_t client) { return history_.clients[client].back(); }
  History& history() { return history_; }

 private:
  Operation& operation(std::uint32_t client, Operation::Kind kind) {
    Operation& operation = last(client).operations.emplace_back();
    operation.kind = kind;
    operation.invoked = ++now_;
    operation.completed = ++now_;
    return operation;
  }
  Story& end(std::uint32_t client, Outcome outcome, bool durable) {
    Entry& entry = last(client);
    entry.end_invoked = ++now_;
    entry.end_completed = ++now_;
    entry.outcome = outcome;
    entry.durable = durable;
    if (outcome == Outcome::kCommitted && entry.changes_something()) entry.sequence = ++sequence_;
    return *this;
  }

  const Isolation level_;
  const Concurrency mode_;
  History history_;
  Moment now_ = 0;
  Sequence sequence_ = 100;
};

inline std::string texts(const std::vector<Finding>& findings) {
  std::string all;
  for (const Finding& finding : findings) all += std::string(name_of(finding.anomaly)) + ": " + finding.text + "\n";
  return all;
}

}  // namespace lightning::sim::history
