// connect/intake.h: what one message of a broker comes to: points, words about presence, or the reason why it is
// neither.
//
// Thread   value
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/telemetry_json.h"
#include "model/alert.h"
#include "model/topic.h"

namespace millstream::connect {

struct Message {
  std::string_view topic;
  std::string_view payload;
  bool retained = false;  // said before the subscription was made, nobody knows when
};

// Why something in a message was left out, in words that metrics use.
enum class Refusal { topic, account, name, too_large, malformed, status, undated, alias, type, device_limit };
inline constexpr std::array<std::string_view, 10> kRefusalNames = {
    "topic", "account", "name", "too_large", "malformed", "status", "undated", "alias", "type", "device_limit"};

struct Report {
  model::SiteId site;
  model::PresenceReport said;
};

// Something that another is asked to do.
struct Outgoing {
  std::string topic;
  std::string payload;
};

struct Intake {
  model::AccountId account;
  codec::ParsedPoints points;
  std::vector<Report> reports;
  std::optional<Outgoing> answer;
  std::array<size_t, kRefusalNames.size()>
      refused{};  // by Refusal; what is refused inside `points` is not counted here
  std::string first_refusal;

  void refuse(Refusal why, std::string detail, size_t count = 1) {
    refused[static_cast<size_t>(why)] += count;
    if (first_refusal.empty()) first_refusal = std::move(detail);
  }
};

}  // namespace millstream::connect
