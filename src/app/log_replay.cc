#include "app/log_replay.h"

namespace millstream::app {

void LogReplay::read(hub::ReplayRequest request, std::function<void(Result<hub::ReplayPage>)> done) {
  auto job = [this, request = std::move(request), done]() mutable {
    Result<hub::ReplayPage> page = read_page(std::move(request));
    loop_.post([done = std::move(done), page = std::move(page)]() mutable { done(std::move(page)); });
  };
  if (!readers_.post(std::move(job))) {
    loop_.post([done = std::move(done)] { done(Error{Code::unavailable, "too many replays are waiting"}); });
  }
}

Result<hub::ReplayPage> LogReplay::read_page(hub::ReplayRequest request) {
  std::string key = request.after.text() + (request.first ? 'f' : 'n') + std::to_string(request.types.bits());
  for (const model::TopicPattern& pattern : request.patterns) key += ' ' + pattern.text();
  // Made for someone whose shard had got further, a page may hold what this viewer's shard is still to deliver.
  const auto suits = [&](const Result<hub::ReplayPage>& page) { return page && page->scanned_to <= request.until; };
  return pages_.get(key, suits, [&] { return make_page(request); });
}

Result<hub::ReplayPage> LogReplay::make_page(hub::ReplayRequest request) {
  pages_made_.fetch_add(1, std::memory_order_relaxed);
  hub::ReplayPage page;
  log::ReadRequest read{.after = request.after,
                        .until = request.until,
                        .patterns = std::move(request.patterns),
                        .types = request.types,
                        .order = log::Order::ascending,
                        .events_max = options_.events_per_page};
  const model::EventId oldest{clock_.wall_ms() - options_.retention_ms, 0};
  if (read.after < oldest) {
    // Whether anything was there cannot be known any more, so it is declared.
    page.trimmed_to = oldest;
    read.after = oldest;
  }
  Result<log::ReadPage> events = log_.read(read);
  while (events && !events->missing.empty() && events->missing.front().ids.after <= read.after) {
    page.trimmed_to = read.after = events->missing.front().ids.to;
    events = log_.read(read);
  }
  if (!events) return events.error();
  // Most who come back have missed no more than a page: only the others are counted.
  if (request.first && (events->more || events->events.size() > options_.replay_events_max)) {
    const Result<bool> many = too_many(read);
    if (!many) return many.error();
    page.too_many = *many;
    page.scanned_to = read.after;
    if (page.too_many) return page;
  }
  page.scanned_to = events->more ? events->scanned_to : request.until;
  if (!events->missing.empty()) {  // what lies before it first; the next page begins with it
    page.scanned_to = events->missing.front().ids.after;
    std::erase_if(events->events, [&](const model::Event& event) { return event.id > page.scanned_to; });
  }
  if (!events->events.empty()) {
    page.frames = std::make_shared<const hub::FramedBatch>(events->events, page.scanned_to, 0);
  }
  return page;
}

Result<bool> LogReplay::too_many(const log::ReadRequest& request) const {
  log::ReadRequest read = request;
  read.events_max = 2000;
  size_t count = 0;
  while (true) {
    const Result<log::ReadPage> page = log_.read(read);
    if (!page) return page.error();
    count += page->events.size();
    if (count > options_.replay_events_max) return true;
    if (!page->more) return false;
    read.after = page->scanned_to;
  }
}

}  // namespace millstream::app
