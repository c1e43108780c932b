// What is settled before a write enters the commit pipeline: lifetimes become moments, operands are checked.
//
// User code (merge operators) runs here, where no lock is held and nobody waits.
#include <map>

#include "engine/engine.h"
#include "format/batch.h"
#include "format/expiry.h"

namespace lightning::engine {

namespace {

Status check_operand_of(const KeyspaceOptions& options, const MergeOperator* merge_operator, std::string_view operand) {
  if (merge_operator != nullptr) return format::check_operand(*merge_operator, operand);
  if (options.merge_operator.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "the keyspace has no merge operator: it is chosen when a keyspace is created");
  return Error(ErrorCode::kMergeOperatorMissing,
               "the merge operator '" + options.merge_operator + "' is not registered");
}

// That a record expires is no write, so nothing would take it off a count.
Result<std::uint64_t> settle_of(const KeyspaceOptions& options, std::uint64_t asked, std::uint64_t now_ms) {
  LIGHTNING_ASSIGN(const std::uint64_t expires_ms, format::settle(asked, now_ms, options.default_ttl));
  if (expires_ms != 0 && options.counted)
    return Error(ErrorCode::kNotSupported, "records of a counted keyspace cannot have a lifetime");
  return expires_ms;
}

}  // namespace

Result<std::uint64_t> Engine::expiry_of(const Tree& tree, const Lifetime& lifetime) const {
  return settle_of(tree.options, format::ask(lifetime), time_.now_ms());
}

Status Engine::check_operand(const Tree& tree, std::string_view operand) const {
  return check_operand_of(tree.options, tree.merge_operator, operand);
}

Result<std::string> Engine::settle(std::string_view batch, const Lifetime& lifetime) {
  // Trees may go while no gate pass is held: what is needed of them is copied.
  struct Facts {
    bool known = false;
    KeyspaceOptions options;
    const MergeOperator* merge_operator = nullptr;  // the engine's
  };
  std::map<format::KeyspaceId, Facts> keyspaces;
  const auto facts_of = [&](format::KeyspaceId id) -> const Facts& {
    const auto [place, fresh] = keyspaces.try_emplace(id);
    if (fresh && check_writable()) {
      const auto inside = pass_gate();
      if (const Tree* tree = tree_of(id)) place->second = {true, tree->options, tree->merge_operator};
    }
    return place->second;
  };
  const std::uint64_t now_ms = time_.now_ms(), asked_for_all = format::ask(lifetime);
  std::string settled, value;
  settled.reserve(batch.size());
  format::BatchReader reader(batch, format::BatchReader::Source::kUnsettled);
  while (reader.next()) {
    format::Operation operation = reader.operation();
    const Facts& facts = facts_of(operation.keyspace);
    std::uint64_t asked = asked_for_all;
    if (operation.type == format::EntryType::kPutExpiring) {
      format::Expiring expiring;
      if (!format::split_expiring(operation.value, expiring))
        return Error(ErrorCode::kInvalidArgument, "an operation does not say when its record expires");
      asked = expiring.expires_ms;
      operation.type = format::EntryType::kPut;
      operation.value = expiring.value;
    }
    if (operation.type == format::EntryType::kMerge && facts.known)
      LIGHTNING_TRY(check_operand_of(facts.options, facts.merge_operator, operation.value));
    if (operation.type == format::EntryType::kPut) {
      LIGHTNING_ASSIGN(const std::uint64_t expires_ms, settle_of(facts.options, asked, now_ms));
      if (expires_ms != 0) {
        value.clear();
        format::append_expiring(value, {expires_ms, operation.value});
        operation.type = format::EntryType::kPutExpiring;
        operation.value = value;
      }
    }
    format::append_operation(settled, operation);
  }
  LIGHTNING_TRY(reader.status());
  return settled;
}

}  // namespace lightning::engine
