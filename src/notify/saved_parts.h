// notify/saved_parts.h: how the parts of the notifier's state that several places have are written down and read back.
//
// Errors   those of the reader
// Thread   value
#pragma once

#include <algorithm>
#include <string>

#include "model/notification.h"
#include "model/state_text.h"

namespace millstream::notify {

inline model::Severity read_severity(model::StateReader& reader) {
  return static_cast<model::Severity>(std::clamp<int64_t>(reader.number(), 0, 2));
}

inline void write_tags(const model::Tags& tags, model::StateWriter& writer) {
  writer.number(tags.size());
  for (const model::Tag& tag : tags) writer.text(tag.name).text(tag.value);
}

inline model::Tags read_tags(model::StateReader& reader) {
  model::Tags tags;
  const int64_t count = reader.number();
  for (int64_t i = 0; i < count && reader.ok(); ++i) {
    std::string name(reader.text());
    tags.push_back({std::move(name), std::string(reader.text())});
  }
  return tags;
}

inline void write_face(const model::AlertFace& face, model::StateWriter& writer) {
  writer.number(static_cast<int>(face.severity)).text(face.rule_name).text(face.field);
  write_tags(face.labels, writer);
}

inline model::AlertFace read_face(model::StateReader& reader) {
  model::AlertFace face;
  face.severity = read_severity(reader);
  face.rule_name = reader.text();
  face.field = reader.text();
  face.labels = read_tags(reader);
  return face;
}

}  // namespace millstream::notify
