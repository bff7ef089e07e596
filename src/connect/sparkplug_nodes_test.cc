#include "connect/sparkplug_nodes.h"

#include <connect/sparkplug_b.pb.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace millstream::connect {
namespace {

using sparkplug::Payload;
using Strings = std::vector<std::string>;

constexpr int64_t kNowMs = 1'769'517'296'789;

// What a node says, in the order of its calls.
struct Said {
  Payload payload;

  explicit Said(std::optional<uint64_t> seq) {
    payload.set_timestamp(kNowMs);
    if (seq) payload.set_seq(*seq);
  }
  Payload::Metric& add(const std::string& name, std::optional<uint64_t> alias, uint32_t type) {
    Payload::Metric& metric = *payload.add_metrics();
    if (!name.empty()) metric.set_name(name);
    if (alias) metric.set_alias(*alias);
    if (type) metric.set_datatype(type);
    return metric;
  }
  Said& real(const std::string& name, std::optional<uint64_t> alias, double value) {
    add(name, alias, 10).set_double_value(value);
    return *this;
  }
  Said& bd_seq(uint64_t value) {
    add("bdSeq", std::nullopt, 4).set_long_value(value);
    return *this;
  }
};

std::string text_of(const model::FieldValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return std::to_string(*whole) + "i";
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return std::to_string(std::get<double>(value));
}

struct Host {
  SparkplugNodes nodes;
  int64_t now_ms = kNowMs;
  Intake last;

