#include "codec/event_json.h"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <random>

#include "base/limits.h"
#include "base/time_text.h"

namespace millstream::codec {
namespace {

using model::Event;
using model::EventType;
using model::Fields;
using model::FieldValue;
using model::Tags;

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}
std::string json_number(double value) {
  std::string out;
  append_json_number(value, out);
  return out;
}
model::DeviceId device(std::string_view name) { return *model::DeviceId::parse(name); }

Event event_of(EventType type, std::string data) {
  Event event;
  event.id = {1769517296789, 4};
  event.ts_ms = 1769517296789;
  event.topic = *model::Topic::parse("account:123/site:1/device:elink-99");
  event.type = type;
  event.data = std::move(data);
  return event;
}
std::string event_json(const Event& event) {
  std::string out;
  append_event_json(event, out);
  return out;
}

TEST(JsonText, EscapesWhatMustBeEscapedAndNothingElse) {
  EXPECT_EQ(json_string(""), "\"\"");
  EXPECT_EQ(json_string("plain text of more than eight bytes"), "\"plain text of more than eight bytes\"");
  EXPECT_EQ(json_string("say \"hi\" \\ bye"), "\"say \\\"hi\\\" \\\\ bye\"");
  EXPECT_EQ(json_string("a\r\n\tb"), "\"a\\r\\n\\tb\"");
  EXPECT_EQ(json_string(std::string_view("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\x7f\"");
  EXPECT_EQ(json_string("Київ 😀"), "\"Київ 😀\"");
}

TEST(JsonText, EveryByteIsFoundAtEveryPlace) {
  for (size_t size = 1; size < 40; ++size) {
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 0x80; ++byte) {
        std::string text(size, 'x');
        text[at] = static_cast<char>(byte);
        const bool special = byte < 0x20 || byte == '"' || byte == '\\';
        ASSERT_EQ(json_string(text).size() > size + 2, special) << byte << " at " << at << " of " << size;
      }
    }
  }
}

TEST(JsonText, LargeNumbersReadBackAsTheNumbersTheyAre) {
  for (const double value : {9007199254740994.0, 9223372036854775808.0, 92233720368547758080.0, 1e20, 1e21, -1e300}) {
    const auto fields = decode_telemetry_fields("{\"fields\":{\"f\":" + json_number(value) + "}}");
    ASSERT_TRUE(fields.ok()) << json_number(value);
    EXPECT_EQ(std::get<double>(fields->front().value), value);
  }
}

TEST(JsonText, NumbersPrintShortestAndWholeOnesWithoutFraction) {
  EXPECT_EQ(json_number(247), "247");
  EXPECT_EQ(json_number(-3.0), "-3");
  EXPECT_EQ(json_number(100000), "100000");
  EXPECT_EQ(json_number(0.1), "0.1");
  EXPECT_EQ(json_number(23.45), "23.45");
  EXPECT_EQ(json_number(0), "0");
  EXPECT_EQ(json_number(-0.0), "-0.0");
  EXPECT_EQ(json_number(1e300), "1e+300");
  EXPECT_EQ(json_number(9007199254740993.0), "9007199254740992");
}

TEST(JsonText, EveryFiniteDoubleReadsBackTheSame) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 50'000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(std::strtod(json_number(value).c_str(), nullptr), value);
  }
}

TEST(JsonText, DecimalsAreTheShortestThatReadBackTheSame) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 50'000; ++i) {
    const auto digits = static_cast<double>(static_cast<int64_t>(random() % 2'000'000'000) - 1'000'000'000);
    double value = digits / std::pow(10, random() % 9);
    if (random() % 4 == 0) value = std::nextafter(value, 0);
    if (value == std::trunc(value)) continue;
    char text[32];
    ASSERT_EQ(json_number(value), std::string(text, std::to_chars(text, text + sizeof text, value).ptr));
  }
}

TEST(EventJson, HasTheShapeOfTheContract) {
  const std::string data = encode_telemetry_data(device("elink-99"), {{"T1", 247.0}, {"OPM", int64_t{3}}}, {});
  EXPECT_EQ(event_json(event_of(EventType::telemetry, data)),
            R"({"id":"1769517296789-4","ts":"2026-01-27T12:34:56.789Z","topic":"account:123/site:1/device:elink-99",)"
            R"("type":"telemetry","data":{"deviceId":"elink-99","fields":{"T1":247,"OPM":3}}})");
}

