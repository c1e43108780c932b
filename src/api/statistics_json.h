// Statistics as JSON, in one place for all who give them to machines.
#pragma once

#include "base/json_text.h"
#include "lightning/statistics.h"

namespace lightning::api {

// Appends every field of `statistics` to the object that is open.
void add_statistics(base::JsonText& json, const Statistics& statistics);

}  // namespace lightning::api
