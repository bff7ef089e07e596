#include "connect/sparkplug_nodes.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/field_name.h"

namespace millstream::connect {
namespace {

constexpr uint64_t kSeqs = 256;
constexpr std::string_view kBdSeq = "bdSeq";

struct Verb {
  std::string_view text;
  SparkplugVerb verb;
  bool of_device;
};
constexpr Verb kVerbs[] = {
    {"NBIRTH", SparkplugVerb::node_birth, false},  {"NDEATH", SparkplugVerb::node_death, false},
    {"NDATA", SparkplugVerb::node_data, false},    {"DBIRTH", SparkplugVerb::device_birth, true},
    {"DDEATH", SparkplugVerb::device_death, true}, {"DDATA", SparkplugVerb::device_data, true},
};

std::vector<std::string_view> levels_of(std::string_view topic) {
  std::vector<std::string_view> levels;
  while (true) {
    const size_t slash = topic.find('/');
    levels.push_back(topic.substr(0, slash));
    if (slash == std::string_view::npos || levels.size() > 5) return levels;
    topic.remove_prefix(slash + 1);
  }
}

bool is_control(std::string_view name) {
  return name == kBdSeq || name.starts_with("Node Control/") || name.starts_with("Device Control/");
}

bool is_birth(SparkplugVerb verb) { return verb == SparkplugVerb::node_birth || verb == SparkplugVerb::device_birth; }

std::optional<uint64_t> bd_seq_of(const SparkplugPayload& payload) {
  const auto found = std::find_if(payload.metrics.begin(), payload.metrics.end(),
                                  [](const SparkplugMetric& metric) { return metric.name == kBdSeq; });
  return found == payload.metrics.end() ? std::nullopt : found->integer;
}

std::string device_name(const SparkplugTopic& topic, const std::string& device) {
  return device.empty() ? topic.edge : topic.edge + '.' + device;
}

void report(const SparkplugTopic& topic, const std::string& device, model::Presence status, std::string reason,
            Intake& out) {
  Result<model::SiteId> site = model::SiteId::parse(topic.group);
  Result<model::DeviceId> id = model::DeviceId::parse(device_name(topic, device));
  if (!site || !id) return;  // its points say so
  out.reports.push_back({std::move(*site), {std::move(*id), status, std::move(reason)}});
}

// Adds a field to the last point if it is of the same moment, has room and no such field yet; else to a new one.
void add_field(const SparkplugTopic& topic, std::optional<int64_t> ts_ms, model::Field field, Intake& out) {
  std::vector<model::Point>& points = out.points.points;
  const auto fits = [&](const model::Point& point) {
    return point.ts_ms == ts_ms && point.fields.size() < kFieldsPerPointMax &&
           std::none_of(point.fields.begin(), point.fields.end(),
                        [&](const model::Field& other) { return other.name == field.name; });
  };
  if (points.empty() || !fits(points.back())) {
    points.push_back({.site = topic.group, .device = device_name(topic, topic.device), .ts_ms = ts_ms});
    points.back().index = points.size() - 1;
  }
  points.back().fields.push_back(std::move(field));
}

bool is_field_name(std::string_view name) {
  return !name.empty() && name.size() <= kFieldNameBytesMax && is_utf8(name) && !codec::has_control_character(name);
}

bool is_too_long(const model::FieldValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr && text->size() > kStringFieldBytesMax;
}

void take_metric(const SparkplugTopic& topic, const SparkplugPayload& payload, const SparkplugMetric& metric,
                 const std::string& name, uint32_t datatype, Intake& out) {
  if (metric.is_null || is_control(name)) return;
  if (!is_field_name(name)) return out.refuse(Refusal::name, "a metric's name is not one of a field");
  std::optional<model::FieldValue> value = metric.integer ? sparkplug_integer(*metric.integer, datatype) : metric.value;
  if (!value || is_too_long(*value)) {
    return out.refuse(Refusal::type, "metric " + codec::shortened(name, 64) + ": type " + std::to_string(datatype) +
                                         " or its value is none that is stored");
  }
  add_field(topic, metric.ts_ms ? metric.ts_ms : payload.ts_ms, {name, std::move(*value)}, out);
}

}  // namespace

Result<SparkplugTopic> parse_sparkplug_topic(std::string_view topic) {
  const std::vector<std::string_view> levels = levels_of(topic);
  if (levels.size() < 3 || levels[0] != "spBv1.0") return Error{Code::invalid, "not a topic of Sparkplug B"};
  if (levels[1] == "STATE" || levels[2] == "NCMD" || levels[2] == "DCMD" || levels[2] == "STATE") {
    return Error{Code::not_found, "for others"};
  }
  const auto verb =
      std::find_if(std::begin(kVerbs), std::end(kVerbs), [&](const Verb& v) { return v.text == levels[2]; });
  if (verb == std::end(kVerbs) || levels.size() != (verb->of_device ? 5u : 4u)) {
    return Error{Code::invalid, "not a topic of Sparkplug B"};
  }
  SparkplugTopic read{std::string(levels[1]), verb->verb, std::string(levels[3]),
                      verb->of_device ? std::string(levels[4]) : std::string()};
  const bool named = model::is_name(read.group) && model::is_name(device_name(read, read.device)) &&
                     !read.edge.empty() && (!verb->of_device || !read.device.empty());
  if (!named || read.edge.find('.') != std::string::npos) {
    return Error{
        Code::invalid,
        "group, edge and device must be of A-Z a-z 0-9 _ - (a device's also of .), edge.device at most 64 long"};
  }
  return read;
}

void SparkplugNodes::take(const SparkplugTopic& topic, const SparkplugPayload& payload, int64_t now_ms, Intake& out) {
  const auto key = std::pair(topic.group, topic.edge);
  if (nodes_.size() >= kNodesMax && !nodes_.contains(key)) {
    return out.refuse(Refusal::device_limit, "more than " + std::to_string(kNodesMax) + " edge nodes");
  }
  Node& node = nodes_[key];
  if (topic.verb == SparkplugVerb::node_death) return die(node, topic, payload, out);
  bool understood = follows(node, topic, payload);
  if (topic.verb == SparkplugVerb::device_death) {
    node.devices.erase(topic.device);
    report(topic, topic.device, model::Presence::offline, "device_death", out);
  } else {
    if (is_birth(topic.verb)) be_born(node, topic, payload, out);
    understood &= take_metrics(node, topic, payload, out);
  }
  if (!understood) ask_for_rebirth(node, topic, now_ms, out);
}

bool SparkplugNodes::follows(Node& node, const SparkplugTopic& topic, const SparkplugPayload& payload) {
  const std::optional<uint64_t> before = std::exchange(node.seq, payload.seq);
  if (topic.verb == SparkplugVerb::node_birth) return true;
  if (!node.born) return false;
  return before && payload.seq && *payload.seq == (*before + 1) % kSeqs;
}

void SparkplugNodes::be_born(Node& node, const SparkplugTopic& topic, const SparkplugPayload& payload, Intake& out) {
  if (topic.verb == SparkplugVerb::node_birth) {
    node.born = true;
    node.bd_seq = bd_seq_of(payload);
    node.aliases.clear();
    node.types.clear();  // its devices are to be born again too; those that are not will die with it
  } else if (node.devices.size() >= kDevicesPerNodeMax && !node.devices.contains(topic.device)) {
    return out.refuse(Refusal::device_limit,
                      "more than " + std::to_string(kDevicesPerNodeMax) + " devices of one node");
  } else {
    node.devices.insert(topic.device);
  }
  std::map<std::string, uint32_t>& types = node.types[topic.device];
  types.clear();
  for (const SparkplugMetric& metric : payload.metrics) {
    if (metric.name.empty()) continue;
    types[metric.name] = metric.datatype;
    if (metric.alias) node.aliases[*metric.alias] = {metric.name, metric.datatype};
  }
  const bool of_node = topic.verb == SparkplugVerb::node_birth;
  report(topic, topic.device, model::Presence::online, of_node ? "node_birth" : "device_birth", out);
}

void SparkplugNodes::die(Node& node, const SparkplugTopic& topic, const SparkplugPayload& payload, Intake& out) {
  if (!node.born || bd_seq_of(payload) != node.bd_seq) return;  // the will of a connection before this one
  for (const std::string& device : node.devices) {
    report(topic, device, model::Presence::offline, "node_death", out);
  }
  report(topic, "", model::Presence::offline, "node_death", out);
  node = Node{.asked_ms = node.asked_ms};
}

bool SparkplugNodes::take_metrics(const Node& node, const SparkplugTopic& topic, const SparkplugPayload& payload,
                                  Intake& out) {
  bool all_known = true;
  const auto types = node.types.find(topic.device);
  for (const SparkplugMetric& metric : payload.metrics) {
    Named named{metric.name, metric.datatype};
    if (named.name.empty()) {
      const auto known = metric.alias ? node.aliases.find(*metric.alias) : node.aliases.end();
      if (known == node.aliases.end()) {
        all_known = false;
        out.refuse(Refusal::alias, "a metric without a name, whose alias no birth has told");
        continue;
      }
      named.name = known->second.name;
      if (named.datatype == 0) named.datatype = known->second.datatype;
    }
    if (named.datatype == 0 && types != node.types.end()) {
      const auto type = types->second.find(named.name);
      if (type != types->second.end()) named.datatype = type->second;
    }
    take_metric(topic, payload, metric, named.name, named.datatype, out);
  }
  return all_known;
}

void SparkplugNodes::ask_for_rebirth(Node& node, const SparkplugTopic& topic, int64_t now_ms, Intake& out) {
  if (node.asked_ms && now_ms - *node.asked_ms < kRebirthMs) return;
  node.asked_ms = now_ms;
  out.answer = {std::string(kSparkplugNamespace) + topic.group + "/NCMD/" + topic.edge, encode_rebirth_command(now_ms)};
}

}  // namespace millstream::connect
