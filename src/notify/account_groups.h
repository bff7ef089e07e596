// notify/account_groups.h: one account's alerts in the groups that its rules' policies make of them, and when each
// group is to be told of.
//
// Flow     on_alert() and the rest note what has become news; on_deadline() tells the groups whose time has come.
// Rules    A group is a policy (channel, times, what it is grouped by) and the values it is grouped by; rules with the
//          same policy share groups. It is told of group_wait after it came to have news, and no sooner than
//          group_interval after it was last told of; again after repeat while something in it is open.
//          News: an alert that was not told yet; one that rose above the severity it was told with, or above that it
//          was acknowledged at; one that began to flap; the end of one that was told.
//          Acknowledged: not told if it was not yet, and not repeated. Flapping: told once, not repeated.
//          Silenced: as if it were not there, until the silence ends; then what is still open, or has ended meanwhile
//          though it had been told, is told.
//          Alerts of a (rule, device) are one alert: one that resolved and fired again between two notifications is no
//          news.
// Limits   kNotifiedAlertsMax alerts in a notification; the others are counted.
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/notification.h"
#include "model/rule.h"
#include "model/state_text.h"
#include "notify/silences.h"

namespace millstream::notify {

inline constexpr size_t kNotifiedAlertsMax = 1000;
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

using AlertKey = std::pair<std::string, model::Topic>;  // rule id, device

class AccountGroups;
struct Group {
  struct Member {
    bool told = false;
    model::AlertIdentity told_as = {};
    bool told_flapping = false;
    int64_t left_at_ms = kNever;  // it is of another group now, by its severity
  };
  std::string key;
  model::NotifyPolicy policy;
  model::Topic topic;
  model::Tags labels;
  std::map<AlertKey, Member> members;
  int64_t news_at_ms = kNever;  // since when there is something to tell
  int64_t told_at_ms = kNever;  // never: not yet
  int64_t repeat_at_ms = kNever;
  int64_t due_ms = kNever;
};

struct ByKey {
  bool operator()(const Group* a, const Group* b) const { return a->key < b->key; }
};
using GroupSet = std::set<Group*, ByKey>;

// When time alone changes something. No group: a silence of the account ends.
struct Due {
  int64_t ms;
  AccountGroups* account;
  Group* group;
  bool operator<(const Due& other) const;  // by (time, account, silences first, group key)
};
using Dues = std::set<Due>;

class AccountGroups {
 public:
  // `dues` outlives this.
  AccountGroups(model::AccountId account, Dues& dues) : account_(std::move(account)), dues_(dues) {}
  ~AccountGroups();
  AccountGroups(const AccountGroups&) = delete;
  AccountGroups& operator=(const AccountGroups&) = delete;

  const model::AccountId& account() const { return account_; }

  // Open alerts move to the groups they belong to now; those of no group any more are told of no more.
  void set_policies(const std::string& rule_id, std::vector<model::NotifyPolicy> policies, int64_t now_ms);
  // Its alerts are about to be resolved, and whoever was told of one is told of that.
  void remove_rule(const std::string& rule_id) { policies_.erase(rule_id); }
  std::vector<std::string> rule_ids() const;
  void on_alert(const model::Topic& device, model::Alert alert, int64_t now_ms);
  // One that is known by its id is as it was: nobody changes a silence.
  void put_silence(model::Silence silence, int64_t now_ms);
  void remove_silence(const std::string& id, int64_t now_ms);
  std::vector<std::string> silence_ids() const;
  // Nothing was told from then on: what came due meanwhile comes due now, once.
  void resume(int64_t now_ms);

  // Precondition: `due` was of this account and has been taken from the list.
  void on_deadline(const Due& due, std::vector<model::Notification>& out);
  // What there is to say of the group of this key.
  void fill(model::Notification& notification, int64_t now_ms);

  void save(model::StateWriter& writer) const;
  bool load(model::StateReader& reader);

 private:
  struct Tracked {
    model::Alert alert;
    bool open = true;
    bool stale = false;
    model::Severity acked_at = model::Severity::info;
    GroupSet groups;
  };
  using Entry = std::pair<const AlertKey, Tracked>;

  bool silenced(const AlertKey& key, int64_t now_ms) const;
  static bool is_over(const Tracked& tracked, const Group::Member& member);
  bool is_news(const Entry& entry, const Group& group, const Group::Member& member, int64_t now_ms) const;
  bool wants_repeat(const Entry& entry, const Group::Member& member, int64_t now_ms) const;

  Group& group_of(const model::NotifyPolicy& policy, const Entry& entry);
  GroupSet wanted_groups(const Entry& entry);
  void place(Entry& entry, bool policies_changed, int64_t now_ms);
  void touch(const Entry& entry, Group& group, int64_t now_ms);
  void touch_named(const Silences& gone, int64_t now_ms);
  void set_due(Group& group);
  void set_silence_due();
  void leave(Entry& entry, Group& group);
  void forget_if_over(const AlertKey& key);
  void drop_if_empty(Group& group);

  void tell(Group& group, int64_t now_ms, std::vector<model::Notification>& out);
  model::Notification compose(const Group& group, int64_t now_ms) const;
  void note_told(Group& group, int64_t now_ms);
  void sweep(Group& group, int64_t now_ms);
  bool load_group(model::StateReader& reader);

  const model::AccountId account_;
  Dues& dues_;
  std::map<std::string, std::vector<model::NotifyPolicy>> policies_;  // by rule id
  Silences silences_;
  std::map<AlertKey, Tracked> alerts_;   // open, or their end is still to be told
  std::map<std::string, Group> groups_;  // by key
  int64_t silence_due_ms_ = kNever;
  int64_t resumed_at_ms_ = 0;  // no group is due before
};

}  // namespace millstream::notify
