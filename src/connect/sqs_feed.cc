#include "connect/sqs_feed.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/log_line.h"
#include "connect/bridge_check.h"

namespace millstream::connect {
namespace {

constexpr int64_t kTurnMs = 1'000;
constexpr int64_t kWatchMs = 100;
constexpr int64_t kRequestFirstMs = 200;
constexpr int64_t kRequestMaxMs = 20'000;
constexpr int64_t kAppendFirstMs = 50;
constexpr int64_t kAppendMaxMs = 2'000;
constexpr int64_t kPoisonHiddenMaxS = 900;
constexpr int64_t kDoublingsMax = 10;
constexpr int kRemoveTriesMax = 3;

std::string label(const SqsFeedOptions& options) { return "feed=\"" + options.name + "\""; }

std::string key_of(const SqsQueue& queue, const SqsMessage& message) {
  return "sqs\n" + queue.url + '\n' + message.id + '\n' + message.md5;
}

// Longer each time, so that a queue without a redrive policy is not busy with it.
int64_t poison_hidden_s(int64_t visibility_s, int64_t receive_count) {
  const int64_t doubled = visibility_s << std::min(receive_count - 1, kDoublingsMax);
  return std::max(visibility_s, std::min(doubled, kPoisonHiddenMaxS));
}

}  // namespace

SqsFeed::SqsFeed(SqsFeedOptions options, std::unique_ptr<SqsTransport> transport, Sink& sink, const Clock& clock,
                 metrics::Registry& metrics)
    : options_(std::move(options)),
      sink_(sink),
      clock_(clock),
      connected_(metrics.gauge("millstream_sqs_connected", "1: the queue has answered the last time it was asked",
                               label(options_))),
      received_(metrics.counter("millstream_sqs_received_total", "Messages received", label(options_))),
      redelivered_(metrics.counter("millstream_sqs_redelivered_total",
                                   "Messages received that the queue had given to someone before", label(options_))),
      stored_(metrics.counter("millstream_sqs_stored_total", "Messages stored", label(options_))),
      repeated_(metrics.counter("millstream_sqs_repeated_total",
                                "Messages that were found stored already, and not stored again", label(options_))),
      deleted_(metrics.counter("millstream_sqs_deleted_total", "Messages deleted from the queue", label(options_))),
      unkeyed_(metrics.counter("millstream_sqs_unkeyed_total",
                               "Messages stored although the log can remember no more keys: redelivered, they are "
                               "stored again",
                               label(options_))),
      retries_(
          metrics.counter("millstream_sqs_append_retries_total", "Times the log refused a message", label(options_))),
      request_errors_(metrics.counter("millstream_sqs_request_errors_total",
                                      "Requests to the queue that failed, and entries of them", label(options_))),
      client_(options_.queue, std::move(transport)),
      requests_(kRequestFirstMs, kRequestMaxMs, static_cast<uint64_t>(clock.steady_us())),
      appends_(kAppendFirstMs, kAppendMaxMs, static_cast<uint64_t>(clock.steady_us())),
      complaints_("sqs: not stored", options_.name, clock) {
  for (const std::string_view reason : kRefusalNames) {
    refused_.push_back(&metrics.counter("millstream_sqs_refused_total", "Messages refused, or some of their points",
                                        label(options_) + ",reason=\"" + std::string(reason) + "\""));
  }
}

SqsFeed::~SqsFeed() { stop(); }

void SqsFeed::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ms-sqs");
    run();
  });
}

void SqsFeed::ask_to_stop() {
  {
    const std::lock_guard lock(mu_);
    stopping_ = true;
  }
  woken_.notify_all();
}

void SqsFeed::stop() {
  ask_to_stop();
  if (thread_.joinable()) thread_.join();
}

void SqsFeed::run() {
  while (!stopping()) {
    if (may_receive()) receive();
  }
}

// What an account may not send yet is best kept where it is.
bool SqsFeed::may_receive() {
  const int64_t wait_ms = options_.may_poll() ? std::min(sink_.wait_ms(options_.account), kTurnMs) : kTurnMs;
  if (wait_ms > 0) pause(wait_ms);
  return wait_ms <= 0;
}

