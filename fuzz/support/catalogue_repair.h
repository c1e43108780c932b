// Puts length and digest of a backup's catalogue right.
#pragma once

#include <string>

namespace lightning::fuzz {

void repair_catalogue(std::string& bytes);

}  // namespace lightning::fuzz
