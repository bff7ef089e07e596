// log/missing_parts.h: where events are missing, cut to what somebody asked for.
//
// Limits   kMissingPartsMax parts: the last of them reaches to the end of all further ones.
// Thread   value
#pragma once

#include <vector>

#include "log/event_log.h"

namespace millstream::log {

inline bool overlap(const IdRange& one, const IdRange& other) { return one.after < other.to && other.after < one.to; }

// The ids of what was received from start_ms, and before end_ms.
IdRange received_within(int64_t start_ms, int64_t end_ms);
// Leaves out what lies outside of `range`, and of the others what reaches out of it.
void cut_to(const IdRange& range, std::vector<Missing>& parts);
// In order of ids; what overlaps or touches for the same reason is one.
std::vector<Missing> joined(std::vector<Missing> parts);

}  // namespace millstream::log
