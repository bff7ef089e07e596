// api/grants_json.h: what a credential allows, as the API says it.
//
// Shapes   "account":…,"roles":[…],"sites":[…] or null for all,"devices":the same,"expiresAt":… or null for never
// Thread   value
#pragma once

#include <string>

#include "model/grants.h"

namespace millstream::api {

void append_grants_json(const model::Grants& grants, std::string& out);

}  // namespace millstream::api
