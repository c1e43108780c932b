// Queries of an index, at a snapshot or inside a transaction.
#pragma once

#include <string_view>

#include "engine/engine.h"
#include "lightning/index.h"
#include "txn/core.h"

namespace lightning::index {

// Errors: kIndexNotFound, kIndexNotReady, kInvalidArgument (bounds, limit, continuation), and those of reads.
Result<IndexPage> query(engine::Engine& engine, const Keyspace& owner, std::string_view name, const IndexQuery& query);
// As the transaction sees it, its own writes among it. At serializable isolation, what was looked at is part of what
// must be unchanged at its commit.
Result<IndexPage> query(txn::Core& core, const Keyspace& owner, std::string_view name, const IndexQuery& query);

}  // namespace lightning::index
