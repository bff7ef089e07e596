// GET /api/devices, /api/devices/{id} and /api/latest: what is true now.
#include <algorithm>

#include "api/credential.h"
#include "api/latest_events.h"
#include "api/listing.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "base/time_text.h"
#include "codec/csv.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

void append_time_or_null(int64_t utc_ms, std::string& out) {
  if (utc_ms == 0) {
    out += "null";
    return;
  }
  out += '"';
  append_rfc3339_ms(utc_ms, out);
  out += '"';
}

void append_device(const history::LatestDevice& device, std::string& out) {
  const model::Topic& topic = device.topic;
  const model::DeviceStatus status = device.status.value_or(model::DeviceStatus{});
  out += "{\"deviceId\":\"" + topic.device.text() + "\",\"siteId\":\"" + topic.site.text() + "\",\"topic\":\"";
  topic.append_text(out);
  out += "\",\"status\":\"";
  out += model::presence_name(status.status);
  out += "\",\"reason\":";
  codec::append_json_string(status.reason, out);
  out += ",\"lastSeen\":";
  append_time_or_null(std::max(device.received_at_ms, status.last_seen_ms), out);
  out += ",\"ts\":";
  append_time_or_null(device.ts_ms, out);
  out += ",\"fields\":{";
  bool first = true;
  for (const auto& [name, field] : device.fields) {
    if (!first) out += ',';
    first = false;
    codec::append_json_string(name, out);
    out += ':';
    codec::append_field_value(field.value, out);
  }
  out += '}';
  if (!device.tags.empty()) {
    out += ",\"tags\":{";
    for (size_t i = 0; i < device.tags.size(); ++i) {
      if (i > 0) out += ',';
      codec::append_json_string(device.tags[i].name, out);
      out += ':';
      codec::append_json_string(device.tags[i].value, out);
    }
    out += '}';
  }
  out += '}';
}

std::string devices_json(const history::LatestSnapshot& latest) {
  std::string body = "{\"asOf\":\"" + latest.as_of.text() + "\",\"devices\":[";
  for (size_t i = 0; i < latest.devices.size(); ++i) {
    if (i > 0) body += ',';
    append_device(latest.devices[i], body);
  }
  body += "]}";
  return body;
}

// The device under that name that was heard of last: names are unique within a site only.
http::Response one_device(const history::LatestSnapshot& latest) {
  if (latest.devices.empty()) return problem(404, "no such device, or nothing heard of it within the retention");
  const auto newest = std::max_element(latest.devices.begin(), latest.devices.end(), [](const auto& a, const auto& b) {
    return a.received_at_ms < b.received_at_ms;
  });
  std::string body;
  append_device(*newest, body);
  return http::Response::json(200, std::move(body));
}

std::string latest_json(const history::LatestSnapshot& latest) {
  std::string body = "{\"asOf\":\"" + latest.as_of.text() + "\",\"events\":[";
  const std::vector<model::Event> events = latest_events(latest);
  for (size_t i = 0; i < events.size(); ++i) {
    if (i > 0) body += ',';
    codec::append_event_json(events[i], body);
  }
  body += "]}";
  return body;
}

void append_device_cells(const history::LatestDevice& device, codec::CsvWriter& out) {
  const model::DeviceStatus status = device.status.value_or(model::DeviceStatus{});
  out.text(device.topic.device.text()).text(device.topic.site.text()).text(model::presence_name(status.status));
  const int64_t last_seen_ms = std::max(device.received_at_ms, status.last_seen_ms);
  last_seen_ms == 0 ? out.empty() : out.time(last_seen_ms);
}

// A row for each field, and one for a device that has none.
std::string fields_csv(const history::LatestSnapshot& latest) {
  std::string body = "device,site,status,lastSeen,field,value,time\r\n";
  codec::CsvWriter out(body);
  for (const history::LatestDevice& device : latest.devices) {
    for (const auto& [name, field] : device.fields) {
      append_device_cells(device, out);
      out.text(name).value(field.value).time(field.ts_ms).end_row();
    }
    if (!device.fields.empty()) continue;
    append_device_cells(device, out);
    out.empty().empty().empty().end_row();
  }
  return body;
}

struct Listed {
  std::string_view name;
  std::string (*json)(const history::LatestSnapshot&);
  model::EventTypes types;  // when none are asked for
};

void handle_latest(Context& context, const http::ExchangePtr& exchange, Listed listed) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {"topic", "topics", "accountId", "siteId", "deviceId", "types"});
      !known) {
    return exchange->respond(problem(known.error()));
  }
  Result<Reading> reading = authorize_reading(context, request);
  if (!reading) return exchange->respond(problem(reading.error()));
  const Result<model::EventTypes> asked = parse_types(request.query);
  if (!asked) return exchange->respond(problem(asked.error()));
  if (!asked->is_all()) listed.types = *asked;
  const Format format = format_of(request);
  respond_from(context.readers, exchange, [&context, listed, format, patterns = std::move(reading->patterns)] {
    const history::LatestSnapshot latest = context.latest.snapshot(patterns, listed.types);
    return listing(format, format == Format::csv ? fields_csv(latest) : listed.json(latest), listed.name);
  });
}

void handle_device(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {"siteId"}); !known) {
    return exchange->respond(problem(known.error()));
  }
  Result<model::Grants> grants = grants_of(context, request);
  if (!grants) return exchange->respond(problem(grants.error()));
  Result<auth::Selection> selection = parse_selection(request.query, grants->account);
  if (!selection) return exchange->respond(problem(selection.error()));
  Result<model::DeviceId> device = model::DeviceId::parse(request.captures.at(0));
  if (!device) return exchange->respond(problem(404, "device: " + device.error().detail));
  selection->device = std::move(*device);
  Result<std::vector<model::TopicPattern>> patterns = auth::authorize_read(*grants, *selection);
  if (!patterns) return exchange->respond(problem(patterns.error()));
  respond_from(context.readers, exchange,
               [&context, patterns = std::move(*patterns)] { return one_device(context.latest.snapshot(patterns)); });
}

}  // namespace

void add_device_routes(http::Router& router, Context& context) {
  static constexpr model::EventTypes kDeviceTypes =
      model::EventTypes::none().with(model::EventType::telemetry).with(model::EventType::device_status);
  router.add("GET", "/api/devices", 0, [&context](const http::ExchangePtr& e) {
    handle_latest(context, e, {"devices", devices_json, kDeviceTypes});
  });
  router.add("GET", "/api/devices/{}", 0, [&context](const http::ExchangePtr& e) { handle_device(context, e); });
  router.add("GET", "/api/latest", 0, [&context](const http::ExchangePtr& e) {
    handle_latest(context, e, {"latest", latest_json, model::EventTypes::all()});
  });
}

}  // namespace millstream::api
