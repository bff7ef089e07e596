#include "model/topic.h"

#include <algorithm>
#include <array>

#include "base/limits.h"

namespace millstream::model {
namespace {

constexpr std::array<bool, 256> make_name_table() {
  std::array<bool, 256> table{};
  for (unsigned c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = true;
  table['.'] = table['_'] = table['-'] = true;
  return table;
}
constexpr std::array<bool, 256> kNameByte = make_name_table();

constexpr std::string_view kLabels[] = {"account:", "site:", "device:"};

// Cuts "account:a/site:s/device:d" into its names; `names` beyond the last segment stay empty.
// Gives back how many segments there were.
Result<size_t> split(std::string_view text, std::array<std::string_view, 3>& names) {
  size_t count = 0;
  while (true) {
    if (count == 3) return Error{Code::invalid, "a topic has at most three segments: account, site, device"};
    const size_t slash = text.find('/');
    const std::string_view segment = text.substr(0, slash);
    const std::string_view label = kLabels[count];
    if (!segment.starts_with(label)) {
      return Error{Code::invalid,
                   "segment " + std::to_string(count + 1) + " must start with \"" + std::string(label) + "\""};
    }
    names[count] = segment.substr(label.size());
    ++count;
    if (slash == std::string_view::npos) return count;
    text.remove_prefix(slash + 1);
  }
}

template <class N>
Status assign_name(std::string_view text, const char* which, N& out) {
  Result<N> name = N::parse(text);
  if (!name) return Error{Code::invalid, std::string(which) + ": " + name.error().detail};
  out = std::move(*name);
  return {};
}

}  // namespace

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kNameBytesMax) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return kNameByte[static_cast<unsigned char>(c)]; });
}

Result<Topic> Topic::parse(std::string_view text) {
  std::array<std::string_view, 3> names;
  const Result<size_t> count = split(text, names);
  if (!count) return count.error();
  Topic topic;
  if (Status s = assign_name(names[0], "account", topic.account); !s) return s.error();
  if (*count > 1) {
    if (Status s = assign_name(names[1], "site", topic.site); !s) return s.error();
  }
  if (*count > 2) {
    if (Status s = assign_name(names[2], "device", topic.device); !s) return s.error();
  }
  return topic;
}

void Topic::append_text(std::string& out) const {
  out += "account:";
  out += account.text();
  if (site.empty()) return;
  out += "/site:";
  out += site.text();
  if (device.empty()) return;
  out += "/device:";
  out += device.text();
}

std::string Topic::text() const {
  std::string out;
  append_text(out);
  return out;
}

Result<TopicPattern> TopicPattern::parse(std::string_view text) {
  std::array<std::string_view, 3> names;
  const Result<size_t> count = split(text, names);
  if (!count) return count.error();
  TopicPattern pattern;
  if (names[0] == "*") return Error{Code::invalid, "account: the account must be named, \"*\" is not allowed here"};
  if (Status s = assign_name(names[0], "account", pattern.account); !s) return s.error();
  if (*count > 1 && names[1] != "*") {
    if (Status s = assign_name(names[1], "site", pattern.site.name); !s) return s.error();
  }
  if (*count > 2 && names[2] != "*") {
    if (Status s = assign_name(names[2], "device", pattern.device.name); !s) return s.error();
  }
  return pattern;
}

std::string TopicPattern::text() const {
  std::string out = "account:" + account.text() + "/site:";
  out += site.any() ? "*" : site.name.text();
  out += "/device:";
  out += device.any() ? "*" : device.name.text();
  return out;
}

bool TopicPattern::matches(const Topic& topic) const {
  if (account != topic.account) return false;
  if (topic.site.empty()) return true;
  if (!site.takes(topic.site)) return false;
  return topic.device.empty() || device.takes(topic.device);
}

bool TopicPattern::within(const TopicPattern& other) const {
  return account == other.account && (other.site.any() || site == other.site) &&
         (other.device.any() || device == other.device);
}

bool TopicPattern::overlaps(const TopicPattern& other) const {
  const auto meet = [](const auto& a, const auto& b) { return a.any() || b.any() || a == b; };
  return account == other.account && meet(site, other.site) && meet(device, other.device);
}

}  // namespace millstream::model
