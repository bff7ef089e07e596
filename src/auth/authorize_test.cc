#include "auth/authorize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace millstream::auth {
namespace {

using model::AccountId;
using model::DeviceId;
using model::Grants;
using model::Role;
using model::SiteId;
using model::Topic;
using model::TopicPattern;
using testing::HasSubstr;

AccountId account(std::string_view text) { return AccountId::parse(text).value(); }
SiteId site(std::string_view text) { return SiteId::parse(text).value(); }
DeviceId device(std::string_view text) { return DeviceId::parse(text).value(); }
Topic topic(std::string_view text) { return Topic::parse(text).value(); }
TopicPattern pattern(std::string_view text) { return TopicPattern::parse(text).value(); }

Grants viewer_of(std::string_view name) {
  Grants grants;
  grants.account = account(name);
  grants.roles = model::Roles().with(Role::viewer);
  return grants;
}

std::vector<std::string> texts(const std::vector<TopicPattern>& patterns) {
  std::vector<std::string> out;
  for (const TopicPattern& p : patterns) out.push_back(p.text());
  return out;
}

TEST(Authorize, NothingAskedMeansEverythingTheCredentialAllows) {
  Grants grants = viewer_of("1");
  EXPECT_THAT(texts(authorize_read(grants, {}).value()), testing::ElementsAre("account:1/site:*/device:*"));
  grants.sites = {site("a"), site("b"), site("a")};
  grants.devices = {device("x"), device("y")};
  EXPECT_THAT(texts(authorize_read(grants, {}).value()),
              testing::UnorderedElementsAre("account:1/site:a/device:x", "account:1/site:a/device:y",
                                            "account:1/site:b/device:x", "account:1/site:b/device:y"));
}

TEST(Authorize, DeviceWithoutSiteIsThatDeviceOnAnyAllowedSite) {
  Grants grants = viewer_of("1");
  grants.sites = {site("a"), site("b")};
  EXPECT_THAT(texts(authorize_read(grants, {.device = device("x")}).value()),
              testing::UnorderedElementsAre("account:1/site:a/device:x", "account:1/site:b/device:x"));
}

TEST(Authorize, PatternsWithinOthersAreLeftOut) {
  const Grants grants = viewer_of("1");
  const Selection selection{.topics = {pattern("account:1/site:a/device:x"), pattern("account:1/site:a"),
                                       pattern("account:1/site:*/device:x")}};
  EXPECT_THAT(texts(authorize_read(grants, selection).value()),
              testing::UnorderedElementsAre("account:1/site:a/device:*", "account:1/site:*/device:x"));
}

TEST(Authorize, SelectorOutsideTheGrantsIsNamedInTheCallersWords) {
  Grants grants = viewer_of("1");
  grants.sites = {site("a")};
  grants.devices = {device("x")};
  const auto denied = [&](const Selection& selection) {
    const auto result = authorize_read(grants, selection);
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, Code::forbidden);
    return result.error().detail;
  };
  EXPECT_THAT(denied({.account = account("2")}), HasSubstr("accountId \"2\""));
  EXPECT_THAT(denied({.site = site("b")}), HasSubstr("siteId \"b\""));
  EXPECT_THAT(denied({.device = device("z")}), HasSubstr("deviceId \"z\""));
  EXPECT_THAT(denied({.topics = {pattern("account:1/site:a"), pattern("account:2/site:a")}}),
              HasSubstr("topic \"account:2/site:a"));
  EXPECT_THAT(denied({.topics = {pattern("account:1/site:b/device:x")}}), HasSubstr("account:1/site:b/device:x"));
}

TEST(Authorize, SelectorsThatExcludeEachOtherAreAnErrorNotEverything) {
  const auto result = authorize_read(viewer_of("1"), {.topics = {pattern("account:1/site:a")}, .site = site("b")});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::invalid);
}

TEST(Authorize, TooManyPairsAreRefusedBeforeTheyAreMade) {
  Grants grants = viewer_of("1");
  for (int i = 0; i < 101; ++i) {
    grants.sites.push_back(site("s" + std::to_string(i)));
    grants.devices.push_back(device("d" + std::to_string(i)));
  }
  const auto result = authorize_read(grants, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::unprocessable);
  EXPECT_EQ(authorize_read(grants, {.site = site("s7")}).value().size(), 101u);
}

