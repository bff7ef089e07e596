// model/ticket.h: what a ticket for one stream stands for, as stored: never the ticket itself.
//
// Flow     made for someone who has shown a credential; used once by a browser that cannot send one (EventSource), and
//          again by that browser's own reconnects.
// Errors   use(): Code::unauthenticated with the reason, for the log and not for the client.
// Thread   value; TicketStore: any, and it may block
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/digest_number.h"
#include "model/event.h"
#include "model/grants.h"

namespace millstream::model {

struct TicketRecord {
  std::string sha256;                // of the ticket's text, 32 bytes
  Grants grants;                     // of the credential it was made with
  std::vector<TopicPattern> topics;  // allowed when it was made; never empty
  EventTypes types = EventTypes::all();
  std::string origin;           // of the page that asked for it; empty: not said
  int64_t first_use_by_ms = 0;  // UTC
  int64_t ends_at_ms = 0;       // UTC; no use after that
};

// By which a stream remembers its ticket; never 0.
constexpr uint64_t ticket_number(std::string_view sha256) { return digest_number(sha256) | 1; }

class TicketStore {
 public:
  // An account that has all it may have loses those that were longest not used. Code::unavailable: too many in all.
  virtual Status add(const TicketRecord& record, int64_t now_ms) = 0;
  // Exactly one use of a ticket is the first, in time; later ones must be `resuming`.
  virtual Result<TicketRecord> use(std::string_view sha256, bool resuming, int64_t now_ms) = 0;
  // The stream of this ticket goes on with another credential, and so do its reconnects: with these grants and topics,
  // until ends_at_ms. No error where there is none.
  virtual Status renew(uint64_t number, const Grants& grants, const std::vector<TopicPattern>& topics,
                       int64_t ends_at_ms) = 0;
  // The first use came to nothing: it may be tried again until first_use_by_ms.
  virtual Status give_back(std::string_view sha256) = 0;

 protected:
  ~TicketStore() = default;
};

}  // namespace millstream::model