void SqsFeed::receive() {
  Result<std::vector<SqsMessage>> messages = client_.receive([this] { return !stopping(); });
  if (stopping()) return;
  connected_.set(messages ? 1 : 0);
  if (!messages) {
    complain_of(messages.error());
    pause(requests_.next_ms());
    return;
  }
  requests_.succeeded();
  if (!complaint_.empty()) log_info("sqs: the queue answers again", {{"feed", options_.name}});
  complaint_.clear();
  if (!messages->empty()) handle(std::move(*messages));
}

void SqsFeed::handle(std::vector<SqsMessage> messages) {
  hidden_ms_ = clock_.steady_ms();
  Batch batch;
  for (SqsMessage& message : messages) batch.push_back(look_at(std::move(message)));
  if (store(batch)) finish(batch);
}

SqsFeed::Held SqsFeed::look_at(SqsMessage message) {
  received_.add();
  if (message.receive_count > 1) redelivered_.add();
  Held held{.message = std::move(message)};
  if (is_intact(held.message)) {
    read(held);
  } else {
    refuse(held, Refusal::damaged, "the body is not the one whose MD5 the queue told");
  }
  held.stored = held.events.empty();
  return held;
}

void SqsFeed::read(Held& held) {
  if (held.message.body.size() > kJsonBodyBytesMax) {
    return refuse(held, Refusal::too_large, std::to_string(held.message.body.size()) + " bytes");
  }
  Result<codec::QueueMessage> said = codec::parse_queue_message(held.message.body, options_.name, clock_.wall_ms());
  if (!said) {
    const bool large = said.error().code == Code::too_large;
    return refuse(held, large ? Refusal::too_large : Refusal::malformed, said.error().detail);
  }
  if (auto* event = std::get_if<codec::BridgeEvent>(&*said)) return take_event(std::move(*event), held);
  take_points(std::get<codec::ParsedPoints>(std::move(*said)), held);
}

void SqsFeed::take_event(codec::BridgeEvent event, Held& held) {
  if (event.topic.account != options_.account) return refuse(held, Refusal::account, "of another account");
  Result<std::vector<model::Event>> events = check_bridge_event(sink_, std::move(event));
  if (!events) return refuse(held, Refusal::not_admitted, events.error().detail);
  held.events = std::move(*events);
}

void SqsFeed::take_points(codec::ParsedPoints points, Held& held) {
  Sink::Checked checked = sink_.check(std::move(points), options_.account);
  held.events = std::move(checked.events);
  if (checked.refused > 0) refuse(held, Refusal::not_admitted, checked.first_refusal);
}

void SqsFeed::refuse(Held& held, Refusal why, std::string_view detail) {
  held.refusal = why;
  refused_[static_cast<size_t>(why)]->add();
  complaints_.add("", "message " + held.message.id + ": " + std::string(detail), 1);
}

// Until everything is durable that can be. False: the feed is to stop, and it is not.
bool SqsFeed::store(Batch& batch) {
  const int64_t hidden_ms = options_.queue.visibility_s * 1000;
  while (true) {
    append_each(batch);
    await_answers(batch);
    if (std::ranges::all_of(batch, &Held::stored)) break;
    if (std::ranges::any_of(batch, &Held::waits) && !pause(std::min(appends_.next_ms(), hidden_ms / 4))) return false;
    keep_hidden(batch);
  }
  appends_.succeeded();
  return true;
}

void SqsFeed::append_each(Batch& batch) {
  for (size_t i = 0; i < batch.size(); ++i) {
    if (batch[i].stored) continue;
    batch[i].waits = false;
    const Status asked = append(i, batch[i]);
    if (asked) {
      ++asked_;
    } else {
      not_stored(batch[i], asked.error());
    }
  }
}

Status SqsFeed::append(size_t index, Held& held) {
  const auto done = [this, index](Result<bool> repeated) {
    const std::lock_guard lock(mu_);
    answers_.push_back({index, std::move(repeated)});
    woken_.notify_all();
  };
  if (!held.unkeyed) {
    return sink_.append_once(options_.account, key_of(options_.queue, held.message), held.events, done);
  }
  return sink_.append(
      held.events, [done](const Status& stored) { done(stored ? Result<bool>(false) : Result<bool>(stored.error())); });
}

