// app/text_table.h: rows of text as aligned columns, for the lists of the command line.
//
// Thread   value
#pragma once

#include <string>
#include <vector>

namespace millstream::app {

// Every row has as many cells as the first. Two spaces between columns, none at the end of a line.
std::string text_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace millstream::app
