#include "app/simulated_fleet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "app/config.h"

namespace millstream::app {
namespace {

constexpr int64_t kStartMs = 1'769'517'296'789;

FleetOptions options() {
  FleetOptions options;
  options.start_ms = kStartMs;
  return options;
}

double number(const model::Point& point, std::string_view field) {
  for (const model::Field& f : point.fields) {
    if (f.name == field) return model::as_number(f.value).value();
  }
  ADD_FAILURE() << "no field " << field;
  return 0;
}

TEST(SimulatedFleet, SendsTenFieldsPerDeviceAndIntervalSpreadOverTime) {
  SimulatedFleet fleet(options());
  std::map<std::string, int> points_of;
  std::set<std::string> sites;
  for (int64_t now = kStartMs + 249; now < kStartMs + 50'000; now += 250) {
    const std::vector<model::Point> points = fleet.due(now);
    EXPECT_LE(points.size(), 2u) << "bunched at " << now;
    for (const model::Point& point : points) {
      ++points_of[point.device];
      sites.insert(point.site);
      EXPECT_EQ(point.fields.size(), 10u);
      EXPECT_LE(*point.ts_ms, now);
      EXPECT_GT(*point.ts_ms, now - 250);
    }
  }
  EXPECT_EQ(points_of.size(), 24u);
  EXPECT_EQ(sites.size(), 3u);
  for (const auto& [device, count] : points_of) EXPECT_EQ(count, 10) << device;
}

TEST(SimulatedFleet, SameSeedSameFleetOtherSeedOtherFleet) {
  SimulatedFleet a(options());
  SimulatedFleet b(options());
  FleetOptions other = options();
  other.seed = 2;
  SimulatedFleet c(other);
  const auto points = a.due(kStartMs + 5'000);
  EXPECT_EQ(points, b.due(kStartMs + 5'000));
  EXPECT_NE(points, c.due(kStartMs + 5'000));
}

TEST(SimulatedFleet, NamesAreNamesAndDistinctAtAnySize) {
  FleetOptions large = options();
  large.devices = 500;
  large.sites = 20;
  const SimulatedFleet fleet(large);
  std::set<std::string> names;
  for (int i = 0; i < fleet.devices(); ++i) {
    EXPECT_TRUE(model::is_name(fleet.device_name(i)) && model::is_name(fleet.site_name(i)));
    names.insert(fleet.device_name(i));
  }
  EXPECT_EQ(names.size(), 500u);
}

TEST(SimulatedFleet, AnyNumberOfFieldsHasDistinctNames) {
  for (const int count : {1, 9, 11, 40}) {
    FleetOptions wide = options();
    wide.fields = count;
    const model::Point point = SimulatedFleet(wide).sample(4, kStartMs);
    std::set<std::string> names;
    for (const model::Field& field : point.fields) names.insert(field.name);
    EXPECT_EQ(names.size(), static_cast<size_t>(count));
  }
}

TEST(SimulatedFleet, OneDeviceGoesDarkForFortySecondsOfEveryThreeMinutes) {
  SimulatedFleet fleet(options());
  std::map<std::string, int64_t> last_seen;
  std::map<std::string, int> silences;
  for (int64_t now = kStartMs; now < kStartMs + 600'000; now += 1'000) {
    for (const model::Point& point : fleet.due(now)) {
      const int64_t before = std::exchange(last_seen[point.device], *point.ts_ms);
      if (before != 0 && *point.ts_ms - before > 35'000) ++silences[point.device];
    }
  }
  EXPECT_THAT(silences, testing::ElementsAre(testing::Pair(fleet.device_name(23), 3)));
}

TEST(SimulatedFleet, TheCounterOnlyGrows) {
  const SimulatedFleet fleet(options());
  double before = 0;
  for (int64_t ts = kStartMs; ts < kStartMs + 600'000; ts += 5'000) {
    const double now = number(fleet.sample(3, ts), "energy");
    EXPECT_GE(now, before);
    before = now;
  }
  EXPECT_GT(before, number(fleet.sample(3, kStartMs), "energy"));
}

TEST(SimulatedFleet, MissedIntervalsAfterAPauseAreSkipped) {
  SimulatedFleet fleet(options());
  fleet.due(kStartMs + 5'000);
  EXPECT_LE(fleet.due(kStartMs + 7'200'000).size(), 48u);
  EXPECT_GT(fleet.next_due_ms(), kStartMs + 7'200'000);
}

// How long `field op value` held in one piece, per device, in a day of the fleet.
struct Spell {
  std::string device;
  int64_t from_ms;
  int64_t length_ms;
};
bool breaches(const model::Rule& rule, double value) {
  return rule.levels.at(0).op == model::Comparison::gt ? value > std::get<double>(rule.levels.at(0).value)
                                                       : value < std::get<double>(rule.levels.at(0).value);
}
std::vector<Spell> spells(const SimulatedFleet& fleet, const model::Rule& rule, int64_t duration_ms) {
  std::vector<Spell> found;
  for (int device = 0; device < fleet.devices(); ++device) {
    int64_t since = 0;
    for (int64_t ts = kStartMs; ts < kStartMs + duration_ms; ts += 5'000) {
      const bool breach = breaches(rule, number(fleet.sample(device, ts), rule.when.at(0).field));
      if (breach && since == 0) since = ts;
      if (!breach && since != 0) {
        const int64_t from = std::exchange(since, 0);
        found.push_back({fleet.device_name(device), from, ts - 5'000 - from});
      }
    }
  }
  return found;
}

TEST(SimulatedFleet, TheDemoRulesFireEarlyAndOnlyInTrouble) {
  const Result<Config> demo = load_config(EXAMPLES_DIRECTORY "/demo.toml", {}, {});
  ASSERT_TRUE(demo.ok()) << demo.error().detail;
  ASSERT_EQ(demo->rules.size(), 3u);
  for (const uint64_t seed : {1u, 2u, 77u}) {
    FleetOptions seeded = options();
    seeded.seed = seed;
    const SimulatedFleet fleet(seeded);
    int64_t first_fired_ms = INT64_MAX;
    for (const model::Rule& rule : demo->rules) {
      SCOPED_TRACE(rule.id + " seed " + std::to_string(seed));
      // Three hours from the start: 120 troubles, 40 of each kind.
      const std::vector<Spell> found = spells(fleet, rule, 3 * 3'600'000);
      EXPECT_NEAR(static_cast<double>(found.size()), 40, 1);
      for (const Spell& spell : found) {
        EXPECT_GE(spell.length_ms, rule.for_ms + 5'000) << "too short to fire";
        EXPECT_LE(spell.length_ms, SimulatedFleet::kTroubleMs) << "does not come back";
        first_fired_ms = std::min(first_fired_ms, spell.from_ms + rule.for_ms - kStartMs);
      }
    }
    EXPECT_LT(first_fired_ms, 60'000);
  }
}

// Between two troubles the value must come back beyond `clear`, at every hour of the day.
TEST(SimulatedFleet, HealthyValuesStayBeyondTheClearValues) {
  const Result<Config> demo = load_config(EXAMPLES_DIRECTORY "/demo.toml", {}, {});
  ASSERT_TRUE(demo.ok());
  const SimulatedFleet fleet(options());
  for (const model::Rule& rule : demo->rules) {
    for (int64_t ts = kStartMs; ts < kStartMs + 86'400'000; ts += 293'000) {
      for (int device = 0; device < fleet.devices(); ++device) {
        if (fleet.trouble(device, ts) != SimulatedFleet::Trouble::none) continue;
        const double value = number(fleet.sample(device, ts), rule.when.at(0).field);
        ASSERT_TRUE(rule.levels.at(0).op == model::Comparison::gt ? value < std::get<double>(*rule.levels.at(0).clear)
                                                                  : value > std::get<double>(*rule.levels.at(0).clear))
            << rule.id << " " << fleet.device_name(device) << " " << value;
      }
    }
  }
}

}  // namespace
}  // namespace millstream::app
