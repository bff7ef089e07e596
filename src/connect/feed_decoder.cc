#include "connect/feed_decoder.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "codec/field_name.h"
#include "codec/line_protocol.h"

namespace millstream::connect {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string quoted(std::string_view text) { return '"' + codec::shortened(codec::as_utf8(text), 64) + '"'; }

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

bool is_one_of(std::string_view text, const std::vector<std::string>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

Result<codec::ParsedPoints> parse_payload(std::string_view payload, PayloadFormat format, std::string_view device) {
  const std::string_view text = trimmed(payload);
  const bool looks_like_json = text.starts_with('{') || text.starts_with('[');
  if (format == PayloadFormat::json || (format == PayloadFormat::automatic && looks_like_json)) {
    return codec::parse_telemetry_json(payload, device);
  }
  return codec::parse_line_protocol(payload, codec::Precision::by_magnitude);
}

// The name that the topic gives, if it gives one, in the place of a point.
bool settle(std::string& own, std::string_view given) {
  if (given.empty()) return true;
  if (!own.empty() && own != given) return false;
  own = given;
  return true;
}

// Whether the point stays.
bool settle_point(model::Point& point, const TopicPlaces& places, bool retained, Intake& out) {
  if (!settle(point.device, places.device) || !settle(point.site, places.site)) {
    out.refuse(Refusal::name, "a point of " + quoted(point.site + '/' + point.device) + " under the topic of another");
    return false;
  }
  if (retained && !point.ts_ms) {
    out.refuse(Refusal::undated, "a retained message without a time of its own");
    return false;
  }
  return true;
}

}  // namespace

Intake FeedDecoder::decode(const Message& message, int64_t now_ms) {
  Intake out;
  out.account = options_.account;
  if (message.payload.empty()) return out;
  if (message.payload.size() > kJsonBodyBytesMax) {
    out.refuse(Refusal::too_large, "a payload of " + std::to_string(message.payload.size()) + " bytes");
  } else if (!options_.sparkplug_groups.empty() && message.topic.starts_with(kSparkplugNamespace)) {
    take_sparkplug(message, now_ms, out);
  } else if (!take_status(message, out) && !take_points(message, out)) {
    out.refuse(Refusal::topic, "no template is for the topic " + quoted(message.topic));
  }
  return out;
}

void FeedDecoder::take_sparkplug(const Message& message, int64_t now_ms, Intake& out) {
  const Result<SparkplugTopic> topic = parse_sparkplug_topic(message.topic);
  if (!topic) {
    if (topic.error().code != Code::not_found) out.refuse(Refusal::topic, topic.error().detail);
    return;
  }
  const Result<SparkplugPayload> payload = parse_sparkplug_payload(message.payload);
  if (!payload) return out.refuse(Refusal::malformed, payload.error().detail);
  nodes_.take(*topic, *payload, now_ms, out);
}

bool FeedDecoder::take_account(std::string_view named, Intake& out) const {
  if (named.empty()) return true;
  const auto allowed = std::find_if(options_.accounts.begin(), options_.accounts.end(),
                                    [&](const model::AccountId& account) { return account.text() == named; });
  if (allowed == options_.accounts.end()) {
    out.refuse(Refusal::account, "account " + quoted(named) + " is not one of this feed's");
    return false;
  }
  out.account = *allowed;
  return true;
}

bool FeedDecoder::take_status(const Message& message, Intake& out) const {
  for (const TopicTemplate& status : options_.status_topics) {
    const std::optional<TopicPlaces> places = status.match(message.topic);
    if (!places) continue;
    if (!take_account(places->account, out)) return true;
    const std::string_view word = trimmed(message.payload);
    const bool online = is_one_of(word, options_.online_payloads);
    if (!online && !is_one_of(word, options_.offline_payloads)) {
      out.refuse(Refusal::status, "a status that is neither online nor offline: " + quoted(word));
      return true;
    }
    Result<model::SiteId> site = places->site.empty() ? model::SiteId() : model::SiteId::parse(places->site);
    Result<model::DeviceId> device = model::DeviceId::parse(places->device);
    if (!site || !device) {
      out.refuse(Refusal::name, "a topic that names no device: " + quoted(message.topic));
      return true;
    }
    const auto presence = online ? model::Presence::online : model::Presence::offline;
    model::PresenceReport said{std::move(*device), presence, online ? "reported" : "last_will", message.retained};
    out.reports.push_back({std::move(*site), std::move(said)});
    return true;
  }
  return false;
}

bool FeedDecoder::take_points(const Message& message, Intake& out) const {
  for (const TopicTemplate& topic : options_.topics) {
    const std::optional<TopicPlaces> places = topic.match(message.topic);
    if (!places) continue;
    if (!take_account(places->account, out)) return true;
    Result<codec::ParsedPoints> parsed = parse_payload(message.payload, options_.payload, places->device);
    if (!parsed) {
      out.refuse(Refusal::malformed, parsed.error().detail);
      return true;
    }
    out.points = std::move(*parsed);
    std::erase_if(out.points.points,
                  [&](model::Point& point) { return !settle_point(point, *places, message.retained, out); });
    return true;
  }
  return false;
}

}  // namespace millstream::connect
