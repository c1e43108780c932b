// IndexKeeper: the indexes of one keyspace, kept in step by its commits.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "engine/keeper.h"
#include "index/definition.h"
#include "index/extract.h"
#include "lightning/database.h"

namespace lightning::index {

// One index, ready for use. Immutable.
struct Index {
  Definition definition;
  Keyspace entries;  // hidden
  engine::Tree* tree = nullptr;
  std::shared_ptr<const Extract> extract;

  // The entry of a record: none, or its key; kExtractFailed, kExtractorMissing.
  Result<std::optional<std::string>> entry_of(std::string_view record, std::string_view value) const;
};
using IndexPtr = std::shared_ptr<const Index>;

class IndexKeeper final : public engine::Keeper {
 public:
  explicit IndexKeeper(std::vector<IndexPtr> indexes) : indexes_(std::move(indexes)) {}
  Status derive(const engine::RecordChange& change, std::vector<engine::Derived>& to) const override;
  bool idle() const override;
  Result<bool> settle(const engine::Derived& entry, std::span<const std::string_view> releasing,
                      std::optional<std::string_view> current) const override;
  Error twice(const engine::Derived& one, const engine::Derived& other) const override;

  // All of the keyspace, failed ones too. Null: there is none of this name.
  const std::vector<IndexPtr>& indexes() const { return indexes_; }
  const Index* find(std::string_view name) const;

 private:
  const Index* of(const engine::Tree* tree) const;
  const std::vector<IndexPtr> indexes_;
};

Error not_unique(const Index& index, std::string_view entry, std::string_view holder, std::string_view comer);

}  // namespace lightning::index
