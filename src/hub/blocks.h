// hub/blocks.h: the `system` blocks a stream carries beside events, as ready-to-send chunks.
//
// Shapes   data: {"ts":…,"type":"system","data":{"kind":…,…}}; the viewer's position stands as an id on hello, or, when
// a
//          snapshot comes first, on the block that ends it.
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/event_id.h"
#include "model/topic.h"

namespace millstream::hub {

struct Hello {
  int retry_ms = 0;
  model::EventId cursor;
  std::string_view node;
  std::string stream_id;
  int64_t heartbeat_ms = 0;
  std::string_view mode = "all";
  int64_t telemetry_per_second_max = 0;  // 0: no limit
  const std::vector<model::TopicPattern>* topics = nullptr;
  bool resumed = false;
  // A viewer cut off within its snapshot must not come back with an id: it would resume, and never see the rest.
  bool snapshot_follows = false;
  // Then it has this one, if it comes back with an id or not at all.
  bool by_ticket = false;
};

// As Last-Event-ID: cut off within its snapshot, begin with the snapshot again.
inline constexpr std::string_view kSnapshotAgain = "snapshot";

// As Last-Event-ID: the replay has been told to its end.
inline constexpr std::string_view kReplayEnded = "replay_end";

struct ReplayHello {
  int retry_ms = 0;
  model::EventId cursor;
  std::string_view node;
  model::EventId since;  // exclusive
  model::EventId until;
  std::optional<double> speed;  // none: as fast as the socket takes it
  const std::vector<model::TopicPattern>* topics = nullptr;
  bool resumed = false;
};

// Why a viewer misses events. The words are the wire's.
enum class GapReason { trimmed, unknown, too_many, slow };

struct Gap {
  std::optional<model::EventId> from;  // none: the viewer's own position is not known
  model::EventId to;
  GapReason reason = GapReason::unknown;
  const std::vector<model::TopicPattern>* topics = nullptr;  // for the backfill link
};

// `unnamed`: without "event:" line.
std::string hello_block(const Hello& hello, int64_t now_ms, bool unnamed);
std::string heartbeat_block(model::EventId cursor, int64_t lag_ms, int64_t now_ms, bool unnamed);
std::string gap_block(const Gap& gap, int64_t now_ms, bool unnamed);
// From `cursor` on, telemetry comes merged per device, because this viewer does not keep up.
std::string slow_block(model::EventId cursor, int64_t now_ms, bool unnamed);
// Nothing new can be stored; `storage` says why, "ok" that it can again.
std::string degraded_block(std::string_view storage, int64_t now_ms, bool unnamed);
// Carries `as_of` as its id: from here on the viewer resumes.
std::string snapshot_complete_block(size_t count, model::EventId as_of, int64_t now_ms, bool unnamed);
std::string replay_hello_block(const ReplayHello& hello, int64_t now_ms, bool unnamed);
// Nothing happened between these two for so long that the pause is cut.
std::string replay_skip_block(model::EventId from, model::EventId to, int64_t now_ms, bool unnamed);
// Carries kReplayEnded as its id; `cursor`: where a stream would go on.
std::string replay_end_block(uint64_t count, model::EventId cursor, int64_t now_ms, bool unnamed);
// kinds that only say so: draining, overloaded, auth_expiring, auth_expired
std::string notice_block(std::string_view kind, std::optional<int> retry_ms, int64_t now_ms, bool unnamed);
// `bytes` of padding in a comment, for proxies that wait for a first few kilobytes.
std::string padding_block(size_t bytes);

}  // namespace millstream::hub
