// api/event_stream.h: what all answers that are Server-Sent Events have in common: what goes on, and what was.
//
// Thread   loop
#pragma once

#include <optional>
#include <string_view>

#include "api/context.h"
#include "base/result.h"
#include "http/accept.h"
#include "http/server.h"
#include "hub/run_writer.h"

namespace millstream::api {

inline constexpr http::MediaType kEventStream{"text", "event-stream"};

http::Response stream_head(bool gzip = false);

// Where the viewer was, in its own words: the header beats the query. Nothing: it has not been here.
std::optional<std::string_view> last_event_id(const http::Request& request);

// Which fields of telemetry; none named: all.
Result<hub::FieldNames> parse_field_names(const http::Query& query);

// An EventSource never comes back from a status other than 200, so "not now" is said inside a stream.
void turn_away(Context& context, const http::ExchangePtr& exchange, std::string_view kind, bool unnamed);
// True when the answer was "not now".
bool turned_away(Context& context, const http::ExchangePtr& exchange, bool unnamed);

}  // namespace millstream::api
