#include "connect/mqtt_feed.h"

#include <mosquitto.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/log_line.h"

namespace millstream::connect {
namespace {

constexpr int64_t kTurnMs = 1'000;
// For an account that has sent too much: the broker waits meanwhile. Longer, and it would think that we are gone.
constexpr int64_t kQuotaPauseMaxMs = 1'000 * MqttClient::kKeepaliveSeconds / 2;
constexpr int64_t kReconnectFirstMs = 500;
constexpr int64_t kReconnectMaxMs = 30'000;
constexpr int64_t kSteadyMs = 5'000;  // a connection that lived so long was a good one

std::vector<std::string> filters_of(const FeedOptions& options) {
  std::vector<std::string> filters;
  for (const std::string& group : options.sparkplug_groups) {
    filters.push_back(std::string(kSparkplugNamespace) + group + "/#");
  }
  for (const TopicTemplate& topic : options.status_topics) filters.push_back(topic.filter());
  for (const TopicTemplate& topic : options.topics) filters.push_back(topic.filter());
  return filters;
}

std::string label(const FeedOptions& options) { return "feed=\"" + options.name + "\""; }

}  // namespace

MqttFeed::MqttFeed(FeedOptions options, Sink& sink, const Clock& clock, metrics::Registry& metrics)
    : options_(std::move(options)),
      sink_(sink),
      clock_(clock),
      connected_(metrics.gauge("millstream_mqtt_connected", "1: connected to the broker of this feed, and subscribed",
                               label(options_))),
      connects_(metrics.counter("millstream_mqtt_connects_total", "Connections made to the broker", label(options_))),
      messages_(metrics.counter("millstream_mqtt_messages_total", "Messages read", label(options_))),
      batches_(metrics.counter("millstream_mqtt_batches_total", "Batches of messages acknowledged", label(options_))),
      retries_(
          metrics.counter("millstream_mqtt_append_retries_total", "Times the log refused a batch", label(options_))),
      rebirths_(
          metrics.counter("millstream_mqtt_rebirths_total", "Edge nodes asked to be born again", label(options_))),
      decoder_(options_),
      reconnects_(kReconnectFirstMs, kReconnectMaxMs, static_cast<uint64_t>(clock.steady_us())),
      complaints_("mqtt: not stored", options_.name, clock),
      writer_(
          sink, static_cast<uint64_t>(clock.steady_us()),
          [this](const Error& error) {
            retries_.add();
            complaints_.add("", "the log refuses: " + error.detail, 0);
          },
          [this](int64_t ms) { return pause(ms); }),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  MS_CHECK(wake_);
  for (const std::string_view reason : kRefusalNames) {
    refused_.push_back(&metrics.counter("millstream_mqtt_refused_total",
                                        "Messages, or parts of them, refused before they were points, by reason",
                                        label(options_) + ",reason=\"" + std::string(reason) + "\""));
  }
  mosquitto_lib_init();
}

MqttFeed::~MqttFeed() {
  stop();
  mosquitto_lib_cleanup();
}

void MqttFeed::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ms-mqtt");
    run();
  });
}

void MqttFeed::ask_to_stop() {
  stopping_ = true;
  static_cast<void>(::eventfd_write(wake_.get(), 1));
}

void MqttFeed::stop() {
  ask_to_stop();
  if (thread_.joinable()) thread_.join();
}

void MqttFeed::run() {
  std::string complaint;
  while (!stopping()) {
    MqttClient client(options_.broker, filters_of(options_), options_.qos, clock_, wake_.get(),
                      [this](const Message& message) { take(message); });
    const Status connected = client.connect();
    const int64_t since_ms = clock_.steady_ms();
    Status ended = connected;
    if (connected) {
      connects_.add();
      log_info("mqtt: connected", {{"feed", options_.name}, {"broker", options_.broker.host}});
      complaint.clear();
      ended = serve(client);
      connected_.set(0);
      if (clock_.steady_ms() - since_ms >= kSteadyMs) reconnects_.succeeded();
    }
    if (stopping()) break;
    // A broker that stays away for a day is not worth thousands of lines.
    if (!ended && ended.error().detail != complaint) {
      complaint = ended.error().detail;
      log_warning(connected ? "mqtt: the connection ended; trying again" : "mqtt: cannot connect; trying again",
                  {{"feed", options_.name}, {"reason", complaint}});
    }
    pause(reconnects_.next_ms());
  }
}

Status MqttFeed::serve(MqttClient& client) {
  while (true) {
    // Also what came with the end of the connection: the broker may not remember it.
    const Status read = read_batch(client);
    if (!writer_.store(batch_.events))
      return Error{Code::unavailable, "stopping; what the log has not taken stays with the broker"};
    const Batch stored = std::exchange(batch_, {});
    if (!read) return read;
    for (const Outgoing& answer : stored.answers) client.publish(answer);
    rebirths_.add(stored.answers.size());
    if (Status s = client.write(); !s) return s;
    if (stored.messages > 0) batches_.add();
    connected_.set(client.is_subscribed() ? 1 : 0);
    if (Status s = client.tend(); !s) return s;
    if (stored.wait_ms > 0) pause(std::min(stored.wait_ms, kQuotaPauseMaxMs));
    if (stopping()) {
      client.disconnect();
      return {};
    }
  }
}

Status MqttFeed::read_batch(MqttClient& client) {
  // Some may have come with the answer to connecting, and the subscriptions are still to be asked for.
  int64_t wait_ms = batch_.messages > 0 || client.has_output() ? 0 : kTurnMs;
  while (batch_.messages < kBatchMessagesMax && batch_.bytes < kBatchBytesMax) {
    const Result<bool> readable = client.wait(wait_ms);
    if (!readable) return readable.error();
    if (!*readable) return {};
    if (Status s = client.read(); !s) return s;
    wait_ms = 0;
  }
  return {};
}

void MqttFeed::take(const Message& message) {
  messages_.add();
  ++batch_.messages;
  batch_.bytes += message.payload.size();
  Intake intake = decoder_.decode(message, clock_.wall_ms());
  if (intake.answer) batch_.answers.push_back(std::move(*intake.answer));
  take_reports(std::move(intake.reports), intake);
  Sink::Checked checked;
  if (!intake.points.points.empty() || intake.points.rejected_count > 0) {
    checked = sink_.check(std::move(intake.points), intake.account);
    std::move(checked.events.begin(), checked.events.end(), std::back_inserter(batch_.events));
    batch_.wait_ms = std::max(batch_.wait_ms, sink_.wait_ms(intake.account));
  }
  size_t refused = checked.refused;
  for (size_t i = 0; i < refused_.size(); ++i) {
    refused_[i]->add(intake.refused[i]);
    refused += intake.refused[i];
  }
  if (refused > 0) {
    complaints_.add(message.topic, intake.first_refusal.empty() ? checked.first_refusal : intake.first_refusal,
                    refused);
  }
}

void MqttFeed::take_reports(std::vector<Report> reports, Intake& intake) {
  for (Report& report : reports) {
    Result<model::Event> event = sink_.check(report.site, std::move(report.said), intake.account);
    if (event) {
      batch_.events.push_back(std::move(*event));
    } else {
      intake.refuse(Refusal::device_limit, event.error().detail);
    }
  }
}

// False: the feed is to stop.
bool MqttFeed::pause(int64_t ms) {
  pollfd wake{wake_.get(), POLLIN, 0};
  static_cast<void>(::poll(&wake, 1, static_cast<int>(ms)));
  return !stopping();
}

}  // namespace millstream::connect
