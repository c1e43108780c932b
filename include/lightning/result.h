// Result<T>: a value or an Error, which must not be ignored.
#pragma once

#include <expected>
#include <utility>

#include "lightning/error.h"

namespace lightning {

// std::expected with [[nodiscard]] on the type: GCC 12 lets a plain std::expected be dropped silently.
template <class T>
struct [[nodiscard]] Result : std::expected<T, Error> {
  using std::expected<T, Error>::expected;
  // Implicit, as std::expected's value is. NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : std::expected<T, Error>(std::unexpect, std::move(error)) {}
};

template <>
struct [[nodiscard]] Result<void> : std::expected<void, Error> {
  using std::expected<void, Error>::expected;
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : std::expected<void, Error>(std::unexpect, std::move(error)) {}
};

using Status = Result<void>;

}  // namespace lightning

// Returns the error of `expr` from the enclosing function, if there is one.
#define LIGHTNING_TRY(expr)                                         \
  do {                                                              \
    if (auto lightning_try_ = (expr); !lightning_try_) [[unlikely]] \
      return std::move(lightning_try_).error();                     \
  } while (false)

#define LIGHTNING_CONCAT_INNER(a, b) a##b
#define LIGHTNING_CONCAT(a, b) LIGHTNING_CONCAT_INNER(a, b)

// LIGHTNING_ASSIGN(auto x, call()): x is the value, or the enclosing function returns the error.
#define LIGHTNING_ASSIGN(lhs, expr) LIGHTNING_ASSIGN_IMPL(LIGHTNING_CONCAT(lightning_result_, __LINE__), lhs, expr)
#define LIGHTNING_ASSIGN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                          \
  if (!tmp) [[unlikely]]                      \
    return std::move(tmp).error();            \
  lhs = std::move(*tmp)
