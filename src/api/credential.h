// api/credential.h: the credential out of a request, and what it allows.
//
// Shapes   Authorization: Bearer <JWT or API key>, else the session cookie. Influx endpoints also take Token <key>,
// Token <user>:<key>,
//          Basic (the password is the key) and ?u=&p=.
// Thread   value
// Source   RFC 6750, RFC 7617; InfluxDB 1.x parseCredentials
#pragma once

#include "api/context.h"
#include "auth/authorize.h"
#include "base/result.h"
#include "http/message.h"
#include "http/server.h"
#include "model/grants.h"

namespace millstream::api {

// The value of the session cookie, good or not; nothing: there is none.
std::optional<std::string> session_cookie_of(const Context& context, const http::Request& request);

// In any of the ways that Influx clients have, of which Bearer is one; empty: in none.
std::string shown_credential(const http::Request& request);

// Errors as auth::Authenticator gives them; Code::forbidden when a page of another origin makes use of a cookie.
Result<model::Grants> grants_of(const Context& context, const http::Request& request);
Result<model::Grants> influx_grants_of(const Context& context, const http::Request& request);

// Those of a holder who has this role, else Code::forbidden.
Result<model::Grants> grants_of_role(const Context& context, const http::Request& request, model::Role role);
// For admins of their account only, and requests without a query: what handlers that change its settings begin with, on
// the head alone and when the body is here.
Result<model::Grants> admin_grants(const Context& context, const http::Request& request);
http::Admit admit_admins(const Context& context);

// The same grants when they may write points at all, else Code::forbidden. Asked twice for each body: on the head
// alone, so that strangers send none, and when all of it is here, because a slow body can outlive its credential.
Result<model::Grants> writing_grants(Result<model::Grants> grants);

// May see how the account is served: its operators and admins, with a credential for the whole account.
Result<model::Grants> operating_grants(const Context& context, const http::Request& request);

// What a query selects. Errors as parse_selection(), and Code::unprocessable above the configured number of topics.
Result<auth::Selection> selection_of(const Context& context, const http::Query& query, const model::AccountId& own);

// Grants and the patterns the request may read, in one step; what every reading endpoint begins with.
struct Reading {
  model::Grants grants;
  std::vector<model::TopicPattern> patterns;
};
Result<Reading> authorize_reading(const Context& context, const http::Request& request);

}  // namespace millstream::api
