#include "app/engine_runner.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "codec/event_json.h"
#include "model/state_text.h"
#include "presence/presence_engine.h"
#include "rules/rule_engine.h"
#include "rules/testing.h"

namespace millstream::app {
namespace {

using model::Conclusions;
using model::Event;
using model::EventId;
using model::EventType;

using Lines = std::vector<std::string>;

// An event log in memory whose every step, and whose death at any step, is the test's to choose.
class MemoryLog final : public log::EventLog {
 public:
  int64_t now_ms = 1'000;
  bool refuses_appends = false;    // append(): not now
  bool disk_is_full = false;       // answers storage_full
  bool loses_checkpoints = false;  // save_checkpoint() fails
  bool fails_reads = false;
  bool checkpoint_is_damaged = false;
  // As a log that several instances share: under another number nothing is stored, and no conclusion twice.
  std::optional<uint64_t> fence;
  std::optional<uint64_t> asking;                                   // the number of whoever appends and stores now
  std::vector<Event> events;                                        // durable
  std::map<std::string, log::Checkpoint, std::less<>> checkpoints;  // durable

  void add_reader(log::CommitReader& reader) override { readers_.push_back(&reader); }
  void remove_reader(log::CommitReader& reader) { std::erase(readers_, &reader); }
  Status start() override { return {}; }
  void stop() override {}

  Status append(std::vector<Event> batch, log::AppendDone done) override {
    std::lock_guard lock(mu_);
    if (refuses_appends) return Error{Code::unavailable, "queue full"};
    queue_.push_back({std::move(batch), std::move(done), {}, {}, asking});
    return {};
  }
  Result<std::vector<log::Missing>> read_samples(const log::SamplesRequest&, log::SampleSink&) override {
    return Error{Code::unavailable, "the engines draw no charts"};
  }
  Status append_once(log::Once, std::vector<Event>, log::AppendDone) override {
    return Error{Code::unavailable, "the engines have no keys"};
  }
  void save_checkpoint(std::string name, log::Checkpoint checkpoint) override {
    std::lock_guard lock(mu_);
    queue_.push_back({{}, {}, std::move(name), std::move(checkpoint), asking});
  }
  Result<std::optional<log::Checkpoint>> load_checkpoint(std::string_view name) override {
    std::lock_guard lock(mu_);
    if (checkpoint_is_damaged) return Error{Code::corrupt, "checkpoints.db: wrong checksum"};
    const auto found = checkpoints.find(name);
    if (found == checkpoints.end()) return std::optional<log::Checkpoint>();
    return std::optional(found->second);
  }
  Result<log::ReadPage> read(const log::ReadRequest& request) override {
    std::lock_guard lock(mu_);
    if (fails_reads) return Error{Code::internal, "disk error"};
    log::ReadPage page;
    for (const Event& event : events) {
      if (event.id <= request.after || (request.until && event.id > *request.until)) continue;
      if (page.events.size() == request.events_max) {
        page.more = true;
        page.scanned_to = page.events.back().id;
        return page;
      }
      page.events.push_back(event);
    }
    page.scanned_to = request.until.value_or(last_);
    return page;
  }
  EventId first_id() const override {
    std::lock_guard lock(mu_);
    return events.empty() ? last_ : events.front().id;
  }
  EventId last_id() const override {
    std::lock_guard lock(mu_);
    return last_;
  }
  size_t queued_events() const override {
    std::lock_guard lock(mu_);
    return queue_.size();
  }
  log::Storage storage() const override { return log::Storage::ok; }

  // ---- the log's thread, one step at a time; false: nothing to do ----

  bool commit_one() {
    std::unique_lock lock(mu_);
    if (queue_.empty()) return false;
    Queued item = std::move(queue_.front());
    queue_.pop_front();
    const bool fenced = fence && (item.batch.empty() || item.batch[0].conclusion > 0) && item.fence != fence;
    if (item.batch.empty()) {
      if (!loses_checkpoints && !fenced) checkpoints[item.name] = std::move(item.checkpoint);
      return true;
    }
    if (fenced) {
      answers_.push_back([done = std::move(item.done)] { done(Error{Code::conflict, "another holds the lease"}); });
      return true;
    }
    if (disk_is_full) {
      if (item.done)
        answers_.push_back([done = std::move(item.done)] { done(Error{Code::storage_full, "disk full"}); });
      return true;
    }
    auto batch = std::make_shared<log::CommittedBatch>();
    for (Event& event : item.batch) {
      if (fence && event.conclusion > 0 && event.conclusion <= concluded_) continue;
      concluded_ = std::max(concluded_, event.conclusion);
      last_ = event.id = next_id();
      batch->events.push_back(event);
      event.fields.clear();  // as read back
      events.push_back(std::move(event));
    }
    batch->through = last_;
    const log::AppendReceipt receipt{batch->events.empty() ? last_ : batch->events.front().id, last_};
    if (item.done) answers_.push_back([done = std::move(item.done), receipt] { done(receipt); });
    lock.unlock();
    for (log::CommitReader* reader : readers_) reader->on_commit(batch);
    return true;
  }
  bool answer_one() {
    std::function<void()> answer;
    {
      std::lock_guard lock(mu_);
      if (answers_.empty()) return false;
      answer = std::move(answers_.front());
      answers_.pop_front();
    }
    answer();
    return true;
  }
  void tick() {
    auto batch = std::make_shared<log::CommittedBatch>();
    {
      std::lock_guard lock(mu_);
      if (now_ms > last_.ms) last_ = {now_ms, 0};
      batch->through = last_;
    }
    for (log::CommitReader* reader : readers_) reader->on_commit(batch);
  }
  // What was not durable is gone; ticks were never written down.
  void crash() {
    queue_.clear();
    answers_.clear();
    readers_.clear();
    last_ = events.empty() ? EventId{} : events.back().id;
  }

