// Building an index beside writers.
//
// From the moment its keeper is in place, writers keep the index in step with what they write. What was there before is
// brought in piece by piece: a piece of records is read at a moment of its own, and its entries are written under the
// latches of the records, but for those that were written to since: their writers have seen to them. So nothing old is
// pinned for longer than a piece takes, writers never wait, and after a crash the whole is simply done again: entries
// that are there already are right.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "engine/engine.h"
#include "index/index_keeper.h"
#include "txn/coordinator.h"

namespace lightning::index {

// What others see of a build, and how they end it. Threads: any.
struct BuildControl {
  std::atomic<bool> cancelled{false};
  std::atomic<bool> unwanted{false};  // by who asked for the index
  std::atomic<std::uint64_t> records{0}, records_total{0};
};

// Returns when every record that was there has its entry. kCancelled; kNotUnique, kExtractFailed: the index cannot be.
Status build(engine::Engine& engine, txn::Coordinator& coordinator, const Keyspace& owner, const Index& index,
             BuildControl& control, const std::function<bool(const IndexProgress&)>& progress);

}  // namespace lightning::index
