#include "codec/alertmanager_json.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/hex.h"
#include "base/limits.h"
#include "base/time_text.h"
#include "codec/event_json.h"
#include "codec/object_text.h"

namespace millstream::codec {
namespace {

using model::NotifiedAlert;
using model::Tag;
using model::Tags;

constexpr std::string_view kNoTime = "0001-01-01T00:00:00Z";  // of Go: an alert that has not ended

struct Told {
  NotifiedAlert notified;
  Tags labels;
  Tags annotations;
};

std::string number_text(double value) {
  std::string out;
  append_json_number(value, out);
  return out;
}

// What every one of them has with the same value.
Tags common(const std::vector<Told>& all, Tags Told::*member) {
  if (all.empty()) return {};
  Tags tags = all.front().*member;
  for (const Told& told : all) {
    const Tags& own = told.*member;
    std::erase_if(tags, [&](const Tag& tag) { return std::find(own.begin(), own.end(), tag) == own.end(); });
  }
  return tags;
}

void write_tags(ObjectText& object, std::string_view name, const Tags& tags) {
  ObjectText inner(object.key(name));
  for (const Tag& tag : tags) inner.text(tag.name, tag.value);
}

// Names hold nothing that needs escaping in a query.
std::string link_to(const std::string& external_url, const model::Topic& device) {
  if (external_url.empty()) return {};
  return external_url + "/?device=" + device.device.text() + "&site=" + device.site.text();
}

void write_alert(const Told& told, const std::string& external_url, std::string& out) {
  const NotifiedAlert& notified = told.notified;
  ObjectText object(out);
  object.text("status", notified.over ? "resolved" : "firing");
  write_tags(object, "labels", told.labels);
  write_tags(object, "annotations", told.annotations);
  object.time("startsAt", notified.alert.started_at_ms);
  if (notified.over) {
    object.time("endsAt", notified.ended_at_ms);
  } else {
    object.text("endsAt", kNoTime);
  }
  object.text("generatorURL", link_to(external_url, notified.device));
  object.text("fingerprint", hex_text(label_fingerprint(told.labels), 16));
}

// As Prometheus wants them: an alert with another name among its labels is refused as a whole.
Tags with_plain_names(const Tags& labels) {
  Tags plain;
  for (const Tag& tag : labels) {
    std::string name = tag.name;
    for (char& c : name) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
      if (!letter && !(c >= '0' && c <= '9')) c = '_';
    }
    if (name.front() >= '0' && name.front() <= '9') name.insert(0, 1, '_');
    const auto same = [&](const Tag& other) { return other.name == name; };
    const bool taken = name != tag.name && (std::any_of(labels.begin(), labels.end(), same) ||
                                            std::any_of(plain.begin(), plain.end(), same));
    if (!taken) plain.push_back({std::move(name), tag.value});
  }
  return plain;
}

// Of /api/v2/alerts. Alertmanager ends by itself what has no end and is not sent again within minutes.
void write_posted(const Told& told, int64_t ends_at_ms, const std::string& external_url, std::string& out) {
  ObjectText object(out);
  write_tags(object, "labels", with_plain_names(told.labels));
  write_tags(object, "annotations", told.annotations);
  object.time("startsAt", told.notified.alert.started_at_ms);
  object.time("endsAt", ends_at_ms);
  if (!external_url.empty()) object.text("generatorURL", link_to(external_url, told.notified.device));
}

Told tell(const NotifiedAlert& notified) {
  return {notified, alert_labels(notified.device, notified.alert), alert_annotations(notified)};
}

// One that was told with other labels was another one to the receiver: that one has ended.
std::vector<Told> tell_all(const model::Notification& notification) {
  std::vector<Told> all;
  for (const NotifiedAlert& notified : notification.alerts) {
    all.push_back(tell(notified));
    if (!notified.told_as || *notified.told_as == model::identity_of(notified.alert)) continue;
    NotifiedAlert before = notified;
    model::set_identity(*notified.told_as, before.alert);
    before.over = true;
    before.ended_at_ms =
        std::max(notified.over ? notified.ended_at_ms : notification.decided_at_ms, notified.alert.started_at_ms);
    all.push_back(tell(before));
  }
  return all;
}

}  // namespace

Tags alert_labels(const model::Topic& device, const model::Alert& alert) {
  Tags labels = {{"account", device.account.text()},
                 {"alertname", alert.rule_name},
                 {"device", device.device.text()},
                 {"field", alert.field},
                 {"rule", alert.rule_id},
                 {"site", device.site.text()},
                 {"severity", std::string(model::severity_name(alert.severity))}};
  const size_t own = labels.size();
  for (const Tag& tag : alert.labels) {
    const auto same = [&](const Tag& taken) { return taken.name == tag.name; };
    if (std::none_of(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(own), same)) labels.push_back(tag);
  }
  std::erase_if(labels, [](const Tag& tag) { return tag.value.empty(); });
  std::sort(labels.begin(), labels.end());
  return labels;
}

Tags alert_annotations(const NotifiedAlert& notified) {
  const model::Alert& alert = notified.alert;
  Tags out;
  if (alert.ack) {
    std::string text = "by " + alert.ack->by + " at " + rfc3339_ms(alert.ack->at_ms);
    if (!alert.ack->note.empty()) text += ": " + alert.ack->note;
    out.push_back({"acknowledged", std::move(text)});
  }
  out.push_back({"alertId", alert.alert_id});
  if (alert.flapping) out.push_back({"flapping", "true"});
  if (!alert.reason.empty()) out.push_back({"reason", alert.reason});
  if (notified.stale) out.push_back({"stale", "true"});
  if (!alert.message.empty()) out.push_back({"summary", alert.message});
  out.push_back({"threshold", number_text(alert.threshold)});
  out.push_back({"value", number_text(alert.value)});
  return out;
}

uint64_t label_fingerprint(const Tags& labels) {
  constexpr uint64_t offset = 14695981039346656037u, prime = 1099511628211u;
  uint64_t sum = offset;
  const auto add = [&sum](std::string_view text) {
    for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * prime;
    sum = (sum ^ 255u) * prime;
  };
  for (const Tag& label : labels) {
    add(label.name);
    add(label.value);
  }
  return sum;
}

std::string encode_webhook(const model::Notification& notification, const std::string& external_url) {
  const std::vector<Told> all = tell_all(notification);
  std::string out;
  {
    ObjectText object(out);
    object.text("receiver", notification.channel);
    object.text("status", notification.firing ? "firing" : "resolved");
    object.list("alerts", all, [&](const Told& told) { write_alert(told, external_url, out); });
    write_tags(object, "groupLabels", notification.group_labels);
    write_tags(object, "commonLabels", common(all, &Told::labels));
    write_tags(object, "commonAnnotations", common(all, &Told::annotations));
    object.text("externalURL", external_url);
    object.text("version", "4");
    object.text("groupKey", notification.group_key);
    object.number("truncatedAlerts", notification.truncated);
  }
  return out;
}

std::string encode_alertmanager_alerts(const model::Notification& notification, const std::string& external_url,
                                       int64_t now_ms) {
  // Until it is told again, and some more: our delivery may have to wait for theirs to come back.
  const int64_t until_ms = now_ms + 2 * notification.repeat_ms + kDayMs;
  std::string out = "[";
  for (const Told& told : tell_all(notification)) {
    if (out.back() != '[') out += ',';
    write_posted(told, told.notified.over ? told.notified.ended_at_ms : until_ms, external_url, out);
  }
  return out + ']';
}

}  // namespace millstream::codec
