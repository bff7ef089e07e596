// influx/history_reader.h: the past, from InfluxDB, in the shapes in which the log gives it.
//
// Flow     each call is one or two questions to /query, by InfluxQL.
// Shapes   Times are event times in UTC ms; spans are [start, end). Sums stand for a bucket: first_ms and last_ms are
// its
//          start. bool counts as 0 or 1 in samples and sums; texts are left out there. Events have no ids: InfluxDB
//          knows a point by its time, so that of two events of a device with one time it has one.
// Limits   as the caller's request says; latest() and fields_of() look at fields_max fields.
// Errors   as InfluxClient::query() has them; Code::corrupt: an answer that is none.
// Thread   one thread at a time; blocks
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "influx/influx_client.h"
#include "influx/query_result.h"
#include "model/event.h"
#include "model/sample.h"
#include "model/topic.h"

namespace millstream::influx {

struct HistorySpan {
  int64_t start_ms = 0;  // inclusive
  int64_t end_ms = 0;    // exclusive
};

struct LatestOf {
  std::string field;
  model::FieldValue value;
  int64_t ts_ms = 0;
};

struct EventsPage {
  std::vector<model::Event> events;  // in time order, those of one moment by topic
  std::optional<int64_t> next_ms;    // where the next page's span starts; nothing: there are no more
};

class HistoryReader {
 public:
  explicit HistoryReader(InfluxClient& client, std::function<bool()> keep_going = nullptr)
      : client_(client), keep_going_(std::move(keep_going)) {}

  // By field. `fields` empty: every one the device has in the span, at most fields_max.
  Result<std::map<std::string, std::vector<model::SampleSums>>> buckets(const model::Topic& device,
                                                                        std::vector<std::string> fields,
                                                                        HistorySpan span, int64_t step_ms);
  // The newest `count` of each field, in time order.
  Result<std::map<std::string, std::vector<model::Sample>>> samples(const model::Topic& device,
                                                                    std::vector<std::string> fields, HistorySpan span,
                                                                    size_t count);
  // Of every field, each with its own time.
  Result<std::vector<LatestOf>> latest(const model::Topic& device, HistorySpan span);
  // Telemetry that the pattern takes, at most `count` events and what else is of the moment of the last one.
  Result<EventsPage> events(const model::TopicPattern& pattern, HistorySpan span, size_t count);

  static constexpr size_t fields_max = kSeriesFieldsMax;

 private:
  struct KnownField {
    std::string name;
    bool is_text = false;
    bool is_bool = false;
  };
  Result<std::vector<Statement>> ask(const std::string& statements);
  Result<std::vector<model::Event>> read_events(const model::TopicPattern& pattern, HistorySpan span,
                                                const std::string& limit);
  Result<std::vector<KnownField>> fields_of(const model::Topic& device, HistorySpan span,
                                            const std::vector<std::string>& wanted);
  Result<std::map<std::string, std::vector<model::Sample>>> read_samples(const model::Topic& device,
                                                                         const std::vector<KnownField>& fields,
                                                                         HistorySpan span, size_t count);

  InfluxClient& client_;
  const std::function<bool()> keep_going_;
};

}  // namespace millstream::influx
