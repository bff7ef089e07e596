#include "hub/shard.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <random>

#include "base/time_text.h"
#include "codec/event_json.h"
#include "model/api_key.h"

namespace millstream::hub {
namespace {

using model::Event;
using model::EventId;

constexpr int64_t kStart = 1'770'000'000'000;

// Reads gzip as a browser does: all that can be read, as soon as it is there.
class Inflater {
 public:
  Inflater() { EXPECT_EQ(inflateInit2(&stream_, 16 + MAX_WBITS), Z_OK); }
  ~Inflater() { inflateEnd(&stream_); }

  std::string_view inflated(std::string_view bytes) {
    out_.clear();
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    std::array<char, 4096> room;
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(room.data());
      stream_.avail_out = room.size();
      const int result = inflate(&stream_, Z_SYNC_FLUSH);
      EXPECT_TRUE(result == Z_OK || result == Z_BUF_ERROR) << result;
      out_.append(room.data(), room.size() - stream_.avail_out);
      if (result != Z_OK) break;
    } while (stream_.avail_out == 0 || stream_.avail_in > 0);
    return out_;
  }

 private:
  z_stream stream_{};
  std::string out_;
};

// A socket that takes `room` more bytes, and reads what it got the way a browser would.
class FakeSocket {
 public:
  explicit FakeSocket(size_t room, bool gzip = false)
      : room_(room),
        inflater_(gzip ? std::make_unique<Inflater>() : nullptr),
        reader_([this](const auto& m) { messages.push_back(m); }) {}

  ~FakeSocket() { disconnect(); }

  std::unique_ptr<ByteSink> sink() { return std::make_unique<Sink>(*this); }

  void give_room(size_t bytes) {
    room_ += bytes;
    if (owner_ && room_ > 0) owner_->on_writable();
  }
  void disconnect() {
    ByteSinkOwner* owner = owner_;
    owner_ = nullptr;
    if (owner) owner->on_closed();
  }
  bool closed() const { return closed_; }
  bool finished() const { return finished_; }  // the answer ended whole
  size_t room() const { return room_; }

  // Ids of the log's events among the messages, in order.
  std::vector<EventId> ids() const {
    std::vector<EventId> out;
    for (const auto& m : messages) {
      if (m.data.find("\"kind\"") != std::string::npos) continue;
      const Result<Event> event = codec::parse_event_json(m.data);
      EXPECT_TRUE(event.ok()) << m.data;
      if (event) out.push_back(event->id);
    }
    return out;
  }
  // How many telemetry events the messages stand for.
  size_t telemetry_told() const {
    size_t told = 0;
    for (const auto& m : messages) {
      if (m.data.find("\"fields\"") != std::string::npos) told += conflated(m.data);
    }
    return told;
  }
  static size_t conflated(const std::string& data) {
    constexpr std::string_view kName = "\"conflated\":";
    const size_t at = data.find(kName);
    return at == std::string::npos ? 1 : std::stoul(data.substr(at + kName.size()));
  }
  size_t count_kind(const std::string& kind) const {
    return static_cast<size_t>(std::count_if(messages.begin(), messages.end(), [&](const auto& m) {
      return m.data.find("\"kind\":\"" + kind + "\"") != std::string::npos;
    }));
  }
  const codec::SseReader::Message& last_kind(const std::string& kind) const {
    for (auto it = messages.rbegin(); it != messages.rend(); ++it) {
      if (it->data.find("\"kind\":\"" + kind + "\"") != std::string::npos) return *it;
    }
    ADD_FAILURE() << "no " << kind;
    return messages.front();
  }
  size_t oddities() const { return reader_.oddities(); }

  std::vector<codec::SseReader::Message> messages;
  std::string raw;

 private:
  class Sink final : public ByteSink {
   public:
    explicit Sink(FakeSocket& socket) : socket_(socket) {}
    ~Sink() override { socket_.owner_ = nullptr; }
    void set_owner(ByteSinkOwner* owner) override { socket_.owner_ = owner; }
    size_t write(std::span<const iovec> pieces) override {
      size_t taken = 0;
      for (const iovec& piece : pieces) {
        const size_t n = std::min(piece.iov_len, socket_.room_);
        socket_.take({static_cast<const char*>(piece.iov_base), n});
        socket_.room_ -= n;
        taken += n;
        if (n < piece.iov_len) break;
      }
      return taken;
    }
    void close(bool finished) override {
      socket_.closed_ = true;
      socket_.finished_ = finished;
    }

   private:
    FakeSocket& socket_;
  };

  // Undoes the chunked coding, byte by byte as it may be cut anywhere.
  void take(std::string_view bytes) {
    raw += bytes;
    while (parsed_ < raw.size()) {
      if (chunk_left_ == 0) {
        const size_t end = raw.find("\r\n", parsed_);
        if (end == std::string::npos) return;
        chunk_left_ = std::stoul(raw.substr(parsed_, end - parsed_), nullptr, 16) + 2;
        ASSERT_GT(chunk_left_, 2u);
        parsed_ = end + 2;
        continue;
      }
      const size_t n = std::min(chunk_left_, raw.size() - parsed_);
      const size_t payload = chunk_left_ > 2 ? std::min(n, chunk_left_ - 2) : 0;
      const std::string_view content = std::string_view(raw).substr(parsed_, payload);
      reader_.feed(inflater_ ? inflater_->inflated(content) : content);
      parsed_ += n;
      chunk_left_ -= n;
    }
  }

  size_t room_;
  ByteSinkOwner* owner_ = nullptr;
  bool closed_ = false;
  bool finished_ = false;
  size_t parsed_ = 0;
  size_t chunk_left_ = 0;
  std::unique_ptr<Inflater> inflater_;
  codec::SseReader reader_;
};

// The log as a list in memory; pages are answered when the test says so.
class FakeLog final : public ReplaySource {
 public:
  void read(ReplayRequest request, std::function<void(Result<ReplayPage>)> done) override {
    jobs.push_back([this, request, done] {
      if (away) return done(Error{Code::unavailable, "away"});
      done(page(request));
    });
  }
  EventId last_id() const override { return last; }

  void answer_one() {
    auto job = std::move(jobs.front());
    jobs.erase(jobs.begin());
    job();
  }
  bool away = false;  // nothing can be read now

