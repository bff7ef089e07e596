#include "api/alert_view.h"

#include <algorithm>

#include "auth/authorize.h"
#include "base/time_text.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

constexpr size_t kIdShownBytesMax = 256;

using history::AlertMoment;
using history::BookedAlert;

void append_member(std::string_view name, std::string_view text, std::string& out) {
  out.append(",\"").append(name).append("\":");
  codec::append_json_string(text, out);
}

void append_moment(const AlertMoment& moment, std::string& out) {
  out += "{\"event\":\"" + moment.event.text() + '"';
  append_member("ts", rfc3339_ms(moment.ts_ms), out);
  append_member("state", model::alert_state_name(moment.state), out);
  append_member("severity", model::severity_name(moment.severity), out);
  out += ",\"value\":";
  codec::append_json_number(moment.value, out);
  if (!moment.reason.empty()) append_member("reason", moment.reason, out);
  if (!moment.by.empty()) append_member("by", moment.by, out);
  if (!moment.note.empty()) append_member("note", moment.note, out);
  out += '}';
}

}  // namespace

std::vector<std::string> silenced_by(const registry::Silences::List& silences, const BookedAlert& alert,
                                     int64_t now_ms) {
  std::vector<std::string> ids;
  for (const model::Silence& silence : silences) {
    if (silence.is_active(now_ms) && silence.covers(alert.topic, alert.alert.rule_id)) ids.push_back(silence.id);
  }
  return ids;
}

void append_alert(const BookedAlert& alert, const std::vector<std::string>& silenced, std::string& out) {
  out += codec::encode_alert_data(alert.alert);
  out.pop_back();
  append_member("topic", alert.topic.text(), out);
  out += alert.open() ? ",\"open\":true" : ",\"open\":false";
  out += alert.stale && alert.open() ? ",\"stale\":true" : ",\"stale\":false";
  append_member("highestSeverity", model::severity_name(alert.highest), out);
  append_member("firstEvent", alert.first.text(), out);
  append_member("lastEvent", alert.newest.text(), out);
  append_member("updatedAt", rfc3339_ms(alert.ts_ms), out);
  out += ",\"silenced\":[";
  for (const std::string& id : silenced) {
    if (out.back() != '[') out += ',';
    codec::append_json_string(id, out);
  }
  out += "],\"timelineCount\":" + std::to_string(alert.timeline.size() + alert.timeline_dropped) + '}';
}

std::string whole_alert_json(const Context& context, const BookedAlert& alert) {
  const auto silences = context.registry.silences().of(alert.topic.account);
  std::string out;
  append_alert(alert, silenced_by(*silences, alert, context.clock.wall_ms()), out);
  out.pop_back();
  out += ",\"timelineDropped\":" + std::to_string(alert.timeline_dropped) + ",\"timeline\":[";
  for (const AlertMoment& moment : alert.timeline) {
    if (out.back() != '[') out += ',';
    append_moment(moment, out);
  }
  return out + "]}";
}

Result<history::BookedAlertPtr> seen_alert(const Context& context, const model::Grants& grants, std::string_view id) {
  std::vector<history::BookedAlertPtr> found = context.alerts.find(grants.account, id);
  std::erase_if(found, [&](const auto& alert) { return !auth::may_read(grants, alert->topic); });
  if (found.size() == 1) return found.front();
  const std::string shown(id.substr(0, kIdShownBytesMax));
  if (found.empty()) return Error{Code::not_found, "no alert that is kept has the id \"" + shown + "\""};
  std::string words = "several alerts have the id \"" + shown + "\"; name one by its firstEvent:";
  for (const auto& alert : found) words += ' ' + alert->first.text() + " (" + alert->topic.text() + ')';
  return Error{Code::conflict, std::move(words)};
}

}  // namespace millstream::api
