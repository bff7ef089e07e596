#include "hub/conflation.h"

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

}  // namespace

void Conflation::add(const FramedBatchPtr& batch, size_t index) {
  if (batch->events()[index].type == model::EventType::telemetry) {
    Result<model::Event> event = codec::parse_event_json(json_of(*batch, index));
    Result<model::Tags> tags = event ? codec::decode_telemetry_tags(event->data) : Result<model::Tags>(event.error());
    if (tags) {
      Merged& merged = merged_[{event->topic, *tags}];
      if (merged.count++ > 0) {
        merge(merged.newest.fields, std::move(event->fields));
        event->fields = std::move(merged.newest.fields);
      }
      merged.newest = std::move(*event);
      return;
    }
    log_warning("telemetry cannot be merged, and is sent as it is", {{"reason", tags.error().detail}});
  }
  write_merged();
  run_.add(batch, index, unnamed_);
}

Run Conflation::finish() {
  write_merged();
  return std::move(run_);
}

void Conflation::write_merged() {
  if (merged_.empty()) return;
  std::vector<std::pair<const Thing*, Merged*>> by_id;
  for (auto& [thing, merged] : merged_) by_id.emplace_back(&thing, &merged);
  std::sort(by_id.begin(), by_id.end(),
            [](const auto& a, const auto& b) { return a.second->newest.id < b.second->newest.id; });
  auto text = std::make_shared<std::string>();
  std::string json;
  for (const auto& [thing, merged] : by_id) {
    model::Event& event = merged->newest;
    event.data = codec::encode_telemetry_data(event.topic.device, event.fields, thing->second);
    if (merged->count > 1) {
      event.data.back() = ',';
      event.data += "\"conflated\":" + std::to_string(merged->count) + "}";
    }
    json.clear();
    codec::append_event_json(event, json);
    const bool last = merged == by_id.back().second;
    const std::string id = last ? event.id.text() : std::string();
    const std::string_view name = unnamed_ ? std::string_view() : model::event_type_name(event.type);
    codec::append_block({.retry_ms = {}, .id = id, .event = name, .data = json}, *text);
  }
  run_.add(std::move(text), by_id.size());
  merged_.clear();
}

}  // namespace millstream::hub
