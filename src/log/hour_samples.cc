#include "log/hour_samples.h"

#include <algorithm>
#include <map>
#include <set>

#include "codec/event_json.h"
#include "log/hour_file.h"

namespace millstream::log {
namespace {

bool in_span(const SamplesRequest& request, int64_t ts_ms) {
  return ts_ms >= request.start_ms && ts_ms < request.end_ms;
}

bool is_wanted(const SamplesRequest& request, std::string_view field) {
  return request.fields.empty() ||
         std::find(request.fields.begin(), request.fields.end(), field) != request.fields.end();
}

Status list_chunks(HourReader& reader, const SamplesRequest& request, HourSamples& out) {
  const Result<SealedSoFar> sealed = reader.sealed_so_far();
  if (!sealed) return sealed.error();
  if (sealed->chunk_last == 0) return {};
  Result<Statement> chunks = reader.database().prepare(
      "SELECT id, ts_low, ts_high, length(sums) FROM chunk WHERE topic = (SELECT id FROM topic WHERE text = ?1)"
      " AND id <= ?2 AND ts_high >= ?3 AND ts_low < ?4 ORDER BY first");
  if (!chunks) return chunks.error();
  const std::string topic = request.topic.text();
  chunks->bind_text(1, topic);
  chunks->bind(2, sealed->chunk_last);
  chunks->bind(3, request.start_ms);
  chunks->bind(4, request.end_ms);
  while (true) {
    const Result<bool> row = chunks->step();
    if (!row) return row.error();
    if (!*row) return {};
    out.chunks.push_back({.id = chunks->number(0),
                          .ts_low_ms = chunks->number(1),
                          .ts_high_ms = chunks->number(2),
                          .has_sums = chunks->number(3) > 0});
  }
}

// Whether the sums of a chunk say all that is asked of it.
bool sums_suffice(const SamplesRequest& request, const ChunkPlace& place) {
  if (!place.has_sums || !place.alone || request.bucket_ms == 0) return false;
  if (!in_span(request, place.ts_low_ms) || !in_span(request, place.ts_high_ms)) return false;
  const auto bucket = [&](int64_t ts_ms) { return (ts_ms - request.start_ms) / request.bucket_ms; };
  return bucket(place.ts_low_ms) == bucket(place.ts_high_ms);
}

void give_sums(const SamplesRequest& request, const ChunkRow& row, const ChunkSums& sums, SampleSink& sink) {
  for (const FieldSums& field : sums.fields) {
    for (const FieldPlace& place : sums.shape->number_fields()) {
      if (place.value != field.value || !is_wanted(request, place.name)) continue;
      sink.add(place.name, model::SampleSums{.first_ms = row.ts_low_ms,
                                             .last_ms = row.ts_high_ms,
                                             .min = field.min,
                                             .max = field.max,
                                             .sum = field.sum,
                                             .last = field.last,
                                             .count = row.count});
    }
  }
}

// Fields of several shapes come in the order of the events, so that of the same moment the later one is later here.
void give_columns(const SamplesRequest& request, const Chunk& chunk, SampleSink& sink) {
  struct Entry {
    uint32_t event;
    model::Sample sample;
  };
  std::map<std::string_view, std::vector<Entry>> mixed;
  std::vector<model::Sample> samples;
  const bool several = chunk.groups().size() > 1;
  for (const Chunk::Group& group : chunk.groups()) {
    for (const FieldPlace& field : group.shape->number_fields()) {
      if (!is_wanted(request, field.name)) continue;
      const Column& column = group.columns[field.value];
      const size_t rows = several ? group.events.size() : chunk.count();
      samples.clear();
      for (size_t row = 0; row < rows; ++row) {
        const size_t event = several ? group.events[row] : row;
        const int64_t ts_ms = chunk.ts_ms(event);
        if (!in_span(request, ts_ms)) continue;
        const std::optional<double> value = number_at(column, row);
        if (!value) continue;
        if (several) mixed[field.name].push_back({static_cast<uint32_t>(event), {ts_ms, *value}});
        if (!several) samples.push_back({ts_ms, *value});
      }
      if (!several) sink.add(field.name, samples);
    }
  }
  for (auto& [name, entries] : mixed) {
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.event < b.event; });
    samples.clear();
    for (const Entry& entry : entries) samples.push_back(entry.sample);
    sink.add(name, samples);
  }
}

