// millstream-checker: viewers of every kind, cut, stalled and resumed at random while events are published; afterwards
// what each was told, with the gaps declared to it, is compared with what is in the log.
//
// Its last line is the verdict; the exit status is 1 when anything was lost, doubled, out of order or strange.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <deque>
#include <map>
#include <optional>
#include <random>

#include "load/options.h"
#include "load/request_connection.h"
#include "viewer.h"

namespace millstream::conformance {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int kSites = 5, kDevices = 50;
constexpr int64_t kTurnMs = 20;  // between two batches
constexpr int64_t kPublisherRetryMs = 200;
constexpr int64_t kReturnsSlotMs = 100;
constexpr int64_t kSettleMs = 3000;
constexpr int64_t kSettleMsMax = 60'000;

struct Plan {
  load::Endpoint server;
  size_t viewers = 500;
  int64_t events_per_s = 1000;
  int64_t seconds = 20;
  uint64_t seed = 0;
  bool calm = false;  // nobody misbehaves; who is cut off comes back when the server said
};

std::string site_of(int device) { return "s" + std::to_string(device % kSites); }

Wish wish_of(size_t number) {
  const int device = static_cast<int>(number) % kDevices;
  switch (number % 9) {
    case 1: return {.query = "types=device_status,alert,system", .telemetry = false};
    case 2: return {.query = "siteId=" + site_of(device), .site = site_of(device)};
    case 3: return {.query = "deviceId=d" + std::to_string(device), .device = "d" + std::to_string(device)};
    case 4: return {.query = "mode=latest&interval=500", .merged = true};
    case 5: return {.query = "unnamed=1"};
    case 6: return {.query = "fields=n"};
    case 7: return {.query = "types=telemetry", .others = false};
    case 8: return {.query = "mode=latest&fields=n&siteId=" + site_of(device), .site = site_of(device), .merged = true};
    default: return {};
  }
}

class Check {
 public:
  explicit Check(Plan plan) : plan_(std::move(plan)), random_(plan_.seed) {}

  Status run();
  bool passed() const { return wrong_ == 0; }

 private:
  struct Turn {  // when a viewer does something next
    int64_t at_ms = 0;
    bool away = true;  // and that is to connect
  };

  Status start_publisher();
  void publish(int64_t now_ms);
  void return_when_due(size_t number, int64_t now_ms);
  void misbehave(size_t number, int64_t now_ms);
  void poll(int64_t ms);
  void settle();
  bool all_live();
  void judge(const std::vector<Seen>& truth);
  void complain(size_t number, const char* what, uint64_t got, uint64_t want);
  int64_t now_ms() const { return load::now_ns() / kMs; }
  int64_t within(int64_t ms) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(ms)); }

  const Plan plan_;
  std::mt19937_64 random_;
  load::Poller poller_;
  std::deque<Viewer> viewers_;
  std::vector<Turn> turns_;
  std::optional<load::RequestConnection> publisher_;
  int64_t next_batch_ms_ = 0;
  std::map<int64_t, size_t> returns_;  // by slot of time
  int64_t published_ = 0;
  uint64_t refused_ = 0;
  uint64_t cuts_ = 0, stalls_ = 0, wrong_ = 0;
};

Status Check::start_publisher() {
  Result<load::Socket> socket = load::connect_now(plan_.server);
  if (!socket) return socket.error();
  publisher_.emplace(poller_, std::move(*socket), plan_.viewers);
  return {};
}

// The devices of half the sites fall silent in turn, so that their status changes too.
void Check::publish(int64_t now_ms) {
  if (now_ms < next_batch_ms_ || !publisher_->is_idle()) return;
  next_batch_ms_ = std::max(next_batch_ms_ + kTurnMs, now_ms - 10 * kTurnMs);
  std::string body = "[";
  for (int64_t i = 0; i < plan_.events_per_s * kTurnMs / 1000; ++i) {
    const int silent = static_cast<int>(now_ms / 3000) % kSites;
    int device = static_cast<int>(within(kDevices));
    if (device % kSites == silent) device = (device + 1) % kDevices;
    if (body.size() > 1) body += ',';
    body += "{\"deviceId\":\"d" + std::to_string(device) + "\",\"siteId\":\"" + site_of(device) +
            "\",\"fields\":{\"n\":" + std::to_string(++published_) + ",\"pad\":\"" +
            std::string(static_cast<size_t>(within(120)), 'x') + "\"}}";
  }
  body += ']';
  const std::string head =
      load::post_head(plan_.server, "/api/ingest", "Content-Type: application/json\r\n", body.size());
  publisher_->send(head + body);
}

