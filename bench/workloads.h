// The rows of the benchmark, in the order in which they run: first those that only read, then those that change the
// loaded stores.
#pragma once

#include <vector>

#include "harness.h"

namespace lightning::bench {

const std::vector<Row>& rows();

}  // namespace lightning::bench
