// api/missing.h: what answers about the past say of damaged parts.
//
// Thread   value
#pragma once

#include <string>
#include <vector>

#include "log/event_log.h"

namespace millstream::api {

// [{"from":"<id>","to":"<id>","reason":"damaged"},…], `from` exclusive as in a gap; empty when nothing is damaged. The
// time before the log is no part of it: there was nothing to lose.
std::string missing_json(const std::vector<log::Missing>& parts);

}  // namespace millstream::api