void give_loose(const SamplesRequest& request, const std::vector<model::Event>& events, SampleSink& sink) {
  std::map<std::string_view, std::vector<model::Sample>> samples;
  for (const model::Event& event : events) {
    for (const model::Field& field : event.fields) {
      const std::optional<double> value = model::as_number(field.value);
      if (value && is_wanted(request, field.name)) samples[field.name].push_back({event.ts_ms, *value});
    }
  }
  for (const auto& [name, of_field] : samples) sink.add(name, of_field);
}

Status give_chunk(HourReader& reader, const SamplesRequest& request, const ChunkPlace& place, Statement& by_id,
                  Scan& scan, SampleSink& sink) {
  by_id.bind(1, place.id);
  const Result<bool> found = by_id.step();
  if (!found) return found.error();
  if (!*found) return {};
  const bool sums_only = sums_suffice(request, place);
  Result<CheckedChunk> checked = read_chunk_row(by_id, reader.names(), sums_only ? Decode::no : Decode::yes);
  if (!checked) return checked.error();
  if (!checked->sound) {
    scan.add_damage(checked->row.first.packed(), checked->row.last.packed(), checked->row.count);
    return {};
  }
  if (!sums_only) {
    give_columns(request, *checked->chunk, sink);
    return {};
  }
  const Result<ChunkSums> sums = decode_sums(checked->row.sums, reader.names());
  if (!sums) return sums.error();
  give_sums(request, checked->row, *sums, sink);
  return {};
}

}  // namespace

Status list_samples(HourReader& reader, const SamplesRequest& request, Scan& scan, HourSamples& out) {
  // One snapshot, so that nothing is in both lists, or in none.
  return reader.in_transaction([&]() -> Status {
    if (Status s = list_chunks(reader, request, out); !s) return s;
    if (Status s = reader.scan_loose(scan); !s) return s;
    for (model::Event& event : scan.events) {
      if (event.topic != request.topic || !in_span(request, event.ts_ms)) continue;
      Result<model::Fields> fields = codec::decode_telemetry_fields(event.data);
      if (!fields) return fields.error();
      event.fields = std::move(*fields);
      out.loose.push_back(std::move(event));
    }
    scan.events.clear();
    return {};
  });
}

void find_alone(std::vector<HourSamples>& hours) {
  struct Extent {
    int64_t low;
    int64_t high;
    ChunkPlace* chunk;  // null: a loose event
  };
  std::vector<Extent> extents;
  for (HourSamples& hour : hours) {
    for (ChunkPlace& chunk : hour.chunks) extents.push_back({chunk.ts_low_ms, chunk.ts_high_ms, &chunk});
    for (const model::Event& event : hour.loose) extents.push_back({event.ts_ms, event.ts_ms, nullptr});
  }
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) { return a.low < b.low; });
  int64_t high = INT64_MIN;  // of all before
  for (size_t i = 0; i < extents.size(); ++i) {
    const bool before = high >= extents[i].low;
    const bool after = i + 1 < extents.size() && extents[i + 1].low <= extents[i].high;
    if (extents[i].chunk) extents[i].chunk->alone = !before && !after;
    high = std::max(high, extents[i].high);
  }
}

Status give_samples(HourReader& reader, const SamplesRequest& request, const HourSamples& samples, Scan& scan,
                    SampleSink& sink) {
  const Status given = reader.in_transaction([&]() -> Status {
    if (samples.chunks.empty()) return {};
    Result<Statement> by_id =
        reader.database().prepare("SELECT " + std::string(kChunkColumns) + " FROM chunk WHERE id = ?1");
    if (!by_id) return by_id.error();
    for (const ChunkPlace& place : samples.chunks) {
      if (!sink.wants_more()) return {};
      if (Status s = give_chunk(reader, request, place, *by_id, scan, sink); !s) return s;
      by_id->reset();
    }
    return {};
  });
  if (given) give_loose(request, samples.loose, sink);
  return given;
}

}  // namespace millstream::log