TEST(Authorize, RolesImplyWhatTheyShould) {
  struct Row {
    Role held;
    bool viewer, operator_, admin, ingest, publish;
  };
  const Row rows[] = {{Role::viewer, true, false, false, false, false},
                      {Role::operator_, true, true, false, false, false},
                      {Role::admin, true, true, true, true, true},
                      {Role::ingest, false, false, false, true, false},
                      {Role::publish, false, false, false, false, true}};
  for (const Row& row : rows) {
    SCOPED_TRACE(model::role_name(row.held));
    Grants grants = viewer_of("1");
    grants.roles = model::Roles().with(row.held);
    EXPECT_EQ(authorize_role(grants, Role::viewer).ok(), row.viewer);
    EXPECT_EQ(authorize_role(grants, Role::operator_).ok(), row.operator_);
    EXPECT_EQ(authorize_role(grants, Role::admin).ok(), row.admin);
    EXPECT_EQ(authorize_role(grants, Role::ingest).ok(), row.ingest);
    EXPECT_EQ(authorize_role(grants, Role::publish).ok(), row.publish);
    EXPECT_EQ(authorize_read(grants, {}).ok(), row.viewer);
    EXPECT_EQ(may_read(grants, topic("account:1/site:a/device:x")), row.viewer);
    EXPECT_EQ(authorize_ingest(grants, topic("account:1/site:a/device:x")).ok(), row.ingest);
    EXPECT_EQ(authorize_publish(grants, topic("account:1/site:a/device:x")).ok(), row.publish);
  }
}

TEST(Authorize, IngestStaysWithinAccountSitesAndDevices) {
  Grants grants = viewer_of("1");
  grants.roles = model::Roles().with(Role::ingest);
  grants.sites = {site("a")};
  grants.devices = {device("x")};
  EXPECT_TRUE(authorize_ingest(grants, topic("account:1/site:a/device:x")).ok());
  for (const char* text : {"account:2/site:a/device:x", "account:1/site:b/device:x", "account:1/site:a/device:y",
                           "account:1/site:a", "account:1"}) {
    EXPECT_FALSE(authorize_ingest(grants, topic(text)).ok()) << text;
  }
}

TEST(Authorize, PublishingNeedsAllThatATopicReaches) {
  Grants grants = viewer_of("1");
  grants.roles = model::Roles().with(Role::publish);
  const auto may = [&](const char* text) { return authorize_publish(grants, topic(text)).ok(); };
  for (const char* text : {"account:1", "account:1/site:a", "account:1/site:a/device:x"})
    EXPECT_TRUE(may(text)) << text;
  for (const char* text : {"account:2", "account:2/site:a/device:x"}) EXPECT_FALSE(may(text)) << text;
  grants.sites = {site("a")};
  for (const char* text : {"account:1/site:a", "account:1/site:a/device:x"}) EXPECT_TRUE(may(text)) << text;
  for (const char* text : {"account:1", "account:1/site:b", "account:1/site:b/device:x"})
    EXPECT_FALSE(may(text)) << text;
  grants.devices = {device("x")};
  EXPECT_TRUE(may("account:1/site:a/device:x"));
  for (const char* text : {"account:1", "account:1/site:a", "account:1/site:a/device:y"})
    EXPECT_FALSE(may(text)) << text;
  grants.sites = {};
  EXPECT_TRUE(may("account:1/site:b/device:x"));
  for (const char* text : {"account:1", "account:1/site:b"}) EXPECT_FALSE(may(text)) << text;
  grants.devices = {};
  for (const Role role : {Role::viewer, Role::operator_, Role::ingest}) {
    grants.roles = model::Roles().with(role);
    EXPECT_EQ(authorize_publish(grants, topic("account:1")).error().code, Code::forbidden);
  }
  EXPECT_EQ(authorize_publish(grants, topic("account:2")).error().detail, "this needs the role publish");
  grants.roles = model::Roles().with(Role::admin);
  EXPECT_TRUE(may("account:1"));
  EXPECT_EQ(authorize_publish(grants, topic("account:2/site:a")).error().detail,
            "topic \"account:2/site:a\" is not allowed");
}

