// hub/shard.h: the viewers of one I/O thread: who gets which bytes.
//
// Flow     deliver() takes committed, framed batches; turn_end() matches them against the topic index, builds one run
// per
//          group and hands it to every live session of the group with one write each; tick() keeps time.
// Shapes   A group is all sessions with the same patterns, types and naming. The ring is the newest batches, shared
//          with the other shards.
// Limits   ShardOptions.
// Thread   loop, except sessions(): any
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/byte_sink.h"
#include "base/clock.h"
#include "base/thread_check.h"
#include "hub/blocks.h"
#include "hub/framed_batch.h"
#include "hub/group.h"
#include "hub/replay_source.h"
#include "hub/session.h"
#include "hub/shard_report.h"
#include "hub/stream_places.h"
#include "hub/topic_index.h"
#include "metrics/registry.h"

namespace millstream::hub {

struct ShardOptions {
  std::string node;
  size_t session_queue_bytes_max = 256 << 10;
  size_t replay_ring_bytes_max = 64 << 20;
  size_t replay_events_max = 100'000;
  int64_t session_queue_ms_max = 10'000;  // for which a viewer may have something waiting, before it counts as slow
  int64_t slow_lag_ms_max = 60'000;       // a slow viewer further behind than this is closed
  int64_t telemetry_per_second_max = 0;   // to one viewer; beyond, it is merged per device. 0: no limit
  int64_t slow_timeout_ms = 10'000;
  int64_t comment_interval_ms = 15'000;
  int64_t heartbeat_interval_ms = 20'000;
  int retry_min_ms = 2'000;
  int retry_max_ms = 10'000;
  uint64_t seed = 0;  // of the jitter
};

// Where a viewer wants to start.
struct Start {
  enum class From { now, id, unknown };  // unknown: it named a position that is none of ours
  From from = From::now;
  model::EventId id;
};

struct SessionRequest {
  std::vector<model::TopicPattern> patterns;  // as authorize_read() gave them
  model::EventTypes types = model::EventTypes::all();
  model::Severity min_severity = model::Severity::info;  // of alerts
  View view;
  uint64_t ticket = 0;  // number of the ticket it came with, which allows one stream; 0: none
  uint64_t ticket_serial =
      0;                    // which opening of all with tickets this is: the latest of a ticket's is the one that stays
  bool gzip = false;        // the sink's peer was told that it comes so
  int64_t interval_ms = 0;  // telemetry is merged per device and sent this often; 0: each event at once
  Start start;
  std::optional<int64_t> heartbeat_ms;   // the viewer's own wish
  std::optional<int64_t> expires_at_ms;  // wall time at which the credential ends, and the stream with it
  uint64_t holder = 0;                   // model::holder_number() of the grants
  uint64_t credential = 0;               // number of the API key or login session; 0: neither
  size_t padding_bytes = 0;
  struct Snapshot {
    model::EventId as_of;
    std::shared_ptr<const std::string> blocks;  // ready-made chunks, the same for all who asked for the same
    size_t count = 0;
  };
  std::optional<Snapshot> snapshot;  // the stream starts with this and goes on after as_of
};

// A fresh credential for a stream that is open.
struct Renewal {
  model::AccountId account;
  uint64_t holder = 0;      // the same as the stream's
  uint64_t credential = 0;  // from now on
  std::optional<int64_t> expires_at_ms;
  // Whether it still allows what the stream follows.
  std::function<bool(const std::vector<model::TopicPattern>&)> allows;
};
struct Renewed {
  enum class What { no_such_stream, allows_less, done };
  What what = What::no_such_stream;
  uint64_t ticket = 0;                             // that the stream came with; 0: none
  std::vector<model::TopicPattern> patterns = {};  // that it follows
};

// The same for viewers who see the same, and so for nobody else.
std::string group_key(const SessionRequest& request);

// How fast a counter grows, smoothed over a few seconds.
class Rate {
 public:
  void sample(uint64_t total, int64_t now_ms);
  double per_second() const { return per_second_; }

 private:
  uint64_t total_ = 0;
  int64_t sampled_at_ms_ = 0;
  double per_second_ = 0;
};

class Shard {
 public:
  static constexpr int64_t kTickMs = 250;
  static constexpr int kOpeningSlowTimeouts = 12;  // so many slow_timeout_ms may a viewer take for its first bytes

  // `start`: the log's position; older events come from `source`. `wake` asks for another turn of the loop.
  Shard(ShardOptions options, model::EventId start, ReplaySource& source, const Clock& clock,
        metrics::Registry& metrics, std::function<void()> wake);
  ~Shard();

  void deliver(FramedBatchPtr batch);
  // The log has lost what lies between: everyone here is told, behind all that was delivered before.
  void declare_lost(model::EventId after, model::EventId to);
  void turn_end();
  void tick();  // every kTickMs

  // `place`: kept for as long as the stream is open.
  void open(SessionRequest request, std::unique_ptr<ByteSink> sink, StreamPlaces::Place place = {});
  // Sends one `system` notice with a jittered retry and ends the stream: overload and drain, said in-band.
  void turn_away(std::string_view kind, bool unnamed, std::unique_ptr<ByteSink> sink);
  // Ends the sessions that came with one of these API keys or login sessions, as if it had expired.
  void end_credentials(const std::vector<uint64_t>& credentials);
  // Ends the session that came with this ticket, if it was opened before this serial: its viewer has come back.
  void end_ticket(uint64_t ticket, uint64_t serial);
  // Those of `credentials` that have a session here.
  std::vector<uint64_t> in_use(const std::vector<uint64_t>& credentials) const;
  // Moves the end of a stream, which its holder only may do.
  Renewed renew(const std::string& stream_id, const Renewal& renewal);
  // Whether what happens can be stored, in a word; every session is told `degraded` until it is "ok", and once then,
  // each when its next heartbeat is due at the latest.
  void set_storage(std::string_view storage);
  // Tells every session `draining` and cuts it, spread over `spread_ms`.
  void drain(int64_t spread_ms);

