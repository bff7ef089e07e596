#include "presence/presence_engine.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

#include "presence/testing.h"

namespace millstream::presence {
namespace {

constexpr PresenceOptions kOptions{
    .stale_after_ms = 100, .offline_after_ms = 300, .offline_delay_ms = 0, .learn = false};

TEST(Presence, FirstDataIsOnlineThenSilenceIsStaleThenOfflineAtTheDeadlines) {
  Driver d(kOptions);
  d.data("x", 1000);
  EXPECT_EQ(d.take(), (Lines{"1000 x online data 1000"}));
  d.data("x", 1050);
  d.until(1149);
  EXPECT_EQ(d.take(), Lines{});
  d.until(1150);
  EXPECT_EQ(d.take(), (Lines{"1150 x stale timeout 1050"}));
  d.until(1349);
  EXPECT_EQ(d.take(), Lines{});
  d.until(5000);
  EXPECT_EQ(d.take(), (Lines{"1350 x offline timeout 1050"}));
  d.until(90'000);
  EXPECT_EQ(d.take(), Lines{});
  d.data("x", 90'000);
  EXPECT_EQ(d.take(), (Lines{"90000 x online data 90000"}));
}

TEST(Presence, DataRevivesAStaleDeviceAndItsDeadlinesStartAgain) {
  Driver d(kOptions);
  d.data("x", 1000);
  d.data("x", 1200);
  EXPECT_EQ(d.take(), (Lines{"1000 x online data 1000", "1100 x stale timeout 1000", "1200 x online data 1200"}));
  d.until(1499);
  EXPECT_EQ(d.take(), (Lines{"1300 x stale timeout 1200"}));
  d.until(1500);
  EXPECT_EQ(d.take(), (Lines{"1500 x offline timeout 1200"}));
}

TEST(Presence, DataInTheMillisecondOfTheDeadlineEndsOnline) {
  Driver d(kOptions);
  d.data("x", 1000);
  d.data("x", 1100);
  EXPECT_EQ(d.take(), (Lines{"1000 x online data 1000", "1100 x stale timeout 1000", "1100 x online data 1100"}));
  d.until(1100);
  EXPECT_EQ(d.take(), Lines{});
  d.data("x", 1400);
  EXPECT_EQ(d.take(), (Lines{"1200 x stale timeout 1100", "1400 x offline timeout 1100", "1400 x online data 1400"}));
  d.until(1499);
  EXPECT_EQ(d.take(), Lines{});
}

TEST(Presence, HistoryNeitherRevivesNorKeepsAlive) {
  Driver d(kOptions);
  d.data("new", 1000, 699);
  EXPECT_EQ(d.take(), Lines{});
  d.data("edge", 1000, 700);
  EXPECT_EQ(d.take(), (Lines{"1000 edge online data 1000"}));
  d.data("edge", 1090, 10);
  d.until(1100);
  EXPECT_EQ(d.take(), (Lines{"1100 edge stale timeout 1000"}));
  d.data("edge", 1200, 10);
  EXPECT_EQ(d.take(), Lines{});
}

TEST(Presence, OnlyTelemetryOfDevicesCounts) {
  Driver d(kOptions);
  model::Event event = point("x", 1000, 1000);
  event.type = model::EventType::system;
  event.data = R"({"kind":"maintenance","deviceId":"x","status":"online","reason":"r"})";
  d.engine.step(event, 1000, d.out);
  event.type = model::EventType::telemetry;
  event.topic = *model::Topic::parse("account:a/site:s");
  d.engine.step(event, 1000, d.out);
  EXPECT_TRUE(d.out.empty());
}

TEST(Presence, ReportedOfflineWithoutADelayIsOfflineAtOnceAndFiresNoTimerLater) {
  Driver d(kOptions);
  d.data("x", 1000);
  d.says("x", Presence::offline, "last_will", 1020);
  EXPECT_EQ(d.take(), (Lines{"1000 x online data 1000", "1020 x offline last_will 1000"}));
  d.data("y", 1030);  // takes the place that x left free, and its timer
  d.until(1129);
  EXPECT_EQ(d.take(), (Lines{"1030 y online data 1030"}));
  d.until(1130);
  EXPECT_EQ(d.take(), (Lines{"1130 y stale timeout 1030"}));
}

TEST(Presence, ReportedOnlineIsASignOfLifeLikeData) {
  Driver d(kOptions);
  d.says("x", Presence::online, "reported", 1000);
  d.says("x", Presence::online, "reported", 1060);
  d.until(1159);
  EXPECT_EQ(d.take(), (Lines{"1000 x online reported 1000"}));
  d.until(1160);
  d.says("x", Presence::online, "node_birth", 1200);
  EXPECT_EQ(d.take(), (Lines{"1160 x stale timeout 1060", "1200 x online node_birth 1200"}));
}

TEST(Presence, ReportedOfflineOfWhoIsNotAliveSaysNothing) {
  Driver d(kOptions);
  d.says("x", Presence::offline, "last_will", 1000);
  d.data("y", 1000);
  d.until(5000);
  d.take();
  d.says("y", Presence::offline, "last_will", 5001);
  EXPECT_EQ(d.take(), Lines{});
}

TEST(Presence, ConclusionsComeByDeadlineThenTopic) {
  Driver d(kOptions);
  for (const char* device : {"c", "a", "b"}) d.data(device, 1000);
  d.data("d", 950 + 49);
  d.take();
  d.until(10'000);
  EXPECT_EQ(d.take(), (Lines{"1099 d stale timeout 999", "1100 a stale timeout 1000", "1100 b stale timeout 1000",
                             "1100 c stale timeout 1000", "1299 d offline timeout 999", "1300 a offline timeout 1000",
                             "1300 b offline timeout 1000", "1300 c offline timeout 1000"}));
}

TEST(Presence, OwnDowntimeIsNotTheDevices) {
  Driver d(kOptions);
  d.data("on", 1000);
  d.data("gone", 800);
  d.until(1050);
  d.take();
  d.engine.resume(1050, 900'000);
  d.until(900'099);
  EXPECT_EQ(d.take(), Lines{});
  d.until(900'100);
  EXPECT_EQ(d.take(), (Lines{"900100 on stale timeout 1000"}));
  d.until(900'300);
  EXPECT_EQ(d.take(), (Lines{"900300 gone offline timeout 800", "900300 on offline timeout 1000"}));
}

TEST(Presence, ResumeWithoutDowntimeChangesNothing) {
  Driver d(kOptions);
  d.data("x", 1000);
  d.until(1050);
  d.engine.resume(1050, 1050);
  d.take();
  d.until(1100);
  EXPECT_EQ(d.take(), (Lines{"1100 x stale timeout 1000"}));
}

TEST(Presence, LoadedStateKeepsItsLengthsUntilResume) {
  Driver d(kOptions);
  d.data("x", 1000);
  d.data("y", 1000);
  PresenceEngine changed({.stale_after_ms = 50, .offline_after_ms = 5'000, .offline_delay_ms = 0, .learn = false});
  ASSERT_TRUE(changed.load(d.engine.save()).ok());
  Conclusions out;
  changed.advance(1099, out);
  EXPECT_TRUE(out.empty());
  changed.advance(1100, out);
  EXPECT_EQ(lines(out), (Lines{"1100 x stale timeout 1000", "1100 y stale timeout 1000"}));
  out.clear();
  changed.resume(1100, 1100);
  changed.advance(6099, out);
  EXPECT_TRUE(out.empty());
  changed.advance(6100, out);
  EXPECT_EQ(lines(out), (Lines{"6100 x offline timeout 1000", "6100 y offline timeout 1000"}));
}

TEST(Presence, DamagedStateIsRefusedAndLeavesTheEngineAsItWas) {
  Driver d(kOptions);
  d.data("x", 1000);
  d.data("y", 1010);
  const std::string state = d.engine.save();
  for (size_t size = 0; size < state.size(); ++size) {
    EXPECT_FALSE(d.engine.load(std::string_view(state).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(d.engine.load(state + "1 ").ok());
  EXPECT_FALSE(d.engine.load("1" + state.substr(1)).ok());
  EXPECT_EQ(d.engine.save(), state);
  EXPECT_TRUE(d.engine.load(state).ok());
  EXPECT_EQ(d.engine.save(), state);
}

TEST(Presence, DeviceNamedTwiceInAStateIsRefused) {
  Driver d(kOptions);
  d.data("x", 1000);
  const std::string head = "2 1000 100 300 0 0 2 5 86400000 ";
  const std::string device = "25:account:a/site:s/device:x 1 0 1000 1000 1000 0 0 ";
  EXPECT_EQ(d.engine.save(), head + "1 " + device);
  EXPECT_FALSE(d.engine.load(head + "2 " + device + device).ok());
}

// ---- lengths of their own, learned and told ----

constexpr PresenceOptions kDefaults{};
constexpr int64_t kBegin = 1'000'000;

TEST(Presence, ReportedOfflineTakesEffectAfterTheDelayUnlessTheDeviceIsHeardBefore) {
  Driver d(kDefaults);
  d.data("x", kBegin);
  d.says("x", Presence::offline, "last_will", kBegin + 1000);
  d.says("x", Presence::offline, "last_will", kBegin + 3000);  // said again: it counts from the first
  d.until(kBegin + 5999);
  EXPECT_EQ(d.take(), (Lines{"1000000 x online data 1000000"}));
  d.until(kBegin + 6000);
  EXPECT_EQ(d.take(), (Lines{"1006000 x offline last_will 1000000"}));
  d.data("x", kBegin + 7000);
  d.says("x", Presence::offline, "last_will", kBegin + 8000);
  d.data("x", kBegin + 12'999);
  d.says("x", Presence::offline, "last_will", kBegin + 14'000);
  d.says("x", Presence::online, "node_birth", kBegin + 15'000);
  d.until(kBegin + 29'999);
  EXPECT_EQ(d.take(), (Lines{"1007000 x online data 1007000"}));
}

TEST(Presence, SilenceEndsADelayedReportOnlyWhenItComesFirst) {
  PresenceOptions options = kOptions;
  options.offline_delay_ms = 1000;
  Driver d(options);
  d.data("x", 1000);
  d.says("x", Presence::offline, "last_will", 1010);
  d.until(9000);
  EXPECT_EQ(d.take(), (Lines{"1000 x online data 1000", "1100 x stale timeout 1000", "1300 x offline timeout 1000"}));
}

TEST(Presence, ARetainedOrOldReportDoesNotRevive) {
  Driver d(kDefaults);
  d.says("x", Presence::online, "reported", kBegin, true);
  model::Event old = report("x", Presence::online, "reported", kBegin + 60'001);
  old.ts_ms = kBegin;
  d.event(old);
  EXPECT_EQ(d.take(), Lines{});
  d.data("x", kBegin + 70'000);
  d.says("x", Presence::offline, "last_will", kBegin + 71'000, true);  // the last word the broker has of it
  d.says("x", Presence::online, "reported", kBegin + 72'000, true);
  d.until(kBegin + 76'000);
  EXPECT_EQ(d.take(), (Lines{"1070000 x online data 1070000", "1076000 x offline last_will 1070000"}));
}

TEST(Presence, ASlowDeviceIsLearnedAndNoLongerCalledOffline) {
  Driver d(kDefaults);
  int64_t now = kBegin;
  for (int i = 0; i <= 4; ++i, now += 600'000) d.data("slow", now);  // each time offline in between, until it is known
  EXPECT_EQ(d.take().size(), 1u + 4 * 3);
  for (int i = 0; i < 20; ++i, now += 600'000) d.data("slow", now + (i % 2) * 30'000);
  EXPECT_EQ(d.take(), Lines{});
  const int64_t last = now - 600'000 + 30'000;
  d.until(last + 1'199'999);
  EXPECT_EQ(d.take().size(), 0u);
  d.until(last + 100'000'000);
  const Lines silent = d.take();
  ASSERT_EQ(silent.size(), 2u);
  EXPECT_TRUE(silent[0].find("stale timeout") != std::string::npos) << silent[0];
  EXPECT_LT(std::stoll(silent[1]) - last, 5 * 640'000);
}

TEST(Presence, AQuickerRhythmBringsTheDeadlineNearerAtOnce) {
  Driver d(kDefaults);
  int64_t now = kBegin;
  for (int i = 0; i < 9; ++i, now += 600'000) d.data("x", now);
  d.take();
  for (int i = 0; i < 9; ++i, now += 60'000) d.data("x", now);  // its timer was set for minutes later
  d.take();
  const int64_t last = now - 60'000;
  d.until(last + 119'999);
  EXPECT_EQ(d.take(), Lines{});
  d.until(last + 120'000);
  EXPECT_EQ(d.take(), (Lines{std::to_string(last + 120'000) + " x stale timeout " + std::to_string(last)}));
}

TEST(Presence, ADeviceThatIsForgottenOnlyAfterLearnMaxKeepsItsRhythmUntilThen) {
  PresenceOptions options;
  options.learn_max_ms = 3'600'000;
  Driver d(options);
  d.data("x", kBegin);
  d.until(kBegin + 60'000 + 3'599'999);
  EXPECT_NE(d.engine.save().find("device:x"), std::string::npos);
  d.until(kBegin + 60'000 + 3'600'000);
  EXPECT_EQ(d.engine.save().find("device:x"), std::string::npos);
  EXPECT_EQ(d.take().size(), 3u);
}

TEST(Presence, SettingsOfADeviceReplaceWhatIsLearnedAndConfigured) {
  Driver d(kDefaults);
  for (int64_t now = kBegin; now <= kBegin + 100'000; now += 10'000) d.data("x", now);
  d.save("x", lengths(2'000, 3'000), kBegin + 100'500);
  d.until(kBegin + 110'000);
  EXPECT_EQ(d.take(), (Lines{"1000000 x online data 1000000", "1102000 x stale timeout 1100000",
                             "1103000 x offline timeout 1100000"}));
  model::DeviceSettings settings;
  settings.interval_ms = 1'000;
  settings.offline_delay_ms = 0;
  d.save("x", settings, kBegin + 110'000);
  d.data("x", kBegin + 111'000);
  d.until(kBegin + 112'999);
  EXPECT_EQ(d.take(), (Lines{"1111000 x online data 1111000"}));
  d.until(kBegin + 113'000);
  d.says("x", Presence::offline, "last_will", kBegin + 114'000);
  EXPECT_EQ(d.take(), (Lines{"1113000 x stale timeout 1111000", "1114000 x offline last_will 1111000"}));
}

TEST(Presence, LengthsOfWhichOneIsGivenDoNotCross) {
  const PresenceOptions options;
  const auto of = [&](LengthSettings set, std::optional<int64_t> learned = std::nullopt) {
    const Lengths l = lengths_for(options, set, learned);
    return std::to_string(l.stale_ms) + " " + std::to_string(l.offline_ms);
  };
  EXPECT_EQ(of({}), "15000 60000");
  EXPECT_EQ(of({.offline_after_ms = 10'000}), "4000 10000");
  EXPECT_EQ(of({.stale_after_ms = 100'000}), "100000 250000");
  EXPECT_EQ(of({.interval_ms = 1'000}), "2000 5000");
  EXPECT_EQ(of({.interval_ms = 1'000}, 600'000), "2000 5000");
  EXPECT_EQ(of({}, 1'000), "15000 60000") << "not below what is configured";
  EXPECT_EQ(of({}, 10'000), "20000 60000");
  EXPECT_EQ(of({}, 600'000), "1200000 3000000");
  EXPECT_EQ(of({}, 90'000'000), "34560000 86400000") << "not above learn_max";
  EXPECT_EQ(of({.stale_after_ms = 30'000, .offline_after_ms = 31'000}, 600'000), "30000 31000");
}

TEST(Presence, ARegisteredDeviceThatIsNeverHeardIsOfflineAfterItsLength) {
  Driver d(kDefaults);
  d.save("x", lengths(10'000, 20'000), kBegin);
  d.until(kBegin + 19'999);
  EXPECT_EQ(d.take(), Lines{});
  d.until(kBegin + 90'000'000);
  EXPECT_EQ(d.take(), (Lines{"1020000 x offline never_seen 0"}));
  d.data("x", kBegin + 90'000'000);
  EXPECT_EQ(d.take(), (Lines{"91000000 x online data 91000000"}));

  Driver known(kDefaults, {{topic_of("y"), {}}});  // known when the server starts: from then on
  known.engine.resume(0, kBegin);
  known.until(kBegin + 59'999);
  EXPECT_EQ(known.take(), Lines{});
  known.until(kBegin + 60'000);
  EXPECT_EQ(known.take(), (Lines{"1060000 y offline never_seen 0"}));
}

TEST(Presence, ADeletedDeviceIsForgottenAndNewWhenItSpeaksAgain) {
  Driver d(kDefaults);
  d.save("x", lengths(10'000, 20'000), kBegin);
  d.data("x", kBegin + 1);
  d.event(deleted("x", kBegin + 2));
  d.until(kBegin + 900'000);
  EXPECT_EQ(d.take(), (Lines{"1000001 x online data 1000001"}));
  d.data("x", kBegin + 900'000);
  d.until(kBegin + 915'000);
  EXPECT_EQ(d.take(), (Lines{"1900000 x online data 1900000", "1915000 x stale timeout 1900000"}));
}

TEST(Presence, WhatTheRegistryKnowsIsInForceFromTheFirstResumeAndNoLaterOneTakesItBack) {
  Driver before(kDefaults);
  before.save("dropped", lengths(1'000, 2'000), kBegin);
  before.data("dropped", kBegin);
  before.data("x", kBegin);
  before.until(kBegin + 500);
  Driver d(kDefaults, {{topic_of("x"), lengths(3'000, 4'000)}});
  ASSERT_TRUE(d.engine.load(before.engine.save()).ok());
  d.engine.resume(kBegin + 500, kBegin + 500);
  d.until(kBegin + 3'000);
  EXPECT_EQ(d.take(), (Lines{"1003000 x stale timeout 1000000"}));
  d.save("x", lengths(30'000, 40'000), kBegin + 3'500);
  d.engine.resume(kBegin + 3'500, kBegin + 3'500);
  d.until(kBegin + 15'000);
  EXPECT_EQ(d.take(), (Lines{"1015000 dropped stale timeout 1000000"}));
  d.until(kBegin + 40'000);
  EXPECT_EQ(d.take(), (Lines{"1040000 x offline timeout 1000000"}));
}

// The naive model: look at every device at every millisecond.
constexpr PresenceOptions kDelayed{
    .stale_after_ms = 100, .offline_after_ms = 300, .offline_delay_ms = 40, .learn = false};

struct NaiveDevice {
  Presence status = Presence::unknown;
  int64_t seen_ms = 0;
  int64_t gone_ms = 0;  // the moment a report takes effect
};

class NaivePresence {
 public:
  void until(int64_t now_ms, Lines& out) {
    for (; now_ms_ < now_ms; ++now_ms_) judge(now_ms_ + 1, out);
  }
  void data(const std::string& name, int64_t now_ms, int64_t ts_ms, Lines& out) {
    until(now_ms, out);
    if (ts_ms < now_ms - kOptions.offline_after_ms) return;
    NaiveDevice& device = devices_[name];
    device.seen_ms = now_ms;
    device.gone_ms = 0;
    if (device.status == Presence::online) return;
    device.status = Presence::online;
    out.push_back(text(now_ms, name, device, "data"));
  }
  void gone(const std::string& name, int64_t now_ms, Lines& out) {
    until(now_ms, out);
    NaiveDevice& device = devices_[name];
    if (device.status != Presence::online && device.status != Presence::stale) return;
    if (device.gone_ms == 0) device.gone_ms = now_ms + kDelayed.offline_delay_ms;
  }

 private:
  static std::string text(int64_t ts, const std::string& name, const NaiveDevice& device, const char* reason) {
    return std::to_string(ts) + " " + name + " " + std::string(model::presence_name(device.status)) + " " + reason +
           " " + std::to_string(device.seen_ms);
  }
  void judge(int64_t now_ms, Lines& out) {
    for (auto& [name, device] : devices_) {
      const int64_t silent_ms = now_ms - device.seen_ms;
      if (device.gone_ms == now_ms) {
        device.gone_ms = 0;
        device.status = Presence::offline;
        out.push_back(text(now_ms, name, device, "last_will"));
        continue;
      }
      if (device.status == Presence::online && silent_ms >= kDelayed.stale_after_ms) {
        device.status = Presence::stale;
      } else if (device.status == Presence::stale && silent_ms >= kOptions.offline_after_ms) {
        device.status = Presence::offline;
        device.gone_ms = 0;
      } else {
        continue;
      }
      out.push_back(text(now_ms, name, device, "timeout"));
    }
  }

  std::map<std::string, NaiveDevice> devices_;
  int64_t now_ms_ = 0;
};

// Also saves and loads at random moments, and calls advance() at random extra moments: neither may show.
TEST(Presence, AgreesWithTheNaiveModelHoweverOftenTimeIsTold) {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    auto engine = std::make_unique<PresenceEngine>(kDelayed);
    NaivePresence naive;
    Conclusions out;
    Lines expected;
    int64_t now = 1;
    for (int turn = 0; turn < 150; ++turn) {
      const int64_t before = now;
      now += static_cast<int64_t>(random() % 60);
      if (random() % 2 == 0) engine->advance(before + (now - before) / 2, out);
      const std::string device(1, static_cast<char>('a' + random() % 6));
      const int64_t ts = random() % 5 == 0 ? now - static_cast<int64_t>(random() % 600) : now;
      engine->advance(now, out);
      engine->step(point(device, now, ts), now, out);
      naive.data(device, now, ts, expected);
      if (random() % 8 == 0) {
        const std::string gone(1, static_cast<char>('a' + random() % 6));
        engine->step(report(gone, Presence::offline, "last_will", now), now, out);
        naive.gone(gone, now, expected);
      }
      if (random() % 10 != 0) continue;
      auto again = std::make_unique<PresenceEngine>(kDelayed);
      ASSERT_TRUE(again->load(engine->save()).ok());
      engine = std::move(again);
    }
    engine->advance(now + 1000, out);
    naive.until(now + 1000, expected);
    ASSERT_EQ(lines(out), expected);
  }
}

}  // namespace
}  // namespace millstream::presence
