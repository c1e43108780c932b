#include "sim/history/history.h"

namespace lightning::sim::history {

std::string name_of(Key key) { return "t" + std::to_string(table_of(key)) + "/" + std::to_string(row_of(key)); }

std::size_t History::committed() const {
  std::size_t sum = 0;
  for (const auto& entries : clients)
    for (const Entry& entry : entries) sum += entry.outcome == Outcome::kCommitted ? 1 : 0;
  return sum;
}

}  // namespace lightning::sim::history