void Check::poll(int64_t ms) {
  for (const epoll_event& event : poller_.wait(ms * kMs)) {
    if (event.data.u64 == plan_.viewers) {
      const auto answer = publisher_->on_ready(event.events);
      if (answer && answer->status != 200) ++refused_;
    } else if (Viewer& viewer = viewers_[event.data.u64]; viewer.connected()) {
      viewer.on_ready(poller_, event.events);
    }
  }
}

void Check::return_when_due(size_t number, int64_t now_ms) {
  Viewer& viewer = viewers_[number];
  Turn& turn = turns_[number];
  if (!turn.away) {
    turn.away = true;
    turn.at_ms = now_ms + (plan_.calm ? viewer.retry_ms() : within(1500));
  }
  if (now_ms < turn.at_ms) return;
  turn.away = false;
  if (viewer.begun()) ++returns_[now_ms / kReturnsSlotMs];
  viewer.connect(poller_);
  turn.at_ms = now_ms + 200 + within(8000);
}

void Check::misbehave(size_t number, int64_t now_ms) {
  Viewer& viewer = viewers_[number];
  Turn& turn = turns_[number];
  if (now_ms < turn.at_ms) return;
  if (viewer.paused()) {
    viewer.resume(poller_);
    turn.at_ms = now_ms + 200 + within(8000);
  } else if (random_() % 2 == 0) {
    viewer.cut(random_() % 2 == 0);
    ++cuts_;
  } else {
    viewer.pause(poller_);
    stalls_ += viewer.paused() ? 1 : 0;
    turn.at_ms = now_ms + within(random_() % 8 == 0 ? 8000 : 1000);
  }
}

// Everyone is back, reads, and has heard nothing new for a while.
void Check::settle() {
  const int64_t until_ms = now_ms() + kSettleMsMax;
  uint64_t before = 0;
  for (int64_t quiet_since_ms = now_ms(); now_ms() < until_ms && now_ms() - quiet_since_ms < kSettleMs;) {
    for (Viewer& viewer : viewers_) {
      if (!viewer.connected()) viewer.connect(poller_);
      if (viewer.paused()) viewer.resume(poller_);
    }
    poll(10);
    uint64_t deliveries = 0;
    for (const Viewer& viewer : viewers_) deliveries += viewer.deliveries();
    if (deliveries != before || !all_live()) quiet_since_ms = now_ms();
    before = deliveries;
  }
}

bool Check::all_live() {
  return std::all_of(viewers_.begin(), viewers_.end(),
                     [](const Viewer& viewer) { return viewer.connected() && viewer.begun(); });
}

void Check::complain(size_t number, const char* what, uint64_t got, uint64_t want) {
  if (got == want) return;
  ++wrong_;
  const Stretch stretch = viewers_[number].stretch();
  std::printf("viewer %zu (%s) from %s to %s: %s %" PRIu64 " instead of %" PRIu64 "\n", number,
              viewers_[number].wish().query.c_str(), stretch.after.text().c_str(), stretch.until.text().c_str(), what,
              got, want);
}

void Check::judge(const std::vector<Seen>& truth) {
  for (size_t i = 0; i < viewers_.size(); ++i) {
    const Viewer& viewer = viewers_[i];
    if (!viewer.begun()) {
      ++wrong_;
      continue;
    }
    const Stretch all{viewer.stretch().after, truth.empty() ? viewer.stretch().until : truth.back().id};
    const Told want = expected(truth, viewer.wish(), all, viewer.gaps());
    const Told& got = viewer.told();
    complain(i, "telemetry", got.telemetry, want.telemetry);
    complain(i, "other events", got.others, want.others);
    complain(i, "sum of other ids", got.other_ids, want.other_ids);
    if (!viewer.wish().merged && viewer.slow() == 0) {
      complain(i, "sum of telemetry ids", got.telemetry_ids, want.telemetry_ids);
    }
    complain(i, "devices with their newest value", got.newest == want.newest ? 1 : 0, 1);
    complain(i, "ids out of order", viewer.faults().not_in_order, 0);
    complain(i, "strange things", viewer.faults().strange, 0);
  }
}

