#include "hub/blocks.h"

#include "base/check.h"
#include "base/time_text.h"
#include "codec/event_json.h"
#include "codec/sse_frame.h"
#include "model/system_kind.h"

namespace millstream::hub {
namespace {

// {"ts":…,"type":"system","data":{"kind":"…"<more>}}
std::string system_json(std::string_view kind, std::string_view more, int64_t now_ms) {
  MS_DCHECK(model::is_stream_kind(kind));  // or a publisher could say it too
  std::string json = "{\"ts\":\"";
  append_rfc3339_ms(now_ms, json);
  json += "\",\"type\":\"system\",\"data\":{\"kind\":\"";
  json += kind;
  json += '"';
  json += more;
  json += "}}";
  return json;
}

std::string system_block(std::string_view data, bool unnamed, std::optional<int> retry_ms = {},
                         std::string_view id = {}) {
  std::string out;
  const std::string_view event = unnamed ? std::string_view() : std::string_view("system");
  codec::append_block({.retry_ms = retry_ms, .id = id, .event = event, .data = data}, out);
  return out;
}

std::string_view reason_text(GapReason reason) {
  switch (reason) {
    case GapReason::trimmed: return "trimmed";
    case GapReason::unknown: return "unknown";
    case GapReason::too_many: return "too_many";
    case GapReason::slow: return "slow";
  }
  return "unknown";
}

std::string topics_json(const std::vector<model::TopicPattern>& topics) {
  std::string out = "[";
  for (const model::TopicPattern& topic : topics) {
    if (out.size() > 1) out += ',';
    codec::append_json_string(topic.text(), out);
  }
  return out + "]";
}

// Where the missing events can be fetched from. Topic text needs no escaping in a query (model/topic.h).
std::string backfill_link(const Gap& gap) {
  std::string link = "/api/events/backfill?topic=";
  for (size_t i = 0; i < gap.topics->size(); ++i) {
    if (i > 0) link += ',';
    link += (*gap.topics)[i].text();
  }
  if (gap.from) link += "&since=" + gap.from->text();
  return link + "&until=" + gap.to.text();
}

}  // namespace

std::string hello_block(const Hello& hello, int64_t now_ms, bool unnamed) {
  const std::string cursor = hello.cursor.text();
  std::string more = ",\"cursor\":\"" + cursor + "\",\"node\":";
  codec::append_json_string(hello.node, more);
  more += ",\"streamId\":\"" + hello.stream_id + '"';
  more += ",\"heartbeatMs\":" + std::to_string(hello.heartbeat_ms) + ",\"mode\":\"" + std::string(hello.mode) +
          "\",\"topics\":" + topics_json(*hello.topics) + ",\"resumed\":" + (hello.resumed ? "true" : "false");
  if (hello.telemetry_per_second_max > 0) {
    more += ",\"telemetryPerSecondMax\":" + std::to_string(hello.telemetry_per_second_max);
  }
  const std::string_view before_snapshot = hello.by_ticket ? kSnapshotAgain : std::string_view();
  const std::string_view id = hello.snapshot_follows ? before_snapshot : std::string_view(cursor);
  return system_block(system_json("hello", more, now_ms), unnamed, hello.retry_ms, id);
}

std::string heartbeat_block(model::EventId cursor, int64_t lag_ms, int64_t now_ms, bool unnamed) {
  const std::string more =
      ",\"ts\":\"" + rfc3339_ms(now_ms) + "\",\"cursor\":\"" + cursor.text() + "\",\"lag\":" + std::to_string(lag_ms);
  return system_block(system_json("heartbeat", more, now_ms), unnamed);
}

std::string gap_block(const Gap& gap, int64_t now_ms, bool unnamed) {
  std::string more = ",\"from\":";
  more += gap.from ? '"' + gap.from->text() + '"' : "null";
  more += ",\"to\":\"" + gap.to.text() + "\",\"reason\":\"" + std::string(reason_text(gap.reason)) +
          "\",\"backfill\":\"" + backfill_link(gap) + '"';
  return system_block(system_json("gap", more, now_ms), unnamed);
}

std::string slow_block(model::EventId cursor, int64_t now_ms, bool unnamed) {
  return system_block(system_json("slow", ",\"cursor\":\"" + cursor.text() + '"', now_ms), unnamed);
}

std::string degraded_block(std::string_view storage, int64_t now_ms, bool unnamed) {
  return system_block(system_json("degraded", ",\"storage\":\"" + std::string(storage) + '"', now_ms), unnamed);
}

std::string snapshot_complete_block(size_t count, model::EventId as_of, int64_t now_ms, bool unnamed) {
  const std::string more = ",\"complete\":true,\"count\":" + std::to_string(count);
  return system_block(system_json("snapshot", more, now_ms), unnamed, {}, as_of.text());
}

std::string replay_hello_block(const ReplayHello& hello, int64_t now_ms, bool unnamed) {
  const std::string cursor = hello.cursor.text();
  std::string more = ",\"cursor\":\"" + cursor + "\",\"node\":";
  codec::append_json_string(hello.node, more);
  more += ",\"mode\":\"replay\",\"since\":\"" + hello.since.text() + "\",\"until\":\"" + hello.until.text() +
          "\",\"speed\":";
  if (hello.speed) {
    codec::append_json_number(*hello.speed, more);
  } else {
    more += "\"max\"";
  }
  more += ",\"topics\":" + topics_json(*hello.topics) + ",\"resumed\":" + (hello.resumed ? "true" : "false");
  return system_block(system_json("hello", more, now_ms), unnamed, hello.retry_ms, cursor);
}

std::string replay_skip_block(model::EventId from, model::EventId to, int64_t now_ms, bool unnamed) {
  const std::string more = ",\"from\":\"" + from.text() + "\",\"to\":\"" + to.text() + '"';
  return system_block(system_json("replay_skip", more, now_ms), unnamed);
}

std::string replay_end_block(uint64_t count, model::EventId cursor, int64_t now_ms, bool unnamed) {
  const std::string more = ",\"count\":" + std::to_string(count) + ",\"cursor\":\"" + cursor.text() + '"';
  return system_block(system_json("replay_end", more, now_ms), unnamed, {}, kReplayEnded);
}

std::string notice_block(std::string_view kind, std::optional<int> retry_ms, int64_t now_ms, bool unnamed) {
  return system_block(system_json(kind, {}, now_ms), unnamed, retry_ms);
}

std::string padding_block(size_t bytes) {
  std::string out;
  codec::append_comment(std::string(bytes, ' '), out);
  return out;
}

}  // namespace millstream::hub