 private:
  struct Queued {
    std::vector<Event> batch;  // empty: a checkpoint
    log::AppendDone done;
    std::string name;
    log::Checkpoint checkpoint;
    std::optional<uint64_t> fence;
  };

  EventId next_id() const { return now_ms > last_.ms ? EventId{now_ms, 0} : EventId{last_.ms, last_.seq + 1}; }

  mutable std::mutex mu_;
  std::deque<Queued> queue_;
  std::deque<std::function<void()>> answers_;
  std::vector<log::CommitReader*> readers_;
  EventId last_;
  uint64_t concluded_ = 0;
};

// Concludes nothing; remembers, within its state, where in the log resume() was called and with what.
class ProbeEngine final : public model::Engine {
 public:
  struct Resume {
    EventId after;  // the last event stepped before
    int64_t from_ms;
    int64_t now_ms;
    int64_t configuration;
  };

  explicit ProbeEngine(int64_t configuration) : configuration_(configuration) {}
  std::string_view name() const override { return "probe"; }
  void step(const Event& event, int64_t now_ms, Conclusions&) override {
    EXPECT_GT(event.id, last_);
    EXPECT_GE(now_ms, now_ms_);
    last_ = event.id;
    now_ms_ = now_ms;
  }
  void advance(int64_t now_ms, Conclusions&) override {
    EXPECT_GE(now_ms, now_ms_);
    now_ms_ = now_ms;
  }
  void resume(int64_t from_ms, int64_t now_ms) override {
    resumes.push_back({last_, from_ms, now_ms, configuration_});
    now_ms_ = now_ms;
  }
  void save_to(model::StateWriter& writer) const override {
    writer.number(last_.packed()).number(now_ms_);
    for (const Resume& r : resumes) {
      writer.number(r.after.packed()).number(r.from_ms).number(r.now_ms).number(r.configuration);
    }
  }
  Status load(std::string_view state) override {
    model::StateReader reader(state);
    last_ = EventId::from_packed(reader.number());
    now_ms_ = reader.number();
    resumes.clear();
    while (reader.ok() && !reader.at_end()) {
      const EventId after = EventId::from_packed(reader.number());
      const int64_t from_ms = reader.number();
      const int64_t now_ms = reader.number();
      resumes.push_back({after, from_ms, now_ms, reader.number()});
    }
    return reader.ok() ? Status() : Status(Error{Code::corrupt, "probe"});
  }

  std::vector<Resume> resumes;

 private:
  const int64_t configuration_;
  EventId last_;
  int64_t now_ms_ = 0;
};

presence::PresenceOptions presence_options(int64_t configuration) {
  if (configuration == 0) return {.stale_after_ms = 100, .offline_after_ms = 300};
  return {.stale_after_ms = 80, .offline_after_ms = 350};
}

model::Rule rule(const char* id, model::Comparison op, double value, int64_t for_ms) {
  model::Rule r = rules::threshold_rule(id, "account:a", "T1", op, value, for_ms);
  r.max_lateness_ms = 60;
  return r;
}

rules::Configuration rules_of(int64_t configuration) {
  using enum model::Comparison;
  if (configuration == 0) return {{rule("hot", gt, 6, 0), rule("warm", gt, 4, 90), rule("cold", lt, 2, 250)}, {}};
  return {{rule("hot", gt, 6, 0), rule("warm", gt, 5, 90), rule("new", lt, 2, 0)}, {}};
}

struct Engines {
  explicit Engines(int64_t configuration)
      : probe(configuration), presence(presence_options(configuration)), rules(rules_of(configuration)) {}
  std::vector<model::Engine*> all() { return {&probe, &presence, &rules}; }

  ProbeEngine probe;
  presence::PresenceEngine presence;
  rules::RuleEngine rules;
};

EngineRunnerOptions test_options() {
  EngineRunnerOptions options;
  options.events_per_page = 7;
  options.events_per_append = 3;
  options.checkpoint_interval_ms = 60;
  options.checkpoint_bytes_per_second = int64_t{1} << 40;
  return options;
}

struct Process {
  Process(MemoryLog& log, const Clock& clock, int64_t configuration, EngineRunnerOptions options)
      : engines(configuration), runner(log, engines.all(), clock, metrics, options) {
    log.add_reader(runner);
  }
  uint64_t count(const char* name) { return metrics.counter(name, "").value(); }

  metrics::Registry metrics;
  Engines engines;
  EngineRunner runner;
};

// A log, a clock, and a process that can die and start again. Everything happens on this thread, step by step.
struct World {
  ManualClock clock{0};
  MemoryLog log;
  EngineRunnerOptions options = test_options();
  std::unique_ptr<Process> process;

