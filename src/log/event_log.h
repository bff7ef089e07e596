// log/event_log.h: the one ordered log of everything that happens.
//
// Flow     append() from any thread -> the log's own thread takes all waiting batches, gives ids, makes them durable in
//          one commit -> first the batch goes to every CommitReader, then the appenders are answered.
// Shapes   ids strictly increase, across restarts and clock steps backwards.
// Limits   append_queue_events_max waiting events; beyond, append() refuses with Code::unavailable.
// Errors   Code::storage_full, Code::unavailable, Code::internal through AppendDone; nothing throws.
// Thread   any, unless said otherwise
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "model/event.h"
#include "model/sample.h"

namespace millstream::log {

// Ids above `after`, up to and with `to`.
struct IdRange {
  model::EventId after;
  model::EventId to;
};

struct CommittedBatch {
  std::vector<model::Event> events;  // in id order; empty for a tick: time has passed and nothing happened
  // Every later batch holds only ids above this one. Time that engines may advance to.
  model::EventId through;
  int64_t committed_at_us = 0;  // steady clock, just after the fsync
  // Parts of the log found lost since the last batch: a reader may have been handed some of their events, or none.
  std::vector<IdRange> lost = {};
};
using CommittedBatchPtr = std::shared_ptr<const CommittedBatch>;

class CommitReader {
 public:
  // On the log's thread, in id order, after the batch is durable. Must only hand the batch on.
  virtual void on_commit(const CommittedBatchPtr& batch) = 0;

 protected:
  ~CommitReader() = default;
};

// A batch that is stored once, however often it is sent.
struct Once {
  // Digests: of the account, for its share of what is remembered, and of it with whoever sends and the text they gave.
  struct Key {
    uint64_t account = 0;
    std::array<char, 16> text = {};
    auto operator<=>(const Key&) const = default;
  };
  Key key;
  model::AccountId owner;  // whose turn it takes in the queue
  int64_t content = 0;     // digest of what was sent under the key
  std::string answer;      // kept with the batch, at most kOnceAnswerBytesMax; whoever sends it again gets this one
};

// How long a key is remembered: as long as the log keeps its batch, and not longer than this and an hour.
inline constexpr int64_t kOnceMs = kDayMs;
inline constexpr size_t kOnceAnswerBytesMax = 64 << 10;

struct AppendReceipt {
  model::EventId first;
  model::EventId last;
  std::optional<std::string> repeated = {};  // append_once(): it was stored before, with this answer
};
using AppendDone = std::function<void(Result<AppendReceipt>)>;  // called once, on the log's thread

enum class Order { ascending, descending };

// A read of at most so many topics goes through what these have and passes over nothing of others. A pattern of one
// device also takes what its site and its account have.
inline constexpr size_t kTopicsReadApartMax = 64;

struct ReadRequest {
  model::EventId after;                       // exclusive
  std::optional<model::EventId> until;        // inclusive; none: the end of the log
  std::vector<model::TopicPattern> patterns;  // an event is read if any matches; empty: every event of every account
  model::EventTypes types = model::EventTypes::all();
  Order order = Order::ascending;
  size_t events_max = 500;
  // The only ones wanted of telemetry: they come decoded in the event's `fields`, in this order, and its `data` is left
  // empty. None: `data` as it was stored, `fields` not decoded.
  std::optional<std::vector<std::string>> fields = {};
};

// A part of the past in which events are missing that may once have been acknowledged.
struct Missing {
  enum class Why {
    damaged,     // a row, a part of a file or all of it
    before_log,  // the time before this log began
  };
  IdRange ids;
  Why why = Why::damaged;
};
inline constexpr size_t kMissingPartsMax = 32;

struct ReadPage {
  std::vector<model::Event> events;  // `fields` not decoded
  // Where the scan stopped: pass it as `after` (ascending) or `until` minus one (descending) to go on.
  // Equal to the request's end when everything was read.
  model::EventId scanned_to;
  bool more = false;
  // Those that touch what was scanned, in order of ids, cut to the request: at most kMissingPartsMax, the last of which
  // then reaches over all further ones.
  std::vector<Missing> missing;
};

// May change the event and must not keep it.
using TakeEvent = std::function<void(model::Event&)>;

// One device's numbers over a span of event time.
struct SamplesRequest {
  model::Topic topic;
  std::vector<std::string> fields;  // empty: every field
  int64_t start_ms = 0;             // inclusive
  int64_t end_ms = 0;               // exclusive
  int64_t bucket_ms = 0;            // > 0: sums may stand for samples that share a bucket, counted from start_ms
  // What may hold them: ids are receive times, exclusive and inclusive.
  IdRange ids;
};

class SampleSink {
 public:
  // Each field's values in the order of their ids, whatever their times.
  virtual void add(std::string_view field, std::span<const model::Sample> samples) = 0;
  virtual void add(std::string_view field, const model::SampleSums& sums) = 0;
  virtual bool wants_more() = 0;  // false: reading may end here

