#include "base/log_line.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>

#include "base/clock.h"
#include "base/time_text.h"
#include "base/utf8.h"

namespace millstream {
namespace {

std::atomic<LogLevel> lowest_level{LogLevel::info};
std::atomic<LogFormat> chosen_format{LogFormat::text};

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 7> kSecretWords = {"token",    "ticket",        "key",   "secret",
                                                          "password", "authorization", "cookie"};

// A word anywhere in the key is enough ("api_token", "Set-Cookie"): printing too little is the safe side. Ids and
// counts of such things are not secrets.
bool holds_secret(std::string_view key) {
  if (key.ends_with("_id") || key.ends_with("_count")) return false;
  std::string lower(key);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return std::any_of(kSecretWords.begin(), kSecretWords.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

// C0, DEL, C1 and the Unicode line ends: what could end a line, or drive a terminal.
bool is_control(uint32_t c) { return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029; }

void append_u_escape(uint32_t c, std::string& out) {
  char text[16];
  std::snprintf(text, sizeof text, "\\u%04x", c);
  out += text;
}

// Bytes that are not UTF-8 become U+FFFD.
void append_escaped(std::string_view text, std::string& out) {
  while (!text.empty()) {
    const CodePoint c = first_code_point(text);
    if (c.size == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c.value == '"' || c.value == '\\') {
      out += '\\';
      out += text[0];
    } else if (c.value == '\n') {
      out += "\\n";
    } else if (is_control(c.value)) {
      append_u_escape(c.value, out);
    } else {
      out += text.substr(0, c.size);
    }
    text.remove_prefix(std::max<size_t>(c.size, 1));
  }
}

void append_quoted(std::string_view text, std::string& out) {
  out += '"';
  append_escaped(text, out);
  out += '"';
}

bool is_plain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\'; });
}

class LineText {
 public:
  explicit LineText(LogFormat format) : json_(format == LogFormat::json) {
    if (json_) out_ += '{';
  }
  void add(std::string_view key, std::string_view value) {
    if (!first_) out_ += json_ ? ',' : ' ';
    first_ = false;
    if (json_) {
      append_quoted(key, out_);
      out_ += ':';
      append_quoted(value, out_);
      return;
    }
    for (const char c : key) out_ += is_plain({&c, 1}) ? c : '_';
    out_ += '=';
    if (is_plain(value)) {
      out_ += value;
    } else {
      append_quoted(value, out_);
    }
  }
  std::string finish() && {
    out_ += json_ ? "}\n" : "\n";
    return std::move(out_);
  }

 private:
  const bool json_;
  bool first_ = true;
  std::string out_;
};

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nobody reads standard error: there is no place left to complain to
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

std::string log_line_text(LogFormat format, int64_t wall_ms, LogLevel level, std::string_view message,
                          std::initializer_list<LogField> fields) {
  LineText line(format);
  line.add("time", rfc3339_ms(wall_ms));
  line.add("level", kLevelNames[static_cast<size_t>(level)]);
  line.add("msg", message);
  for (const LogField& field : fields) line.add(field.key, holds_secret(field.key) ? "[redacted]" : field.value);
  return std::move(line).finish();
}

void configure_log(LogLevel level, LogFormat format) {
  lowest_level = level;
  chosen_format = format;
}

void log_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (level < lowest_level.load(std::memory_order_relaxed)) return;
  const LogFormat format = chosen_format.load(std::memory_order_relaxed);
  // One write for the whole line, so that lines of several threads do not mix.
  write_all(log_line_text(format, SystemClock().wall_ms(), level, message, fields));
}

}  // namespace millstream
