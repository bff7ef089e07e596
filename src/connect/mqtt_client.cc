#include "connect/mqtt_client.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log_line.h"
#include "base/unique_fd.h"
#include "net/socket.h"

namespace millstream::connect {
namespace {

constexpr int kGrantedNothing = 0x80;

struct FreedProperties {
  void operator()(mosquitto_property* list) const { mosquitto_property_free_all(&list); }
};
using Properties = std::unique_ptr<mosquitto_property, FreedProperties>;
using Addresses = std::unique_ptr<addrinfo, Freed<freeaddrinfo>>;

Properties connect_properties() {
  mosquitto_property* list = nullptr;
  mosquitto_property_add_int32(&list, MQTT_PROP_SESSION_EXPIRY_INTERVAL, MqttClient::kSessionSeconds);
  mosquitto_property_add_int32(&list, MQTT_PROP_MAXIMUM_PACKET_SIZE, MqttClient::kPacketBytesMax);
  return Properties(list);
}

// A key with a passphrase is refused: there is nobody to ask.
int no_passphrase(char*, int, int, void*) { return 0; }

const char* text_or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

Error unavailable(std::string detail) { return {Code::unavailable, std::move(detail)}; }

Result<Addresses> look_up(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failed != 0) return unavailable(host + ": " + ::gai_strerror(failed));
  return Addresses(found);
}

}  // namespace

MqttClient::MqttClient(const BrokerOptions& options, std::vector<std::string> filters, int qos, const Clock& clock,
                       int wake_fd, std::function<void(const Message&)> on_message)
    : options_(options),
      filters_(std::move(filters)),
      qos_(qos),
      clock_(clock),
      wake_fd_(wake_fd),
      on_message_(std::move(on_message)) {}

