// What a test cannot go on without.
#pragma once

#include <stdexcept>
#include <utility>

#include "lightning/result.h"

namespace lightning {

// The value of `result`; an error ends the test with its text.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace lightning