TEST(Authorize, ASilenceNeedsAllThatItCoversAndIsSeenByWhoeverItConcerns) {
  Grants grants = viewer_of("1");
  EXPECT_EQ(authorize_silence(grants, pattern("account:1")).error().detail, "this needs the role operator");
  grants.roles = model::Roles().with(Role::operator_);
  struct Row {
    const char* topic;
    bool whole_account, one_site, one_device, seen;  // seen by the last
  };
  for (const Row& row :
       {Row{"account:1", true, false, false, true}, Row{"account:1/site:a", true, true, false, true},
        Row{"account:1/site:b", true, false, false, false}, Row{"account:1/site:*/device:x", true, false, false, true},
        Row{"account:1/site:a/device:x", true, true, true, true},
        Row{"account:1/site:a/device:y", true, true, false, false}, Row{"account:2", false, false, false, false},
        Row{"account:2/site:a/device:x", false, false, false, false}}) {
    SCOPED_TRACE(row.topic);
    Grants narrow = grants;
    EXPECT_EQ(authorize_silence(narrow, pattern(row.topic)).ok(), row.whole_account);
    narrow.sites = {site("a")};
    EXPECT_EQ(authorize_silence(narrow, pattern(row.topic)).ok(), row.one_site);
    narrow.devices = {device("x")};
    EXPECT_EQ(authorize_silence(narrow, pattern(row.topic)).ok(), row.one_device);
    EXPECT_EQ(may_read(narrow, pattern(row.topic)), row.seen);
    narrow.roles = model::Roles().with(Role::ingest);
    EXPECT_FALSE(may_read(narrow, pattern(row.topic)));
  }
}

TEST(Authorize, InnerTopicsAreReadByThoseUnderThem) {
  Grants grants = viewer_of("1");
  grants.sites = {site("a")};
  grants.devices = {device("x")};
  EXPECT_TRUE(may_read(grants, topic("account:1")));
  EXPECT_TRUE(may_read(grants, topic("account:1/site:a")));
  EXPECT_FALSE(may_read(grants, topic("account:1/site:b")));
  EXPECT_FALSE(may_read(grants, topic("account:2")));
}

// A world so small that everything collides: 2 accounts, 3 sites, 3 devices.
class SmallWorld {
 public:
  explicit SmallWorld(unsigned seed) : random_(seed) {}

  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  AccountId an_account() { return account(pick(5) == 0 ? "2" : "1"); }
  SiteId a_site() { return site(std::string(1, static_cast<char>('a' + pick(3)))); }
  DeviceId a_device() { return device(std::string(1, static_cast<char>('x' + pick(3)))); }

  Grants grants() {
    Grants grants = viewer_of("1");
    grants.account = an_account();
    grants.roles = model::Roles().with(static_cast<Role>(pick(model::kRoles)));
    for (int n = pick(3); n > 0; --n) grants.sites.push_back(a_site());
    for (int n = pick(3); n > 0; --n) grants.devices.push_back(a_device());
    return grants;
  }
  TopicPattern a_pattern() {
    TopicPattern p{an_account(), {}, {}};
    if (pick(2)) p.site.name = a_site();
    if (pick(2)) p.device.name = a_device();
    return p;
  }
  Selection selection() {
    Selection s;
    for (int n = pick(3); n > 0; --n) s.topics.push_back(a_pattern());
    if (pick(4) == 0) s.account = an_account();
    if (pick(4) == 0) s.site = a_site();
    if (pick(4) == 0) s.device = a_device();
    return s;
  }
  Topic a_topic() {
    Topic t{an_account(), {}, {}};
    if (pick(6) == 0) return t;
    t.site = a_site();
    if (pick(6) != 0) t.device = a_device();
    return t;
  }

 private:
  std::mt19937 random_;
};

// The model: says of one device at a time, by the words of the contract alone, whether it may be seen and was asked
// for.
template <class N>
bool listed(const std::vector<N>& names, const N& name) {
  return names.empty() || std::count(names.begin(), names.end(), name) > 0;
}
bool model_allowed(const Grants& g, const Topic& d) {
  const bool reads = g.roles.has(Role::viewer) || g.roles.has(Role::operator_) || g.roles.has(Role::admin);
  return reads && d.account == g.account && listed(g.sites, d.site) && listed(g.devices, d.device);
}
bool model_asked(const Selection& s, const Topic& d) {
  const auto takes = [&](const TopicPattern& p) {
    return p.account == d.account && (p.site.any() || p.site.name == d.site) &&
           (p.device.any() || p.device.name == d.device);
  };
  return (s.topics.empty() || std::any_of(s.topics.begin(), s.topics.end(), takes)) &&
         (s.site.empty() || s.site == d.site) && (s.device.empty() || s.device == d.device);
}
// A selector reaches outside when it names something that the credential does not hold.
bool model_outside(const Grants& g, const Selection& s) {
  const auto outside = [&](const TopicPattern& p) {
    return p.account != g.account || (!p.site.any() && !listed(g.sites, p.site.name)) ||
           (!p.device.any() && !listed(g.devices, p.device.name));
  };
  return (!s.account.empty() && s.account != g.account) || (!s.site.empty() && !listed(g.sites, s.site)) ||
         (!s.device.empty() && !listed(g.devices, s.device)) || std::any_of(s.topics.begin(), s.topics.end(), outside);
}
// An inner topic is seen by whoever sees any device that could be under it.
bool model_seen(const Grants& g, const Selection& s, const Topic& t) {
  for (const char* site_name : {"a", "b", "c"}) {
    for (const char* device_name : {"x", "y", "z"}) {
      const Topic d{t.account, site(site_name), device(device_name)};
      const bool under = (t.site.empty() || t.site == d.site) && (t.device.empty() || t.device == d.device);
      if (under && model_allowed(g, d) && model_asked(s, d)) return true;
    }
  }
  return false;
}

