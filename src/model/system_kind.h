// model/system_kind.h: what a `system` event is about, in one word.
//
// Shapes   [a-z0-9_]{1,64}. Some words are the stream's own: a viewer, or an engine, acts on them, so that nobody else
// may
//          say them.
// Thread   value
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "base/limits.h"

namespace millstream::model {

inline constexpr std::string_view kPresenceReportKind = "presence_report";
inline constexpr std::string_view kRuleSavedKind = "rule_saved";
inline constexpr std::string_view kRuleDeletedKind = "rule_deleted";
inline constexpr std::string_view kRulesLimitedKind = "rules_limited";
inline constexpr std::string_view kAlertCommandKind = "alert_command";
inline constexpr std::string_view kDeviceSavedKind = "device_saved";
inline constexpr std::string_view kDeviceDeletedKind = "device_deleted";
inline constexpr std::string_view kSilenceSavedKind = "silence_saved";
inline constexpr std::string_view kSilenceDeletedKind = "silence_deleted";
inline constexpr std::string_view kNotificationKind = "notification";
inline constexpr std::string_view kNotificationResultKind = "notification_result";
inline constexpr std::string_view kStreamKinds[] = {"hello",
                                                    "heartbeat",
                                                    "snapshot",
                                                    "gap",
                                                    "degraded",
                                                    "auth_expiring",
                                                    "auth_expired",
                                                    "draining",
                                                    "overloaded",
                                                    "slow",
                                                    "replay_skip",
                                                    "replay_end",
                                                    kPresenceReportKind,
                                                    kRuleSavedKind,
                                                    kRuleDeletedKind,
                                                    kRulesLimitedKind,
                                                    kAlertCommandKind,
                                                    kDeviceSavedKind,
                                                    kDeviceDeletedKind,
                                                    kSilenceSavedKind,
                                                    kSilenceDeletedKind,
                                                    kNotificationKind,
                                                    kNotificationResultKind};

constexpr bool is_stream_kind(std::string_view text) {
  return std::find(std::begin(kStreamKinds), std::end(kStreamKinds), text) != std::end(kStreamKinds);
}

constexpr bool is_system_kind(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace millstream::model
