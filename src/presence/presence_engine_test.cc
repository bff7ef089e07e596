#include "presence/presence_engine.h"

#include <gtest/gtest.h>

#include <random>

#include "codec/event_json.h"

namespace millstream::presence {
namespace {

using model::Conclusions;
using model::Presence;

constexpr PresenceOptions kOptions{.stale_after_ms = 100, .offline_after_ms = 300};

model::Event point(const std::string& device, int64_t received_ms, int64_t ts_ms) {
  model::Event event;
  event.id = {received_ms, 0};
  event.ts_ms = ts_ms;
  event.topic = *model::Topic::parse("account:a/site:s/device:" + device);
  return event;
}

model::Event report(const std::string& device, Presence status, const std::string& reason, int64_t received_ms) {
  model::Event event = point(device, received_ms, received_ms);
  event.type = model::EventType::system;
  event.data = codec::encode_presence_report_data({event.topic.device, status, reason});
  return event;
}

// "ts device status reason lastSeen", as short text.
std::string line(const model::Event& event) {
  EXPECT_EQ(event.type, model::EventType::device_status);
  EXPECT_TRUE(event.id.is_zero());
  const Result<model::DeviceStatus> status = codec::decode_device_status_data(event.data);
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status->device, event.topic.device);
  return std::to_string(event.ts_ms) + " " + status->device.text() + " " +
         std::string(model::presence_name(status->status)) + " " + status->reason + " " +
         std::to_string(status->last_seen_ms);
}

std::vector<std::string> lines(const Conclusions& out) {
  std::vector<std::string> texts;
  for (const model::Event& event : out) texts.push_back(line(event));
  return texts;
}
using Lines = std::vector<std::string>;

// As the runner drives an engine.
struct Driver {
  PresenceEngine engine{kOptions};
  Conclusions out;

