#include "app/mail_message.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "app/base64.h"
#include "base/time_text.h"
#include "codec/alertmanager_json.h"
#include "codec/event_json.h"

namespace millstream::app {
namespace {

using model::Notification;
using model::NotifiedAlert;

constexpr size_t kSubjectBytesMax = 200;
constexpr size_t kWordBytesMax = 45;  // of an encoded word: 60 of base64, 75 with its frame
constexpr size_t kLineBytes = 57;     // 76 of base64
constexpr size_t kAlertsShown = 50;

// The longest piece of at most `bytes_max` that ends between characters.
std::string_view first_piece(std::string_view utf8, size_t bytes_max) {
  if (utf8.size() <= bytes_max) return utf8;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(utf8[end]) & 0xC0) == 0x80) --end;
  return utf8.substr(0, end == 0 ? bytes_max : end);
}

std::string base64_lines(std::string_view bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += kLineBytes) out += base64(bytes.substr(at, kLineBytes)) + "\r\n";
  return out;
}

std::string date_text(int64_t utc_ms) {
  using namespace std::chrono;
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_seconds time{floor<seconds>(milliseconds(utc_ms))};
  const sys_days day = floor<std::chrono::days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d +0000", days[weekday(day).c_encoding()],
                static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1],
                static_cast<int>(date.year()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  return text;
}

std::string counts_text(const Notification& n) {
  std::string out;
  if (n.firing_count > 0) out += "FIRING:" + std::to_string(n.firing_count);
  if (n.resolved_count > 0) out += (out.empty() ? "" : ", ") + ("RESOLVED:" + std::to_string(n.resolved_count));
  return n.is_test ? "TEST" : out;
}

std::string subject_text(const Notification& n) {
  std::string out = "[" + counts_text(n) + "]";
  if (n.alerts.size() == 1 && n.truncated == 0) return out + " " + n.alerts.front().alert.message;
  for (const model::Tag& label : n.group_labels) out += " " + label.value;
  if (n.group_labels.empty()) out += " " + n.topic.account.text();
  if (n.firing) out += " (" + std::string(model::severity_name(n.severity)) + ")";
  return out;
}

void append_alert(const NotifiedAlert& notified, std::string& out) {
  const model::Alert& alert = notified.alert;
  out += notified.over ? "RESOLVED  " : "FIRING    ";
  out += alert.message + "\n";
  const auto line = [&out](std::string_view name, const std::string& value) {
    if (!value.empty()) out.append("  ").append(name).append(": ").append(value).append("\n");
  };
  line("severity", std::string(model::severity_name(alert.severity)));
  line("rule", alert.rule_name);
  line("device", notified.device.site.text() + " / " + notified.device.device.text());
  line("since", rfc3339_ms(alert.started_at_ms));
  if (notified.over) line("until", rfc3339_ms(notified.ended_at_ms));
  for (const model::Tag& each : codec::alert_annotations(notified)) {
    if (each.name != "summary" && each.name != "alertId") line(each.name, each.value);
  }
  out += "\n";
}

std::string body_text(const Notification& n, const std::string& external_url) {
  std::string out = counts_text(n) + "\n\n";
  const size_t shown = std::min(n.alerts.size(), kAlertsShown);
  for (size_t i = 0; i < shown; ++i) append_alert(n.alerts[i], out);
  const size_t more = n.alerts.size() - shown + n.truncated;
  if (more > 0) out += "and " + std::to_string(more) + " more\n\n";
  if (!external_url.empty()) out += external_url + "\n";
  return out;
}

}  // namespace

std::string encoded_header(std::string_view utf8) {
  std::string text(utf8);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; }, ' ');
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 127; });
  if (ascii && text.find("=?") == std::string::npos) return text;
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view piece = first_piece(rest, kWordBytesMax);
    if (!out.empty()) out += "\r\n ";
    out += "=?UTF-8?B?" + base64(piece) + "?=";
    rest.remove_prefix(piece.size());
  }
  return out;
}

std::string mail_message(const Notification& n, const MailEnvelope& envelope, const std::string& external_url,
                         int64_t now_ms) {
  const std::string domain = envelope.from.substr(envelope.from.find('@') + 1);
  const std::string thread = std::to_string(codec::label_fingerprint({{"group", n.group_key}}));
  std::string out = "From: Millstream <" + envelope.from + ">\r\nTo: ";
  for (size_t i = 0; i < envelope.to.size(); ++i) out += (i == 0 ? "" : ",\r\n ") + envelope.to[i];
  out += "\r\nSubject: " + encoded_header(first_piece(subject_text(n), kSubjectBytesMax));
  out += "\r\nDate: " + date_text(now_ms);
  out += "\r\nMessage-ID: <" + n.id + "." + n.topic.account.text() + "@" + domain + ">";
  out += "\r\nReferences: <group." + thread + "@" + domain + ">";
  out += "\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0";
  out += "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n";
  return out + base64_lines(body_text(n, external_url));
}

}  // namespace millstream::app
