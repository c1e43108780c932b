// All records of an import, and all that was wrong with it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/records.h"

namespace lightning::fuzz {

struct ReadRecords {
  std::vector<cli::Record> records;
  std::vector<std::string> errors;
  bool operator==(const ReadRecords& other) const;
};

// `piece`: the input comes in pieces of at most so many bytes. Goes on behind what is malformed, where that can be.
ReadRecords read_records(cli::Format format, std::string_view bytes, std::size_t piece);

}  // namespace lightning::fuzz
