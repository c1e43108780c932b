// OpenOptions: what a program gives to a database that it opens, beside the configuration.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lightning/index.h"
#include "lightning/keyspace_options.h"
#include "lightning/merge_operator.h"
#include "lightning/recovery.h"

namespace lightning {

struct OpenOptions {
  // User code, by name; names are distinct, and none is a built-in's (kInvalidArgument). A keyspace whose operator is
  // missing here can be opened; what needs the operator answers kMergeOperatorMissing.
  std::vector<std::shared_ptr<const MergeOperator>> merge_operators = {};
  // What indexes with a UserExtractor call, by name. An index whose function is missing here can be queried and
  // dropped; writes to its keyspace answer kExtractorMissing.
  std::map<std::string, ExtractFunction, std::less<>> extractors = {};
  // Of the default keyspace, if the database is created. One that exists keeps its own.
  KeyspaceOptions default_keyspace = {};
  // Follows the opening, from the thread that opens (recovery.h).
  RecoveryProgressFunction recovery_progress = {};
  // Filled before open() returns, also when it fails; not touched later. Null: nobody wants it (an opened database has
  // its report in Database::recovery_report()).
  RecoveryReport* recovery_report = nullptr;
  // A store whose superblock is of a lower generation than this is an old copy that somebody has put back:
  // kStaleStore. The generation to remember is RecoveryReport::generation. 0: not checked.
  std::uint64_t generation_min = 0;
};

}  // namespace lightning
