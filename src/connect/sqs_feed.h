// connect/sqs_feed.h: one [[sqs]] entry: a thread that takes messages from a queue of Amazon SQS and stores what they
// say.
//
// Flow     receive -> check the MD5 -> parse, check -> append under the message's key -> wait until it is durable ->
//          delete -> receive on.
// Shapes   At least once, stored once: the key is the queue, the message's id and the MD5 of its body. What comes
//          again, to this instance or another one, is found stored and is deleted. When the log can remember no more
//          keys, messages are stored without one, and counted. A message of several points is one append.
// Limits   kSqsMessagesMax messages at a time. While the log takes its time they are held, and hidden from others anew
//          at half of visibility_s; the rest waits in the queue, as it does while an account is over its rate limit.
// Errors   A message that cannot be stored, or not all of it, is counted by reason and logged with its id; it is left
//          for the redrive policy of the queue, hidden for longer each time, or deleted (Poison). One whose MD5 is
//          another comes again after visibility_s. A queue that gives no answer is asked again, with back-off.
// Thread   startup: start(), stop() (before the log stops). The feed's own thread does the rest
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/backoff.h"
#include "base/clock.h"
#include "codec/queue_message.h"
#include "connect/complaints.h"
#include "connect/sink.h"
#include "connect/sqs_client.h"
#include "metrics/registry.h"

namespace millstream::connect {

struct SqsFeedOptions {
  enum class Poison { leave, remove };  // what becomes of a message that cannot be stored
  std::string name;
  SqsQueue queue;
  model::AccountId account;  // whose all of it is
  Poison poison = Poison::leave;
  // A queue shares its messages among those that poll it, so that several instances all may.
  std::function<bool()> may_poll = [] { return true; };
};

constexpr std::string_view poison_name(SqsFeedOptions::Poison poison) {
  constexpr std::string_view kNames[] = {"leave", "delete"};
  return kNames[static_cast<size_t>(poison)];
}

class SqsFeed {
 public:
  SqsFeed(SqsFeedOptions options, std::unique_ptr<SqsTransport> transport, Sink& sink, const Clock& clock,
          metrics::Registry& metrics);
  ~SqsFeed();  // stop()
  SqsFeed(const SqsFeed&) = delete;
  SqsFeed& operator=(const SqsFeed&) = delete;

  void start();
  void ask_to_stop();  // does not wait
  void stop();         // what was received is stored, if the log takes it; what was not comes again

 private:
  enum class Refusal { damaged, malformed, too_large, account, not_admitted };
  static constexpr std::array<std::string_view, 5> kRefusalNames = {"damaged", "malformed", "too_large", "account",
                                                                    "not_admitted"};
  // One message, until it is known what becomes of it.
  struct Held {
    SqsMessage message;
    std::vector<model::Event> events;
    std::optional<Refusal> refusal;  // also when some of its points can be stored
    bool stored = false;             // all that can be
    bool unkeyed = false;
    bool waits = false;  // the log has refused it; it is to be asked again later
  };
  using Batch = std::vector<Held>;

  void run();
  bool may_receive();
  void receive();
  void handle(std::vector<SqsMessage> messages);
  Held look_at(SqsMessage message);
  void read(Held& held);
  void take_event(codec::BridgeEvent event, Held& held);
  void take_points(codec::ParsedPoints points, Held& held);
  void refuse(Held& held, Refusal why, std::string_view detail);

  bool store(Batch& batch);
  void append_each(Batch& batch);
  Status append(size_t index, Held& held);
  void await_answers(Batch& batch);
  void take_answer(Held& held, const Result<bool>& repeated);
  void not_stored(Held& held, const Error& error);

  void keep_hidden(const Batch& batch);
  void hide(const std::vector<SqsHiding>& hidings);
  void finish(const Batch& batch);
  void remove(std::vector<std::string> receipt_handles);
  void complain_of(const Error& error);
  bool pause(int64_t ms);
  bool stopping() const { return stopping_.load(); }

  const SqsFeedOptions options_;
  Sink& sink_;
  const Clock& clock_;
  metrics::Gauge& connected_;
  metrics::Counter& received_;
  metrics::Counter& redelivered_;
  metrics::Counter& stored_;
  metrics::Counter& repeated_;
  metrics::Counter& deleted_;
  metrics::Counter& unkeyed_;
  metrics::Counter& retries_;
  metrics::Counter& request_errors_;
  std::vector<metrics::Counter*> refused_;  // by Refusal

  // feed's thread
  SqsClient client_;
  Backoff requests_;
  Backoff appends_;
  Complaints complaints_;
  std::string complaint_;  // of the queue, that was told last
  int64_t hidden_ms_ = 0;  // when the messages at hand were last hidden

  std::atomic<bool> stopping_{false};
  std::mutex mu_;
  std::condition_variable woken_;
  struct Answer {
    size_t index;
    Result<bool> repeated;
  };
  std::vector<Answer> answers_;  // guarded by mu_
  size_t asked_ = 0;             // appends without an answer
  std::thread thread_;
};

}  // namespace millstream::connect
