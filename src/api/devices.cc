// GET /api/devices, /api/devices/{id} and /api/latest: what is true now. PUT and DELETE /api/devices/{id}: what people
// say of a device.
#include <algorithm>
#include <iterator>

#include "api/credential.h"
#include "api/latest_events.h"
#include "api/listing.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/recorded_change.h"
#include "api/routes.h"
#include "base/log_line.h"
#include "base/time_text.h"
#include "codec/csv.h"
#include "codec/device_settings_json.h"
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

void append_device(const Context& context, const history::LatestDevice& device, std::string& out) {
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
  if (const auto settings = context.registry.devices().settings_of(topic)) {
    out += ",\"settings\":" + codec::encode_device_settings(*settings);
  }
  out += '}';
}

bool matches_any(const std::vector<model::TopicPattern>& patterns, const model::Topic& topic) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return pattern.matches(topic); });
}

// Devices that were described and of which nothing was heard within the retention.
void add_unheard(const Context& context, const std::vector<model::TopicPattern>& patterns,
                 history::LatestSnapshot& latest) {
  std::vector<history::LatestDevice>& devices = latest.devices;
  const auto heard = static_cast<std::ptrdiff_t>(devices.size());
  const auto before = [](const history::LatestDevice& device, const model::Topic& topic) {
    return device.topic < topic;
  };
  for (model::Topic& topic : context.registry.devices().described(patterns.front().account)) {
    if (!matches_any(patterns, topic)) continue;
    const auto place = std::lower_bound(devices.begin(), devices.begin() + heard, topic, before);
    if (place != devices.begin() + heard && place->topic == topic) continue;
    devices.push_back({.topic = std::move(topic)});
  }
  std::sort(devices.begin(), devices.end(), [](const auto& a, const auto& b) { return a.topic < b.topic; });
}

std::string devices_json(const Context& context, const history::LatestSnapshot& latest) {
  std::string body = "{\"asOf\":\"" + latest.as_of.text() + "\",\"devices\":[";
  for (size_t i = 0; i < latest.devices.size(); ++i) {
    if (i > 0) body += ',';
    append_device(context, latest.devices[i], body);
  }
  body += "]}";
  return body;
}

// The device under that name that was heard of last: names are unique within a site only.
http::Response one_device(const Context& context, const history::LatestSnapshot& latest) {
  if (latest.devices.empty()) return problem(404, "no such device, or nothing heard of it within the retention");
  const auto newest = std::max_element(latest.devices.begin(), latest.devices.end(), [](const auto& a, const auto& b) {
    return a.received_at_ms < b.received_at_ms;
  });
  std::string body;
  append_device(context, *newest, body);
  return http::Response::json(200, std::move(body));
}

std::string latest_json(const Context&, const history::LatestSnapshot& latest) {
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
  std::string (*json)(const Context&, const history::LatestSnapshot&);
  model::EventTypes types;    // when none are asked for
  bool with_unheard = false;  // devices that were only described
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
    history::LatestSnapshot latest = context.latest.snapshot(patterns, listed.types);
    if (listed.with_unheard) add_unheard(context, patterns, latest);
    return listing(format, format == Format::csv ? fields_csv(latest) : listed.json(context, latest), listed.name);
  });
}

// The device that the path names, wherever the holder may see one of that name.
struct Named {
  model::DeviceId device;
  model::SiteId site;  // empty: not given
  std::vector<model::TopicPattern> patterns;
};

Result<Named> parse_named(const http::Request& request, const model::Grants& grants) {
  if (const Status known = check_known(request.query, {"siteId"}); !known) return known.error();
  Result<auth::Selection> selection = parse_selection(request.query, grants.account);
  if (!selection) return selection.error();
  Result<model::DeviceId> device = model::DeviceId::parse(request.captures.at(0));
  if (!device) return Error{Code::not_found, "device: " + device.error().detail};
  selection->device = *device;
  Result<std::vector<model::TopicPattern>> patterns = auth::authorize_read(grants, *selection);
  if (!patterns) return patterns.error();
  return Named{std::move(*device), selection->site, std::move(*patterns)};
}

void handle_device(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  Result<model::Grants> grants = grants_of(context, request);
  if (!grants) return exchange->respond(problem(grants.error()));
  Result<Named> named = parse_named(request, *grants);
  if (!named) return exchange->respond(problem(named.error()));
  respond_from(context.readers, exchange, [&context, patterns = std::move(named->patterns)] {
    history::LatestSnapshot latest = context.latest.snapshot(patterns);
    if (latest.devices.empty()) add_unheard(context, patterns, latest);
    return one_device(context, latest);
  });
}

