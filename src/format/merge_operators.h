// Merge operators by name: those built in, and those that a program has registered.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lightning/merge_operator.h"

namespace lightning::format {

// Threads: any, once made. Lifetime: of what it hands out.
class MergeOperators {
 public:
  MergeOperators();
  // kInvalidArgument if a name is empty, too long or taken.
  Status add(std::shared_ptr<const MergeOperator> merge_operator);
  const MergeOperator* find(std::string_view name) const;  // null: nobody of that name
  std::vector<std::string_view> names() const;             // sorted

 private:
  std::map<std::string, std::shared_ptr<const MergeOperator>, std::less<>> by_name_;
};

// Full and partial merge as everybody in here calls them: what user code throws is an error, and what it makes is
// within the limits of a value. kMergeFailed names operator and key.
Status full_merge(const MergeOperator& merge_operator, std::string_view key, std::optional<std::string_view> base,
                  std::span<const std::string_view> operands, std::string& value);
bool partial_merge(const MergeOperator& merge_operator, std::string_view key, std::string_view older,
                   std::string_view newer, std::string& combined);
// kInvalidArgument if `operand` is none of the operator's.
Status check_operand(const MergeOperator& merge_operator, std::string_view operand);

}  // namespace lightning::format
