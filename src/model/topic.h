// model/topic.h: where an event sits, and which places a viewer asks for.
//
// Shapes   Topic "account:1/site:2/device:3", or an inner one ("account:1", "account:1/site:2").
//          TopicPattern: the same with "*" for a whole segment, or stopping early ("account:1/site:2" = all under it).
//          Each name is [A-Za-z0-9._-]{1,64}; nothing else parses, so no name can carry syntax.
// Thread   value
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "base/result.h"

namespace millstream::model {

bool is_name(std::string_view text);

// A checked name whose kind is part of its type, so that swapped arguments do not compile.
template <class Kind>
class Name {
 public:
  Name() = default;  // empty: "not given"

  static Result<Name> parse(std::string_view text) {
    if (!is_name(text)) return Error{Code::invalid, "a name is 1 to 64 of A-Z a-z 0-9 . _ -"};
    return Name(std::string(text));
  }
  bool empty() const { return text_.empty(); }
  const std::string& text() const { return text_; }
  auto operator<=>(const Name&) const = default;

 private:
  explicit Name(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

using AccountId = Name<struct AccountKind>;
using SiteId = Name<struct SiteKind>;
using DeviceId = Name<struct DeviceKind>;

struct Topic {
  AccountId account;  // never empty
  SiteId site;        // empty: the account itself
  DeviceId device;    // empty: the site itself; never set without a site

  static Result<Topic> parse(std::string_view text);
  std::string text() const;
  void append_text(std::string& out) const;
  bool is_device() const { return !device.empty(); }
  auto operator<=>(const Topic&) const = default;
  // Topics that differ mostly differ in the device.
  bool operator==(const Topic& other) const {
    return device == other.device && site == other.site && account == other.account;
  }
};

// One segment of a pattern: a name or "*". "Stops early" and "*" on every deeper segment mean the same and are
// stored the same, so equal meanings compare equal.
template <class N>
struct NameOrAny {
  N name;  // empty: any
  bool any() const { return name.empty(); }
  bool takes(const N& other) const { return name.empty() || name == other; }
  auto operator<=>(const NameOrAny&) const = default;
};

struct TopicPattern {
  AccountId account;  // never "*": a viewer belongs to one account
  NameOrAny<SiteId> site;
  NameOrAny<DeviceId> device;

  // "account:*" does not parse: the account is always named.
  static Result<TopicPattern> parse(std::string_view text);
  static TopicPattern all_of(AccountId account) { return TopicPattern{std::move(account), {}, {}}; }
  std::string text() const;  // "account:1/site:*/device:*"

  // True when an event on `topic` reaches a subscription to this pattern: the topic's subtree and the pattern overlap.
  // An inner topic ("account:1": a maintenance banner) reaches every pattern under it.
  bool matches(const Topic& topic) const;
  // True when every device topic this pattern takes is also taken by `other`.
  bool within(const TopicPattern& other) const;
  // True when some device topic is taken by both.
  bool overlaps(const TopicPattern& other) const;
  auto operator<=>(const TopicPattern&) const = default;
};

}  // namespace millstream::model

template <class Kind>
struct std::hash<millstream::model::Name<Kind>> {
  size_t operator()(const millstream::model::Name<Kind>& name) const { return millstream::hash_bytes(name.text(), 0); }
};
template <>
struct std::hash<millstream::model::Topic> {
  size_t operator()(const millstream::model::Topic& t) const {
    using millstream::hash_bytes;
    return hash_bytes(t.device.text(), hash_bytes(t.site.text(), hash_bytes(t.account.text(), 0)));
  }
};