// Which of that name is meant; `unknown`: none is. Blocks for as long as all names take to look at.
Result<model::Topic> topic_of(const Context& context, const model::Grants& grants, const Named& named,
                              const Error& unknown) {
  if (!named.site.empty()) return model::Topic{grants.account, named.site, named.device};
  std::vector<model::Topic> found = context.registry.devices().named(grants.account, named.device);
  std::erase_if(found, [&](const model::Topic& topic) { return !matches_any(named.patterns, topic); });
  if (found.size() == 1) return std::move(found.front());
  if (found.empty()) return unknown;
  std::string sites;
  for (const model::Topic& topic : found) sites += " " + topic.site.text();
  return Error{Code::invalid, "siteId: is needed, for the name stands on several sites:" + sites};
}

// The engines hear of it from the log, and so does whoever follows the device. Waits until it is durable: on a worker,
// so that what cannot be told is taken back before anyone is answered, and changes of one device are told in order.
Status tell(Context& context, const model::Topic& topic, const codec::DeviceCommand& command) {
  return append_durably(context.log,
                        {new_event(model::EventType::system, topic, codec::encode_device_command(topic.device, command),
                                   context.clock.wall_ms())});
}

// `change` is done on a worker, with the topic that is meant.
void handle_change(Context& context, const http::ExchangePtr& exchange, const model::Grants& grants,
                   const Error& unknown, std::function<http::Response(const model::Topic&)> change) {
  Result<Named> named = parse_named(exchange->request(), grants);
  if (!named) return exchange->respond(problem(named.error()));
  respond_from(context.registry_work, exchange,
               [&context, grants, named = std::move(*named), unknown, change = std::move(change)] {
                 const Result<model::Topic> topic = topic_of(context, grants, named, unknown);
                 return topic ? change(*topic) : problem(topic.error());
               });
}

void handle_save(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const Result<model::Grants> grants = grants_of_role(context, request, model::Role::admin);
  if (!grants) return exchange->respond(problem(grants.error()));
  const Result<model::DeviceId> device = model::DeviceId::parse(request.captures.at(0));
  if (!device) return exchange->respond(problem(404, "device: " + device.error().detail));
  Result<model::DeviceSettings> settings = codec::parse_device_settings(request.body, *device);
  if (!settings) return exchange->respond(problem(settings.error()));
  const Error unknown{Code::invalid, "siteId: is needed for a device that is not known"};
  handle_change(context, exchange, *grants, unknown,
                [&context, settings = std::move(*settings), by = grants->subject](const model::Topic& topic) {
                  const Status saved = context.registry.devices().save(topic, settings, context.clock.wall_ms(), [&] {
                    return tell(context, topic, codec::SaveDevice{settings, by});
                  });
                  if (!saved) return problem(saved.error());
                  log_info("a device was described", {{"device", topic.text()}, {"by", by}});
                  const std::vector<model::TopicPattern> pattern = {{topic.account, {topic.site}, {topic.device}}};
                  history::LatestSnapshot latest = context.latest.snapshot(pattern);
                  if (latest.devices.empty()) latest.devices.push_back({.topic = topic});
                  return one_device(context, latest);
                });
}

void handle_remove(Context& context, const http::ExchangePtr& exchange) {
  const Result<model::Grants> grants = grants_of_role(context, exchange->request(), model::Role::admin);
  if (!grants) return exchange->respond(problem(grants.error()));
  const Error unknown{Code::not_found, "no such device"};
  handle_change(context, exchange, *grants, unknown, [&context, by = grants->subject](const model::Topic& topic) {
    const Status removed =
        context.registry.devices().remove(topic, [&] { return tell(context, topic, codec::DeleteDevice{by}); });
    if (!removed) return problem(removed.error());
    log_info("a device was removed", {{"device", topic.text()}, {"by", by}});
    return http::Response{.status = 204};
  });
}

}  // namespace

void add_device_routes(http::Router& router, Context& context) {
  static constexpr model::EventTypes kDeviceTypes =
      model::EventTypes::none().with(model::EventType::telemetry).with(model::EventType::device_status);
  router.add("GET", "/api/devices", 0, [&context](const http::ExchangePtr& e) {
    handle_latest(context, e, {"devices", devices_json, kDeviceTypes, true});
  });
  router.add("GET", "/api/devices/{}", 0, [&context](const http::ExchangePtr& e) { handle_device(context, e); });
  router.add(
      "PUT", "/api/devices/{}", codec::kDeviceSettingsBytesMax,
      [&context](const http::ExchangePtr& e) { handle_save(context, e); },
      [&context](const http::Request& request) -> std::optional<http::Response> {
        const Result<model::Grants> grants = grants_of_role(context, request, model::Role::admin);
        return grants ? std::nullopt : std::optional(problem(grants.error()));
      });
  router.add("DELETE", "/api/devices/{}", 0, [&context](const http::ExchangePtr& e) { handle_remove(context, e); });
  router.add("GET", "/api/latest", 0, [&context](const http::ExchangePtr& e) {
    handle_latest(context, e, {"latest", latest_json, model::EventTypes::all()});
  });
}

}  // namespace millstream::api
