// What holds for every state that edits add up to.
#pragma once

#include "manifest/manifest.h"

namespace lightning::fuzz {

// A manifest that begins with the state can be read, and gives the same state: each opening writes such a one.
void expect_restorable(const manifest::State& state);

}  // namespace lightning::fuzz
