#include "app/simulated_fleet.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/limits.h"

namespace millstream::app {
namespace {

enum Channel { temperature, pressure, humidity, flow, voltage, current, power, vibration, energy, status, more };
constexpr const char* kFieldNames[] = {"temperature", "pressure", "humidity",  "flow",  "voltage",
                                       "current",     "power",    "vibration", "energy"};
constexpr const char* kSiteNames[] = {"north-plant", "south-plant", "warehouse", "office", "depot", "laboratory"};

// The same numbers on every machine, unlike the distributions of <random>.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t mix(uint64_t a, uint64_t b, uint64_t c) { return mix(mix(mix(a) ^ b) ^ c); }

double unit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1.0p-53; }  // [0, 1)

double wave(int64_t ts_ms, int64_t period_ms, double phase) {
  const double turn = static_cast<double>(ts_ms % period_ms) / static_cast<double>(period_ms);
  return std::sin(2 * std::numbers::pi * (turn + phase));
}

double rounded(double value) { return std::round(value * 100) / 100; }

std::string numbered(const std::string& stem, int number) {
  return stem + (number < 10 ? "-0" : "-") + std::to_string(number);
}

}  // namespace

// Middle and swing of each measured channel. Humidity and current follow from others as well.
struct SimulatedFleet::Kind {
  const char* name;
  double middle[8];
  double swing[8];
  bool has_door;
};

const std::vector<SimulatedFleet::Kind>& SimulatedFleet::kinds() {
  //                temperature pressure humidity flow voltage current power vibration
  static const std::vector<Kind> table = {
      {"boiler", {68, 3.2, 35, 42, 230, 18, 4.1, 1.6}, {5, 0.3, 6, 6, 3, 3, 0.7, 0.4}, false},
      {"chiller", {7, 4.5, 48, 65, 230, 42, 9.6, 2.4}, {2, 0.4, 8, 9, 3, 6, 1.4, 0.5}, false},
      {"pump", {41, 5.1, 40, 88, 230, 12, 2.7, 2.9}, {4, 0.5, 5, 12, 3, 2, 0.5, 0.6}, false},
      {"meter", {29, 2.6, 38, 20, 230, 55, 12.5, 0.3}, {3, 0.2, 5, 3, 3, 14, 3.2, 0.1}, false},
      {"air-handler", {21, 2.2, 52, 130, 230, 9, 2.0, 1.9}, {2, 0.2, 9, 18, 3, 2, 0.4, 0.4}, true},
      {"compressor", {58, 7.4, 30, 34, 230, 27, 6.1, 3.4}, {5, 0.5, 5, 5, 3, 5, 1.1, 0.7}, false},
      {"cold-room", {4, 2.1, 60, 15, 230, 11, 2.4, 0.9}, {1.5, 0.1, 8, 3, 3, 2, 0.4, 0.2}, true},
      {"generator", {52, 3.8, 33, 12, 230, 31, 7.0, 3.1}, {6, 0.4, 6, 2, 3, 6, 1.5, 0.6}, false},
  };
  return table;
}

SimulatedFleet::SimulatedFleet(FleetOptions options) : options_(options) {
  const auto& table = kinds();
  const int kind_count = static_cast<int>(table.size());
  for (int i = 0; i < options.devices; ++i) {
    const Kind& kind = table[static_cast<size_t>(i % kind_count)];
    const int site = i % options.sites;
    const int named_sites = static_cast<int>(std::size(kSiteNames));
    devices_.push_back({numbered(kind.name, i / kind_count + 1),
                        site < named_sites ? kSiteNames[site] : numbered("site", site + 1), &kind,
                        options.start_ms + options.interval_ms * i / options.devices});
  }
  boilers_ = devices_of_kind("boiler");
  pumps_ = devices_of_kind("pump");
}

std::vector<int> SimulatedFleet::devices_of_kind(std::string_view kind) const {
  std::vector<int> found;
  for (int i = 0; i < devices(); ++i) {
    if (devices_[static_cast<size_t>(i)].kind->name == kind) found.push_back(i);
  }
  return found;
}

std::vector<model::Point> SimulatedFleet::due(int64_t now_ms) {
  std::vector<model::Point> points;
  for (int i = 0; i < devices(); ++i) {
    int64_t& next_ms = devices_[static_cast<size_t>(i)].next_ms;
    const int64_t missed = (now_ms - next_ms) / options_.interval_ms - 1;
    if (missed > 0) next_ms += missed * options_.interval_ms;
    for (; next_ms <= now_ms; next_ms += options_.interval_ms) {
      if (!is_dark(i, next_ms)) points.push_back(sample(i, next_ms));
    }
  }
  std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return *a.ts_ms < *b.ts_ms; });
  return points;
}

int64_t SimulatedFleet::next_due_ms() const {
  const auto soonest = std::min_element(devices_.begin(), devices_.end(),
                                        [](const Device& a, const Device& b) { return a.next_ms < b.next_ms; });
  return soonest->next_ms;
}

// The last device: in the default fleet a generator, which has no part in the other troubles but one.
bool SimulatedFleet::is_dark(int device, int64_t ts_ms) const {
  const int64_t since = ts_ms - options_.start_ms - kFirstDarkMs;
  return device == devices() - 1 && since >= 0 && since % kDarkPeriodMs < kDarkMs;
}

