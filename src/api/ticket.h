// api/ticket.h: tickets: asked for with any credential, shown by a stream that cannot send one.
//
// Thread   loop; use_ticket() blocks: a worker's
#pragma once

#include <string_view>

#include "api/context.h"
#include "api/credential.h"
#include "model/ticket.h"

namespace millstream::api {

// A body may narrow what the ticket is for. Errors: Code::invalid, naming the member.
struct TicketRequest {
  std::string topics;  // joined by commas; empty: everything the credential allows
  std::string types;   // the same
};
Result<TicketRequest> parse_ticket_request(std::string_view body);

// Until when a ticket of this credential is good for reconnects, UTC ms.
int64_t ticket_end(const model::Grants& grants, int64_t now_ms);

// The ticket's own topics and types, or those the query names, which must lie within them.
Result<Reading> ticket_reading(const Context& context, const model::TicketRecord& ticket, const http::Request& request);
Result<model::EventTypes> ticket_types(const model::TicketRecord& ticket, const http::Request& request);

}  // namespace millstream::api
