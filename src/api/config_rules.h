// The rules of a configuration, checked with or without knowing where its values came from.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "lightning/config.h"
#include "lightning/result.h"

namespace lightning::api {

// Names the source of a setting, for error messages.
using OriginOf = std::function<std::string(std::string_view name)>;

// Every range and every rule between settings. `origin_of` may be empty.
Status check_rules(const LightningDbConfig& config, const OriginOf& origin_of);

}  // namespace lightning::api
