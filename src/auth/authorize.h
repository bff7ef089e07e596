// auth/authorize.h: the one place that decides who may see or do what.
//
// Flow     every endpoint: credential -> Grants (auth/authenticator.h) -> authorize_*() -> patterns it may use as they
// are. Errors   Code::forbidden naming the selector that is not allowed, in the words the caller used. Thread   value
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/grants.h"
#include "model/topic.h"

namespace millstream::auth {

// A credential that lists sites and devices allows their pairs; a request may not unfold into more patterns than this.
inline constexpr size_t kPatternsMax = 10'000;

// What a reader asks for, as parsed from a query. All empty: everything the credential allows. siteId and deviceId
// narrow the topics; alone they are a topic of their own (deviceId without siteId: that device on any allowed site).
struct Selection {
  std::vector<model::TopicPattern> topics = {};  // from topics=
  model::AccountId account = {};                 // from accountId=
  model::SiteId site = {};                       // from siteId=
  model::DeviceId device = {};                   // from deviceId=
};

// The patterns the caller may read: Selection within Grants. A selector that reaches outside the grants is refused by
// name, except that "*" (or a segment left out) means "all that I may see". Never empty on success; no pattern of the
// result is within another. Other errors: Code::invalid when the selectors exclude each other, Code::unprocessable
// above kPatternsMax.
Result<std::vector<model::TopicPattern>> authorize_read(const model::Grants& grants, const Selection& selection);

// May the holder write telemetry of this device? Needs Role::ingest (or admin).
Status authorize_ingest(const model::Grants& grants, const model::Topic& device);

// May the holder publish an event there? Needs Role::publish (or admin). On an inner topic (account, site) an event
// reaches everyone under it, so the grants must cover all of that.
Status authorize_publish(const model::Grants& grants, const model::Topic& topic);

// May the holder do what needs this role?
Status authorize_role(const model::Grants& grants, model::Role role);

// May the holder make a credential that allows this, or end one? Needs Role::admin, and all of it within its own.
Status authorize_giving(const model::Grants& holder, const model::Grants& given);

// May the holder silence alerts there? Needs Role::operator_ (or admin), and the grants must cover all of the pattern.
Status authorize_silence(const model::Grants& grants, const model::TopicPattern& topic);

// May the holder make, change or end a rule that looks at these devices? Needs Role::admin, and all of them within its
// own.
Status authorize_rule(const model::Grants& holder, const model::TopicPattern& scope);

// May the holder see this very topic? (for resources named by id)
bool may_read(const model::Grants& grants, const model::Topic& topic);
// May the holder see some of these devices? (for what is about all of them)
bool may_read(const model::Grants& grants, const model::TopicPattern& scope);

}  // namespace millstream::auth