TEST(EventJson, TelemetryKeepsKindsOfValuesAndTags) {
  const std::string data = encode_telemetry_data(
      device("d"), {{"f", 2.5}, {"i", INT64_MIN}, {"b", true}, {"s", "a\n\"b\""}}, {{"model", "x"}});
  EXPECT_EQ(
      data,
      R"({"deviceId":"d","fields":{"f":2.5,"i":-9223372036854775808,"b":true,"s":"a\n\"b\""},"tags":{"model":"x"}})");
  EXPECT_EQ(*decode_telemetry_fields(data), (Fields{{"f", 2.5}, {"i", INT64_MIN}, {"b", true}, {"s", "a\n\"b\""}}));
  const std::vector<std::string> names = {"s", "x", "f"};
  EXPECT_EQ(*decode_telemetry_fields(data, names), (Fields{{"s", "a\n\"b\""}, {"f", 2.5}})) << "in the order asked for";
  EXPECT_EQ(*decode_telemetry_tags(data), (Tags{{"model", "x"}}));
  EXPECT_TRUE(decode_telemetry_tags(R"({"deviceId":"d","fields":{}})")->empty());
}

TEST(EventJson, ParseGivesBackWhatWasWritten) {
  Event event = event_of(EventType::telemetry, encode_telemetry_data(device("elink-99"), {{"T1", 2.5}}, {{"a", "b"}}));
  const Result<Event> read = parse_event_json(event_json(event));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->id, event.id);
  EXPECT_EQ(read->ts_ms, event.ts_ms);
  EXPECT_EQ(read->topic, event.topic);
  EXPECT_EQ(read->type, event.type);
  EXPECT_EQ(read->data, event.data);
  EXPECT_EQ(read->fields, (Fields{{"T1", 2.5}}));
}

TEST(EventJson, ForeignSpellingBecomesOurs) {
  const Result<Event> read = parse_event_json(
      "{ \"type\": \"system\", \"data\": { \"kind\" : \"note\", \"x\" : [ 1.0 , 2.50, null, {} , [] ],"
      "\"t\":\"\\u041a\\/\\n\", \"big\": 18446744073709551615 },\n \"ts\": \"2026-01-27T14:34:56.789+02:00\","
      "\"topic\":\"account:1\", \"id\": \"5-0\", \"more\": 1 }");
  ASSERT_TRUE(read.ok()) << read.error().detail;
  EXPECT_EQ(read->data, "{\"kind\":\"note\",\"x\":[1,2.5,null,{},[]],\"t\":\"К/\\n\",\"big\":18446744073709551615}");
  EXPECT_EQ(read->ts_ms, 1769517296789);
}

TEST(EventJson, AReasonNamesThePlace) {
  const auto reason = [](std::string_view json) {
    const Result<Event> event = parse_event_json(json);
    return event.ok() ? std::string("accepted") : event.error().detail;
  };
  const std::string head = R"({"id":"1-0","ts":"2026-01-27T12:34:56Z","topic":"account:1","type":)";
  EXPECT_EQ(reason(""), "event: empty, JSON expected");
  EXPECT_EQ(reason("{"), "event: not JSON");
  EXPECT_EQ(reason("[]"), "event: not an object");
  EXPECT_EQ(reason("{\"id\":\"\xFF\"}"), "event: not UTF-8");
  EXPECT_EQ(reason("{}"), "id: missing");
  EXPECT_EQ(reason(R"({"id":7})"), "id: not a string");
  EXPECT_EQ(reason(R"({"id":"7"})"), "id: not an event id");
  EXPECT_EQ(reason(R"({"id":"1-0","ts":"now"})"), "ts: not RFC 3339");
  EXPECT_EQ(reason(R"({"id":"1-0","ts":"2026-01-27T12:34:56Z","topic":"x"})"),
            "topic: segment 1 must start with \"account:\"");
  EXPECT_EQ(reason(head + R"("weather","data":{}})"), "type: not one of the known names");
  EXPECT_EQ(reason(head + R"("system"})"), "data: missing");
  EXPECT_EQ(reason(head + R"("system","data":[]})"), "data: not an object");
  EXPECT_EQ(reason(head + R"("telemetry","data":{}})"), "data.fields: missing");
  EXPECT_EQ(reason(head + R"("telemetry","data":{"fields":[]}})"), "data.fields: not an object");
  EXPECT_EQ(reason(head + R"("telemetry","data":{"fields":{"T1":null}}})"),
            "data.fields.T1: not a finite number, boolean or string");
  EXPECT_EQ(reason(std::string(5000, '[') + std::string(5000, ']')), "event: not JSON: nested too deeply");
}

