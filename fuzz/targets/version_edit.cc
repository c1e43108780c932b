// manifest/version_edit.h, keyspace_options.h: what a record of a manifest says, and the state that it leads to.
#include "manifest/version_edit.h"

#include "fuzz/support/bytes.h"
#include "fuzz/support/state_oracle.h"
#include "fuzz/support/target.h"
#include "manifest/keyspace_options.h"

namespace lightning::manifest {

namespace {

bool fuzz_options(std::string_view bytes) {
  const auto options = decode_keyspace_options(bytes);
  if (!options) return false;
  const auto again = decode_keyspace_options(encode(*options));
  FUZZ_EXPECT(again && *again == *options);
  return true;
}

// Two edits, one upon the other.
bool fuzz_edits(std::string_view first, std::string_view second) {
  State state;
  bool any = false;
  for (const std::string_view bytes : {first, second}) {
    const auto edit = VersionEdit::decode(bytes);
    if (!edit) return false;
    const std::string encoded = edit->encode();
    const auto again = VersionEdit::decode(encoded);
    FUZZ_EXPECT(again && again->encode() == encoded);
    if (!state.apply(*edit)) return false;
    fuzz::expect_restorable(state);
    any = any || !bytes.empty();
  }
  return any;
}

}  // namespace

// Input: one edit as a piece, the rest another; or, for options, all of it.
LIGHTNING_FUZZ_TARGET(version_edit) {
  const bool options = fuzz_options(input);
  const std::string_view first = fuzz::take_piece(input);
  return fuzz_edits(first, input) || options;
}

}  // namespace lightning::manifest
