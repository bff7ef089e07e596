#include "log/hour_samples.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include "log/hour_file.h"
#include "log/wanted_fields.h"

namespace millstream::log {
namespace {

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

// One field's values, each with the event it is of.
struct MixedSamples {
  std::vector<uint32_t> events;
  std::vector<model::Sample> samples;
};
using MixedFields = std::map<std::string, MixedSamples, std::less<>>;

MixedSamples& samples_of(std::string_view name, MixedFields& fields) {
  const auto found = fields.find(name);
  return found == fields.end() ? fields[std::string(name)] : found->second;
}

void add(uint32_t event, model::Sample sample, MixedSamples& out) {
  out.events.push_back(event);
  out.samples.push_back(sample);
}

// Calls take(row of the group, event of the chunk, time) for what is in the span.
template <class Take>
Status each_in_span(const SamplesRequest& request, const Chunk& chunk, const Chunk::Group& group, const Take& take) {
  const size_t rows = group.events.empty() ? chunk.count() : group.events.size();
  for (size_t row = 0; row < rows; ++row) {
    const auto event = static_cast<uint32_t>(group.events.empty() ? row : group.events[row]);
    const int64_t ts_ms = chunk.ts_ms(event);
    if (!in_span(request, ts_ms)) continue;
    if (Status s = take(row, event, ts_ms); !s) return s;
  }
  return {};
}

// The numbers of one shape's events.
Status add_group(const SamplesRequest& request, const Chunk& chunk, const Chunk::Group& group, MixedFields& out) {
  if (group.shape->is_whole()) {
    return each_in_span(request, chunk, group, [&](size_t row, uint32_t event, int64_t ts_ms) {
      return take_fields(request, group.columns[0].texts[row], [&](const std::string& name, double value) {
        add(event, {ts_ms, value}, samples_of(name, out));
      });
    });
  }
  for (const FieldPlace& field : group.shape->number_fields()) {
    if (!is_wanted(request, field.name)) continue;
    MixedSamples& samples = samples_of(field.name, out);
    const Status added = each_in_span(request, chunk, group, [&](size_t row, uint32_t event, int64_t ts_ms) -> Status {
      const std::optional<double> value = number_at(group.columns[field.value], row);
      if (value) add(event, {ts_ms, *value}, samples);
      return {};
    });
    if (!added) return added;
  }
  return {};
}

void sort_by_event(MixedSamples& field) {
  std::vector<size_t> order(field.events.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return field.events[a] < field.events[b]; });
  std::vector<model::Sample> sorted;
  for (const size_t at : order) sorted.push_back(field.samples[at]);
  field.samples = std::move(sorted);
}

// Fields of several shapes are given in the order of the events, so that of the same moment the later one is later.
Status give_columns(const SamplesRequest& request, const Chunk& chunk, SampleSink& sink) {
  MixedFields mixed;
  for (const Chunk::Group& group : chunk.groups()) {
    if (Status s = add_group(request, chunk, group, mixed); !s) return s;
  }
  for (auto& [name, field] : mixed) {
    if (!std::is_sorted(field.events.begin(), field.events.end())) sort_by_event(field);
    sink.add(name, field.samples);
  }
  return {};
}

// Page by page, so that only numbers are kept of however many events there are.
Status list_loose(HourReader& reader, const SamplesRequest& request, Scan& scan, HourSamples& out) {
  const int64_t low = scan.low;
  Status listed;
  do {
    scan.stopped = false;
    listed = reader.scan_loose(scan);
    for (const model::Event& event : scan.events) {
      if (!listed || event.topic != request.topic || !in_span(request, event.ts_ms)) continue;
      out.loose_ts_ms.push_back(event.ts_ms);
      listed = take_fields(request, event.data, [&](const std::string& name, double value) {
        out.loose[name].push_back({event.ts_ms, value});
      });
    }
    scan.events.clear();
    scan.low = scan.scanned_to.packed() + 1;
  } while (listed && scan.stopped);
  scan.low = low;
  return listed;
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
  if (!sums_only) return give_columns(request, *checked->chunk, sink);
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
    return list_loose(reader, request, scan, out);
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
    for (const int64_t ts_ms : hour.loose_ts_ms) extents.push_back({ts_ms, ts_ms, nullptr});
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
  if (!given) return given;
  for (const auto& [name, loose] : samples.loose) sink.add(name, loose);
  return {};
}

}  // namespace millstream::log