  std::vector<Event> events;
  EventId last{kStart, 0};
  EventId oldest{0, 0};
  size_t per_page = 3;
  size_t events_max = 1'000'000;
  std::vector<std::function<void()>> jobs;

 private:
  ReplayPage page(const ReplayRequest& request) const {
    ReplayPage out;
    EventId after = request.after;
    if (after < oldest) out.trimmed_to = after = oldest;
    std::vector<Event> found;
    size_t matching = 0;
    for (const Event& e : events) {
      if (e.id <= after || e.id > request.until || !request.types.has(e.type)) continue;
      if (!std::any_of(request.patterns.begin(), request.patterns.end(),
                       [&](const auto& p) { return p.matches(e.topic); }))
        continue;
      ++matching;
      if (found.size() < per_page) found.push_back(e);
    }
    out.scanned_to = found.size() < matching ? found.back().id : request.until;
    if (request.first && matching > events_max) {
      out.too_many = true;
      return out;
    }
    if (!found.empty()) out.frames = std::make_shared<FramedBatch>(found, out.scanned_to, 0);
    return out;
  }
};

class ShardTest : public ::testing::Test {
 protected:
  ShardTest() { make_shard({}); }

  void make_shard(ShardOptions options) {
    options.node = "test";
    options.seed = 1;
    shard = std::make_unique<Shard>(options, EventId{kStart, 0}, log, clock, metrics, [this] { ++wakes; });
  }

  Event event(const std::string& topic, model::EventType type = model::EventType::telemetry) {
    log.last.seq += 1;
    Event e{.id = log.last, .ts_ms = kStart, .topic = *model::Topic::parse(topic), .type = type};
    e.data = type == model::EventType::telemetry
                 ? codec::encode_telemetry_data(e.topic.device, {{"n", int64_t{e.id.seq}}}, {})
                 : codec::encode_device_status_data({e.topic.device, model::Presence::online, "data", kStart});
    return e;
  }
  // Commits to the log and delivers to the shard in one turn.
  void publish(std::vector<Event> events) {
    log.events.insert(log.events.end(), events.begin(), events.end());
    shard->deliver(std::make_shared<FramedBatch>(events, events.back().id, clock.steady_us()));
    shard->turn_end();
  }
  void publish(const std::string& topic) { publish({event(topic)}); }

  void open(FakeSocket& socket, const std::string& pattern, Start start = {}) {
    SessionRequest request;
    request.patterns = {*model::TopicPattern::parse(pattern)};
    request.start = start;
    shard->open(std::move(request), socket.sink());
    shard->turn_end();
  }
  void settle() {
    for (int quiet = 0; quiet < 10; ++quiet) {
      shard->turn_end();
      if (log.jobs.empty()) continue;
      log.answer_one();
      quiet = 0;
    }
  }
  void pass_ms(int64_t ms) {
    for (int64_t t = 0; t < ms; t += Shard::kTickMs) {
      clock.advance_ms(Shard::kTickMs);
      shard->tick();
      shard->turn_end();
    }
  }

