// codec/object_text.h: a JSON object, written member by member. For codec's .cc files only.
//
// Flow     the object begins with this and ends with it: nest one in the value of a key by a scope.
// Thread   value
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time_text.h"
#include "codec/event_json.h"
#include "model/point.h"

namespace millstream::codec {

class ObjectText {
 public:
  explicit ObjectText(std::string& out) : out_(out) { out_ += '{'; }
  ~ObjectText() { out_ += '}'; }
  ObjectText(const ObjectText&) = delete;
  ObjectText& operator=(const ObjectText&) = delete;

  // The value is appended to what this gives back.
  std::string& key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    append_json_string(name, out_);
    return out_ += ':';
  }
  void text(std::string_view name, std::string_view value) { append_json_string(value, key(name)); }
  void number(std::string_view name, double value) { append_json_number(value, key(name)); }
  void flag(std::string_view name, bool value) { key(name) += value ? "true" : "false"; }
  void duration(std::string_view name, int64_t ms) { text(name, duration_text(ms)); }
  void time(std::string_view name, int64_t ms) {
    key(name) += '"';
    append_rfc3339_ms(ms, out_);
    out_ += '"';
  }
  // Left out when there are none.
  void tags(std::string_view name, const model::Tags& tags) {
    if (tags.empty()) return;
    ObjectText inner(key(name));
    for (const model::Tag& tag : tags) inner.text(tag.name, tag.value);
  }
  template <class Items, class Each>
  void list(std::string_view name, const Items& items, Each each) {
    key(name) += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ',';
      each(items[i]);
    }
    out_ += ']';
  }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace millstream::codec
