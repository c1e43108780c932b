// Making seeds does not fail.
#pragma once

#include "fuzz/support/target.h"
#include "lightning/result.h"

namespace lightning::fuzz {

template <class T>
T must(Result<T> result) {
  FUZZ_EXPECT(result.has_value());
  return std::move(*result);
}
inline void must(const Status& status) { FUZZ_EXPECT(status.has_value()); }

}  // namespace lightning::fuzz
