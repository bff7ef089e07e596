#include "codec/queue_message.h"

#include <optional>
#include <string>
#include <utility>

#include "codec/json_input.h"

namespace millstream::codec {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

enum class Kind { event, points, notification };

struct Look {
  Kind kind = Kind::points;
  std::string message;  // of a notification; a copy, as the tree goes with the next one
};

Result<Look> look_at(std::string_view body) {
  const Result<element> root = parse_json_from_devices(body);
  if (!root) return root.error();
  object members;
  if (root->get(members)) return Look();
  if (members.at_key("topic").error() == simdjson::SUCCESS) return Look{.kind = Kind::event, .message = {}};
  std::string_view type;
  if (members.at_key("Type").get(type) || type != "Notification") return Look();
  std::string_view message;
  if (members.at_key("Message").get(message)) return Error{Code::invalid, "Message: not a text"};
  return Look{.kind = Kind::notification, .message = std::string(message)};
}

template <class T>
Result<QueueMessage> as_message(Result<T> parsed) {
  if (!parsed) return parsed.error();
  return QueueMessage(std::move(*parsed));
}

Result<QueueMessage> read(Kind kind, std::string_view body, std::string_view source, int64_t now_ms) {
  if (kind == Kind::event) return as_message(parse_bridge_event(body, source, now_ms));
  return as_message(parse_telemetry_json(body, ""));
}

Error inside(const Error& error) { return {error.code, "Message: " + error.detail}; }

}  // namespace

Result<QueueMessage> parse_queue_message(std::string_view body, std::string_view source, int64_t now_ms) {
  const Result<Look> outer = look_at(body);
  if (!outer) return outer.error();
  if (outer->kind != Kind::notification) return read(outer->kind, body, source, now_ms);
  const Result<Look> inner = look_at(outer->message);
  if (!inner) return inside(inner.error());
  if (inner->kind == Kind::notification) return Error{Code::invalid, "Message: a notification in a notification"};
  Result<QueueMessage> message = read(inner->kind, outer->message, source, now_ms);
  if (!message) return inside(message.error());
  return message;
}

}  // namespace millstream::codec