  // `ticked`: the log has told the time before the engines were restored.
  void boot(int64_t configuration = 0, bool ticked = false) {
    process = std::make_unique<Process>(log, clock, configuration, options);
    if (ticked) log.tick();
    ASSERT_TRUE(process->runner.restore().ok());
  }
  void crash() {
    process.reset();
    log.crash();
  }
  bool work() {
    bool worked = log.commit_one();
    worked |= log.answer_one();
    worked |= process->runner.turn();
    return worked;
  }
  // A number of steps, for when something is tried again for ever.
  void work_for(int steps) {
    for (int i = 0; i < steps; ++i) {
      clock.advance_ms(1'000);
      work();
    }
    while (log.commit_one() || log.answer_one()) {
    }
  }
  // Until nothing moves any more, whatever back-off there was.
  void settle() {
    for (int quiet = 0; quiet < 4;) {
      clock.advance_ms(1'000);
      quiet = work() ? 0 : quiet + 1;
    }
  }
  void boot_and_settle(int64_t configuration = 0) {
    boot(configuration);
    log.tick();
    settle();
    ASSERT_TRUE(process->runner.is_live());
  }

  void publish(Event event) { ASSERT_TRUE(log.append({std::move(event)}, {}).ok()); }
  void telemetry(const std::string& device, double t1) { telemetry(device, t1, log.now_ms); }
  void telemetry(const std::string& device, double t1, int64_t ts_ms) {
    Event event;
    event.ts_ms = ts_ms;
    event.topic = *model::Topic::parse("account:a/site:s/device:" + device);
    event.fields = {{"T1", t1}};
    event.data = codec::encode_telemetry_data(event.topic.device, event.fields, {});
    publish(std::move(event));
  }
  void system_event() {
    Event event;
    event.ts_ms = log.now_ms;
    event.topic = *model::Topic::parse("account:a");
    event.type = EventType::system;
    event.data = R"({"kind":"maintenance"})";
    publish(std::move(event));
  }
};

std::string line(const Event& event) {
  return std::to_string(event.conclusion) + " " + std::to_string(event.ts_ms) + " " + event.topic.text() + " " +
         std::string(model::event_type_name(event.type)) + " " + event.data;
}

Lines conclusions_in(const MemoryLog& log) {
  Lines lines;
  for (const Event& event : log.events) {
    if (event.conclusion > 0) lines.push_back(line(event));
  }
  return lines;
}

// "online d" or "firing hot.s.d.1000.1", short.
Lines said_in(const MemoryLog& log) {
  Lines lines;
  for (const Event& event : log.events) {
    if (event.conclusion == 0) continue;
    if (event.type == EventType::alert) {
      const Result<model::Alert> alert = codec::decode_alert_data(event.data);
      lines.push_back(std::string(model::alert_state_name(alert->state)) + " " + alert->alert_id);
    } else {
      const Result<model::DeviceStatus> status = codec::decode_device_status_data(event.data);
      lines.push_back(std::string(model::presence_name(status->status)) + " " + status->device.text());
    }
  }
  return lines;
}

// The conclusions as one plain function of the log's events and of the moments nobody listened.
class Reference {
 public:
  Lines run(const std::vector<Event>& events, const std::vector<ProbeEngine::Resume>& resumes, int64_t end_ms) {
    size_t next = 0;
    const auto resume_after = [&](EventId id) {
      for (; next < resumes.size() && resumes[next].after <= id; ++next) resume(resumes[next]);
    };
    // What happened before anyone listened is stepped by the first process that does.
    if (!resumes.empty()) engines_ = std::make_unique<Engines>(resumes.front().configuration);
    resume_after({});
    for (Event event : events) {
      if (event.type == EventType::telemetry) event.fields = *codec::decode_telemetry_fields(event.data);
      advance(event.id.ms);
      Conclusions out;
      for (model::Engine* engine : engines_->all()) engine->step(event, now_ms_, out);
      take(out);
      resume_after(event.id);
    }
    EXPECT_EQ(next, resumes.size());
    advance(end_ms);
    return lines_;
  }

 private:
  void advance(int64_t now_ms) {
    now_ms_ = std::max(now_ms, now_ms_);
    std::multimap<int64_t, Event> by_time;
    for (model::Engine* engine : engines_->all()) {
      Conclusions out;
      engine->advance(now_ms_, out);
      for (Event& event : out) by_time.emplace(event.ts_ms, event);
    }
    Conclusions out;
    for (auto& [ts, event] : by_time) out.push_back(event);
    take(out);
  }
  void resume(const ProbeEngine::Resume& r) {
    advance(r.from_ms);
    auto next = std::make_unique<Engines>(r.configuration);
    for (size_t i = 0; i < next->all().size(); ++i) {
      ASSERT_TRUE(next->all()[i]->load(engines_->all()[i]->save()).ok());
      next->all()[i]->resume(r.from_ms, r.now_ms);
    }
    engines_ = std::move(next);
    advance(r.now_ms);
  }
  void take(Conclusions& out) {
    for (Event& event : out) {
      event.conclusion = ++count_;
      lines_.push_back(line(event));
    }
  }

  std::unique_ptr<Engines> engines_ = std::make_unique<Engines>(0);
  int64_t now_ms_ = 0;
  uint64_t count_ = 0;
  Lines lines_;
};

// ---- one thing at a time ----

TEST(EngineRunner, ConclusionsGoIntoTheLogAndComeRound) {
  World w;
  w.boot_and_settle();
  w.telemetry("d", 9);
  w.settle();
  EXPECT_EQ(said_in(w.log), (Lines{"online d", "firing hot.s.d.1000.1"}));
  w.log.now_ms = 1400;
  w.log.tick();
  w.settle();
  EXPECT_EQ(said_in(w.log), (Lines{"online d", "firing hot.s.d.1000.1", "firing warm.s.d.1090.1", "stale d",
                                   "offline d", "stale hot.s.d.1000.1", "stale warm.s.d.1090.1"}));
  EXPECT_EQ(w.process->runner.stepped_to(), w.log.last_id());
  EXPECT_EQ(w.process->count("millstream_engine_conclusions_total"), 7u);
  EXPECT_EQ(w.process->count("millstream_engine_events_total"), 8u);
}

TEST(EngineRunner, NothingIsSteppedBeforeTheLogTellsTheTime) {
  World w;
  w.boot();
  w.settle();
  EXPECT_FALSE(w.process->runner.is_live());
  w.log.tick();
  w.settle();
  EXPECT_TRUE(w.process->runner.is_live());
}

TEST(EngineRunner, ConclusionsDrawnButNotYetInTheLogSurviveACrashOnce) {
  World w;
  w.boot_and_settle();
  w.telemetry("d", 9);
  w.log.commit_one();
  w.process->runner.turn();  // stepped
  w.process->runner.turn();  // on its way
  ASSERT_EQ(w.log.queued_events(), 1u);
  EXPECT_EQ(said_in(w.log), Lines{});
  for (int i = 0; i < 3; ++i) {
    w.crash();
    w.boot_and_settle();
    EXPECT_EQ(said_in(w.log), (Lines{"online d", "firing hot.s.d.1000.1"}));
  }
}

TEST(EngineRunner, ConclusionThatIsDurableButNotAnsweredIsNotRepeated) {
  World w;
  w.boot_and_settle();
  w.telemetry("d", 9);
  w.log.commit_one();
  w.process->runner.turn();
  w.process->runner.turn();
  w.log.commit_one();  // the conclusions are durable; the runner hears of them as events first
  w.process->runner.turn();
  w.log.now_ms += 70;  // time for a checkpoint
  w.log.tick();
  w.process->runner.turn();
  w.log.commit_one();
  w.crash();
  w.boot_and_settle();
  EXPECT_EQ(said_in(w.log), (Lines{"online d", "firing hot.s.d.1000.1"}));
  EXPECT_EQ(w.process->count("millstream_engine_replay_differences_total"), 0u);
}

TEST(EngineRunner, OwnDowntimeMakesNobodyOfflineHoweverOftenStartingFails) {
  World w;
  w.boot_and_settle();
  for (const char* device : {"a", "b"}) w.telemetry(device, 5);
  w.settle();
  ASSERT_EQ(said_in(w.log), (Lines{"online a", "online b"}));
  for (int steps = 0; steps < 12; ++steps) {
    w.crash();
    w.log.now_ms += 3'600'000;
    w.boot(0, steps % 2 == 0);
    w.log.tick();
    for (int i = 0; i < steps; ++i) w.work();
  }
  EXPECT_EQ(said_in(w.log), (Lines{"online a", "online b"}));
  w.settle();
  w.log.now_ms += 100;
  w.log.tick();
  w.settle();
  EXPECT_EQ(said_in(w.log),
            (Lines{"online a", "online b", "firing warm.s.a." + std::to_string(w.log.now_ms - 10) + ".1",
                   "firing warm.s.b." + std::to_string(w.log.now_ms - 10) + ".1", "stale a", "stale b"}));
}

TEST(EngineRunner, NothingIsAppendedBeforeTheCheckpointBehindTheDowntimeIsStored) {
  World w;
  w.boot_and_settle();
  w.telemetry("d", 9);
  w.log.commit_one();
  w.crash();  // the telemetry is in the log, its conclusions are not
  w.log.now_ms += 3'600'000;
  w.log.loses_checkpoints = true;
  w.boot();
  w.log.tick();
  for (int i = 0; i < 50; ++i) {
    w.clock.advance_ms(500);
    w.work();
  }
  EXPECT_FALSE(w.process->runner.is_live());
  EXPECT_EQ(said_in(w.log), Lines{});
  w.log.loses_checkpoints = false;
  w.settle();
  EXPECT_TRUE(w.process->runner.is_live());
  EXPECT_EQ(said_in(w.log), (Lines{"online d", "firing hot.s.d.1000.1"}));
}

TEST(EngineRunner, ChangedRulesComeIntoForceBehindWhatTheOldOnesConcluded) {
  World w;
  w.boot_and_settle(0);
  w.telemetry("d", 4.5);  // the old rule `warm` fires above 4, the new one above 5
  w.settle();
  w.log.now_ms += 95;
  w.log.tick();
  w.settle();
  ASSERT_EQ(said_in(w.log), (Lines{"online d", "firing warm.s.d.1090.1"}));
  w.crash();
  w.boot_and_settle(1);
  EXPECT_EQ(said_in(w.log), (Lines{"online d", "firing warm.s.d.1090.1", "resolved warm.s.d.1090.1"}));
  EXPECT_EQ(w.process->count("millstream_engine_replay_differences_total"), 0u);
  w.crash();
  w.boot_and_settle(1);
  EXPECT_EQ(said_in(w.log).size(), 3u);
}

TEST(EngineRunner, DamagedCheckpointGivesTheStateBackWithoutDoublingConclusions) {
  World w;
  w.boot_and_settle();
  w.telemetry("d", 9);
  w.settle();
  w.telemetry("e", 9);
  w.settle();
  const Lines before = conclusions_in(w.log);
  ASSERT_EQ(before.size(), 4u);
  w.crash();
  w.log.checkpoint_is_damaged = true;
  w.boot();
  w.log.checkpoint_is_damaged = false;
  w.log.tick();
  w.settle();
  EXPECT_EQ(conclusions_in(w.log), before);
  w.telemetry("d", 0);
  w.settle();
  EXPECT_EQ(said_in(w.log).back(), "resolved hot.s.d.1000.1");
  EXPECT_EQ(w.log.events.back().conclusion, 5u);
}

TEST(EngineRunner, CheckpointThatDoesNotSuitTheEnginesIsNotUsed) {
  World w;
  w.boot_and_settle();
  w.telemetry("d", 9);
  w.settle();
  w.crash();
  for (const std::string& state :
       {std::string(), std::string("1 2 "), std::string("9 0 0 0 0 "), std::string("1 0 0 5 "),
        std::string("1 0 0 0 3 5:probe 3:no 8:presence 0: 5:rules 0: ")}) {
    w.log.checkpoints["engines"].state = state;
    w.boot_and_settle();
    EXPECT_EQ(said_in(w.log), (Lines{"online d", "firing hot.s.d.1000.1"})) << state;
    w.crash();
  }
}

TEST(EngineRunner, CrashBeforeTheVeryFirstCheckpointLosesNothing) {
  World w;
  w.log.loses_checkpoints = true;
  w.boot();
  w.log.tick();
  w.telemetry("d", 9);
  while (w.work()) {
  }
  w.crash();
  w.log.loses_checkpoints = false;
  ASSERT_TRUE(w.log.checkpoints.empty());
  w.boot_and_settle();
  EXPECT_EQ(said_in(w.log), (Lines{"online d", "firing hot.s.d.1000.1"}));
}

TEST(EngineRunner, LostCheckpointAndATrimmedLogDoNotRepeatOldConclusions) {
  World w;
  w.boot_and_settle();
  w.telemetry("d", 9);
  w.settle();
  w.telemetry("e", 9);
  w.settle();
  w.crash();
  w.log.checkpoints.clear();
  w.log.events.erase(w.log.events.begin(), w.log.events.begin() + 2);  // as retention does
  const Lines before = conclusions_in(w.log);
  w.boot_and_settle();
  EXPECT_EQ(conclusions_in(w.log), before);
  w.telemetry("e", 0);
  w.settle();
  EXPECT_EQ(said_in(w.log).back(), "resolved hot.s.e.1000.1");
  EXPECT_EQ(w.log.events.back().conclusion, 5u);
}

TEST(EngineRunner, LostCheckpointDoesNotTurnOldDowntimeIntoConclusions) {
  World w;
  w.boot_and_settle();
  w.telemetry("d", 5);
  w.settle();
  w.crash();
  w.log.now_ms += 3'600'000;
  w.boot_and_settle();
  w.telemetry("d", 5);
  w.settle();
  w.crash();
  w.log.checkpoints.clear();
  w.boot_and_settle();
  EXPECT_EQ(said_in(w.log), (Lines{"online d"}));
}

TEST(EngineRunner, HoleInTheLogNeverMakesAnOldNumberNew) {
  World w;
  w.boot_and_settle();
  w.log.loses_checkpoints = true;
  w.telemetry("d", 9);
  w.settle();
  w.telemetry("e", 9);
  w.settle();
  w.telemetry("d", 0);
  w.settle();
  ASSERT_EQ(said_in(w.log), (Lines{"online d", "firing hot.s.d.1000.1", "online e", "firing hot.s.e.1000.1",
                                   "resolved hot.s.d.1000.1"}));
  w.crash();
  w.log.loses_checkpoints = false;
  w.log.events.erase(w.log.events.begin());  // a damaged part: the first telemetry
  w.boot_and_settle();
  EXPECT_GT(w.process->count("millstream_engine_replay_differences_total"), 0u);
  w.telemetry("new", 5);
  w.settle();
  uint64_t newest = 0;
  for (const Event& event : w.log.events) {
    if (event.conclusion == 0) continue;
    EXPECT_EQ(event.conclusion, newest + 1);
    newest = event.conclusion;
  }
  EXPECT_EQ(newest, 6u);
}

TEST(EngineRunner, FullInboxIsReadFromTheLogInstead) {
  World w;
  w.options.inbox_events_max = 5;
  w.boot_and_settle();
  for (int i = 0; i < 40; ++i) {
    w.log.now_ms += 1;
    w.telemetry("d" + std::to_string(i), 5);
    w.log.commit_one();
  }
  w.settle();
  EXPECT_EQ(said_in(w.log).size(), 40u);
  EXPECT_GT(w.process->count("millstream_engine_inbox_overflows_total"), 0u);
  EXPECT_EQ(w.process->runner.stepped_to(), w.log.last_id());
}

TEST(EngineRunner, ReadThatFailsWhileCatchingUpIsTriedAgain) {
  World w;
  w.options.inbox_events_max = 2;
  w.boot_and_settle();
  w.log.fails_reads = true;
  for (int i = 0; i < 10; ++i) {
    w.telemetry("d" + std::to_string(i), 5);
    w.log.commit_one();
  }
  w.settle();
  EXPECT_EQ(said_in(w.log), Lines{});
  EXPECT_GT(w.process->count("millstream_engine_retries_total"), 0u);
  w.log.fails_reads = false;
  w.settle();
  EXPECT_EQ(said_in(w.log).size(), 10u);
}

TEST(EngineRunner, LogThatCannotBeReadRefusesToStart) {
  World w;
  w.boot_and_settle();
  w.telemetry("d", 5);
  w.settle();
  w.crash();
  w.log.checkpoints.clear();
  w.log.fails_reads = true;
  Process process(w.log, w.clock, 0, w.options);
  EXPECT_FALSE(process.runner.start().ok());
}

TEST(EngineRunner, FullDiskPausesSteppingAndNothingIsLost) {
  World w;
  w.boot_and_settle();
  w.telemetry("d", 9);
  w.log.commit_one();
  w.log.disk_is_full = true;
  w.work_for(40);
  const EventId stuck = w.process->runner.stepped_to();
  w.log.disk_is_full = false;
  w.log.refuses_appends = true;  // the outside is let in by hand below
  w.log.now_ms += 10;
  w.log.tick();
  w.work_for(40);
  EXPECT_EQ(w.process->runner.stepped_to(), stuck);
  EXPECT_EQ(said_in(w.log), Lines{});
  w.log.refuses_appends = false;
  w.settle();
  EXPECT_EQ(said_in(w.log), (Lines{"online d", "firing hot.s.d.1000.1"}));
  EXPECT_EQ(w.process->runner.stepped_to(), w.log.last_id());
}

TEST(EngineRunner, LargeStatesAreStoredLessOften) {
  const auto stored = [](int64_t bytes_per_second) {
    World w;
    w.options.checkpoint_bytes_per_second = bytes_per_second;
    w.boot_and_settle();
    std::set<std::string> states;
    for (int i = 0; i < 100; ++i) {
      w.log.now_ms += 50;
      w.telemetry("d", 5);
      w.settle();
      states.insert(w.log.checkpoints["engines"].state);
    }
    return states.size();
  };
  const size_t often = stored(int64_t{1} << 40);
  const size_t seldom = stored(1'000);
  EXPECT_GT(often, 40u);
  EXPECT_GT(seldom, 2u);
  EXPECT_LT(seldom, often / 3);
}

// ---- death at any step ----

struct Dice {
  explicit Dice(unsigned seed) : random(seed) {}
  int64_t below(int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); }
  bool one_in(int64_t n) { return below(n) == 0; }
  std::mt19937_64 random;
};

struct Happening {
  int64_t after_ms;
  std::string device;  // empty: a system event
  double value;
  int64_t late_ms;
};

std::vector<Happening> random_script(Dice& dice) {
  std::vector<Happening> script(static_cast<size_t>(30 + dice.below(30)));
  for (Happening& h : script) {
    h.after_ms = dice.one_in(6) ? dice.below(400) : dice.below(60);
    if (!dice.one_in(4)) h.device = std::string(1, static_cast<char>('a' + dice.below(3)));
    h.value = static_cast<double>(dice.below(10));
    h.late_ms = dice.one_in(4) ? dice.below(100) : 0;
  }
  return script;
}

// Plays the script, letting everything settle between two happenings. At every step of that, `dies` may end the
// process.
Lines play(const std::vector<Happening>& script, const std::function<bool()>& dies) {
  World w;
  w.boot_and_settle();
  const auto maybe_die = [&] {
    if (!dies()) return false;
    w.crash();
    w.boot();
    w.log.tick();
    return true;
  };
  for (const Happening& h : script) {
    maybe_die();
    w.log.now_ms += h.after_ms;
    h.device.empty() ? w.system_event() : w.telemetry(h.device, h.value, w.log.now_ms - h.late_ms);
    while (w.log.commit_one()) {
    }
    for (int quiet = 0; quiet < 4;) {
      w.clock.advance_ms(100);
      const bool worked =
          w.log.commit_one() | maybe_die() | w.log.answer_one() | maybe_die() | w.process->runner.turn() | maybe_die();
      quiet = worked ? 0 : quiet + 1;
    }
  }
  return conclusions_in(w.log);
}

TEST(EngineRunnerCrash, DyingAtAnyStepGivesTheIdenticalEventLog) {
  int deaths = 0;
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    const std::vector<Happening> script = random_script(dice);
    const Lines expected = play(script, [] { return false; });
    const int64_t rarity = int64_t{1} << (3 + dice.below(6));
    const Lines with_deaths = play(script, [&] {
      if (!dice.one_in(rarity)) return false;
      ++deaths;
      return true;
    });
    ASSERT_FALSE(expected.empty());
    ASSERT_EQ(with_deaths, expected);
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(deaths, 300);
}

// Nothing waits for anything: points come while conclusions are on their way, time passes by ticks alone, the server
// is down for a while and comes back with other rules, checkpoints fail to be stored, the log refuses, the inbox runs
// over. What must hold: the conclusions in the log are numbered 1, 2, 3 …, and are exactly what one plain pass over the
// finished log draws.
void run_at_random(unsigned seed, size_t* concluded) {
  Dice dice(seed);
  World w;
  w.options.inbox_events_max = static_cast<size_t>(1 + dice.below(20));
  w.options.unsent_max = static_cast<size_t>(1 + dice.below(8));
  int64_t configuration = 0;
  const int64_t death = 20 + dice.below(200);
  w.boot(configuration);
  for (int step = 0; step < 400; ++step) {
    w.clock.advance_ms(dice.below(40));
    w.log.refuses_appends = false;
    switch (dice.below(8)) {
      case 0:
        w.telemetry(std::string(1, static_cast<char>('a' + dice.below(4))), static_cast<double>(dice.below(10)),
                    w.log.now_ms - (dice.one_in(4) ? dice.below(120) : 0));
        break;
      case 1: w.log.now_ms += dice.below(60); break;
      case 2: w.log.tick(); break;
      case 3: w.log.commit_one(); break;
      case 4: w.log.answer_one(); break;
      default: w.log.refuses_appends = dice.one_in(20); w.process->runner.turn();
    }
    if (dice.one_in(25)) w.log.loses_checkpoints = !w.log.loses_checkpoints;
    if (dice.one_in(40)) w.log.disk_is_full = !w.log.disk_is_full;
    if (!dice.one_in(death)) continue;
    w.crash();
    if (dice.one_in(2)) w.log.now_ms += dice.below(2'000);
    if (dice.one_in(2)) configuration = 1 - configuration;
    w.boot(configuration, dice.one_in(2));
    if (testing::Test::HasFatalFailure()) return;
  }
  w.log.refuses_appends = w.log.loses_checkpoints = w.log.disk_is_full = false;
  w.log.tick();
  w.settle();
  w.log.now_ms += 1'000;
  w.log.tick();
  w.settle();
  ASSERT_TRUE(w.process->runner.is_live());
  ASSERT_EQ(w.process->runner.stepped_to(), w.log.last_id());
  EXPECT_EQ(w.process->count("millstream_engine_replay_differences_total"), 0u);
  const Lines expected = Reference().run(w.log.events, w.process->engines.probe.resumes, w.log.last_id().ms);
  ASSERT_EQ(conclusions_in(w.log), expected);
  *concluded += expected.size();
}

TEST(EngineRunnerCrash, WhateverHappensTheConclusionsAreAFunctionOfTheLog) {
  size_t concluded = 0;
  for (unsigned seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    run_at_random(seed, &concluded);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(concluded, 10'000u);
}

// ---- with its own thread ----

// The log's thread for a while: commits and ticks until `done`.
void pump(MemoryLog& log, const std::function<bool()>& done) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done() && std::chrono::steady_clock::now() < give_up) {
    if (!(log.commit_one() | log.answer_one())) log.tick();
    std::this_thread::yield();
  }
  EXPECT_TRUE(done());
}

TEST(EngineRunnerThread, StepsWhatTheLogCommitsAndStopsWithItsStateStored) {
  MemoryLog log;
  const SystemClock clock;
  World points;  // only for its way of making events
  EngineRunnerOptions options = test_options();
  options.inbox_events_max = 50;
  const auto publish = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      points.telemetry("d" + std::to_string(i), 9);
      points.log.commit_one();
      Event event = points.log.events.back();
      event.id = {};
      event.ts_ms = log.now_ms;
      ASSERT_TRUE(log.append({event}, {}).ok());
    }
  };
  const auto settled = [&](const Process& process, size_t events) {
    return [&log, &process, events] {
      return log.events.size() == events && process.runner.stepped_to() == log.last_id();
    };
  };
  {
    Process process(log, clock, 0, options);
    ASSERT_TRUE(process.runner.start().ok());
    pump(log, [&] { return process.runner.is_live(); });
    publish(0, 300);
    pump(log, settled(process, 900));  // a point, "online" and "firing" each
    std::atomic<bool> stopped = false;
    std::thread stopper([&] {
      process.runner.stop();
      stopped = true;
    });
    pump(log, [&] { return stopped.load(); });
    stopper.join();
    pump(log, [&] { return log.queued_events() == 0; });
    log.crash();
  }
  EXPECT_EQ(log.checkpoints.at("engines").at, log.last_id());
  {
    Process process(log, clock, 0, options);
    ASSERT_TRUE(process.runner.start().ok());
    pump(log, [&] { return process.runner.is_live(); });
    publish(0, 10);
    pump(log, settled(process, 910));
    process.runner.stop();
    EXPECT_EQ(process.count("millstream_engine_events_total"), 10u);
  }
  const Lines lines = conclusions_in(log);
  EXPECT_EQ(lines.size(), 600u);
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_TRUE(lines[i].starts_with(std::to_string(i + 1) + " "));
}

TEST(EngineRunnerThread, StopsWhileItStillWaitsForItsFirstCheckpoint) {
  MemoryLog log;
  const SystemClock clock;
  Process process(log, clock, 0, test_options());
  ASSERT_TRUE(process.runner.start().ok());
  log.tick();
  process.runner.stop();
  EXPECT_TRUE(log.checkpoints.empty());
  EXPECT_FALSE(process.runner.is_live());
}

// ---- several instances over one log ----

class TestLease final : public log::Lease {
 public:
  log::Term term() const override { return now; }
  log::Term now;
};

// Each steps when the test says so. One of them has the lease, or nobody.
class SharedWorld {
 public:
  static constexpr int64_t kAbsenceMs = 150;
  static constexpr int64_t kRenewalMs = 40;
  struct Instance {
    TestLease lease;
    std::optional<uint64_t> held;
    std::unique_ptr<Process> process;
  };

