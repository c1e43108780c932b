#include "sim/history/history.h"

namespace lightning::sim::history {

std::string name_of(Key key) { return "t" + std::to_string(table_of(key)) + "/" + std::to_string(row_of(key)); }

std::vector<bool> Entry::undone() const {
  std::vector<bool> undone(operations.size(), false);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (operations[i].kind != Operation::Kind::kUndo) continue;
    for (std::size_t j = operations[i].undone_from; j < i; ++j) undone[j] = undone[j] || operations[j].writes();
  }
  return undone;
}

bool Entry::changes_something() const {
  const std::vector<bool> gone = undone();
  for (std::size_t i = 0; i < operations.size(); ++i)
    if (operations[i].writes() && !gone[i]) return true;
  return false;
}

std::size_t History::committed() const {
  std::size_t sum = 0;
  for (const auto& entries : clients)
    for (const Entry& entry : entries) sum += entry.outcome == Outcome::kCommitted ? 1 : 0;
  return sum;
}

}  // namespace lightning::sim::history
