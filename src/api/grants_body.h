// api/grants_body.h: what a new credential is to allow, as a request says it.
//
// Shapes   "roles": needed; "sites", "devices": a name or a list of names, left out: those of whoever gives it.
// Errors   Code::invalid and Code::unprocessable naming the member
// Thread   value
#pragma once

#include "api/json_body.h"
#include "model/grants.h"

namespace millstream::api {

inline constexpr size_t kGrantNamesMax = 256;  // of sites, and of devices

// Of the holder's account. Whether the holder may give it is another question: auth::authorize_giving().
Result<model::Grants> read_given_grants(const JsonBody& body, const model::Grants& holder);

}  // namespace millstream::api
