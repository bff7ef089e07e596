#include "influx/history_reader.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "codec/event_json.h"
#include "influx/influxql.h"
#include "influx/line_writer.h"

namespace millstream::influx {
namespace {

constexpr size_t kBoolSamplesMax = 1'000'000;  // of a span of which buckets are made here
constexpr std::string_view kLastPrefix = "last_";
constexpr std::string_view kTagColumns[] = {" account", " site", " device"};  // no field is called so
constexpr size_t kColumnsBeforeFields = 1 + std::size(kTagColumns);

std::string from_clause() { return " FROM " + quoted_name(kRetentionPolicy) + "." + quoted_name(kMeasurement); }

std::string tag_is(std::string_view tag, const std::string& value) {
  return quoted_name(tag) + "::tag = " + quoted_text(value);
}

std::string in_span(HistorySpan span) {
  return " AND time >= " + std::to_string(span.start_ms) + "ms AND time < " + std::to_string(span.end_ms) + "ms";
}

std::string where(const model::Topic& device, HistorySpan span) {
  return " WHERE " + tag_is("account", device.account.text()) + " AND " + tag_is("site", device.site.text()) + " AND " +
         tag_is("device", device.device.text()) + in_span(span);
}

std::string where(const model::TopicPattern& pattern, HistorySpan span) {
  std::string out = " WHERE " + tag_is("account", pattern.account.text());
  if (!pattern.site.any()) out += " AND " + tag_is("site", pattern.site.name.text());
  if (!pattern.device.any()) out += " AND " + tag_is("device", pattern.device.name.text());
  return out + in_span(span);
}

std::string field_named(const std::string& name) { return quoted_name(name) + "::field"; }

std::optional<double> number_in(const Cell& cell) {
  if (const double* d = std::get_if<double>(&cell)) return *d;
  if (const int64_t* i = std::get_if<int64_t>(&cell)) return static_cast<double>(*i);
  if (const bool* b = std::get_if<bool>(&cell)) return *b ? 1.0 : 0.0;
  return std::nullopt;
}

// Every number was written as a float, and a whole one comes without its point.
std::optional<model::FieldValue> value_in(const Cell& cell) {
  if (const bool* b = std::get_if<bool>(&cell)) return *b;
  if (const std::string* s = std::get_if<std::string>(&cell)) return *s;
  if (const std::optional<double> number = number_in(cell)) return *number;
  return std::nullopt;
}

Result<int64_t> time_in(const std::vector<Cell>& row) {
  const int64_t* const t = row.empty() ? nullptr : std::get_if<int64_t>(&row[0]);
  return t ? Result<int64_t>(*t) : Error{Code::corrupt, "InfluxDB's answer: a row without its time"};
}

// Rows of a statement that has one series, or none.
const std::vector<std::vector<Cell>>& rows_of(const Statement& statement) {
  static const std::vector<std::vector<Cell>> none;
  return statement.series.empty() ? none : statement.series[0].rows;
}

int64_t bucket_start(int64_t t_ms, int64_t start_ms, int64_t step_ms) {
  return start_ms + (t_ms - start_ms) / step_ms * step_ms;
}

std::vector<model::SampleSums> sums_of(const std::vector<model::Sample>& samples, int64_t start_ms, int64_t step_ms) {
  std::vector<model::SampleSums> all;
  for (const model::Sample& sample : samples) {
    const int64_t t_ms = bucket_start(sample.t_ms, start_ms, step_ms);
    if (all.empty() || all.back().first_ms != t_ms) {
      all.push_back({.first_ms = t_ms, .last_ms = t_ms, .min = sample.value, .max = sample.value});
    }
    model::SampleSums& sums = all.back();
    sums.min = std::min(sums.min, sample.value);
    sums.max = std::max(sums.max, sample.value);
    sums.sum += sample.value;
    sums.last = sample.value;
    ++sums.count;
  }
  return all;
}

// A row of time, min, max, sum, last, count.
Result<std::optional<model::SampleSums>> sums_in(const std::vector<Cell>& row) {
  constexpr size_t columns = 6;
  if (row.size() != columns) return Error{Code::corrupt, "InfluxDB's answer: not the columns that were asked for"};
  const Result<int64_t> t_ms = time_in(row);
  if (!t_ms) return t_ms.error();
  double values[columns - 1];
  for (size_t i = 1; i < columns; ++i) {
    const std::optional<double> number = number_in(row[i]);
    if (!number) return std::optional<model::SampleSums>();  // nothing of the field in this bucket
    values[i - 1] = *number;
  }
  if (values[4] < 1) return std::optional<model::SampleSums>();
  return std::optional(model::SampleSums{.first_ms = *t_ms,
                                         .last_ms = *t_ms,
                                         .min = values[0],
                                         .max = values[1],
                                         .sum = values[2],
                                         .last = values[3],
                                         .count = static_cast<uint64_t>(values[4])});
}

Result<model::Event> event_in(const QuerySeries& series, const std::vector<Cell>& row) {
  const Result<int64_t> t_ms = time_in(row);
  if (!t_ms) return t_ms.error();
  model::Event event;
  event.ts_ms = *t_ms;
  std::string topic = "account:";
  for (size_t i = 0; i < std::size(kTagColumns); ++i) {
    constexpr std::string_view kBefore[] = {"", "/site:", "/device:"};
    const std::string* const tag = row.size() > i + 1 ? std::get_if<std::string>(&row[i + 1]) : nullptr;
    if (tag) topic.append(kBefore[i]).append(*tag);
  }
  Result<model::Topic> parsed = model::Topic::parse(topic);
  if (!parsed || !parsed->is_device()) return Error{Code::corrupt, "InfluxDB's answer: a point of no device"};
  event.topic = std::move(*parsed);
  for (size_t i = kColumnsBeforeFields; i < row.size(); ++i) {
    if (auto value = value_in(row[i])) event.fields.push_back({series.columns[i], std::move(*value)});
  }
  event.data = codec::encode_telemetry_data(event.topic.device, event.fields, {});
  return event;
}

}  // namespace

Result<std::vector<Statement>> HistoryReader::ask(const std::string& statements) {
  const Result<std::string> answer = client_.query(statements, keep_going_);
  if (!answer) return answer.error();
  return parse_query_result(*answer);
}

Result<std::vector<HistoryReader::KnownField>> HistoryReader::fields_of(const model::Topic& device, HistorySpan span,
                                                                        const std::vector<std::string>& wanted) {
  const auto answer = ask("SELECT last(*::field)" + from_clause() + where(device, span));
  if (!answer) return answer.error();
  std::vector<KnownField> fields;
  for (const Statement& statement : *answer) {
    for (const QuerySeries& series : statement.series) {
      for (size_t i = 1; i < series.columns.size() && !series.rows.empty(); ++i) {
        const Cell& cell = series.rows[0][i];
        std::string_view name = series.columns[i];
        if (cell == Cell() || !name.starts_with(kLastPrefix)) continue;
        name.remove_prefix(kLastPrefix.size());
        if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
        if (fields.size() == fields_max) return fields;
        fields.push_back(
            {std::string(name), std::holds_alternative<std::string>(cell), std::holds_alternative<bool>(cell)});
      }
    }
  }
  return fields;
}

Result<std::map<std::string, std::vector<model::SampleSums>>> HistoryReader::buckets(const model::Topic& device,
                                                                                     std::vector<std::string> wanted,
                                                                                     HistorySpan span,
                                                                                     int64_t step_ms) {
  const auto known = fields_of(device, span, wanted);
  if (!known) return known.error();
  std::map<std::string, std::vector<model::SampleSums>> all;
  std::vector<KnownField> bools;
  std::vector<std::string> asked;
  std::string statements;
  // Buckets count from the start of the span.
  const std::string group =
      " GROUP BY time(" + std::to_string(step_ms) + "ms," + std::to_string(span.start_ms % step_ms) + "ms) fill(none)";
  for (const KnownField& field : *known) {
    if (field.is_bool) bools.push_back(field);  // InfluxQL has no extremes of these
    if (field.is_text || field.is_bool) continue;
    statements += "SELECT";
    for (const std::string_view function : {" min(", ", max(", ", sum(", ", last(", ", count("}) {
      statements.append(function).append(field_named(field.name)).append(")");
    }
    statements += from_clause() + where(device, span) + group + ";";
    asked.push_back(field.name);
  }
  if (!asked.empty()) {
    const auto answer = ask(statements);
    if (!answer) return answer.error();
    for (size_t i = 0; i < std::min(asked.size(), answer->size()); ++i) {
      for (const auto& row : rows_of((*answer)[i])) {
        const auto sums = sums_in(row);
        if (!sums) return sums.error();
        if (*sums) all[asked[i]].push_back(**sums);
      }
    }
  }
  const auto raw = read_samples(device, bools, span, kBoolSamplesMax);
  if (!raw) return raw.error();
  for (const auto& [name, samples] : *raw) all[name] = sums_of(samples, span.start_ms, step_ms);
  return all;
}

Result<std::map<std::string, std::vector<model::Sample>>> HistoryReader::samples(const model::Topic& device,
                                                                                 std::vector<std::string> wanted,
                                                                                 HistorySpan span, size_t count) {
  auto known = fields_of(device, span, wanted);
  if (!known) return known.error();
  std::erase_if(*known, [](const KnownField& field) { return field.is_text; });
  return read_samples(device, *known, span, count);
}

Result<std::map<std::string, std::vector<model::Sample>>> HistoryReader::read_samples(
    const model::Topic& device, const std::vector<KnownField>& fields, HistorySpan span, size_t count) {
  std::map<std::string, std::vector<model::Sample>> all;
  std::string statements;
  for (const KnownField& field : fields) {
    statements += "SELECT " + field_named(field.name) + from_clause() + where(device, span) +
                  " ORDER BY time DESC LIMIT " + std::to_string(count) + ";";
  }
  if (fields.empty()) return all;
  const auto answer = ask(statements);
  if (!answer) return answer.error();
  for (size_t i = 0; i < std::min(fields.size(), answer->size()); ++i) {
    std::vector<model::Sample>& samples = all[fields[i].name];
    for (const auto& row : rows_of((*answer)[i])) {
      const Result<int64_t> t_ms = time_in(row);
      if (!t_ms) return t_ms.error();
      const std::optional<double> number = row.size() > 1 ? number_in(row[1]) : std::nullopt;
      if (number) samples.push_back({*t_ms, *number});
    }
    std::reverse(samples.begin(), samples.end());
  }
  return all;
}

Result<std::vector<LatestOf>> HistoryReader::latest(const model::Topic& device, HistorySpan span) {
  const auto known = fields_of(device, span, {});
  if (!known) return known.error();
  std::vector<LatestOf> all;
  if (known->empty()) return all;
  std::string statements;
  for (const KnownField& field : *known) {
    statements += "SELECT last(" + field_named(field.name) + ")" + from_clause() + where(device, span) + ";";
  }
  const auto answer = ask(statements);
  if (!answer) return answer.error();
  for (size_t i = 0; i < std::min(known->size(), answer->size()); ++i) {
    for (const auto& row : rows_of((*answer)[i])) {
      const Result<int64_t> t_ms = time_in(row);
      if (!t_ms) return t_ms.error();
      auto value = row.size() > 1 ? value_in(row[1]) : std::nullopt;
      if (value) all.push_back({(*known)[i].name, std::move(*value), *t_ms});
    }
  }
  return all;
}

Result<std::vector<model::Event>> HistoryReader::read_events(const model::TopicPattern& pattern, HistorySpan span,
                                                             const std::string& limit) {
  std::string statement = "SELECT ";
  for (const std::string_view column : kTagColumns) {
    statement += quoted_name(column.substr(1)) + "::tag AS " + quoted_name(column) + ",";
  }
  statement += "*::field" + from_clause() + where(pattern, span) + " ORDER BY time ASC" + limit;
  const auto answer = ask(statement);
  if (!answer) return answer.error();
  std::vector<model::Event> events;
  for (const Statement& one : *answer) {
    for (const QuerySeries& series : one.series) {
      for (const auto& row : series.rows) {
        Result<model::Event> event = event_in(series, row);
        if (!event) return event.error();
        events.push_back(std::move(*event));
      }
    }
  }
  return events;
}

// InfluxDB gives the points of one moment in another order every time, so that a page cannot end among them.
Result<EventsPage> HistoryReader::events(const model::TopicPattern& pattern, HistorySpan span, size_t count) {
  Result<std::vector<model::Event>> events = read_events(pattern, span, " LIMIT " + std::to_string(count + 1));
  if (!events) return events.error();
  EventsPage page;
  if (events->size() > count) {
    const int64_t last_ms = events->back().ts_ms;
    std::erase_if(*events, [&](const model::Event& event) { return event.ts_ms == last_ms; });
    page.next_ms = last_ms;
    if (events->empty()) {
      events = read_events(pattern, {last_ms, last_ms + 1}, "");
      if (!events) return events.error();
      page.next_ms = last_ms + 1;
    }
  }
  page.events = std::move(*events);
  std::stable_sort(page.events.begin(), page.events.end(), [](const model::Event& a, const model::Event& b) {
    return std::tie(a.ts_ms, a.topic) < std::tie(b.ts_ms, b.topic);
  });
  return page;
}

}  // namespace millstream::influx
