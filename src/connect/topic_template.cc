#include "connect/topic_template.h"

#include <algorithm>

namespace millstream::connect {
namespace {

constexpr size_t kTemplateBytesMax = 1024;

// The first level of `rest`, which is then what comes behind it; none behind the last.
std::string_view next_level(std::optional<std::string_view>& rest) {
  const size_t slash = rest->find('/');
  const std::string_view level = rest->substr(0, slash);
  rest = slash == std::string_view::npos ? std::nullopt : std::optional(rest->substr(slash + 1));
  return level;
}

}  // namespace

Result<TopicTemplate::Level> TopicTemplate::parse_level(std::string_view text) {
  if (text == "+") return Level{Kind::any, {}};
  if (text == "{account}") return Level{Kind::account, {}};
  if (text == "{site}") return Level{Kind::site, {}};
  if (text == "{device}") return Level{Kind::device, {}};
  const std::string quoted = "\"" + std::string(text) + "\"";
  if (text.find('#') != std::string_view::npos) {
    return Error{Code::invalid, quoted + ": # is not taken; say each level, with + for those that do not matter"};
  }
  if (text.find_first_of("+{}") != std::string_view::npos) {
    return Error{Code::invalid, quoted + ": a level is text, +, {account}, {site} or {device}"};
  }
  return Level{Kind::text, std::string(text)};
}

Result<TopicTemplate> TopicTemplate::parse(std::string_view text) {
  if (text.empty() || text.size() > kTemplateBytesMax || text.find('\0') != std::string_view::npos) {
    return Error{Code::invalid, "must have 1 to " + std::to_string(kTemplateBytesMax) + " bytes, none of them 0"};
  }
  if (text.front() == '$') return Error{Code::invalid, "topics that begin with $ are the broker's own"};
  TopicTemplate made;
  for (std::optional<std::string_view> rest = text; rest;) {
    Result<Level> level = parse_level(next_level(rest));
    if (!level) return level.error();
    const bool place = level->kind != Kind::text && level->kind != Kind::any;
    if (place && made.has(level->kind)) return Error{Code::invalid, "a name in braces stands there twice"};
    if (!made.levels_.empty()) made.filter_ += '/';
    made.filter_ += level->kind == Kind::text ? level->text : "+";
    made.levels_.push_back(std::move(*level));
  }
  return made;
}

bool TopicTemplate::has(Kind kind) const {
  return std::any_of(levels_.begin(), levels_.end(), [kind](const Level& level) { return level.kind == kind; });
}

std::optional<TopicPlaces> TopicTemplate::match(std::string_view topic) const {
  TopicPlaces places;
  std::optional<std::string_view> rest = topic;
  for (const Level& level : levels_) {
    if (!rest) return std::nullopt;
    const std::string_view text = next_level(rest);
    const bool named = level.kind != Kind::any && (level.kind != Kind::text || !level.text.empty());
    if (named && text.empty()) return std::nullopt;  // or "a//d" would be of no account, and so of the default one
    switch (level.kind) {
      case Kind::any: break;
      case Kind::account: places.account = text; break;
      case Kind::site: places.site = text; break;
      case Kind::device: places.device = text; break;
      case Kind::text:
        if (text != level.text) return std::nullopt;
    }
  }
  if (rest) return std::nullopt;
  return places;
}

}  // namespace millstream::connect
