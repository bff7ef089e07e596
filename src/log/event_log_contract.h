// log/event_log_contract.h: what every EventLog must do, as tests that run on each implementation.
//
// Flow     INSTANTIATE_TYPED_TEST_SUITE_P(Name, EventLogContract, Fixture), where Fixture makes logs over one store:
//          std::unique_ptr<EventLog> open(); ManualClock clock.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <random>
#include <thread>

#include "base/clock.h"
#include "log/test_log.h"

namespace millstream::log {

template <class Fixture>
class EventLogContract : public ::testing::Test {
 protected:
  Fixture fixture;
};
TYPED_TEST_SUITE_P(EventLogContract);

TYPED_TEST_P(EventLogContract, WhatWasAppendedIsReadBackInOrderAndWhole) {
  auto log = this->fixture.open();
  RecordingReader reader;
  log->add_reader(reader);
  ASSERT_TRUE(log->start().ok());
  model::Event first = test_event("account:1/site:2/device:3", 77, R"({"a":"äöü"})");
  model::Event second = test_event("account:1", 78, R"({"kind":"maintenance"})", model::EventType::system);
  second.conclusion = 9;
  const auto receipt = append_and_wait(*log, {first, second});
  ASSERT_TRUE(receipt.ok());
  EXPECT_LT(receipt->first, receipt->last);
  const std::vector<model::Event> read = read_all(*log);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].id, receipt->first);
  EXPECT_EQ(read[0].topic, first.topic);
  EXPECT_EQ(read[0].ts_ms, 77);
  EXPECT_EQ(read[0].data, first.data);
  EXPECT_EQ(read[1].type, model::EventType::system);
  EXPECT_EQ(read[1].conclusion, 9u);
  EXPECT_EQ(ids_of(reader.events()), ids_of(read));
  log->stop();
}

TYPED_TEST_P(EventLogContract, OfTelemetryOnlySomeFieldsCanBeAskedFor) {
  auto log = this->fixture.open();
  ASSERT_TRUE(log->start().ok());
  const std::string topic = "account:1/site:2/device:3";
  const std::string status = R"({"deviceId":"3","status":"online"})";
  ASSERT_TRUE(
      append_and_wait(*log, {test_event(topic, 1, R"({"deviceId":"3","fields":{"a":1.5,"b":7,"s":"3"}})"),
                             test_event(topic, 2, R"({"fields":{"a":true}})"), test_event(topic, 3, "no telemetry"),
                             test_event(topic, 4, status, model::EventType::device_status)})
          .ok());
  ReadRequest request{.until = log->last_id(), .fields = {{"s", "a"}}};
  const auto page = log->read(request);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->events.size(), 4u);
  EXPECT_EQ(page->events[0].fields, (model::Fields{{"s", std::string("3")}, {"a", 1.5}}));
  EXPECT_EQ(page->events[1].fields, (model::Fields{{"a", true}}));
  EXPECT_TRUE(page->events[2].fields.empty());
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(page->events[i].data, "");
  EXPECT_EQ(page->events[3].data, status);
  log->stop();
}

TYPED_TEST_P(EventLogContract, ReadersHearOfABatchBeforeItsAppenderIsAnswered) {
  auto log = this->fixture.open();
  RecordingReader reader;
  log->add_reader(reader);
  ASSERT_TRUE(log->start().ok());
  for (int i = 0; i < 50; ++i) {
    std::promise<size_t> seen;
    ASSERT_TRUE(log->append({test_event("account:1/site:1/device:1", i)},
                            [&](const Result<AppendReceipt>&) { seen.set_value(reader.events().size()); })
                    .ok());
    EXPECT_EQ(seen.get_future().get(), static_cast<size_t>(i) + 1);
  }
  log->stop();
}

