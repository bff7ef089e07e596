// connect/sparkplug_nodes.h: what is known of the edge nodes of Sparkplug B, message by message.
//
// Flow     take() a message -> points, reports of presence, and perhaps the command to be born again.
// Shapes   spBv1.0/<group>/<verb>/<edge>[/<device>]. The group is the site; what a node says of itself belongs to the
// device
//          "<edge>", what it says for a device of its own to "<edge>.<device>". So that no two are mixed up, the name
//          of an edge has no dot.
// Rules    A birth names metrics and gives them aliases; data uses either. NDEATH counts only if its bdSeq is that of
// the
//          last NBIRTH (a will may arrive after the node is back), and takes the node's devices with it. A gap in seq,
//          data of a node not born yet, or an unknown alias asks for a rebirth, a node at most once in kRebirthMs; the
//          data is taken as far as it can be read.
// Limits   kNodesMax nodes, kDevicesPerNodeMax devices of each; beyond, what is new is refused.
// Thread   one thread at a time
// Source   Eclipse Sparkplug 3.0, chapters 4 and 5
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "connect/intake.h"
#include "connect/sparkplug_payload.h"

namespace millstream::connect {

inline constexpr std::string_view kSparkplugNamespace = "spBv1.0/";

enum class SparkplugVerb { node_birth, node_death, node_data, device_birth, device_death, device_data };

struct SparkplugTopic {
  std::string group;
  SparkplugVerb verb = SparkplugVerb::node_data;
  std::string edge;
  std::string device;  // empty: the node itself
};

// Code::not_found: well-formed, and meant for others (commands, the state of hosts). Code::invalid: anything else.
Result<SparkplugTopic> parse_sparkplug_topic(std::string_view topic);

class SparkplugNodes {
 public:
  static constexpr size_t kNodesMax = 10'000;
  static constexpr size_t kDevicesPerNodeMax = 10'000;
  static constexpr int64_t kRebirthMs = 10'000;

  void take(const SparkplugTopic& topic, const SparkplugPayload& payload, int64_t now_ms, Intake& out);

 private:
  struct Named {
    std::string name;
    uint32_t datatype = 0;
  };
  struct Node {
    bool born = false;
    std::optional<uint64_t> bd_seq;
    std::optional<uint64_t> seq;
    std::unordered_map<uint64_t, Named> aliases;  // of the node and its devices: they share the numbers
    std::map<std::string, std::map<std::string, uint32_t>> types;  // by device ("": the node) and name
    std::set<std::string> devices;                                 // born and not dead
    std::optional<int64_t> asked_ms;                               // for a rebirth
  };

  void be_born(Node& node, const SparkplugTopic& topic, const SparkplugPayload& payload, Intake& out);
  void die(Node& node, const SparkplugTopic& topic, const SparkplugPayload& payload, Intake& out);
  // Whether the message follows on from the last one.
  static bool follows(Node& node, const SparkplugTopic& topic, const SparkplugPayload& payload);
  // Whether every alias was known.
  static bool take_metrics(const Node& node, const SparkplugTopic& topic, const SparkplugPayload& payload, Intake& out);
  static void ask_for_rebirth(Node& node, const SparkplugTopic& topic, int64_t now_ms, Intake& out);

  std::map<std::pair<std::string, std::string>, Node> nodes_;  // by group and edge
};

}  // namespace millstream::connect
