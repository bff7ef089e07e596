// Any bytes as the body that asks for a ticket: never a crash, and what is accepted names something or nothing at all.
#include <cstdint>
#include <cstdlib>

#include "api/ticket.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const std::string_view body(reinterpret_cast<const char*>(bytes), size);
  const Result<api::TicketRequest> asked = api::parse_ticket_request(body);
  if (asked && asked->topics.size() + asked->types.size() > size) std::abort();
  return 0;
}