TYPED_TEST_P(EventLogContract, IdsIncreaseOverRestartsAndWhenTheClockStepsBack) {
  model::EventId last;
  for (int run = 0; run < 3; ++run) {
    auto log = this->fixture.open();
    RecordingReader reader;
    log->add_reader(reader);
    ASSERT_TRUE(log->start().ok());
    EXPECT_GE(log->last_id(), last);
    for (int i = 0; i < 20; ++i) {
      const auto receipt = append_and_wait(
          *log, {test_event("account:1/site:1/device:1", i), test_event("account:1/site:1/device:2", i)});
      ASSERT_TRUE(receipt.ok());
      EXPECT_GT(receipt->first, last);
      last = receipt->last;
      this->fixture.clock.set_wall_ms(this->fixture.clock.wall_ms() + (i % 3 == 0 ? -5000 : 1700));
    }
    reader.wait_for_batches(2);  // ticks
    last = log->last_id();
    log->save_checkpoint("c", {.at = last, .state = "s"});
    log->stop();
    this->fixture.clock.set_wall_ms(this->fixture.clock.wall_ms() - 60'000);
  }
}

TYPED_TEST_P(EventLogContract, PatternsTypesOrderAndPagesGiveWhatANaiveFilterGives) {
  auto log = this->fixture.open();
  ASSERT_TRUE(log->start().ok());
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 60; ++i) {
    std::vector<model::Event> batch;
    for (uint64_t n = 0; n < 1 + random() % 20; ++n) {
      std::string topic = "account:" + std::to_string(random() % 2) + "/site:" + std::to_string(random() % 2);
      if (random() % 10 != 0) topic += "/device:" + std::to_string(random() % 5);
      const auto type = random() % 5 == 0 ? static_cast<model::EventType>(random() % 4) : model::EventType::telemetry;
      batch.push_back(test_event(topic, i, R"({"n":1})", type));
    }
    ASSERT_TRUE(append_and_wait(*log, std::move(batch)).ok());
    this->fixture.clock.advance_ms(static_cast<int64_t>(random() % 300'000));  // over several hours
  }
  const std::vector<model::Event> all = read_all(*log, {.events_max = 1'000'000});
  ASSERT_GT(all.size(), 100u);
  for (int i = 0; i < 200; ++i) {
    ReadRequest request;
    if (random() % 2) request.after = all[random() % all.size()].id;
    if (random() % 2) request.until = all[random() % all.size()].id;
    if (random() % 3 != 0) {
      for (uint64_t n = 0; n < 1 + random() % 3; ++n) {
        std::string text = "account:" + std::to_string(random() % 2);
        if (random() % 3)
          text += "/site:" + std::to_string(random() % 2) +
                  "/device:" + (random() % 3 ? std::to_string(random() % 5) : "*");
        request.patterns.push_back(*model::TopicPattern::parse(text));
      }
    }
    if (random() % 3 == 0) request.types = model::EventTypes::none().with(static_cast<model::EventType>(random() % 4));
    if (random() % 2) request.order = Order::descending;
    request.events_max = 1 + random() % 40;
    std::vector<model::EventId> expected;
    for (const model::Event& e : all) {
      const bool wanted = request.patterns.empty() || std::any_of(request.patterns.begin(), request.patterns.end(),
                                                                  [&](const auto& p) { return p.matches(e.topic); });
      if (wanted && request.types.has(e.type) && e.id > request.after && (!request.until || e.id <= *request.until)) {
        expected.push_back(e.id);
      }
    }
    if (request.order == Order::descending) std::reverse(expected.begin(), expected.end());
    ASSERT_EQ(ids_of(read_all(*log, request)), expected) << "request " << i;
  }
  log->stop();
}

TYPED_TEST_P(EventLogContract, NothingOlderThanTheRetentionIsRead) {
  auto log = this->fixture.open();
  RecordingReader reader;
  log->add_reader(reader);
  ASSERT_TRUE(log->start().ok());
  ASSERT_TRUE(append_and_wait(*log, {test_event("account:1/site:1/device:1", 1)}).ok());
  this->fixture.clock.advance_ms(1000);
  const auto second = append_and_wait(*log, {test_event("account:1/site:1/device:1", 2)});
  this->fixture.clock.advance_ms(this->fixture.retention_ms - 500);
  EXPECT_EQ(ids_of(read_all(*log)), (std::vector<model::EventId>{second->first}));
  EXPECT_GT(log->first_id(), (model::EventId{second->first.ms - 1000, 0}));
  this->fixture.clock.advance_ms(2 * 3'600'000);
  reader.wait_for_batches(12);  // more than a second of ticks: housekeeping has run
  EXPECT_TRUE(read_all(*log).empty());
  ASSERT_TRUE(append_and_wait(*log, {test_event("account:1/site:1/device:1", 3)}).ok());
  EXPECT_EQ(read_all(*log).size(), 1u);
  log->stop();
}

TYPED_TEST_P(EventLogContract, CheckpointsAreReplacedKeptAndComeAfterWhatWasAppended) {
  {
    auto log = this->fixture.open();
    ASSERT_TRUE(log->start().ok());
    EXPECT_FALSE(log->load_checkpoint("engines")->has_value());
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(log->append({test_event("account:1/site:1/device:1", i)}, {}).ok());
      log->save_checkpoint("engines", {.at = {i + 1, 0}, .state = std::string("state\0", 6) + std::to_string(i)});
    }
    log->stop();
  }
  auto log = this->fixture.open();
  ASSERT_TRUE(log->start().ok());
  const auto loaded = log->load_checkpoint("engines");
  ASSERT_TRUE(loaded.ok() && loaded->has_value());
  EXPECT_EQ((*loaded)->state, std::string("state\0", 6) + "9");
  EXPECT_EQ((*loaded)->at, (model::EventId{10, 0}));
  EXPECT_EQ(read_all(*log).size(), 10u);
  log->stop();
}

TYPED_TEST_P(EventLogContract, AFullQueueRefusesButNeverAConclusion) {
  this->fixture.append_queue_events_max = 10;
  auto log = this->fixture.open();
  ASSERT_FALSE(log->append({test_event("account:1/site:1/device:1", 1)}, {}).ok()) << "not started";
  std::promise<void> go;
  std::shared_future<void> gate = go.get_future().share();
  ASSERT_TRUE(log->start().ok());
  // The first answer holds the log's thread, so that the queue fills.
  std::promise<void> held;
  ASSERT_TRUE(log->append({test_event("account:1/site:1/device:1", 1)},
                          [&held, gate](const auto&) {
                            held.set_value();
                            gate.wait();
                          })
                  .ok());
  held.get_future().wait();
  size_t taken = 0;
  Status refused;
  for (int i = 0; i < 50 && refused.ok(); ++i) {
    refused = log->append({test_event("account:1/site:1/device:1", i)}, {});
    if (refused) ++taken;
  }
  EXPECT_EQ(taken, 10u);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::unavailable);
  model::Event conclusion = test_event("account:1/site:1/device:1", 1);
  conclusion.conclusion = 1;
  EXPECT_TRUE(log->append({conclusion}, {}).ok());
  go.set_value();
  log->stop();
  EXPECT_FALSE(log->append({conclusion}, {}).ok()) << "stopped";
}

