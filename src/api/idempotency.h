// api/idempotency.h: the header Idempotency-Key: a request that is stored once, however often it is sent.
//
// Flow     idempotency_of() the head -> once() with the body, and what it is answered with when it is stored ->
//          log::EventLog::append_once() -> repeated_answer() when the log has it already.
// Shapes   A key is its account's, its credential's and nobody else's. What is compared is the path, the query but for
//          the credential in it, and the body after inflation.
// Limits   kIdempotencyKeyBytesMax; log/event_log.h has those of what is kept.
// Errors   Code::invalid naming the header.
// Thread   value
// Source   draft-ietf-httpapi-idempotency-key-header; the value is taken as it stands, quotes and all
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"
#include "log/event_log.h"
#include "model/grants.h"

namespace millstream::api {

inline constexpr size_t kIdempotencyKeyBytesMax = 255;

struct Idempotency {
  model::AccountId account;
  log::Once::Key key;
  std::string asked;  // of what was sent, what is not in the body
};

// Of what the owner of these grants calls so.
log::Once::Key once_key(const model::Grants& grants, std::string_view text);

// Nothing: the request has no key.
Result<std::optional<Idempotency>> idempotency_of(const http::Request& request, const model::Grants& grants);

// `answer`: to whoever sends it again; not needed only to ask whether it is stored.
log::Once once(const Idempotency& idempotency, std::string_view body, std::string answer = {});

// An answer as it is kept: status, headers and body.
std::string packed_answer(const http::Response& response);
// Code::internal when it is not one.
Result<http::Response> repeated_answer(std::string_view packed);
http::Response as_repeated(http::Response response);

}  // namespace millstream::api
