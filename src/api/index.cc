// The public facade of secondary indexes: handles over index::Catalog and index::query.
#include "lightning/index.h"

#include "engine/engine.h"
#include "index/catalog.h"
#include "index/query.h"
#include "lightning/database.h"
#include "lightning/transaction.h"
#include "txn/core.h"

namespace lightning {

Status Database::create_index(const Keyspace& keyspace, std::string_view name, const IndexOptions& options) {
  return index::Catalog::of(*engine_).create(keyspace, name, options);
}
Status Database::drop_index(const Keyspace& keyspace, std::string_view name) {
  return index::Catalog::of(*engine_).drop(keyspace, name);
}
Status Database::rebuild_index(const Keyspace& keyspace, std::string_view name, const IndexOptions& how) {
  return index::Catalog::of(*engine_).rebuild(keyspace, name, how);
}
std::vector<IndexInfo> Database::list_indexes() const { return index::Catalog::of(*engine_).list(nullptr); }
std::vector<IndexInfo> Database::list_indexes(const Keyspace& keyspace) const {
  return index::Catalog::of(*engine_).list(&keyspace);
}
Result<IndexPage> Database::query_index(const Keyspace& keyspace, std::string_view name,
                                        const IndexQuery& query) const {
  return index::query(*engine_, keyspace, name, query);
}

Result<IndexPage> Transaction::query_index(const Keyspace& keyspace, std::string_view name, const IndexQuery& query) {
  if (!core_) return Error(ErrorCode::kTransactionEnded, "the transaction was never begun, or moved from");
  LIGHTNING_TRY(core_->check_active());
  return index::query(*core_, keyspace, name, query);
}

}  // namespace lightning