TYPED_TEST_P(EventLogContract, ReadersOnOtherThreadsSeeAGrowingPrefix) {
  auto log = this->fixture.open();
  ASSERT_TRUE(log->start().ok());
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&, r] {
      size_t before = 0;
      while (!done) {
        ReadRequest request{.events_max = 100'000};
        if (r == 1) request.patterns = {*model::TopicPattern::parse("account:1/site:1/device:1")};
        const std::vector<model::Event> events = read_all(*log, request);
        EXPECT_GE(events.size(), before);
        before = events.size();
        for (size_t i = 1; i < events.size(); ++i) EXPECT_LT(events[i - 1].id, events[i].id);
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(
        append_and_wait(*log, {test_event("account:1/site:1/device:1", i), test_event("account:1/site:1/device:2", i)})
            .ok());
    this->fixture.clock.advance_ms(60'000);  // several hours go by: files are sealed under the readers
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(read_all(*log).size(), 400u);
  log->stop();
}

TYPED_TEST_P(EventLogContract, ABatchWithAKeyIsStoredOnceAcrossRestartsAndAnsweredAsTheFirstTime) {
  const std::vector<model::Event> batch = {test_event("account:1/site:1/device:1", 1),
                                           test_event("account:1/site:1/device:2", 1)};
  AppendReceipt first;
  for (int run = 0; run < 3; ++run) {
    auto log = this->fixture.open();
    ASSERT_TRUE(log->start().ok());
    for (int i = 0; i < 20; ++i) {
      const auto receipt = append_once_and_wait(*log, test_once('a', 'k', 7, "answer " + std::to_string(run)), batch);
      ASSERT_TRUE(receipt.ok()) << receipt.error().detail;
      if (run == 0 && i == 0) {
        EXPECT_FALSE(receipt->repeated.has_value());
        first = *receipt;
      } else {
        EXPECT_EQ(receipt->repeated, "answer 0");
        EXPECT_EQ(receipt->first, first.first);
        EXPECT_EQ(receipt->last, first.last);
      }
      this->fixture.clock.advance_ms(400'000);  // the first is soon in an hour that is over
    }
    EXPECT_EQ(read_all(*log).size(), 2u);
    log->stop();
  }
}

TYPED_TEST_P(EventLogContract, RepeatsInOneCommitAreStoredOnceAndKeysOfOthersAreTheirOwn) {
  auto log = this->fixture.open();
  ASSERT_TRUE(log->start().ok());
  const auto event = [] { return std::vector{test_event("account:1/site:1/device:1", 1)}; };
  std::promise<void> held;
  std::promise<void> go;
  // The first answer holds the log's thread, so that all that follow are one commit.
  ASSERT_TRUE(log->append(event(),
                          [&](const auto&) {
                            held.set_value();
                            go.get_future().wait();
                          })
                  .ok());
  held.get_future().wait();
  std::vector<Answer> same(10);
  for (Answer& answer : same) ASSERT_TRUE(log->append_once(test_once('a', 'k', 7), event(), answer.done()).ok());
  Answer other_content, other_account, other_text, asks;
  ASSERT_TRUE(log->append_once(test_once('a', 'k', 8), event(), other_content.done()).ok());
  ASSERT_TRUE(log->append_once(test_once('b', 'j', 7), event(), other_account.done()).ok());
  ASSERT_TRUE(log->append_once(test_once('a', 'l', 7), event(), other_text.done()).ok());
  ASSERT_TRUE(log->append_once(test_once('a', 'k', 7), {}, asks.done()).ok());
  go.set_value();
  size_t repeated = 0;
  for (Answer& answer : same) repeated += answer.wait()->repeated.has_value();
  EXPECT_EQ(repeated, 9u);
  EXPECT_EQ(other_content.wait().error().code, Code::unprocessable);
  EXPECT_FALSE(other_account.wait()->repeated.has_value());
  EXPECT_FALSE(other_text.wait()->repeated.has_value());
  EXPECT_TRUE(asks.wait()->repeated.has_value());
  EXPECT_EQ(append_once_and_wait(*log, test_once('a', 'k', 8), event()).error().code, Code::unprocessable);
  EXPECT_EQ(append_once_and_wait(*log, test_once('a', 'm', 7), {}).error().code, Code::not_found);
  EXPECT_FALSE(append_once_and_wait(*log, test_once('a', 'm', 7), event())->repeated) << "asking does not use it up";
  EXPECT_EQ(read_all(*log).size(), 5u);
  log->stop();
}

TYPED_TEST_P(EventLogContract, AKeyIsRememberedForADay) {
  this->fixture.retention_ms = 3 * kDayMs;
  const auto event = [] { return std::vector{test_event("account:1/site:1/device:1", 1)}; };
  for (const bool restarted : {false, true}) {
    const char text = restarted ? 'r' : 'k';
    auto log = this->fixture.open();
    RecordingReader reader;
    log->add_reader(reader);
    ASSERT_TRUE(log->start().ok());
    ASSERT_FALSE(append_once_and_wait(*log, test_once('a', text, 7), event())->repeated);
    const auto go_on = [&](int64_t ms) {
      this->fixture.clock.advance_ms(ms);
      if (restarted) {
        log->stop();
        log = this->fixture.open();
        ASSERT_TRUE(log->start().ok());
      } else {
        reader.wait_for_batches(12);  // more than a second of ticks: housekeeping has run
      }
    };
    go_on(kDayMs - 1);
    EXPECT_TRUE(append_once_and_wait(*log, test_once('a', text, 7), {}).ok());
    go_on(kHourMs + 2);
    EXPECT_EQ(append_once_and_wait(*log, test_once('a', text, 7), {}).error().code, Code::not_found);
    EXPECT_FALSE(append_once_and_wait(*log, test_once('a', text, 8), event())->repeated);
    log->stop();
  }
}

TYPED_TEST_P(EventLogContract, MoreKeysThanMayBeRememberedAreRefusedAndNoneIsForgotten) {
  this->fixture.once_keys_max = 8;
  auto log = this->fixture.open();
  ASSERT_TRUE(log->start().ok());
  const auto send = [&](char account, char text) {
    // The text is of the account: two accounts' digests are never the same.
    return append_once_and_wait(*log, test_once(account, static_cast<char>(account ^ text), 7),
                                {test_event("account:1/site:1/device:1", 1)});
  };
  for (const char account : {'a', 'b', 'c', 'd'}) {
    for (const char text : {'A', 'I'}) ASSERT_TRUE(send(account, text).ok());
    EXPECT_EQ(send(account, 'Q').error().code, Code::rate_limited) << "its share is a quarter";
  }
  EXPECT_EQ(send('e', 'A').error().code, Code::unavailable);
  EXPECT_TRUE(send('a', 'A')->repeated.has_value());
  ASSERT_TRUE(append_and_wait(*log, {test_event("account:1/site:1/device:1", 1)}).ok()) << "without a key";
  EXPECT_EQ(read_all(*log).size(), 9u);
  log->stop();
}

REGISTER_TYPED_TEST_SUITE_P(EventLogContract, WhatWasAppendedIsReadBackInOrderAndWhole,
                            OfTelemetryOnlySomeFieldsCanBeAskedFor, ReadersHearOfABatchBeforeItsAppenderIsAnswered,
                            IdsIncreaseOverRestartsAndWhenTheClockStepsBack,
                            PatternsTypesOrderAndPagesGiveWhatANaiveFilterGives, NothingOlderThanTheRetentionIsRead,
                            CheckpointsAreReplacedKeptAndComeAfterWhatWasAppended, AFullQueueRefusesButNeverAConclusion,
                            ReadersOnOtherThreadsSeeAGrowingPrefix,
                            ABatchWithAKeyIsStoredOnceAcrossRestartsAndAnsweredAsTheFirstTime,
                            RepeatsInOneCommitAreStoredOnceAndKeysOfOthersAreTheirOwn, AKeyIsRememberedForADay,
                            MoreKeysThanMayBeRememberedAreRefusedAndNoneIsForgotten);

}  // namespace millstream::log