SimulatedFleet::Trouble SimulatedFleet::troubled_how(int64_t episode) const {
  if (episode % 3 == 0 && !boilers_.empty()) return Trouble::hot;
  if (episode % 3 == 1 && !pumps_.empty()) return Trouble::shaking;
  return Trouble::low_voltage;
}

int SimulatedFleet::troubled_device(int64_t episode) const {
  const uint64_t draw = mix(options_.seed, static_cast<uint64_t>(episode), 0x7ab1e);
  const auto one_of = [draw](const std::vector<int>& some) { return some[draw % some.size()]; };
  switch (troubled_how(episode)) {
    case Trouble::hot: return one_of(boilers_);
    case Trouble::shaking: return one_of(pumps_);
    // Not the device that goes dark: its silence would hide the trouble.
    default: return static_cast<int>(draw % static_cast<uint64_t>(std::max(devices() - 1, 1)));
  }
}

SimulatedFleet::Trouble SimulatedFleet::trouble(int device, int64_t ts_ms) const {
  const int64_t since = ts_ms - options_.start_ms - kFirstTroubleMs;
  if (since < 0 || since % kTroublePeriodMs >= kTroubleMs) return Trouble::none;
  const int64_t episode = since / kTroublePeriodMs;
  return troubled_device(episode) == device ? troubled_how(episode) : Trouble::none;
}

// Up within a fifth of the time, down within the last fifth.
double SimulatedFleet::severity(int device, int64_t ts_ms, Trouble asked) const {
  if (trouble(device, ts_ms) != asked) return 0;
  const int64_t into = (ts_ms - options_.start_ms - kFirstTroubleMs) % kTroublePeriodMs;
  const double ramp_ms = kTroubleMs / 5.0;
  return std::min({1.0, static_cast<double>(into) / ramp_ms, static_cast<double>(kTroubleMs - into) / ramp_ms});
}

// Slow movement within [-1, 1]: the time of day, and two drifts of the device's own.
double SimulatedFleet::wander(int device, int channel, int64_t ts_ms) const {
  const uint64_t own = mix(options_.seed, static_cast<uint64_t>(device), static_cast<uint64_t>(channel));
  const int64_t minutes = 11 + static_cast<int64_t>(own % 9);
  return 0.5 * wave(ts_ms, kDayMs, -0.3) + 0.35 * wave(ts_ms, minutes * 60'000, unit(mix(own))) +
         0.15 * wave(ts_ms, minutes * 13'000, unit(mix(own + 1)));
}

double SimulatedFleet::noise(int device, int channel, int64_t ts_ms) const {
  const uint64_t place = static_cast<uint64_t>(device) << 8 | static_cast<uint64_t>(channel);
  const uint64_t draw = mix(options_.seed, place, static_cast<uint64_t>(ts_ms));
  return (unit(draw) + unit(mix(draw)) - 1) * 0.12;
}

double SimulatedFleet::measured(int device, int channel, int64_t ts_ms) const {
  const Kind& kind = *devices_[static_cast<size_t>(device)].kind;
  const double base =
      kind.middle[channel] + kind.swing[channel] * (wander(device, channel, ts_ms) + noise(device, channel, ts_ms));
  switch (channel) {
    case temperature: return base + 28 * severity(device, ts_ms, Trouble::hot);
    case pressure: return base + 1.5 * severity(device, ts_ms, Trouble::hot);
    case vibration: return base + 7 * severity(device, ts_ms, Trouble::shaking);
    case voltage: return base - 35 * severity(device, ts_ms, Trouble::low_voltage);
    default: return std::max(base, 0.0);
  }
}

model::FieldValue SimulatedFleet::value(int device, int channel, int64_t ts_ms) const {
  const Kind& kind = *devices_[static_cast<size_t>(device)].kind;
  if (channel < energy) return rounded(measured(device, channel, ts_ms));
  if (channel > status) return rounded(measured(device, temperature, ts_ms) + noise(device, channel, ts_ms) * 10);
  if (channel == energy) {
    // What the device's middle power has used since 2024, in watt-hours: it only ever grows.
    constexpr int64_t kSinceMs = 1'704'067'200'000;
    return static_cast<int64_t>(kind.middle[power] * 1000 * static_cast<double>(ts_ms - kSinceMs) / kHourMs);
  }
  const uint64_t draw = mix(options_.seed, static_cast<uint64_t>(device), static_cast<uint64_t>(ts_ms / 60'000));
  if (kind.has_door) return draw % 8 == 0;
  if (trouble(device, ts_ms) != Trouble::none) return std::string("fault");
  return std::string(draw % 10 == 0 ? "idle" : "running");
}

model::Point SimulatedFleet::sample(int device, int64_t ts_ms) const {
  const Device& from = devices_[static_cast<size_t>(device)];
  model::Point point;
  point.site = from.site;
  point.device = from.name;
  point.ts_ms = ts_ms;
  for (int channel = 0; channel < options_.fields; ++channel) {
    std::string name;
    if (channel < status) {
      name = kFieldNames[channel];
    } else if (channel == status) {
      name = from.kind->has_door ? "door" : "state";
    } else {
      name = "temperature_" + std::to_string(channel - status + 1);
    }
    point.fields.push_back({std::move(name), value(device, channel, ts_ms)});
  }
  return point;
}

}  // namespace millstream::app
