// load/published_body.h: what a publisher posts, in the form each kind of hub takes.
//
// Shapes   ingest: a point, of which the server makes an event (Millstream, the limit, the Node servers).
//          event: the whole event as JSON, which a hub passes on as it is (nchan).
//          grip: the whole event-stream block, wrapped for pushpin.
//          Each gives an event block of about 250 bytes with the number "n" in it. Devices: load/audiences.h.
// Errors   none; parse() gives none for a name it does not know
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "load/event_ids.h"

namespace millstream::load {

enum class BodyForm : uint8_t { ingest, event, grip };
std::optional<BodyForm> parse_body_form(std::string_view name);

class PublishedBody {
 public:
  explicit PublishedBody(BodyForm form) : form_(form) {}

  std::string next(uint32_t n, uint32_t device);

 private:
  const BodyForm form_;
  EventIds ids_;
};

}  // namespace millstream::load
