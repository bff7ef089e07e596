#include "hub/run_writer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/log_line.h"
#include "codec/event_json.h"
#include "codec/sse_frame.h"

namespace millstream::hub {
namespace {

// The event as JSON, out of its frame: its block's data is one line.
std::string_view json_of(const FramedBatch& batch, size_t index) {
  const Rendering& rendering = batch.rendering(false);
  const codec::FrameExtent& extent = rendering.extents[index];
  const std::string_view block = std::string_view(rendering.bytes).substr(extent.block_offset, extent.block_size);
  constexpr std::string_view kData = "\ndata: ";
  const size_t start = block.find(kData) + kData.size();
  return block.substr(start, block.find('\n', start) - start);
}

void merge(model::Fields& into, model::Fields&& newer) {
  for (model::Field& field : newer) {
    const auto same = std::find_if(into.begin(), into.end(), [&](const auto& f) { return f.name == field.name; });
    if (same == into.end()) {
      into.push_back(std::move(field));
    } else {
      same->value = std::move(field.value);
    }
  }
}

struct Telemetry {
  model::Event event;
  model::Tags tags;
};

Result<Telemetry> read_telemetry(const FramedBatch& batch, size_t index) {
  Result<model::Event> event = codec::parse_event_json(json_of(batch, index));
  if (!event) return event.error();
  Result<model::Tags> tags = codec::decode_telemetry_tags(event->data);
  if (!tags) return tags.error();
  return Telemetry{std::move(*event), std::move(*tags)};
}

bool is_telemetry(const FramedBatchPtr& batch, size_t index) {
  return batch->events()[index].type == model::EventType::telemetry;
}

// `with_id` false: the viewer's position does not move. `conflated`: how many events this one stands for.
void append_telemetry(const View& view, model::Event& event, const model::Tags& tags, bool with_id, uint64_t conflated,
                      std::string& out) {
  event.data = codec::encode_telemetry_data(event.topic.device, event.fields, tags);
  if (conflated > 1) {
    event.data.back() = ',';
    event.data += "\"conflated\":" + std::to_string(conflated) + "}";
  }
  std::string json;
  codec::append_event_json(event, json);
  const std::string id = with_id ? event.id.text() : std::string();
  const std::string_view name = view.unnamed ? std::string_view() : model::event_type_name(event.type);
  codec::append_block({.retry_ms = {}, .id = id, .event = name, .data = json}, out);
}

void warn_unreadable(const Error& error) {
  log_warning("telemetry cannot be taken apart, and is sent as it is", {{"reason", error.detail}});
}

}  // namespace

bool keep_fields(const FieldNames& names, model::Fields& fields) {
  if (names.empty()) return !fields.empty();
  std::erase_if(fields,
                [&](const model::Field& field) { return !std::binary_search(names.begin(), names.end(), field.name); });
  return !fields.empty();
}

void View::add_projected(const FramedBatchPtr& batch, size_t index, Run& run) const {
  if (!is_telemetry(batch, index)) return run.add(batch, index, unnamed);
  Result<Telemetry> telemetry = read_telemetry(*batch, index);
  if (!telemetry) {
    warn_unreadable(telemetry.error());
    return run.add(batch, index, unnamed);
  }
  if (!keep_fields(fields, telemetry->event.fields)) return;
  auto text = std::make_shared<std::string>();
  append_telemetry(*this, telemetry->event, telemetry->tags, true, 1, *text);
  run.add(std::move(text), 1);
}

void RunWriter::add(const FramedBatchPtr& batch, size_t index) {
  if (!merges_) return view_.add(batch, index, run_);
  if (is_telemetry(batch, index)) {
    Result<Telemetry> telemetry = read_telemetry(*batch, index);
    if (telemetry) {
      model::Event& event = telemetry->event;
      if (!keep_fields(view_.fields, event.fields)) return;
      Merged& merged = merged_[{event.topic, telemetry->tags}];
      if (merged.count++ > 0) {
        ++merged_away_;
        merge(merged.newest.fields, std::move(event.fields));
        event.fields = std::move(merged.newest.fields);
      }
      merged.newest = std::move(event);
      return;
    }
    warn_unreadable(telemetry.error());
  }
  write_merged();
  run_.add(batch, index, view_.unnamed);
}

Run RunWriter::finish() {
  write_merged();
  return std::move(run_);
}

void RunWriter::write_merged() {
  if (merged_.empty()) return;
  std::vector<std::pair<const Thing*, Merged*>> by_id;
  by_id.reserve(merged_.size());
  for (auto& [thing, merged] : merged_) by_id.emplace_back(&thing, &merged);
  std::sort(by_id.begin(), by_id.end(),
            [](const auto& a, const auto& b) { return a.second->newest.id < b.second->newest.id; });
  auto text = std::make_shared<std::string>();
  for (const auto& [thing, merged] : by_id) {
    const bool last = merged == by_id.back().second;
    append_telemetry(view_, merged->newest, thing->second, last, merged->count, *text);
  }
  run_.add(std::move(text), by_id.size());
  merged_.clear();
}

}  // namespace millstream::hub
