#include "log/redis/stream_entry.h"

#include <charconv>
#include <utility>

namespace millstream::log {
namespace {

using Kind = redis::Reply::Kind;

Error no_event(const std::string& id, const char* what) {
  return {Code::corrupt, "the stream's entry " + id + " is no event: " + what};
}

template <class Number>
bool read_number(const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// Gives what is wrong, or nothing.
const char* set_field(const std::string& name, std::string& value, model::Event& event) {
  if (name == "topic") {
    Result<model::Topic> topic = model::Topic::parse(value);
    if (!topic) return "its topic";
    event.topic = std::move(*topic);
  } else if (name == "type") {
    const std::optional<model::EventType> type = model::parse_event_type(value);
    if (!type) return "its type";
    event.type = *type;
  } else if (name == "ts") {
    if (!read_number(value, event.ts_ms)) return "its ts";
  } else if (name == "conclusion") {
    if (!read_number(value, event.conclusion)) return "its conclusion";
  } else if (name == "data") {
    event.data = std::move(value);
  }
  return nullptr;
}

}  // namespace

void append_event_arguments(const model::Event& event, bool ends, std::vector<std::string>& arguments) {
  arguments.push_back(event.topic.text());
  arguments.emplace_back(model::event_type_name(event.type));
  arguments.push_back(std::to_string(event.ts_ms));
  arguments.push_back(event.data);
  arguments.push_back(event.conclusion > 0 ? std::to_string(event.conclusion) : std::string());
  arguments.emplace_back(ends ? "1" : "");
}

Result<model::Event> parse_entry(redis::Reply& entry) {
  if (entry.kind != Kind::array || entry.items.size() != 2) return no_event("?", "its shape");
  const std::string& id = entry.items[0].text;
  std::vector<redis::Reply>& fields = entry.items[1].items;
  const std::optional<model::EventId> parsed = model::EventId::parse(id);
  if (!parsed) return no_event(id, "its id");
  if (fields.size() < 8 || fields.size() % 2 != 0) return no_event(id, "its fields");
  model::Event event;
  event.id = *parsed;
  for (size_t i = 0; i < fields.size(); i += 2) {
    if (const char* wrong = set_field(fields[i].text, fields[i + 1].text, event)) return no_event(id, wrong);
  }
  if (event.topic.account.text().empty() || event.data.empty()) return no_event(id, "a field is missing");
  return event;
}

}  // namespace millstream::log
