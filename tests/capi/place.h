// A database behind the C API, in a directory of its own.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "lightning/c.h"

namespace lightning::testing_support {

// The code of an error, which is freed.
inline int code_of(lightning_error* error) {
  const int code = lightning_error_code(error);
  lightning_error_free(error);
  return code;
}
// As for C++: a failure shows the error's text.
inline std::string text_of(lightning_error* error) {
  std::string text = lightning_error_text(error);
  lightning_error_free(error);
  return text;
}
inline lightning_bytes bytes(std::string_view text) { return {text.data(), text.size()}; }
inline std::string string_of(lightning_bytes held) { return {static_cast<const char*>(held.data), held.size}; }

#define OK(call) ASSERT_EQ(text_of(call), "")
#define FAILS(code, call) EXPECT_EQ(code_of(call), LIGHTNING_ERROR_##code)

class CApi : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = (std::filesystem::temp_directory_path() / ("lightning_capi_" + std::to_string(::getpid()))).string() +
            test->name();
    std::filesystem::remove_all(path_);
    OK(lightning_config_preset("low_memory", &config_));
    OK(lightning_open(path_.c_str(), config_, &db_));
  }
  void TearDown() override {
    lightning_db_free(db_);
    lightning_config_free(config_);
    std::filesystem::remove_all(path_);
  }

  lightning_error* put(std::string_view key, std::string_view value) {
    return lightning_put(db_, nullptr, key.data(), key.size(), value.data(), value.size(), nullptr);
  }
  // The value; "-" if the key is absent.
  std::string get(std::string_view key, const lightning_keyspace* keyspace = nullptr,
                  const lightning_read_options* options = nullptr) {
    void* value = nullptr;
    std::size_t size = 0;
    EXPECT_EQ(text_of(lightning_get(db_, keyspace, key.data(), key.size(), options, &value, &size)), "");
    std::string held = value ? std::string(static_cast<const char*>(value), size) : "-";
    lightning_free(value);
    return held;
  }
  // The keys, in order of travel.
  static std::string walk(lightning_iterator* it, bool forward = true) {
    std::string keys;
    const auto step = forward ? lightning_iterator_next : lightning_iterator_prev;
    for (forward ? lightning_iterator_seek_to_first(it) : lightning_iterator_seek_to_last(it);
         lightning_iterator_valid(it); step(it))
      keys += string_of(lightning_iterator_key(it)) + "=" + string_of(lightning_iterator_value(it)) + " ";
    EXPECT_EQ(text_of(lightning_iterator_status(it)), "");
    return keys;
  }

  std::string path_;
  lightning_config* config_ = nullptr;
  lightning_db* db_ = nullptr;
};

}  // namespace lightning::testing_support
