#include "codec/line_protocol.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <random>

#include "base/limits.h"

namespace millstream::codec {
namespace {

using model::Fields;
using model::Point;
using model::Tags;

ParsedPoints parsed(std::string_view body, Precision precision = Precision::nanoseconds) {
  return parse_line_protocol(body, precision);
}
Point only(std::string_view body, Precision precision = Precision::nanoseconds) {
  ParsedPoints got = parsed(body, precision);
  EXPECT_EQ(got.rejected_count, 0u) << body << ": " << (got.rejected.empty() ? "" : got.rejected[0].reason);
  EXPECT_EQ(got.points.size(), 1u) << body;
  return got.points.size() == 1 ? std::move(got.points[0]) : Point{};
}
std::string reason(std::string_view line) {
  const ParsedPoints got = parsed(line);
  EXPECT_TRUE(got.points.empty()) << line;
  return got.rejected.size() == 1 ? got.rejected[0].reason : "rejected: " + std::to_string(got.rejected.size());
}
model::FieldValue value(std::string_view text) {
  const Point point = only("telemetry f=" + std::string(text));
  return point.fields.empty() ? model::FieldValue() : point.fields[0].value;
}
std::string value_reason(std::string_view text) { return reason("telemetry f=" + std::string(text)); }

TEST(LineProtocol, OneLineWithEverything) {
  const Point point =
      only("cpu,device=elink-99,site=s1,core=0 usage=0.64,count=3i,up=t,mode=\"auto\" 1769517296789123456");
  EXPECT_EQ(point,
            (Point{"s1", "elink-99", 1769517296789,
                   Fields{{"cpu.usage", 0.64}, {"cpu.count", int64_t{3}}, {"cpu.up", true}, {"cpu.mode", "auto"}},
                   Tags{{"core", "0"}}, 1}));
}

TEST(LineProtocol, TelemetryFieldsHaveNoPrefix) {
  EXPECT_EQ(only("telemetry,device=d T1=247").fields, (Fields{{"T1", 247.0}}));
  EXPECT_EQ(only("telemetry2,device=d T1=247").fields, (Fields{{"telemetry2.T1", 247.0}}));
}

TEST(LineProtocol, DeviceTagBeatsHostTag) {
  const Point both = only("cpu,host=h,device=d v=1");
  EXPECT_EQ(both.device, "d");
  EXPECT_EQ(both.tags, (Tags{{"host", "h"}}));
  EXPECT_EQ(only("cpu,host=h v=1").device, "h");
  EXPECT_TRUE(only("cpu,host=h v=1").tags.empty());
  EXPECT_EQ(only("cpu v=1").device, "");
}

TEST(LineProtocol, BadLineIsNamedAndGoodLinesStand) {
  const ParsedPoints got = parsed("cpu v=1 1\n# a comment\n\ncpu v=x 2\ncpu v=3 3\n");
  ASSERT_EQ(got.points.size(), 2u);
  EXPECT_EQ(got.points[0].index, 1u);
  EXPECT_EQ(got.points[1].index, 5u);
  ASSERT_EQ(got.rejected.size(), 1u);
  EXPECT_EQ(got.rejected[0].index, 4u);
  EXPECT_EQ(got.rejected[0].reason, "invalid boolean");
  EXPECT_EQ(got.rejected[0].original, "cpu v=x 2");
}

TEST(LineProtocol, BlanksCommentsAndLineEnds) {
  EXPECT_EQ(parsed("").points.size(), 0u);
  EXPECT_EQ(parsed("\n\n  \n\t\n\r\n").rejected_count, 0u);
  EXPECT_EQ(parsed("# one\n  # v=\"two\n#\n").rejected_count, 0u);
  EXPECT_EQ(parsed("# say \" a=\"\ncpu v=1\n").points.size(), 1u);
  EXPECT_EQ(only(" \t cpu v=1").fields, (Fields{{"cpu.v", 1.0}}));
  EXPECT_EQ(only(std::string_view("\0cpu v=1", 8)).fields, (Fields{{"cpu.v", 1.0}}));
  EXPECT_EQ(parsed("cpu v=1 5\r\ncpu v=2\r\ncpu v=\"x\"\r\n").points.size(), 3u);
  EXPECT_EQ(only("cpu v=1   ").ts_ms, std::nullopt);
  EXPECT_EQ(only("cpu   v=1   1000000   ").ts_ms, 1);
}

TEST(LineProtocol, EscapesInNamesAndTags) {
  const Point point = only("my\\ cpu\\,x,de\\=v\\ ice=a\\,b\\ c\\=d,p=C:\\x f\\ \\=\\,\\\"g=1");
  EXPECT_EQ(point.tags, (Tags{{"de=v ice", "a,b c=d"}, {"p", "C:\\x"}}));
  EXPECT_EQ(point.fields, (Fields{{"my cpu,x.f =,\"g", 1.0}}));
  EXPECT_EQ(only("a\\=b f=1").fields, (Fields{{"a\\=b.f", 1.0}}));  // "=" is no escape in a measurement
  EXPECT_EQ(only("a\\b f=1").fields, (Fields{{"a\\b.f", 1.0}}));
  EXPECT_EQ(only("a=b f=1").fields, (Fields{{"a=b.f", 1.0}}));
  EXPECT_EQ(only("\"a\",t=\"x\" \"f\"=1").fields, (Fields{{"\"a\".\"f\"", 1.0}}));
  EXPECT_EQ(only("a,t==x f=1").tags, (Tags{{"t", "=x"}}));
}

TEST(LineProtocol, StringsKeepEverythingButTwoEscapes) {
  EXPECT_EQ(value("\"\""), model::FieldValue(""));
  EXPECT_EQ(value("\"a b,c=d\""), model::FieldValue("a b,c=d"));
  EXPECT_EQ(value("\"say \\\"hi\\\" \\\\ C:\\new\""), model::FieldValue("say \"hi\" \\ C:\\new"));
  EXPECT_EQ(value("\"# no comment\""), model::FieldValue("# no comment"));
  EXPECT_EQ(value("\"Київ\""), model::FieldValue("Київ"));
}

TEST(LineProtocol, StringsMayHoldLineEndsAndLinesAreCountedOn) {
  const ParsedPoints got =
      parsed("log msg=\"one\ntwo\r\n\\\"three\" 5\nlog msg=\"x\",n=1i 6000000\nlog bad\n", Precision::nanoseconds);
  ASSERT_EQ(got.points.size(), 2u);
  EXPECT_EQ(got.points[0].fields, (Fields{{"log.msg", "one\ntwo\r\n\"three"}}));
  EXPECT_EQ(got.points[0].index, 1u);
  EXPECT_EQ(got.points[1].index, 4u);
  EXPECT_EQ(got.points[1].ts_ms, 6);
  ASSERT_EQ(got.rejected.size(), 1u);
  EXPECT_EQ(got.rejected[0].index, 5u);
}

TEST(LineProtocol, AStringNobodyClosesCostsItsLineOnly) {
  const ParsedPoints got = parsed("a v=1\na v=\"open\na v=2\na v=3");
  EXPECT_EQ(got.points.size(), 3u);
  ASSERT_EQ(got.rejected.size(), 1u);
  EXPECT_EQ(got.rejected[0].index, 2u);
  EXPECT_EQ(got.rejected[0].reason, "unbalanced quotes");
  EXPECT_EQ(got.rejected[0].original, "a v=\"open");
}

TEST(LineProtocol, NumbersOfEveryKind) {
  EXPECT_EQ(value("1"), model::FieldValue(1.0));
  EXPECT_EQ(value("-1.5"), model::FieldValue(-1.5));
  EXPECT_EQ(value(".5"), model::FieldValue(0.5));
  EXPECT_EQ(value("-.5"), model::FieldValue(-0.5));
  EXPECT_EQ(value("5."), model::FieldValue(5.0));
  EXPECT_EQ(value("1e3"), model::FieldValue(1000.0));
  EXPECT_EQ(value("1.5E+3"), model::FieldValue(1500.0));
  EXPECT_EQ(value("2e-2"), model::FieldValue(0.02));
  EXPECT_EQ(value("1e-400"), model::FieldValue(0.0));
  EXPECT_EQ(value("007"), model::FieldValue(7.0));
  EXPECT_EQ(value("12345678901234567890123456789"), model::FieldValue(12345678901234567890123456789.0));
  EXPECT_EQ(value("-9223372036854775808i"), model::FieldValue(INT64_MIN));
  EXPECT_EQ(value("9223372036854775807i"), model::FieldValue(INT64_MAX));
  EXPECT_EQ(value("5u"), model::FieldValue(int64_t{5}));
  EXPECT_EQ(value("18446744073709551615u"), model::FieldValue(18446744073709551615.0));
}

TEST(LineProtocol, WhatIsNoNumber) {
  for (const char* bad :
       {"-",   ".",    "-.", "1.2.3", "1x",   "1-2", "--1", "1+2",  "NaN",  "nan",   "n",   "N",   "-Inf",
        "1i2", "1.5i", "i1", "-i",    "1e3i", "1ii", "-5u", "1.5u", "0x10", "1_000", "1\t", "1\"", "-5-"}) {
    const std::string expected = std::string_view(bad) == "i1" ? "invalid boolean" : "invalid number";
    EXPECT_EQ(value_reason(bad), expected) << bad;
  }
  for (const char* bad : {"1e", "1e400", "-1e400", "1e+", "1e5e5", "-e5", ".e5"}) {
    EXPECT_EQ(value_reason(bad), "invalid float") << bad;
  }
  EXPECT_EQ(value_reason(std::string(400, '9')), "invalid float");
  EXPECT_EQ(value_reason("9223372036854775808i"),
            "unable to parse integer 9223372036854775808: strconv.ParseInt: parsing \"9223372036854775808\": value out "
            "of range");
  EXPECT_EQ(value_reason("18446744073709551616u"),
            "unable to parse unsigned 18446744073709551616: strconv.ParseUint: parsing \"18446744073709551616\": value "
            "out of "
            "range");
}

TEST(LineProtocol, BooleansInTenSpellings) {
  for (const char* yes : {"t", "T", "true", "True", "TRUE"}) EXPECT_EQ(value(yes), model::FieldValue(true)) << yes;
  for (const char* no : {"f", "F", "false", "False", "FALSE"}) EXPECT_EQ(value(no), model::FieldValue(false)) << no;
  for (const char* bad : {"tr", "tRUE", "yes", "+1", "FAlse", "truee", "'t'", "inf"}) {
    EXPECT_EQ(value_reason(bad), "invalid boolean") << bad;
  }
}

TEST(LineProtocol, ErrorsInInfluxWords) {
  EXPECT_EQ(reason(",t=v f=1"), "missing measurement");
  EXPECT_EQ(reason("cpu"), "missing fields");
  EXPECT_EQ(reason("cpu,t=v"), "missing fields");
  EXPECT_EQ(reason("cpu "), "invalid field format");
  EXPECT_EQ(reason("cpu, f=1"), "missing tag key");
  EXPECT_EQ(reason("cpu,=v f=1"), "missing tag key");
  EXPECT_EQ(reason("cpu,t f=1"), "missing tag value");
  EXPECT_EQ(reason("cpu,t= f=1"), "missing tag value");
  EXPECT_EQ(reason("cpu,t=,u=1 f=1"), "missing tag value");
  EXPECT_EQ(reason("cpu,t"), "missing tag value");
  EXPECT_EQ(reason("cpu,t=a=b f=1"), "invalid tag format");
  EXPECT_EQ(reason("cpu,t=1,t=2 f=1"), "duplicate tags");
  EXPECT_EQ(reason("cpu,b=1,a=1,b=2 f=1"), "duplicate tags");
  EXPECT_EQ(reason("cpu =1"), "missing field key");
  EXPECT_EQ(reason("cpu a=1,=2"), "missing field key");
  EXPECT_EQ(reason("cpu f="), "missing field value");
  EXPECT_EQ(reason("cpu f= 5"), "missing field value");
  EXPECT_EQ(reason("cpu f=,g=1"), "missing field value");
  EXPECT_EQ(reason("cpu f"), "invalid field format");
  EXPECT_EQ(reason("cpu f g=1"), "invalid field format");
  EXPECT_EQ(reason("cpu a=1,b"), "invalid field format");
  EXPECT_EQ(reason("cpu a=1,"), "invalid field format");
  EXPECT_EQ(reason("cpu a=1,,b=2"), "invalid field format");
  EXPECT_EQ(reason("cpu f=\"a\"b"), "invalid field format");
  EXPECT_EQ(reason("cpu f=\"a"), "unbalanced quotes");
  EXPECT_EQ(reason("cpu f=1 12x"), "bad timestamp");
  EXPECT_EQ(reason("cpu f=1 1.5"), "bad timestamp");
  EXPECT_EQ(reason("cpu f=1 -"), "bad timestamp");
  EXPECT_EQ(reason("cpu f=1 +5"), "bad timestamp");
  EXPECT_EQ(reason("cpu f=1 12 13"), "point is invalid");
  EXPECT_EQ(reason("cpu f=1 99999999999999999999"),
            "strconv.ParseInt: parsing \"99999999999999999999\": value out of range");
}

TEST(LineProtocol, TheNameTimeIsTaken) {
  EXPECT_EQ(only("cpu time=5,v=1").fields, (Fields{{"cpu.v", 1.0}}));
  EXPECT_EQ(reason("cpu time=5"), "invalid field name: input field \"time\" on measurement \"cpu\" is invalid");
  EXPECT_EQ(reason("cpu,time=5 v=1"), "invalid tag key: input tag \"time\" on measurement \"cpu\" is invalid");
}

TEST(LineProtocol, OfARepeatedFieldTheLastCounts) {
  EXPECT_EQ(only("telemetry a=1,b=2,a=3").fields, (Fields{{"a", 3.0}, {"b", 2.0}}));
}

TEST(LineProtocol, TimestampsAreCutToMillisecondsTowardsThePast) {
  EXPECT_EQ(only("cpu f=1").ts_ms, std::nullopt);
  EXPECT_EQ(only("cpu f=1 1999999").ts_ms, 1);
  EXPECT_EQ(only("cpu f=1 -1").ts_ms, -1);
  EXPECT_EQ(only("cpu f=1 -1000000").ts_ms, -1);
  EXPECT_EQ(only("cpu f=1 -1000001").ts_ms, -2);
  EXPECT_EQ(only("cpu f=1 1999", Precision::microseconds).ts_ms, 1);
  EXPECT_EQ(only("cpu f=1 7", Precision::milliseconds).ts_ms, 7);
  EXPECT_EQ(only("cpu f=1 7", Precision::seconds).ts_ms, 7000);
  EXPECT_EQ(only("cpu f=1 7", Precision::minutes).ts_ms, 420'000);
  EXPECT_EQ(only("cpu f=1 -7", Precision::hours).ts_ms, -25'200'000);
}

TEST(LineProtocol, TimestampsBeyondNanosecondsAreOutOfRange) {
  const std::string expected = "time outside range -9223372036854775806 - 9223372036854775806";
  EXPECT_EQ(only("cpu f=1 9223372036854775806").ts_ms, 9223372036854);
  EXPECT_EQ(only("cpu f=1 -9223372036854775806").ts_ms, -9223372036855);
  EXPECT_EQ(reason("cpu f=1 9223372036854775807"), expected);
  EXPECT_EQ(reason("cpu f=1 -9223372036854775807"), expected);
  const ParsedPoints hours = parsed("cpu f=1 2562048", Precision::hours);
  ASSERT_EQ(hours.rejected.size(), 1u);
  EXPECT_EQ(hours.rejected[0].reason, expected);
}

TEST(LineProtocol, PrecisionsOfBothVersions) {
  for (const auto& parse : {parse_precision_v1, parse_precision_v2}) {
    EXPECT_EQ(*parse(""), Precision::nanoseconds);
    EXPECT_EQ(*parse("ns"), Precision::nanoseconds);
    EXPECT_EQ(*parse("us"), Precision::microseconds);
    EXPECT_EQ(*parse("ms"), Precision::milliseconds);
    EXPECT_EQ(*parse("s"), Precision::seconds);
  }
  EXPECT_EQ(*parse_precision_v1("n"), Precision::nanoseconds);
  EXPECT_EQ(*parse_precision_v1("u"), Precision::microseconds);
  EXPECT_EQ(*parse_precision_v1("µ"), Precision::microseconds);
  EXPECT_EQ(*parse_precision_v1("m"), Precision::minutes);
  EXPECT_EQ(*parse_precision_v1("h"), Precision::hours);
  for (const char* only_v1 : {"n", "u", "µ", "m", "h"}) EXPECT_FALSE(parse_precision_v2(only_v1).ok()) << only_v1;
  EXPECT_EQ(parse_precision_v1("d").error().detail, "invalid precision \"d\" (use n, u, ms, s, m or h)");
  EXPECT_EQ(parse_precision_v2("d").error().detail, "invalid precision; valid precision units are ns, us, ms, and s");
}

TEST(LineProtocol, ALineThatIsNotUtf8IsRejectedAlone) {
  const ParsedPoints got = parsed("a v=1\na,t=\xFF v=2\na v=\"\xC3\"\na v=3\n");
  EXPECT_EQ(got.points.size(), 2u);
  ASSERT_EQ(got.rejected.size(), 2u);
  EXPECT_EQ(got.rejected[0].index, 2u);
  EXPECT_EQ(got.rejected[0].reason, "invalid UTF-8");
  EXPECT_EQ(got.rejected[0].original, "a,t=\xEF\xBF\xBD v=2");
}

TEST(LineProtocol, LimitsAreNamed) {
  EXPECT_EQ(reason("m " + std::string(255, 'f') + "=1"), "max key length exceeded: 257 > 256");
  EXPECT_EQ(only("m " + std::string(254, 'f') + "=1").fields.size(), 1u);
  EXPECT_EQ(reason("m,t=" + std::string(65533, 'v') + " f=1"), "max key length exceeded: 65537 > 65535");
  EXPECT_EQ(reason("m f=\"" + std::string(65537, 'v') + "\""),
            "input field \"f\" on measurement \"m\" is too long, 65537 > 65536");
  EXPECT_EQ(reason("m f\x01=1"), "key contains invalid unicode");
  std::string line = "m f0=1";
  for (size_t i = 1; i < kFieldsPerPointMax; ++i) line += ",f" + std::to_string(i) + "=1";
  EXPECT_EQ(only(line).fields.size(), kFieldsPerPointMax);
  EXPECT_EQ(reason(line + ",one_more=1"), "more than 256 fields");
  std::string tags = "m";
  for (size_t i = 0; i < kTagsPerPointMax; ++i) tags += ",t" + std::to_string(i) + "=1";
  EXPECT_EQ(only(tags + " f=1").tags.size(), kTagsPerPointMax);
  EXPECT_EQ(reason(tags + ",t=1 f=1"), "more than 64 tags");
}

TEST(LineProtocol, TheOriginalIsCutAndReasonsAreLimited) {
  const ParsedPoints got = parsed("m f=" + std::string(200, 'x') + "€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€");
  ASSERT_EQ(got.rejected.size(), 1u);
  EXPECT_LE(got.rejected[0].original.size(), 256u);
  EXPECT_GT(got.rejected[0].original.size(), 252u);
  EXPECT_TRUE(got.rejected[0].original.ends_with("€"));
  std::string body;
  for (int i = 0; i < 3000; ++i) body += "bad\n";
  EXPECT_EQ(parsed(body).rejected.size(), kRejectedListedMax);
  EXPECT_EQ(parsed(body).rejected_count, 3000u);
}

// Random points written as line protocol with every escape, read back.
class AnyLine {
 public:
  explicit AnyLine(uint32_t seed) : random_(seed) {}
  size_t below(size_t n) { return random_() % n; }

  std::string text(size_t pieces_max, bool blanks) {
    constexpr std::string_view pieces[] = {"a", "Bc", "é", "😀", "1", "#", "\"", ",", "=", " ", "\n", "\\\\x"};
    std::string out = "x";
    for (size_t i = below(pieces_max); i > 0; --i) out += pieces[below(blanks ? std::size(pieces) : 10)];
    return out + "z";  // a name must not end in a backslash
  }
  static std::string escaped(std::string_view text, std::string_view special) {
    std::string out;
    for (const char c : text) {
      if (special.find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
    return out;
  }

 private:
  std::mt19937_64 random_;
};

TEST(LineProtocol, RandomPointsReadBackTheSame) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  AnyLine any(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string body;
    std::vector<Point> expected;
    size_t line = 1;
    for (size_t points = 1 + any.below(4); points > 0; --points) {
      Point point;
      point.index = line;
      const std::string measurement = any.text(4, false);
      body += AnyLine::escaped(measurement, ", ");
      for (size_t i = 0; i < any.below(4); ++i) {
        point.tags.push_back({std::to_string(i) + any.text(4, false), any.text(6, false)});
        body += "," + AnyLine::escaped(point.tags.back().name, ",= ") + "=" +
                AnyLine::escaped(point.tags.back().value, ",= ");
      }
      char before = ' ';
      for (size_t i = 0, fields = 1 + any.below(5); i < fields; ++i) {
        const std::string name = std::to_string(i) + any.text(4, false);
        body += before + AnyLine::escaped(name, ",= \"") + "=";
        before = ',';
        const std::string text = any.text(12, true);
        if (i % 2 == 0) {
          point.fields.push_back({measurement + "." + name, text});
          body += "\"" + AnyLine::escaped(text, "\"\\") + "\"";
          line += static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
        } else {
          point.fields.push_back({measurement + "." + name, static_cast<int64_t>(i)});
          body += std::to_string(i) + "i";
        }
      }
      point.ts_ms = static_cast<int64_t>(any.below(1'000'000'000));
      body += " " + std::to_string(*point.ts_ms) + (any.below(2) ? "\n" : "\r\n");
      ++line;
      expected.push_back(std::move(point));
    }
    const ParsedPoints got = parsed(body, Precision::milliseconds);
    ASSERT_EQ(got.rejected_count, 0u) << body << "\n" << got.rejected[0].reason;
    ASSERT_EQ(got.points, expected) << body;
  }
}

TEST(LineProtocol, ALineReadsTheSameAfterAnyOther) {
  const std::string_view lines[] = {"m,device=d a=1,b=2 5",
                                    "m,device=d a=1,b=2,a=3",
                                    "m,device=d b=1,a=2,time=3,b=4",
                                    "m,device=d\\ x a=1",
                                    "m,device=dd,x=y a=1",
                                    "m a=1,b=\"x, y\",c=t",
                                    "m,host=h a=1i,bb=2",
                                    "mm,device=d a=1,b=2",
                                    "telemetry,device=d a=1,b=2",
                                    "m,device=d",
                                    "m,device=d a=1,b=",
                                    "m,device=d,time=1 a=1",
                                    "m\\ m,device=d a\\ a=1,b=2"};
  for (const std::string_view before : lines) {
    for (const std::string_view line : lines) {
      const std::string body = std::string(before) + "\n" + std::string(line);
      const ParsedPoints alone = parse_line_protocol("\n" + std::string(line), Precision::seconds);
      ParsedPoints after = parse_line_protocol(body, Precision::seconds);
      std::erase_if(after.points, [](const Point& point) { return point.index == 1; });
      std::erase_if(after.rejected, [](const Rejected& rejected) { return rejected.index == 1; });
      EXPECT_EQ(after.points, alone.points) << body;
      ASSERT_EQ(after.rejected.size(), alone.rejected.size()) << body;
      if (!alone.rejected.empty()) {
        EXPECT_EQ(after.rejected[0].reason, alone.rejected[0].reason) << body;
      }
    }
  }
}

TEST(LineProtocol, ShortNumbersAreTheNearestDoubles) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = std::to_string(static_cast<int64_t>(random()) >> (random() % 63));
    if (random() % 4 != 0) text.insert(text.size() - random() % text.size(), ".");
    if (text.starts_with("-.")) text.insert(1, "0");
    const ParsedPoints parsed = parse_line_protocol("telemetry a=" + text, Precision::seconds);
    ASSERT_EQ(parsed.points.size(), 1u) << text;
    const double value = std::get<double>(parsed.points[0].fields[0].value);
    ASSERT_EQ(std::bit_cast<uint64_t>(value), std::bit_cast<uint64_t>(std::strtod(text.c_str(), nullptr))) << text;
  }
}

TEST(LineProtocol, PrecisionsOfVersion3HaveLongAndShortNames) {
  const auto of = [](std::string_view text) { return parse_precision_v3(text).value(); };
  EXPECT_EQ(of(""), Precision::by_magnitude);
  EXPECT_EQ(of("auto"), Precision::by_magnitude);
  for (const char* text : {"nanosecond", "ns", "n"}) EXPECT_EQ(of(text), Precision::nanoseconds) << text;
  for (const char* text : {"microsecond", "us", "u"}) EXPECT_EQ(of(text), Precision::microseconds) << text;
  for (const char* text : {"millisecond", "ms"}) EXPECT_EQ(of(text), Precision::milliseconds) << text;
  for (const char* text : {"second", "s"}) EXPECT_EQ(of(text), Precision::seconds) << text;
  for (const char* text : {"m", "h", "minute", "Auto", "seconds", " ", "\xff"}) {
    EXPECT_FALSE(parse_precision_v3(text).ok()) << text;
  }
}

TEST(LineProtocol, ByMagnitudeEachTimestampTellsItsUnit) {
  const auto time = [](const std::string& number) {
    return only("m f=1 " + number, Precision::by_magnitude).ts_ms.value_or(-1);
  };
  EXPECT_EQ(time("1769517296"), 1769517296000);
  EXPECT_EQ(time("1769517296789"), 1769517296789);
  EXPECT_EQ(time("1769517296789123"), 1769517296789);
  EXPECT_EQ(time("1769517296789123456"), 1769517296789);
  EXPECT_EQ(time("4999999999"), 4'999'999'999'000);
  EXPECT_EQ(time("5000000000"), 5'000'000'000);
  EXPECT_EQ(time("4999999999999"), 4'999'999'999'999);
  EXPECT_EQ(time("5000000000000"), 5'000'000'000);
  EXPECT_EQ(time("4999999999999999"), 4'999'999'999'999);
  EXPECT_EQ(time("5000000000000000"), 5'000'000'000);
  EXPECT_EQ(time("0"), 0);
  EXPECT_EQ(time("-5"), -5000);
  EXPECT_EQ(time("-5000000000"), -5'000'000'000);
  EXPECT_EQ(parsed("m f=1 -9223372036854775808", Precision::by_magnitude).rejected_count, 1u);
}

TEST(LineProtocol, WhatWasRefusedLaterIsQuotedAsItStandsInTheBody) {
  const std::string body = "a f=1\n  b f=\"two\nlines\"\r\n# no point\nc f=1\nd f=1";
  std::vector<Rejected> rejected{
      {2, "x", {}}, {2, "y", {}}, {3, "no line begins here", {}}, {5, "z", "kept"}, {6, "", {}}};
  quote_lines(body, rejected);
  EXPECT_EQ(rejected[0].original, "b f=\"two\nlines\"");
  EXPECT_EQ(rejected[1].original, "b f=\"two\nlines\"");
  EXPECT_EQ(rejected[2].original, "");
  EXPECT_EQ(rejected[3].original, "kept");
  EXPECT_EQ(rejected[4].original, "d f=1");
  std::vector<Rejected> none;
  quote_lines(body, none);
}

}  // namespace
}  // namespace millstream::codec
