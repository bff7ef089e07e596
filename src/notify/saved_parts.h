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

inline void write_identity(const model::AlertIdentity& identity, model::StateWriter& writer) {
  writer.number(static_cast<int>(identity.severity)).text(identity.rule_name).text(identity.field);
  write_tags(identity.labels, writer);
}

inline model::AlertIdentity read_identity(model::StateReader& reader) {
  model::AlertIdentity identity;
  identity.severity = read_severity(reader);
  identity.rule_name = reader.text();
  identity.field = reader.text();
  identity.labels = read_tags(reader);
  return identity;
}

}  // namespace millstream::notify