  // "device name=value name=value" a point, "device online reason" a report, "topic" a command.
  Strings take(const std::string& topic, const Said& said) {
    const Result<SparkplugTopic> parsed = parse_sparkplug_topic("spBv1.0/" + topic);
    EXPECT_TRUE(parsed.ok());
    const Result<SparkplugPayload> payload = parse_sparkplug_payload(said.payload.SerializeAsString());
    EXPECT_TRUE(payload.ok());
    last = {};
    nodes.take(*parsed, *payload, now_ms, last);
    Strings lines;
    for (const Report& report : last.reports) {
      lines.push_back(report.site.text() + " " + report.said.device.text() + " " +
                      std::string(model::presence_name(report.said.status)) + " " + report.said.reason);
    }
    for (const model::Point& point : last.points.points) {
      std::string line = point.site + " " + point.device;
      for (const model::Field& field : point.fields) line += " " + field.name + "=" + text_of(field.value);
      lines.push_back(line);
    }
    if (last.answer) lines.push_back(last.answer->topic);
    return lines;
  }
  size_t refused(Refusal why) const { return last.refused[static_cast<size_t>(why)]; }
};

TEST(SparkplugTopic, OnlyWellFormedNamesGetThrough) {
  const Result<SparkplugTopic> device = parse_sparkplug_topic("spBv1.0/g/DDATA/e/d.1");
  ASSERT_TRUE(device.ok());
  EXPECT_EQ(device->group + device->edge + device->device, "ged.1");
  for (const char* topic : {"spBv1.0/g/NCMD/e", "spBv1.0/g/DCMD/e/d", "spBv1.0/STATE/host"}) {
    EXPECT_EQ(parse_sparkplug_topic(topic).error().code, Code::not_found) << topic;
  }
  for (const char* topic :
       {"spBv1.0/g/NDATA/e/d", "spBv1.0/g/DDATA/e", "spBv1.0/g/DDATA/e/", "spBv1.0/g/NDATA/", "spBv1.0/g/NDATA/a.b",
        "spBv1.0/g g/NDATA/e", "spBv1.0/g/XDATA/e", "spBv1.0/g", "x/g/NDATA/e", "spBv1.0/g/DDATA/e/d/x"}) {
    EXPECT_EQ(parse_sparkplug_topic(topic).error().code, Code::invalid) << topic;
  }
}

TEST(SparkplugPayload, WholeNumbersMeanWhatTheirTypeSays) {
  EXPECT_EQ(*sparkplug_integer(0xFFFFFFFF, 1), model::FieldValue(int64_t{-1}));  // as Int8, sign-extended or not
  EXPECT_EQ(*sparkplug_integer(0xFF, 1), model::FieldValue(int64_t{-1}));
  EXPECT_EQ(*sparkplug_integer(0xFFFE, 2), model::FieldValue(int64_t{-2}));
  EXPECT_EQ(*sparkplug_integer(0xFFFFFFFD, 3), model::FieldValue(int64_t{-3}));
  EXPECT_EQ(*sparkplug_integer(~uint64_t{0}, 4), model::FieldValue(int64_t{-1}));
  EXPECT_EQ(*sparkplug_integer(0xFFFFFFFF, 7), model::FieldValue(int64_t{4294967295}));
  EXPECT_EQ(*sparkplug_integer(~uint64_t{0}, 8), model::FieldValue(18446744073709551615.0));
  EXPECT_EQ(*sparkplug_integer(1, 11), model::FieldValue(true));
  EXPECT_EQ(*sparkplug_integer(kNowMs, 13), model::FieldValue(kNowMs));
  EXPECT_FALSE(sparkplug_integer(1, 0));
  EXPECT_FALSE(sparkplug_integer(1, 10));
  EXPECT_FALSE(parse_sparkplug_payload("not a payload").ok());
}

TEST(SparkplugNodes, BirthNamesAndDataUsesTheAliases) {
  Host host;
  EXPECT_EQ(host.take("g/NBIRTH/e", Said(0).bd_seq(1).real("cpu", 1, 0.5)),
            (Strings{"g e online node_birth", "g e cpu=0.500000"}));
  Said device(1);
  device.real("force", 2, 4);
  device.add("count", 3, 3).set_int_value(static_cast<uint32_t>(-7));
  device.add("mode", 4, 12).set_string_value("run");
  device.add("spare", 5, 10).set_is_null(true);
  device.add("Device Control/Rebirth", 6, 11).set_boolean_value(false);
  EXPECT_EQ(host.take("g/DBIRTH/e/press", device),
            (Strings{"g e.press online device_birth", "g e.press force=4.000000 count=-7i mode=run"}));
  Said data(2);
  data.add("", 3, 0).set_int_value(static_cast<uint32_t>(-8));  // the birth told its type
  data.real("", 5, 1).real("force", std::nullopt, 2);
  EXPECT_EQ(host.take("g/DDATA/e/press", data), (Strings{"g e.press count=-8i spare=1.000000 force=2.000000"}));
}

TEST(SparkplugNodes, WhatIsNoValueIsCountedAndLeavesTheRestAlone) {
  Host host;
  Said said(0);
  said.add("table", std::nullopt, 16).set_dataset_value("x");
  said.add("raw", std::nullopt, 17).set_bytes_value("x");
  said.add("text", std::nullopt, 12).set_string_value("\xff");
  said.real("nan", std::nullopt, std::numeric_limits<double>::quiet_NaN());
  said.real("bad\x01name", std::nullopt, 1).real("good", std::nullopt, 1);
  EXPECT_EQ(host.take("g/NBIRTH/e", said), (Strings{"g e online node_birth", "g e good=1.000000"}));
  EXPECT_EQ(host.refused(Refusal::type), 4u);
  EXPECT_EQ(host.refused(Refusal::name), 1u);
}

TEST(SparkplugNodes, MetricsOfOtherMomentsAndRepeatedNamesAreOtherPoints) {
  Host host;
  Said said(0);
  said.real("a", std::nullopt, 1).real("a", std::nullopt, 2).real("b", std::nullopt, 3);
  said.payload.mutable_metrics(2)->set_timestamp(kNowMs - 1000);
  EXPECT_EQ(host.take("g/NBIRTH/e", said),
            (Strings{"g e online node_birth", "g e a=1.000000", "g e a=2.000000", "g e b=3.000000"}));
  EXPECT_EQ(host.last.points.points[2].ts_ms, kNowMs - 1000);
}

TEST(SparkplugNodes, GapInSeqAsksForARebirthButNotOverAndOver) {
  Host host;
  host.take("g/NBIRTH/e", Said(0).bd_seq(1));
  for (uint64_t seq = 1; seq < 600; ++seq) {
    EXPECT_EQ(host.take("g/NDATA/e", Said(seq % 256)), Strings{});  // it goes round
  }
  EXPECT_EQ(host.take("g/NDATA/e", Said(600 % 256 + 1).real("x", std::nullopt, 1)),
            (Strings{"g e x=1.000000", "spBv1.0/g/NCMD/e"}));
  EXPECT_EQ(host.take("g/NDATA/e", Said(7)), Strings{});
  host.take("g/NBIRTH/e", Said(0).bd_seq(2));
  EXPECT_EQ(host.take("g/NDATA/e", Said(9)), Strings{});  // a node that cannot count is not asked all the time
  host.now_ms += SparkplugNodes::kRebirthMs;
  EXPECT_EQ(host.take("g/NDATA/e", Said(11)), (Strings{"spBv1.0/g/NCMD/e"}));
  const Result<SparkplugPayload> command = parse_sparkplug_payload(host.last.answer->payload);
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(command->metrics.at(0).name, "Node Control/Rebirth");
  EXPECT_EQ(command->metrics.at(0).value, model::FieldValue(true));
}

TEST(SparkplugNodes, DataOfANodeNotBornYetAsksForItsBirth) {
  Host host;
  EXPECT_EQ(host.take("g/NDATA/e", Said(5).real("", 1, 1).real("named", std::nullopt, 2)),
            (Strings{"g e named=2.000000", "spBv1.0/g/NCMD/e"}));
  EXPECT_EQ(host.refused(Refusal::alias), 1u);
}

TEST(SparkplugNodes, DeathCountsOnlyWithTheBdSeqOfTheLastBirth) {
  Host host;
  EXPECT_EQ(host.take("g/NDEATH/e", Said(std::nullopt).bd_seq(1)), Strings{});  // of a node never heard of
  host.take("g/NBIRTH/e", Said(0).bd_seq(1));
  host.take("g/DBIRTH/e/d1", Said(1));
  host.take("g/DBIRTH/e/d2", Said(2));
  EXPECT_EQ(host.take("g/DDEATH/e/d1", Said(3)), (Strings{"g e.d1 offline device_death"}));
  host.take("g/NBIRTH/e", Said(0).bd_seq(2));  // back before the broker noticed
  EXPECT_EQ(host.take("g/NDEATH/e", Said(std::nullopt).bd_seq(1)), Strings{});
  EXPECT_EQ(host.take("g/NDEATH/e", Said(std::nullopt)), Strings{});
  EXPECT_EQ(host.take("g/NDEATH/e", Said(std::nullopt).bd_seq(2)),
            (Strings{"g e.d2 offline node_death", "g e offline node_death"}));
  EXPECT_EQ(host.take("g/NDEATH/e", Said(std::nullopt).bd_seq(2)), Strings{});
}

}  // namespace
}  // namespace millstream::connect
