// Looks into single files of a database directory, for people who want to know what is there.
//
// Nothing is changed, no lock is taken, a damaged file is read as far as it goes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lightning/result.h"

namespace lightning {

enum class FileKind : std::uint8_t { kTable, kLogSegment, kManifest, kBlob };

// One fact about the file: its kind ("table", "record", "add_table") and named values. Strings may hold any bytes.
struct InspectedFact {
  std::string kind;
  std::vector<std::pair<std::string, std::variant<std::uint64_t, std::string>>> values;
};

// As one JSON object in one line: "fact" is its kind. A value that is not UTF-8 stands in base64, as "key_base64".
std::string to_json(const InspectedFact& fact);

struct InspectOptions {
  bool entries = false;  // tables: every entry, blob files: every record, too
};

// Gives the facts of `path`, records and entries in file order, those of a whole log segment at the end; `visit`
// returns false to stop. A table or blob file is found and verified through the manifest of the database directory that
// it lies in. Errors: kInvalidArgument (no file of that kind by its name), kIo, kPermissionDenied, and what its reader
// says about damage.
Status inspect_file(FileKind kind, const std::string& path, const InspectOptions& options,
                    const std::function<bool(const InspectedFact&)>& visit);

}  // namespace lightning
