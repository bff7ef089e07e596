// api/grants_json.h: what a credential allows, as the API says it.
//
// Shapes   "account":…,"roles":[…],"sites":[…] or null for all,"devices":the same,"expiresAt":… or null for never
// Thread   value
#pragma once

#include <string>

#include "http/message.h"
#include "model/grants.h"

namespace millstream::api {

void append_grants_json(const model::Grants& grants, std::string& out);

// An answer for this client alone, which nothing on the way may keep: it holds a secret, or says who one is.
http::Response private_json(int status, std::string body);

}  // namespace millstream::api
