// log/test_log.h: what tests of and on an event log say often.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "log/event_log.h"

namespace millstream::log {

inline model::Event test_event(const std::string& topic, int64_t ts_ms,
                               std::string data = R"({"deviceId":"d","fields":{"t":1}})",
                               model::EventType type = model::EventType::telemetry) {
  return {.ts_ms = ts_ms, .topic = *model::Topic::parse(topic), .type = type, .data = std::move(data)};
}

// Remembers everything it was told.
class RecordingReader final : public CommitReader {
 public:
  void on_commit(const CommittedBatchPtr& batch) override {
    std::lock_guard lock(mu_);
    EXPECT_GE(batch->through, through_) << "through never goes back";
    for (const model::Event& event : batch->events) {
      EXPECT_GT(event.id, through_) << "every later id is above what a batch or tick has named";
      through_ = event.id;
      events_.push_back(event);
    }
    through_ = batch->through;
    ++batches_;
    changed_.notify_all();
  }
  std::vector<model::Event> events() const {
    std::lock_guard lock(mu_);
    return events_;
  }
  void wait_for_batches(size_t more) {
    std::unique_lock lock(mu_);
    const size_t target = batches_ + more;
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return batches_ >= target; });
  }

 private:
  mutable std::mutex mu_;
  std::condition_variable changed_;
  std::vector<model::Event> events_;
  model::EventId through_;
  size_t batches_ = 0;
};

// What the log answers, to whoever waits for it.
struct Answer {
  AppendDone done() {
    return [promise = promise](Result<AppendReceipt> r) { promise->set_value(std::move(r)); };
  }
  Result<AppendReceipt> wait() { return promise->get_future().get(); }

  std::shared_ptr<std::promise<Result<AppendReceipt>>> promise =
      std::make_shared<std::promise<Result<AppendReceipt>>>();
};

inline Result<AppendReceipt> append_and_wait(EventLog& log, std::vector<model::Event> events) {
  Answer answer;
  if (const Status taken = log.append(std::move(events), answer.done()); !taken) return taken.error();
  return answer.wait();
}

// The account and the key are one character each.
inline Once test_once(char account, char text, int64_t content, std::string answer = "{}") {
  Once::Key key{.account = static_cast<uint64_t>(account)};
  key.text.fill(text);
  return {.key = key, .content = content, .answer = std::move(answer)};
}

inline Result<AppendReceipt> append_once_and_wait(EventLog& log, Once once, std::vector<model::Event> events) {
  Answer answer;
  const Status taken = log.append_once(std::move(once), std::move(events), answer.done());
  if (!taken) return taken.error();
  return answer.wait();
}

inline std::vector<model::EventId> ids_of(const std::vector<model::Event>& events) {
  std::vector<model::EventId> ids;
  for (const model::Event& event : events) ids.push_back(event.id);
  return ids;
}

inline std::vector<model::Event> read_all(EventLog& log, ReadRequest request = {}) {
  std::vector<model::Event> all;
  while (true) {
    Result<ReadPage> page = log.read(request);
    EXPECT_TRUE(page.ok()) << page.error().detail;
    if (!page) return all;
    for (model::Event& event : page->events) all.push_back(std::move(event));
    if (!page->more) return all;
    if (request.order == Order::ascending) {
      request.after = page->scanned_to;
    } else {
      request.until = model::EventId::from_packed(page->scanned_to.packed() - 1);
    }
  }
}

}  // namespace millstream::log
