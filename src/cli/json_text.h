// JSON, as the commands write it.
#pragma once

#include "base/json_text.h"
#include "cli/bytes_text.h"
