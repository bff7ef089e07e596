#include "influx/bad_lines.h"

#include <algorithm>
#include <utility>

#include "codec/line_protocol.h"

namespace millstream::influx {
namespace {

using Kind = WriteOutcome::Kind;

// Lines that need not follow each other.
struct Part {
  std::string text;
  std::vector<uint32_t> sizes;

  void add(std::string_view line) {
    text += line;
    sizes.push_back(static_cast<uint32_t>(line.size()));
  }
  std::vector<std::string_view> lines() const {
    std::vector<std::string_view> all;
    size_t at = 0;
    for (const uint32_t size : sizes) {
      all.push_back(std::string_view(text).substr(at, size));
      at += size;
    }
    return all;
  }
};

std::string_view type_name(const model::FieldValue& value) {
  if (std::holds_alternative<bool>(value)) return "boolean";
  return std::holds_alternative<std::string>(value) ? "string" : "float";
}

// Two parts that together are the given one, both with lines in them.
std::pair<Part, Part> cut(const Part& part, const std::optional<TypeConflict>& conflict) {
  std::pair<Part, Part> parts;
  const std::vector<std::string_view> lines = part.lines();
  if (conflict) {
    for (const std::string_view line : lines) (has_field(line, *conflict) ? parts.first : parts.second).add(line);
    if (!parts.first.sizes.empty() && !parts.second.sizes.empty()) return parts;
    parts = {};
  }
  const size_t half = lines.size() / 2;
  for (size_t i = 0; i < lines.size(); ++i) (i < half ? parts.first : parts.second).add(lines[i]);
  return parts;
}

// Whether no line of the part has to be sent any more.
bool is_settled(const Part& part, const WriteOutcome& outcome) {
  if (part.sizes.size() == 1) return true;
  if (outcome.kind != Kind::bad || !outcome.others_stored || !outcome.dropped) return false;
  return *outcome.dropped >= part.sizes.size();
}

void set_aside(const Part& part, const WriteOutcome& outcome, std::vector<BadLine>& bad) {
  for (const std::string_view line : part.lines()) bad.push_back({std::string(line), outcome.reason});
}

// Tries lines here and there, each alone. Gives back `refusal` as one of everything when none passes, "not now" when
// that is the answer meanwhile, and done when one passes: then it is for the others that the whole was refused.
WriteOutcome probe(const Part& part, const WriteOutcome& refusal, const WriteLines& write, uint64_t& requests) {
  const std::vector<std::string_view> lines = part.lines();
  const size_t step = (lines.size() + kProbesMax - 1) / kProbesMax;
  for (size_t i = 0; lines.size() > 1 && i < lines.size(); i += step) {
    ++requests;
    WriteOutcome outcome = write(lines[i]);
    if (outcome.kind == Kind::bad && !outcome.names_lines) continue;
    if (outcome.kind == Kind::retry || outcome.kind == Kind::refused) return outcome;
    return {};
  }
  return {.kind = Kind::refused, .reason = refusal.reason};
}

}  // namespace

bool has_field(std::string_view line, const TypeConflict& conflict) {
  const codec::ParsedPoints parsed = codec::parse_line_protocol(line, codec::Precision::milliseconds);
  if (parsed.points.size() != 1) return false;
  const model::Fields& fields = parsed.points[0].fields;
  return std::any_of(fields.begin(), fields.end(), [&](const model::Field& field) {
    return field.name == conflict.field && type_name(field.value) == conflict.type;
  });
}

BatchOutcome write_batch(const Batch& batch, const WriteLines& write) {
  BatchOutcome result;
  std::vector<Part> waiting(1, Part{batch.lines, batch.sizes});
  while (!waiting.empty()) {
    const Part part = std::move(waiting.back());
    waiting.pop_back();
    ++result.requests;
    const WriteOutcome outcome = write(part.text);
    if (outcome.kind == Kind::done) continue;
    if (outcome.kind == Kind::retry || outcome.kind == Kind::refused) {
      return {.last = outcome, .requests = result.requests};
    }
    const bool is_whole = result.requests == 1;
    if (is_whole && outcome.kind == Kind::bad && !outcome.names_lines) {
      result.last = probe(part, outcome, write, result.requests);
      if (result.last.kind != Kind::done) return result;
    }
    if (outcome.expired && outcome.others_stored && outcome.dropped) {
      result.expired += *outcome.dropped;
    } else if (is_settled(part, outcome)) {
      set_aside(part, outcome, result.bad);
    } else {
      auto [first, second] = cut(part, outcome.conflict);
      waiting.push_back(std::move(second));
      waiting.push_back(std::move(first));
    }
  }
  return result;
}

}  // namespace millstream::influx