Status Check::run() {
  if (Status s = start_publisher(); !s) return s;
  for (size_t i = 0; i < plan_.viewers; ++i) {
    viewers_.emplace_back(plan_.server, wish_of(i), i);
    turns_.push_back({.at_ms = now_ms() + within(1000)});
  }
  next_batch_ms_ = now_ms();
  const int64_t end_ms = now_ms() + plan_.seconds * 1000;
  while (now_ms() < end_ms) {
    publish(now_ms());
    for (size_t i = 0; i < viewers_.size(); ++i) {
      if (!viewers_[i].connected()) {
        return_when_due(i, now_ms());
      } else if (!plan_.calm) {
        misbehave(i, now_ms());
      }
    }
    poll(5);
    // The server may be on its way back: what was not answered then may be in the log or not.
    if (!publisher_->is_open() && now_ms() >= next_batch_ms_ + kPublisherRetryMs) {
      next_batch_ms_ = now_ms();
      if (!start_publisher()) continue;
    }
  }
  while (publisher_->is_open() && !publisher_->is_idle()) poll(10);
  if (!publisher_->is_open()) return Error{Code::unavailable, "the server did not come back"};
  settle();
  const Result<std::vector<Seen>> truth = read_truth(plan_.server, {});
  if (!truth) return truth.error();
  judge(*truth);

  uint64_t deliveries = 0, gaps = 0, slow = 0, order = 0;
  for (const Viewer& viewer : viewers_) {
    deliveries += viewer.deliveries();
    gaps += viewer.gaps().size();
    slow += viewer.slow();
    order += viewer.faults().not_in_order;
  }
  size_t returns = 0, busiest = 0;
  for (const auto& [slot, count] : returns_) {
    returns += count;
    busiest = std::max(busiest, count);
  }
  std::printf("%zu viewers came back, at most %zu of them within %" PRId64 " ms\n", returns, busiest, kReturnsSlotMs);
  std::printf("%zu viewers, %zu events in the log (%" PRId64 " points published, %" PRIu64 " batches refused), %" PRIu64
              " deliveries, %" PRIu64 " cuts, %" PRIu64 " stalls, %" PRIu64 " times slow, %" PRIu64
              " gaps declared; wrong %" PRIu64 ", duplicates or out of order %" PRIu64 "; seed %" PRIu64 "\n",
              viewers_.size(), truth->size(), published_, refused_, deliveries, cuts_, stalls_, slow, gaps, wrong_,
              order, plan_.seed);
  return {};
}

int run(int argc, char** argv) {
  load::Options options(argc - 1, argv + 1);
  Plan plan;
  const Result<load::Endpoint> server = load::parse_url(options.text("url", ""));
  plan.viewers = static_cast<size_t>(options.number("viewers", 500));
  plan.events_per_s = options.number("events_per_s", 1000);
  plan.seconds = options.number("seconds", 20);
  plan.seed = static_cast<uint64_t>(options.number("seed", static_cast<int64_t>(std::random_device{}())));
  plan.calm = options.number("calm", 0) != 0;
  Status status = options.finish();
  if (status && !server) status = server.error();
  if (!status) {
    std::fprintf(stderr, "millstream-checker: %s\n", status.error().detail.c_str());
    return 2;
  }
  load::raise_open_files();
  plan.server = *server;
  Check check(plan);
  status = check.run();
  if (!status)
    std::fprintf(stderr, "millstream-checker: %s (seed %" PRIu64 ")\n", status.error().detail.c_str(), plan.seed);
  return status && check.passed() ? 0 : 1;
}

}  // namespace
}  // namespace millstream::conformance

int main(int argc, char** argv) { return millstream::conformance::run(argc, argv); }
