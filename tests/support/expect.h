// Expectations about Status and Result<T>.
#pragma once

#include <gtest/gtest.h>

#include "lightning/result.h"

#define EXPECT_OK(expression)                                        \
  do {                                                               \
    const auto& status_ = (expression);                              \
    EXPECT_TRUE(status_.has_value()) << status_.error().to_string(); \
  } while (false)

#define ASSERT_OK(expression)                                        \
  do {                                                               \
    const auto& status_ = (expression);                              \
    ASSERT_TRUE(status_.has_value()) << status_.error().to_string(); \
  } while (false)

// EXPECT_CODE(kNoSpace, file.write(...))
#define EXPECT_CODE(expected, expression)                                                               \
  do {                                                                                                  \
    const auto& status_ = (expression);                                                                 \
    if (status_.has_value())                                                                            \
      ADD_FAILURE() << #expression " succeeded";                                                        \
    else                                                                                                \
      EXPECT_EQ(status_.error().code(), lightning::ErrorCode::expected) << status_.error().to_string(); \
  } while (false)
