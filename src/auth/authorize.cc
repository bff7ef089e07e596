#include "auth/authorize.h"

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>

namespace millstream::auth {
namespace {

using model::DeviceId;
using model::Grants;
using model::NameOrAny;
using model::Role;
using model::SiteId;
using model::TopicPattern;

bool can_read(const Grants& grants) {
  return grants.roles.has(Role::viewer) || grants.roles.has(Role::operator_) || grants.roles.has(Role::admin);
}

Error not_allowed(const char* selector, const std::string& words) {
  return Error{Code::forbidden, std::string(selector) + " \"" + words + "\" is not allowed"};
}

template <class N>
bool allows(const std::vector<N>& granted, const N& name) {
  return granted.empty() || std::find(granted.begin(), granted.end(), name) != granted.end();
}

// The names one segment may take: a named one stands for itself, "*" for whatever was granted.
template <class N>
std::vector<NameOrAny<N>> names_of(const NameOrAny<N>& asked, const std::vector<N>& granted) {
  if (!asked.any() || granted.empty()) return {asked};
  std::vector<NameOrAny<N>> names;
  for (const N& name : granted) names.push_back({name});
  return names;
}

// Two wishes for one segment. Nothing fits both when they name different ones.
template <class N>
std::optional<NameOrAny<N>> both(const NameOrAny<N>& a, const NameOrAny<N>& b) {
  if (a.any()) return b;
  if (b.any() || a == b) return a;
  return std::nullopt;
}

// Whether any topic under the pattern is among those granted.
bool overlaps(const Grants& grants, const TopicPattern& pattern) {
  return pattern.account == grants.account && (pattern.site.any() || allows(grants.sites, pattern.site.name)) &&
         (pattern.device.any() || allows(grants.devices, pattern.device.name));
}

Status check_selectors(const Grants& grants, const Selection& selection) {
  if (!selection.account.empty() && selection.account != grants.account) {
    return not_allowed("accountId", selection.account.text());
  }
  if (!selection.site.empty() && !allows(grants.sites, selection.site)) {
    return not_allowed("siteId", selection.site.text());
  }
  if (!selection.device.empty() && !allows(grants.devices, selection.device)) {
    return not_allowed("deviceId", selection.device.text());
  }
  for (const TopicPattern& topic : selection.topics) {
    if (!overlaps(grants, topic)) return not_allowed("topic", topic.text());
  }
  return {};
}

// What was asked, each topic narrowed by siteId and deviceId.
std::set<TopicPattern> wanted_patterns(const Grants& grants, const Selection& selection) {
  const TopicPattern narrowing{grants.account, {selection.site}, {selection.device}};
  if (selection.topics.empty()) return {narrowing};
  std::set<TopicPattern> wanted;
  for (const TopicPattern& topic : selection.topics) {
    const auto site = both(topic.site, narrowing.site);
    const auto device = both(topic.device, narrowing.device);
    if (site && device) wanted.insert({grants.account, *site, *device});
  }
  return wanted;
}

// A pattern within another has the other among the three that say "*" more often: no need to compare all with all.
bool within_any(const TopicPattern& pattern, const std::set<TopicPattern>& all) {
  for (const bool any_site : {false, true}) {
    for (const bool any_device : {false, true}) {
      TopicPattern wider = pattern;
      if (any_site) wider.site = {};
      if (any_device) wider.device = {};
      if (wider != pattern && all.contains(wider)) return true;
    }
  }
  return false;
}

}  // namespace

Result<std::vector<TopicPattern>> authorize_read(const Grants& grants, const Selection& selection) {
  if (!can_read(grants)) return Error{Code::forbidden, "this credential may not read: it needs the role viewer"};
  if (Status s = check_selectors(grants, selection); !s) return s.error();

  const std::set<TopicPattern> wanted = wanted_patterns(grants, selection);
  if (wanted.empty()) return Error{Code::invalid, "siteId and deviceId leave nothing of the topics asked for"};
  std::set<TopicPattern> allowed;
  for (const TopicPattern& pattern : wanted) {
    const auto sites = names_of(pattern.site, grants.sites);
    const auto devices = names_of(pattern.device, grants.devices);
    if (allowed.size() + sites.size() * devices.size() > kPatternsMax) {
      return Error{Code::unprocessable, "too many pairs of sites and devices, at most " + std::to_string(kPatternsMax) +
                                            ": ask for fewer with siteId or topics"};
    }
    for (const auto& site : sites) {
      for (const auto& device : devices) allowed.insert({grants.account, site, device});
    }
  }
  std::vector<TopicPattern> reduced;
  for (const TopicPattern& pattern : allowed) {
    if (!within_any(pattern, allowed)) reduced.push_back(pattern);
  }
  return reduced;
}

Status authorize_ingest(const Grants& grants, const model::Topic& device) {
  if (!grants.roles.has(Role::ingest) && !grants.roles.has(Role::admin)) {
    return Error{Code::forbidden, "this credential may not write: it needs the role ingest"};
  }
  const bool inside = device.is_device() && device.account == grants.account && allows(grants.sites, device.site) &&
                      allows(grants.devices, device.device);
  if (!inside) return not_allowed("device", device.text());
  return {};
}

Status authorize_publish(const Grants& grants, const model::Topic& topic) {
  if (const Status role = authorize_role(grants, Role::publish); !role) return role;
  const bool site = topic.site.empty() ? grants.sites.empty() : allows(grants.sites, topic.site);
  const bool device = topic.device.empty() ? grants.devices.empty() : allows(grants.devices, topic.device);
  if (topic.account == grants.account && site && device) return {};
  return not_allowed("topic", topic.text());
}

namespace {
// Whether all that this pattern takes is among what was granted.
template <class N>
bool covers(const std::vector<N>& granted, const NameOrAny<N>& asked) {
  return granted.empty() || (!asked.any() && allows(granted, asked.name));
}
bool covers(const Grants& grants, const TopicPattern& pattern) {
  return pattern.account == grants.account && covers(grants.sites, pattern.site) &&
         covers(grants.devices, pattern.device);
}
}  // namespace

Status authorize_silence(const Grants& grants, const TopicPattern& topic) {
  if (const Status role = authorize_role(grants, Role::operator_); !role) return role;
  return covers(grants, topic) ? Status() : Status(not_allowed("topic", topic.text()));
}

Status authorize_role(const Grants& grants, Role role) {
  const bool implied = grants.roles.has(Role::admin) || (role == Role::viewer && grants.roles.has(Role::operator_));
  if (grants.roles.has(role) || implied) return {};
  return Error{Code::forbidden, "this needs the role " + std::string(model::role_name(role))};
}

namespace {
// Whether the names given are among those that the holder has; an empty list is all of them.
template <class N>
bool within(const std::vector<N>& given, const std::vector<N>& own) {
  if (own.empty()) return true;
  const std::unordered_set<N> names(own.begin(), own.end());
  return !given.empty() && std::all_of(given.begin(), given.end(), [&](const N& name) { return names.contains(name); });
}
}  // namespace

Status authorize_giving(const Grants& holder, const Grants& given) {
  if (const Status admin = authorize_role(holder, Role::admin); !admin) return admin;
  if (given.account != holder.account) return not_allowed("account", given.account.text());
  if (!within(given.sites, holder.sites)) return Error{Code::forbidden, "sites: not within this credential's own"};
  if (!within(given.devices, holder.devices))
    return Error{Code::forbidden, "devices: not within this credential's own"};
  return {};
}

Status authorize_rule(const Grants& holder, const TopicPattern& scope) {
  if (const Status admin = authorize_role(holder, Role::admin); !admin) return admin;
  if (covers(holder, scope)) return {};
  return Error{Code::forbidden, "scope.topic: \"" + scope.text() + "\" is not within this credential's own"};
}

bool may_read(const Grants& grants, const model::Topic& topic) {
  if (!can_read(grants) || topic.account != grants.account) return false;
  if (topic.site.empty()) return true;
  if (!allows(grants.sites, topic.site)) return false;
  return topic.device.empty() || allows(grants.devices, topic.device);
}

bool may_read(const Grants& grants, const TopicPattern& pattern) {
  return can_read(grants) && overlaps(grants, pattern);
}

}  // namespace millstream::auth
