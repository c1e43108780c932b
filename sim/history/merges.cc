#include "sim/history/merges.h"

#include <algorithm>
#include <unordered_map>

#include "sim/history/versions.h"

namespace lightning::sim::history {

namespace {

constexpr std::size_t kOpenMax = 12;  // of one key: their sets are tried one by one

void note(std::map<Key, Own>& all, const Operation& operation) {
  const Found& written = operation.found.front();
  Own& own = all[written.key];
  if (operation.kind != Operation::Kind::kMerge) own = {.whole = true};
  own.version = operation.kind == Operation::Kind::kErase ? kAbsent : written.version;
  if (own.version != kAbsent) own.parts.push_back(own.version);
}

std::vector<bool> undone_before(const Entry& entry, std::size_t end) {
  std::vector<bool> undone(end, false);
  for (std::size_t i = 0; i < end; ++i)
    if (entry.operations[i].kind == Operation::Kind::kUndo)
      for (std::size_t j = entry.operations[i].undone_from; j < i; ++j) undone[j] = true;
  return undone;
}

bool ends_with(const std::vector<Version>& whole, const std::vector<Version>& end) {
  return whole.size() >= end.size() && std::equal(end.rbegin(), end.rend(), whole.rbegin());
}

// What one transaction adds to one key.
struct Addition {
  const Entry* entry;
  Version version;
  std::int64_t amount;
};

// The sums of one key: what it was at the start, and after each commit.
class Sums {
 public:
  void start(Version version, std::int64_t number) {
    number_ = number;
    versions_[number] = version;
  }
  void add(const Addition& addition) {
    number_ += addition.amount;
    versions_[number_] = addition.version;
  }
  void may_be_added(const Addition& addition) {
    if (open_.size() < kOpenMax) open_.push_back(addition);
  }
  void resolve(Found& found) const {
    for (std::size_t set = 0; set < std::size_t{1} << open_.size(); ++set) {
      std::int64_t rest = found.number;
      for (std::size_t i = 0; i < open_.size(); ++i)
        if ((set >> i & 1) != 0) rest -= open_[i].amount;
      const auto sum = versions_.find(rest);
      if (sum == versions_.end()) continue;
      found.version = sum->second;
      for (std::size_t i = 0; i < open_.size(); ++i)
        if ((set >> i & 1) != 0) found.list.push_back(open_[i].version);
      return;
    }
    found.version = kUnresolved;
  }

 private:
  std::int64_t number_ = 0;
  std::unordered_map<std::int64_t, Version> versions_;  // by the sum
  std::vector<Addition> open_;                          // whose commits were never told
};

std::map<Key, Sums> sums_of(History& history) {
  std::map<Key, Sums> sums;
  for (auto& [key, found] : history.start) {
    if (table_of(key) != kSums) continue;
    found.version = kUnresolved - 1 - key;  // nobody else has that one
    sums[key].start(found.version, found.number);
  }
  std::map<Key, std::vector<Addition>> told;
  for (const auto& client : history.clients)
    for (const Entry& entry : client) {
      if (entry.outcome == Outcome::kAborted) continue;
      const std::vector<bool> undone = entry.undone();
      std::map<Key, Addition> additions;
      for (std::size_t i = 0; i < entry.operations.size(); ++i) {
        const Operation& operation = entry.operations[i];
        if (operation.kind != Operation::Kind::kAdd || undone[i]) continue;
        const Found& added = operation.found.front();
        Addition& addition = additions.try_emplace(added.key, Addition{&entry, 0, 0}).first->second;
        addition.version = added.version;
        addition.amount += added.number;
      }
      for (const auto& [key, addition] : additions) {
        if (entry.sequence != 0) {
          told[key].push_back(addition);
        } else if (entry.outcome == Outcome::kOpen) {
          sums[key].may_be_added(addition);
        }
      }
    }
  for (auto& [key, additions] : told) {
    std::sort(additions.begin(), additions.end(),
              [](const Addition& a, const Addition& b) { return a.entry->sequence < b.entry->sequence; });
    for (const Addition& addition : additions) sums[key].add(addition);
  }
  return sums;
}

}  // namespace

std::map<Key, Own> own_writes(const Entry& entry, std::size_t end) {
  const std::vector<bool> undone = undone_before(entry, end);
  std::map<Key, Own> all;
  for (std::size_t i = 0; i < end; ++i)
    if (const Operation& operation = entry.operations[i];
        operation.writes() && operation.kind != Operation::Kind::kAdd && !undone[i])
      note(all, operation);
  return all;
}
std::map<Key, Own> own_writes(const Entry& entry) { return own_writes(entry, entry.operations.size()); }

std::int64_t added_by(const Entry& entry, Key key) {
  const std::vector<bool> undone = entry.undone();
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < entry.operations.size(); ++i)
    if (const Operation& operation = entry.operations[i];
        operation.kind == Operation::Kind::kAdd && !undone[i] && operation.found.front().key == key)
      sum += operation.found.front().number;
  return sum;
}

void resolve_sums(History& history) {
  const std::map<Key, Sums> sums = sums_of(history);
  const auto resolve = [&](Found& found) {
    if (found.version != kUnresolved) return;
    if (const auto known = sums.find(found.key); known != sums.end()) known->second.resolve(found);
  };
  for (auto& client : history.clients)
    for (Entry& entry : client)
      for (Operation& operation : entry.operations)
        if (operation.reads())
          for (Found& found : operation.found) resolve(found);
  if (history.after)
    for (auto& [key, found] : history.after->content) resolve(found);
}

std::string wrong_parts(const Versions& versions, const History& history, const Found& found) {
  if (history.lists || found.list.empty() || found.list.back() != found.version) return "";
  const auto order_of_key = versions.orders().find(found.key);
  if (order_of_key == versions.orders().end()) return "";
  const Order& order = order_of_key->second;
  constexpr std::size_t kUnknown = ~std::size_t{0};
  std::vector<Version> rest = found.list;
  std::size_t next = kUnknown;  // the link that must be met now
  while (!rest.empty()) {
    const Version version = rest.back();
    const Writer* const writer = versions.writer_of(version);
    if (writer == nullptr) return "";  // told where it was read
    const std::size_t position = versions.position(order, version);
    const bool placed = position < order.links.size();
    if (writer->entry == kStart) {
      if (!placed || (next != kUnknown && next != position))
        return "which skips commits after what was there at the start";
      return "";
    }
    if (!writer->final) return "in which " + std::to_string(version) + " is not the last of its transaction";
    if (placed && next != kUnknown && position != next)
      return "in which " + std::to_string(version) + " comes before what was committed in between";
    if (placed) next = position - 1;
    const Own& own = versions.own_writes(writer->entry).at(found.key);
    if (!ends_with(rest, own.parts)) return "which has half of what " + std::to_string(version) + " belongs to";
    rest.resize(rest.size() - own.parts.size());
    if (!own.whole) continue;
    return rest.empty() ? "" : "which goes on below " + std::to_string(version) + ", which replaced all";
  }
  if (next == kUnknown || versions.may_be_erased(found.key) || order.links[next].erase) return "";
  return "which has lost what it was merged into";
}

}  // namespace lightning::sim::history
