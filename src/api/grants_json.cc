#include "api/grants_json.h"

#include "base/time_text.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

template <class N>
void append_names(const char* member, const std::vector<N>& names, std::string& out) {
  out.append(",\"").append(member).append("\":");
  if (names.empty()) {
    out += "null";
    return;
  }
  out += '[';
  for (const N& name : names) {
    if (out.back() != '[') out += ',';
    codec::append_json_string(name.text(), out);
  }
  out += ']';
}

}  // namespace

void append_grants_json(const model::Grants& grants, std::string& out) {
  out += "\"account\":";
  codec::append_json_string(grants.account.text(), out);
  out += ",\"roles\":[";
  for (int i = 0; i < model::kRoles; ++i) {
    const auto role = static_cast<model::Role>(i);
    if (!grants.roles.has(role)) continue;
    if (out.back() != '[') out += ',';
    codec::append_json_string(model::role_name(role), out);
  }
  out += ']';
  append_names("sites", grants.sites, out);
  append_names("devices", grants.devices, out);
  out += ",\"expiresAt\":" + (grants.expires_at_ms ? '"' + rfc3339_ms(*grants.expires_at_ms) + '"' : "null");
}

http::Response private_json(int status, std::string body) {
  http::Response response = http::Response::json(status, std::move(body));
  response.headers.add("Cache-Control", "no-store");
  return response;
}

}  // namespace millstream::api
