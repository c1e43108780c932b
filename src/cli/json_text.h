// JSON, as the commands write it.
#pragma once

#include <string>

#include "base/json_text.h"
#include "cli/bytes_text.h"
#include "lightning/error.h"

namespace lightning::cli {

// The fields of an object that is an error.
inline void append(JsonText& json, const Error& error) {
  json.field("code", "LDB-" + std::to_string(static_cast<unsigned>(error.code())));
  json.field("name", name_of(error.code())).field("message", error.message()).field("file", error.context().file);
  json.field("advice", error.advice());
}

}  // namespace lightning::cli
