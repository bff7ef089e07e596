// connect/sink.h: where a feed's points and events go: the way of all others, from the checks on.
//
// Flow     the feed decodes; check() makes events; append() makes them durable and says so.
// Thread   any
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/published_event.h"
#include "codec/telemetry_json.h"
#include "model/alert.h"
#include "model/event.h"

namespace millstream::connect {

class Sink {
 public:
  virtual ~Sink() = default;

  struct Checked {
    std::vector<model::Event> events;
    size_t refused = 0;
    std::string first_refusal;
  };
  // What cannot be stored is counted and left out.
  virtual Checked check(codec::ParsedPoints points, const model::AccountId& account) = 0;
  // A report of presence as an event. Code::unprocessable: the device is one too many. `site` empty: the default one.
  virtual Result<model::Event> check(const model::SiteId& site, model::PresenceReport report,
                                     const model::AccountId& account) = 0;

  // An alert or a system event as the stream tells it. Code::invalid, Code::unprocessable: as POST /api/events.
  virtual Result<model::Event> check(codec::PublishedEvent published) = 0;

  // How long this account is to wait before it sends more; 0: not at all.
  virtual int64_t wait_ms(const model::AccountId& account) = 0;

  // As log::EventLog::append(): an error, and `done` is never called; or `done`, once, when the events are durable or
  // not.
  virtual Status append(std::vector<model::Event> events, std::function<void(Status)> done) = 0;
  // As log::EventLog::append_once(): the same for events that are stored once, however often they come under this key
  // of the account's feeds; `done` hears whether they were there before. Code::rate_limited: no more keys can be
  // remembered, and nothing is stored.
  virtual Status append_once(const model::AccountId& account, std::string_view key, std::vector<model::Event> events,
                             std::function<void(Result<bool> repeated)> done) = 0;
};

}  // namespace millstream::connect