model::Alert some_alert() {
  model::Alert alert;
  alert.alert_id = "a-1";
  alert.rule_id = "ovt";
  alert.rule_name = "Over \"temperature\"";
  alert.device = device("elink-99");
  alert.state = model::AlertState::resolved;
  alert.severity = model::Severity::critical;
  alert.message = "elink-99 T1=60 < 65";
  alert.field = "T1";
  alert.value = 60;
  alert.threshold = 64.5;
  alert.started_at_ms = 1769517296789;
  alert.ended_at_ms = 1769517356789;
  return alert;
}

TEST(AlertData, HasTheKeysOfTheContract) {
  model::Alert alert = some_alert();
  EXPECT_EQ(
      encode_alert_data(alert),
      R"({"alertId":"a-1","ruleId":"ovt","ruleName":"Over \"temperature\"","deviceId":"elink-99","state":"resolved",)"
      R"("severity":"critical","message":"elink-99 T1=60 < 65","field":"T1","value":60,"threshold":64.5,)"
      R"("startedAt":"2026-01-27T12:34:56.789Z","endedAt":"2026-01-27T12:35:56.789Z"})");
  alert.ended_at_ms.reset();
  EXPECT_EQ(encode_alert_data(alert).find("endedAt"), std::string::npos);
}

TEST(AlertData, EveryStateAndSeverityReadsBack) {
  for (int state = 0; state <= static_cast<int>(model::AlertState::stale); ++state) {
    for (int severity = 0; severity <= static_cast<int>(model::Severity::critical); ++severity) {
      model::Alert alert = some_alert();
      alert.state = static_cast<model::AlertState>(state);
      alert.severity = static_cast<model::Severity>(severity);
      if (state % 2 == 0) alert.ended_at_ms.reset();
      const Result<model::Alert> read = decode_alert_data(encode_alert_data(alert));
      ASSERT_TRUE(read.ok()) << read.error().detail;
      EXPECT_EQ(*read, alert);
    }
  }
}

TEST(AlertData, AReasonNamesThePlace) {
  const std::string good = encode_alert_data(some_alert());
  const auto reason_with = [&](std::string_view from, std::string_view to) {
    std::string json = good;
    json.replace(json.find(from), from.size(), to);
    const Result<model::Alert> alert = decode_alert_data(json);
    return alert.ok() ? std::string("accepted") : alert.error().detail;
  };
  EXPECT_EQ(reason_with("\"alertId\"", "\"other\""), "data.alertId: missing");
  EXPECT_EQ(reason_with("\"resolved\"", "\"gone\""), "data.state: not one of the known names");
  EXPECT_EQ(reason_with("\"critical\"", "5"), "data.severity: not a string");
  EXPECT_EQ(reason_with(":60,", ":\"60\","), "data.value: not a number");
  EXPECT_EQ(reason_with("elink-99", "e link"), "data.deviceId: a name is 1 to 64 of A-Z a-z 0-9 . _ -");
  EXPECT_EQ(reason_with("2026-01-27T12:35:56.789Z", "later"), "data.endedAt: not RFC 3339");
}

TEST(PresenceReportData, ReadsBackAndOtherKindsAreNone) {
  const model::PresenceReport report{device("d1"), model::Presence::offline, "last_will"};
  const std::string data = encode_presence_report_data(report);
  EXPECT_EQ(data, R"({"kind":"presence_report","deviceId":"d1","status":"offline","reason":"last_will"})");
  const auto read = decode_presence_report_data(data);
  ASSERT_TRUE(read.ok() && read->has_value());
  EXPECT_EQ(**read, report);
  const auto other = decode_presence_report_data(R"({"kind":"maintenance"})");
  EXPECT_TRUE(other.ok() && !other->has_value());
  EXPECT_EQ(decode_presence_report_data(R"({"kind":"presence_report","deviceId":"d1","status":"stale","reason":"r"})")
                .error()
                .detail,
            "data.status: neither online nor offline");
}

