// api/alert_view.h: alerts as the endpoints show them.
//
// Shapes   as in an event, then topic, open, stale, highestSeverity, firstEvent, lastEvent, updatedAt, silenced (the
//          silences that cover it now) and timelineCount; in full also timeline and timelineDropped.
// Thread   any
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/context.h"
#include "base/result.h"
#include "model/grants.h"

namespace millstream::api {

// Ids of the silences that cover the alert at that moment.
std::vector<std::string> silenced_by(const registry::Silences::List& silences, const history::BookedAlert& alert,
                                     int64_t now_ms);

void append_alert(const history::BookedAlert& alert, const std::vector<std::string>& silenced, std::string& out);
// With its timeline, as it is now.
std::string whole_alert_json(const Context& context, const history::BookedAlert& alert);

// By its id, or that of its first event. Code::not_found also when it is not the holder's to see; Code::conflict when
// devices of theirs have several of that id, naming them.
Result<history::BookedAlertPtr> seen_alert(const Context& context, const model::Grants& grants, std::string_view id);

}  // namespace millstream::api
