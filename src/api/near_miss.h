// "Did you mean ...?" for misspelt names.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lightning::api {

// The candidate closest to `name` if it is close enough to be a slip of the fingers (a third of its letters), else
// empty. Distance: optimal string alignment (insert, delete, replace, swap neighbours), letters without case, '-' as
// '_'.
std::string near_miss(std::string_view name, std::span<const std::string> candidates);

}  // namespace lightning::api
