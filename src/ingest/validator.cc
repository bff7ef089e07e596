#include "ingest/validator.h"

#include <algorithm>
#include <bit>
#include <random>

#include "base/hash.h"
#include "base/time_text.h"
#include "codec/event_json.h"

namespace millstream::ingest {
namespace {

constexpr size_t kMergedBytesMax = kEventBytesMax * 3 / 4;  // room for tags and escapes

// What one event is made of besides itself: points of one device, timestamp and tags, in the order they came.
struct Parts {
  model::Tags tags;
  size_t first_index = 0;
  std::vector<size_t> more_indexes;
  size_t bytes = 0;  // of the fields as JSON, about

  size_t points() const { return 1 + more_indexes.size(); }
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

// As in InfluxDB: the same time and tags are the same point; other tags are another thing (cpu0, cpu1, a disk).
struct Moment {
  std::string_view device, site;
  int64_t ts_ms = 0;
  const model::Tags& tags;  // sorted
};

// The events made so far, each to be found by its moment: a hash table of their numbers with open addressing.
class OpenEvents {
 public:
  // `seed`: nobody outside knows it, so that nobody can send a body full of collisions.
  OpenEvents(size_t points, uint64_t seed) : slots_(std::bit_ceil(points * 2 + 1)), seed_(seed) {
    constexpr size_t reserved_max = 10'000;
    events.reserve(std::min(points, reserved_max));
    parts.reserve(std::min(points, reserved_max));
  }

  // The slot of the newest event of this moment; it holds 0 if there is none.
  uint32_t& slot_of(const Moment& moment) {
    const size_t mask = slots_.size() - 1;
    size_t at = hash_of(moment) & mask;
    while (slots_[at] != 0 && !is_of(slots_[at], moment)) at = (at + 1) & mask;
    return slots_[at];
  }
  // Makes an event of a point that is the first of its moment.
  void open(uint32_t& slot, model::Topic topic, int64_t ts_ms, model::Point& point) {
    events.push_back({.ts_ms = ts_ms, .topic = std::move(topic), .fields = std::move(point.fields)});
    parts.push_back({.tags = std::move(point.tags), .first_index = point.index});
    slot = static_cast<uint32_t>(events.size());
  }
  void join(uint32_t& slot, model::Point& point) {
    model::Event& event = events[slot - 1];
    Parts& joined = parts[slot - 1];
    const size_t bytes = json_bytes(point.fields);
    if (joined.bytes == 0) joined.bytes = json_bytes(event.fields);
    if (event.fields.size() + point.fields.size() > kFieldsPerPointMax || joined.bytes + bytes > kMergedBytesMax) {
      // A second event of the same moment, rather than one that is too large.
      return open(slot, model::Topic(event.topic), event.ts_ms, point);
    }
    for (model::Field& field : point.fields) merge_field(event.fields, std::move(field));
    joined.more_indexes.push_back(point.index);
    joined.bytes += bytes;
  }

  // By the number in the slot less one.
  std::vector<model::Event> events;
  std::vector<Parts> parts;

 private:
  bool is_of(uint32_t slot, const Moment& moment) const {
    const model::Event& event = events[slot - 1];
    return event.ts_ms == moment.ts_ms && event.topic.device.text() == moment.device &&
           event.topic.site.text() == moment.site && parts[slot - 1].tags == moment.tags;
  }
  uint64_t hash_of(const Moment& moment) const {
    uint64_t hash = hash_bytes(moment.device, hash_bytes(moment.site, seed_));
    hash = mix_hash(hash ^ static_cast<uint64_t>(moment.ts_ms), seed_ | 1);
    for (const model::Tag& tag : moment.tags) hash = hash_bytes(tag.value, hash_bytes(tag.name, hash));
    return hash;
  }

  std::vector<uint32_t> slots_;  // number of the event, from 1; 0: free
  const uint64_t seed_;
};

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
      hash_seed_(uint64_t{std::random_device{}()} << 32 | std::random_device{}()),
      points_(
          metrics.counter("millstream_ingest_points_total", "Points accepted (one per device and timestamp sent)")) {
  for (const char* reason :
       {"malformed", "name", "device_missing", "future", "too_old", "forbidden", "device_limit", "too_large"}) {
    rejected_.push_back(&metrics.counter("millstream_ingest_rejected_total", "Points refused, by reason",
                                         "reason=\"" + std::string(reason) + "\""));
  }
}

const std::string& Validator::device_of(const model::Point& point) const {
  return point.device.empty() ? options_.default_device : point.device;
}

const std::string& Validator::site_of(const model::Point& point) const {
  return point.site.empty() ? options_.default_site : point.site;
}

Result<model::Topic> Validator::topic_of(const model::Point& point, const model::AccountId& account) const {
  const std::string& device_text = device_of(point);
  if (device_text.empty()) return Error{Code::not_found, "device: not given"};
  Result<model::DeviceId> device = model::DeviceId::parse(device_text);
  if (!device) return Error{Code::invalid, "deviceId: " + device.error().detail};
  Result<model::SiteId> site = model::SiteId::parse(site_of(point));
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

  OpenEvents open(parsed.points.size(), hash_seed_);
  for (model::Point& point : parsed.points) {
    std::sort(point.tags.begin(), point.tags.end());
    const int64_t ts_ms = point.ts_ms.value_or(now_ms);
    uint32_t& slot =
        open.slot_of({.device = device_of(point), .site = site_of(point), .ts_ms = ts_ms, .tags = point.tags});
    if (slot != 0) {  // so names, time and rights are good
      open.join(slot, point);
      continue;
    }
    Result<model::Topic> topic = topic_of(point, account);
    if (!topic) {
      const Reason reason = topic.error().code == Code::not_found ? Reason::device_missing : Reason::name;
      refuse(point.index, reason, topic.error().detail);
    } else if (const Status time = check_time(ts_ms, now_ms, options_.retention_ms); !time) {
      refuse(point.index, ts_ms > now_ms ? Reason::future : Reason::too_old, time.error().detail);
    } else if (const Status allowed = may_write(*topic); !allowed) {
      const bool too_many = allowed.error().code == Code::unprocessable;
      refuse(point.index, too_many ? Reason::device_limit : Reason::forbidden, allowed.error().detail);
    } else {
      open.open(slot, std::move(*topic), ts_ms, point);
    }
  }

  size_t kept = 0;
  for (size_t i = 0; i < open.events.size(); ++i) {
    model::Event& event = open.events[i];
    const Parts& parts = open.parts[i];
    event.data = codec::encode_telemetry_data(event.topic.device, event.fields, parts.tags);
    if (event.data.size() > kEventBytesMax) {
      const std::string reason = "the event of this device and timestamp has " + std::to_string(event.data.size()) +
                                 " bytes as JSON; the maximum is " + std::to_string(kEventBytesMax);
      refuse(parts.first_index, Reason::too_large, reason);
      for (size_t index : parts.more_indexes) refuse(index, Reason::too_large, reason);
      continue;
    }
    out.points_accepted += parts.points();
    if (kept != i) open.events[kept] = std::move(event);
    ++kept;
  }
  open.events.resize(kept);
  out.events = std::move(open.events);
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
