#include "fuzz/support/state_oracle.h"

#include "fuzz/support/target.h"

namespace lightning::fuzz {

void expect_restorable(const manifest::State& state) {
  const std::string encoded = state.snapshot().encode();
  const auto edit = manifest::VersionEdit::decode(encoded);
  FUZZ_EXPECT(edit);
  manifest::State again;
  FUZZ_EXPECT(again.apply(*edit));
  FUZZ_EXPECT(again.snapshot().encode() == encoded);
}

}  // namespace lightning::fuzz