  void data(const std::string& device, int64_t at_ms) { data(device, at_ms, at_ms); }
  void data(const std::string& device, int64_t at_ms, int64_t ts_ms) {
    engine.advance(at_ms, out);
    engine.step(point(device, at_ms, ts_ms), at_ms, out);
  }
  void says(const std::string& device, Presence status, const std::string& reason, int64_t at_ms) {
    engine.advance(at_ms, out);
    engine.step(report(device, status, reason, at_ms), at_ms, out);
  }
  void until(int64_t at_ms) { engine.advance(at_ms, out); }
  Lines take() {
    const Lines texts = lines(out);
    out.clear();
    return texts;
  }
};

TEST(Presence, FirstDataIsOnlineThenSilenceIsStaleThenOfflineAtTheDeadlines) {
  Driver d;
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
  Driver d;
  d.data("x", 1000);
  d.data("x", 1200);
  EXPECT_EQ(d.take(), (Lines{"1000 x online data 1000", "1100 x stale timeout 1000", "1200 x online data 1200"}));
  d.until(1499);
  EXPECT_EQ(d.take(), (Lines{"1300 x stale timeout 1200"}));
  d.until(1500);
  EXPECT_EQ(d.take(), (Lines{"1500 x offline timeout 1200"}));
}

TEST(Presence, DataInTheMillisecondOfTheDeadlineEndsOnline) {
  Driver d;
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
  Driver d;
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
  Driver d;
  model::Event event = point("x", 1000, 1000);
  event.type = model::EventType::system;
  event.data = R"({"kind":"maintenance","deviceId":"x","status":"online","reason":"r"})";
  d.engine.step(event, 1000, d.out);
  event.type = model::EventType::telemetry;
  event.topic = *model::Topic::parse("account:a/site:s");
  d.engine.step(event, 1000, d.out);
  EXPECT_TRUE(d.out.empty());
}

TEST(Presence, ReportedOfflineIsOfflineAtOnceAndFiresNoTimerLater) {
  Driver d;
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
  Driver d;
  d.says("x", Presence::online, "reported", 1000);
  d.says("x", Presence::online, "reported", 1060);
  d.until(1159);
  EXPECT_EQ(d.take(), (Lines{"1000 x online reported 1000"}));
  d.until(1160);
  d.says("x", Presence::online, "node_birth", 1200);
  EXPECT_EQ(d.take(), (Lines{"1160 x stale timeout 1060", "1200 x online node_birth 1200"}));
}

TEST(Presence, ReportedOfflineOfWhoIsNotAliveSaysNothing) {
  Driver d;
  d.says("x", Presence::offline, "last_will", 1000);
  d.data("y", 1000);
  d.until(5000);
  d.take();
  d.says("y", Presence::offline, "last_will", 5001);
  EXPECT_EQ(d.take(), Lines{});
}

TEST(Presence, ConclusionsComeByDeadlineThenTopic) {
  Driver d;
  for (const char* device : {"c", "a", "b"}) d.data(device, 1000);
  d.data("d", 950 + 49);
  d.take();
  d.until(10'000);
  EXPECT_EQ(d.take(), (Lines{"1099 d stale timeout 999", "1100 a stale timeout 1000", "1100 b stale timeout 1000",
                             "1100 c stale timeout 1000", "1299 d offline timeout 999", "1300 a offline timeout 1000",
                             "1300 b offline timeout 1000", "1300 c offline timeout 1000"}));
}

TEST(Presence, OwnDowntimeIsNotTheDevices) {
  Driver d;
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
  Driver d;
  d.data("x", 1000);
  d.until(1050);
  d.engine.resume(1050, 1050);
  d.take();
  d.until(1100);
  EXPECT_EQ(d.take(), (Lines{"1100 x stale timeout 1000"}));
}

TEST(Presence, LoadedStateKeepsItsLengthsUntilResume) {
  Driver d;
  d.data("x", 1000);
  d.data("y", 1000);
  PresenceEngine changed({.stale_after_ms = 50, .offline_after_ms = 5'000});
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
  Driver d;
  d.data("x", 1000);
  d.data("y", 1010);
  const std::string state = d.engine.save();
  for (size_t size = 0; size < state.size(); ++size) {
    EXPECT_FALSE(d.engine.load(std::string_view(state).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(d.engine.load(state + "1 ").ok());
  EXPECT_FALSE(d.engine.load("2" + state.substr(1)).ok());
  EXPECT_EQ(d.engine.save(), state);
  EXPECT_TRUE(d.engine.load(state).ok());
  EXPECT_EQ(d.engine.save(), state);
}

TEST(Presence, DeviceNamedTwiceInAStateIsRefused) {
  Driver d;
  d.data("x", 1000);
  const std::string device = "25:account:a/site:s/device:x 1 1000 1000 ";
  EXPECT_EQ(d.engine.save(), "1 1000 100 300 1 " + device);
  EXPECT_FALSE(d.engine.load("1 1000 100 300 2 " + device + device).ok());
}

// The naive model: look at every device at every millisecond.
struct NaiveDevice {
  Presence status = Presence::unknown;
  int64_t seen_ms = 0;
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
    if (device.status == Presence::online) return;
    device.status = Presence::online;
    out.push_back(text(now_ms, name, device, "data"));
  }
  void gone(const std::string& name, int64_t now_ms, Lines& out) {
    until(now_ms, out);
    NaiveDevice& device = devices_[name];
    if (device.status != Presence::online && device.status != Presence::stale) return;
    device.status = Presence::offline;
    out.push_back(text(now_ms, name, device, "last_will"));
  }

 private:
  static std::string text(int64_t ts, const std::string& name, const NaiveDevice& device, const char* reason) {
    return std::to_string(ts) + " " + name + " " + std::string(model::presence_name(device.status)) + " " + reason +
           " " + std::to_string(device.seen_ms);
  }
  void judge(int64_t now_ms, Lines& out) {
    for (auto& [name, device] : devices_) {
      const int64_t silent_ms = now_ms - device.seen_ms;
      if (device.status == Presence::online && silent_ms >= kOptions.stale_after_ms) {
        device.status = Presence::stale;
      } else if (device.status == Presence::stale && silent_ms >= kOptions.offline_after_ms) {
        device.status = Presence::offline;
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
    auto engine = std::make_unique<PresenceEngine>(kOptions);
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
      auto again = std::make_unique<PresenceEngine>(kOptions);
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
