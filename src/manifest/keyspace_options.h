// The options of a keyspace as the manifest keeps them (docs/format/manifest.md).
#pragma once

#include <string>
#include <string_view>

#include "lightning/keyspace_options.h"
#include "lightning/result.h"

namespace lightning::manifest {

// Fields that say what differs from the default; nothing for the default itself.
std::string encode(const KeyspaceOptions& options);
// Total on hostile bytes: kManifestCorrupt, or kFormatUnsupported for an option that must be understood and is not.
Result<KeyspaceOptions> decode_keyspace_options(std::string_view bytes);

}  // namespace lightning::manifest