TEST(DeviceStatusData, ReadsBackAndHasTheKeysOfTheContract) {
  for (int p = 0; p <= static_cast<int>(model::Presence::offline); ++p) {
    const model::DeviceStatus status{device("d1"), static_cast<model::Presence>(p), "timeout", 1769517296789};
    EXPECT_EQ(*decode_device_status_data(encode_device_status_data(status)), status);
  }
  EXPECT_EQ(encode_device_status_data({device("d1"), model::Presence::offline, "timeout", 0}),
            R"({"deviceId":"d1","status":"offline","reason":"timeout","lastSeen":null})");
  const model::DeviceStatus gateway{device("g"), model::Presence::offline, "last_will", 1769517296789, 500};
  EXPECT_EQ(
      encode_device_status_data(gateway),
      R"({"deviceId":"g","status":"offline","reason":"last_will","lastSeen":"2026-01-27T12:34:56.789Z","devices":500})");
  EXPECT_EQ(*decode_device_status_data(encode_device_status_data(gateway)), gateway);
  EXPECT_EQ(decode_device_status_data(R"({"deviceId":"d1","status":"online","reason":"data"})").error().detail,
            "data.lastSeen: missing");
  EXPECT_EQ(decode_device_status_data(R"({"deviceId":"d1","status":"x"})").error().detail,
            "data.status: not one of the known names");
}

// Random events, made of all that is allowed.
class AnyEvent {
 public:
  explicit AnyEvent(uint32_t seed) : random_(seed) {}

  std::string name() {
    constexpr std::string_view letters = "ABCXYZabcxyz0189._-";
    std::string out;
    for (size_t i = 1 + random_() % kNameBytesMax; i > 0; --i) out += letters[random_() % letters.size()];
    return out;
  }
  std::string text(size_t size_max) {
    constexpr std::string_view pieces[] = {"a", "bc", " ", "\"", "\\", "\n",   "\r", "\t",
                                           "é", "Ж",  "€", "😀",  "/",  "\x1b", ","};
    std::string out;
    for (size_t i = random_() % size_max; i > 0; --i) out += pieces[random_() % std::size(pieces)];
    if (random_() % 8 == 0) out += '\0';
    return out;
  }
  FieldValue value() {
    switch (random_() % 4) {
      case 0: return fraction();
      case 1: return static_cast<int64_t>(random_() >> (random_() % 64)) * (random_() % 2 ? 1 : -1);
      case 2: return random_() % 2 == 0;
      default: return text(60);
    }
  }
  Fields fields() {
    Fields out;
    for (size_t i = random_() % 12; i > 0; --i) out.push_back({"f" + std::to_string(i) + printable(), value()});
    return out;
  }
  Tags tags() {
    Tags out;
    for (size_t i = random_() % 4; i > 0; --i) out.push_back({"t" + std::to_string(i), text(20)});
    return out;
  }
  Event telemetry() {
    Event event;
    event.id = model::EventId::from_packed(static_cast<int64_t>(random_() >> 1));
    event.ts_ms = std::uniform_int_distribution<int64_t>(kTimeMsMin, kTimeMsMax)(random_);
    event.topic = *model::Topic::parse("account:" + name() + "/site:" + name() + "/device:" + name());
    event.type = EventType::telemetry;
    event.fields = fields();
    event.data = encode_telemetry_data(event.topic.device, event.fields, tags());
    return event;
  }

 private:
  // Whole doubles print as integers and read back as such, so none of these.
  double fraction() {
    while (true) {
      const double d = std::bit_cast<double>(random_());
      if (std::isfinite(d) && d != std::trunc(d)) return d;
    }
  }
  std::string printable() {
    std::string out;
    for (const char c : text(4)) {
      if (static_cast<unsigned char>(c) >= 0x20) out += c;
    }
    return out;
  }
  std::mt19937_64 random_;
};

TEST(EventJson, RandomEventsReadBackTheSame) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  AnyEvent any(seed);
  for (int i = 0; i < 3000; ++i) {
    const Event event = any.telemetry();
    const std::string json = event_json(event);
    ASSERT_EQ(json.find_first_of(std::string_view("\r\n\0", 3)), std::string::npos);
    const Result<Event> read = parse_event_json(json);
    ASSERT_TRUE(read.ok()) << read.error().detail << " " << json;
    ASSERT_EQ(read->fields, event.fields) << json;
    ASSERT_EQ(read->data, event.data);
    ASSERT_EQ(event_json(*read), json);
  }
}

TEST(EventJson, MoreFieldsThanMergingCanMakeAreRefused) {
  std::string json = R"({"fields":{)";
  for (int i = 0; i < 5000; ++i) json += (i ? ",\"" : "\"") + std::to_string(i) + "\":1";
  EXPECT_EQ(decode_telemetry_fields(json + "}}").error().detail, "data.fields: more than 4096 of them");
}

}  // namespace
}  // namespace millstream::codec
