// Seeds made of valid encodings and of some that were never valid. A name that begins with "valid" promises that the
// target takes it; one that begins with "hostile" may be refused. "found", of which none is made here, are inputs that
// once did harm.
#pragma once

#include <map>
#include <string>

namespace lightning::fuzz {

using SeedsOfTarget = std::map<std::string, std::string>;  // by name
using Seeds = std::map<std::string, SeedsOfTarget>;        // by target

// Each adds its own. The same at every call, but for what compression libraries make of it.
void add_format_seeds(Seeds& seeds);  // batches, range tombstones, merge operators
void add_table_seeds(Seeds& seeds);
void add_log_seeds(Seeds& seeds);
void add_manifest_seeds(Seeds& seeds);
void add_blob_seeds(Seeds& seeds);
void add_index_seeds(Seeds& seeds);
void add_backup_seeds(Seeds& seeds);
void add_crypto_seeds(Seeds& seeds);
void add_text_seeds(Seeds& seeds);
void add_contents_seeds(Seeds& seeds);

inline Seeds make_seeds() {
  Seeds seeds;
  for (const auto add : {add_format_seeds, add_table_seeds, add_log_seeds, add_manifest_seeds, add_blob_seeds,
                         add_index_seeds, add_backup_seeds, add_crypto_seeds, add_text_seeds, add_contents_seeds})
    add(seeds);
  return seeds;
}

}  // namespace lightning::fuzz