  explicit SharedWorld(size_t count) : instances(count) {
    w.log.fence = 0;
    for (size_t i = 0; i < count; ++i) boot(i);
  }
  void boot(size_t i) {
    Instance& instance = instances[i];
    instance.held = {};
    instance.lease.now = term;
    EngineRunnerOptions options = test_options();
    options.shared = SharedLog{.lease = &instance.lease,
                               .hold = [&instance](std::optional<uint64_t> fence) { instance.held = fence; },
                               .reconfigure = [] {},
                               .save_copy = [this](uint64_t, const log::Checkpoint& saved) { copy = saved; },
                               .load_copy = [this]() -> Result<std::optional<log::Checkpoint>> { return copy; },
                               .absence_ms = kAbsenceMs};
    instance.process = std::make_unique<Process>(w.log, w.clock, 0, options);
    ASSERT_TRUE(instance.process->runner.restore().ok());
  }
  // What it had asked of the log may still happen; nobody is there to be answered.
  void kill(size_t i) {
    if (!instances[i].process) return;
    w.log.remove_reader(instances[i].process->runner);
    graves.push_back(std::move(instances[i].process));
    if (holder == i) nobody();
  }
  void nobody() {
    if (!holder) return;
    // It was renewed every now and then: what the holder did after that counts all the same.
    attended_until_ms = std::max(attended_until_ms, w.log.now_ms / kRenewalMs * kRenewalMs);
    holder.reset();
    tell();
  }
  void give_lease(size_t i) {
    if (holder || !instances[i].process) return;
    holder = i;
    term = {.fence = *w.log.fence + 1, .holder = "i", .attended_until_ms = attended_until_ms, .since_ms = w.log.now_ms};
    w.log.fence = term.fence;
    tell();
  }
  bool turn(size_t i) {
    Instance& instance = instances[i];
    if (!instance.process) return false;
    w.log.asking = instance.held;
    // It may take the lease within its turn, and store under the new number.
    instance.lease.now.mine = holder == i;
    if (holder == i) w.log.asking = term.fence;
    const bool worked = instance.process->runner.turn();
    w.log.asking.reset();
    return worked;
  }
  void settle() {
    for (int quiet = 0; quiet < 6;) {
      w.clock.advance_ms(1'000);
      bool worked = w.log.commit_one();
      worked |= w.log.answer_one();
      for (size_t i = 0; i < instances.size(); ++i) worked |= turn(i);
      quiet = worked ? 0 : quiet + 1;
    }
  }

  World w;
  std::vector<Instance> instances;
  std::vector<std::unique_ptr<Process>> graves;
  std::optional<size_t> holder;
  int64_t attended_until_ms = 0;
  log::Term term;
  std::optional<log::Checkpoint> copy;

 private:
  void tell() {
    for (size_t i = 0; i < instances.size(); ++i) {
      instances[i].lease.now = term;
      instances[i].lease.now.mine = holder == i;
    }
  }
};

TEST(SharedEngines, OnlyTheHolderAppendsAndTheOthersKnowTheSame) {
  SharedWorld s(3);
  s.w.log.tick();
  s.settle();
  s.w.telemetry("d", 9);
  s.settle();
  EXPECT_EQ(said_in(s.w.log), Lines{}) << "nobody has the lease";
  s.give_lease(1);
  s.settle();
  EXPECT_EQ(said_in(s.w.log), (Lines{"online d", "firing hot.s.d.1000.1"}));
  s.w.log.now_ms += 150;
  s.w.log.tick();
  s.settle();
  EXPECT_EQ(said_in(s.w.log).back(), "stale d");
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(s.instances[i].process->runner.draws(), i == 1);
    EXPECT_TRUE(s.instances[i].process->runner.is_live());
    EXPECT_EQ(s.instances[i].process->engines.rules.save(), s.instances[1].process->engines.rules.save()) << i;
    EXPECT_EQ(s.instances[i].process->engines.presence.save(), s.instances[1].process->engines.presence.save()) << i;
  }
}

TEST(SharedEngines, ATimeWithoutAHolderMakesNobodyOfflineUnlessItWasShort) {
  for (const bool is_short : {true, false}) {
    SharedWorld s(2);
    s.w.log.tick();
    s.give_lease(0);
    s.settle();
    s.w.telemetry("d", 5);
    s.settle();
    ASSERT_EQ(said_in(s.w.log), Lines{"online d"});
    s.kill(0);
    s.w.log.now_ms += is_short ? SharedWorld::kAbsenceMs - 10 : 3'600'000;
    s.w.telemetry("e", 5);
    s.settle();
    s.w.log.tick();
    s.settle();
    EXPECT_EQ(said_in(s.w.log), Lines{"online d"}) << "nobody draws conclusions";
    s.give_lease(1);
    s.settle();
    s.w.log.tick();
    s.settle();
    const Lines said = said_in(s.w.log);
    EXPECT_EQ(std::count(said.begin(), said.end(), "stale d"), is_short ? 1 : 0);
    EXPECT_EQ(std::count(said.begin(), said.end(), "online e"), 1);
  }
}

TEST(SharedEngines, AHolderThatDoesNotKnowThatItHasLostTheLeaseChangesNothing) {
  SharedWorld s(2);
  s.w.log.tick();
  s.give_lease(0);
  s.settle();
  s.w.telemetry("d", 9);
  s.w.log.commit_one();
  s.turn(0);
  s.turn(0);  // its conclusions are on their way
  s.nobody();
  s.give_lease(1);
  for (int i = 0; i < 20; ++i) {
    s.w.clock.advance_ms(1'000);
    s.turn(1);
    s.w.log.commit_one();
  }
  s.settle();
  EXPECT_EQ(said_in(s.w.log), (Lines{"online d", "firing hot.s.d.1000.1"}));
}

TEST(SharedEngines, WhenNoCheckpointIsLeftWhoeverFollowedGoesOnFromWhatItKnows) {
  SharedWorld s(2);
  s.w.log.tick();
  s.give_lease(0);
  s.settle();
  s.w.telemetry("d", 9);
  s.settle();
  ASSERT_EQ(said_in(s.w.log), (Lines{"online d", "firing hot.s.d.1000.1"}));
  s.kill(0);
  s.w.log.events.clear();
  s.w.log.checkpoints.clear();
  s.copy.reset();
  s.w.log.now_ms += 10;
  s.w.telemetry("e", 9);
  s.settle();
  ASSERT_EQ(said_in(s.w.log), Lines{}) << "nobody draws conclusions";
  s.give_lease(1);
  s.settle();
  EXPECT_EQ(said_in(s.w.log), (Lines{"online e", "firing hot.s.e.1010.1"})) << "and d's alert is not begun again";
  s.w.telemetry("d", 1);
  s.settle();
  EXPECT_EQ(said_in(s.w.log).back(), "resolved hot.s.d.1000.1");
}

TEST(SharedEngines, ACopyOfTheCheckpointStandsInForTheLogsOwn) {
  SharedWorld s(1);
  s.w.log.tick();
  s.give_lease(0);
  s.settle();
  s.w.telemetry("d", 9);
  s.settle();
  s.w.log.now_ms += 70;
  s.w.log.tick();
  s.settle();
  ASSERT_TRUE(s.copy.has_value());
  s.kill(0);
  s.w.log.events.clear();
  s.w.log.checkpoints.clear();
  s.boot(0);
  s.give_lease(0);
  s.settle();
  s.w.telemetry("d", 1);
  s.settle();
  EXPECT_EQ(said_in(s.w.log), Lines{"resolved hot.s.d.1000.1"});
}

// Whoever holds the lease, dies, comes back or is away, and in whatever order everything happens: what is in the log is
// what one instance would have concluded, each conclusion once.
TEST(SharedEngines, RandomTermsAndDeathsConcludeWhatOneInstanceWouldHave) {
  const char* given = std::getenv("MILLSTREAM_SEED");
  const uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    SharedWorld s(3);
    for (int step = 0; step < 400; ++step) {
      const size_t i = random() % 3;
      switch (random() % 24) {
        case 0:
          s.w.telemetry(std::string(1, static_cast<char>('a' + random() % 3)), static_cast<double>(random() % 10));
          break;
        case 1: s.w.log.now_ms += static_cast<int64_t>(random() % 40); break;
        case 2: s.w.log.tick(); break;
        case 3:
          if (random() % 4 == 0) s.kill(i);
          break;
        case 4:
          if (!s.instances[i].process) s.boot(i);
          break;
        case 5:
          if (random() % 3 == 0) s.nobody();
          break;
        case 6:
        case 7: s.give_lease(i); break;
        case 8:
          if (random() % 20 == 0) s.w.log.now_ms += 500;
          break;
        case 9:
          if (random() % 10 == 0) s.w.clock.advance_ms(3'000);
          break;
        case 10:
        case 11:
        case 12: s.w.log.commit_one(); break;
        case 13: s.w.log.answer_one(); break;
        default: s.turn(i);
      }
    }
    if (!s.instances[0].process) s.boot(0);
    if (s.holder != 0) {
      s.nobody();
      s.give_lease(0);
    }
    s.w.log.tick();
    s.settle();
    s.w.log.now_ms += 1;
    s.w.log.tick();
    s.settle();
    ASSERT_TRUE(s.instances[0].process->runner.draws()) << "round " << round;
    Reference reference;
    const Lines expected =
        reference.run(s.w.log.events, s.instances[0].process->engines.probe.resumes, s.w.log.last_id().ms);
    ASSERT_EQ(conclusions_in(s.w.log), expected) << "round " << round;
  }
}

}  // namespace
}  // namespace millstream::app
