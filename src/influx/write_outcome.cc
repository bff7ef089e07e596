#include "influx/write_outcome.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "codec/field_name.h"

namespace millstream::influx {
namespace {

constexpr size_t kReasonBytesMax = 512;

// The text between two others, or nothing.
std::optional<std::string_view> between(std::string_view text, std::string_view before, std::string_view after) {
  const size_t at = text.find(before);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + before.size());
  const size_t end = after.empty() ? text.size() : text.find(after);
  if (end == std::string_view::npos) return std::nullopt;
  return text.substr(0, end);
}

// "… dropped=3" of version 1; "dropped 3 points outside …" of version 2.
std::optional<size_t> dropped_in(std::string_view reason) {
  for (const std::string_view word : {" dropped=", "dropped "}) {
    const size_t at = reason.rfind(word);
    if (at == std::string_view::npos) continue;
    size_t count = 0;
    const char* const first = reason.data() + at + word.size();
    if (std::from_chars(first, reason.data() + reason.size(), count).ec == std::errc()) return count;
  }
  return std::nullopt;
}

// field type conflict: input field "T1" on measurement "telemetry" is type string, already exists as type float
std::optional<TypeConflict> conflict_in(std::string_view reason) {
  if (reason.find("field type conflict") == std::string_view::npos) return std::nullopt;
  const auto field = between(reason, "input field \"", "\" on measurement ");
  const auto type = between(reason, " is type ", ", already exists");
  if (!field || !type) return std::nullopt;
  return TypeConflict{std::string(*field), std::string(*type)};
}

bool has(std::string_view text, std::string_view words) { return text.find(words) != std::string_view::npos; }

WriteOutcome bad_lines(std::string reason) {
  WriteOutcome outcome;
  outcome.kind = WriteOutcome::Kind::bad;
  outcome.others_stored = has(reason, "partial write");
  for (const std::string_view words :
       {"partial write", "parse", "field type conflict", "invalid field", "max key length"}) {
    outcome.names_lines = outcome.names_lines || has(reason, words);
  }
  outcome.dropped = dropped_in(reason);
  outcome.expired = has(reason, "beyond retention policy") || has(reason, "outside retention policy");
  outcome.conflict = conflict_in(reason);
  outcome.reason = std::move(reason);
  return outcome;
}

// Version 1 answers a missing retention policy with 500.
bool is_missing_target(int status, std::string_view reason) {
  return (status == 404 && has(reason, "database not found")) || has(reason, "retention policy not found");
}

std::string member_or_empty(simdjson::dom::element json, std::string_view name) {
  std::string_view text;
  return json[name].get(text) ? std::string() : std::string(text);
}

}  // namespace

std::string error_text(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::element json;
  std::string text;
  if (!parser.parse(body.data(), body.size()).get(json) && json.is_object()) {
    text = member_or_empty(json, "error");
    if (text.empty()) text = member_or_empty(json, "message");
  }
  if (text.empty()) text = codec::as_utf8(body.substr(0, kReasonBytesMax));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  // A reason that quotes a long line says at its end how many were dropped.
  if (text.size() <= kReasonBytesMax) return text;
  const size_t half = kReasonBytesMax / 2;
  std::string_view tail = std::string_view(text).substr(text.size() - half);
  while (!tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xC0) == 0x80) tail.remove_prefix(1);
  return std::string(codec::cut_text(text, half)) + "…" + std::string(tail);
}

WriteOutcome outcome_of(const Result<HttpReply>& reply) {
  using Kind = WriteOutcome::Kind;
  if (!reply) return {.kind = Kind::retry, .reason = reply.error().detail};
  const int status = reply->status;
  if (status >= 200 && status < 300) return {};
  const std::string reason = error_text(reply->body);
  const std::string full = "HTTP " + std::to_string(status) + (reason.empty() ? "" : ": " + reason);
  if (is_missing_target(status, reason)) return {.kind = Kind::refused, .reason = full, .is_missing = true};
  if (status == 400 || status == 422) return bad_lines(reason.empty() ? full : reason);
  if (status == 413) return {.kind = Kind::too_large, .reason = full};
  if (status == 408 || status == 429 || status >= 500) {
    std::optional<int64_t> wait = reply->retry_after_ms;
    if (wait) wait = std::clamp<int64_t>(*wait, 0, kRetryAfterMsMax);
    return {.kind = Kind::retry, .reason = full, .retry_after_ms = wait};
  }
  return {.kind = Kind::refused, .reason = full};
}

}  // namespace millstream::influx
