// connect/mqtt_client.h: one connection to a broker on libmosquitto, by an owner who decides when messages are
// acknowledged.
//
// Flow     connect(); then again and again wait(), read() what came, make it durable, write(). libmosquitto queues its
//          acknowledgements as messages arrive and, told that another thread does its network loop, writes nothing by
//          itself: they leave with write(), all that were read before it in one go.
// Shapes   A session the broker keeps (clean start off, kSessionSeconds): what is not acknowledged comes again.
// Limits   kUnacknowledgedMax messages the broker sends ahead (MQTT 5; under 3.1.1 the broker's own limit counts),
//          kPacketBytesMax a packet (MQTT 5), kConnectMs to connect, kWriteMs for the acknowledgements to leave.
// Errors   Code::unavailable, in the broker's, the library's or the system's words; the connection is over then.
// Thread   one thread at a time; connect() waits for DNS
// Source   libmosquitto 2.0 lib/packet_mosq.c: packet__queue() writes only for one that is not threaded
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/freed.h"
#include "base/result.h"
#include "connect/feed_options.h"
#include "connect/intake.h"

struct mosquitto;
extern "C" void mosquitto_destroy(struct mosquitto*);

namespace millstream::connect {

class MqttClient {
 public:
  static constexpr int kUnacknowledgedMax = 1000;
  static constexpr uint32_t kPacketBytesMax = 4 << 20;
  static constexpr uint32_t kSessionSeconds = 86'400;
  static constexpr int kKeepaliveSeconds = 30;
  static constexpr int64_t kConnectMs = 10'000;
  static constexpr int64_t kWriteMs = 10'000;

  // `on_message` is called from inside connect() and read(). `wake_fd`: readable once the owner wants to stop.
  MqttClient(const BrokerOptions& options, std::vector<std::string> filters, int qos, const Clock& clock, int wake_fd,
             std::function<void(const Message&)> on_message);
  MqttClient(const MqttClient&) = delete;
  MqttClient& operator=(const MqttClient&) = delete;

  // Until the broker has taken us. Asks for the subscriptions, which leave with the next write().
  Status connect();
  // Until there is something to read, the owner wants to stop, or `ms` have passed. Whether there is.
  Result<bool> wait(int64_t ms);
  // One packet, or what there is of it.
  Status read();
  // Everything that waits to be written.
  Status write();
  bool has_output() const;
  // The broker has answered for every subscription.
  bool is_subscribed() const { return up_ && asked_.empty(); }
  // Keeps the connection alive; notices when the broker does not.
  Status tend();
  void publish(const Outgoing& message);  // at most once; leaves with the next write()
  void disconnect();                      // says goodbye; the session stays

 private:
  Status reach() const;
  Status set_up();
  Status ended(int code, const char* doing) const;
  Result<short> poll_for(short events, int64_t ms) const;
  bool is_to_stop() const;
  void on_connect(int reason);
  void on_subscribe(int mid, const std::vector<int>& granted);

  const BrokerOptions& options_;
  const std::vector<std::string> filters_;
  const int qos_;
  const Clock& clock_;
  const int wake_fd_;
  const std::function<void(const Message&)> on_message_;

  std::unique_ptr<mosquitto, Freed<mosquitto_destroy>> client_;
  bool up_ = false;
  std::string refusal_;                         // why the broker did not take us
  std::unordered_map<int, std::string> asked_;  // subscriptions by the message that asks for them
};

}  // namespace millstream::connect
