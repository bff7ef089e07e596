// hub/topic_index.h: which subscribers an event reaches, at the cost of the matching ones only.
//
// Shapes   a tree of maps by segment: account -> site -> device, with a branch for "any" beside each level. An event on
//          a device looks into four places, however many subscribers there are.
// Thread   loop
#pragma once

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/topic.h"

namespace millstream::hub {

// `Subscriber` is a pointer type. One subscriber may be added under several patterns; match() then names it once for
// each pattern that takes the topic.
template <class Subscriber>
class TopicIndex {
 public:
  void add(const model::TopicPattern& pattern, Subscriber subscriber) {
    Account& account = accounts_[pattern.account];
    Site& site = pattern.site.any() ? account.any_site : account.sites[pattern.site.name];
    List& list = pattern.device.any() ? site.any_device : site.devices[pattern.device.name];
    list.push_back(subscriber);
  }

  void remove(const model::TopicPattern& pattern, Subscriber subscriber) {
    const auto account = accounts_.find(pattern.account);
    if (account == accounts_.end()) return;
    if (pattern.site.any()) {
      remove_from(account->second.any_site, pattern, subscriber);
    } else if (const auto site = account->second.sites.find(pattern.site.name); site != account->second.sites.end()) {
      remove_from(site->second, pattern, subscriber);
      if (site->second.empty()) account->second.sites.erase(site);
    }
    if (account->second.any_site.empty() && account->second.sites.empty()) accounts_.erase(account);
  }

  // Calls found(Subscriber) for every pattern that takes the topic. `found` must not change the index.
  template <class Found>
  void match(const model::Topic& topic, Found&& found) const {
    const auto it = accounts_.find(topic.account);
    if (it == accounts_.end()) return;
    const Account& account = it->second;
    visit(account.any_site, topic.device, found);
    if (topic.site.empty()) {  // an inner topic reaches everything under it
      for (const auto& [name, site] : account.sites) visit(site, topic.device, found);
    } else if (const auto site = account.sites.find(topic.site); site != account.sites.end()) {
      visit(site->second, topic.device, found);
    }
  }

  bool empty() const { return accounts_.empty(); }

 private:
  using List = std::vector<Subscriber>;
  struct Site {
    List any_device;
    std::unordered_map<model::DeviceId, List> devices;
    bool empty() const { return any_device.empty() && devices.empty(); }
  };
  struct Account {
    Site any_site;
    std::unordered_map<model::SiteId, Site> sites;
  };

  template <class Found>
  static void visit(const Site& site, const model::DeviceId& device, Found&& found) {
    for (Subscriber s : site.any_device) found(s);
    if (device.empty()) {
      for (const auto& [name, list] : site.devices) {
        for (Subscriber s : list) found(s);
      }
    } else if (const auto it = site.devices.find(device); it != site.devices.end()) {
      for (Subscriber s : it->second) found(s);
    }
  }

  static void remove_from(Site& site, const model::TopicPattern& pattern, Subscriber subscriber) {
    if (pattern.device.any()) {
      erase_one(site.any_device, subscriber);
      return;
    }
    const auto it = site.devices.find(pattern.device.name);
    if (it == site.devices.end()) return;
    erase_one(it->second, subscriber);
    if (it->second.empty()) site.devices.erase(it);
  }

  static void erase_one(List& list, Subscriber subscriber) {
    const auto it = std::find(list.begin(), list.end(), subscriber);
    if (it == list.end()) return;
    *it = list.back();
    list.pop_back();
  }

  std::unordered_map<model::AccountId, Account> accounts_;
};

}  // namespace millstream::hub
