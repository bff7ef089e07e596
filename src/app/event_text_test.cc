#include "app/event_text.h"

#include <gtest/gtest.h>

namespace millstream::app {
namespace {

std::string line(const std::string& event, const std::string& data) { return pretty_line({event, data, ""}); }

TEST(EventText, EachTypeReadsAsOneLine) {
  EXPECT_EQ(line("telemetry", R"({"id":"1769517296789-4","ts":"2026-01-27T12:34:56.789Z",)"
                              R"("topic":"account:demo/site:north/device:boiler-01","type":"telemetry",)"
                              R"("data":{"deviceId":"boiler-01","fields":{"T1":71.5,"door":true,"state":"on"}}})"),
            "12:34:56.789 telemetry     north/boiler-01              T1=71.5 door=true state=\"on\"");
  EXPECT_EQ(line("device_status", R"({"id":"1769517296789-5","ts":"2026-01-27T12:34:56.789Z",)"
                                  R"("topic":"account:demo/site:north/device:boiler-01","type":"device_status",)"
                                  R"("data":{"deviceId":"boiler-01","status":"offline","reason":"timeout",)"
                                  R"("lastSeen":"2026-01-27T12:34:50.000Z"}})"),
            "12:34:56.789 device_status north/boiler-01              offline (timeout)");
  EXPECT_EQ(line("alert", R"({"id":"1769517296789-6","ts":"2026-01-27T12:34:56.789Z",)"
                          R"("topic":"account:demo/site:north/device:boiler-01","type":"alert",)"
                          R"("data":{"alertId":"a","ruleId":"r","ruleName":"Too hot","deviceId":"boiler-01",)"
                          R"("state":"firing","severity":"critical","message":"88 C","field":"T1","value":88,)"
                          R"("threshold":85,"startedAt":"2026-01-27T12:34:50.000Z"}})"),
            "12:34:56.789 alert         north/boiler-01              FIRING critical Too hot: 88 C");
}

TEST(EventText, WhatIsNoEventIsShownAsItCame) {
  EXPECT_EQ(line("system", R"({"kind":"hello"})"), R"(system     {"kind":"hello"})");
  EXPECT_EQ(line("message", ""), "message    ");
}

TEST(EventText, WhatIsNotControlKeepsItsBytes) {
  EXPECT_EQ(printable("a\xc2\x85z\xc3\x85"), "a z\xc3\x85") << "one space for one character, and valid UTF-8";
  EXPECT_EQ(printable("\xc2"), "\xc2");
}

TEST(EventText, JsonKeepsItsMeaning) {
  EXPECT_EQ(printable_json("{\"s\":\"a\xc2\x85\x7f\xc3\xa9\",\n\"n\":1}"),
            "{\"s\":\"a\\u0085\\u007f\xc3\xa9\", \"n\":1}");
}

TEST(EventText, NothingThatControlsATerminalGetsThrough) {
  const std::string shown = line("x\x1b[2J",
                                 "a\x1b]0;title\x07"
                                 "b\r\n\x7f\xc2\x9b"
                                 "31mc\xc3\xa9");
  EXPECT_EQ(shown.find_first_of("\x1b\x07\r\n\x7f"), std::string::npos);
  EXPECT_EQ(shown.find("\xc2\x9b"), std::string::npos);
  EXPECT_NE(shown.find("\xc3\xa9"), std::string::npos) << "letters stay";
}

TEST(EventText, MemberTextIsFoundOrEmpty) {
  EXPECT_EQ(json_member_text(R"({"title":"x","detail":"topic \"a\""})", "detail"), "topic \"a\"");
  for (const char* json : {"", "[]", "3", "{", R"({"detail":3})", "<html>"})
    EXPECT_EQ(json_member_text(json, "detail"), "");
}

}  // namespace
}  // namespace millstream::app
