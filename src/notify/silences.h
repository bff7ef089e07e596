// notify/silences.h: one account's silences, and whether one of them covers an alert at some moment.
//
// Flow     put() files a silence under what it names of site, device and rule; is_covered() looks only there where one
//          that covers the alert can be, and there at the times, which are kept together as spans that do not meet.
// Limits   as many as were put; is_covered() takes a logarithm of them. alerts.silences_per_account_max bounds them.
// Thread   one thread at a time
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "model/silence.h"

namespace millstream::notify {

class Silences {
 public:
  using ById = std::map<std::string, model::Silence>;

  // One that is known by its id is as it was.
  void put(model::Silence silence);
  // Nothing: none has that id.
  std::optional<model::Silence> remove(const std::string& id, int64_t now_ms);
  const ById& by_id() const { return by_id_; }
  // The one that ends first, by id among equals; nullptr: there is none.
  const model::Silence* next_to_end() const;

  // Of a device's alert. Precondition: `now_ms` is not before that of any remove().
  bool is_covered(const model::Topic& device, std::string_view rule_id, int64_t now_ms) const;
  // At whatever time.
  bool is_named(const model::Topic& device, std::string_view rule_id) const;

 private:
  // Those that name the same.
  struct Shelf {
    std::vector<const model::Silence*> silences;
    std::map<int64_t, int64_t> spans;  // begin -> end
    void add_span(int64_t begin_ms, int64_t end_ms);
    bool is_active(int64_t now_ms) const;
  };
  using Name = std::tuple<std::string, std::string, std::string>;  // site, device, rule; empty: any
  // By which of the three are named.
  static constexpr size_t kSite = 1, kDevice = 2, kRule = 4, kShapes = 8;
  static size_t shape_of(const Name& name);
  static std::vector<Name> names_of(const model::Silence& silence);
  static void take_off(Shelf& shelf, const model::Silence& silence, int64_t now_ms);
  template <class Test>
  bool any_shelf(const model::Topic& device, std::string_view rule_id, const Test& test) const;

  ById by_id_;
  std::set<std::pair<int64_t, std::string>> by_end_;
  std::array<std::map<Name, Shelf, std::less<>>, kShapes> shelves_;
};

}  // namespace millstream::notify
