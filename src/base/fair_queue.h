// base/fair_queue.h: what waits for one taker, in turns by whom it is for: nobody waits behind another's backlog.
//
// Flow     the owner that has been given least goes next, where one that had nothing waiting counts as the one served
//          last (start-time fair queueing). What one owner puts in comes out in that order.
// Limits   has_room(): an owner may hold no more than is left free, so alone `alone_max`, and with n others a share of
//          2/(n + 2): whatever they do, one that holds little finds room. All together hold less than twice
//          `alone_max`, and one item more. Whoever holds nothing may put in one item of any size.
// Thread   value
// Source   Goyal, Vin, Cheng 1996 (turns); Choudhury, Hahne 1998 (shares)
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

namespace millstream {

template <class Item>
class FairQueue {
 public:
  explicit FairQueue(size_t alone_max) : held_max_(2 * alone_max) {}

  bool has_room(const std::string& owner, size_t cost) const {
    const auto found = lanes_.find(owner);
    const size_t mine = found == lanes_.end() ? 0 : found->second.held;
    if (mine == 0) return held_ < held_max_;
    return cost <= held_max_ && mine + held_ + 2 * cost <= held_max_;
  }

  // `cost` > 0: how much of a turn it takes. Takes it whether there is room or not.
  void push(const std::string& owner, size_t cost, Item item) {
    const auto [at, is_new] = lanes_.try_emplace(owner);
    if (is_new) wait_for_turn(*at, now_);
    at->second.items.push_back({cost, std::move(item)});
    at->second.held += cost;
    held_ += cost;
    ++size_;
  }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

  // Precondition: not empty.
  const Item& front() {
    drop_idle();
    return turns_.begin()->second->second.items.front().item;
  }

  // Precondition: not empty.
  Item pop() {
    drop_idle();
    const auto [turn, named] = *turns_.begin();
    turns_.erase(turns_.begin());
    Lane& lane = named->second;
    Waiting first = std::move(lane.items.front());
    lane.items.pop_front();
    lane.held -= first.cost;
    held_ -= first.cost;
    --size_;
    now_ = turn.first;
    wait_for_turn(*named, now_ + first.cost);
    if (empty()) drop_idle();
    return std::move(first.item);
  }

 private:
  struct Waiting {
    size_t cost;
    Item item;
  };
  struct Lane {
    std::deque<Waiting> items;
    size_t held = 0;
  };
  using Lanes = std::unordered_map<std::string, Lane>;  // its elements stay where they are
  using Turn = std::pair<uint64_t, uint64_t>;           // what its owner was given, then who came first

  void wait_for_turn(typename Lanes::value_type& lane, uint64_t given) {
    turns_.emplace(Turn{given, turns_made_++}, &lane);
  }

  // One who has nothing waiting is forgotten only when its turn comes: else a large item would cost it nothing.
  void drop_idle() {
    while (!turns_.empty() && turns_.begin()->second->second.items.empty()) {
      const std::string owner = turns_.begin()->second->first;
      turns_.erase(turns_.begin());
      lanes_.erase(owner);
    }
  }

  size_t held_max_;
  size_t held_ = 0;
  size_t size_ = 0;
  uint64_t now_ = 0;  // what the owner served last had been given before
  uint64_t turns_made_ = 0;
  Lanes lanes_;
  std::map<Turn, typename Lanes::value_type*> turns_;  // one for each lane
};

}  // namespace millstream
