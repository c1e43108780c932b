// Tuning: what no user sets, and simulations make small so that short programs get there.
#pragma once

#include "manifest/manifest.h"

namespace lightning::engine {

struct Tuning {
  manifest::RollRule manifest_roll{};
};

}  // namespace lightning::engine