  // About the streams of one account: what an operator may know.
  ShardStats stats(const model::AccountId& account) const;
  std::optional<StreamReport> report(const std::string& stream_id, const model::AccountId& account) const;

  size_t sessions() const { return session_count_.load(std::memory_order_relaxed); }
  model::EventId through() const { return through_; }

 private:
  friend class Session;
  enum class End { client, slow, expired, drained, failed };

  Group& group_for(const SessionRequest& request);
  void leave_group(Session& session);
  Session& add_session(const SessionRequest& request, std::unique_ptr<ByteSink> sink);
  RunPtr opening(const SessionRequest& request, Session& session);
  void remove(Session& session, End end);
  void forget_ticket(const Session& session);
  void close(Session& session, End end);
  void close_expired(Session& session, int64_t now_ms);
  void set_expiry(Session& session, std::optional<int64_t> expires_at_ms);
  Session* find(std::string_view stream_id, const model::AccountId& account) const;

  std::string declare_gap(Gap gap, const Session& session);
  size_t missed_in_ring(const Session& session) const;

  void make_live(Session& session);
  void fall_behind(Session& session, model::EventId cursor);
  void make_runnable(Session& session);
  // Moves a session that is behind, with nothing pending, towards the head; a bounded amount per call.
  void catch_up(Session& session);
  model::EventId gather_from_ring(const Group& group, model::EventId cursor, bool merges, Run& run);
  bool waits(Group& group, const FramedEvent& event, int64_t now_ms) const;
  bool merges(const Group& group) const { return group.interval_ms > 0 || options_.telemetry_per_second_max > 0; }
  void collapse(Session& session, model::EventId cursor);
  void run_those_behind();
  void want_page(Session& session);
  void read_page(Session& session);
  void on_page(uint64_t session_id, Result<ReplayPage> result);
  void take_page(Session& session, Result<ReplayPage> result);

  void take_incoming(int64_t now_ms);
  void build_runs();
  void send_runs(int64_t now_ms, model::EventId before);
  void send_run(Group& group, int64_t now_ms, model::EventId before);
  GroupGzip::Forms compress_run(Group& group, int64_t now_ms);
  Deflater& by_itself();
  void push_own(Session& session, RunPtr run, int64_t now_ms);
  void push_text(Session& session, std::string text, int64_t now_ms);
  void keep_in_ring();
  void flush_due(int64_t now_ms);
  void flush(Group& group, int64_t now_ms);

  void service(Session& session, int64_t now_ms);
  void schedule(Session& session, int64_t now_ms);
  void unschedule(Session& session);
  std::string heartbeat(const Session& session) const;
  int jittered_retry_ms();
  std::string stream_id(const Session& session) const;  // unique in the deployment, for people and for /api/explain
  model::EventId position(const Session& session) const;

  // constant after construction
  const ShardOptions options_;
  ReplaySource& source_;
  const Clock& clock_;
  const std::function<void()> wake_;
  metrics::Counter& events_out_;
  metrics::Counter& bytes_out_;
  metrics::Counter& gaps_;
  metrics::Counter& fell_behind_;
  metrics::Counter& replayed_;
  metrics::Counter& conflated_;
  metrics::Gauge& session_gauge_;
  metrics::Histogram& publish_to_socket_;
  metrics::Histogram& queue_age_;
  std::vector<metrics::Counter*> closed_;  // by End

  // loop-confined
  ThreadCheck thread_;
  model::EventId through_;  // everything up to here has been delivered to the live sessions
  std::deque<FramedBatchPtr> ring_;
  model::EventId ring_floor_;  // the ring holds every event after this id
  size_t ring_bytes_ = 0;
  std::vector<FramedBatchPtr> incoming_;
  TopicIndex<Group*> index_;
  std::unordered_map<std::string, std::unique_ptr<Group>> groups_;
  std::vector<Group*> dirty_;
  std::vector<Group*> with_news_;  // groups with an interval that have not told everything yet
  uint64_t event_serial_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<Session>> sessions_;
  // Beside the sessions, since few come with a ticket and each byte of a session is there for every viewer.
  struct TicketSession {
    Session* session = nullptr;
    uint64_t serial = 0;
  };
  std::unordered_map<uint64_t, TicketSession> by_ticket_;
  std::unordered_map<uint64_t, uint64_t> ticket_of_;  // by the id of the session
  uint64_t next_session_id_ = 1;
  std::deque<Session*> runnable_;    // behind, nothing pending, more to read: next turn
  std::vector<Session*> waiting_;    // behind with a cursor this shard has not reached yet
  std::deque<uint64_t> page_queue_;  // ids of those whose next page is not being read yet; some may have left
  size_t pages_reading_ = 0;
  std::vector<Session*> wheel_;  // heads of the slots
  int64_t wheel_time_ = 0;       // in ticks
  std::mt19937_64 random_;
  std::string storage_ = "ok";
  uint8_t storage_changes_ = 0;  // may wrap
  const uint64_t stream_id_salt_;
  uint64_t deliveries_ = 0;
  Rate event_rate_;
  Rate delivery_rate_;
  std::unique_ptr<Deflater> by_itself_;  // for gzip that refers to nothing before; made when first needed

  std::atomic<size_t> session_count_{0};
};

}  // namespace millstream::hub
