// From a record to the value that an index keeps of it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lightning/index.h"
#include "lightning/result.h"

namespace lightning::index {

using UserExtractors = std::map<std::string, ExtractFunction, std::less<>>;

// An extractor ready for use. Threads: any. kExtractFailed is a failure of this record; any other error is none of
// it: kExtractorMissing, kNotSupported, kOutOfMemory.
class Extract {
 public:
  virtual ~Extract() = default;
  // None: no entry.
  virtual Result<std::optional<IndexValue>> operator()(std::string_view key, std::string_view value) const = 0;
};

// kInvalidArgument if the extractor makes no sense, kNotSupported if this build lacks it. User code that is not
// registered is found out when it is called.
Result<std::shared_ptr<const Extract>> make_extract(const Extractor& extractor, const UserExtractors& user);

// (json_pointer.cc)
Result<std::shared_ptr<const Extract>> make_json_pointer(const JsonPointer& extractor);

// "JSON pointer /a/b", for messages.
std::string describe(const Extractor& extractor);

}  // namespace lightning::index
