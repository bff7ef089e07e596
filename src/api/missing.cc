#include "api/missing.h"

namespace millstream::api {

std::string missing_json(const std::vector<log::Missing>& parts) {
  std::string out;
  for (const log::Missing& part : parts) {
    if (part.why != log::Missing::Why::damaged) continue;
    out += out.empty() ? '[' : ',';
    out += "{\"from\":\"" + part.ids.after.text() + "\",\"to\":\"" + part.ids.to.text() + "\",\"reason\":\"damaged\"}";
  }
  if (!out.empty()) out += ']';
  return out;
}

}  // namespace millstream::api
