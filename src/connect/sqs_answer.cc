#include "connect/sqs_answer.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace millstream::connect {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr size_t kIdBytesMax = 128;
constexpr size_t kHandleBytesMax = 8 << 10;
constexpr size_t kMd5Digits = 32;
constexpr size_t kWordsBytesMax = 300;

Error wrong(const std::string& place, std::string_view what) {
  return Error{Code::corrupt, "the answer of SQS: " + place + ": " + std::string(what)};
}

std::string at(const std::string& list, size_t i) { return list + "[" + std::to_string(i) + "]"; }

// Its parser has to live as long as what it has parsed.
Result<object> parse_object(simdjson::dom::parser& parser, std::string_view answer) {
  element root;
  if (parser.parse(answer.data(), answer.size()).get(root)) return wrong("the whole", "not JSON");
  object members;
  if (root.get(members)) return wrong("the whole", "not an object");
  return members;
}

// Not there, or null: empty.
Result<std::vector<object>> read_list(object members, const std::string& name) {
  std::vector<object> out;
  element value;
  if (members.at_key(name).get(value) || value.is_null()) return out;
  array items;
  if (value.get(items)) return wrong(name, "not a list");
  for (const element item : items) {
    if (out.size() == kSqsMessagesMax) return wrong(name, "more than were asked for");
    if (object each; !item.get(each)) {
      out.push_back(each);
    } else {
      return wrong(at(name, out.size()), "not an object");
    }
  }
  return out;
}

Status read_text(object members, const std::string& place, const char* name, size_t bytes_max, std::string& target) {
  std::string_view text;
  if (members.at_key(name).get(text)) return wrong(place + "." + name, "not a text");
  if (text.empty() || text.size() > bytes_max) return wrong(place + "." + name, "empty or too long");
  target = text;
  return {};
}

bool is_hexadecimal(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

Status read_body(object members, const std::string& place, SqsMessage& message) {
  std::string_view body;
  if (members.at_key("Body").get(body)) return wrong(place + ".Body", "not a text");
  message.body = body;
  if (Status s = read_text(members, place, "MD5OfBody", kMd5Digits, message.md5); !s) return s;
  if (message.md5.size() != kMd5Digits || !std::ranges::all_of(message.md5, is_hexadecimal)) {
    return wrong(place + ".MD5OfBody", "not an MD5");
  }
  return {};
}

template <class Number>
bool read_whole(std::string_view text, Number& target) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), target);
  return error == std::errc() && end == text.data() + text.size();
}

// A number as text; servers that do not tell it say nothing of it.
Status read_receive_count(object members, const std::string& place, SqsMessage& message) {
  element attributes;
  if (members.at_key("Attributes").get(attributes) || attributes.is_null()) return {};
  element count;
  if (attributes.at_key("ApproximateReceiveCount").get(count)) return {};
  std::string_view text;
  if (count.get(text) || !read_whole(text, message.receive_count) || message.receive_count < 1) {
    return wrong(place + ".Attributes.ApproximateReceiveCount", "not a whole number from 1 as text");
  }
  return {};
}

Result<SqsMessage> read_message(object members, const std::string& place) {
  SqsMessage message;
  if (Status s = read_text(members, place, "MessageId", kIdBytesMax, message.id); !s) return s.error();
  if (Status s = read_text(members, place, "ReceiptHandle", kHandleBytesMax, message.receipt_handle); !s) {
    return s.error();
  }
  if (Status s = read_body(members, place, message); !s) return s.error();
  if (Status s = read_receive_count(members, place, message); !s) return s.error();
  return message;
}

std::string text_or_empty(object members, const char* name) {
  std::string_view text;
  return members.at_key(name).get(text) ? "" : std::string(text);
}

Result<size_t> read_entry(object members, const std::string& place, size_t entries) {
  size_t entry = 0;
  if (!read_whole(text_or_empty(members, "Id"), entry) || entry >= entries) {
    return wrong(place + ".Id", "not the number of an entry");
  }
  return entry;
}

std::string words_of(object members) {
  std::string words = text_or_empty(members, "message");
  if (words.empty()) words = text_or_empty(members, "Message");
  words.resize(std::min({words.size(), words.find('\n'), kWordsBytesMax}));
  return words;
}

}  // namespace

Result<std::vector<SqsMessage>> parse_sqs_messages(std::string_view answer) {
  simdjson::dom::parser parser;
  const Result<object> root = parse_object(parser, answer);
  if (!root) return root.error();
  const Result<std::vector<object>> list = read_list(*root, "Messages");
  if (!list) return list.error();
  std::vector<SqsMessage> messages;
  for (const object each : *list) {
    Result<SqsMessage> message = read_message(each, at("Messages", messages.size()));
    if (!message) return message.error();
    messages.push_back(std::move(*message));
  }
  return messages;
}

Result<std::vector<SqsFailure>> parse_sqs_failures(std::string_view answer, size_t entries) {
  simdjson::dom::parser parser;
  const Result<object> root = parse_object(parser, answer);
  if (!root) return root.error();
  std::vector<std::string> why(entries, "nothing said of it");
  for (const std::string name : {"Successful", "Failed"}) {
    const Result<std::vector<object>> list = read_list(*root, name);
    if (!list) return list.error();
    for (size_t i = 0; i < list->size(); ++i) {
      const Result<size_t> entry = read_entry((*list)[i], at(name, i), entries);
      if (!entry) return entry.error();
      why[*entry] = name == "Failed" ? "refused: " + text_or_empty((*list)[i], "Code") : "";
    }
  }
  std::vector<SqsFailure> failures;
  for (size_t entry = 0; entry < entries; ++entry) {
    if (!why[entry].empty()) failures.push_back({entry, why[entry].substr(0, kWordsBytesMax)});
  }
  return failures;
}

std::string sqs_error_text(std::string_view answer) {
  simdjson::dom::parser parser;
  const Result<object> root = parse_object(parser, answer);
  if (!root) return "";
  std::string type = text_or_empty(*root, "__type");
  type = type.substr(type.find('#') + 1).substr(0, kWordsBytesMax);  // without a '#': all of it
  const std::string words = words_of(*root);
  return words.empty() || type.empty() ? type + words : type + ": " + words;
}

}  // namespace millstream::connect
