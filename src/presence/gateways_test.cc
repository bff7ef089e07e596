// Devices behind gateways, and restarts at any moment.
#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "presence/presence_engine.h"
#include "presence/testing.h"

namespace millstream::presence {
namespace {

constexpr int64_t kBegin = 1'000'000;
constexpr PresenceOptions kDefaults{};

std::string child(int i) { return "d" + std::to_string(i); }

// A gateway "gw" with devices behind it, all heard within the ten seconds before kBegin.
void populate(Driver& d, int children) {
  d.save("gw", {}, kBegin - 20'000);
  for (int i = 0; i < children; ++i) d.save(child(i), behind("gw"), kBegin - 20'000);
  for (int i = 0; i < children; ++i) d.data(child(i), kBegin - 10'000 + i * 10'000 / children);
  d.data("gw", kBegin - 5'000);
  EXPECT_EQ(d.take().size(), static_cast<size_t>(children) + 1);
}

TEST(Gateways, OneThatLeavesIsOneEventForFiveHundredDevices) {
  Driver d(kDefaults);
  populate(d, 500);
  d.says("gw", Presence::offline, "last_will", kBegin);
  d.until(kBegin + 3'600'000);
  EXPECT_EQ(d.take(), (Lines{"1005000 gw offline last_will 995000 +500"}));
}

TEST(Gateways, OneThatFallsSilentIsTwoEventsOfItsOwnThoughThoseBehindItAreOverdueBeforeIt) {
  Driver d(kDefaults);
  populate(d, 500);
  d.until(kBegin + 3'600'000);
  EXPECT_EQ(d.take(), (Lines{"1010000 gw stale timeout 995000", "1055000 gw offline timeout 995000 +500"}));
}

TEST(Gateways, TheDevicesHaveAFullLengthWhenItIsBackAndEachTellsOfItselfOnce) {
  Driver d(kDefaults);
  populate(d, 2);
  d.says("gw", Presence::offline, "last_will", kBegin);
  d.until(kBegin + 3'600'000);
  d.take();
  const int64_t back = kBegin + 3'600'000;
  d.data("gw", back);
  d.data("d0", back + 2'000);
  d.data("d0", back + 9'000);
  d.data("gw", back + 14'000);
  d.until(back + 14'999);
  EXPECT_EQ(d.take(), (Lines{"4600000 gw online data 4600000 +2", "4602000 d0 online data 4602000"}));
  d.data("gw", back + 15'000);
  d.until(back + 15'000);
  EXPECT_EQ(d.take(), (Lines{"4615000 d1 stale timeout 995000"}));
}

TEST(Gateways, DataByAnotherWayIsOnlineAndJudgedAloneWhileTheGatewayIsAway) {
  Driver d(kDefaults);
  populate(d, 2);
  d.says("gw", Presence::offline, "last_will", kBegin);
  d.until(kBegin + 5'000);
  d.take();
  d.data("d1", kBegin + 20'000);
  d.data("d1", kBegin + 30'000);
  d.until(kBegin + 200'000);
  EXPECT_EQ(d.take(), (Lines{"1020000 d1 online data 1020000", "1045000 d1 stale timeout 1030000",
                             "1090000 d1 offline timeout 1030000"}));
  d.data("gw", kBegin + 200'000);
  EXPECT_EQ(d.take(), (Lines{"1200000 gw online data 1200000 +1"}));
}

TEST(Gateways, ADeadDeviceIsToldOnceItsGatewayWasHeardSinceTheDeadline) {
  Driver d(kDefaults);
  populate(d, 2);
  d.data("gw", kBegin);
  d.data("d1", kBegin + 1'000);
  d.until(kBegin + 12'000);  // d0 is due at kBegin + 5'000
  EXPECT_EQ(d.take(), Lines{});
  d.data("gw", kBegin + 12'000);
  d.until(kBegin + 12'000);
  EXPECT_EQ(d.take(), (Lines{"1012000 d0 stale timeout 990000"}));
  d.data("d0", kBegin + 13'000);
  EXPECT_EQ(d.take(), (Lines{"1013000 d0 online data 1013000"}));
}

TEST(Gateways, ADeviceThatWaitedAndIsHeardRunsOn) {
  Driver d(kDefaults);
  populate(d, 1);
  d.until(kBegin + 8'000);  // d0 waits since kBegin + 5'000
  d.data("d0", kBegin + 8'000);
  for (const int64_t after_ms : {8'000, 16'000, 24'000}) d.data("gw", kBegin + after_ms);
  d.until(kBegin + 24'000);
  EXPECT_EQ(d.take(), (Lines{"1024000 d0 stale timeout 1008000"}));
}

TEST(Gateways, DeathsOfTheDevicesAndTheirGatewayReportedTogetherAreTheGateways) {
  for (const int64_t later_ms : {0, 1, 4'999}) {
    Driver d(kDefaults);
    populate(d, 3);
    for (int i = 0; i < 3; ++i) d.says(child(i), Presence::offline, "node_death", kBegin);
    d.says("gw", Presence::offline, "node_death", kBegin + later_ms);
    d.until(kBegin + 3'600'000);
    EXPECT_EQ(d.take(), (Lines{std::to_string(kBegin + 5'000 + later_ms) + " gw offline node_death 995000 +3"}));
  }
  Driver d(kDefaults);  // the gateway is back at once: theirs stand
  populate(d, 1);
  d.data("d0", kBegin - 1);
  d.says("d0", Presence::offline, "device_death", kBegin);
  d.says("gw", Presence::offline, "node_death", kBegin + 1'000);
  d.says("gw", Presence::online, "node_birth", kBegin + 5'500);
  d.until(kBegin + 6'000);
  EXPECT_EQ(d.take(), (Lines{"1006000 d0 offline device_death 999999"}));
}

TEST(Gateways, OneThatWasNeverHeardHidesNobody) {
  Driver d(kDefaults);
  d.save("gw", {}, kBegin);
  d.save("d0", behind("gw"), kBegin);
  for (int64_t now = kBegin; now <= kBegin + 100'000; now += 10'000) d.data("d0", now);
  EXPECT_EQ(d.take(), (Lines{"1000000 d0 online data 1000000", "1060000 gw offline never_seen 0"}));
  d.until(kBegin + 120'000);
  EXPECT_EQ(d.take(), (Lines{"1120000 d0 stale timeout 1100000"}));
}

TEST(Gateways, AParentThatIsTakenAwayOrDeletedLetsItsDevicesGo) {
  for (const bool deleted_gateway : {false, true}) {
    Driver d(kDefaults);
    populate(d, 1);
    d.says("gw", Presence::offline, "last_will", kBegin);
    d.until(kBegin + 100'000);
    d.take();
    d.event(deleted_gateway ? deleted("gw", kBegin + 100'000) : saved("d0", {}, kBegin + 100'000));
    d.until(kBegin + 200'000);
    EXPECT_EQ(d.take(), (Lines{"1115000 d0 stale timeout 990000", "1160000 d0 offline timeout 990000"}));
  }
}

TEST(Gateways, TwoThatNameEachOtherAreJudgedAllTheSame) {
  Driver d(kDefaults);
  d.save("a", behind("b"), kBegin);
  d.save("b", behind("a"), kBegin);
  d.data("a", kBegin);
  d.data("b", kBegin);
  d.says("a", Presence::offline, "last_will", kBegin + 1);
  d.says("b", Presence::offline, "last_will", kBegin + 1);
  d.until(kBegin + 20'000);
  EXPECT_EQ(d.take().size(), 3u);
  d.data("a", kBegin + 30'000);
  d.data("b", kBegin + 30'000);
  d.take();
  d.until(kBegin + 300'000);
  EXPECT_NE(d.take(), Lines{}) << "neither waits for the other for ever";
}

TEST(Gateways, ARhythmIsNotLearnedFromTheGatewaysOutagesNorFromTheServers) {
  PresenceOptions options;
  Driver d(options);
  populate(d, 1);
  int64_t now = kBegin;
  for (int outage = 0; outage < 20; ++outage) {
    for (int i = 0; i < 3; ++i, now += 10'000) {
      d.data("d0", now);
      d.data("gw", now);
    }
    if (outage % 2 == 0) {
      d.says("gw", Presence::offline, "last_will", now);
      d.until(now += 7'200'000);
    } else {
      d.engine.resume(now, now + 7'200'000);
      now += 7'200'000;
    }
  }
  for (int i = 0; i < 2; ++i, now += 10'000) {
    d.data("d0", now);
    d.data("gw", now);
  }
  d.take();
  const int64_t last = now - 10'000;
  for (; now < last + 60'000; now += 1'000) d.data("gw", now);
  d.until(last + 60'000);
  EXPECT_EQ(d.take(), (Lines{std::to_string(last + 20'000) + " d0 stale timeout " + std::to_string(last),
                             std::to_string(last + 60'000) + " d0 offline timeout " + std::to_string(last)}));
}

// Everything there is, at random: what is concluded depends neither on restarts nor on how often time is told.
TEST(Gateways, ARestartAtEveryStepConcludesTheSame) {
  const PresenceOptions options{
      .stale_after_ms = 3'000, .offline_after_ms = 8'000, .offline_delay_ms = 700, .learn_max_ms = 60'000};
  size_t concluded = 0;
  for (unsigned seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const std::string names[] = {"a", "b", "c", "g", "h"};
    model::SettingsByDevice registry;
    const auto restart = [&](const Driver& driver) {
      auto next = std::make_unique<Driver>(options, registry);
      EXPECT_TRUE(next->engine.load(driver.engine.save()).ok());
      EXPECT_EQ(next->engine.save(), driver.engine.save());
      next->out = driver.out;
      return next;
    };
    auto whole = std::make_unique<Driver>(options);
    auto restarted = std::make_unique<Driver>(options);
    int64_t now = kBegin;
    for (int turn = 0; turn < 200; ++turn) {
      now += static_cast<int64_t>(random() % (random() % 12 == 0 ? 9'000 : 900));
      const std::string& name = names[random() % 5];
      model::Event event = point(name, now, now - (random() % 9 == 0 ? 30'000 : 0));
      const uint64_t what = random() % 24;
      if (what < 2) event = report(name, Presence::offline, "last_will", now);
      if (what == 2) event = report(name, Presence::online, "reported", now, random() % 2 == 0);
      if (what == 3 || what == 4) {
        registry[event.topic] = what == 4    ? model::DeviceSettings{}
                                : name < "g" ? behind(random() % 2 == 0 ? "g" : "h")
                                             : lengths(900, 2'500);
        event = saved(name, registry[event.topic], now);
      }
      if (what == 5 && random() % 3 == 0) {
        registry.erase(event.topic);
        event = deleted(name, now);
      }
      whole->event(event);
      restarted = restart(*restarted);
      if (random() % 2 == 0) restarted->until(now - static_cast<int64_t>(random() % 300));
      restarted->event(event);
      if (random() % 40 != 0) continue;
      for (auto* driver : {&whole, &restarted}) {
        *driver = restart(**driver);
        (*driver)->engine.resume(now, now + 50'000);
      }
      now += 50'000;
    }
    whole->until(now + 200'000);
    restarted->until(now + 200'000);
    ASSERT_EQ(lines(restarted->out), lines(whole->out));
    concluded += whole->out.size();
  }
  EXPECT_GT(concluded, 5'000u);
}

}  // namespace
}  // namespace millstream::presence
