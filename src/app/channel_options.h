// app/channel_options.h: one [[channels]] entry: where notifications go, and how hard it is tried.
//
// Thread   value
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/topic.h"

namespace millstream::app {

enum class ChannelType : uint8_t { webhook, alertmanager, email };
constexpr std::string_view channel_type_name(ChannelType type) {
  constexpr std::string_view names[] = {"webhook", "alertmanager", "email"};
  return names[static_cast<size_t>(type)];
}

enum class StartTls : uint8_t { required, if_offered, off };
constexpr std::string_view starttls_name(StartTls s) {
  constexpr std::string_view names[] = {"required", "if_offered", "off"};
  return names[static_cast<size_t>(s)];
}

struct ChannelOptions {
  std::string name;
  model::AccountId account;  // empty: every account may use it
  ChannelType type = ChannelType::webhook;
  std::string url;  // may be a secret: never shown
  std::string ca_file;
  bool allow_private = false;  // receivers on this machine or an inner network
  int64_t timeout_ms = 10'000;
  int64_t retry_min_ms = 1'000;
  int64_t retry_max_ms = 300'000;
  int64_t give_up_after_ms = 86'400'000;

  std::string secret;  // of a webhook: signs; empty: not signed

  // of e-mail
  std::string username;
  std::string password;
  std::string from;
  std::vector<std::string> to;
  StartTls starttls = StartTls::required;  // of smtp://
};

}  // namespace millstream::app
