// connect/feed_options.h: what an operator says about one MQTT feed.
//
// Thread   value
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "connect/topic_template.h"
#include "model/topic.h"

namespace millstream::connect {

struct BrokerOptions {
  std::string host;
  uint16_t port = 1883;
  bool tls = false;
  std::string ca_file;           // PEM: who alone may vouch for the broker; empty: those the system trusts
  std::string certificate_file;  // PEM: our own, where the broker asks for one
  std::string key_file;
  std::string username;
  std::string password;
  std::string client_id;
  bool version_5 = true;  // else 3.1.1
};

enum class PayloadFormat { automatic, json, line_protocol };

struct FeedOptions {
  std::string name;
  BrokerOptions broker;
  model::AccountId account;                // empty: the topic names it
  std::vector<model::AccountId> accounts;  // that a topic may name
  std::vector<TopicTemplate> topics;
  std::vector<TopicTemplate> status_topics;
  std::vector<std::string> online_payloads{"online"};
  std::vector<std::string> offline_payloads{"offline"};
  std::vector<std::string> sparkplug_groups;  // each is also the name of its site
  PayloadFormat payload = PayloadFormat::automatic;
  int qos = 1;  // or 0
};

}  // namespace millstream::connect
