// notify/channels.h: the channels there are, by name; where they lead is known to those who deliver (app/).
//
// Shapes   A channel belongs to one account, or to none: then every account may use it. One of the account's own goes
//          before one of all.
// Thread   value
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "model/topic.h"

namespace millstream::notify {

struct Channel {
  std::string name;
  model::AccountId account;  // empty: of all
  std::string type;          // "webhook", "alertmanager", "email"
  bool operator==(const Channel&) const = default;
};

class Channels {
 public:
  Channels() = default;
  explicit Channels(std::vector<Channel> all) : all_(std::move(all)) {}

  // What `account` means by this name; nullptr: nothing.
  const Channel* find(const model::AccountId& account, std::string_view name) const {
    const Channel* found = nullptr;
    for (const Channel& channel : all_) {
      if (channel.name != name) continue;
      if (channel.account == account) return &channel;
      if (channel.account.empty()) found = &channel;
    }
    return found;
  }
  // Those it may name, by name.
  std::vector<const Channel*> of(const model::AccountId& account) const {
    std::vector<const Channel*> found;
    for (const Channel& channel : all_) {
      if (find(account, channel.name) == &channel) found.push_back(&channel);
    }
    std::sort(found.begin(), found.end(), [](const Channel* a, const Channel* b) { return a->name < b->name; });
    return found;
  }
  const std::vector<Channel>& all() const { return all_; }

 private:
  std::vector<Channel> all_;
};

// The first channel of these policies' that the account does not have; empty: it has all of them.
template <class Policies>
std::string_view unknown_channel(const Channels& channels, const model::AccountId& account, const Policies& policies) {
  for (const auto& policy : policies) {
    if (channels.find(account, policy.channel) == nullptr) return policy.channel;
  }
  return {};
}

}  // namespace millstream::notify
