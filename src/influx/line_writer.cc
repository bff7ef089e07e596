#include "influx/line_writer.h"

#include <charconv>

#include "base/overloaded.h"

namespace millstream::influx {
namespace {

constexpr std::string_view kEscapedInKeys = ", =";
constexpr std::string_view kUnescapedInKeys = ", =\"";  // by whoever reads them

void append_escaped(std::string_view text, std::string_view escaped, std::string& out) {
  for (const char c : text) {
    if (escaped.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
}

template <class N>
void append_number(N value, std::string& out) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

void append_value(const model::FieldValue& value, std::string& out) {
  std::visit(Overloaded{[&](double v) { append_number(v, out); }, [&](int64_t v) { append_number(v, out); },
                        [&](bool v) { out += v ? "true" : "false"; },
                        [&](const std::string& v) {
                          out += '"';
                          append_escaped(v, "\"\\", out);
                          out += '"';
                        }},
             value);
}

void append_tag(std::string_view name, const std::string& value, std::string& out) {
  if (value.empty()) return;  // InfluxDB knows no empty ones
  out.append(",").append(name).append("=");
  append_escaped(value, kEscapedInKeys, out);
}

}  // namespace

bool is_field_name(std::string_view name) {
  if (name.empty() || name == "time" || name.back() == '\\') return false;
  for (size_t i = 0; i + 1 < name.size(); ++i) {
    if (name[i] == '\\' && kUnescapedInKeys.find(name[i + 1]) != std::string_view::npos) return false;
  }
  return true;
}

size_t append_line(const model::Event& event, std::string& out) {
  const size_t start = out.size();
  out += kMeasurement;
  append_tag("account", event.topic.account.text(), out);
  append_tag("device", event.topic.device.text(), out);
  append_tag("site", event.topic.site.text(), out);
  size_t written = 0;
  for (const model::Field& field : event.fields) {
    if (!is_field_name(field.name)) continue;
    out += written++ == 0 ? ' ' : ',';
    append_escaped(field.name, kEscapedInKeys, out);
    out += '=';
    append_value(field.value, out);
  }
  if (written == 0) {
    out.resize(start);
  } else {
    out += ' ';
    append_number(event.ts_ms, out);
    out += '\n';
  }
  return event.fields.size() - written;
}

}  // namespace millstream::influx
