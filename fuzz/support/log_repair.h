// Puts the check values of log segments right: header page, records, and the chain that runs through them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lightning::fuzz {

// One file, or several one behind the other: a segment begins wherever the first block's magic stands at a multiple of
// 512 bytes.
std::vector<std::string> split_segments(std::string_view input);

// As the segments number 1, 2, .. of one directory. Sequences, kinds and flags stay what they are.
void repair_segments(std::vector<std::string>& segments);

}  // namespace lightning::fuzz