Status MqttClient::set_up() {
  client_.reset(mosquitto_new(options_.client_id.c_str(), false, this));
  if (!client_) return unavailable("a client could not be made");
  struct mosquitto* client = client_.get();
  mosquitto_threaded_set(client, true);  // nothing is written but by write()
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, options_.version_5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
  mosquitto_int_option(client, MOSQ_OPT_RECEIVE_MAXIMUM, kUnacknowledgedMax);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_connect_v5_callback_set(client,
                                    [](struct mosquitto*, void* self, int reason, int, const mosquitto_property*) {
                                      static_cast<MqttClient*>(self)->on_connect(reason);
                                    });
  mosquitto_subscribe_v5_callback_set(
      client, [](struct mosquitto*, void* self, int mid, int count, const int* granted, const mosquitto_property*) {
        static_cast<MqttClient*>(self)->on_subscribe(mid, {granted, granted + count});
      });
  mosquitto_message_callback_set(client, [](struct mosquitto*, void* self, const mosquitto_message* message) {
    const std::string_view payload(static_cast<const char*>(message->payload),
                                   static_cast<size_t>(message->payloadlen));
    static_cast<MqttClient*>(self)->on_message_({message->topic, payload, message->retain});
  });
  int failed = mosquitto_username_pw_set(client, text_or_null(options_.username), text_or_null(options_.password));
  if (!failed && options_.tls) {
    if (options_.ca_file.empty()) {
      mosquitto_int_option(client, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    }
    failed = mosquitto_tls_set(client, text_or_null(options_.ca_file), nullptr, text_or_null(options_.certificate_file),
                               text_or_null(options_.key_file), no_passphrase);
  }
  return ended(failed, "setting up");
}

// libmosquitto would wait for minutes where nobody answers, and could not be interrupted.
Status MqttClient::reach() const {
  const Result<Addresses> addresses = look_up(options_.host, options_.port);
  if (!addresses) return addresses.error();
  Error last = unavailable(options_.host + ": no address");
  for (const addrinfo* each = addresses->get(); each != nullptr; each = each->ai_next) {
    net::SocketAddress address;
    std::memcpy(address.get(), each->ai_addr, each->ai_addrlen);
    address.size = each->ai_addrlen;
    const Result<int> fd = net::connect_tcp(address);
    if (!fd) {
      last = fd.error();
      continue;
    }
    const UniqueFd socket(*fd);
    pollfd watched[] = {{socket.get(), POLLOUT, 0}, {wake_fd_, POLLIN, 0}};
    const int ready = ::poll(watched, 2, static_cast<int>(kConnectMs));
    if (watched[1].revents != 0) return unavailable("stopping");
    const int error = ready > 0 ? net::socket_error(socket.get()) : ETIMEDOUT;
    if (error == 0) return {};
    last = unavailable(net::host_text(address) + ": " + std::strerror(error));
  }
  return last;
}

Status MqttClient::connect() {
  if (Status s = reach(); !s) return s;
  if (Status s = set_up(); !s) return s;
  const Properties properties = options_.version_5 ? connect_properties() : nullptr;
  const int failed = mosquitto_connect_bind_v5(client_.get(), options_.host.c_str(), options_.port, kKeepaliveSeconds,
                                               nullptr, properties.get());
  if (Status s = ended(failed, "connecting"); !s) return s;
  const int64_t deadline_ms = clock_.steady_ms() + kConnectMs;
  while (!up_) {
    const int64_t left_ms = deadline_ms - clock_.steady_ms();
    if (left_ms <= 0) return unavailable("the broker does not answer");
    if (const int wrote = mosquitto_loop_write(client_.get(), 1); wrote != 0) return ended(wrote, "connecting");
    const Result<short> ready = poll_for(POLLIN | POLLRDHUP, left_ms);
    if (!ready) return ready.error();
    if (is_to_stop()) return unavailable("stopping");
    if (Status s = read(); !s) return refusal_.empty() ? s : Status(unavailable(refusal_));
    if (!refusal_.empty()) return unavailable(refusal_);
    if (!up_ && (*ready & (POLLRDHUP | POLLHUP | POLLERR)) != 0) return unavailable("the broker closed the connection");
  }
  return {};
}

Result<short> MqttClient::poll_for(short events, int64_t ms) const {
  pollfd watched[] = {{mosquitto_socket(client_.get()), events, 0}, {wake_fd_, POLLIN, 0}};
  if (watched[0].fd < 0) return unavailable("the connection is closed");
  if (::poll(watched, 2, static_cast<int>(ms)) < 0 && errno != EINTR) return unavailable(std::strerror(errno));
  return watched[0].revents;
}

bool MqttClient::is_to_stop() const {
  pollfd wake{wake_fd_, POLLIN, 0};
  return ::poll(&wake, 1, 0) > 0;
}

Result<bool> MqttClient::wait(int64_t ms) {
  const Result<short> ready = poll_for(POLLIN, ms);
  if (!ready) return ready.error();
  return *ready != 0;
}

Status MqttClient::read() {
  errno = 0;  // the library takes an old EAGAIN for one of its own
  return ended(mosquitto_loop_read(client_.get(), 1), "reading");
}

bool MqttClient::has_output() const { return mosquitto_want_write(client_.get()); }

Status MqttClient::write() {
  const int64_t deadline_ms = clock_.steady_ms() + kWriteMs;
  while (has_output()) {
    errno = 0;
    if (const int failed = mosquitto_loop_write(client_.get(), 1); failed != 0) return ended(failed, "writing");
    if (!has_output()) return {};
    const int64_t left_ms = deadline_ms - clock_.steady_ms();
    if (left_ms <= 0) return unavailable("the broker takes nothing");
    pollfd socket{mosquitto_socket(client_.get()), POLLOUT, 0};
    if (::poll(&socket, 1, static_cast<int>(left_ms)) < 0 && errno != EINTR) return unavailable(std::strerror(errno));
  }
  return {};
}

Status MqttClient::tend() { return ended(mosquitto_loop_misc(client_.get()), "keeping alive"); }

void MqttClient::publish(const Outgoing& message) {
  const int failed = mosquitto_publish(client_.get(), nullptr, message.topic.c_str(),
                                       static_cast<int>(message.payload.size()), message.payload.data(), 0, false);
  if (failed != 0)
    log_warning("mqtt: not published", {{"topic", message.topic}, {"reason", mosquitto_strerror(failed)}});
}

void MqttClient::disconnect() {
  mosquitto_disconnect(client_.get());
  static_cast<void>(write());  // a broker that does not take it sees the connection end
}

Status MqttClient::ended(int code, const char* doing) const {
  if (code == MOSQ_ERR_SUCCESS) return {};
  const char* why = code == MOSQ_ERR_ERRNO ? std::strerror(errno) : mosquitto_strerror(code);
  return unavailable(std::string(doing) + ": " + why);
}

void MqttClient::on_connect(int reason) {
  if (reason != 0) {
    const char* why = options_.version_5 ? mosquitto_reason_string(reason) : mosquitto_connack_string(reason);
    refusal_ = std::string("the broker refuses: ") + why;
    return;
  }
  up_ = true;
  // What the broker retains is sent for a new subscription, not for each connection: a kept session misses nothing.
  constexpr int kOptions = MQTT_SUB_OPT_NO_LOCAL | MQTT_SUB_OPT_SEND_RETAIN_NEW;
  for (const std::string& filter : filters_) {
    int mid = 0;
    const int failed =
        mosquitto_subscribe_v5(client_.get(), &mid, filter.c_str(), qos_, options_.version_5 ? kOptions : 0, nullptr);
    if (failed != 0) {
      log_error("mqtt: cannot subscribe", {{"filter", filter}, {"reason", mosquitto_strerror(failed)}});
    }
    asked_[mid] = filter;
  }
}

void MqttClient::on_subscribe(int mid, const std::vector<int>& granted) {
  const auto asked = asked_.find(mid);
  if (asked == asked_.end()) return;
  for (const int qos : granted) {
    if (qos >= kGrantedNothing) {
      log_error("mqtt: the broker refuses a subscription", {{"filter", asked->second}, {"code", qos}});
    } else if (qos < qos_) {
      log_warning("mqtt: the broker grants less than was asked for; messages may be lost between it and here",
                  {{"filter", asked->second}, {"qos", qos}});
    }
  }
  asked_.erase(asked);
}

}  // namespace millstream::connect