TEST(Authorize, AgreesWithTheNaiveModelOnRandomTriples) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  SmallWorld world(seed);
  int granted = 0;
  for (int i = 0; i < 50'000; ++i) {
    const Grants g = world.grants();
    const Selection s = world.selection();
    const Result<std::vector<TopicPattern>> result = authorize_read(g, s);
    bool anything = false;
    for (int n = 0; n < 20; ++n) {
      const Topic t = world.a_topic();
      const bool seen = model_seen(g, s, t);
      anything |= seen;
      const bool delivered =
          result && std::any_of(result->begin(), result->end(), [&](const TopicPattern& p) { return p.matches(t); });
      ASSERT_EQ(delivered, seen && !model_outside(g, s)) << t.text() << " in round " << i;
      ASSERT_EQ(may_read(g, t), model_seen(g, {}, t)) << t.text() << " in round " << i;
    }
    if (!result) {
      // Refused for a reason: something outside, no reading role, or selectors that exclude each other.
      if (result.error().code == Code::invalid) {
        ASSERT_FALSE(anything);
      }
      continue;
    }
    ++granted;
    ASSERT_FALSE(result->empty());
    for (const TopicPattern& p : *result) {
      const auto around = [&](const TopicPattern& other) { return p.within(other); };
      ASSERT_EQ(std::count_if(result->begin(), result->end(), around), 1) << p.text() << " in round " << i;
    }
  }
  EXPECT_GT(granted, 5'000);
}

// What a rule may look at, against the naive model: every device it could ever cover, or any.
TEST(Authorize, ARuleIsMadeForOnesOwnDevicesAndSeenByWhoeverSeesOneOfThem) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  SmallWorld world(seed);
  int made = 0, refused = 0, seen_partly = 0;
  for (int i = 0; i < 20'000; ++i) {
    Grants g = world.grants();
    g.roles = model::Roles().with(Role::admin);
    for (const char* text : {"account:1", "account:1/site:a", "account:1/site:*/device:x", "account:1/site:b/device:y",
                             "account:2", "account:2/site:c/device:z"}) {
      const TopicPattern scope = pattern(text);
      bool all = true, some = false;
      for (const char* site_name : {"a", "b", "c", "never granted"}) {
        for (const char* device_name : {"x", "y", "z", "never granted"}) {
          const auto named = [](const auto& segment, const char* name) {
            return segment.any() || segment.name.text() == name;
          };
          if (!named(scope.site, site_name) || !named(scope.device, device_name)) continue;
          const auto has = [](const auto& granted, const char* name) {
            return granted.empty() ||
                   std::any_of(granted.begin(), granted.end(), [&](const auto& n) { return n.text() == name; });
          };
          const bool mine = scope.account == g.account && has(g.sites, site_name) && has(g.devices, device_name);
          all &= mine;
          some |= mine;
        }
      }
      ASSERT_EQ(authorize_rule(g, scope).ok(), all) << text << " in round " << i;
      ASSERT_EQ(may_read(g, scope), some) << text << " in round " << i;
      (all ? made : refused) += 1;
      seen_partly += some && !all ? 1 : 0;
    }
    g.roles = model::Roles().with(Role::operator_);
    ASSERT_FALSE(authorize_rule(g, TopicPattern::all_of(g.account)).ok());
    g.roles = model::Roles().with(Role::ingest);
    ASSERT_FALSE(may_read(g, TopicPattern::all_of(g.account)));
  }
  EXPECT_GT(made, 1'000);
  EXPECT_GT(refused, 1'000);
  EXPECT_GT(seen_partly, 1'000);
}

}  // namespace
}  // namespace millstream::auth
