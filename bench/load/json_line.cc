#include "load/json_line.h"

#include <cmath>
#include <cstdio>

namespace millstream::load {
namespace {

void append_quoted(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  out += '"';
}

}  // namespace

void JsonLine::add_key(std::string_view key) {
  if (!body_.empty()) body_ += ", ";
  append_quoted(key, body_);
  body_ += ": ";
}

JsonLine& JsonLine::add(std::string_view key, std::string_view text) {
  add_key(key);
  append_quoted(text, body_);
  return *this;
}

JsonLine& JsonLine::add(std::string_view key, int64_t value) {
  add_key(key);
  body_ += std::to_string(value);
  return *this;
}

JsonLine& JsonLine::add(std::string_view key, double value) {
  add_key(key);
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  body_ += std::isfinite(value) ? text : "null";
  return *this;
}

void JsonLine::print() const {
  std::printf("{%s}\n", body_.c_str());
  std::fflush(stdout);
}

}  // namespace millstream::load
