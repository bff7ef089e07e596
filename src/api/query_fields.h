// api/query_fields.h: query parameters -> typed values, with errors that name the parameter. And what a body is.
//
// Errors   Code::invalid "<name>: <what is wrong>"; Code::unprocessable when a limit is passed, naming the maximum.
// Thread   value
#pragma once

#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/authorize.h"
#include "base/result.h"
#include "http/message.h"
#include "model/alert.h"
#include "model/event.h"

namespace millstream::api {

// Refuses one of these parameters given twice: of two filters only one would count, and nobody would be told.
Status check_once(const http::Query& query, std::initializer_list<std::string_view> names);
// The same, and refuses those the endpoint does not know: a misspelt filter must not silently mean "everything".
Status check_known(const http::Query& query, std::initializer_list<std::string_view> known);

// topics= (or topic=), accountId=, siteId=, deviceId=. "account:*" means `own`, the credential's account.
Result<auth::Selection> parse_selection(const http::Query& query, const model::AccountId& own);
Result<model::EventTypes> parse_types(const http::Query& query);
Result<model::Severity> parse_min_severity(const http::Query& query);  // minSeverity; info when not given
// A time or an event id; a time stands for the last id before it.
Result<std::optional<model::EventId>> parse_position(const http::Query& query, std::string_view name);
Result<std::optional<int64_t>> parse_time_field(const http::Query& query, std::string_view name);
// A whole number from `min` to `max`. Above `max`: unprocessable, naming it.
Result<std::optional<int64_t>> parse_number(const http::Query& query, std::string_view name, int64_t min, int64_t max);
Result<bool> parse_flag(const http::Query& query, std::string_view name);
std::vector<std::string_view> split_list(std::string_view text);  // by comma; empty items left out

// What Content-Type says, without its parameters, as it is spelled there.
std::string_view media_type(const http::Request& request);

// The last id that an event at `utc_ms` or later cannot have.
model::EventId id_before(int64_t utc_ms);

}  // namespace millstream::api
