#include "codec/collectd_json.h"

#include <gtest/gtest.h>

namespace millstream::codec {
namespace {

using model::Fields;

ParsedPoints parsed(const std::string& body) {
  Result<ParsedPoints> result = parse_collectd_json(body);
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().detail);
  return result.ok() ? *std::move(result) : ParsedPoints{};
}

std::string list(const std::string& members, const std::string& values = R"("values":[1],"dsnames":["value"])") {
  return R"([{)" + values + R"(,"host":"h","plugin":"p","type":"t")" + members + "}]";
}

std::string reason(const std::string& body) {
  const ParsedPoints points = parsed(body);
  EXPECT_TRUE(points.points.empty()) << body;
  return points.rejected.size() == 1 ? points.rejected[0].reason : "rejected: " + std::to_string(points.rejected_count);
}

std::string name_of(const std::string& body) {
  const ParsedPoints points = parsed(body);
  return points.points.size() == 1 ? points.points[0].fields.front().name : "points: " + reason(body);
}

// As collectd 5.12 sent it.
TEST(CollectdJson, AValueListIsAPointOfItsHost) {
  const ParsedPoints got = parsed(
      R"([{"values":[1453948107,3534503],"dstypes":["derive","derive"],"dsnames":["rx","tx"],"time":1795731036.295,)"
      R"("interval":1.000,"host":"cd-host","plugin":"interface","plugin_instance":"eth0","type":"if_octets",)"
      R"("type_instance":"","meta":{"network:received":true}},)"
      R"({"values":[97.5],"dstypes":["gauge"],"dsnames":["value"],"time":1795731037,"interval":1.000,)"
      R"("host":"cd-host","plugin":"cpu","plugin_instance":"0","type":"percent","type_instance":"idle"}])");
  ASSERT_EQ(got.points.size(), 2u);
  EXPECT_EQ(got.rejected_count, 0u);
  EXPECT_EQ(got.points[0].device, "cd-host");
  EXPECT_EQ(got.points[0].ts_ms, 1'795'731'036'295);
  EXPECT_EQ(got.points[0].fields, (Fields{{"interface-eth0.if_octets.rx", int64_t{1'453'948'107}},
                                          {"interface-eth0.if_octets.tx", int64_t{3'534'503}}}));
  EXPECT_EQ(got.points[1].index, 1u);
  EXPECT_EQ(got.points[1].ts_ms, 1'795'731'037'000);
  EXPECT_EQ(got.points[1].fields, (Fields{{"cpu-0.percent-idle", 97.5}}));
}

TEST(CollectdJson, NamesAreThoseOfWriteGraphite) {
  EXPECT_EQ(name_of(list("")), "p.t");
  EXPECT_EQ(name_of(list(R"(,"plugin_instance":"i")")), "p-i.t");
  EXPECT_EQ(name_of(list(R"(,"type_instance":"j")")), "p.t-j");
  EXPECT_EQ(name_of(list("", R"("values":[1],"dsnames":["ping"])")), "p.t.ping");
  EXPECT_EQ(name_of(list("", R"("values":[1,2],"dsnames":["value","b"])")), "p.t.value");
}

TEST(CollectdJson, WhatCollectdDoesNotKnowIsNoField) {
  const ParsedPoints some = parsed(list("", R"("values":[null,2,NaN],"dsnames":["a","b","c"])"));
  ASSERT_EQ(some.points.size(), 1u);
  EXPECT_EQ(some.points[0].fields, (Fields{{"p.t.b", int64_t{2}}}));
  const ParsedPoints none = parsed(list("", R"("values":[null],"dsnames":["value"])"));
  EXPECT_TRUE(none.points.empty());
  EXPECT_EQ(none.rejected_count, 0u);
  EXPECT_FALSE(parsed(list("")).points[0].ts_ms.has_value());
}

TEST(CollectdJson, ABadListIsNamedAndTheOthersStand) {
  EXPECT_EQ(reason("[7]"), "not an object");
  EXPECT_EQ(reason("[{}]"), "host: missing");
  EXPECT_EQ(reason(R"([{"host":""}])"), "host: empty");
  EXPECT_EQ(reason(R"([{"host":1}])"), "host: not a string");
  EXPECT_EQ(reason(R"([{"labels":{"alertname":"collectd_cpu"}}])"), "host: missing") << "a notification";
  EXPECT_EQ(reason(list("", R"("values":1,"dsnames":["a"])")), "values: not an array");
  EXPECT_EQ(reason(list("", R"("values":[1],"dsnames":1)")), "dsnames: not an array");
  EXPECT_EQ(reason(list("", R"("values":[1,2],"dsnames":["a"])")), "dsnames: not as many as values");
  EXPECT_EQ(reason(list("", R"("values":["1"],"dsnames":["a"])")), "values: not numbers");
  EXPECT_EQ(reason(list("", R"("values":[1],"dsnames":[1])")), "dsnames: not strings");
  EXPECT_EQ(reason(list(R"(,"time":"now")")), "time: not seconds since 1970");
  EXPECT_EQ(reason(list(R"(,"time":1e300)")), "time: not seconds since 1970");
  EXPECT_EQ(reason(list(R"(,"type_instance":")" + std::string(300, 'x') + '"')), "its name is longer than 256 bytes");
  EXPECT_EQ(reason(list(R"(,"type_instance":"\n")")), "its name holds control characters");
  std::string mixed = list("");
  mixed.insert(1, "[],");
  const ParsedPoints got = parsed(mixed);
  ASSERT_EQ(got.points.size(), 1u);
  EXPECT_EQ(got.points[0].index, 1u);
  EXPECT_EQ(got.rejected[0].index, 0u);
}

TEST(CollectdJson, ABodyThatIsNoArrayIsRefusedWhole) {
  for (const char* body : {"", "{", "{}", "1", "PUTVAL h/p/t interval=1 1:1", "\xff"}) {
    const Result<ParsedPoints> result = parse_collectd_json(body);
    ASSERT_FALSE(result.ok()) << body;
    EXPECT_EQ(result.error().code, Code::invalid);
  }
}

}  // namespace
}  // namespace millstream::codec
