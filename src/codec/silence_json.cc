#include "codec/silence_json.h"

#include "base/limits.h"
#include "base/overloaded.h"
#include "base/time_text.h"
#include "codec/command_data.h"
#include "codec/event_json.h"
#include "codec/json_input.h"
#include "codec/object_members.h"
#include "codec/object_text.h"
#include "model/system_kind.h"

namespace millstream::codec {
namespace {

using model::Silence;
using simdjson::dom::element;

constexpr size_t kSubjectBytesMax = 1024;

void read_topic(ObjectMembers& in, const model::AccountId& account, Silence& silence) {
  std::string text;
  if (in.needs("topic")) in.text("topic", kTopicTextBytesMax, text);
  if (text.empty()) return;
  Result<model::TopicPattern> pattern = model::TopicPattern::parse(text);
  if (!pattern) return in.fail("topic", pattern.error().detail);
  if (pattern->account != account) return in.fail("topic", "account:" + account.text() + " is yours, and no other");
  silence.topic = std::move(*pattern);
}

void read_rules(ObjectMembers& in, Silence& silence) {
  in.list("rules", 0, model::kSilenceRulesMax, [&](element item, const std::string& place) {
    std::string_view id;
    if (!item.get(id) && model::is_name(id)) {
      silence.rules.emplace_back(id);
    } else if (!in.error()) {
      in.error() = Error{Code::invalid, place + ": not the id of a rule"};
    }
  });
}

void read_comment(ObjectMembers& in, Silence& silence) {
  std::string_view text;
  const auto found = in.find("comment");
  if (!found) return;
  if (found->get(text) || text.size() > model::kSilenceCommentBytesMax) {
    return in.fail("comment", "a string of at most " + std::to_string(model::kSilenceCommentBytesMax) + " bytes");
  }
  silence.comment = text;
}

void read_times(ObjectMembers& in, Silence& silence) {
  in.time("startsAt", silence.starts_at_ms);
  const bool has_end = in.find("endsAt").has_value();
  if (in.find("duration")) {
    if (has_end) return in.fail("duration", "there is an endsAt already");
    int64_t duration_ms = 0;
    in.duration("duration", 1000, model::kSilenceMsMax, duration_ms);
    silence.ends_at_ms = silence.starts_at_ms + duration_ms;
    // Later ones have no spelling, and what is stored must be read again.
    if (silence.ends_at_ms > kTimeMsMax) in.fail("duration", "ends after the year 9999");
    return;
  }
  if (!in.needs("endsAt")) return;
  in.time("endsAt", silence.ends_at_ms);
  if (silence.ends_at_ms <= silence.starts_at_ms) in.fail("endsAt", "not after startsAt");
  if (silence.ends_at_ms - silence.starts_at_ms > model::kSilenceMsMax) {
    in.fail("endsAt", "a silence lasts at most " + duration_text(model::kSilenceMsMax));
  }
}

void read_asked(ObjectMembers& in, const model::AccountId& account, Silence& silence) {
  read_topic(in, account, silence);
  read_rules(in, silence);
  read_times(in, silence);
  read_comment(in, silence);
}

}  // namespace

Result<Silence> parse_new_silence(std::string_view json, const model::AccountId& account, int64_t now_ms) {
  return parse_object(json, "silence", kSilenceBytesMax, Silence{}, [&](ObjectMembers& in, Silence& silence) {
    silence.starts_at_ms = silence.created_at_ms = now_ms;
    read_asked(in, account, silence);
    if (silence.ends_at_ms <= now_ms) in.fail(in.find("duration") ? "duration" : "endsAt", "has passed");
  });
}

Result<Silence> parse_silence(std::string_view json, const model::AccountId& account) {
  return parse_object(json, "silence", kSilenceBytesMax, Silence{}, [&](ObjectMembers& in, Silence& silence) {
    if (in.needs("id")) in.text("id", kNameBytesMax, silence.id);
    if (!model::is_name(silence.id)) in.fail("id", "not a name");
    in.text("createdBy", kSubjectBytesMax, silence.created_by);
    in.time("createdAt", silence.created_at_ms);
    read_asked(in, account, silence);
  });
}

std::string encode_silence(const Silence& silence) {
  std::string out;
  {
    ObjectText w(out);
    w.text("id", silence.id);
    w.text("topic", silence.topic.text());
    if (!silence.rules.empty()) {
      w.list("rules", silence.rules, [&](const std::string& id) { append_json_string(id, out); });
    }
    w.time("startsAt", silence.starts_at_ms);
    w.time("endsAt", silence.ends_at_ms);
    if (!silence.comment.empty()) w.text("comment", silence.comment);
    if (!silence.created_by.empty()) w.text("createdBy", silence.created_by);
    w.time("createdAt", silence.created_at_ms);
  }
  return out;
}

std::string encode_silence_command(const SilenceCommand& command) {
  std::string out;
  {
    ObjectText object(out);
    std::visit(Overloaded{[&](const SaveSilence& c) {
                            object.text("kind", model::kSilenceSavedKind);
                            object.key("silence") += encode_silence(c.silence);
                            object.text("by", c.by);
                          },
                          [&](const DeleteSilence& c) {
                            object.text("kind", model::kSilenceDeletedKind);
                            object.text("silenceId", c.silence_id);
                            object.text("by", c.by);
                          }},
               command);
  }
  return out;
}

Result<std::optional<SilenceCommand>> decode_silence_command(const model::Event& event) {
  const Result<CommandData> data = CommandData::of(event);
  if (!data) return data.error();
  const std::string kind = data->text("kind");
  std::string by = data->text("by");
  if (kind == model::kSilenceDeletedKind) {
    return std::optional<SilenceCommand>(DeleteSilence{data->text("silenceId"), std::move(by)});
  }
  if (kind != model::kSilenceSavedKind) return std::optional<SilenceCommand>();
  const Result<std::string> json = data->json("silence");
  if (!json) return json.error();
  Result<Silence> parsed = parse_silence(*json, event.topic.account);  // the tree is gone from here on
  if (!parsed) return parsed.error();
  return std::optional<SilenceCommand>(SaveSilence{std::move(*parsed), std::move(by)});
}

}  // namespace millstream::codec
