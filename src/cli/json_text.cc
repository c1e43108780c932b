#include "cli/json_text.h"

#include <cstdio>

namespace lightning::cli {

JsonText& JsonText::field(std::string_view name, double value) {
  char number[64];
  std::snprintf(number, sizeof number, "%.3f", value);
  return raw(name, number);
}

}  // namespace lightning::cli
