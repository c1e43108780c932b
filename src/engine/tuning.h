// Tuning: what no user sets, and simulations make small so that short programs get there.
#pragma once

#include "manifest/manifest.h"

namespace lightning::engine {

class History;

struct Tuning {
  manifest::RollRule manifest_roll{};
  std::uint64_t stream_buffer_bytes = 1 << 20;  // a value that comes in pieces and is longer gets a file of its own
  History* history = nullptr;  // not a matter of size: brings the database forward while it is opened (history.h)
};

}  // namespace lightning::engine
