#include "ingest/validator.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/time_text.h"
#include "codec/event_json.h"

namespace millstream::ingest {
namespace {

constexpr size_t kMergedBytesMax = kEventBytesMax * 3 / 4;  // room for tags and escapes

// Points of one device, timestamp and tags, in the order they came.
struct Merged {
  model::Topic topic;
  int64_t ts_ms = 0;
  model::Fields fields;
  model::Tags tags;
  std::vector<size_t> indexes;
  size_t bytes = 0;  // of the fields as JSON, about
};

size_t json_bytes(const model::Fields& fields) {
  constexpr size_t kNumberBytes = 24;
  size_t bytes = 0;
  for (const model::Field& field : fields) {
    const std::string* text = std::get_if<std::string>(&field.value);
    bytes += field.name.size() + 4 + (text ? text->size() + 2 : kNumberBytes);
  }
  return bytes;
}

void merge_field(model::Fields& fields, model::Field&& field) {
  const auto same = std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == field.name; });
  if (same == fields.end()) {
    fields.push_back(std::move(field));
  } else {
    same->value = std::move(field.value);  // last write wins
  }
}

}  // namespace

Status check_time(int64_t ts_ms, int64_t now_ms, int64_t retention_ms) {
  if (ts_ms > now_ms + kFutureMsMax) {
    return Error{Code::invalid,
                 "ts: " + rfc3339_ms(ts_ms) + " is more than " + duration_text(kFutureMsMax) + " in the future"};
  }
  if (ts_ms < now_ms - retention_ms) {
    return Error{Code::invalid,
                 "ts: " + rfc3339_ms(ts_ms) + " is older than the retention of " + duration_text(retention_ms)};
  }
  return {};
}

Validator::Validator(ValidatorOptions options, metrics::Registry& metrics)
    : options_(std::move(options)),
      points_(
          metrics.counter("millstream_ingest_points_total", "Points accepted (one per device and timestamp sent)")) {
  for (const char* reason :
       {"malformed", "name", "device_missing", "future", "too_old", "forbidden", "device_limit", "too_large"}) {
    rejected_.push_back(&metrics.counter("millstream_ingest_rejected_total", "Points refused, by reason",
                                         "reason=\"" + std::string(reason) + "\""));
  }
}

Result<model::Topic> Validator::topic_of(const model::Point& point, const model::AccountId& account) const {
  const std::string& device_text = point.device.empty() ? options_.default_device : point.device;
  if (device_text.empty()) return Error{Code::not_found, "device: not given"};
  Result<model::DeviceId> device = model::DeviceId::parse(device_text);
  if (!device) return Error{Code::invalid, "deviceId: " + device.error().detail};
  Result<model::SiteId> site = model::SiteId::parse(point.site.empty() ? options_.default_site : point.site);
  if (!site) return Error{Code::invalid, "siteId: " + site.error().detail};
  return model::Topic{account, std::move(*site), std::move(*device)};
}

Validated Validator::validate(codec::ParsedPoints parsed, const model::AccountId& account, const MayWrite& may_write,
                              int64_t now_ms, Keep keep) const {
  Validated out;
  const auto refuse = [&](size_t index, Reason reason, std::string text) {
    rejected_[static_cast<size_t>(reason)]->add();
    if (reason == Reason::forbidden && !out.forbidden) out.forbidden = text;
    ++out.rejected_count;
    if (out.rejected.size() < codec::kRejectedListedMax) out.rejected.push_back({index, std::move(text), {}});
  };
  rejected_[static_cast<size_t>(Reason::malformed)]->add(parsed.rejected_count);
  out.rejected_count = parsed.rejected_count;
  out.rejected = std::move(parsed.rejected);
  // Nothing will be kept, so no device counts as seen.
  if (keep == Keep::all_or_nothing && out.rejected_count > 0) return out;

  std::vector<Merged> merged;
  // As in InfluxDB: the same time and tags are the same point; other tags are another thing (cpu0, cpu1, a disk).
  using Moment = std::pair<int64_t, model::Tags>;
  std::unordered_map<model::Topic, std::map<Moment, size_t>> by_device;  // -> index into merged
  for (model::Point& point : parsed.points) {
    Result<model::Topic> topic = topic_of(point, account);
    if (!topic) {
      const Reason reason = topic.error().code == Code::not_found ? Reason::device_missing : Reason::name;
      refuse(point.index, reason, topic.error().detail);
      continue;
    }
    const int64_t ts_ms = point.ts_ms.value_or(now_ms);
    if (const Status time = check_time(ts_ms, now_ms, options_.retention_ms); !time) {
      refuse(point.index, ts_ms > now_ms ? Reason::future : Reason::too_old, time.error().detail);
      continue;
    }
    std::sort(point.tags.begin(), point.tags.end());
    auto& moments = by_device[*topic];
    const auto [slot, fresh] = moments.try_emplace(Moment{ts_ms, std::move(point.tags)}, merged.size());
    const model::Tags& tags = slot->first.second;
    if (fresh) {
      // Rights are checked once per event, before anything of it is kept.
      if (const Status allowed = may_write(*topic); !allowed) {
        moments.erase(slot);
        const bool too_many = allowed.error().code == Code::unprocessable;
        refuse(point.index, too_many ? Reason::device_limit : Reason::forbidden, allowed.error().detail);
        continue;
      }
      merged.push_back({.topic = std::move(*topic), .ts_ms = ts_ms, .tags = tags});
    }
    const size_t bytes = json_bytes(point.fields);
    const Merged& open = merged[slot->second];
    if (!open.indexes.empty() &&
        (open.fields.size() + point.fields.size() > kFieldsPerPointMax || open.bytes + bytes > kMergedBytesMax)) {
      // A second event of the same moment, rather than one that is too large.
      model::Topic same = open.topic;
      slot->second = merged.size();
      merged.push_back({.topic = std::move(same), .ts_ms = ts_ms, .tags = tags});
    }
    Merged& into = merged[slot->second];
    if (into.fields.empty()) {
      into.fields = std::move(point.fields);
    } else {
      for (model::Field& field : point.fields) merge_field(into.fields, std::move(field));
    }
    into.indexes.push_back(point.index);
    into.bytes += bytes;
  }

  out.events.reserve(merged.size());
  for (Merged& m : merged) {
    model::Event event{.ts_ms = m.ts_ms, .topic = std::move(m.topic), .type = model::EventType::telemetry};
    event.data = codec::encode_telemetry_data(event.topic.device, m.fields, m.tags);
    if (event.data.size() > kEventBytesMax) {
      for (size_t index : m.indexes) {
        refuse(index, Reason::too_large,
               "the event of this device and timestamp has " + std::to_string(event.data.size()) +
                   " bytes as JSON; the maximum is " + std::to_string(kEventBytesMax));
      }
      continue;
    }
    event.fields = std::move(m.fields);
    out.points_accepted += m.indexes.size();
    out.events.push_back(std::move(event));
  }
  if (keep == Keep::all_or_nothing && out.rejected_count > 0) {
    out.events.clear();
    out.points_accepted = 0;
  }
  points_.add(out.points_accepted);
  std::stable_sort(out.rejected.begin(), out.rejected.end(),
                   [](const auto& a, const auto& b) { return a.index < b.index; });
  return out;
}

}  // namespace millstream::ingest