 protected:
  ~SampleSink() = default;
};

struct Checkpoint {
  model::EventId at;
  std::string state;
};

// Whether the last commit that was tried could be written.
enum class Storage {
  ok,
  full,       // no room: each commit tries again
  failing,    // another reason, for now
  read_only,  // another reason, until a restart
};

constexpr std::string_view storage_name(Storage storage) {
  constexpr std::string_view kNames[] = {"ok", "full", "failing", "read_only"};
  return kNames[static_cast<size_t>(storage)];
}

class EventLog {
 public:
  virtual ~EventLog() = default;

  // Readers are told of every commit after start(). Startup only.
  virtual void add_reader(CommitReader& reader) = 0;
  virtual Status start() = 0;
  // Commits what is queued, answers everyone, ends the thread. append() refuses from then on.
  virtual void stop() = 0;

  // Takes a non-empty batch. Returns an error, and never calls `done`, when the queue is full or the log has stopped.
  virtual Status append(std::vector<model::Event> batch, AppendDone done) = 0;
  // The same for a batch with a key, which is stored in the one commit with it. When the key is known, nothing is
  // appended, and the receipt is that of the first time. An empty batch only asks: Code::not_found when it is not.
  // Code::unprocessable when the key was used for other content, Code::rate_limited or Code::unavailable when no more
  // keys can be remembered.
  virtual Status append_once(Once once, std::vector<model::Event> batch, AppendDone done) = 0;

  // Blocking: for reader threads only. Gives committed events younger than the retention; holds no transaction after
  // it returns. A damaged part is skipped and logged, never served.
  virtual Result<ReadPage> read(const ReadRequest& request) = 0;
  // The same for readers of very many events: each goes to `take` as it is found, and the page holds none. Goes on for
  // longer than `events_max` events, and yet may end before all is read.
  virtual Result<ReadPage> read_each(const ReadRequest& request, const TakeEvent& take) {
    Result<ReadPage> page = read(request);
    if (!page) return page;
    for (model::Event& event : page->events) take(event);
    page->events.clear();
    return page;
  }

  // Blocking: for reader threads only. Gives numbers (bool counts as 0 or 1) of telemetry; what is damaged is left out
  // and logged. Gives back the parts, as a page has them, that may have held samples of the span: what was received in
  // it, and later what is known to hold such times.
  virtual Result<std::vector<Missing>> read_samples(const SamplesRequest& request, SampleSink& sink) = 0;

  virtual model::EventId first_id() const = 0;  // oldest id still readable (retention applied); last_id() when empty
  virtual model::EventId last_id() const = 0;   // newest committed id, or the id of the last tick if that is newer

  // Stores one named checkpoint, replacing the older, after everything appended before this call is durable.
  // Does not wait; a failure is logged and the older checkpoint stays.
  virtual void save_checkpoint(std::string name, Checkpoint checkpoint) = 0;
  // Blocking: startup.
  virtual Result<std::optional<Checkpoint>> load_checkpoint(std::string_view name) = 0;

  virtual size_t queued_events() const = 0;
  virtual Storage storage() const = 0;
};

}  // namespace millstream::log
