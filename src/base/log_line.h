// base/log_line.h: structured log lines on standard error.
//
// Shapes   one line an event: time, level, message, then key=value pairs (logfmt), or one JSON object a line.
//          Values of keys that hold secrets (token, ticket, key, secret, password, authorization, cookie) are never
//          printed: they become "[redacted]". Control characters are escaped, so no value can forge a line.
// Thread   any
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace millstream {

enum class LogLevel { debug, info, warning, error };
enum class LogFormat { text, json };

struct LogField {
  std::string_view key;
  std::string value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <class N>
  requires std::integral<N> || std::floating_point<N> LogField(std::string_view k, N v)
      : key(k), value(std::to_string(v)) {}
};

// Call once, before threads start. Lines below `level` are dropped.
void configure_log(LogLevel level, LogFormat format);

// The line itself, with its "\n"; log_line() writes it.
std::string log_line_text(LogFormat format, int64_t wall_ms, LogLevel level, std::string_view message,
                          std::initializer_list<LogField> fields);
void log_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
inline void log_debug(std::string_view m, std::initializer_list<LogField> f = {}) { log_line(LogLevel::debug, m, f); }
inline void log_info(std::string_view m, std::initializer_list<LogField> f = {}) { log_line(LogLevel::info, m, f); }
inline void log_warning(std::string_view m, std::initializer_list<LogField> f = {}) {
  log_line(LogLevel::warning, m, f);
}
inline void log_error(std::string_view m, std::initializer_list<LogField> f = {}) { log_line(LogLevel::error, m, f); }

}  // namespace millstream