// The log answers everyone, also when it stops.
void SqsFeed::await_answers(Batch& batch) {
  while (asked_ > 0) {
    std::vector<Answer> answers;
    {
      std::unique_lock lock(mu_);
      woken_.wait_for(lock, std::chrono::milliseconds(kWatchMs), [this] { return !answers_.empty(); });
      answers.swap(answers_);
    }
    asked_ -= answers.size();
    for (const Answer& answer : answers) take_answer(batch[answer.index], answer.repeated);
    keep_hidden(batch);
  }
}

void SqsFeed::take_answer(Held& held, const Result<bool>& repeated) {
  if (!repeated) return not_stored(held, repeated.error());
  held.stored = true;
  (*repeated ? repeated_ : stored_).add();
  if (held.unkeyed) unkeyed_.add();
}

// Only a log that says so for certain is asked without the key: what became of it may else not be known.
void SqsFeed::not_stored(Held& held, const Error& error) {
  if (error.code == Code::rate_limited && !held.unkeyed) {
    held.unkeyed = true;
    return;
  }
  held.waits = true;
  retries_.add();
  complaints_.add("", "the log refuses: " + error.detail, 0);
}

// Stored or not: what is not deleted yet must not be given to another.
void SqsFeed::keep_hidden(const Batch& batch) {
  if (stopping() || clock_.steady_ms() - hidden_ms_ < options_.queue.visibility_s * 1000 / 2) return;
  hidden_ms_ = clock_.steady_ms();
  std::vector<SqsHiding> hidings;
  for (const Held& held : batch) hidings.push_back({held.message.receipt_handle, options_.queue.visibility_s});
  hide(hidings);
}

void SqsFeed::hide(const std::vector<SqsHiding>& hidings) {
  if (hidings.empty()) return;
  const Result<std::vector<SqsFailure>> failures = client_.hide(hidings, [this] { return !stopping(); });
  if (!failures && !stopping()) complain_of(failures.error());
  if (failures) request_errors_.add(failures->size());
}

void SqsFeed::finish(const Batch& batch) {
  std::vector<std::string> done;
  std::vector<SqsHiding> left;
  for (const Held& held : batch) {
    if (held.refusal == Refusal::damaged) continue;
    if (!held.refusal || options_.poison == SqsFeedOptions::Poison::remove) {
      done.push_back(held.message.receipt_handle);
    } else {
      const int64_t hidden_s = poison_hidden_s(options_.queue.visibility_s, held.message.receive_count);
      left.push_back({held.message.receipt_handle, hidden_s});
    }
  }
  hide(left);
  remove(std::move(done));
}

// What is not deleted comes again, and is found stored.
void SqsFeed::remove(std::vector<std::string> receipt_handles) {
  for (int tries = 0; tries < kRemoveTriesMax && !receipt_handles.empty(); ++tries) {
    const Result<std::vector<SqsFailure>> failures = client_.remove(receipt_handles, [this] { return !stopping(); });
    if (failures) {
      std::vector<std::string> again;
      for (const SqsFailure& failure : *failures) again.push_back(receipt_handles[failure.entry]);
      deleted_.add(receipt_handles.size() - again.size());
      request_errors_.add(again.size());
      receipt_handles = std::move(again);
      if (receipt_handles.empty()) return requests_.succeeded();
    } else if (!stopping()) {
      complain_of(failures.error());
    }
    if (!pause(requests_.next_ms())) return;
  }
}

void SqsFeed::complain_of(const Error& error) {
  request_errors_.add();
  if (error.detail == complaint_) return;
  complaint_ = error.detail;
  log_warning("sqs: the queue does not do what it is asked; trying again",
              {{"feed", options_.name}, {"reason", complaint_}});
}

// False: the feed is to stop.
bool SqsFeed::pause(int64_t ms) {
  std::unique_lock lock(mu_);
  return !woken_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stopping(); });
}

}  // namespace millstream::connect