  ManualClock clock{kStart};
  metrics::Registry metrics;
  FakeLog log;
  int wakes = 0;
  std::unique_ptr<Shard> shard;
};

constexpr size_t kPlenty = 100'000'000;
const std::string kAll = "account:1";
const std::string kDevice = "account:1/site:1/device:1";

TEST(GroupKey, AFieldNameNeverPassesForATopic) {
  const auto pattern = [](const char* text) { return *model::TopicPattern::parse(text); };
  SessionRequest entitled;
  entitled.view.fields = {"a"};
  entitled.patterns = {pattern("account:1/site:secret"), pattern("account:1/site:z")};
  SessionRequest other;
  for (const char* name : {"a account:1/site:secret", "a\n account:1/site:secret", "a\n1 a account:1/site:secret"}) {
    other.view.fields = {name};
    other.patterns = {pattern("account:1/site:z")};
    EXPECT_NE(group_key(other), group_key(entitled)) << name;
  }
  other.view.fields = {"a"};
  other.patterns = {pattern("account:1/site:z"), pattern("account:1/site:secret")};
  EXPECT_EQ(group_key(other), group_key(entitled)) << "the order does not matter";
}

TEST_F(ShardTest, HelloCarriesTheCursorAsIdAndARetry) {
  FakeSocket socket(kPlenty);
  open(socket, kAll);
  ASSERT_EQ(socket.messages.size(), 1u);
  EXPECT_EQ(socket.messages[0].event, "system");
  EXPECT_EQ(socket.messages[0].last_event_id, (EventId{kStart, 0}.text()));
  EXPECT_NE(socket.messages[0].data.find("\"kind\":\"hello\""), std::string::npos);
  EXPECT_NE(socket.raw.find("retry: "), std::string::npos);
  EXPECT_EQ(socket.oddities(), 0u);
}

TEST_F(ShardTest, EachViewerGetsWhatItsPatternTakesOnce) {
  FakeSocket all(kPlenty), one(kPlenty), other(kPlenty);
  open(all, kAll);
  open(one, "account:1/site:*/device:1");
  open(other, "account:2");
  publish({event("account:1/site:1/device:1"), event("account:1/site:1/device:2"), event("account:1/site:2/device:1")});
  EXPECT_EQ(all.ids().size(), 3u);
  EXPECT_EQ(one.ids(), (std::vector<EventId>{{kStart, 1}, {kStart, 3}}));
  EXPECT_TRUE(other.ids().empty());
}

TEST_F(ShardTest, OverlappingPatternsDeliverAnEventOnce) {
  FakeSocket socket(kPlenty);
  SessionRequest request;
  request.patterns = {*model::TopicPattern::parse("account:1/site:1"),
                      *model::TopicPattern::parse("account:1/site:*/device:1")};
  shard->open(std::move(request), socket.sink());
  publish(kDevice);
  EXPECT_EQ(socket.ids().size(), 1u);
}

TEST_F(ShardTest, TypesAreFilteredAndUnnamedHasNoEventLine) {
  FakeSocket socket(kPlenty);
  SessionRequest request;
  request.patterns = {*model::TopicPattern::parse(kAll)};
  request.types = model::EventTypes::none().with(model::EventType::device_status);
  request.view.unnamed = true;
  shard->open(std::move(request), socket.sink());
  publish({event(kDevice), event(kDevice, model::EventType::device_status)});
  EXPECT_EQ(socket.ids(), (std::vector<EventId>{{kStart, 2}}));
  EXPECT_EQ(socket.raw.find("event:"), std::string::npos);
  for (const auto& message : socket.messages) EXPECT_EQ(message.event, "message");
}

TEST_F(ShardTest, ResumesFromMemoryWithoutLossOrDuplicate) {
  for (int i = 0; i < 5; ++i) publish(kDevice);
  FakeSocket socket(kPlenty);
  open(socket, kAll, {.from = Start::From::id, .id = {kStart, 2}});
  publish(kDevice);
  EXPECT_EQ(socket.ids(), (std::vector<EventId>{{kStart, 3}, {kStart, 4}, {kStart, 5}, {kStart, 6}}));
  EXPECT_TRUE(log.jobs.empty()) << "the ring was enough";
}

TEST_F(ShardTest, ResumesFromTheLogWhenMemoryIsTooShortAndNeverBlocksPublishing) {
  make_shard({.replay_ring_bytes_max = 600});
  for (int i = 0; i < 20; ++i) publish(kDevice);
  FakeSocket socket(kPlenty), live(kPlenty);
  open(live, kAll);
  open(socket, kAll, {.from = Start::From::id, .id = {kStart, 2}});
  ASSERT_FALSE(log.jobs.empty());
  publish(kDevice);  // while the page is on its way
  EXPECT_EQ(live.ids().size(), 1u);
  settle();
  publish(kDevice);
  std::vector<EventId> expected;
  for (uint32_t i = 3; i <= 22; ++i) expected.push_back({kStart, i});
  EXPECT_EQ(socket.ids(), expected);
}

TEST_F(ShardTest, AnIdOfTheFutureOrNoneOfOursIsAGapAndThenLive) {
  FakeSocket future(kPlenty), garbage(kPlenty);
  open(future, kAll, {.from = Start::From::id, .id = {kStart + 1'000'000, 0}});
  open(garbage, kAll, {.from = Start::From::unknown, .id = {}});
  for (FakeSocket* socket : {&future, &garbage}) {
    ASSERT_EQ(socket->count_kind("gap"), 1u);
    EXPECT_NE(socket->last_kind("gap").data.find("\"reason\":\"unknown\""), std::string::npos);
  }
  publish(kDevice);
  EXPECT_EQ(future.ids().size(), 1u);
  EXPECT_EQ(garbage.ids().size(), 1u);
}

TEST_F(ShardTest, TooOldAnIdIsADeclaredGapAndTheRestIsReplayed) {
  make_shard({.replay_ring_bytes_max = 1});
  for (int i = 0; i < 6; ++i) publish(kDevice);
  log.oldest = {kStart, 4};
  FakeSocket socket(kPlenty);
  open(socket, kAll, {.from = Start::From::id, .id = {kStart, 1}});
  settle();
  EXPECT_EQ(socket.count_kind("gap"), 1u);
  EXPECT_NE(socket.last_kind("gap").data.find("\"reason\":\"trimmed\""), std::string::npos);
  EXPECT_EQ(socket.ids(), (std::vector<EventId>{{kStart, 5}, {kStart, 6}}));
}

TEST_F(ShardTest, AStormOfResumesReadsFewPagesAtOnceAndForgetsNobody) {
  make_shard({.replay_ring_bytes_max = 1});
  for (int i = 0; i < 7; ++i) publish(kDevice);
  std::deque<FakeSocket> sockets;
  for (int i = 0; i < 100; ++i) {
    open(sockets.emplace_back(kPlenty), kAll, {.from = Start::From::id, .id = {kStart, 1}});
    ASSERT_LE(log.jobs.size(), 4u);
  }
  for (size_t i = 0; i < sockets.size(); i += 3) sockets[i].disconnect();  // reading as well as waiting ones
  settle();
  publish(kDevice);
  const std::vector<EventId> missed{{kStart, 2}, {kStart, 3}, {kStart, 4}, {kStart, 5},
                                    {kStart, 6}, {kStart, 7}, {kStart, 8}};
  for (size_t i = 0; i < sockets.size(); ++i) {
    EXPECT_EQ(sockets[i].ids(), i % 3 == 0 ? std::vector<EventId>{} : missed) << i;
  }
}

TEST_F(ShardTest, TooManyMissedEventsAreADeclaredGapFromMemoryAndFromTheLog) {
  for (const size_t ring : {size_t{1}, kPlenty}) {
    make_shard({.replay_ring_bytes_max = ring, .replay_events_max = 5});
    log.events_max = 5;
    log.events.clear();
    log.last = {kStart, 0};
    for (int i = 0; i < 10; ++i) publish(kDevice);
    FakeSocket socket(kPlenty);
    open(socket, kAll, {.from = Start::From::id, .id = {kStart, 1}});
    settle();
    EXPECT_EQ(socket.count_kind("gap"), 1u);
    EXPECT_NE(socket.last_kind("gap").data.find("\"reason\":\"too_many\""), std::string::npos);
    EXPECT_TRUE(socket.ids().empty());
    publish(kDevice);
    EXPECT_EQ(socket.ids(), (std::vector<EventId>{{kStart, 11}}));
  }
}

TEST_F(ShardTest, ASnapshotIsFollowedByEverythingAfterItEvenIfThisShardIsBehindIt) {
  FakeSocket socket(kPlenty);
  SessionRequest request;
  request.patterns = {*model::TopicPattern::parse(kAll)};
  request.snapshot = SessionRequest::Snapshot{.as_of = {kStart, 2}, .blocks = {}, .count = 7};
  shard->open(std::move(request), socket.sink());
  shard->turn_end();
  EXPECT_NE(socket.last_kind("snapshot").data.find("\"complete\":true,\"count\":7"), std::string::npos);
  for (int i = 0; i < 4; ++i) publish(kDevice);  // ids 1 and 2 are in the snapshot already
  EXPECT_EQ(socket.ids(), (std::vector<EventId>{{kStart, 3}, {kStart, 4}}));
}

TEST_F(ShardTest, AViewerHasNoPositionToResumeFromBeforeItsSnapshotIsWhole) {
  FakeSocket socket(kPlenty);
  SessionRequest request;
  request.patterns = {*model::TopicPattern::parse(kAll)};
  std::string blocks;
  codec::append_block({.retry_ms = {}, .id = {}, .event = "telemetry", .data = R"({"kind":"of the snapshot"})"},
                      blocks);
  request.snapshot =
      SessionRequest::Snapshot{.as_of = {kStart, 0}, .blocks = std::make_shared<const std::string>(blocks), .count = 1};
  shard->open(std::move(request), socket.sink());
  ASSERT_EQ(socket.messages.size(), 3u);
  EXPECT_EQ(socket.messages[0].last_event_id, "") << "hello";
  EXPECT_EQ(socket.messages[1].last_event_id, "") << "the snapshot";
  EXPECT_EQ(socket.messages[2].last_event_id, (EventId{kStart, 0}.text())) << "its end";
}

TEST_F(ShardTest, ASlowReaderIsToldAndGetsTelemetryMergedUntilItKeepsUp) {
  make_shard({.session_queue_bytes_max = 1000, .replay_ring_bytes_max = 2000});
  FakeSocket slow(500), healthy(kPlenty);
  open(slow, kAll);
  open(healthy, kAll);
  std::vector<EventId> statuses;
  for (int i = 0; i < 50; ++i) {
    publish(kDevice);
    if (i % 20 != 7) continue;
    const Event status = event(kDevice, model::EventType::device_status);
    statuses.push_back(status.id);
    publish({status});
  }
  EXPECT_EQ(healthy.ids().size(), 53u);
  EXPECT_EQ(healthy.telemetry_told(), 50u);
  EXPECT_LT(slow.ids().size(), 5u);
  slow.give_room(kPlenty);
  settle();
  EXPECT_EQ(slow.count_kind("slow"), 1u);
  EXPECT_EQ(slow.telemetry_told(), 50u);
  EXPECT_LT(slow.ids().size(), 40u);
  for (const EventId& id : statuses) EXPECT_EQ(std::ranges::count(slow.ids(), id), 1);
  const size_t before = slow.ids().size();
  publish(kDevice);
  publish(kDevice);
  EXPECT_EQ(slow.ids().size(), before + 2) << "live again: nothing is merged";
  EXPECT_EQ(slow.ids().back(), healthy.ids().back());
}

TEST_F(ShardTest, AReaderThatAlwaysHasSomethingWaitingCollapsesAfterAWhile) {
  make_shard({.session_queue_ms_max = 1000, .slow_timeout_ms = 60'000});
  FakeSocket socket(1000);
  open(socket, kAll);
  for (int i = 0; i < 20; ++i) publish(kDevice);
  pass_ms(1000);
  publish(kDevice);
  EXPECT_EQ(socket.count_kind("slow"), 0u);
  socket.give_room(kPlenty);
  settle();
  EXPECT_EQ(socket.count_kind("slow"), 1u);
  EXPECT_EQ(socket.telemetry_told(), 21u);
}

TEST_F(ShardTest, ASlowReaderTooFarBehindIsClosed) {
  make_shard({.session_queue_bytes_max = 100, .slow_lag_ms_max = 1000, .slow_timeout_ms = 60'000});
  FakeSocket socket(1000);
  open(socket, kAll);
  for (int i = 0; i < 20; ++i) publish(kDevice);
  pass_ms(5000);
  log.last.ms += 1001;
  EXPECT_FALSE(socket.closed());
  publish(kDevice);
  pass_ms(20'000);
  EXPECT_TRUE(socket.closed());
}

TEST_F(ShardTest, MoreTelemetryThanAViewerMayGetIsMergedAndTheRestIsNotHeldBack) {
  make_shard({.telemetry_per_second_max = 4});
  FakeSocket socket(kPlenty);
  open(socket, kAll);
  pass_ms(1000);
  for (int i = 0; i < 100; ++i) publish(kDevice);
  EXPECT_EQ(socket.ids().size(), 4u);
  const Event status = event(kDevice, model::EventType::device_status);
  publish({status});
  ASSERT_EQ(socket.ids().size(), 6u);
  EXPECT_EQ(socket.ids().back(), status.id);
  EXPECT_EQ(socket.telemetry_told(), 100u);
  for (int second = 0; second < 10; ++second) {
    for (int i = 0; i < 20; ++i) publish(kDevice);
    pass_ms(1000);
  }
  EXPECT_LE(socket.ids().size(), 6u + 40u);
  EXPECT_EQ(socket.telemetry_told(), 300u);
  EXPECT_EQ(socket.ids().back(), log.last);
}

TEST_F(ShardTest, AViewerOfSomeFieldsGetsTheseLiveReplayedAndMerged) {
  FakeSocket live(kPlenty), replayed(kPlenty), merged(kPlenty);
  const auto request = [&](Start start, int64_t interval_ms = 0) {
    SessionRequest made;
    made.patterns = {*model::TopicPattern::parse(kAll)};
    made.view.fields = {"T1", "T2"};
    made.start = start;
    made.interval_ms = interval_ms;
    return made;
  };
  const EventId before = log.last;
  shard->open(request({}), live.sink());
  const auto values = [&](const model::Fields& fields) {
    Event e = event(kDevice);
    e.data = codec::encode_telemetry_data(e.topic.device, fields, {{"model", "x"}});
    return e;
  };
  const Event both = values({{"T1", int64_t{1}}, {"rpm", 2.5}}), none = values({{"rpm", int64_t{3}}});
  const Event status = event(kDevice, model::EventType::device_status), last = values({{"T2", true}});
  publish({both, none});
  publish({status, last});
  const auto from_start = Start{.from = Start::From::id, .id = before};
  shard->open(request(from_start), replayed.sink());
  shard->open(request(from_start, 1000), merged.sink());
  settle();
  for (const FakeSocket* socket : {&live, &replayed, &merged}) {
    EXPECT_EQ(socket->ids(), (std::vector<EventId>{both.id, status.id, last.id}));
    EXPECT_NE(socket->raw.find(R"("data":{"deviceId":"1","fields":{"T1":1},"tags":{"model":"x"}})"), std::string::npos);
    EXPECT_EQ(socket->raw.find("rpm"), std::string::npos);
  }
}

TEST_F(ShardTest, AReaderThatTakesNothingIsClosedAfterTheSlowTimeout) {
  make_shard({.slow_timeout_ms = 2000});
  FakeSocket stuck(400);
  open(stuck, kAll);
  for (int i = 0; i < 5; ++i) publish(kDevice);
  pass_ms(1500);
  EXPECT_FALSE(stuck.closed());
  pass_ms(1500);
  EXPECT_TRUE(stuck.closed());
  EXPECT_EQ(shard->sessions(), 0u);
}

TEST_F(ShardTest, AViewerThatSipsAtItsSnapshotIsClosedAtTheOpeningsDeadline) {
  make_shard({.slow_timeout_ms = 1000});
  const auto open_with_snapshot = [&](FakeSocket& socket) {
    SessionRequest request;
    request.patterns = {*model::TopicPattern::parse(kAll)};
    request.snapshot = SessionRequest::Snapshot{
        .as_of = {kStart, 0}, .blocks = std::make_shared<const std::string>(padding_block(1'000'000)), .count = 0};
    shard->open(std::move(request), socket.sink());
  };
  FakeSocket sipping(400), taking(400);
  open_with_snapshot(sipping);
  open_with_snapshot(taking);
  taking.give_room(1'100'000);
  for (int i = 0; i < 11; ++i) {
    taking.give_room(1'000);
    sipping.give_room(1);
    pass_ms(1000);
  }
  EXPECT_FALSE(sipping.closed());
  sipping.give_room(1);
  pass_ms(1250);
  EXPECT_TRUE(sipping.closed());
  EXPECT_FALSE(taking.closed());
}

TEST_F(ShardTest, ASlowReaderThatHasItsOpeningIsHeldToTheSlowTimeoutAlone) {
  make_shard({.slow_timeout_ms = 1000});
  FakeSocket socket(200);
  open(socket, kAll);  // takes more than 200 bytes
  for (int i = 0; i < 200; ++i) publish(kDevice);
  socket.give_room(1000);  // the opening is through, events are not
  for (int i = 0; i < 20; ++i) {
    socket.give_room(1);
    pass_ms(1000 - Shard::kTickMs);
  }
  EXPECT_FALSE(socket.closed());
}

TEST_F(ShardTest, AlertsBelowTheAskedSeverityAreLeftOutLiveAndReplayed) {
  const auto alert = [&](model::Severity severity) {
    Event e = event(kDevice, model::EventType::alert);
    e.data = codec::encode_alert_data(
        {.alert_id = "a", .rule_id = "r", .rule_name = "r", .device = e.topic.device, .severity = severity});
    return e;
  };
  const auto request = [&](Start start) {
    SessionRequest out;
    out.patterns = {*model::TopicPattern::parse(kAll)};
    out.min_severity = model::Severity::warning;
    out.start = start;
    return out;
  };
  const EventId before = shard->through();
  FakeSocket live(kPlenty), everything(kPlenty);
  shard->open(request({}), live.sink());
  open(everything, kAll);
  const Event info = alert(model::Severity::info), warning = alert(model::Severity::warning);
  const Event critical = alert(model::Severity::critical), telemetry = event(kDevice);
  publish({info, warning, critical, telemetry});
  settle();
  const std::vector<EventId> kept = {warning.id, critical.id, telemetry.id};
  EXPECT_EQ(live.ids(), kept);
  EXPECT_EQ(everything.ids().size(), 4u);

  FakeSocket from_ring(kPlenty), from_log(kPlenty);
  shard->open(request({.from = Start::From::id, .id = before}), from_ring.sink());
  settle();
  EXPECT_EQ(from_ring.ids(), kept);
  make_shard({.replay_ring_bytes_max = 0});
  const Event later = event(kDevice);
  publish({later});
  shard->open(request({.from = Start::From::id, .id = before}), from_log.sink());
  settle();
  EXPECT_EQ(from_log.ids(), (std::vector<EventId>{warning.id, critical.id, telemetry.id, later.id}));
}

class LatestModeTest : public ShardTest {
 protected:
  void open_latest(FakeSocket& socket, Start start = {}) {
    SessionRequest request;
    request.patterns = {*model::TopicPattern::parse(kAll)};
    request.start = start;
    request.interval_ms = 1000;
    shard->open(std::move(request), socket.sink());
    shard->turn_end();
  }
  Event values(const std::string& topic, const model::Fields& fields) {
    Event e = event(topic);
    e.data = codec::encode_telemetry_data(e.topic.device, fields, {});
    return e;
  }
  static std::vector<std::string> data_of(const FakeSocket& socket) {
    std::vector<std::string> out;
    for (const auto& message : socket.messages) {
      if (message.data.find("\"kind\"") != std::string::npos) continue;
      const size_t start = message.data.find("\"data\":") + 7;
      out.push_back(message.data.substr(start, message.data.size() - 1 - start));
    }
    return out;
  }
};

TEST_F(LatestModeTest, TelemetryIsMergedPerDeviceAndSentOnceAnInterval) {
  FakeSocket socket(kPlenty);
  open_latest(socket);
  pass_ms(1000);
  publish({values(kDevice, {{"a", int64_t{1}}})});
  EXPECT_EQ(data_of(socket).size(), 1u) << "after a pause the first is not held back";
  publish(
      {values(kDevice, {{"a", int64_t{2}}, {"b", int64_t{1}}}), values("account:1/site:1/device:9", {{"c", true}})});
  publish({values(kDevice, {{"a", int64_t{3}}})});
  EXPECT_EQ(data_of(socket).size(), 1u);
  pass_ms(1000);
  EXPECT_EQ(data_of(socket), (std::vector<std::string>{
                                 R"({"deviceId":"1","fields":{"a":1}})",
                                 R"({"deviceId":"9","fields":{"c":true}})",
                                 R"({"deviceId":"1","fields":{"a":3,"b":1},"conflated":2})",
                             }));
  EXPECT_EQ(socket.messages.back().last_event_id, log.last.text());
  EXPECT_EQ(socket.oddities(), 0u);
}

TEST_F(LatestModeTest, OtherEventsLeaveAtOnceBehindTheTelemetryBeforeThem) {
  FakeSocket socket(kPlenty);
  open_latest(socket);
  pass_ms(1000);
  publish({event(kDevice)});
  const Event first = event(kDevice), second = event(kDevice), third = event(kDevice);
  const Event status = event(kDevice, model::EventType::device_status), last = event(kDevice);
  publish({first, second});
  EXPECT_EQ(data_of(socket).size(), 1u);
  publish({third, status, last});
  const std::vector<std::string> data = data_of(socket);
  ASSERT_EQ(data.size(), 4u);
  EXPECT_NE(data[1].find("\"conflated\":3"), std::string::npos);
  EXPECT_EQ(data[2], status.data);
  EXPECT_EQ(data[3], last.data);
}

TEST_F(ShardTest, GzipIsMadeOnceForAllItsViewersAndReadableFromWhereEachJoined) {
  std::vector<std::unique_ptr<FakeSocket>> sockets;
  FakeSocket plain(kPlenty);
  open(plain, kAll);
  const EventId start = log.last;
  for (int i = 0; i < 40; ++i) {
    sockets.push_back(std::make_unique<FakeSocket>(kPlenty, true));
    SessionRequest request;
    request.patterns = {*model::TopicPattern::parse(kAll)};
    request.start = {.from = Start::From::id, .id = start};
    request.gzip = true;
    shard->open(std::move(request), sockets.back()->sink());
    for (int j = 0; j < 10; ++j) publish("account:1/site:1/device:" + std::to_string(j));
    pass_ms(500);
  }
  for (const auto& socket : sockets) {
    EXPECT_EQ(socket->ids(), plain.ids());
    EXPECT_EQ(socket->oddities(), 0u);
  }
  // One event a turn, and every viewer's heartbeat in between: still far less than as it is.
  EXPECT_LT(sockets.front()->raw.size() * 2, plain.raw.size());
}

// Whatever a viewer received last, coming back with it gives all that it has not: the newest value of every field of
// every device arrives, and each other event exactly once.
TEST_F(LatestModeTest, RandomCutsAndStallsEndWithTheNewestValuesAndEveryStatusOnce) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 30 && !HasFailure(); ++round) {
    log.events.clear();
    log.jobs.clear();
    log.last = {kStart, 0};
    make_shard({.session_queue_bytes_max = 200 + random() % 3000, .replay_ring_bytes_max = random() % 6000});
    log.per_page = 1 + random() % 10;
    std::map<std::string, std::string> newest, seen;  // "device field" -> value
    std::vector<EventId> statuses, seen_statuses;
    std::unique_ptr<FakeSocket> socket;
    EventId cursor = shard->through();
    const auto remember = [](std::map<std::string, std::string>& values, const Event& e, const model::Fields& fields) {
      for (const model::Field& field : fields) {
        std::string& value = values[e.topic.device.text() + " " + field.name];
        value.clear();
        codec::append_field_value(field.value, value);
      }
    };
    const auto harvest = [&] {
      for (const auto& message : socket->messages) {
        if (!message.last_event_id.empty()) cursor = *EventId::parse(message.last_event_id);
        if (message.data.find("\"kind\"") != std::string::npos) continue;
        const Result<Event> e = codec::parse_event_json(message.data);
        ASSERT_TRUE(e.ok());
        if (e->type != model::EventType::telemetry) seen_statuses.push_back(e->id);
        remember(seen, *e, e->fields);
      }
    };
    for (int step = 0; step < 300; ++step) {
      const std::string topic = "account:1/site:1/device:" + std::to_string(random() % 3);
      switch (random() % 8) {
        case 0:
          if (!socket) {
            socket = std::make_unique<FakeSocket>(random() % 1500);
            open_latest(*socket, {.from = Start::From::id, .id = cursor});
          } else if (random() % 2 == 0) {
            socket->disconnect();
            harvest();
            socket.reset();
          }
          break;
        case 1:
        case 2:
          if (socket) socket->give_room(random() % 700);
          break;
        case 3:
          if (!log.jobs.empty()) log.answer_one();
          break;
        case 4: shard->turn_end(); break;
        case 5: {
          if (random() % 3 > 0) break;
          const Event e = event(topic, model::EventType::device_status);
          statuses.push_back(e.id);
          publish({e});
          break;
        }
        default: {
          const model::Fields fields = {{"f" + std::to_string(random() % 60), static_cast<int64_t>(random() % 1000)}};
          const Event e = values(topic, fields);
          remember(newest, e, fields);
          publish({e});
        }
      }
    }
    if (!socket) {
      socket = std::make_unique<FakeSocket>(kPlenty);
      open_latest(*socket, {.from = Start::From::id, .id = cursor});
    }
    socket->give_room(kPlenty);
    settle();
    pass_ms(1250);
    settle();
    harvest();
    const bool was_new = newest.empty() || seen == newest;
    EXPECT_TRUE(was_new) << "round " << round;
    EXPECT_EQ(seen_statuses, statuses) << "round " << round;
    socket->disconnect();
  }
}

TEST_F(ShardTest, SilenceIsFilledWithCommentsAndNamedHeartbeatsWithoutId) {
  FakeSocket socket(kPlenty);
  open(socket, kAll);
  pass_ms(61'000);
  EXPECT_GE(socket.count_kind("heartbeat"), 2u);
  EXPECT_LE(socket.count_kind("heartbeat"), 4u);
  EXPECT_NE(socket.raw.find(":hb\n"), std::string::npos);
  EXPECT_EQ(socket.raw.find(":hb\n\n"), std::string::npos);
  EXPECT_EQ(socket.last_kind("heartbeat").last_event_id, (EventId{kStart, 0}.text())) << "still the hello's";
  EXPECT_EQ(socket.oddities(), 0u);
}

TEST_F(ShardTest, AStreamEndsWithItsCredentialAndSaysSoBefore) {
  FakeSocket socket(kPlenty);
  SessionRequest request;
  request.patterns = {*model::TopicPattern::parse(kAll)};
  request.expires_at_ms = kStart + 90'000;
  shard->open(std::move(request), socket.sink());
  pass_ms(40'000);
  EXPECT_EQ(socket.count_kind("auth_expiring"), 1u);
  EXPECT_FALSE(socket.closed());
  pass_ms(51'000);
  EXPECT_EQ(socket.count_kind("auth_expired"), 1u);
  EXPECT_TRUE(socket.closed());
  EXPECT_TRUE(socket.finished()) << "a browser may discard the last words of an answer that breaks off";
}

TEST_F(ShardTest, ItsHolderMovesTheEndOfAStreamWithoutABreak) {
  FakeSocket socket(kPlenty);
  SessionRequest request;
  request.patterns = {*model::TopicPattern::parse(kAll)};
  request.expires_at_ms = kStart + 90'000;
  request.holder = 7;
  shard->open(std::move(request), socket.sink());
  pass_ms(40'000);
  const std::string& hello = socket.last_kind("hello").data;
  const size_t at = hello.find("\"streamId\":\"") + 12;
  const std::string stream = hello.substr(at, hello.find('"', at) - at);
  const auto all = [](const auto&) { return true; };
  Renewal renewal{
      .account = *model::AccountId::parse("1"), .holder = 7, .expires_at_ms = kStart + 200'000, .allows = all};

  Renewal stranger = renewal;
  stranger.holder = 8;
  EXPECT_EQ(shard->renew(stream, stranger).what, Renewed::What::no_such_stream);
  Renewal other_account = renewal;
  other_account.account = *model::AccountId::parse("2");
  EXPECT_EQ(shard->renew(stream, other_account).what, Renewed::What::no_such_stream);
  Renewal narrower = renewal;
  narrower.allows = [](const auto& patterns) { return patterns.front().text() != "account:1/site:*/device:*"; };
  EXPECT_EQ(shard->renew(stream, narrower).what, Renewed::What::allows_less);
  for (const char* wrong : {"", "-", "1-1", "x", "999999999999999999999-1"}) {
    EXPECT_EQ(shard->renew(wrong, renewal).what, Renewed::What::no_such_stream) << wrong;
  }

  EXPECT_EQ(shard->renew(stream, renewal).what, Renewed::What::done);
  pass_ms(60'000);
  EXPECT_FALSE(socket.closed()) << "past its first end";
  EXPECT_EQ(socket.count_kind("auth_expiring"), 1u) << "of the first credential";
  pass_ms(50'000);
  EXPECT_EQ(socket.count_kind("auth_expiring"), 2u);
  renewal.expires_at_ms.reset();
  EXPECT_EQ(shard->renew(stream, renewal).what, Renewed::What::done);
  pass_ms(300'000);
  EXPECT_FALSE(socket.closed()) << "its credential has no end";
  EXPECT_EQ(socket.count_kind("auth_expired"), 0u);
}

TEST_F(ShardTest, ATicketHasOneStreamAndTheLatestStays) {
  std::vector<std::unique_ptr<FakeSocket>> sockets;
  const auto open = [&](uint64_t ticket, uint64_t serial) -> FakeSocket& {
    sockets.push_back(std::make_unique<FakeSocket>(kPlenty));
    SessionRequest request;
    request.patterns = {*model::TopicPattern::parse(kAll)};
    request.ticket = ticket;
    request.ticket_serial = serial;
    shard->open(std::move(request), sockets.back()->sink());
    return *sockets.back();
  };
  FakeSocket& first = open(7, 1);
  const FakeSocket& other = open(9, 2);
  const FakeSocket& without = open(0, 0);
  shard->end_ticket(8, 10);
  shard->end_ticket(7, 1);  // said by an opening that was not later
  EXPECT_FALSE(first.closed());
  const FakeSocket& second = open(7, 3);
  EXPECT_TRUE(first.closed()) << "its viewer has come back here";
  EXPECT_FALSE(second.closed());
  shard->end_ticket(7, 4);
  EXPECT_TRUE(second.closed()) << "and now elsewhere";
  shard->end_ticket(7, 5);
  EXPECT_EQ(shard->sessions(), 2u);
  EXPECT_FALSE(other.closed() || without.closed());
}

TEST_F(ShardTest, TheStreamsOfARevokedKeyEndAndNoOthers) {
  const std::vector<uint64_t> keys = {model::api_key_number("abcdefgh0123"), model::api_key_number("abcdefgh0124"), 0};
  std::vector<std::unique_ptr<FakeSocket>> sockets;
  for (const uint64_t key : keys) {
    sockets.push_back(std::make_unique<FakeSocket>(kPlenty));
    SessionRequest request;
    request.patterns = {*model::TopicPattern::parse(kAll)};
    request.credential = key;
    shard->open(std::move(request), sockets.back()->sink());
  }
  EXPECT_EQ(shard->in_use({keys[0], 5, 0}), std::vector<uint64_t>{keys[0]});
  shard->end_credentials({0});
  EXPECT_EQ(shard->sessions(), 3u) << "0 is nobody's";
  shard->end_credentials({keys[0]});
  EXPECT_EQ(sockets[0]->count_kind("auth_expired"), 1u);
  EXPECT_TRUE(sockets[0]->closed());
  EXPECT_FALSE(sockets[1]->closed());
  EXPECT_FALSE(sockets[2]->closed());
  EXPECT_EQ(shard->sessions(), 2u);
}

TEST_F(ShardTest, DrainTellsEveryoneAndSpreadsTheLeaving) {
  std::vector<std::unique_ptr<FakeSocket>> sockets;
  for (int i = 0; i < 100; ++i) {
    sockets.push_back(std::make_unique<FakeSocket>(kPlenty));
    open(*sockets.back(), kAll);
  }
  shard->drain(8000);
  pass_ms(4000);
  EXPECT_GT(shard->sessions(), 20u);
  EXPECT_LT(shard->sessions(), 80u);
  pass_ms(5000);
  EXPECT_EQ(shard->sessions(), 0u);
  for (const auto& socket : sockets) {
    EXPECT_EQ(socket->count_kind("draining"), 1u);
    EXPECT_TRUE(socket->closed());
  }
}

TEST_F(ShardTest, ThatNothingCanBeStoredIsSaidToEveryoneOnceAndItsEndToo) {
  FakeSocket before(kPlenty);
  open(before, kAll);
  shard->set_storage("full");
  shard->set_storage("full");
  FakeSocket meanwhile(kPlenty);
  open(meanwhile, kAll);
  pass_ms(60'000);
  shard->set_storage("ok");
  FakeSocket after(kPlenty);
  open(after, kAll);
  pass_ms(60'000);
  for (const FakeSocket* socket : {&before, &meanwhile}) {
    EXPECT_EQ(socket->count_kind("degraded"), 2u);
    EXPECT_NE(socket->last_kind("degraded").data.find("\"storage\":\"ok\""), std::string::npos);
  }
  EXPECT_EQ(after.count_kind("degraded"), 0u);
}

TEST_F(ShardTest, WhatTheLogHasLostIsToldToEveryoneBetweenWhatCameBeforeAndAfter) {
  FakeSocket live(kPlenty), merged(kPlenty), resumed(kPlenty), later(kPlenty);
  open(live, kAll);
  SessionRequest request;
  request.patterns = {*model::TopicPattern::parse(kAll)};
  request.interval_ms = 1000;
  shard->open(std::move(request), merged.sink());
  publish(kDevice);
  const EventId first = log.last;
  const EventId to{kStart, 10};
  log.oldest = to;  // as the log says to who reads on from before
  shard->declare_lost(first, to);
  log.last = to;
  publish(kDevice);
  open(resumed, kAll, {.from = Start::From::id, .id = first});
  open(later, kAll, {.from = Start::From::id, .id = to});
  settle();
  pass_ms(2000);
  settle();
  for (const FakeSocket* socket : {&live, &merged, &resumed}) {
    ASSERT_EQ(socket->count_kind("gap"), 1u);
    EXPECT_NE(socket->last_kind("gap").data.find("\"to\":\"" + to.text() + "\""), std::string::npos);
    EXPECT_LT(socket->raw.find("\"kind\":\"gap\""), socket->raw.find("\"n\":11"));
  }
  EXPECT_LT(live.raw.find("\"n\":1}"), live.raw.find("\"kind\":\"gap\""));
  EXPECT_EQ(later.count_kind("gap"), 0u);
  EXPECT_EQ(later.ids(), (std::vector<EventId>{{kStart, 11}}));
}

TEST_F(ShardTest, WhoReadsOnWhileTheLogIsAwayWaitsForIt) {
  make_shard({.replay_ring_bytes_max = 0});
  publish(kDevice);
  const EventId first = log.last;
  publish(kDevice);
  log.away = true;
  FakeSocket socket(kPlenty);
  open(socket, kAll, {.from = Start::From::id, .id = first});
  settle();
  EXPECT_FALSE(socket.closed());
  EXPECT_TRUE(log.jobs.empty()) << "it is not asked again and again";
  log.away = false;
  publish(kDevice);
  settle();
  EXPECT_EQ(socket.ids(), (std::vector<EventId>{{kStart, 2}, {kStart, 3}}));
}

// Any mix of viewers, sockets, cuts and resumes: what each viewer received over all its connections is exactly what was
// published to it since it first came, in order, or a gap was declared.
TEST_F(ShardTest, RandomCutsStallsAndResumesLoseNothingAndDoubleNothing) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    log.events.clear();
    log.jobs.clear();
    log.last = {kStart, 0};
    make_shard({.session_queue_bytes_max = 200 + random() % 3000, .replay_ring_bytes_max = random() % 6000});
    log.per_page = 1 + random() % 10;

    struct Viewer {
      model::TopicPattern pattern;
      bool gzip = false;
      std::unique_ptr<FakeSocket> socket;
      EventId joined;
      EventId cursor;
      std::vector<EventId> received;
      size_t told = 0;  // events, merged ones counted singly
    };
    std::vector<Viewer> viewers(6);
    // What came after the last id is told again when the viewer comes back with that id.
    const auto harvest = [](Viewer& v) {
      size_t told = 0;
      std::vector<EventId> ids;
      for (const auto& message : v.socket->messages) {
        if (message.data.find("\"kind\"") == std::string::npos) {
          const Result<Event> e = codec::parse_event_json(message.data);
          ASSERT_TRUE(e.ok());
          told += FakeSocket::conflated(message.data);
          ids.push_back(e->id);
          if (message.last_event_id != e->id.text()) continue;
        }
        v.cursor = *EventId::parse(message.last_event_id);
        v.told += std::exchange(told, 0);
        v.received.insert(v.received.end(), ids.begin(), ids.end());
        ids.clear();
      }
    };
    for (int step = 0; step < 400; ++step) {
      Viewer& v = viewers[random() % viewers.size()];
      switch (random() % 8) {
        case 0:
          if (!v.socket) {
            v.gzip = random() % 2 == 0;
            v.socket = std::make_unique<FakeSocket>(random() % 3000, v.gzip);
            Start start;
            if (!v.cursor.is_zero()) {
              start = {.from = Start::From::id, .id = v.cursor};
            } else {
              v.pattern = *model::TopicPattern::parse(
                  random() % 2 ? kAll : "account:1/site:*/device:" + std::to_string(random() % 3));
              v.joined = v.cursor = shard->through();
            }
            SessionRequest request;
            request.patterns = {v.pattern};
            request.start = start;
            request.gzip = v.gzip;
            shard->open(std::move(request), v.socket->sink());
          }
          break;
        case 1:
          if (v.socket && random() % 3 == 0) {
            v.socket->disconnect();
            harvest(v);
            v.socket.reset();
          }
          break;
        case 2:
        case 3:
          if (v.socket) v.socket->give_room(random() % 4000);
          break;
        case 4:
          if (!log.jobs.empty()) log.answer_one();
          break;
        case 5:
          pass_ms(static_cast<int64_t>(random() % 2) * Shard::kTickMs);
          shard->turn_end();
          break;
        default: {
          std::vector<Event> batch;
          for (uint64_t i = 0; i < 1 + random() % 5; ++i) {
            batch.push_back(
                event("account:1/site:" + std::to_string(random() % 2) + "/device:" + std::to_string(random() % 3)));
          }
          publish(std::move(batch));
        }
      }
    }
    for (Viewer& v : viewers) {
      if (v.socket) v.socket->give_room(kPlenty);
    }
    settle();
    for (Viewer& v : viewers) {
      if (v.joined.is_zero()) continue;
      if (v.socket) harvest(v);
      const EventId end = v.socket ? log.last : v.cursor;
      std::vector<EventId> expected;
      for (const Event& e : log.events) {
        if (e.id > v.joined && e.id <= end && v.pattern.matches(e.topic)) expected.push_back(e.id);
      }
      SCOPED_TRACE("round " + std::to_string(round) + " pattern " + v.pattern.text());
      ASSERT_EQ(v.told, expected.size());
      ASSERT_TRUE(std::includes(expected.begin(), expected.end(), v.received.begin(), v.received.end()));
      ASSERT_EQ(std::adjacent_find(v.received.begin(), v.received.end(), std::greater_equal<>()), v.received.end());
      if (v.socket) v.socket->disconnect();
    }
  }
}

}  // namespace
}  // namespace millstream::hub
